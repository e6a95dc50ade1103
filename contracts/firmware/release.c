#include "contracts/firmware/release.h"

#include <string.h>

#define CONTRACT "firmware"

static const char *const states[RELEASE_EXPIRED + 1] = {[RELEASE_PENDING] = "pending",
                                                        [RELEASE_RELEASED] = "released",
                                                        [RELEASE_REVOKED] = "revoked",
                                                        [RELEASE_EXPIRED] = "expired"};

const char *release_state_name(enum release_state state) {
    return state >= RELEASE_PENDING && state <= RELEASE_EXPIRED ? states[state] : "unknown";
}

void release_id(const struct release_record *release, uint8_t out[HASH_LEN]) {
    uint8_t size[8], sbom_len = release->has_sbom ? CID_BINARY_LEN : 0;
    store_u64(size, release->image_size);
    const struct bytes parts[] = {
        bytes_of(TAG_RELEASE, TAG_LEN),
        bytes_of("\1", 1),
        bytes_of(release->class_id, UUID_BYTES),
        bytes_of(release->manifest_digest, HASH_LEN),
        bytes_of(release->image_cid, CID_BINARY_LEN),
        bytes_of(size, sizeof size),
        bytes_of(release->image_digest, HASH_LEN),
        bytes_of(release->image_tree_root, HASH_LEN),
        bytes_of(&sbom_len, 1),
        bytes_of(release->sbom_cid, sbom_len),
    };
    sha256_parts(parts, sizeof parts / sizeof parts[0], out);
}

/* ---- Keys --------------------------------------------------------------------------------------------------- */

struct record_key release_key(const uint8_t id[HASH_LEN]) {
    return record_key(CONTRACT, "release/", bytes_of(id, HASH_LEN));
}

static struct record_key envelope_key(const uint8_t id[HASH_LEN]) {
    return record_key(CONTRACT, "envelope/", bytes_of(id, HASH_LEN));
}

static struct record_key manifest_key(const uint8_t digest[HASH_LEN]) {
    return record_key(CONTRACT, "manifest/", bytes_of(digest, HASH_LEN));
}

/* "sequence/" or "released/" of a class, down to one sequence. */
static struct record_key index_key(const char *path, const uint8_t class_id[UUID_BYTES], uint64_t sequence) {
    uint8_t inverted[8];
    store_u64(inverted, UINT64_MAX - sequence);
    struct record_key key = record_key(CONTRACT, path, bytes_of(class_id, UUID_BYTES));
    record_key_add(&key, inverted, sizeof inverted);
    return key;
}

struct record_key release_latest_key(const uint8_t class_id[UUID_BYTES]) {
    uint8_t user_key[CLASS_RECORD_KEY_LEN];
    class_record_key(class_id, user_key);
    return record_key(CONTRACT, "", bytes_of(user_key, sizeof user_key));
}

void release_cursor(const struct release_record *release, uint8_t out[RELEASE_CURSOR_LEN]) {
    store_u64(out, UINT64_MAX - release->sequence);
    memcpy(out + 8, release->id, HASH_LEN);
}

/* ---- Layout ------------------------------------------------------------------------------------------------- */

