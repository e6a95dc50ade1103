#include "node/home/home_join.h"

#include "base/clock.h"
#include "contracts/governance/governance.h"
#include "node/home/home_chain.h"
#include "node/home/home_look.h"
#include "node/ledger/execute.h"
#include "node/host/host_crypto.h"
#include "store/home_lock.h"

#include <stdlib.h>
#include <string.h>

static struct snapshot_place place_of(const char *dir) {
    return (struct snapshot_place){.disk = disk_posix(), .state = kv_lmdb_opener(HOME_MAP_BYTES), .dir = dir};
}

enum err home_join_finish(const struct daemon_home *home, struct why *why) {
    char dir[CONFIG_PATH_MAX];
    enum err e = home_path(home, "", dir);
    const struct snapshot_place place = place_of(dir);
    return e == OK ? snapshot_place_finish(&place, why) : e;
}

struct url_list {
    const struct daemon_home *home;
    char url[SNAPSHOT_SOURCES_MAX][GENESIS_TEXT_MAX + 1];
    size_t count;
};

/* Whoever only looks at a home has not read its key, and goes by the address that it serves. */
static bool is_ours(const struct daemon_home *home, const struct genesis_node *node) {
    const char *listen = home->config.http.listen;
    size_t url = strlen(node->http), own = strlen(listen);
    return memcmp(node->key, home->key, ED25519_KEY_LEN) == 0 ||
           (own > 0 && url >= own && strcmp(node->http + url - own, listen) == 0);
}

static enum err add_node(void *arg, const struct node_record *record) {
    struct url_list *list = arg;
    const struct genesis_node *node = &record->node;
    if (!is_ours(list->home, node) && node->role != NODE_GATEWAY && node->http[0] != '\0' &&
        list->count < SNAPSHOT_SOURCES_MAX) {
        memcpy(list->url[list->count++], node->http, sizeof node->http);
    }
    return OK;
}

/* Those of the ledger that stands in the home, as of its last checkpoint; ERR_NOTFOUND where there is none yet. */
static enum err list_ledger(struct url_list *list) {
    struct home_look look;
    struct why why = WHY_NONE;
    enum err e = home_look_open(list->home, &look, &why);
    if (e == OK) {
        struct state state = state_of_view(look.view);
        e = node_list(&state, NULL, STATE_PAGE_MAX, add_node, list);
    }
    home_look_close(&look);
    return e;
}

/* The nodes that the chain has now, as far as this home knows: who joins for the first time knows the genesis alone. */
static void list_nodes(struct url_list *list) {
    if (list_ledger(list) == OK && list->count > 0) {
        return;
    }
    list->count = 0;
    for (size_t i = 0; i < list->home->genesis.node_count; i++) {
        const struct node_record record = {.node = list->home->genesis.nodes[i]};
        (void)add_node(list, &record);
    }
}

/* Whoever called names them, else the configuration; else it is all nodes there are. */
static size_t choose_sources(const struct home_join_config *config, struct url_list *nodes,
                             const char *urls[SNAPSHOT_SOURCES_MAX]) {
    const struct config_sources *set = &config->home->config.snapshot.sources;
    size_t count = 0;
    for (; count < config->source_count && count < SNAPSHOT_SOURCES_MAX; count++) {
        urls[count] = config->sources[count];
    }
    for (; config->source_count == 0 && count < set->count && count < SNAPSHOT_SOURCES_MAX; count++) {
        urls[count] = set->url[count];
    }
    if (count == 0) {
        list_nodes(nodes);
        for (; count < nodes->count; count++) {
            urls[count] = nodes->url[count];
        }
    }
    return count;
}

/* What snapshot.checkpoint says; a file's name counts from the home, like every other in the configuration. */
static enum err read_configured(const struct daemon_home *home, struct checkpoint_file *out, struct why *why) {
    const char *text = home->config.snapshot.checkpoint;
    struct why words = WHY_NONE;
    char path[CONFIG_PATH_MAX];
    uint8_t chain_id[CHAIN_ID_LEN];
    genesis_chain_id(&home->genesis, &host_crypto, chain_id);
    out->whole = false;
    if (checkpoint_pin_parse(text, &out->pin) == OK) {
        return OK;
    }
    enum err e = config_resolve(home->path, text, path);
    if (e == OK) {
        e = checkpoint_file_load(path, chain_id, out, &words);
    }
    if (e != OK) {
        why_set(why, "snapshot.checkpoint must be HEIGHT:HASH or a checkpoint file: %s",
                why_said(&words) ? words.text : err_text(e));
        return ERR_CONFIG;
    }
    return OK;
}

/* `room` is where a configured one lies. */
static enum err take_pin(const struct home_join_config *config, struct checkpoint_file *room,
                         const struct checkpoint_file **out, struct why *why) {
    bool configured = config->pin == NULL && config->home->config.snapshot.checkpoint[0] != '\0';
    enum err e = configured ? read_configured(config->home, room, why) : OK;
    if (e == OK) {
        *out = configured ? room : config->pin;
    }
    return e;
}

static enum err join_locked(const struct home_join_config *config, const char *dir, struct snapshot_join_report *report,
                            struct why *why) {
    const char *urls[SNAPSHOT_SOURCES_MAX];
    struct url_list nodes = {.home = config->home};
    struct snapshot_http *http = NULL;
    const struct checkpoint_file *pin = NULL;
    struct checkpoint_file *room = malloc(sizeof *room);
    enum err e = room != NULL ? snapshot_http_new(&config->http, &http) : ERR_NOMEM;
    if (e == OK) {
        e = take_pin(config, room, &pin, why);
    }
    if (e == OK) {
        const struct snapshot_join_config join = {.place = place_of(dir),
                                                  .genesis = &config->home->genesis,
                                                  .transport = snapshot_http_transport(http),
                                                  .sources = urls,
                                                  .source_count = choose_sources(config, &nodes, urls),
                                                  .pin = pin,
                                                  .wall_ms = clock_wall_ms(),
                                                  .behind_ms = config->home->config.snapshot.join_behind_ms,
                                                  .segment_bytes = config->home->config.ledger.log_segment_bytes,
                                                  .wanted = config->wanted,
                                                  .progress = config->progress,
                                                  .source_left = config->source_left,
                                                  .arg = config->arg};
        e = snapshot_join(&join, report, why);
    }
    snapshot_http_free(http);
    free(room);
    return e;
}

enum err home_join(const struct home_join_config *config, struct snapshot_join_report *out, struct why *why) {
    char dir[CONFIG_PATH_MAX];
    struct snapshot_join_report report = {0};
    struct home_lock *lock = NULL;
    *why = WHY_NONE;
    enum err e = home_path(config->home, "", dir);
    if (e == OK) {
        e = home_chain_lock(config->home, &lock, why);
    }
    if (e != OK) {
        return e;
    }
    e = join_locked(config, dir, &report, why);
    home_lock_release(lock);
    if (e == OK) {
        *out = report;
    }
    return e;
}
