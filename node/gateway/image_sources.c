#include "node/gateway/image_sources.h"

#include "base/clock.h"
#include "contracts/governance/governance.h"
#include "node/answers/page.h"
#include "node/gateway/proven.h"
#include "node/host/log.h"
#include "node/json/record_json.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_PATH "/v1/nodes?limit=200"
#define NODES_ANSWER_MAX (256u * 1024u)

struct url_list {
    char url[BLOB_FETCH_SOURCES_MAX][CONFIG_URL_MAX];
    size_t count;
};

struct image_sources {
    struct url_list configured;
    pthread_mutex_t lock;
    struct url_list nodes; /* under the lock */
    uint64_t looked_mono_ms;
};

/* Passed over: empty, there already, too long, or no room. */
static void add(struct url_list *list, const char *url) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->url[i], url) == 0) {
            return;
        }
    }
    if (url[0] != '\0' && strlen(url) < CONFIG_URL_MAX && list->count < BLOB_FETCH_SOURCES_MAX) {
        (void)snprintf(list->url[list->count++], CONFIG_URL_MAX, "%s", url);
    }
}

enum err image_sources_new(const struct config_sources *configured, const struct genesis *genesis,
                           struct image_sources **out) {
    struct image_sources *sources = calloc(1, sizeof *sources);
    if (sources == NULL) {
        return ERR_NOMEM;
    }
    (void)pthread_mutex_init(&sources->lock, NULL);
    for (size_t i = 0; i < configured->count; i++) {
        add(&sources->configured, configured->url[i]);
    }
    for (size_t i = 0; i < genesis->node_count; i++) {
        if (genesis->nodes[i].role != NODE_GATEWAY) {
            add(&sources->nodes, genesis->nodes[i].http);
        }
    }
    *out = sources;
    return OK;
}

void image_sources_free(struct image_sources *sources) {
    if (sources != NULL) {
        (void)pthread_mutex_destroy(&sources->lock);
        free(sources);
    }
}

/* ---- The ledger's nodes ------------------------------------------------------------------------------------------ */

/* Each source's own, so that none crowds out the others. */
struct key_list {
    uint8_t key[BLOB_FETCH_SOURCES_MAX][ED25519_KEY_LEN];
    size_t count;
    size_t unknown; /* to the ledger, of those looked up */
};

struct key_lists {
    struct key_list of[CONFIG_SOURCES_MAX];
};

static bool has_key(const struct key_list *list, size_t count, const uint8_t key[ED25519_KEY_LEN]) {
    for (size_t i = 0; i < count && i < list->count; i++) {
        if (memcmp(list->key[i], key, ED25519_KEY_LEN) == 0) {
            return true;
        }
    }
    return false;
}

/* Keys of nodes that a list says serve somebody; gateways' images come from these themselves. */
static bool take_nodes(void *arg, size_t source, struct bytes body) {
    struct key_lists *lists = arg;
    struct key_list *list = &lists->of[source];
    json_t *root = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *nodes = record_member(&nodes_page, root, offsetof(struct page_answer, items));
    bool good = json_is_array(nodes);
    for (size_t i = 0; i < json_array_size(nodes) && list->count < BLOB_FETCH_SOURCES_MAX; i++) {
        struct node_record record;
        struct why why;
        bool serves = record_of_json(&node_shape, json_array_get(nodes, i), &record, &why) == OK &&
                      record.node.role != NODE_GATEWAY && record.node.http[0] != '\0';
        if (serves && !has_key(list, list->count, record.node.key)) {
            memcpy(list->key[list->count++], record.node.key, ED25519_KEY_LEN);
        }
    }
    json_decref(root);
    return good;
}

/* False: it can't be proven now. */
static bool prove_node(struct light *light, const uint8_t key[ED25519_KEY_LEN], struct url_list *out, bool *out_known) {
    struct proven proven = PROVEN_INIT;
    struct node_record record;
    struct record_key whole = node_key(key);
    enum err e = proven_get(light, &whole, &proven);
    *out_known = e == OK && proven.value.present;
    if (*out_known) {
        e = record_decode(&node_shape, buffer_bytes(&proven.value.value), &record);
        if (e == OK && record.node.role != NODE_GATEWAY) {
            add(out, record.node.http);
        }
    }
    proven_free(&proven);
    return e == OK;
}

/* Was this key looked up already, as another source's? */
static bool is_done(const struct key_lists *lists, size_t source, size_t place) {
    const uint8_t *key = lists->of[source].key[place];
    for (size_t other = 0; other < CONFIG_SOURCES_MAX; other++) {
        if (other != source && has_key(&lists->of[other], other < source ? place + 1 : place, key)) {
            return true;
        }
    }
    return false;
}

/* One of each source after the other. An honest one may be ahead of the head by a little; who names more that the ledger
 * does not know makes them up, and is passed over. False: it can't be proven now. */
#define UNKNOWN_MAX 3u

static bool prove_nodes(struct light *light, struct key_lists *lists, struct url_list *out) {
    for (size_t place = 0; place < BLOB_FETCH_SOURCES_MAX; place++) {
        for (size_t source = 0; source < CONFIG_SOURCES_MAX; source++) {
            struct key_list *list = &lists->of[source];
            bool known = true;
            if (place >= list->count || list->unknown >= UNKNOWN_MAX || is_done(lists, source, place)) {
                continue;
            }
            if (!prove_node(light, list->key[place], out, &known)) {
                return false;
            }
            if (!known && ++list->unknown == UNKNOWN_MAX) {
                light_blame(light, source, "names nodes that the ledger does not know");
            }
        }
    }
    return true;
}

static void replace_nodes(struct image_sources *sources, const struct url_list *nodes) {
    (void)pthread_mutex_lock(&sources->lock);
    bool is_new = nodes->count != sources->nodes.count || memcmp(nodes, &sources->nodes, sizeof *nodes) != 0;
    sources->nodes = *nodes;
    (void)pthread_mutex_unlock(&sources->lock);
    if (is_new) {
        log_event(LOG_INFO, "image.sources", log_number("nodes", nodes->count));
    }
}

void image_sources_refresh(struct image_sources *sources, struct light *light, bool is_urgent) {
    uint64_t now_ms = clock_mono_ms();
    uint64_t pause_ms = is_urgent ? IMAGE_SOURCES_GAP_MS : IMAGE_SOURCES_REFRESH_MS;
    if (sources->looked_mono_ms != 0 && now_ms < sources->looked_mono_ms + pause_ms) {
        return;
    }
    sources->looked_mono_ms = now_ms;
    struct key_lists *lists = calloc(1, sizeof *lists);
    struct url_list nodes = {.count = 0};
    bool good = lists != NULL && light_hints(light, NODES_PATH, NODES_ANSWER_MAX, take_nodes, lists) == OK &&
                prove_nodes(light, lists, &nodes);
    free(lists);
    if (good && nodes.count > 0) {
        replace_nodes(sources, &nodes);
    }
}

size_t image_sources_list(struct image_sources *sources, char out[BLOB_FETCH_SOURCES_MAX][CONFIG_URL_MAX]) {
    struct url_list all = sources->configured;
    (void)pthread_mutex_lock(&sources->lock);
    for (size_t i = 0; i < sources->nodes.count; i++) {
        add(&all, sources->nodes.url[i]);
    }
    (void)pthread_mutex_unlock(&sources->lock);
    memcpy(out, all.url, sizeof all.url);
    return all.count;
}
