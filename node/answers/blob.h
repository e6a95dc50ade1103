/* What is said of images, snapshots and proofs. */
#ifndef ASSAY_NODE_ANSWERS_BLOB_H
#define ASSAY_NODE_ANSWERS_BLOB_H

#include "base/record.h"
#include "base/sha256.h"
#include "verify/bundle.h"
#include "verify/class_record.h"

struct blob_answer {
    uint8_t cid[CID_BINARY_LEN];
    uint64_t size;
    uint8_t sha256[SHA256_LEN];
    uint8_t tree_root[SHA256_LEN];
    uint64_t blocks;
};
extern const struct record blob_answer_shape;

struct snapshot_answer_entry {
    uint64_t height;
    uint8_t hash[HASH_LEN];
    uint64_t time_ms;
    uint8_t content[HASH_LEN];
    uint64_t bytes;
    uint64_t manifest_bytes;
    uint32_t chunks;
};
extern const struct record snapshot_entry_shape;

struct snapshots_answer {
    uint64_t height, time_ms;
    bool making;
    void *snapshots;
};
extern const struct record snapshots_answer_shape;

/* A proof bundle in words. */
struct proof_answer {
    const char *verdict;
    uint64_t size;
    bool is_good; /* and what it proves follows */
    uint64_t height, time_ms;
    uint8_t block_hash[HASH_LEN];
    uint8_t state_root[HASH_LEN];
    const char *contract;
    struct bytes key;
    bool present;
    struct bytes value;
};
extern const struct record proof_answer_shape;

#endif
