#include "contracts/update/update.h"

#include "base/assert.h"
#include "contracts/kernel/due_queue.h"

#include <string.h>

#define CONTRACT "update"

static const char *const report_outcomes[REPORT_ROLLED_BACK + 1] = {[REPORT_NONE] = "none",
                                                                    [REPORT_INSTALLED] = "installed",
                                                                    [REPORT_FAILED] = "failed",
                                                                    [REPORT_ROLLED_BACK] = "rolled_back"};

/* ---- Keys --------------------------------------------------------------------------------------------------- */

struct record_key update_key(const uint8_t id[HASH_LEN]) {
    return record_key(CONTRACT, "update/", bytes_of(id, HASH_LEN));
}

struct record_key update_status_key(const uint8_t id[HASH_LEN], const uint8_t *device_id) {
    struct record_key key = record_key(CONTRACT, "status/", bytes_of(id, HASH_LEN));
    record_key_add(&key, device_id, device_id == NULL ? 0 : KEY_LEN);
    return key;
}

struct record_key update_running_key(const uint8_t device_id[KEY_LEN]) {
    return record_key(CONTRACT, "running/", bytes_of(device_id, KEY_LEN));
}

static struct record_key counts_key(const uint8_t id[HASH_LEN]) {
    return record_key(CONTRACT, "counts/", bytes_of(id, HASH_LEN));
}

void update_cursor(const struct update_record *update, uint8_t out[UPDATE_CURSOR_LEN]) {
    store_u64(out, UINT64_MAX - update->stamp.created_ms);
    memcpy(out + 8, update->id, HASH_LEN);
}

static enum err put_index(const struct call *call, const char *path, struct bytes of,
                          const struct update_record *update) {
    uint8_t cursor[UPDATE_CURSOR_LEN];
    update_cursor(update, cursor);
    struct record_key key = record_key(CONTRACT, path, of);
    record_key_add(&key, cursor, sizeof cursor);
    return state_put(&call->state, &key, bytes_of("\1", 1));
}

/* ---- Layouts ------------------------------------------------------------------------------------------------ */

static const struct field update_fields[] = {
    STAMP_KEPT(struct update_record),
    {"update_id", "The transaction that pushed it.", FIELD_HEX, MEMBER(struct update_record, id)},
    {"release_id", "What is to be installed.", FIELD_HEX, MEMBER(struct update_record, release_id)},
    {"class_id", "UUID of the devices' class.", FIELD_HEX, MEMBER(struct update_record, class_id)},
    {"sequence", "The release's.", FIELD_NUMBER, MEMBER(struct update_record, sequence)},
    {"sha256", "Of the image.", FIELD_HEX, MEMBER(struct update_record, image_digest)},
    {"sender", "Signing key of who pushed it.", FIELD_HEX, MEMBER(struct update_record, sender)},
    {"window_ms", "How long a device has to verify, from when its window opens.", FIELD_NUMBER,
     MEMBER(struct update_record, window_ms)},
    {"max_failed", "Failed attempts that a device has.", FIELD_NUMBER, MEMBER(struct update_record, max_failed)},
    {"time_sent_ms", "When it was sent, as the sender has it.", FIELD_DECIMAL,
     MEMBER(struct update_record, time_sent_ms)},
    {"whole_class", "Is it for every device of the class?", FIELD_BOOL, MEMBER(struct update_record, whole_class)},
    {"targets", "Devices that it names; 0 for a whole class.", FIELD_NUMBER, MEMBER(struct update_record, targets)},
    {"organisation", "Whose class it is.", FIELD_TEXT, MEMBER(struct update_record, org)},
    {"version", "The release's, as people call it.", FIELD_TEXT, MEMBER(struct update_record, version)},
    {"time_received_ms", "Time of the block that took it.", FIELD_NUMBER, FIELD_SHOWN,
     MEMBER(struct update_record, stamp.created_ms)},
    {"height", "Of that block.", FIELD_NUMBER, FIELD_SHOWN, MEMBER(struct update_record, stamp.created_height)},
};
const struct record update_shape = {"Update", "A release pushed to devices.",
                                    RECORD_OF(struct update_record, update_fields)};

