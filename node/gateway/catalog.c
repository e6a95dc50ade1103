#include "node/gateway/catalog.h"

#include <stdlib.h>
#include <string.h>

struct catalog {
    struct catalog_class *classes[CATALOG_CLASSES_MAX];
    size_t count;
};

enum err catalog_new(struct catalog **out) {
    struct catalog *catalog = calloc(1, sizeof *catalog);
    if (catalog == NULL) {
        return ERR_NOMEM;
    }
    *out = catalog;
    return OK;
}

void catalog_release_free(struct catalog_release *release) {
    if (release != NULL) {
        shared_blob_unref(release->envelope);
        shared_blob_unref(release->delegation);
        free(release);
    }
}

void catalog_free(struct catalog *catalog) {
    if (catalog == NULL) {
        return;
    }
    for (size_t i = 0; i < catalog->count; i++) {
        struct catalog_class *class = catalog->classes[i];
        for (size_t k = 0; k < class->proof_count; k++) {
            shared_blob_unref(class->proofs[k].bundle);
        }
        catalog_release_free(class->release);
        free(class->updates);
        free(class);
    }
    free(catalog);
}

size_t catalog_count(const struct catalog *catalog) {
    return catalog->count;
}

struct catalog_class *catalog_at(struct catalog *catalog, size_t i) {
    return catalog->classes[i];
}

struct catalog_class *catalog_find(struct catalog *catalog, const uint8_t class_id[UUID_BYTES]) {
    for (size_t i = 0; i < catalog->count; i++) {
        if (memcmp(catalog->classes[i]->id, class_id, UUID_BYTES) == 0) {
            return catalog->classes[i];
        }
    }
    return NULL;
}

enum err catalog_enter(struct catalog *catalog, const uint8_t class_id[UUID_BYTES], struct catalog_class **out) {
    struct catalog_class *class = catalog_find(catalog, class_id);
    if (class == NULL) {
        if (catalog->count == CATALOG_CLASSES_MAX) {
            return ERR_FULL;
        }
        class = calloc(1, sizeof *class);
        struct catalog_update *updates = calloc(CATALOG_UPDATES_MAX, sizeof *updates);
        if (class == NULL || updates == NULL) {
            free(class);
            free(updates);
            return ERR_NOMEM;
        }
        class->updates = updates;
        memcpy(class->id, class_id, UUID_BYTES);
        catalog->classes[catalog->count++] = class;
    }
    *out = class;
    return OK;
}

/* ---- What was proven --------------------------------------------------------------------------------------------- */

static bool is_latest(const struct catalog_class *class, const uint8_t release_id[HASH_LEN]) {
    return class->has_record && class->record.has_release &&
           memcmp(class->record.release_id, release_id, HASH_LEN) == 0;
}

static void keep_proof(struct catalog_class *class, struct shared_blob *bundle, uint64_t height, uint64_t time_ms) {
    if (class->proof_count == CATALOG_PROOFS_KEPT) {
        shared_blob_unref(class->proofs[--class->proof_count].bundle);
    }
    memmove(class->proofs + 1, class->proofs, class->proof_count * sizeof class->proofs[0]);
    class->proofs[0] = (struct catalog_proof){bundle, height, time_ms};
    class->proof_count++;
}

void catalog_set_record(struct catalog_class *class, const struct class_record *record, struct shared_blob *bundle,
                        uint64_t height, uint64_t time_ms) {
    if (class->proof_count > 0 && height <= class->proofs[0].height) {
        shared_blob_unref(bundle);
        return;
    }
    keep_proof(class, bundle, height, time_ms);
    bool same = is_latest(class, record->release_id) && record->has_release;
    class->record = *record;
    class->has_record = true;
    if (!same) {
        catalog_release_free(class->release);
        class->release = NULL;
        class->update_count = 0;
    }
}

void catalog_set_release(struct catalog_class *class, struct catalog_release *release) {
    if (!is_latest(class, release->id)) {
        catalog_release_free(release);
        return;
    }
    catalog_release_free(class->release);
    class->release = release;
}

struct catalog_update *catalog_update_find(struct catalog_class *class, const uint8_t update_id[HASH_LEN]) {
    for (size_t i = 0; i < class->update_count; i++) {
        if (memcmp(class->updates[i].id, update_id, HASH_LEN) == 0) {
            return &class->updates[i];
        }
    }
    return NULL;
}

