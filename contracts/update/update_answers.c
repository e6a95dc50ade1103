#include "contracts/update/update_answers.h"

#include <string.h>

#define CONTRACT "update"
#define SAID_VERSION 1

struct said {
    uint8_t count;
    struct update_answer entries[UPDATE_ANSWERS_KEPT + 1]; /* newest first; one more than is kept, while one is added */
};

static struct record_key said_key(const uint8_t update_id[HASH_LEN], const uint8_t device_id[KEY_LEN]) {
    struct record_key key = record_key(CONTRACT, "said/", bytes_of(update_id, HASH_LEN));
    record_key_add(&key, device_id, KEY_LEN);
    return key;
}

static void said_encode(const struct said *said, struct buffer *out) {
    buffer_u8(out, SAID_VERSION);
    buffer_u8(out, said->count);
    for (size_t i = 0; i < said->count; i++) {
        const struct update_answer *a = &said->entries[i];
        buffer_u64(out, a->counter);
        buffer_put(out, a->statement_hash, HASH_LEN);
        buffer_u8(out, (uint8_t)a->outcome);
        buffer_u8(out, (uint8_t)a->status);
        buffer_u32(out, a->failed_attempts);
        buffer_u64(out, a->window_end_ms);
    }
}

static enum err said_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct said said = {0};
    if (read_u8(&r) != SAID_VERSION) {
        return ERR_CORRUPT;
    }
    said.count = read_u8(&r);
    if (said.count > UPDATE_ANSWERS_KEPT) {
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < said.count; i++) {
        struct update_answer *a = &said.entries[i];
        a->counter = read_u64(&r);
        read_bytes(&r, a->statement_hash, HASH_LEN);
        a->outcome = (enum verify_outcome)read_u8(&r);
        a->status = (enum device_status)read_u8(&r);
        a->failed_attempts = read_u32(&r);
        a->window_end_ms = read_u64(&r);
    }
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    *(struct said *)out = said;
    return OK;
}

enum err update_answers_find(const struct state *state, const uint8_t update_id[HASH_LEN],
                             const uint8_t device_id[KEY_LEN], const uint8_t statement_hash[HASH_LEN],
                             struct update_answer *out, bool *out_found) {
    struct record_key key = said_key(update_id, device_id);
    struct said said = {0};
    bool any = false, found = false;
    enum err e = state_get_record(state, &key, said_decode, &said, &any);
    for (size_t i = 0; e == OK && i < said.count && !found; i++) {
        if (memcmp(said.entries[i].statement_hash, statement_hash, HASH_LEN) == 0) {
            *out = said.entries[i];
            found = true;
        }
    }
    if (e == OK) {
        *out_found = found;
    }
    return e;
}

enum err update_answers_add(const struct call *call, const uint8_t update_id[HASH_LEN],
                            const uint8_t device_id[KEY_LEN], const struct update_answer *answer) {
    struct record_key key = said_key(update_id, device_id);
    struct said said = {0};
    struct buffer value = BUFFER_INIT;
    bool any = false;
    enum err e = state_get_record(&call->state, &key, said_decode, &said, &any);
    if (e != OK) {
        return e;
    }
    memmove(said.entries + 1, said.entries, said.count * sizeof said.entries[0]);
    said.entries[0] = *answer;
    said.count = said.count == UPDATE_ANSWERS_KEPT ? said.count : (uint8_t)(said.count + 1);
    said_encode(&said, &value);
    e = state_put_buffer(&call->state, &key, &value);
    buffer_free(&value);
    return e;
}
