#include "node/gateway/follow_class.h"

#include "contracts/author/author.h"
#include "node/answers/page.h"
#include "node/answers/registry.h"
#include "node/fetch/client.h"
#include "node/gateway/follow.h"
#include "node/gateway/proven.h"
#include "node/host/host_crypto.h"
#include "node/host/log.h"
#include "node/json/record_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HINT_LIMIT (512u * 1024u)

struct follow_class {
    struct follow_class_config config;
    uint8_t rejected[FOLLOW_REJECTED_MAX][HASH_LEN]; /* ring */
    size_t rejected_count;
    struct {
        uint8_t ids[FOLLOW_HINTS_PER_SOURCE][HASH_LEN];
        size_t count;
        size_t unknown;          /* to the ledger, of those looked up */
    } hints[CONFIG_SOURCES_MAX]; /* each source's own, so that none crowds out the others */
};

enum err follow_class_new(const struct follow_class_config *config, struct follow_class **out) {
    struct follow_class *follow = calloc(1, sizeof *follow);
    if (follow == NULL) {
        return ERR_NOMEM;
    }
    follow->config = *config;
    *out = follow;
    return OK;
}

void follow_class_free(struct follow_class *follow) {
    free(follow);
}

void follow_class_head(struct follow_class *follow, bool no_class) {
    /* The newest head is kept by the light client; without one, the freeze alarm rises. */
    if (no_class) {
        (void)!light_refresh(follow->config.light);
    }
}

/* ---- The class record and the definition ----------------------------------------------------------------- */

static enum err prove_definition(struct follow_class *follow, struct catalog_class *class) {
    struct proven proven = PROVEN_INIT;
    struct class_definition definition;
    bool found = false;
    struct record_key key = class_definition_key(class->id);
    enum err e = proven_get(follow->config.light, &key, &proven);
    if (e == OK) {
        struct state state = proven_state(&proven);
        e = class_definition_get(&state, class->id, &definition, &found);
    }
    proven_free(&proven);
    if (e == OK && !found) {
        e = ERR_NOTFOUND;
    }
    if (e == OK) {
        site_lock(follow->config.site);
        (void)snprintf(class->name, sizeof class->name, "%s/%s", definition.def.vendor_domain,
                       definition.def.class_name);
        memcpy(class->root_key, definition.def.root_key, KEY_LEN);
        site_unlock(follow->config.site);
    }
    return e;
}

static enum err prove_record(struct follow_class *follow, struct catalog_class *class) {
    struct proven proven = PROVEN_INIT;
    struct class_record record;
    struct record_key key = release_latest_key(class->id);
    enum err e = proven_get(follow->config.light, &key, &proven);
    if (e == OK && !proven.value.present) {
        e = ERR_NOTFOUND;
    }
    if (e == OK) {
        const struct bytes value = buffer_bytes(&proven.value.value);
        e = class_record_decode(value, &record) == GOOD ? OK : ERR_CORRUPT;
    }
    struct shared_blob *bundle = e == OK ? shared_blob_new(buffer_bytes(&proven.value.bundle)) : NULL;
    if (e == OK && bundle == NULL) {
        e = ERR_NOMEM;
    }
    if (e == OK) {
        site_lock(follow->config.site);
        catalog_set_record(class, &record, bundle, proven.value.height, proven.value.time_ms);
        site_unlock(follow->config.site);
    }
    proven_free(&proven);
    return e;
}

/* ---- The release ----------------------------------------------------------------------------------------- */

static enum err prove_release(struct follow_class *follow, const struct catalog_class *class,
                              struct release_record *out) {
    struct proven proven = PROVEN_INIT;
    bool found = false;
    struct record_key key = release_key(class->record.release_id);
    enum err e = proven_get(follow->config.light, &key, &proven);
    if (e == OK) {
        struct state state = proven_state(&proven);
        e = release_get(&state, class->record.release_id, out, &found);
    }
    if (e == OK && (!found || out->state != RELEASE_RELEASED || memcmp(out->class_id, class->id, UUID_BYTES) != 0)) {
        e = ERR_NOTFOUND;
    }
    proven_free(&proven);
    return e;
}

