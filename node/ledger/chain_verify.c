#include "node/ledger/chain_verify.h"

#include "base/merkle.h"
#include "node/ledger/chain_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_EVERY 1024

struct walk {
    struct chain *chain;
    struct chain_view *view;
    const struct validator_set *validators;
    struct chain_verify_report *report;
    struct buffer body, finalization;
    uint8_t parent[HASH_LEN];
    bool last_has_certificate;
};

static enum err wrong(struct chain_verify_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum err wrong(struct chain_verify_report *report, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(report->wrong, sizeof report->wrong, format, args);
    va_end(args);
    return ERR_CORRUPT;
}

static enum err check_certificate(struct walk *w, const struct block *block) {
    w->last_has_certificate = w->finalization.len > 0;
    if (!w->last_has_certificate) {
        return OK;
    }
    struct span_input from = {{w->finalization.data, w->finalization.len}};
    struct input in = input_of_span(&from);
    struct vote_subject subject;
    enum verdict v = certificate_verify(w->chain->crypto, w->chain->id, w->validators, &in, &subject);
    if (v != GOOD || from.rest.len != 0 || subject.kind != VOTE_FINALIZE || subject.epoch != block->header.epoch ||
        memcmp(subject.block, block->hash, HASH_LEN) != 0) {
        return wrong(w->report, "block %llu: its finalization is bad: %s", (unsigned long long)block->header.height,
                     verdict_text(v != GOOD ? v : BAD_KIND));
    }
    w->report->certificates++;
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
        e = kv_get(w->view->kv, KV_TXS, bytes_of(block->txs[i].id, HASH_LEN), &value);
        if (e == OK) {
            e = tx_entry_decode(value, &at, &index, &receipt);
        }
        if (e == OK && (at != block->header.height || index != i)) {
            e = ERR_CORRUPT;
        }
        if (e == OK) {
            merkle_leaf(receipt, leaves[i]);
        } else if (e == ERR_NOTFOUND || e == ERR_CORRUPT || e == ERR_MALFORMED) {
            e = wrong(w->report, "block %llu: receipt of transaction %zu is missing or misplaced", height, i);
        }
    }
    uint8_t root[SHA256_LEN];
    if (e == OK) {
        merkle_root(leaves, block->tx_count, root);
        if (memcmp(root, block->header.receipts_root, sizeof root) != 0) {
            e = wrong(w->report, "block %llu: receipts do not match the header's receipts root", height);
        }
    }
    free(leaves);
    return e;
}

/* The index must say of the block what the log says: readers and proofs are served from the index. */
static enum err check_index(struct walk *w, const struct block *block) {
    unsigned long long height = block->header.height;
    struct block_entry entry;
    struct bytes encoded, at;
    uint8_t key[8];
    store_u64(key, block->header.height);
    enum err e = block_entry_get(w->view->kv, block->header.height, &entry, &encoded);
    if (e != OK || memcmp(encoded.data, block->encoded.data, BLOCK_HEADER_LEN) != 0) {
        return wrong(w->report, "block %llu: the index holds another header than the block log", height);
    }
    if (entry.tx_count != block->tx_count || !bytes_equal(entry.finalization, buffer_bytes(&w->finalization))) {
        return wrong(w->report, "block %llu: the index holds another finalization or count than the block log", height);
    }
    if (kv_get(w->view->kv, KV_HASHES, bytes_of(block->hash, HASH_LEN), &at) != OK ||
        !bytes_equal(at, bytes_of(key, sizeof key))) {
        return wrong(w->report, "block %llu is not found by its hash", height);
    }
    return OK;
}

static enum err check_block(struct walk *w, uint64_t height) {
    unsigned long long shown = height;
    buffer_reset(&w->body);
    buffer_reset(&w->finalization);
    enum err e = chain_read(w->chain, height, &w->body, &w->finalization);
    if (e == ERR_NOMEM) {
        return e;
    }
    if (e != OK) {
        return wrong(w->report, "block %llu cannot be read from the block log: %s", shown, seglog_error());
    }
    struct block block;
    e = block_decode(buffer_bytes(&w->body), &block);
    if (e != OK) {
        return e == ERR_NOMEM ? e : wrong(w->report, "block %llu is damaged: %s", shown, err_text(e));
    }
    if (block.header.height != height || memcmp(block.header.parent, w->parent, HASH_LEN) != 0) {
        e = wrong(w->report, "block %llu does not follow block %llu by its hash", shown, shown - 1);
    }
    if (e == OK) {
        e = check_index(w, &block);
    }
    if (e == OK) {
        e = check_certificate(w, &block);
    }
    if (e == OK) {
        e = check_receipts(w, &block);
    }
    memcpy(w->parent, block.hash, HASH_LEN);
    w->report->blocks++;
    w->report->transactions += block.tx_count;
    block_free(&block);
    return e;
}

