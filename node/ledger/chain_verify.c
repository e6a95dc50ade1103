#include "node/ledger/chain_verify.h"

#include "base/merkle.h"
#include "node/ledger/chain_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_EVERY 1024

/* The walk along the blocks. */
struct walk {
    const struct chain_verify_input *input;
    struct chain_verify_report *report;
    uint8_t chain_id[CHAIN_ID_LEN];
    struct chain_epoch epoch;     /* of the blocks that come */
    struct block_header previous; /* of the block before */
    uint8_t previous_hash[HASH_LEN];
    bool is_first;                 /* nothing of the block before is known: the index begins with a snapshot */
    uint64_t indexed_transactions; /* by the headers' counts */
    uint64_t first_indexed;
    struct buffer record;
};

enum err chain_verify_wrong(struct chain_verify_report *report, const char *format, ...) {
    va_list args;
    va_start(args, format);
    why_vset(&report->wrong, format, args);
    va_end(args);
    return ERR_CORRUPT;
}

/* ---- One block --------------------------------------------------------------------------------------------------- */

static enum err check_certificate(struct walk *w, const struct block_header *header, const uint8_t hash[HASH_LEN],
                                  struct bytes finalization) {
    if (finalization.len == 0) {
        return OK;
    }
    struct bytes_input from = {finalization};
    struct input in = input_of_bytes(&from);
    struct vote_subject subject;
    struct validator_set set = chain_epoch_set(&w->epoch);
    enum verdict v = certificate_verify(w->input->crypto, w->chain_id, &set, &in, &subject);
    if (v != GOOD || from.rest.len != 0 || subject.kind != VOTE_FINALIZE || subject.epoch != header->epoch ||
        memcmp(subject.block, hash, HASH_LEN) != 0) {
        return chain_verify_wrong(w->report, "block %llu: its finalization is bad: %s",
                                  (unsigned long long)header->height, verdict_text(v != GOOD ? v : BAD_KIND));
    }
    w->report->certificates++;
    return OK;
}

/* Does it stand on the block before, in the right epoch? */
static enum err check_link(struct walk *w, const struct block_header *header) {
    unsigned long long height = header->height;
    if (memcmp(header->chain_id, w->chain_id, CHAIN_ID_LEN) != 0) {
        return chain_verify_wrong(w->report, "block %llu belongs to another chain", height);
    }
    if (!w->is_first) {
        if (header->height != w->previous.height + 1 || memcmp(header->parent, w->previous_hash, HASH_LEN) != 0) {
            return chain_verify_wrong(w->report, "block %llu does not follow block %llu by its hash", height,
                                      (unsigned long long)w->previous.height);
        }
        if (header->time_ms <= w->previous.time_ms) {
            return chain_verify_wrong(w->report, "block %llu is not later than the one before", height);
        }
    }
    if (header->epoch != w->epoch.number || memcmp(header->validators_hash, w->epoch.hash, HASH_LEN) != 0) {
        return chain_verify_wrong(w->report, "block %llu: its epoch or validator set is not the one that was agreed on",
                                  height);
    }
    return OK;
}

/* Steps on to the next block; one that closes its epoch brings the next set, which must be the one it names. */
static enum err step_on(struct walk *w, const struct block_header *header, const uint8_t hash[HASH_LEN]) {
    w->previous = *header;
    memcpy(w->previous_hash, hash, HASH_LEN);
    w->is_first = false;
    if (memcmp(header->validators_hash, header->next_validators_hash, HASH_LEN) == 0) {
        return OK;
    }
    enum err e = chain_epoch_get(w->input->crypto, w->input->view, header->epoch + 1, &w->epoch);
    if (e != OK || memcmp(w->epoch.hash, header->next_validators_hash, HASH_LEN) != 0) {
        return e == ERR_NOMEM ? e
                              : chain_verify_wrong(w->report,
                                                   "block %llu closes its epoch, and the store's validator set of the "
                                                   "next one is missing or another",
                                                   (unsigned long long)header->height);
    }
    w->report->epochs++;
    return OK;
}

/* ---- Bodies ------------------------------------------------------------------------------------------------------ */

static enum err wrong_record(struct walk *w, uint64_t height, const char *what) {
    uint64_t first, offset;
    char detail[200];
    (void)snprintf(detail, sizeof detail, "%s", seglog_error());
    if (seglog_place(w->input->log, height, &first, &offset) == OK) {
        return chain_verify_wrong(w->report, "block %llu %s: file block-%016llx.log, offset %llu: %s",
                                  (unsigned long long)height, what, (unsigned long long)first,
                                  (unsigned long long)offset, detail[0] != '\0' ? detail : "its contents are wrong");
    }
    return chain_verify_wrong(w->report, "block %llu %s: %s", (unsigned long long)height, what, detail);
}