static enum err prove_envelope(struct follow_class *follow, const uint8_t release_id[HASH_LEN],
                               struct shared_blob **out) {
    struct proven proven = PROVEN_INIT;
    struct record_key key = record_key("firmware", "envelope/", bytes_of(release_id, HASH_LEN));
    enum err e = proven_get(follow->config.light, &key, &proven);
    if (e == OK && !proven.value.present) {
        e = ERR_NOTFOUND;
    }
    if (e == OK) {
        *out = shared_blob_new(buffer_bytes(&proven.value.value));
        e = *out != NULL ? OK : ERR_NOMEM;
    }
    proven_free(&proven);
    return e;
}

/* Is it a delegation that a device of the class accepts? */
static bool vouches(const struct follow_class *follow, const struct catalog_class *class,
                    const struct author_record *author, uint64_t sequence) {
    struct delegation delegation;
    const struct bytes encoded = {author->delegation, author->delegation_len};
    return delegation_verify(&host_crypto, class->root_key, encoded, &delegation) == GOOD &&
           delegation_covers(&delegation, light_chain_id(follow->config.light), class->id, sequence) == GOOD;
}

/* Of the first signer whom the class's root key vouches for. */
static enum err prove_delegation(struct follow_class *follow, const struct catalog_class *class,
                                 const struct release_record *release, struct shared_blob **out) {
    for (size_t i = 0; i < release->signer_count; i++) {
        struct proven proven = PROVEN_INIT;
        struct author_record author;
        bool found = false;
        struct record_key key = author_record_key(release->signers[i]);
        enum err e = proven_get(follow->config.light, &key, &proven);
        if (e == OK) {
            struct state state = proven_state(&proven);
            e = author_get(&state, release->signers[i], &author, &found);
        }
        proven_free(&proven);
        if (e != OK) {
            return e;
        }
        if (found && !author.revoked && vouches(follow, class, &author, release->sequence)) {
            *out = shared_blob_new(bytes_of(author.delegation, author.delegation_len));
            return *out != NULL ? OK : ERR_NOMEM;
        }
    }
    return ERR_NOTFOUND;
}

static enum err load_release(struct follow_class *follow, struct catalog_class *class) {
    static const char *const parts[] = {"record", "envelope", "delegation"};
    struct release_record record;
    struct catalog_release *release = calloc(1, sizeof *release);
    struct cid root;
    size_t part = 0;
    enum err e = release != NULL ? prove_release(follow, class, &record) : ERR_NOMEM;
    if (e == OK) {
        part = 1;
        e = prove_envelope(follow, record.id, &release->envelope);
    }
    if (e == OK) {
        part = 2;
        e = prove_delegation(follow, class, &record, &release->delegation);
    }
    if (e == OK) {
        e = cid_decode(bytes_of(record.image_cid, CID_LEN), &root);
    }
    if (e != OK) {
        log_event(LOG_WARN, "release.incomplete", log_text("class", class->name),
                  log_hash("release", class->record.release_id, HASH_LEN), log_text("part", parts[part]), log_err(e));
        catalog_release_free(release);
        return e;
    }
    memcpy(release->id, record.id, HASH_LEN);
    release->sequence = record.sequence;
    memcpy(release->image_digest, record.image_digest, HASH_LEN);
    release->image_size = record.image_size;
    memcpy(release->image_cid, record.image_cid, CID_BINARY_LEN);
    memcpy(release->version, record.version, sizeof release->version);
    release->image_here = images_has(follow->config.images, &root);
    log_event(LOG_INFO, "release.latest", log_text("class", class->name), log_text("version", record.version),
              log_number("sequence", record.sequence), log_hash("release", record.id, HASH_LEN));
    site_lock(follow->config.site);
    catalog_set_release(class, release);
    site_unlock(follow->config.site);
    return OK;
}

/* ---- Updates: hints, then proofs ------------------------------------------------------------------------- */

