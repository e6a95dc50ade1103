/* Contract "update": push / verify / query with a time window and a failed-attempt limit (P1), and devices' reports.
 *
 * Methods (contracts/update/update.proto):
 *   push     an author of the release's class, or enough admins of its owner. The release must be released and not
 *            below the floor. Targets: 1 to UPDATE_TARGETS_MAX devices of the class, or the class. The update's id is
 *            the transaction's id. For named devices the window starts at block time; for a class each device's own
 *            starts with its `open`.
 *   open, verify, report
 *            one statement each (verify/statement.h), signed by the device and carried by any registered node or by
 *            the device itself. The counter must rise from statement to statement of a device within an update. One
 *            of the last UPDATE_ANSWERS_KEPT statements repeated changes nothing and gets the same answer as before.
 *
 * Order of verify (P1, algorithm 1, with revocation before it):
 *   unknown update, device not a target, not open      refused by code, nothing is written
 *   release revoked or below the floor                 REVOKED, not counted
 *   block time - window start >= window                EXPIRED
 *   failed attempts >= limit                           EXHAUSTED
 *   digest is not the release's                        MISMATCH, one more failed attempt
 *   else                                               SUCCESS, status verified
 * The last five are RECORDED, so their transaction's code is CODE_OK (a refusal would throw the count away): the
 * outcome is in the result message, in the status record with the statement's nonce, and first in the answer's detail
 * as UPDATE_REVOKED, UPDATE_EXPIRED, UPDATE_EXHAUSTED, UPDATE_HASH_MISMATCH, or UPDATE_VERIFIED. A negative outcome
 * takes a device out of status verified, so that status and nonce together never say more than was verified; what a
 * device reported (installed, failed, rolled back) stays through negative outcomes, installed through any.
 *
 * Reports: installed only from verified, with the release's own digest and sequence; failed from any status but
 * installed, failed, and rolled back; rolled back from verified or installed. A report with an update id of zeros says
 * what a device runs outside any update.
 *
 * Records (contract "update"; the status record is laid out in verify/statement.h; T = 2^64 - 1 - time received):
 *   "update/" || id
 *       stamp | id (32) | release id (32) | class id (16) | sequence (8) | image digest (32) | pushed by (32) |
 *       window ms (8) | failed-attempt limit (4) | time sent ms (8) | whole class (1) | targets named (4) |
 *       owner text | version text; time received is the stamp's creation time
 *   "counts/" || id
 *       stamp | devices in status 1, 2, ... 7 (4 each)
 *   "status/" || id || device id
 *       status record; a class's device has one once it is open
 *   "said/" || id || device id
 *       version (1) | entries (1) | entries, newest first: counter (8) | SHA-256 of the statement (32) | outcome (1) |
 *       status (1) | failed attempts (4) | window end (8)
 *   "running/" || device id
 *       stamp | device id (32) | sequence (8) | digest (32) | outcome (1) | reason (2) | counter (8) |
 *       update id (32) | SHA-256 of the statement (32)
 *   "by_class/" || class id || T || id
 *       one byte 1: every update of a class, newest first
 *   "by_device/" || device id || T || id
 *       one byte 1: the updates that name a device, newest first
 */
#ifndef ASSAY_CONTRACTS_UPDATE_UPDATE_H
#define ASSAY_CONTRACTS_UPDATE_UPDATE_H

#include "contracts/firmware/release.h"
#include "contracts/kernel/table.h"
#include "verify/statement.h"

#define UPDATE_TARGETS_MAX 64
#define UPDATE_WINDOW_DEFAULT_MS 60000u
#define UPDATE_WINDOW_MIN_MS 100u
#define UPDATE_WINDOW_MAX_MS (30ull * 24 * 60 * 60 * 1000)
#define UPDATE_MAX_FAILED_DEFAULT 3
#define UPDATE_MAX_FAILED_LIMIT 100
#define UPDATE_ANSWERS_KEPT 8

struct update_record {
    struct record_stamp stamp; /* created_ms: time received */
    uint8_t id[HASH_LEN];
    uint8_t release_id[HASH_LEN];
    uint8_t class_id[UUID_BYTES];
    uint64_t sequence;
    uint8_t image_digest[HASH_LEN];
    uint8_t sender[ED25519_KEY_LEN];
    uint64_t window_ms;
    uint32_t max_failed;
    uint64_t time_sent_ms; /* the sender's claim */
    bool whole_class;
    uint32_t targets; /* devices named; 0 for a class */
    char org[GENESIS_ID_MAX + 1];
    char version[RELEASE_VERSION_MAX + 1];
};

