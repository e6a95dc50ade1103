/* The device protocol: one request, one answer, over whatever carries bytes between a device and its gateway.
 *
 * Both are CBOR maps (verify/cbor.h: deterministic encoding only) with small integers as keys, in this order:
 *
 *   request    0 version 1, 1 operation, 2 device id (32), then
 *     hello      3 class id (16), 4 hardware revision, 5 running sequence, 6 statement counter
 *     check      3 running sequence, 4 trusted epoch, 5 last height
 *     get        3 what, 4 update id (32), 5 offset, 6 length, 7 tag, 8 trusted epoch, 9 least height
 *     statement  3 statement (165), 4 signature (64)
 *   answer     0 version 1, 1 operation, 2 code; for code 0 also
 *     hello      3 certified block time ms, 0 where none is known to be fresh, 4 poll interval ms, 5 chain id (32)
 *     check      3 is there an offer; if so 4 update id (32), 5 release id (32), 6 sequence, 7 must it be opened,
 *                8 envelope size, 9 proof size, 10 delegation size, 11 image size
 *     get        3 total size, 4 tag, 5 bytes (fewer than asked for at the end, or when the gateway likes)
 *     statement  3 reception, 4 outcome of verify, 5 can the status be proven now, 6 contract's result code
 *
 * An object is fetched in ranges. Tag 0 asks for the newest one; the answer names it by a tag other than 0, and further
 * ranges ask for that tag, so that no two versions of a proof get mixed: what is no longer at hand is PROTOCOL_GONE. A
 * proof starts at the device's trusted epoch and is of a height of at least the one asked for (PROTOCOL_NOT_YET).
 * Sending a statement again is harmless, and that is how a device asks whether its status can be proven yet.
 *
 * The gateway's word decides nothing: sizes, sequence and outcome are hints, what counts is signed or proven.
 * Over HTTP: POST /device/v1, application/cbor both ways, status 200 whatever the code.
 */
#ifndef ASSAY_DEVICE_CORE_PROTOCOL_H
#define ASSAY_DEVICE_CORE_PROTOCOL_H

#include "verify/class_record.h"
#include "verify/statement.h"

#define PROTOCOL_PATH "/device/v1"
#define PROTOCOL_CONTENT_TYPE "application/cbor"

/* Room for any request, and for an answer beside the bytes of a range. */
#define PROTOCOL_REQUEST_MAX 320
#define PROTOCOL_ANSWER_HEAD_MAX 160
/* The most a gateway need give in one answer. */
#define PROTOCOL_RANGE_MAX 65536u

enum protocol_operation {
    PROTOCOL_HELLO = 1,
    PROTOCOL_CHECK = 2,
    PROTOCOL_GET = 3,
    PROTOCOL_STATEMENT = 4,
};

enum protocol_code {
    PROTOCOL_OK = 0,
    PROTOCOL_NOT_YET = 1,        /* ask again later */
    PROTOCOL_GONE = 2,           /* no longer at hand: begin again */
    PROTOCOL_UNKNOWN_DEVICE = 3, /* not registered with this gateway */
    PROTOCOL_BAD_REQUEST = 4,
};

enum protocol_what {
    PROTOCOL_ENVELOPE = 1,     /* the SUIT envelope */
    PROTOCOL_CLASS_PROOF = 2,  /* bundle: firmware, latest/<class id> */
    PROTOCOL_DELEGATION = 3,   /* of one of the envelope's authors */
    PROTOCOL_IMAGE = 4,        /* the bytes that the manifest's digest is of */
    PROTOCOL_STATUS_PROOF = 5, /* bundle: update, status/<update id><device id> */
};

enum protocol_reception {
    PROTOCOL_ACCEPTED = 1, /* on the ledger */
    PROTOCOL_QUEUED = 2,   /* the gateway keeps it until the ledger can be reached */
    PROTOCOL_REFUSED = 3,  /* the ledger's contract said no; `code` says why */
};

struct protocol_request {
    enum protocol_operation operation;
    uint8_t device_id[KEY_LEN];
    struct {
        uint8_t class_id[UUID_BYTES];
        uint32_t hardware_revision;
        uint64_t running_sequence;
        uint64_t counter;
    } hello;
    struct {
        uint64_t running_sequence;
        uint64_t epoch;
        uint64_t height;
    } check;
    struct {
        enum protocol_what what;
        uint8_t update_id[HASH_LEN];
        uint64_t offset;
        uint32_t length;
        uint32_t tag;
        uint64_t epoch;
        uint64_t height;
    } get;
    struct {
        uint8_t statement[STATEMENT_LEN];
        uint8_t signature[SIG_LEN];
    } said;
};

struct protocol_offer {
    uint8_t update_id[HASH_LEN];
    uint8_t release_id[HASH_LEN];
    uint64_t sequence;
    bool needs_open; /* pushed to a class: this device's window starts with its open */
    uint64_t envelope_size;
    uint64_t proof_size;
    uint64_t delegation_size;
    uint64_t image_size;
};

struct protocol_answer {
    enum protocol_operation operation;
    enum protocol_code code;
    struct {
        uint64_t time_ms;
        uint32_t poll_ms;
        uint8_t chain_id[CHAIN_ID_LEN];
    } hello;
    struct {
        bool offered;
        struct protocol_offer offer;
    } check;
    struct {
        uint64_t total;
        uint32_t tag;
        struct bytes bytes; /* borrows from the answer's encoding when decoded */
    } get;
    struct {
        enum protocol_reception reception;
        enum verify_outcome outcome;
        bool proof_ready;
        uint32_t code;
    } said;
};

/* Only the part of the operation is used. BAD_LIMIT when it does not fit. */
enum verdict protocol_request_encode(const struct protocol_request *request, uint8_t *out, size_t capacity,
                                     size_t *out_len);
enum verdict protocol_answer_encode(const struct protocol_answer *answer, uint8_t *out, size_t capacity,
                                    size_t *out_len);
/* Exactly one message; parts of other operations are zero. BAD_TRUNCATED, BAD_TRAILING, BAD_ENCODING, BAD_VERSION,
 * BAD_UNSUPPORTED (unknown operation, code, or object). */
enum verdict protocol_request_decode(struct bytes in, struct protocol_request *out);
enum verdict protocol_answer_decode(struct bytes in, struct protocol_answer *out);

#endif