static const struct field release_fields[] = {
    STAMP(struct release_record),
    {"release_id", "SHA-256 over what the release is: class, manifest, image, SBOM.", FIELD_HEX,
     MEMBER(struct release_record, id)},
    {"class_id", "UUID of the class it is for.", FIELD_HEX, MEMBER(struct release_record, class_id)},
    {"vendor_id", "UUID of the vendor.", FIELD_HEX, MEMBER(struct release_record, vendor_id)},
    {"sequence", "The manifest's number; later releases of a class have higher ones.", FIELD_NUMBER,
     MEMBER(struct release_record, sequence)},
    {"state", "Whether it may be installed.", FIELD_NAME, MEMBER(struct release_record, state), NAMES(states)},
    {"component", "SUIT component identifier of its image.", FIELD_NUMBER, MEMBER(struct release_record, component)},
    {"manifest_digest", "SHA-256 of the SUIT manifest.", FIELD_HEX, MEMBER(struct release_record, manifest_digest)},
    {"sha256", "Of the image.", FIELD_HEX, MEMBER(struct release_record, image_digest)},
    {"size", "Bytes of the image.", FIELD_NUMBER, MEMBER(struct release_record, image_size)},
    {"cid", "Of the image.", FIELD_CID, MEMBER(struct release_record, image_cid)},
    {"tree_root", "Root over the image's pieces of 4 KiB.", FIELD_HEX, MEMBER(struct release_record, image_tree_root)},
    {"sbom_cid", "Of the bill of materials, where there is one.", FIELD_CID, MEMBER(struct release_record, sbom_cid),
     IF(struct release_record, has_sbom), .is_omitted = true},
    {NULL, NULL, FIELD_NUMBER, FIELD_KEPT, MEMBER(struct release_record, format)},
    {"envelope_size", "Bytes of the SUIT envelope.", FIELD_NUMBER, MEMBER(struct release_record, envelope_len)},
    {"tx_id", "The transaction that registered it.", FIELD_HEX, MEMBER(struct release_record, tx_id)},
    {NULL, NULL, FIELD_HEX, FIELD_KEPT, MEMBER(struct release_record, sender)},
    {NULL, NULL, FIELD_NUMBER, FIELD_KEPT, MEMBER(struct release_record, pending_until_ms)},
    {"signers", "Ids of the authors who signed.", FIELD_LIST, COUNTED(struct release_record, signers, signer_count)},
    {"dependencies", "Digests of the manifests it needs.", FIELD_LIST,
     COUNTED(struct release_record, dependencies, dependency_count)},
    {"version", "As people call it.", FIELD_TEXT, MEMBER(struct release_record, version)},
    {"notes", "What the author says about it.", FIELD_TEXT, MEMBER(struct release_record, notes)},
    {"reason", "Why it was revoked.", FIELD_TEXT, MEMBER(struct release_record, reason)},
    {"height", "Of the block that registered it.", FIELD_NUMBER, FIELD_SHOWN,
     MEMBER(struct release_record, stamp.created_height)},
};
const struct record release_shape = {"Release", "One image for a class, with what vouches for it.",
                                     RECORD_OF(struct release_record, release_fields)};

static const struct field latest_fields[] = {
    {"sequence", "Of the release to install.", FIELD_NUMBER, MEMBER(struct class_record, sequence)},
    {"release_id", "Its id.", FIELD_HEX, MEMBER(struct class_record, release_id)},
    {"manifest_digest", "SHA-256 of its SUIT manifest.", FIELD_HEX, MEMBER(struct class_record, manifest_digest)},
    {"sha256", "Of its image.", FIELD_HEX, MEMBER(struct class_record, image_digest)},
    {"size", "Bytes of its image.", FIELD_NUMBER, MEMBER(struct class_record, image_size)},
    {"cid", "Of its image.", FIELD_CID, MEMBER(struct class_record, image_cid)},
    {"tree_root", "Root over the image's pieces of 4 KiB.", FIELD_HEX, MEMBER(struct class_record, image_tree_root)},
};
static const struct record latest_shape = {"Latest", "The release that devices of a class should run.",
                                           RECORD_OF(struct class_record, latest_fields)};

static const struct field class_record_fields[] = {
    {"latest", "What its devices should run; null while nothing may be installed.", FIELD_RECORD, .at = 0,
     .size = sizeof(struct class_record), IF(struct class_record, has_release), .of = &latest_shape},
    {"floor", "Releases with a lower sequence may not be installed.", FIELD_NUMBER, MEMBER(struct class_record, floor)},
    {"highest_released", "Highest sequence ever released.", FIELD_NUMBER,
     MEMBER(struct class_record, highest_released)},
    {"highest_revoked", "Highest sequence ever revoked; 0: none.", FIELD_NUMBER,
     MEMBER(struct class_record, highest_revoked)},
};
const struct record class_record_shape = {"ClassRecord", "What a device checks of its class.",
                                          RECORD_OF(struct class_record, class_record_fields)};

static enum err latest_decode(struct bytes value, void *out) {
    return class_record_decode(value, out) == GOOD ? OK : ERR_CORRUPT;
}

/* A value that is the id of a release. */
static enum err id_decode(struct bytes value, void *out) {
    if (value.len != HASH_LEN) {
        return ERR_CORRUPT;
    }
    memcpy(out, value.data, HASH_LEN);
    return OK;
}