/* Reads and decodes a record (ERR_NOTFOUND: the file was there when the log was opened and is gone); the block borrows
 * from the walk's buffer and is the caller's to free. */
static enum err read_block(struct walk *w, uint64_t height, struct block *out, struct bytes *out_finalization) {
    uint8_t type;
    buffer_reset(&w->record);
    enum err e = seglog_read(w->input->log, height, &type, &w->record);
    if (e == ERR_NOMEM || e == ERR_NOTFOUND) {
        return e;
    }
    if (e != OK) {
        return wrong_record(w, height, "cannot be read from the block log");
    }
    const struct buffer *r = &w->record;
    if (r->len < 4 || type != CHAIN_RECORD_BLOCK || load_u32(r->data) > r->len - 4) {
        return wrong_record(w, height, "is no block in the block log");
    }
    size_t certificate_len = load_u32(r->data);
    e = block_decode(bytes_of(r->data + 4 + certificate_len, r->len - 4 - certificate_len), out);
    if (e != OK) {
        return e == ERR_NOMEM ? e : wrong_record(w, height, "is damaged in the block log");
    }
    *out_finalization = bytes_of(r->data + 4, certificate_len);
    return OK;
}

static enum err check_receipts(struct walk *w, const struct block *block) {
    unsigned long long height = block->header.height;
    uint8_t(*leaves)[SHA256_LEN] = malloc((block->tx_count + 1) * sizeof *leaves);
    if (leaves == NULL) {
        return ERR_NOMEM;
    }
    enum err e = OK;
    for (size_t i = 0; i < block->tx_count && e == OK; i++) {
        struct bytes value, receipt = {NULL, 0};
        uint64_t at = 0;
        uint32_t index = 0;
        e = kv_get(w->input->view, KV_TXS, bytes_of(block->txs[i].id, HASH_LEN), &value);
        if (e == OK) {
            e = tx_entry_decode(value, &at, &index, &receipt);
        }
        if (e == OK && (at != block->header.height || index != i)) {
            e = ERR_CORRUPT;
        }
        if (e == OK) {
            merkle_leaf(receipt, leaves[i]);
        } else if (e == ERR_NOTFOUND || e == ERR_CORRUPT || e == ERR_MALFORMED) {
            e = chain_verify_wrong(w->report, "block %llu: receipt of transaction %zu is missing or misplaced", height,
                                   i);
        }
    }
    uint8_t root[SHA256_LEN];
    if (e == OK) {
        merkle_root(leaves, block->tx_count, root);
        if (memcmp(root, block->header.receipts_root, sizeof root) != 0) {
            e = chain_verify_wrong(w->report, "block %llu: receipts do not match the header's receipts root", height);
        }
    }
    free(leaves);
    return e;
}

/* The index must say of the block what the log says: readers and proofs are served from the index. */
static enum err check_body(struct walk *w, const struct block_entry *entry, struct bytes encoded) {
    unsigned long long height = entry->header.height;
    struct block block = {0};
    struct bytes finalization = bytes_of(NULL, 0);
    enum err e = read_block(w, entry->header.height, &block, &finalization);
    if (e == ERR_NOTFOUND) {
        w->report->bodies_from = entry->header.height + 1; /* the running node has pruned it meanwhile */
        return OK;
    }
    if (e != OK) {
        return e;
    }
    if (block.encoded.len < BLOCK_HEADER_LEN || memcmp(encoded.data, block.encoded.data, BLOCK_HEADER_LEN) != 0) {
        e = chain_verify_wrong(w->report, "block %llu: the index holds another header than the block log", height);
    } else if (entry->tx_count != block.tx_count || !bytes_equal(entry->finalization, finalization)) {
        e = chain_verify_wrong(w->report,
                               "block %llu: the index holds another finalization or count than the block log", height);
    }
    if (e == OK) {
        e = check_receipts(w, &block);
    }
    w->report->bodies++;
    w->report->transactions += block.tx_count;
    block_free(&block);
    return e;
}

/* ---- The index --------------------------------------------------------------------------------------------------- */

