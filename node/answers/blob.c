#include "node/answers/blob.h"

static const struct field blob_fields[] = {
    {"cid", "Its CID.", FIELD_CID, MEMBER(struct blob_answer, cid)},
    {"size", "Bytes.", FIELD_NUMBER, MEMBER(struct blob_answer, size)},
    {"sha256", "Of all its bytes.", FIELD_HEX, MEMBER(struct blob_answer, sha256)},
    {"tree_root", "Root over its pieces of 4 KiB.", FIELD_HEX, MEMBER(struct blob_answer, tree_root)},
    {"blocks", "IPFS blocks that it is made of.", FIELD_NUMBER, MEMBER(struct blob_answer, blocks)},
};
const struct record blob_answer_shape = {"Blob", "An image in a node's store.",
                                         RECORD_OF(struct blob_answer, blob_fields)};

static const struct field snapshot_fields[] = {
    {"height", "Of the block whose state it is.", FIELD_NUMBER, MEMBER(struct snapshot_answer_entry, height)},
    {"hash", "Of that block.", FIELD_HEX, MEMBER(struct snapshot_answer_entry, hash)},
    {"time_ms", "Time of that block.", FIELD_NUMBER, MEMBER(struct snapshot_answer_entry, time_ms)},
    {"content", "What is in it; two nodes with the same can serve its parts by turns.", FIELD_HEX,
     MEMBER(struct snapshot_answer_entry, content)},
    {"bytes", "Of all chunks.", FIELD_NUMBER, MEMBER(struct snapshot_answer_entry, bytes)},
    {"manifest_bytes", "Of the manifest.", FIELD_NUMBER, MEMBER(struct snapshot_answer_entry, manifest_bytes)},
    {"chunks", "How many there are.", FIELD_NUMBER, MEMBER(struct snapshot_answer_entry, chunks)},
};
const struct record snapshot_entry_shape = {"Snapshot", "A state snapshot that a node serves.",
                                            RECORD_OF(struct snapshot_answer_entry, snapshot_fields)};

static const struct field snapshots_fields[] = {
    {"height", "Of the node's last final block.", FIELD_NUMBER, MEMBER(struct snapshots_answer, height)},
    {"time_ms", "Time of that block.", FIELD_NUMBER, MEMBER(struct snapshots_answer, time_ms)},
    {"making", "Is one being made?", FIELD_BOOL, MEMBER(struct snapshots_answer, making)},
    {"snapshots", "Newest first.", FIELD_ITEMS, MEMBER(struct snapshots_answer, snapshots),
     .of = &snapshot_entry_shape},
};
const struct record snapshots_answer_shape = {"Snapshots", "State snapshots for nodes that join.",
                                              RECORD_OF(struct snapshots_answer, snapshots_fields)};

#define PROVEN IF(struct proof_answer, is_good), .is_omitted = true
static const struct field proof_fields[] = {
    {"verdict", "GOOD, or which rule the bundle breaks.", FIELD_WORDS, MEMBER(struct proof_answer, verdict)},
    {"size", "Bytes of the bundle.", FIELD_NUMBER, MEMBER(struct proof_answer, size)},
    {"height", "Of the block that it leads to.", FIELD_NUMBER, MEMBER(struct proof_answer, height), PROVEN},
    {"time_ms", "Time of that block.", FIELD_NUMBER, MEMBER(struct proof_answer, time_ms), PROVEN},
    {"block_hash", "Of that block.", FIELD_HEX, MEMBER(struct proof_answer, block_hash), PROVEN},
    {"state_root", "Of that block.", FIELD_HEX, MEMBER(struct proof_answer, state_root), PROVEN},
    {"contract", "Whose record it is.", FIELD_WORDS, MEMBER(struct proof_answer, contract), PROVEN},
    {"key", "The record's key.", FIELD_BYTES, MEMBER(struct proof_answer, key), PROVEN},
    {"present", "Is there such a record?", FIELD_BOOL, MEMBER(struct proof_answer, present), PROVEN},
    {"value", "The record's bytes; empty when there is none.", FIELD_BYTES, MEMBER(struct proof_answer, value), PROVEN},
};
const struct record proof_answer_shape = {"Proof", "A proof bundle in words.",
                                          RECORD_OF(struct proof_answer, proof_fields)};