static const struct field counts_fields[] = {
    STAMP_KEPT(struct update_counts),
    {"unverified", "Devices that have not verified yet.", FIELD_NUMBER,
     MEMBER(struct update_counts, count[STATUS_UNVERIFIED])},
    {"verified", "Devices that hold the right image.", FIELD_NUMBER,
     MEMBER(struct update_counts, count[STATUS_VERIFIED])},
    {"expired", "Devices whose window has passed.", FIELD_NUMBER, MEMBER(struct update_counts, count[STATUS_EXPIRED])},
    {"exhausted", "Devices that have failed too often.", FIELD_NUMBER,
     MEMBER(struct update_counts, count[STATUS_EXHAUSTED])},
    {"installed", "Devices that run it.", FIELD_NUMBER, MEMBER(struct update_counts, count[STATUS_INSTALLED])},
    {"failed", "Devices that could not install it.", FIELD_NUMBER, MEMBER(struct update_counts, count[STATUS_FAILED])},
    {"rolled_back", "Devices that went back to what they ran before.", FIELD_NUMBER,
     MEMBER(struct update_counts, count[STATUS_ROLLED_BACK])},
};
const struct record update_counts_shape = {"UpdateCounts", "An update's devices by status.",
                                           RECORD_OF(struct update_counts, counts_fields)};

static const struct field running_fields[] = {
    STAMP(struct update_running),
    {"device_id", "The device.", FIELD_HEX, MEMBER(struct update_running, device_id)},
    {"sequence", "What it says it runs.", FIELD_DECIMAL, MEMBER(struct update_running, sequence)},
    {"digest", "SHA-256 of the image it runs.", FIELD_HEX, MEMBER(struct update_running, digest)},
    {"outcome", "What it reported.", FIELD_NAME, MEMBER(struct update_running, outcome), NAMES(report_outcomes)},
    {"reason", "The device's verdict where it failed; 0: none.", FIELD_NUMBER, MEMBER(struct update_running, reason)},
    {"counter", "Of the statement.", FIELD_DECIMAL, MEMBER(struct update_running, counter)},
    {"update_id", "Zeros: outside any update.", FIELD_HEX, MEMBER(struct update_running, update_id)},
    {"statement_hash", "SHA-256 of the statement.", FIELD_HEX, MEMBER(struct update_running, statement_hash)},
};
static const struct record running_shape = {"Running", "What a device last said it runs.",
                                            RECORD_OF(struct update_running, running_fields)};

static const struct field status_fields[] = {
    {"device_id", "The device.", FIELD_HEX, MEMBER(struct status_record, device_id)},
    {"status", "Where the update stands on it.", FIELD_NAME, MEMBER(struct status_record, status),
     NAMES(device_status_names)},
    {"last_outcome", "Of its last verify.", FIELD_NAME, MEMBER(struct status_record, last_outcome),
     NAMES(verify_outcome_names)},
    {"failed_attempts", "How often its image was not the release's.", FIELD_NUMBER,
     MEMBER(struct status_record, failed_attempts)},
    {"counter", "Of its last statement about the update.", FIELD_DECIMAL, MEMBER(struct status_record, counter)},
    {"nonce", "Of its last verify.", FIELD_HEX, MEMBER(struct status_record, nonce)},
    {"digest", "What it last verified.", FIELD_HEX, MEMBER(struct status_record, digest)},
    {"window_start_ms", "Block time from which its window runs; 0: not open.", FIELD_NUMBER,
     MEMBER(struct status_record, window_start_ms)},
    {"window_ms", "How long the window is.", FIELD_NUMBER, MEMBER(struct status_record, window_ms)},
    {"height", "Of the block that changed it last.", FIELD_NUMBER, MEMBER(struct status_record, height)},
    {"time_ms", "Time of that block.", FIELD_NUMBER, MEMBER(struct status_record, time_ms)},
};
const struct record update_status_shape = {"DeviceStatus", "An update on one device.",
                                           RECORD_OF(struct status_record, status_fields)};

static enum err status_decode(struct bytes value, void *out) {
    return status_record_decode(value, out) == GOOD ? OK : ERR_CORRUPT;
}

/* ---- Queries ------------------------------------------------------------------------------------------------ */

