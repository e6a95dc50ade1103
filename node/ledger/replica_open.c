/* Opening and closing a replica, and the core of each epoch. */
#include "node/ledger/replica_internal.h"

#include "base/assert.h"
#include "base/ed25519.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A damaged journal leaves a follower that does not vote. */
static enum err open_journal(struct replica *r) {
    if (r->config.key == NULL) {
        return OK;
    }
    enum err e = replica_restore_read(r);
    if (e == ERR_CORRUPT) {
        char text[320];
        (void)snprintf(text, sizeof text,
                       "the vote journal is damaged (%s); this node follows and does not vote in epoch %llu (see assay "
                       "node recover)",
                       journal_error(), (unsigned long long)r->epoch.number);
        replica_alarm(r, "journal-damaged", text);
        return OK;
    }
    return e;
}

/* CONSENSUS_OBSERVER, which is also CONSENSUS_ALL, when the key is not in the set. */
static uint16_t place_in(const struct validator_set *set, const uint8_t key[KEY_LEN]) {
    for (uint16_t i = 0; i < set->count; i++) {
        if (memcmp(set->keys[i], key, KEY_LEN) == 0) {
            return i;
        }
    }
    return CONSENSUS_OBSERVER;
}

static void sign_with_secret(void *ctx, const uint8_t *message, size_t len, uint8_t out[SIG_LEN]) {
    const struct replica *r = ctx;
    ASSERT(r->journal != NULL); /* nothing is signed that can't be written down first */
    ed25519_sign(r->config.secret, message, len, out);
}

/* Who of the peers is which validator. */
static void place_peers(struct replica *r) {
    struct validator_set set = chain_epoch_set(&r->epoch);
    for (uint16_t i = 0; i < r->epoch.count; i++) {
        r->peer_of[i] = NO_PEER;
    }
    for (uint16_t p = 0; p < REPLICA_PEERS_MAX; p++) {
        struct peer_state *peer = &r->peers[p];
        peer->index = peer->known ? place_in(&set, peer->key) : CONSENSUS_ALL;
        ASSERT(peer->index < r->epoch.count || peer->index == CONSENSUS_ALL);
        if (peer->index != CONSENSUS_ALL) {
            r->peer_of[peer->index] = p;
        }
    }
}

enum err replica_set_peer(struct replica *r, uint16_t peer, const uint8_t key[KEY_LEN]) {
    if (peer >= REPLICA_PEERS_MAX) {
        return ERR_RANGE;
    }
    struct peer_state *state = &r->peers[peer];
    bool same = key != NULL && state->known && memcmp(state->key, key, KEY_LEN) == 0;
    struct peer_state fresh = {.known = key != NULL};
    if (same) { /* one that moves to another address is not forgiven for it */
        fresh.fouls = state->fouls;
        fresh.fouls_seen = state->fouls_seen;
        fresh.deaf_until_ms = state->deaf_until_ms;
    }
    *state = fresh;
    if (key != NULL) {
        memcpy(r->peers[peer].key, key, KEY_LEN);
    }
    place_peers(r);
    return OK;
}

/* The core of the epoch that the chain is in. Without a journal it follows and is silent, and so it does in an epoch
 * that the journal has left behind: that one is over, and what was said in it is not remembered any more. */
static enum err make_core(struct replica *r) {
    r->epoch = *chain_epoch(r->config.chain);
    const struct validator_set set = chain_epoch_set(&r->epoch);
    r->me = r->config.key != NULL ? place_in(&set, r->key) : CONSENSUS_OBSERVER;
    place_peers(r);
    bool own = r->config.sign == NULL;
    const struct consensus_config config = {
        .chain_id = chain_id(r->config.chain),
        .epoch = r->epoch.number,
        .validators = set,
        .me = r->me,
        .may_vote = r->journal != NULL && !replica_restored_beyond(r, r->epoch.number),
        .crypto = r->config.crypto,
        .sign = own ? sign_with_secret : r->config.sign,
        .sign_ctx = own ? r : r->config.sign_ctx,
        .timing = r->config.timing.consensus,
    };
    size_t len = consensus_memory(set.count);
    free(r->core_memory);
    r->core = NULL;
    r->core_memory = malloc(len);
    enum err e = r->core_memory != NULL ? consensus_init(r->core_memory, len, &config, &r->core) : ERR_NOMEM;
    if (e == OK) {
        consensus_set_heartbeat(r->core, chain_params(r->config.chain)->heartbeat_ms);
    }
    return e;
}

