/* What is final, judged once more and without the ledger's own rules: transactions by the genesis and by what the
 * organisations decided since, certificates by counting signatures. Blocks are taken in the order of their heights,
 * whichever node is first to have them. */
#include "tests/sim/sim.h"

#include "contracts/governance/governance_params.h"

#include <stdlib.h>
#include <string.h>

static bool same(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, HASH_LEN) == 0;
}

/* ---- Certificates ------------------------------------------------------------------------------------------------ */

#define VOTE_TEXT (TAG_LEN + 1 + CHAIN_ID_LEN + 8 + 8 + 1 + HASH_LEN)

/* Signatures of different validators that are good for what the certificate says. */
static uint16_t good_signatures(const struct sim_world *w, const uint8_t *id, struct bytes certificate) {
    const uint8_t *p = certificate.data, *end = p + certificate.len;
    uint64_t epoch = load_u64(p + 2);
    uint16_t n = load_u16(p + 50), count = 0;
    const uint8_t *bitmap = p + 52, *signature = bitmap + (n + 7) / 8;
    uint8_t text[VOTE_TEXT] = {0};
    memcpy(text, TAG_VOTE, TAG_LEN);
    text[TAG_LEN] = 1;
    memcpy(text + TAG_LEN + 1, id, CHAIN_ID_LEN);
    memcpy(text + TAG_LEN + 1 + CHAIN_ID_LEN, p + 2, 16); /* epoch and view */
    text[TAG_LEN + 1 + CHAIN_ID_LEN + 16] = p[1];
    memcpy(text + TAG_LEN + 1 + CHAIN_ID_LEN + 17, p + 18, HASH_LEN);
    for (uint16_t i = 0; i < n && i < sim_validators_of(w, epoch); i++) {
        if ((bitmap[i / 8] >> i % 8 & 1) != 0 && signature + SIG_LEN <= end) {
            bool good = ed25519_verify(w->keys[sim_key_at(w, epoch, i)], text, sizeof text, signature);
            count = (uint16_t)(count + (good ? 1 : 0));
            signature += SIG_LEN;
        }
    }
    return count;
}

/* The finalization that a node keeps with a block: of that block, in its epoch and view, by a quorum. */
static void judge_finalization(struct sim_node *node, const struct block *block) {
    struct sim_world *w = node->world;
    const struct block_header *h = &block->header;
    struct buffer kept = BUFFER_INIT;
    unsigned long long height = h->height;
    if (chain_read(node->chain, h->height, NULL, &kept) != OK || kept.len == 0) {
        buffer_free(&kept); /* it dies just now, or the block is final through a later one */
        return;
    }
    const uint8_t *p = kept.data;
    uint64_t view = kept.len > 52 ? load_u64(p + 10) : 0;
    uint16_t n = sim_validators_of(w, h->epoch);
    if (kept.len <= 52 || p[1] != VOTE_FINALIZE || !same(p + 18, block->hash)) {
        sim_fail(w, "finality", "node %u makes block %llu final by what is no finalization of it (kind %d)",
                 node->number, height, kept.len > 1 ? p[1] : 0);
    } else if (load_u64(p + 2) != h->epoch || load_u16(p + 50) != n) {
        sim_fail(w, "finality", "node %u makes block %llu final by a certificate of another epoch", node->number,
                 height);
    } else if (view != h->view && !(view > h->view && block_header_closes(h))) {
        sim_fail(w, "finality", "node %u makes block %llu of view %llu final in view %llu", node->number, height,
                 (unsigned long long)h->view, (unsigned long long)view);
    } else {
        uint16_t good = good_signatures(w, chain_id(node->chain), buffer_bytes(&kept));
        if (good < validators_quorum(n)) {
            sim_fail(w, "finality", "node %u makes block %llu final by %u good signatures of %u validators",
                     node->number, height, good, n);
        }
    }
    buffer_free(&kept);
}

/* ---- Parameters -------------------------------------------------------------------------------------------------- */

static const enum sim_counter voted[PARAM_LAST + 1][2] = {
    [PARAM_HEARTBEAT_MS] = {COUNT_HEARTBEAT_DOWN, COUNT_HEARTBEAT_UP},
    [PARAM_MAX_BLOCK_TXS] = {COUNT_BLOCK_TXS_DOWN, COUNT_BLOCK_TXS_UP},
    [PARAM_MAX_BLOCK_BYTES] = {COUNT_BLOCK_BYTES_DOWN, COUNT_BLOCK_BYTES_UP},
    [PARAM_TX_MAX_LIFETIME_MS] = {COUNT_LIFETIME_DOWN, COUNT_LIFETIME_UP},
    [PARAM_VOTE_THRESHOLD_PERCENT] = {COUNT_THRESHOLD_DOWN, COUNT_THRESHOLD_UP},
};