enum err update_get(const struct state *state, const uint8_t id[HASH_LEN], struct update_record *out, bool *out_found) {
    struct record_key key = update_key(id);
    return state_read(state, &key, &update_shape, out, out_found);
}

enum err update_counts_get(const struct state *state, const uint8_t id[HASH_LEN], struct update_counts *out,
                           bool *out_found) {
    struct record_key key = counts_key(id);
    return state_read(state, &key, &update_counts_shape, out, out_found);
}

enum err update_status_get(const struct state *state, const uint8_t id[HASH_LEN], const uint8_t device_id[KEY_LEN],
                           struct status_record *out, bool *out_found) {
    struct record_key key = update_status_key(id, device_id);
    return state_get_record(state, &key, status_decode, out, out_found);
}

enum err update_running_get(const struct state *state, const uint8_t device_id[KEY_LEN], struct update_running *out,
                            bool *out_found) {
    struct record_key key = update_running_key(device_id);
    return state_read(state, &key, &running_shape, out, out_found);
}

struct status_visit {
    enum err (*each)(void *arg, const struct status_record *status);
    void *arg;
};

static enum err visit_status(void *arg, struct bytes rest, struct bytes value) {
    const struct status_visit *visit = arg;
    struct status_record record;
    (void)rest;
    enum err e = status_decode(value, &record);
    return e == OK ? visit->each(visit->arg, &record) : e;
}

enum err update_status_list(const struct state *state, const uint8_t id[HASH_LEN], const uint8_t *after, size_t limit,
                            enum err (*each)(void *arg, const struct status_record *status), void *arg) {
    struct record_key prefix = update_status_key(id, NULL);
    struct status_visit visit = {each, arg};
    return state_each(state, &prefix, bytes_of(after, after == NULL ? 0 : KEY_LEN), limit, visit_status, &visit);
}

struct update_visit {
    const struct state *state;
    enum err (*each)(void *arg, const struct update_record *update);
    void *arg;
};

static enum err visit_index(void *arg, struct bytes rest, struct bytes value) {
    const struct update_visit *visit = arg;
    struct update_record record;
    bool found = false;
    (void)value;
    enum err e = rest.len == UPDATE_CURSOR_LEN ? update_get(visit->state, rest.data + 8, &record, &found) : ERR_CORRUPT;
    if (e == OK && !found) {
        e = ERR_CORRUPT;
    }
    return e == OK ? visit->each(visit->arg, &record) : e;
}

enum err update_list_by_class(const struct state *state, const uint8_t class_id[UUID_BYTES], const uint8_t *after,
                              size_t limit, enum err (*each)(void *arg, const struct update_record *update),
                              void *arg) {
    struct record_key prefix = record_key(CONTRACT, "by_class/", bytes_of(class_id, UUID_BYTES));
    struct update_visit visit = {state, each, arg};
    struct bytes from = bytes_of(after, after == NULL ? 0 : UPDATE_CURSOR_LEN);
    return state_each(state, &prefix, from, limit, visit_index, &visit);
}

enum err update_list_by_device(const struct state *state, const uint8_t device_id[KEY_LEN], const uint8_t *after,
                               size_t limit, enum err (*each)(void *arg, const struct update_record *update),
                               void *arg) {
    struct record_key prefix = record_key(CONTRACT, "by_device/", bytes_of(device_id, KEY_LEN));
    struct update_visit visit = {state, each, arg};
    struct bytes from = bytes_of(after, after == NULL ? 0 : UPDATE_CURSOR_LEN);
    return state_each(state, &prefix, from, limit, visit_index, &visit);
}

static enum err visit_update(void *arg, struct bytes rest, struct bytes value) {
    const struct update_visit *visit = arg;
    struct update_record record;
    (void)rest;
    enum err e = record_decode(&update_shape, value, &record);
    return e == OK ? visit->each(visit->arg, &record) : e;
}

