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

static const struct field answer_fields[] = {
    {"counter", "Of the statement.", FIELD_DECIMAL, MEMBER(struct update_answer, counter)},
    {"statement_hash", "SHA-256 of the statement.", FIELD_HEX, MEMBER(struct update_answer, statement_hash)},
    {"outcome", "What it came to.", FIELD_NAME, MEMBER(struct update_answer, outcome), NAMES(verify_outcome_names)},
    {"status", "Of the device then.", FIELD_NAME, MEMBER(struct update_answer, status), NAMES(device_status_names)},
    {"failed_attempts", "Until then.", FIELD_NUMBER, MEMBER(struct update_answer, failed_attempts)},
    {"window_end_ms", "When its window ends.", FIELD_NUMBER, MEMBER(struct update_answer, window_end_ms)},
};
static const struct record answer_shape = {"Answer", "What a statement was answered.",
                                           RECORD_OF(struct update_answer, answer_fields)};

static const struct field said_fields[] = {
    {NULL, NULL, FIELD_VERSION, FIELD_KEPT, .max = SAID_VERSION},
    {"entries", "Newest first.", FIELD_LIST, .at = offsetof(struct said, entries), .size = sizeof(struct update_answer),
     .max = UPDATE_ANSWERS_KEPT, .count_at = offsetof(struct said, count), .count_size = 1, .of = &answer_shape},
};
static const struct record said_shape = {"Said", "A device's last statements about an update.",
                                         RECORD_OF(struct said, said_fields)};

enum err update_answers_find(const struct state *state, const uint8_t update_id[HASH_LEN],
                             const uint8_t device_id[KEY_LEN], const uint8_t statement_hash[HASH_LEN],
                             struct update_answer *out, bool *out_found) {
    struct record_key key = said_key(update_id, device_id);
    struct said said = {0};
    bool any = false, found = false;
    enum err e = state_read(state, &key, &said_shape, &said, &any);
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
    bool any = false;
    enum err e = state_read(&call->state, &key, &said_shape, &said, &any);
    if (e != OK) {
        return e;
    }
    memmove(said.entries + 1, said.entries, said.count * sizeof said.entries[0]);
    said.entries[0] = *answer;
    said.count = said.count == UPDATE_ANSWERS_KEPT ? said.count : (uint8_t)(said.count + 1);
    return state_write(&call->state, &key, &said_shape, &said);
}