/* ---- Queries ------------------------------------------------------------------------------------------------ */

enum err release_get(const struct state *state, const uint8_t id[HASH_LEN], struct release_record *out,
                     bool *out_found) {
    struct record_key key = release_key(id);
    return state_read(state, &key, &release_shape, out, out_found);
}

enum err release_envelope(const struct state *state, const uint8_t id[HASH_LEN], struct buffer *out, bool *out_found) {
    struct record_key key = envelope_key(id);
    return state_get(state, &key, out, out_found);
}

/* An index named this release, so it must be there. */
static enum err get_indexed(const struct state *state, const uint8_t id[HASH_LEN], struct release_record *out) {
    bool found = false;
    enum err e = release_get(state, id, out, &found);
    return e == OK && !found ? ERR_CORRUPT : e;
}

enum err release_by_manifest(const struct state *state, const uint8_t manifest_digest[HASH_LEN],
                             struct release_record *out, bool *out_found) {
    struct record_key key = manifest_key(manifest_digest);
    uint8_t id[HASH_LEN];
    bool found = false;
    enum err e = state_get_record(state, &key, id_decode, id, &found);
    if (e == OK && found) {
        e = get_indexed(state, id, out);
    }
    if (e == OK) {
        *out_found = found;
    }
    return e;
}

struct release_visit {
    const struct state *state;
    enum err (*each)(void *arg, const struct release_record *release);
    void *arg;
};

static enum err visit_index(void *arg, struct bytes rest, struct bytes value) {
    const struct release_visit *visit = arg;
    struct release_record record;
    (void)value;
    enum err e = rest.len == RELEASE_CURSOR_LEN ? get_indexed(visit->state, rest.data + 8, &record) : ERR_CORRUPT;
    return e == OK ? visit->each(visit->arg, &record) : e;
}

enum err release_list(const struct state *state, const uint8_t class_id[UUID_BYTES], const uint8_t *after, size_t limit,
                      enum err (*each)(void *arg, const struct release_record *release), void *arg) {
    struct record_key prefix = record_key(CONTRACT, "sequence/", bytes_of(class_id, UUID_BYTES));
    struct release_visit visit = {state, each, arg};
    struct bytes from = bytes_of(after, after == NULL ? 0 : RELEASE_CURSOR_LEN);
    return state_each(state, &prefix, from, limit, visit_index, &visit);
}

static enum err visit_release(void *arg, struct bytes rest, struct bytes value) {
    const struct release_visit *visit = arg;
    struct release_record record;
    (void)rest;
    enum err e = record_decode(&release_shape, value, &record);
    return e == OK ? visit->each(visit->arg, &record) : e;
}

enum err release_list_all(const struct state *state, const uint8_t *after, size_t limit,
                          enum err (*each)(void *arg, const struct release_record *release), void *arg) {
    struct record_key prefix = record_key(CONTRACT, "release/", bytes_of(NULL, 0));
    struct release_visit visit = {state, each, arg};
    return state_each(state, &prefix, bytes_of(after, after == NULL ? 0 : HASH_LEN), limit, visit_release, &visit);
}

enum err release_latest(const struct state *state, const uint8_t class_id[UUID_BYTES], struct class_record *out,
                        bool *out_found) {
    struct record_key key = release_latest_key(class_id);
    return state_get_record(state, &key, latest_decode, out, out_found);
}

