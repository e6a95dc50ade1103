#include "node/answers/block.h"

static const struct field block_fields[] = {
    {"height", "Of the block.", FIELD_NUMBER, MEMBER(struct block_answer, height)},
    {"hash", "Of its header.", FIELD_HEX, MEMBER(struct block_answer, hash)},
    {"parent_hash", "Of the block before.", FIELD_HEX, MEMBER(struct block_answer, parent_hash)},
    {"epoch", "In which it was made.", FIELD_NUMBER, MEMBER(struct block_answer, epoch)},
    {"view", "In which it was made.", FIELD_NUMBER, MEMBER(struct block_answer, view)},
    {"time_ms", "By its proposer's clock, later than the block before.", FIELD_NUMBER,
     MEMBER(struct block_answer, time_ms)},
    {"proposer_index", "Place of its proposer among the epoch's validators.", FIELD_NUMBER,
     MEMBER(struct block_answer, proposer_index)},
    {"proposer", "Signing key of its proposer; null for the genesis.", FIELD_HEX, MEMBER(struct block_answer, proposer),
     IF(struct block_answer, has_proposer)},
    {"tx_root", "Merkle root of its transactions.", FIELD_HEX, MEMBER(struct block_answer, tx_root)},
    {"receipts_root", "Merkle root of its receipts.", FIELD_HEX, MEMBER(struct block_answer, receipts_root)},
    {"state_root", "Root of the state after it.", FIELD_HEX, MEMBER(struct block_answer, state_root)},
    {"validators_hash", "Of the validators of the next block.", FIELD_HEX,
     MEMBER(struct block_answer, validators_hash)},
    {"tx_count", "Transactions in it.", FIELD_NUMBER, MEMBER(struct block_answer, tx_count)},
    {"has_finalization", "Has it a certificate of its own, not only a later block's?", FIELD_BOOL,
     MEMBER(struct block_answer, has_finalization)},
};
const struct record block_answer_shape = {"Block", "A final block's header.",
                                          RECORD_OF(struct block_answer, block_fields)};

static const struct field blocks_fields[] = {
    {"blocks", "Newest first.", FIELD_ITEMS, MEMBER(struct blocks_answer, blocks), .of = &block_answer_shape},
    {"next_before", "To ask for the next page with; null: there is no more.", FIELD_NUMBER,
     MEMBER(struct blocks_answer, next_before), IF(struct blocks_answer, has_more)},
};
const struct record blocks_answer_shape = {"BlocksPage", "A page of blocks.",
                                           RECORD_OF(struct blocks_answer, blocks_fields)};

static const struct field result_fields[] = {
    {"code", "0 when it was carried out, else why not.", FIELD_NUMBER, MEMBER(struct result_answer, code)},
    {"name", "Of the code.", FIELD_WORDS, MEMBER(struct result_answer, name)},
    {"detail", "More about it, for people.", FIELD_BYTES_OF_TEXT, MEMBER(struct result_answer, detail)},
};
static const struct record result_shape = {"Result", "What a contract answered.",
                                           RECORD_OF(struct result_answer, result_fields)};

static const struct field tx_fields[] = {
    {"tx_id", "SHA-256 of what is signed.", FIELD_HEX, MEMBER(struct tx_answer, tx_id)},
    {"height", "Of its block.", FIELD_NUMBER, MEMBER(struct tx_answer, height)},
    {"index", "Its place in the block.", FIELD_NUMBER, MEMBER(struct tx_answer, index)},
    {"contract", "It is for.", FIELD_BYTES_OF_TEXT, MEMBER(struct tx_answer, contract)},
    {"method", "It calls.", FIELD_BYTES_OF_TEXT, MEMBER(struct tx_answer, method)},
    {"signers", "Who signed it; the first is the sender.", FIELD_LIST,
     COUNTED(struct tx_answer, signers, signer_count)},
    {"expiry_ms", "Block time from which it may not be included.", FIELD_NUMBER, MEMBER(struct tx_answer, expiry_ms)},
    {"size", "Bytes of the envelope.", FIELD_NUMBER, MEMBER(struct tx_answer, size)},
    {"result", "What came of it.", FIELD_RECORD, MEMBER(struct tx_answer, result), IF(struct tx_answer, has_receipt),
     .is_omitted = true, .of = &result_shape},
    {"result_bytes", "The method's result message (protobuf).", FIELD_BYTES, MEMBER(struct tx_answer, result_bytes),
     IF(struct tx_answer, has_receipt), .is_omitted = true},
};
const struct record tx_answer_shape = {"Tx", "A final transaction.", RECORD_OF(struct tx_answer, tx_fields)};

