/* Blocks, transactions and what became of them. */
#ifndef ASSAY_NODE_ANSWERS_BLOCK_H
#define ASSAY_NODE_ANSWERS_BLOCK_H

#include "base/ed25519.h"
#include "base/limits.h"
#include "base/record.h"
#include "base/sha256.h"
#include "verify/crypto.h"

struct block_answer {
    uint64_t height;
    uint8_t hash[HASH_LEN];
    uint8_t parent_hash[HASH_LEN];
    uint64_t epoch, view, time_ms;
    uint32_t proposer_index;
    bool has_proposer; /* the genesis has none */
    uint8_t proposer[KEY_LEN];
    uint8_t tx_root[HASH_LEN];
    uint8_t receipts_root[HASH_LEN];
    uint8_t state_root[HASH_LEN];
    uint8_t validators_hash[HASH_LEN];
    uint32_t tx_count;
    bool has_finalization;
};
extern const struct record block_answer_shape;

struct blocks_answer {
    void *blocks;
    bool has_more;
    uint64_t next_before;
};
extern const struct record blocks_answer_shape;

/* What a contract answered a transaction. */
struct result_answer {
    uint32_t code;
    const char *name;
    struct bytes detail;
};

struct tx_answer {
    uint8_t tx_id[HASH_LEN];
    uint64_t height;
    uint32_t index;
    struct bytes contract, method;
    uint8_t signer_count;
    uint8_t signers[LIMIT_TX_SIGNERS][ED25519_KEY_LEN];
    uint64_t expiry_ms;
    uint32_t size;
    bool has_receipt; /* one that did not come with a snapshot is not there */
    struct result_answer result;
    struct bytes result_bytes;
};
extern const struct record tx_answer_shape;

struct block_txs_answer {
    uint64_t height;
    void *txs;
    bool has_more;
    uint64_t next_from;
};
extern const struct record block_txs_shape;

/* One transaction, whole. */
struct whole_tx_answer {
    struct tx_answer tx;
    uint64_t time_ms;
    struct bytes envelope;
};
extern const struct record whole_tx_shape;

/* Answer to a transaction that was sent: when it is final, or (202) that it was taken. */
struct submitted_answer {
    uint8_t tx_id[HASH_LEN];
    bool is_final;
    uint64_t height;
    struct result_answer result;
    struct bytes result_bytes;
    bool was_taken; /* and is not final yet */
    bool accepted;
};
extern const struct record submitted_shape;

/* Data of server-sent events. */
struct tx_event {
    uint8_t tx_id[HASH_LEN];
    uint64_t height;
    struct bytes contract, method;
    bool has_receipt;
    struct result_answer result;
};
extern const struct record tx_event_shape;

struct block_event {
    uint64_t height;
    uint8_t hash[HASH_LEN];
    uint8_t state_root[HASH_LEN];
    uint64_t time_ms;
    uint32_t tx_count;
};
extern const struct record block_event_shape;

struct alarm_event {
    const char *name, *text;
};
extern const struct record alarm_event_shape;

#endif