static enum err allocate(const struct replica_config *config, struct replica **out) {
    struct replica *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return ERR_NOMEM;
    }
    r->config = *config;
    if (config->key != NULL) {
        memcpy(r->key, config->key, KEY_LEN);
        r->config.key = r->key;
    }
    r->effects = calloc(1, sizeof *r->effects);
    r->out = calloc(OUTBOX_MESSAGES_MAX, sizeof *r->out);
    if (r->effects == NULL || r->out == NULL) {
        replica_close(r);
        return ERR_NOMEM;
    }
    r->config.journal_dir = NULL;
    *out = r;
    return OK;
}

enum err replica_open(const struct replica_config *config, uint64_t wall_ms, uint64_t mono_ms, struct replica **out) {
    if (config->key != NULL && config->secret == NULL && config->sign == NULL) {
        return ERR_CONFIG;
    }
    struct replica *r;
    ASSERT(config->ops.send != NULL && config->ops.multicast != NULL && config->ops.set_timer != NULL);
    enum err e = allocate(config, &r);
    if (e != OK) {
        return e;
    }
    r->config.journal_dir = config->journal_dir; /* only while opening */
    r->wall_ms = wall_ms;
    r->lifetime_ms = chain_params(r->config.chain)->tx_max_lifetime_ms;
    r->mono_ms = r->taken_reset_ms = r->synced_ms = mono_ms;
    r->core_timer_ms = UINT64_MAX;
    r->epoch = *chain_epoch(config->chain);
    replica_judge_blocks(r);
    e = open_journal(r);
    if (e == OK) {
        e = replica_restore_final(r);
    }
    r->decided_height = chain_head(config->chain)->header.height;
    if (e == OK) {
        e = make_core(r);
    }
    if (e == OK) {
        e = replica_restore_epoch(r);
    }
    r->config.journal_dir = NULL;
    if (e != OK) {
        replica_close(r);
        return e;
    }
    *out = r;
    return OK;
}

/* What the old epoch's core wanted is of no use any more. The block log is made durable first: whoever has voted in the
 * new epoch must not wake up in the old one. */
enum err replica_begin_epoch(struct replica *r) {
    ASSERT(consensus_closed(r->core) && r->final_count == 0); /* the old one has said all it had to say */
    enum err e = replica_sync_chain(r);
    if (e != OK) {
        return e;
    }
    r->effects->count = 0;
    r->followup_count = 0;
    buffer_reset(&r->gone);
    memset(r->pending, 0, sizeof r->pending);
    r->pending_count = 0;
    r->build_wanted = false;
    r->vote_count = 0;
    r->work = false;
    r->barren_until_ms = 0;
    r->proven_height = 0;
    memset(r->odd_clocks, 0, sizeof r->odd_clocks);
    r->core_timer_ms = UINT64_MAX;
    e = make_core(r);
    if (e != OK) {
        return replica_fail(r, e, "beginning epoch %llu: %s", (unsigned long long)chain_epoch(r->config.chain)->number,
                            err_text(e));
    }
    e = replica_restore_epoch(r);
    return e == OK ? replica_tell_waiting(r, TO_VALIDATORS, 0) : e;
}

void replica_close(struct replica *r) {
    if (r == NULL) {
        return;
    }
    chain_set_judge(r->config.chain, &(struct chain_judge){.worth = NULL});
    journal_close(r->journal);
    replica_drop_fetches(r);
    free(r->core_memory);
    free(r->effects);
    free(r->out);
    buffer_free(&r->out_bytes);
    buffer_free(&r->gone);
    replica_restored_free(&r->restored);
    free(r);
}