static enum err check_indexed(struct walk *w, uint64_t height) {
    struct block_entry entry = {0};
    struct bytes encoded, at;
    uint8_t key[8], hash[HASH_LEN];
    store_u64(key, height);
    enum err e = block_entry_get(w->input->view, height, &entry, &encoded);
    if (e != OK) {
        return e == ERR_NOMEM ? e
                              : chain_verify_wrong(w->report, "block %llu is missing in the index, or damaged there",
                                                   (unsigned long long)height);
    }
    block_header_hash(w->input->crypto, encoded.data, hash);
    if (height >= w->report->bodies_from) {
        e = check_body(w, &entry, encoded);
    }
    if (e == OK) {
        e = check_link(w, &entry.header);
    }
    if (e == OK && (kv_get(w->input->view, KV_HASHES, bytes_of(hash, HASH_LEN), &at) != OK ||
                    !bytes_equal(at, bytes_of(key, sizeof key)))) {
        e = chain_verify_wrong(w->report, "block %llu is not found by its hash", (unsigned long long)height);
    }
    if (e == OK) {
        e = check_certificate(w, &entry.header, hash, entry.finalization);
    }
    if (e == OK && height == w->report->height && entry.finalization.len == 0) {
        e = chain_verify_wrong(w->report, "block %llu, the head, has no finalization", (unsigned long long)height);
    }
    w->report->blocks++;
    w->indexed_transactions += entry.tx_count;
    return e == OK ? step_on(w, &entry.header, hash) : e;
}

/* Over the next epoch's closing block, where that lies below the index: it must be final by the set it is of, and name
 * the set that follows. `*out_more` false: the index begins before it. */
static enum err check_step(struct walk *w, struct chain_epoch *next, bool *out_more) {
    unsigned long long number = w->epoch.number + 1;
    struct block_entry entry = {0};
    struct bytes encoded;
    uint8_t hash[HASH_LEN];
    *out_more = false;
    enum err e = chain_epoch_get(w->input->crypto, w->input->view, w->epoch.number + 1, next);
    if (e == ERR_NOTFOUND || (e == OK && next->closing_height >= w->first_indexed)) {
        return OK;
    }
    if (e == OK) {
        e = block_entry_get(w->input->view, next->closing_height, &entry, &encoded);
    }
    if (e != OK) {
        return e == ERR_NOMEM
                   ? e
                   : chain_verify_wrong(w->report, "the record of epoch %llu or its closing block is damaged", number);
    }
    block_header_hash(w->input->crypto, encoded.data, hash);
    e = check_link(w, &entry.header);
    if (e == OK && (entry.finalization.len == 0 || entry.header.height != next->closing_height ||
                    memcmp(entry.header.next_validators_hash, next->hash, HASH_LEN) != 0)) {
        e = chain_verify_wrong(w->report, "block %llu does not close epoch %llu with the set that the store has",
                               (unsigned long long)next->closing_height, number - 1);
    }
    if (e == OK) {
        e = check_certificate(w, &entry.header, hash, entry.finalization);
    }
    *out_more = e == OK;
    return e;
}

/* Where the index begins with a snapshot, the epochs lead there from the genesis. */
static enum err begin_index(struct walk *w) {
    enum err e = chain_store_first(w->input->view, &w->first_indexed);
    if (e != OK || w->first_indexed == 1) {
        return e;
    }
    struct chain_epoch *next = malloc(sizeof *next);
    bool more = true;
    w->is_first = true;
    e = next != NULL ? OK : ERR_NOMEM;
    while (e == OK && more) {
        e = check_step(w, next, &more);
        if (more) {
            w->epoch = *next;
            w->report->epochs++;
        }
    }
    free(next);
    return e;
}

static enum err check_genesis(struct walk *w) {
    struct block_entry entry = {0};
    struct bytes encoded;
    enum err e = block_entry_get(w->input->view, 0, &entry, &encoded);
    if (e != OK) {
        return chain_verify_wrong(w->report, "the genesis block is missing in the index, or damaged there");
    }
    chain_epoch_of_genesis(w->input->genesis, w->input->crypto, &w->epoch);
    genesis_chain_id(w->input->genesis, w->input->crypto, w->chain_id);
    if (memcmp(entry.header.chain_id, w->chain_id, CHAIN_ID_LEN) != 0 ||
        memcmp(entry.header.validators_hash, w->epoch.hash, HASH_LEN) != 0) {
        return chain_verify_wrong(w->report, "the store belongs to another chain than genesis.json");
    }
    w->previous = entry.header;
    block_header_hash(w->input->crypto, encoded.data, w->previous_hash);
    return OK;
}