enum err update_list(const struct state *state, const uint8_t *after, size_t limit,
                     enum err (*each)(void *arg, const struct update_record *update), void *arg) {
    struct record_key prefix = record_key(CONTRACT, "update/", bytes_of(NULL, 0));
    struct update_visit visit = {state, each, arg};
    return state_each(state, &prefix, bytes_of(after, after == NULL ? 0 : HASH_LEN), limit, visit_update, &visit);
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */

static enum err counts_put(const struct call *call, const uint8_t id[HASH_LEN], const struct update_counts *counts) {
    struct record_key key = counts_key(id);
    return state_write(&call->state, &key, &update_counts_shape, counts);
}

/* Moves one device from a status (0: it is new) to another. */
static enum err counts_move(const struct call *call, const uint8_t id[HASH_LEN], enum device_status from,
                            enum device_status to) {
    struct update_counts counts;
    bool found = false;
    if (from == to) {
        return OK;
    }
    enum err e = update_counts_get(&call->state, id, &counts, &found);
    if (e != OK || !found || (from != 0 && counts.count[from] == 0)) {
        return e != OK ? e : ERR_CORRUPT;
    }
    if (from != 0) {
        counts.count[from]--;
    }
    counts.count[to]++;
    record_stamp_touch(&counts.stamp, call);
    return counts_put(call, id, &counts);
}

enum err update_add(const struct call *call, const struct update_record *update) {
    const struct update_counts counts = {.stamp = update->stamp};
    struct record_key key = update_key(update->id);
    enum err e = state_write(&call->state, &key, &update_shape, update);
    e = e == OK ? counts_put(call, update->id, &counts) : e;
    e = e == OK ? put_index(call, "by_class/", bytes_of(update->class_id, UUID_BYTES), update) : e;
    return e == OK ? state_history(&call->state, &key, "push", update->version) : e;
}

enum err update_status_put(const struct call *call, struct status_record *status, enum device_status before,
                           const char *action, const char *detail) {
    ASSERT(status->status >= STATUS_UNVERIFIED && status->status < UPDATE_STATUSES);
    uint8_t encoded[STATUS_RECORD_LEN];
    status->height = call->height;
    status->time_ms = call->time_ms;
    status_record_encode(status, encoded);
    struct record_key key = update_status_key(status->update_id, status->device_id);
    enum err e = state_put(&call->state, &key, bytes_of(encoded, sizeof encoded));
    e = e == OK ? counts_move(call, status->update_id, before, status->status) : e;
    return e == OK ? state_history(&call->state, &key, action, detail) : e;
}

enum err update_add_target(const struct call *call, const struct update_record *update,
                           const uint8_t device_id[KEY_LEN], bool named, uint64_t counter, struct status_record *out) {
    struct status_record status = {.status = STATUS_UNVERIFIED,
                                   .counter = counter,
                                   .window_start_ms = call->time_ms,
                                   .window_ms = update->window_ms};
    uint8_t subject[HASH_LEN + KEY_LEN];
    memcpy(status.update_id, update->id, HASH_LEN);
    memcpy(status.device_id, device_id, KEY_LEN);
    memcpy(status.release_id, update->release_id, HASH_LEN);
    memcpy(subject, update->id, HASH_LEN);
    memcpy(subject + HASH_LEN, device_id, KEY_LEN);
    enum err e = update_status_put(call, &status, 0, named ? "push" : "open", "");
    if (e == OK) {
        e = due_queue_add(call, call->time_ms + update->window_ms, DUE_UPDATE_WINDOW,
                          bytes_of(subject, sizeof subject));
    }
    if (e == OK && named) {
        e = put_index(call, "by_device/", bytes_of(device_id, KEY_LEN), update);
    }
    if (e == OK) {
        *out = status;
    }
    return e;
}

enum err update_running_put(const struct call *call, const struct update_running *running) {
    struct record_key key = update_running_key(running->device_id);
    enum err e = state_write(&call->state, &key, &running_shape, running);
    return e == OK ? state_history(&call->state, &key, "report", "") : e;
}

enum err update_window_due(const struct call *call, struct bytes subject) {
    struct status_record status;
    bool found = false;
    if (subject.len != HASH_LEN + KEY_LEN) {
        return ERR_CORRUPT;
    }
    enum err e = update_status_get(&call->state, subject.data, subject.data + HASH_LEN, &status, &found);
    if (e != OK || !found || status.status != STATUS_UNVERIFIED) {
        return e;
    }
    status.status = STATUS_EXPIRED;
    return update_status_put(call, &status, STATUS_UNVERIFIED, "expire", "");
}