static bool contains(const uint8_t (*ids)[HASH_LEN], size_t count, const uint8_t id[HASH_LEN]) {
    for (size_t i = 0; i < count; i++) {
        if (memcmp(ids[i], id, HASH_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static void reject(struct follow_class *follow, const uint8_t id[HASH_LEN]) {
    memcpy(follow->rejected[follow->rejected_count++ % FOLLOW_REJECTED_MAX], id, HASH_LEN);
}

static bool is_rejected(const struct follow_class *follow, const uint8_t id[HASH_LEN]) {
    size_t count = follow->rejected_count < FOLLOW_REJECTED_MAX ? follow->rejected_count : FOLLOW_REJECTED_MAX;
    return contains((const uint8_t(*)[HASH_LEN])follow->rejected, count, id);
}

struct hint_list {
    struct follow_class *follow;
    struct catalog_class *class;
};

/* Takes the ids of updates that a list says push the class's latest release. */
static bool take_updates(void *arg, size_t source, struct bytes body) {
    const struct hint_list *list = arg;
    struct follow_class *follow = list->follow;
    json_t *root = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *updates = record_member(&updates_page, root, offsetof(struct page_answer, items));
    bool good = json_is_array(updates);
    size_t i;
    const json_t *item;
    json_array_foreach(updates, i, item) {
        uint8_t id[HASH_LEN], release[HASH_LEN];
        if (!record_hex(&update_shape, item, offsetof(struct update_record, id), id, sizeof id) ||
            !record_hex(&update_shape, item, offsetof(struct update_record, release_id), release, sizeof release)) {
            good = false;
            break;
        }
        size_t *count = &follow->hints[source].count;
        uint8_t(*ids)[HASH_LEN] = follow->hints[source].ids;
        if (memcmp(release, list->class->record.release_id, HASH_LEN) == 0 && *count < FOLLOW_HINTS_PER_SOURCE &&
            !is_rejected(follow, id) && !contains((const uint8_t(*)[HASH_LEN])ids, *count, id)) {
            memcpy(ids[(*count)++], id, HASH_LEN);
        }
    }
    json_decref(root);
    return good;
}

/* Of all sources: each may name as many as an update can have, so that none crowds out the others. */
struct target_list {
    uint8_t ids[CONFIG_SOURCES_MAX * UPDATE_TARGETS_MAX][KEY_LEN];
    size_t count;
};

static bool take_targets(void *arg, size_t source, struct bytes body) {
    struct target_list *list = arg;
    (void)source;
    json_t *root = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *devices = record_member(&update_answer_shape, root, offsetof(struct update_answer_page, devices));
    bool good = json_is_array(devices) && json_array_size(devices) <= UPDATE_TARGETS_MAX;
    size_t i, room = good ? list->count + UPDATE_TARGETS_MAX : 0;
    room = room < CONFIG_SOURCES_MAX * UPDATE_TARGETS_MAX ? room : CONFIG_SOURCES_MAX * UPDATE_TARGETS_MAX;
    const json_t *item;
    json_array_foreach(devices, i, item) {
        uint8_t id[KEY_LEN];
        if (!record_hex(&update_status_shape, item, offsetof(struct status_record, device_id), id, sizeof id)) {
            good = false;
            break;
        }
        if (list->count < room && !contains((const uint8_t(*)[KEY_LEN])list->ids, list->count, id)) {
            memcpy(list->ids[list->count++], id, KEY_LEN);
        }
    }
    json_decref(root);
    return good;
}

static bool is_ours(struct site *site, const uint8_t device_id[KEY_LEN]) {
    site_lock(site);
    const struct fleet_device *device = fleet_find(site->fleet, device_id);
    bool ours = device != NULL && device->state == FLEET_KNOWN;
    site_unlock(site);
    return ours;
}

static void learn_those(struct follow_class *follow, struct catalog_update *update, const struct target_list *list,
                        bool ours) {
    struct site *site = follow->config.site;
    for (size_t i = 0; i < list->count; i++) {
        const uint8_t *id = list->ids[i];
        if (is_ours(site, id) != ours) {
            continue;
        }
        site_lock(site);
        catalog_update_target(update, id);
        site_unlock(site);
        if (ours) {
            follow->config.prove_later(follow->config.ctx, update->id, id);
        }
    }
}

/* Which devices a named update is for; ours among them are proven soon, and come first: the list may be too long. */
static void learn_targets(struct follow_class *follow, struct catalog_update *update) {
    char hex[2 * HASH_LEN + 1], path[LIGHT_PATH_MAX];
    struct target_list list = {.count = 0};
    hex_encode(update->id, HASH_LEN, hex);
    (void)snprintf(path, sizeof path, "/v1/updates/%s", hex);
    if (light_hints(follow->config.light, path, HINT_LIMIT, take_targets, &list) != OK) {
        return;
    }
    learn_those(follow, update, &list, true);
    learn_those(follow, update, &list, false);
}

static enum err prove_update(struct follow_class *follow, struct catalog_class *class, const uint8_t id[HASH_LEN],
                             bool *out_known) {
    struct proven proven = PROVEN_INIT;
    struct update_record record;
    bool found = false;
    struct record_key key = update_key(id);
    enum err e = proven_get(follow->config.light, &key, &proven);
    if (e == OK) {
        struct state state = proven_state(&proven);
        e = update_get(&state, id, &record, &found);
    }
    proven_free(&proven);
    if (e != OK) {
        return e;
    }
    *out_known = found;
    site_lock(follow->config.site);
    struct catalog_update *update = found ? catalog_update_add(class, &record) : NULL;
    site_unlock(follow->config.site);
    if (update == NULL) {
        reject(follow, id);
        return OK;
    }
    log_event(LOG_INFO, "update.new", log_hash("update", id, HASH_LEN), log_text("class", class->name),
              log_text("version", record.version), log_number("targets", record.targets));
    return OK;
}

/* An honest source may be ahead of the head by a little; who names so many unknown ones makes them up, and what else it
 * named is left alone, unless others name it, too. */
#define UNKNOWN_MAX 3u

/* One hint of a source. False: no source answers. */
static bool prove_hint(struct follow_class *follow, struct catalog_class *class, size_t source, const uint8_t *id) {
    bool known = true;
    if (catalog_update_find(class, id) != NULL || is_rejected(follow, id)) {
        return true;
    }
    if (prove_update(follow, class, id, &known) != OK) {
        return false;
    }
    if (!known && ++follow->hints[source].unknown == UNKNOWN_MAX) {
        light_blame(follow->config.light, source, "names updates that the ledger does not know");
    }
    return true;
}

/* Proves what the hints name, one of each source after the other; `class->updates` is written on this thread alone, so
 * reading it needs no lock here. */
static void prove_hints(struct follow_class *follow, struct catalog_class *class) {
    for (size_t i = 0; i < FOLLOW_HINTS_PER_SOURCE; i++) {
        for (size_t source = 0; source < CONFIG_SOURCES_MAX; source++) {
            bool has_one = i < follow->hints[source].count && follow->hints[source].unknown < UNKNOWN_MAX;
            if (has_one && !prove_hint(follow, class, source, follow->hints[source].ids[i])) {
                return;
            }
        }
    }
    for (size_t i = 0; i < class->update_count; i++) {
        struct catalog_update *update = &class->updates[i];
        if (!update->whole_class && update->target_count < update->targets_named) {
            learn_targets(follow, update);
        }
    }
}

static void forget_hints(struct follow_class *follow) {
    for (size_t source = 0; source < CONFIG_SOURCES_MAX; source++) {
        follow->hints[source].count = follow->hints[source].unknown = 0;
    }
}

static void look_for_updates(struct follow_class *follow, struct catalog_class *class, const char *path) {
    struct hint_list list = {follow, class};
    forget_hints(follow);
    if (light_hints(follow->config.light, path, HINT_LIMIT, take_updates, &list) == OK) {
        prove_hints(follow, class);
    }
}

/* Everything up to the latest release. */
static enum err prove_class(struct follow_class *follow, struct catalog_class *class) {
    enum err e = class->name[0] == '\0' ? prove_definition(follow, class) : OK;
    if (e == OK) {
        e = prove_record(follow, class);
    }
    if (e == OK && class->record.has_release && class->release == NULL) {
        e = load_release(follow, class);
    }
    return e;
}

bool follow_class_refresh(struct follow_class *follow, struct catalog_class *class) {
    enum err e = prove_class(follow, class);
    if (e != OK || class->release == NULL) {
        return e != ERR_NETWORK && e != ERR_CLOSED && e != ERR_DENIED;
    }
    char path[LIGHT_PATH_MAX];
    struct buffer name = BUFFER_INIT;
    client_escape(class->name, &name);
    if (buffer_ok(&name) == OK) {
        (void)snprintf(path, sizeof path, "/v1/updates?class=%.*s&limit=%d", (int)name.len, (const char *)name.data,
                       (int)FOLLOW_HINTS_PER_SOURCE);
        look_for_updates(follow, class, path);
    }
    buffer_free(&name);
    return true;
}

void follow_class_new_device(struct follow_class *follow, struct catalog_class *class,
                             const uint8_t device_id[KEY_LEN]) {
    char hex[2 * KEY_LEN + 1], path[LIGHT_PATH_MAX];
    if (!class->has_record) {
        (void)follow_class_refresh(follow, class);
        follow_class_wish_images(follow);
    }
    if (class->release == NULL) {
        return;
    }
    hex_encode(device_id, KEY_LEN, hex);
    (void)snprintf(path, sizeof path, "/v1/updates?device=%s&limit=%d", hex, (int)FOLLOW_HINTS_PER_SOURCE);
    look_for_updates(follow, class, path);
    /* The lists of targets may be full of false ones: what was named for this device is proven whatever they say. */
    for (size_t i = 0; i < CONFIG_SOURCES_MAX * FOLLOW_HINTS_PER_SOURCE; i++) {
        size_t source = i / FOLLOW_HINTS_PER_SOURCE, place = i % FOLLOW_HINTS_PER_SOURCE;
        const struct catalog_update *update =
            place < follow->hints[source].count ? catalog_update_find(class, follow->hints[source].ids[place]) : NULL;
        if (update != NULL && !update->whole_class) {
            follow->config.prove_later(follow->config.ctx, update->id, device_id);
        }
    }
}

/* ---- A device's place, and images ------------------------------------------------------------------------ */

enum err follow_class_prove_status(struct follow_class *follow, const uint8_t update_id[HASH_LEN],
                                   const uint8_t device_id[KEY_LEN]) {
    struct proven proven = PROVEN_INIT;
    struct status_record status;
    struct shared_blob *bundle = NULL;
    struct record_key key = update_status_key(update_id, device_id);
    enum err e = proven_get(follow->config.light, &key, &proven);
    bool present = e == OK && proven.value.present;
    if (present) {
        const struct bytes value = buffer_bytes(&proven.value.value);
        e = status_record_decode(value, &status) == GOOD ? OK : ERR_CORRUPT;
    }
    if (e == OK && present) {
        bundle = shared_blob_new(buffer_bytes(&proven.value.bundle));
        e = bundle != NULL ? OK : ERR_NOMEM;
    }
    if (e == OK) {
        site_lock(follow->config.site);
        struct fleet_device *device = fleet_find(follow->config.site->fleet, device_id);
        if (device != NULL) {
            e = fleet_update_set(device, update_id, present ? &status : NULL, bundle, proven.value.height,
                                 proven.value.time_ms);
        } else {
            shared_blob_unref(bundle);
        }
        site_unlock(follow->config.site);
    }
    proven_free(&proven);
    return e;
}

void follow_class_wish_images(struct follow_class *follow) {
    static const size_t most = CATALOG_CLASSES_MAX;
    struct images_wish *wishes = calloc(most, sizeof *wishes);
    struct site *site = follow->config.site;
    size_t count = 0;
    if (wishes == NULL) {
        return;
    }
    site_lock(site);
    for (size_t i = 0; i < catalog_count(site->catalog); i++) {
        struct catalog_release *release = catalog_at(site->catalog, i)->release;
        struct images_wish *wish = &wishes[count];
        if (release != NULL && cid_decode(bytes_of(release->image_cid, CID_LEN), &wish->root) == OK) {
            wish->size = release->image_size;
            memcpy(wish->sha256, release->image_digest, SHA256_LEN);
            release->image_here = images_has(follow->config.images, &wish->root);
            count++;
        }
    }
    site_unlock(site);
    images_want(follow->config.images, wishes, count);
    free(wishes);
}