struct catalog_update *catalog_update_add(struct catalog_class *class, const struct update_record *record) {
    if (!is_latest(class, record->release_id) || memcmp(record->class_id, class->id, UUID_BYTES) != 0) {
        return NULL;
    }
    struct catalog_update *update = catalog_update_find(class, record->id);
    if (update != NULL) {
        return update;
    }
    size_t at = 0;
    while (at<class->update_count &&class->updates[at].created_ms> record->stamp.created_ms) {
        at++;
    }
    if (at == CATALOG_UPDATES_MAX) {
        return NULL;
    }
    size_t moved = class->update_count - at;
    if (class->update_count == CATALOG_UPDATES_MAX) {
        moved--;
    } else {
        class->update_count++;
    }
    update = &class->updates[at];
    memmove(update + 1, update, moved * sizeof *update);
    *update = (struct catalog_update){
        .created_ms = record->stamp.created_ms, .whole_class = record->whole_class, .targets_named = record->targets};
    memcpy(update->id, record->id, HASH_LEN);
    return update;
}

static bool names(const struct catalog_update *update, const uint8_t device_id[KEY_LEN]) {
    for (size_t i = 0; i < update->target_count; i++) {
        if (memcmp(update->targets[i], device_id, KEY_LEN) == 0) {
            return true;
        }
    }
    return false;
}

void catalog_update_target(struct catalog_update *update, const uint8_t device_id[KEY_LEN]) {
    if (!update->whole_class && update->target_count < UPDATE_TARGETS_MAX && !names(update, device_id)) {
        memcpy(update->targets[update->target_count++], device_id, KEY_LEN);
    }
}

/* ---- Matching -------------------------------------------------------------------------------------------- */

/* How an update is about a device. */
enum reach { REACH_NOT, REACH_NAMED, REACH_CLASS };

/* What a device is told of an update, by its place in it. A class's update needs no proof before it is offered: the device
 * begins with an `open`, which buys no time when it was open before, and the ledger's answer is proven then. A place that
 * the ledger has counts whatever the lists of named devices say. */
static const enum catalog_answer told[PLACES][REACH_CLASS + 1] = {
    [PLACE_UNPROVEN] = {[REACH_NAMED] = CATALOG_UNPROVEN, [REACH_CLASS] = CATALOG_OFFER},
    [PLACE_ABSENT] = {[REACH_CLASS] = CATALOG_OFFER},
    [PLACE_UNVERIFIED] = {CATALOG_OFFER, CATALOG_OFFER, CATALOG_OFFER},
    [PLACE_VERIFIED] = {CATALOG_OFFER, CATALOG_OFFER, CATALOG_OFFER},
    [PLACE_OVER] = {CATALOG_NOTHING, CATALOG_NOTHING, CATALOG_NOTHING},
};

static enum reach reach_of(const struct catalog_update *update, const struct fleet_device *device) {
    if (update->whole_class) {
        return REACH_CLASS;
    }
    return names(update, device->id) ? REACH_NAMED : REACH_NOT;
}

/* The ledger notes the end of a window when something calls it; by block time it has passed already. */
static enum fleet_place place_at(const struct fleet_update *update, uint64_t time_ms) {
    if (update == NULL) {
        return PLACE_UNPROVEN;
    }
    const struct status_record *status = &update->status;
    bool passed = update->place == PLACE_UNVERIFIED && time_ms >= status->window_start_ms &&
                  time_ms - status->window_start_ms >= status->window_ms;
    return passed ? PLACE_OVER : update->place;
}

static enum catalog_answer match_one(const struct catalog_update *update, struct fleet_device *device, uint64_t time_ms,
                                     bool *out_needs_open) {
    enum fleet_place place = place_at(fleet_update_find(device, update->id), time_ms);
    *out_needs_open = !fleet_place_is_present(place);
    return told[place][reach_of(update, device)];
}

enum catalog_answer catalog_match(const struct catalog_class *class, struct fleet_device *device, uint64_t time_ms,
                                  struct catalog_offer *out) {
    const struct catalog_release *release = class->release;
    if (device->state != FLEET_KNOWN || release == NULL || device->running_sequence >= release->sequence ||
        release->sequence < class->record.floor) {
        return CATALOG_NOTHING;
    }
    for (size_t i = 0; i < class->update_count; i++) {
        const struct catalog_update *update = &class->updates[i];
        bool needs_open;
        enum catalog_answer answer = match_one(update, device, time_ms, &needs_open);
        if (answer != CATALOG_NOTHING) {
            *out = (struct catalog_offer){update, release, needs_open};
            return answer == CATALOG_OFFER && !release->image_here ? CATALOG_NOT_HERE : answer;
        }
    }
    return CATALOG_NOTHING;
}