static enum err count_leaf(void *arg, const uint8_t key[SHA256_LEN], const uint8_t value_hash[SHA256_LEN]) {
    (void)key;
    (void)value_hash;
    struct chain_verify_report *report = arg;
    report->leaves++;
    return OK;
}

/* Does the flat value's hash stand in the leaf that the tree has for its key? */
static enum err check_flat(struct walk *w, struct bytes key, struct bytes value) {
    struct buffer path = BUFFER_INIT;
    uint8_t hashed[SHA256_LEN], value_hash[SHA256_LEN];
    uint8_t(*work)[33] = malloc(STATE_PATH_STEPS_MAX * sizeof *work);
    bool present = false;
    enum err e = work != NULL ? OK : ERR_NOMEM;
    sha256(key.data, key.len, hashed);
    sha256(value.data, value.len, value_hash);
    if (e == OK) {
        e = tree_prove(w->view->kv, w->view->root, hashed, &path, &present);
    }
    if (e == OK) {
        struct span_input from = {{path.data, path.len}};
        struct input in = input_of_span(&from);
        enum state_path_end end = PATH_EMPTY;
        enum verdict v = state_path_verify(w->chain->crypto, w->view->root.hash, hashed, value_hash, &in, work,
                                           STATE_PATH_STEPS_MAX, &end);
        if (!present || v != GOOD || end != PATH_PRESENT) {
            char hex[2 * SHA256_LEN + 1];
            hex_encode(hashed, sizeof hashed, hex);
            e = wrong(w->report, "state: the value of key %s does not match its leaf", hex);
        }
    }
    free(work);
    buffer_free(&path);
    return e;
}

static enum err check_state(struct walk *w) {
    uint64_t bad_id = 0;
    if (memcmp(w->view->root.hash, w->view->head.header.state_root, HASH_LEN) != 0) {
        return wrong(w->report, "state: the tree's root is not the head's state root");
    }
    enum err e = tree_check(w->chain->crypto, w->view->kv, w->view->root, count_leaf, w->report, &bad_id);
    if (e == ERR_CORRUPT) {
        return wrong(w->report, "state: tree node %llu is missing or damaged", (unsigned long long)bad_id);
    }
    uint64_t flat = 0;
    struct buffer from = BUFFER_INIT;
    while (e == OK) {
        struct bytes key, value;
        e = kv_seek(w->view->kv, KV_STATE, buffer_bytes(&from), &key, &value);
        if (e != OK) {
            break;
        }
        buffer_reset(&from);
        buffer_put(&from, key.data, key.len);
        buffer_u8(&from, 0);
        e = buffer_ok(&from);
        flat++;
        if (e == OK) {
            e = check_flat(w, bytes_of(from.data, from.len - 1), value);
        }
    }
    buffer_free(&from);
    if (e == ERR_NOTFOUND) {
        e = flat == w->report->leaves ? OK
                                      : wrong(w->report, "state: %llu values but %llu leaves", (unsigned long long)flat,
                                              (unsigned long long)w->report->leaves);
    }
    return e;
}

enum err chain_verify(struct chain *chain, const struct validator_set *validators,
                      void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                      struct chain_verify_report *report) {
    memset(report, 0, sizeof *report);
    struct chain_view view;
    enum err e = chain_view_open(chain, &view);
    if (e != OK) {
        return e;
    }
    struct walk w = {.chain = chain, .view = &view, .validators = validators, .report = report};
    struct chain_block_info genesis;
    e = chain_view_block(&view, 0, &genesis);
    if (e == OK) {
        memcpy(w.parent, genesis.hash, HASH_LEN);
    }
    uint64_t last = view.head.header.height;
    for (uint64_t height = 1; height <= last && e == OK; height++) {
        e = check_block(&w, height);
        if (progress != NULL && (height % PROGRESS_EVERY == 0 || height == last)) {
            progress(arg, height, last);
        }
    }
    if (e == OK && last > 0 && !w.last_has_certificate) {
        e = wrong(report, "block %llu, the head, has no finalization", (unsigned long long)last);
    }
    if (e == OK) {
        e = check_state(&w);
    }
    buffer_free(&w.body);
    buffer_free(&w.finalization);
    chain_view_close(&view);
    return e;
}
