/* Records in state: keys, reading, writing, walking, and the stamp every record begins with.
 *
 * A whole key is contract || 0x00 || user key, where the user key is a short path and an identifier ("release/" || id).
 * A method writes under its own contract's name alone; it may read everything. The due-queues (due_queue.h) are the one
 * service all contracts write through.
 *
 * Every record but the two that verify/ defines begins with the same 33 bytes, then fields in canonical order:
 *   version 1 (1) | created at height (8) | created at ms (8) | changed at height (8) | changed at ms (8)
 */
#ifndef ASSAY_CONTRACTS_KERNEL_STATE_H
#define ASSAY_CONTRACTS_KERNEL_STATE_H

#include "base/record.h"
#include "contracts/kernel/contract.h"

#define RECORD_KEY_MAX (LIMIT_TX_NAME + 1 + LIMIT_STATE_KEY)
#define RECORD_VERSION 1

/* A whole key, built in place. */
struct record_key {
    uint8_t data[RECORD_KEY_MAX];
    size_t len;
};

static inline struct bytes record_key_bytes(const struct record_key *key) {
    return bytes_of(key->data, key->len);
}

/* contract || 0x00 || path || id. Programmers keep it within the limits: ASSERTed. */
struct record_key record_key(const char *contract, const char *path, struct bytes id);
/* Lengthens a key, for identifiers in parts. */
void record_key_add(struct record_key *key, const void *part, size_t len);

/* When a record was made and last changed. */
struct record_stamp {
    uint64_t created_height;
    uint64_t created_ms;
    uint64_t changed_height;
    uint64_t changed_ms;
};

struct record_stamp record_stamp_new(const struct call *call);
void record_stamp_touch(struct record_stamp *stamp, const struct call *call);
/* Version and stamp at the head of a record. */
extern const struct record record_stamp_shape;
/* A record's first row: the stamp, which a record of type T holds as member `stamp`. */
#define STAMP(T)                                                                                                       \
    { "stamp", "When it was made and last changed.", FIELD_PART, MEMBER(T, stamp), .of = &record_stamp_shape }
/* The same where JSON has other names for it. */
#define STAMP_KEPT(T)                                                                                                  \
    { NULL, NULL, FIELD_PART, FIELD_KEPT, MEMBER(T, stamp), .of = &record_stamp_shape }
/* ---- Through the handle ------------------------------------------------------------------------------------- */

NODISCARD enum err state_get(const struct state *state, const struct record_key *key, struct buffer *out,
                             bool *out_found);
/* Reads and decodes in one step; not found: `out` is untouched. */
NODISCARD enum err state_read(const struct state *state, const struct record_key *key, const struct record *shape,
                              void *out, bool *out_found);
NODISCARD enum err state_write(const struct state *state, const struct record_key *key, const struct record *shape,
                               const void *record);
/* As state_read for a layout that is no table. `decode` gives ERR_CORRUPT for what is no record. */
NODISCARD enum err state_get_record(const struct state *state, const struct record_key *key,
                                    enum err (*decode)(struct bytes value, void *out), void *out, bool *out_found);
NODISCARD enum err state_has(const struct state *state, const struct record_key *key, bool *out_found);
/* `value` is never empty; how long it may be the handle decides (struct state_ops). */
NODISCARD enum err state_put(const struct state *state, const struct record_key *key, struct bytes value);
/* As state_put, taking the buffer's own failure into account. */
NODISCARD enum err state_put_buffer(const struct state *state, const struct record_key *key,
                                    const struct buffer *value);
NODISCARD enum err state_remove(const struct state *state, const struct record_key *key);
/* Notes in the record's history what was done; `detail` is one line for people. */
NODISCARD enum err state_history(const struct state *state, const struct record_key *key, const char *action,
                                 const char *detail);

/* ---- Walking a prefix --------------------------------------------------------------------------------------- */

/* Most records one page of a list gives. */
#define STATE_PAGE_MAX 200

/* A place in a walk over every record whose key starts with a prefix, in key order. */
struct state_walk {
    const struct state *state;
    struct record_key prefix;
    struct buffer at; /* whole key of the last record seen */
    struct buffer value;
    struct buffer scratch;
    bool inclusive;
};

/* Calls back for at most `limit` (<= STATE_PAGE_MAX) records behind prefix || after; an error from `each` ends it. */
NODISCARD enum err state_each(const struct state *state, const struct record_key *prefix, struct bytes after,
                              size_t limit, enum err (*each)(void *arg, struct bytes rest, struct bytes value),
                              void *arg);

/* Starts behind prefix || after (`after` empty: at the first record). Always close. */
void state_walk_init(struct state_walk *walk, const struct state *state, const struct record_key *prefix,
                     struct bytes after);
void state_walk_close(struct state_walk *walk);
/* Next record: the part of its key behind the prefix, and its value, borrowed until the next call. */
NODISCARD enum err state_walk_next(struct state_walk *walk, struct bytes *out_rest, struct bytes *out_value,
                                   bool *out_found);

#endif