enum err release_is_barred(const struct state *state, const struct release_record *release, bool *out_barred) {
    struct class_record latest;
    bool found = false;
    enum err e = release_latest(state, release->class_id, &latest, &found);
    if (e == OK && !found) {
        e = ERR_CORRUPT;
    }
    if (e == OK) {
        *out_barred = release->state != RELEASE_RELEASED || release->sequence < latest.floor;
    }
    return e;
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */

enum err release_put(const struct call *call, const struct release_record *release, const char *action,
                     const char *detail) {
    struct record_key key = release_key(release->id);
    enum err e = state_write(&call->state, &key, &release_shape, release);
    return e == OK ? state_history(&call->state, &key, action, detail) : e;
}

enum err release_add(const struct call *call, const struct release_record *release, struct bytes envelope) {
    enum err e =
        release_put(call, release, release->state == RELEASE_PENDING ? "register" : "release", release->version);
    if (e != OK) {
        return e;
    }
    struct record_key key = envelope_key(release->id);
    e = state_put(&call->state, &key, envelope);
    if (e != OK) {
        return e;
    }
    key = index_key("sequence/", release->class_id, release->sequence);
    record_key_add(&key, release->id, HASH_LEN);
    return state_put(&call->state, &key, bytes_of("\1", 1));
}

/* A class that is defined has a class record: a missing one is damage. */
static enum err latest_load(const struct call *call, const uint8_t class_id[UUID_BYTES], struct class_record *out) {
    bool found = false;
    enum err e = release_latest(&call->state, class_id, out, &found);
    return e == OK && !found ? ERR_CORRUPT : e;
}

/* Highest released sequence that is not revoked, nor below the floor: the first of the index, or none. */
static enum err latest_recompute(const struct call *call, struct class_record *record) {
    struct record_key prefix = record_key(CONTRACT, "released/", bytes_of(record->class_id, UUID_BYTES));
    struct state_walk walk;
    struct bytes rest, value;
    struct release_record release = {0};
    uint8_t id[HASH_LEN];
    bool found = false;
    state_walk_init(&walk, &call->state, &prefix, bytes_of(NULL, 0));
    enum err e = state_walk_next(&walk, &rest, &value, &found);
    if (e == OK && found) {
        e = id_decode(value, id);
        e = e == OK ? get_indexed(&call->state, id, &release) : e;
    }
    state_walk_close(&walk);
    if (e != OK) {
        return e;
    }
    if (release.sequence < record->floor) {
        release = (struct release_record){0};
    }
    record->has_release = release.state == RELEASE_RELEASED;
    record->sequence = release.sequence;
    record->image_size = release.image_size;
    memcpy(record->release_id, release.id, HASH_LEN);
    memcpy(record->manifest_digest, release.manifest_digest, HASH_LEN);
    memcpy(record->image_digest, release.image_digest, HASH_LEN);
    memcpy(record->image_cid, release.image_cid, CID_BINARY_LEN);
    memcpy(record->image_tree_root, release.image_tree_root, HASH_LEN);
    return OK;
}

static enum err latest_store(const struct call *call, struct class_record *record, const char *action) {
    enum err e = latest_recompute(call, record);
    if (e != OK) {
        return e;
    }
    record->height = call->height;
    record->time_ms = call->time_ms;
    uint8_t encoded[CLASS_RECORD_LEN];
    class_record_encode(record, encoded);
    struct record_key key = release_latest_key(record->class_id);
    e = state_put(&call->state, &key, bytes_of(encoded, sizeof encoded));
    return e == OK ? state_history(&call->state, &key, action, "") : e;
}

enum err release_enter(const struct call *call, const struct release_record *release) {
    struct class_record record;
    enum err e = latest_load(call, release->class_id, &record);
    if (e != OK) {
        return e;
    }
    struct record_key key = index_key("released/", release->class_id, release->sequence);
    e = state_put(&call->state, &key, bytes_of(release->id, HASH_LEN));
    if (e != OK) {
        return e;
    }
    key = manifest_key(release->manifest_digest);
    e = state_put(&call->state, &key, bytes_of(release->id, HASH_LEN));
    if (e != OK) {
        return e;
    }
    record.highest_released = release->sequence;
    return latest_store(call, &record, "release");
}

enum err release_withdraw(const struct call *call, const struct release_record *release, struct class_record *out) {
    struct class_record record;
    enum err e = latest_load(call, release->class_id, &record);
    if (e != OK) {
        return e;
    }
    struct record_key key = index_key("released/", release->class_id, release->sequence);
    e = state_remove(&call->state, &key);
    if (e != OK) {
        return e;
    }
    if (release->sequence > record.highest_revoked) {
        record.highest_revoked = release->sequence;
    }
    e = latest_store(call, &record, "revoke");
    if (e == OK) {
        *out = record;
    }
    return e;
}

enum err release_raise_floor(const struct call *call, const uint8_t class_id[UUID_BYTES], uint64_t floor,
                             struct class_record *out) {
    struct class_record record;
    enum err e = latest_load(call, class_id, &record);
    if (e != OK) {
        return e;
    }
    record.floor = floor;
    e = latest_store(call, &record, "floor");
    if (e == OK) {
        *out = record;
    }
    return e;
}
