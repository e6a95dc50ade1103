/* What a device says (statement) and what the ledger answers (device status record).
 *
 * Statement, 165 bytes, signed by the device over TAG_STATEMENT || these bytes; any gateway may carry it:
 *   version 1 (1) | chain id (32) | device id (32) | update id (32; zeros where there is none) | counter (8), rises
 * with every statement of the device | kind (1) | outcome (1; reports only) | reason (2; reports only) | digest (32):
 * SHA-256 of the image (verify), of the running image (report) | sequence (8): running sequence (report) | nonce (16)
 *
 * Device id: an Ed25519 device's public key; for a P-256 device SHA-256 of its uncompressed point.
 *
 * Status record: contract "update", user key = "status/" || update id (32) || device id (32). 200 bytes:
 *   version 1 (1) | status (1) | last outcome of verify (1) | reserved (1) | failed attempts (4) | update id (32) |
 *   device id (32) | release id (32) | counter of the last statement (8) | nonce of the last verify (16) | digest of
 * the last verify (32) | window start (8, 0 = not open yet) | window ms (8) | height (8) | block time ms of the last
 *   change (8) | reserved, zero (8)
 */
#ifndef ASSAY_VERIFY_STATEMENT_H
#define ASSAY_VERIFY_STATEMENT_H

#include "verify/crypto.h"

#define STATEMENT_LEN 165
#define STATEMENT_SIGNED_LEN (TAG_LEN + STATEMENT_LEN)

enum statement_kind { STATEMENT_OPEN = 1, STATEMENT_VERIFY = 2, STATEMENT_REPORT = 3 };
enum report_outcome { REPORT_NONE = 0, REPORT_INSTALLED = 1, REPORT_FAILED = 2, REPORT_ROLLED_BACK = 3 };

struct statement {
    uint8_t chain_id[CHAIN_ID_LEN];
    uint8_t device_id[KEY_LEN];
    uint8_t update_id[HASH_LEN];
    uint64_t counter;
    enum statement_kind kind;
    enum report_outcome outcome;
    uint16_t reason; /* a verdict of the device, 0 = none */
    uint8_t digest[HASH_LEN];
    uint64_t sequence;
    uint8_t nonce[NONCE_LEN];
};

/* The signed bytes begin with the tag; the statement itself is what follows it. */
void statement_encode(const struct statement *s, uint8_t out_signed[STATEMENT_SIGNED_LEN]);
/* `in` is the statement without its tag. BAD_VERSION, BAD_ENCODING (unknown kind, outcome in a non-report). */
enum verdict statement_decode(struct bytes in, struct statement *out);

enum device_status {
    STATUS_UNVERIFIED = 1,
    STATUS_VERIFIED = 2,
    STATUS_EXPIRED = 3,
    STATUS_EXHAUSTED = 4, /* failed attempts used up */
    STATUS_INSTALLED = 5,
    STATUS_FAILED = 6,
    STATUS_ROLLED_BACK = 7,
};

/* Outcomes of verify, in the order the contract tries them; P1's four are EXPIRED, EXHAUSTED, MISMATCH and SUCCESS. */
enum verify_outcome {
    OUTCOME_NONE = 0,
    OUTCOME_REVOKED = 1,
    OUTCOME_EXPIRED = 2,
    OUTCOME_EXHAUSTED = 3,
    OUTCOME_MISMATCH = 4,
    OUTCOME_SUCCESS = 5,
};

#define STATUS_RECORD_LEN 200
#define STATUS_RECORD_KEY_LEN (7 + HASH_LEN + KEY_LEN)

struct status_record {
    enum device_status status;
    enum verify_outcome last_outcome;
    uint32_t failed_attempts;
    uint8_t update_id[HASH_LEN];
    uint8_t device_id[KEY_LEN];
    uint8_t release_id[HASH_LEN];
    uint64_t counter;
    uint8_t nonce[NONCE_LEN];
    uint8_t digest[HASH_LEN];
    uint64_t window_start_ms;
    uint64_t window_ms;
    uint64_t height;
    uint64_t time_ms;
};

void status_record_key(const uint8_t update_id[HASH_LEN], const uint8_t device_id[KEY_LEN],
                       uint8_t out[STATUS_RECORD_KEY_LEN]);
void status_record_encode(const struct status_record *record, uint8_t out[STATUS_RECORD_LEN]);
enum verdict status_record_decode(struct bytes in, struct status_record *out);

#define DEVICE_STATUS_COUNT (STATUS_ROLLED_BACK + 1)
#define VERIFY_OUTCOME_COUNT (OUTCOME_SUCCESS + 1)
/* By number; place 0 of the first is empty. */
extern const char *const device_status_names[DEVICE_STATUS_COUNT];
extern const char *const verify_outcome_names[VERIFY_OUTCOME_COUNT];
const char *device_status_name(enum device_status status);    /* "unverified", ...; "unknown" for no status */
const char *verify_outcome_name(enum verify_outcome outcome); /* "success", "mismatch", ... */

#endif