/* A vote on a parameter takes effect in the block after the one that it stands in. */
static void follow_params(struct sim_world *w, const struct block *block) {
    for (size_t i = 0; i < block->tx_count; i++) {
        for (uint64_t k = 0; k < SIM_SETTINGS && k < w->setting_count; k++) {
            const struct sim_setting *s = &w->settings[k];
            if (same(s->tx, block->txs[i].id)) {
                uint64_t before = governance_param_get(&w->params, s->param);
                governance_param_set(&w->params, s->param, s->value);
                if (before != s->value) {
                    sim_count(w, voted[s->param][s->value > before]);
                }
            }
        }
    }
}

void sim_ledger_check_params(struct sim_node *node) {
    struct sim_world *w = node->world;
    if (chain_head(node->chain)->header.height != w->judged_height) {
        return;
    }
    for (uint32_t param = 1; param <= PARAM_LAST; param++) {
        uint64_t theirs = governance_param_get(chain_params(node->chain), param);
        uint64_t ours = governance_param_get(&w->params, param);
        if (theirs != ours) {
            sim_fail(w, "params", "node %u has %s %llu at height %llu, and it was voted to be %llu", node->number,
                     governance_param_name(param), (unsigned long long)theirs, (unsigned long long)w->judged_height,
                     (unsigned long long)ours);
        }
    }
}

/* ---- Transactions ------------------------------------------------------------------------------------------------ */

static bool is_signed(const struct transaction *tx) {
    static uint8_t text[TAG_LEN + LIMIT_TX_BYTES];
    memcpy(text, TAG_TX, TAG_LEN);
    memcpy(text + TAG_LEN, tx->body.data, tx->body.len);
    for (size_t i = 0; i < tx->signer_count; i++) {
        if (!ed25519_verify(tx->signers[i], text, TAG_LEN + tx->body.len, tx->signatures[i])) {
            return false;
        }
    }
    return true;
}

static void judge_transaction(struct sim_node *node, const struct block *block, const struct transaction *tx) {
    struct sim_world *w = node->world;
    unsigned long long height = block->header.height;
    uint64_t time_ms = block->header.time_ms;
    if (!is_signed(tx)) {
        sim_fail(w, "signature", "block %llu is final and holds a transaction with a bad signature", height);
    }
    if (!same(tx->chain_id, chain_id(node->chain))) {
        sim_fail(w, "foreign", "block %llu is final and holds a transaction of another chain", height);
    }
    if (tx->expiry_ms <= time_ms) {
        sim_fail(w, "expired", "block %llu is final and holds an expired transaction", height);
    } else if (tx->expiry_ms - time_ms > w->params.tx_max_lifetime_ms) {
        sim_fail(w, "untimely", "block %llu is final and holds a transaction that lives longer than %llu ms", height,
                 (unsigned long long)w->params.tx_max_lifetime_ms);
    }
    sim_oracle_executed(w, tx, height);
}

static void judge(struct sim_node *node, const struct block *block) {
    struct sim_world *w = node->world;
    if (block->tx_count > w->params.max_block_txs || block->encoded.len > w->params.max_block_bytes) {
        sim_fail(w, "limit", "block %llu is final and over the chain's limits", (unsigned long long)w->judged_height);
    }
    for (size_t i = 0; i < block->tx_count; i++) {
        judge_transaction(node, block, &block->txs[i]);
    }
    follow_params(w, block);
    w->judged_height = block->header.height;
}

/* Those below that no node has told of: they were made final while it started. */
static void fetch_missing(struct sim_node *node, uint64_t upto) {
    struct sim_world *w = node->world;
    struct buffer body = BUFFER_INIT;
    struct block block;
    while (w->judged_height < upto) {
        buffer_reset(&body);
        if (chain_read(node->chain, w->judged_height + 1, &body, NULL) != OK ||
            block_decode(buffer_bytes(&body), &block) != OK) {
            break;
        }
        judge(node, &block);
        block_free(&block);
    }
    buffer_free(&body);
}

void sim_ledger_begin(struct sim_world *w) {
    w->params = w->genesis->params;
}

void sim_ledger_final(struct sim_node *node, const struct block *block) {
    struct sim_world *w = node->world;
    judge_finalization(node, block);
    fetch_missing(node, block->header.height - 1);
    if (w->judged_height + 1 == block->header.height) {
        judge(node, block);
    }
}
