#include "contracts/update/update.h"

#include "base/assert.h"
#include "contracts/kernel/due_queue.h"

#include <string.h>

#define CONTRACT "update"

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

static void update_encode(const struct update_record *record, struct buffer *out) {
    record_stamp_write(out, &record->stamp);
    buffer_put(out, record->id, HASH_LEN);
    buffer_put(out, record->release_id, HASH_LEN);
    buffer_put(out, record->class_id, UUID_BYTES);
    buffer_u64(out, record->sequence);
    buffer_put(out, record->image_digest, HASH_LEN);
    buffer_put(out, record->sender, ED25519_KEY_LEN);
    buffer_u64(out, record->window_ms);
    buffer_u32(out, record->max_failed);
    buffer_u64(out, record->time_sent_ms);
    buffer_u8(out, record->whole_class);
    buffer_u32(out, record->targets);
    record_text_write(out, record->org);
    record_text_write(out, record->version);
}

static enum err update_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct update_record record = {0};
    record_stamp_read(&r, &record.stamp);
    read_bytes(&r, record.id, HASH_LEN);
    read_bytes(&r, record.release_id, HASH_LEN);
    read_bytes(&r, record.class_id, UUID_BYTES);
    record.sequence = read_u64(&r);
    read_bytes(&r, record.image_digest, HASH_LEN);
    read_bytes(&r, record.sender, ED25519_KEY_LEN);
    record.window_ms = read_u64(&r);
    record.max_failed = read_u32(&r);
    record.time_sent_ms = read_u64(&r);
    record.whole_class = read_u8(&r) != 0;
    record.targets = read_u32(&r);
    record_text_read(&r, record.org, sizeof record.org);
    record_text_read(&r, record.version, sizeof record.version);
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    *(struct update_record *)out = record;
    return OK;
}

static void counts_encode(const struct update_counts *counts, struct buffer *out) {
    record_stamp_write(out, &counts->stamp);
    for (size_t i = STATUS_UNVERIFIED; i < UPDATE_STATUSES; i++) {
        buffer_u32(out, counts->count[i]);
    }
}

static enum err counts_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct update_counts counts = {0};
    record_stamp_read(&r, &counts.stamp);
    for (size_t i = STATUS_UNVERIFIED; i < UPDATE_STATUSES; i++) {
        counts.count[i] = read_u32(&r);
    }
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    *(struct update_counts *)out = counts;
    return OK;
}

static enum err status_decode(struct bytes value, void *out) {
    const struct span in = {value.data, value.len};
    return status_record_decode(in, out) == GOOD ? OK : ERR_CORRUPT;
}

static void running_encode(const struct update_running *running, struct buffer *out) {
    record_stamp_write(out, &running->stamp);
    buffer_put(out, running->device_id, KEY_LEN);
    buffer_u64(out, running->sequence);
    buffer_put(out, running->digest, HASH_LEN);
    buffer_u8(out, (uint8_t)running->outcome);
    buffer_u16(out, running->reason);
    buffer_u64(out, running->counter);
    buffer_put(out, running->update_id, HASH_LEN);
    buffer_put(out, running->statement_hash, HASH_LEN);
}

static enum err running_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct update_running running = {0};
    record_stamp_read(&r, &running.stamp);
    read_bytes(&r, running.device_id, KEY_LEN);
    running.sequence = read_u64(&r);
    read_bytes(&r, running.digest, HASH_LEN);
    running.outcome = (enum report_outcome)read_u8(&r);
    running.reason = read_u16(&r);
    running.counter = read_u64(&r);
    read_bytes(&r, running.update_id, HASH_LEN);
    read_bytes(&r, running.statement_hash, HASH_LEN);
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    *(struct update_running *)out = running;
    return OK;
}

/* ---- Queries ------------------------------------------------------------------------------------------------ */

enum err update_get(const struct state *state, const uint8_t id[HASH_LEN], struct update_record *out, bool *out_found) {
    struct record_key key = update_key(id);
    return state_get_record(state, &key, update_decode, out, out_found);
}

enum err update_counts_get(const struct state *state, const uint8_t id[HASH_LEN], struct update_counts *out,
                           bool *out_found) {
    struct record_key key = counts_key(id);
    return state_get_record(state, &key, counts_decode, out, out_found);
}

enum err update_status_get(const struct state *state, const uint8_t id[HASH_LEN], const uint8_t device_id[KEY_LEN],
                           struct status_record *out, bool *out_found) {
    struct record_key key = update_status_key(id, device_id);
    return state_get_record(state, &key, status_decode, out, out_found);
}

enum err update_running_get(const struct state *state, const uint8_t device_id[KEY_LEN], struct update_running *out,
                            bool *out_found) {
    struct record_key key = update_running_key(device_id);
    return state_get_record(state, &key, running_decode, out, out_found);
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
    enum err e = update_decode(value, &record);
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
    struct buffer value = BUFFER_INIT;
    counts_encode(counts, &value);
    struct record_key key = counts_key(id);
    enum err e = state_put_buffer(&call->state, &key, &value);
    buffer_free(&value);
    return e;
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
    struct buffer value = BUFFER_INIT;
    update_encode(update, &value);
    struct record_key key = update_key(update->id);
    enum err e = state_put_buffer(&call->state, &key, &value);
    buffer_free(&value);
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
    struct buffer value = BUFFER_INIT;
    running_encode(running, &value);
    struct record_key key = update_running_key(running->device_id);
    enum err e = state_put_buffer(&call->state, &key, &value);
    buffer_free(&value);
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
