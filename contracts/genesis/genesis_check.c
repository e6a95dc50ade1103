#include "contracts/genesis/genesis_check.h"

#include "contracts/kernel/method.h"

#include <stdlib.h>
#include <string.h>

enum err genesis_broken(const struct genesis_checking *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    why_vset(c->why, format, args);
    va_end(args);
    return ERR_INVALID;
}

const struct genesis_org *genesis_find_org(const struct genesis *g, const char *id) {
    for (size_t i = 0; i < g->org_count; i++) {
        if (strncmp(g->orgs[i].id, id, GENESIS_ID_MAX + 1) == 0) {
            return &g->orgs[i];
        }
    }
    return NULL;
}

const struct genesis_node *genesis_find_node(const struct genesis *g, const uint8_t key[KEY_LEN]) {
    for (size_t i = 0; i < g->node_count; i++) {
        if (memcmp(g->nodes[i].key, key, KEY_LEN) == 0) {
            return &g->nodes[i];
        }
    }
    return NULL;
}

const struct genesis_class *genesis_find_class(const struct genesis *g, const uint8_t class_id[UUID_BYTES]) {
    for (size_t i = 0; i < g->class_count; i++) {
        uint8_t vendor[UUID_BYTES], id[UUID_BYTES];
        class_ids(g->classes[i].vendor_domain, g->classes[i].class_name, vendor, id);
        if (memcmp(id, class_id, UUID_BYTES) == 0) {
            return &g->classes[i];
        }
    }
    return NULL;
}

static int compare_ids(const void *a, const void *b) {
    return memcmp(a, b, HASH_LEN);
}

/* Sorts the ids; gives the first that stands twice, or NULL. */
static const uint8_t *find_twin(uint8_t (*ids)[HASH_LEN], size_t count) {
    qsort(ids, count, HASH_LEN, compare_ids);
    for (size_t i = 1; i < count; i++) {
        if (memcmp(ids[i - 1], ids[i], HASH_LEN) == 0) {
            return ids[i];
        }
    }
    return NULL;
}

/* Refuses a list in which an id stands twice. Takes the ids over. */
enum err genesis_unique(const struct genesis_checking *c, const char *what, uint8_t (*ids)[HASH_LEN], size_t count) {
    const uint8_t *twin = find_twin(ids, count);
    enum err e = OK;
    if (twin != NULL) {
        char hex[2 * HASH_LEN + 1];
        hex_encode(twin, HASH_LEN, hex);
        e = genesis_broken(c, "%s %s is listed twice", what, hex);
    }
    free(ids);
    return e;
}

bool genesis_org_id_is_clean(const char *id) {
    size_t len = strnlen(id, GENESIS_ID_MAX + 1);
    if (len == 0 || len > GENESIS_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!(id[i] >= 'a' && id[i] <= 'z') && !(id[i] >= '0' && id[i] <= '9') && id[i] != '-') {
            return false;
        }
    }
    return true;
}

const char *genesis_org_flaw(const struct genesis_org *org) {
    if (org->name[0] == '\0' || text_judge(org->name, GENESIS_TEXT_MAX, TEXT_NAME) != CODE_OK) {
        return "name must be 1 to 128 bytes of clean text";
    }
    if (org->kind < ORG_VENDOR || org->kind > ORG_OWNER) {
        return "unknown kind";
    }
    if (org->admin_count == 0 || org->admin_count > GENESIS_ADMINS_MAX) {
        return "needs 1 to 16 admins";
    }
    if (org->admin_threshold == 0 || org->admin_threshold > org->admin_count) {
        return "admin threshold must be 1 to the number of admins";
    }
    for (size_t i = 0; i < org->admin_count; i++) {
        if (bytes_is_zero(org->admins[i], KEY_LEN)) {
            return "an admin key is missing";
        }
        for (size_t j = 0; j < i; j++) {
            if (memcmp(org->admins[i], org->admins[j], KEY_LEN) == 0) {
                return "an admin is listed twice";
            }
        }
    }
    return NULL;
}