/* What transactions there are by the headers, there must be by their ids. */
static enum err check_tx_count(struct walk *w) {
    uint8_t from[HASH_LEN + 1];
    uint64_t found = 0;
    struct bytes at = bytes_of(NULL, 0), key, value, receipt;
    for (;;) {
        uint64_t height;
        uint32_t index;
        enum err e = kv_seek(w->input->view, KV_TXS, at, &key, &value);
        if (e == ERR_NOTFOUND) {
            break;
        }
        if (e != OK || key.len != HASH_LEN || tx_entry_decode(value, &height, &index, &receipt) != OK) {
            return chain_verify_wrong(w->report, "the index of transactions holds an entry that is none");
        }
        found += height >= w->first_indexed;
        memcpy(from, key.data, key.len);
        from[HASH_LEN] = 0;
        at = bytes_of(from, sizeof from);
    }
    return found == w->indexed_transactions
               ? OK
               : chain_verify_wrong(w->report, "blocks hold %llu transactions, their index %llu",
                                    (unsigned long long)w->indexed_transactions, (unsigned long long)found);
}

/* ---- The block log beyond the checkpoint ------------------------------------------------------------------------- */

static enum err check_logged(struct walk *w, uint64_t height) {
    struct block block = {0};
    struct bytes finalization = bytes_of(NULL, 0);
    enum err e = read_block(w, height, &block, &finalization);
    if (e == ERR_NOTFOUND) {
        e = wrong_record(w, height, "has gone from the block log");
    }
    if (e != OK) {
        return e;
    }
    e = check_link(w, &block.header);
    if (e == OK) {
        e = check_certificate(w, &block.header, block.hash, finalization);
    }
    w->report->blocks++;
    w->report->bodies++;
    w->report->transactions += block.tx_count;
    w->previous = block.header;
    memcpy(w->previous_hash, block.hash, HASH_LEN);
    block_free(&block);
    return e;
}

static enum err check_log_bounds(struct walk *w) {
    struct chain_verify_report *report = w->report;
    uint64_t first = seglog_first(w->input->log);
    report->log_height = seglog_last(w->input->log);
    enum err e = chain_store_bodies(w->input->view, &report->bodies_from);
    if (e != OK) {
        return e == ERR_CORRUPT ? chain_verify_wrong(report, "the record of pruned bodies is damaged") : e;
    }
    if (report->log_height < report->height) {
        return chain_verify_wrong(report, "block log: it ends at %llu, before the checkpoint at %llu",
                                  (unsigned long long)report->log_height, (unsigned long long)report->height);
    }
    if (report->log_height > 0 && first > report->bodies_from) {
        return chain_verify_wrong(report, "block log: blocks %llu to %llu are missing and were not pruned",
                                  (unsigned long long)report->bodies_from, (unsigned long long)first - 1);
    }
    report->bodies_from = first > 0 && first < report->bodies_from ? first : report->bodies_from;
    return OK;
}

static void tell(const struct walk *w, uint64_t height) {
    if (w->input->progress != NULL && (height % PROGRESS_EVERY == 0 || height == w->report->log_height)) {
        w->input->progress(w->input->arg, "blocks", height, w->report->log_height);
    }
}

static enum err check_blocks(struct walk *w) {
    enum err e = check_log_bounds(w);
    if (e == OK) {
        e = check_genesis(w);
    }
    if (e == OK) {
        e = begin_index(w);
    }
    for (uint64_t height = w->first_indexed; height <= w->report->height && e == OK; height++) {
        e = check_indexed(w, height);
        tell(w, height);
    }
    if (e == OK) {
        e = check_tx_count(w);
    }
    /* The next epoch's set is known to whoever executes the block that closes this one: behind it the walk ends. */
    for (uint64_t height = w->report->height + 1; height <= w->report->log_height && e == OK; height++) {
        if (memcmp(w->previous.next_validators_hash, w->epoch.hash, HASH_LEN) != 0) {
            break;
        }
        e = check_logged(w, height);
        tell(w, height);
    }
    return e;
}

enum err chain_verify(const struct chain_verify_input *input, struct chain_verify_report *out) {
    struct chain_store_head head;
    memset(out, 0, sizeof *out);
    enum err e = chain_verify_tables(input, out);
    if (e == OK) {
        e = chain_store_head(input->crypto, input->view, &head);
        e = e == ERR_CORRUPT ? chain_verify_wrong(out, "the store's head record does not fit the block at its height")
                             : e;
    }
    if (e != OK) {
        return e;
    }
    out->height = head.header.height;
    memcpy(out->state_root, head.header.state_root, HASH_LEN);
    struct walk *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return ERR_NOMEM;
    }
    w->input = input;
    w->report = out;
    w->first_indexed = 1;
    e = check_blocks(w);
    if (e == OK) {
        e = chain_verify_state(input, &head, out);
    }
    buffer_free(&w->record);
    free(w);
    return e;
}