static const struct field block_txs_fields[] = {
    {"height", "Of the block.", FIELD_NUMBER, MEMBER(struct block_txs_answer, height)},
    {"txs", "In their order.", FIELD_ITEMS, MEMBER(struct block_txs_answer, txs), .of = &tx_answer_shape},
    {"next_from", "To ask for the next page with; null: there is no more.", FIELD_NUMBER,
     MEMBER(struct block_txs_answer, next_from), IF(struct block_txs_answer, has_more)},
};
const struct record block_txs_shape = {"BlockTxsPage", "A page of a block's transactions.",
                                       RECORD_OF(struct block_txs_answer, block_txs_fields)};

static const struct field whole_tx_fields[] = {
    {"tx", "What it is.", FIELD_PART, MEMBER(struct whole_tx_answer, tx), .of = &tx_answer_shape},
    {"time_ms", "Time of its block.", FIELD_NUMBER, MEMBER(struct whole_tx_answer, time_ms)},
    {"envelope", "The signed transaction itself.", FIELD_BYTES, MEMBER(struct whole_tx_answer, envelope)},
};
const struct record whole_tx_shape = {"WholeTx", "A final transaction with its bytes.",
                                      RECORD_OF(struct whole_tx_answer, whole_tx_fields)};

static const struct field submitted_fields[] = {
    {"tx_id", "SHA-256 of what is signed.", FIELD_HEX, MEMBER(struct submitted_answer, tx_id)},
    {"height", "Of its block; null while it is not final.", FIELD_NUMBER, MEMBER(struct submitted_answer, height),
     IF(struct submitted_answer, is_final)},
    {"result", "What came of it.", FIELD_RECORD, MEMBER(struct submitted_answer, result),
     IF(struct submitted_answer, is_final), .is_omitted = true, .of = &result_shape},
    {"result_bytes", "The method's result message (protobuf).", FIELD_BYTES,
     MEMBER(struct submitted_answer, result_bytes), IF(struct submitted_answer, is_final), .is_omitted = true},
    {"accepted", "True: it waits for a block.", FIELD_BOOL, MEMBER(struct submitted_answer, accepted),
     IF(struct submitted_answer, was_taken), .is_omitted = true},
};
const struct record submitted_shape = {"Submitted", "What became of a transaction that was sent.",
                                       RECORD_OF(struct submitted_answer, submitted_fields)};

static const struct field tx_event_fields[] = {
    {"tx_id", "SHA-256 of what is signed.", FIELD_HEX, MEMBER(struct tx_event, tx_id)},
    {"height", "Of its block.", FIELD_NUMBER, MEMBER(struct tx_event, height)},
    {"contract", "It is for.", FIELD_BYTES_OF_TEXT, MEMBER(struct tx_event, contract)},
    {"method", "It calls.", FIELD_BYTES_OF_TEXT, MEMBER(struct tx_event, method)},
    {"result", "What came of it.", FIELD_RECORD, MEMBER(struct tx_event, result), IF(struct tx_event, has_receipt),
     .is_omitted = true, .of = &result_shape},
};
const struct record tx_event_shape = {"TxEvent", "A transaction has become final.",
                                      RECORD_OF(struct tx_event, tx_event_fields)};

static const struct field block_event_fields[] = {
    {"height", "Of the block.", FIELD_NUMBER, MEMBER(struct block_event, height)},
    {"hash", "Of its header.", FIELD_HEX, MEMBER(struct block_event, hash)},
    {"state_root", "Root of the state after it.", FIELD_HEX, MEMBER(struct block_event, state_root)},
    {"time_ms", "Its time.", FIELD_NUMBER, MEMBER(struct block_event, time_ms)},
    {"tx_count", "Transactions in it.", FIELD_NUMBER, MEMBER(struct block_event, tx_count)},
};
const struct record block_event_shape = {"BlockEvent", "A block has become final.",
                                         RECORD_OF(struct block_event, block_event_fields)};

static const struct field alarm_fields[] = {
    {"name", "Which alarm.", FIELD_WORDS, MEMBER(struct alarm_event, name)},
    {"text", "What is wrong and what to do.", FIELD_WORDS, MEMBER(struct alarm_event, text)},
};
const struct record alarm_event_shape = {"AlarmEvent", "An alarm of this node has begun.",
                                         RECORD_OF(struct alarm_event, alarm_fields)};
