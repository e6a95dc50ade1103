/* What a contract is, and the small interface through which it reaches state.
 *
 * A contract is a row of the table of contracts (table.h): a name, methods, and hooks for genesis, blocks and what
 * falls due. A method gets decoded arguments, the signers, block time and height, and a state handle; it either writes
 * and answers OK, or answers a named code and nothing it wrote counts. The answer is data: it stands in the receipt,
 * the same on every node. A local fault (disk, memory) is an `enum err` other than OK: it stops the node and is never
 * an answer.
 */
#ifndef ASSAY_CONTRACTS_KERNEL_CONTRACT_H
#define ASSAY_CONTRACTS_KERNEL_CONTRACT_H

#include "base/buffer.h"
#include "base/ed25519.h"
#include "base/limits.h"
#include "contracts/kernel/code.h"
#include "verify/crypto.h"

/* State as a contract sees it. Keys are whole keys: contract name || 0x00 || user key; contracts build them with the
 * helpers of contracts/kernel/state.h, which keep a method's writes under its own prefix. */
struct state_ops {
    /* Appends the value to `out`; `*out_found` tells whether there is one. */
    enum err (*get)(void *ctx, struct bytes key, struct buffer *out, bool *out_found);
    /* First key > `after` (>= when `inclusive`) that starts with `prefix`; appends key and value. */
    enum err (*next)(void *ctx, struct bytes prefix, struct bytes after, bool inclusive, struct buffer *out_key,
                     struct buffer *out_value, bool *out_found);
    /* The three that write are NULL on a read-only handle. ERR_FULL: more than one operation may write, or a
     * value over LIMIT_STATE_VALUE. The method
     * passes it on like any error; whoever runs the operation answers CODE_TOO_MANY_WRITES for it. */
    enum err (*put)(void *ctx, struct bytes key, struct bytes value);
    enum err (*remove)(void *ctx, struct bytes key);
    /* Appends to the history of a record (a whole key): who and when are added by the ledger. */
    enum err (*history)(void *ctx, struct bytes record_key, const char *action, struct bytes detail);
};

struct state {
    const struct state_ops *ops;
    void *ctx;
};

#define ANSWER_DETAIL_MAX 200

/* What a method answers. */
struct answer {
    enum code code;                 /* CODE_OK or why not */
    char detail[ANSWER_DETAIL_MAX]; /* one line for people; "" when there is nothing to add */
    struct buffer result;           /* protobuf of the method's result message, empty on refusal */
};

/* Facts about the block and the transaction a method runs in. */
struct call {
    struct state state;
    const struct verify_crypto *crypto;
    const uint8_t *chain_id;                   /* CHAIN_ID_LEN */
    const uint8_t (*signers)[ED25519_KEY_LEN]; /* valid signatures of each were checked */
    size_t signer_count;
    uint8_t tx_id[HASH_LEN];
    uint64_t height;
    uint64_t time_ms; /* block time */
};

/* What subscribers can ask for, by the name in GET /v1/events. */
#define CONTRACT_EVENTS(X)                                                                                             \
    X(RELEASE, "release")                                                                                              \
    X(REVOCATION, "revocation")                                                                                        \
    X(FLOOR, "floor")                                                                                                  \
    X(PROPOSAL, "proposal")                                                                                            \
    X(UPDATE, "update")                                                                                                \
    X(DEVICE, "device")

#define CONTRACT_EVENT_VALUE(name, text) CONTRACT_EVENT_##name,
enum contract_event { CONTRACT_EVENT_NONE, CONTRACT_EVENTS(CONTRACT_EVENT_VALUE) CONTRACT_EVENT_COUNT };
#undef CONTRACT_EVENT_VALUE

/* The event of a method that was carried out; CONTRACT_EVENT_NONE also for what is no method. */
enum contract_event contracts_event(struct bytes contract, struct bytes method);
/* "" for CONTRACT_EVENT_NONE. */
const char *contract_event_name(enum contract_event event);

/* Runs one operation. `answer` is initialised by the caller and owned by it. When the code is not CODE_OK the caller
 * throws away what was written. Unknown contract or method: CODE_UNKNOWN_METHOD. */
NODISCARD enum err contracts_execute(const struct call *call, struct bytes contract, struct bytes method,
                                     struct bytes args, struct answer *answer);

/* Cheap look before a transaction is gossiped: known sender, known method, arguments that decode. Read-only state. */
NODISCARD enum err contracts_check(const struct call *call, struct bytes contract, struct bytes method,
                                   struct bytes args, struct answer *answer);

/* What a block's height alone decides (a protocol version that was voted for); an operation of its own, the first of
 * each block. What its time decides comes next, item by item: due_queue.h says which, due_work.h does it. */
NODISCARD enum err contracts_begin_block(const struct call *call);

#endif