#define UPDATE_STATUSES (STATUS_ROLLED_BACK + 1)

/* Devices by status: count[STATUS_VERIFIED] and so on; count[0] is not used. */
struct update_counts {
    struct record_stamp stamp;
    uint32_t count[UPDATE_STATUSES];
};

/* What a device last said it runs. */
struct update_running {
    struct record_stamp stamp;
    uint8_t device_id[KEY_LEN];
    uint64_t sequence;
    uint8_t digest[HASH_LEN];
    enum report_outcome outcome;
    uint16_t reason;
    uint64_t counter;
    uint8_t update_id[HASH_LEN]; /* zeros: outside any update */
    uint8_t statement_hash[HASH_LEN];
};

extern const struct record update_shape;
extern const struct record update_counts_shape;
/* The JSON of a status record; its bytes are verify/'s. */
extern const struct record update_status_shape;

/* ---- Queries ------------------------------------------------------------------------------------------------ */

struct record_key update_key(const uint8_t id[HASH_LEN]);
/* Key of one device's status; with `device_id` NULL the prefix of all of an update's, whose histories are the update's.
 */
struct record_key update_status_key(const uint8_t id[HASH_LEN], const uint8_t *device_id);
struct record_key update_running_key(const uint8_t device_id[KEY_LEN]);

NODISCARD enum err update_get(const struct state *state, const uint8_t id[HASH_LEN], struct update_record *out,
                              bool *out_found);
NODISCARD enum err update_counts_get(const struct state *state, const uint8_t id[HASH_LEN], struct update_counts *out,
                                     bool *out_found);
NODISCARD enum err update_status_get(const struct state *state, const uint8_t id[HASH_LEN],
                                     const uint8_t device_id[KEY_LEN], struct status_record *out, bool *out_found);
/* Not found until the device's first report: then device_record.first_sequence is all that is known. */
NODISCARD enum err update_running_get(const struct state *state, const uint8_t device_id[KEY_LEN],
                                      struct update_running *out, bool *out_found);

/* Devices of an update by id, behind `after` (NULL: from the first), at most `limit` (<= STATE_PAGE_MAX). */
NODISCARD enum err update_status_list(const struct state *state, const uint8_t id[HASH_LEN], const uint8_t *after,
                                      size_t limit, enum err (*each)(void *arg, const struct status_record *status),
                                      void *arg);

/* Place of an update in the two lists below. */
#define UPDATE_CURSOR_LEN (8 + HASH_LEN)
void update_cursor(const struct update_record *update, uint8_t out[UPDATE_CURSOR_LEN]);
/* Updates of a class (named devices or whole), or those that name a device; newest first, behind the cursor `after`. */
NODISCARD enum err update_list_by_class(const struct state *state, const uint8_t class_id[UUID_BYTES],
                                        const uint8_t *after, size_t limit,
                                        enum err (*each)(void *arg, const struct update_record *update), void *arg);
NODISCARD enum err update_list_by_device(const struct state *state, const uint8_t device_id[KEY_LEN],
                                         const uint8_t *after, size_t limit,
                                         enum err (*each)(void *arg, const struct update_record *update), void *arg);
/* All updates by id, behind the id `after`. */
NODISCARD enum err update_list(const struct state *state, const uint8_t *after, size_t limit,
                               enum err (*each)(void *arg, const struct update_record *update), void *arg);

/* ---- For the methods ---------------------------------------------------------------------------------------- */

/* Lays a new update, its counts and its places in the lists (targets' own places: update_add_target). */
NODISCARD enum err update_add(const struct call *call, const struct update_record *update);
/* Opens a device's window now: status record, count, due-queue. `named` enters it in the device's own list; else it is
 * a class's device and `counter` is that of its open. */
NODISCARD enum err update_add_target(const struct call *call, const struct update_record *update,
                                     const uint8_t device_id[KEY_LEN], bool named, uint64_t counter,
                                     struct status_record *out);
/* Writes a status record that was `before`, keeps the counts, and notes it in the history. */
NODISCARD enum err update_status_put(const struct call *call, struct status_record *status, enum device_status before,
                                     const char *action, const char *detail);
NODISCARD enum err update_running_put(const struct call *call, const struct update_running *running);
/* Due: a device that is still unverified when its window has passed becomes expired. */
NODISCARD enum err update_window_due(const struct call *call, struct bytes subject);

/* Kind of item that falls due. Subject: update id (32) || device id (32). */
#define DUE_UPDATE_WINDOW 1u

/* Its row's part of the table of contracts. */
extern const struct method update_methods[];
extern const struct due_handler update_due[];

#endif
