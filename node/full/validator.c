/* A validator or an observer: the ledger thread (libuv's loop) with everything that hangs on it. */
#include "node/full/validator.h"

#include "base/clock.h"
#include "ipfs-lite/repo.h"
#include "node/api/events.h"
#include "node/full/evidence_tx.h"
#include "node/full/peers.h"
#include "node/full/validator_http.h"
#include "node/full/vitals.h"
#include "node/home/home_chain.h"
#include "node/home/home_join_start.h"
#include "node/host/host_crypto.h"
#include "node/host/log.h"
#include "node/host/notify.h"
#include "node/http/listen.h"
#include "node/ledger/chain_prune.h"
#include "node/ledger/gossip_check.h"
#include "node/ledger/ledger_time.h"
#include "node/ledger/mempool.h"
#include "node/ledger/replica.h"
#include "node/snapshot/snapshots.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define STATUS_MS 100
#define GOVERNANCE_MS 5000u      /* how often who takes part is looked up, without a sign of change */
#define CHECKPOINT_IDLE_MS 30000 /* a node with little to do still writes what it has now and then */
#define SUBMIT_QUEUE 4096
#define SUBMIT_WAITING 8192
#define GOSSIP_QUEUE 8192

struct validator {
    struct daemon_home *home;
    struct lifecycle *life;
    struct why *why;
    enum err failed; /* the first local fault: the node stops */

    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_timer_t replica_timer;
    uv_timer_t status_timer;
    uv_prepare_t prepare;
    uv_check_t check;
    bool loop_open;

    struct mempool *mempool;
    struct home_chain store;
    struct chain *chain; /* of the store */
    struct replica *replica;
    struct peers *peers;
    struct submit *submit;
    struct gossip_check *gossip;
    struct vitals vitals;
    char data_dir[CONFIG_PATH_MAX];
    uint64_t checkpoint_us; /* when the one under way began */
    bool governance_stale;  /* blocks came since it was last looked at */
    uint64_t governance_ms;
    struct repo *repo;
    struct events *events;
    struct snapshots *snapshots;
    struct validator_http http;

    bool touched; /* the replica knows this turn's time */
    uv_work_t checkpoint_work;
    struct kv_checkpoint *checkpoint;
    enum err checkpoint_result;
    bool checkpointing;
    uint64_t last_checkpoint_ms;
};

static void fail(struct validator *v, enum err e, const char *what, const char *detail) {
    lifecycle_move(v->life, LIFECYCLE_FAULT);
    if (v->failed == OK) {
        v->failed = e;
        const char *place = e == ERR_CORRUPT && detail[0] == '\0' ? kv_lmdb_error() : detail;
        why_set(v->why, "%s: %s%s%s", what, err_text(e), place[0] != '\0' ? ": " : "", place);
        uv_stop(&v->loop);
    }
}

/* ---- Turns of the loop ------------------------------------------------------------------------------------------- */

/* An answer about a message or transaction, or a fault that ends the node? */
static enum err settle(struct validator *v, enum err e) {
    if (e != OK && replica_failed(v->replica)) {
        fail(v, e, "ledger", replica_error(v->replica));
    }
    return e;
}

/* Before the first input of a turn: what happens now is judged by the time it is now. */
static void touch(struct validator *v) {
    if (!v->touched) {
        v->touched = true;
        (void)settle(v, replica_tick(v->replica, clock_wall_ms(), clock_mono_ms()));
    }
}

/* After a turn's input: one sync for all of it, then what was to be sent. */
static void flush(struct validator *v) {
    if (v->touched && v->failed == OK) {
        v->touched = false;
        v->vitals.loop_turns++;
        (void)settle(v, replica_flush(v->replica));
    }
}

static void on_prepare(uv_prepare_t *handle) {
    flush(handle->data);
}

static void on_check(uv_check_t *handle) {
    flush(handle->data);
}

static void on_replica_timer(uv_timer_t *handle) {
    touch(handle->data);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct validator *v = handle->data;
    if (number == SIGTERM || number == SIGINT) {
        lifecycle_move(v->life, LIFECYCLE_TOLD_TO_STOP);
        uv_stop(&v->loop);
    }
    if (number == SIGHUP && daemon_home_reload(v->home)) {
        listen_reload(&v->home->config, v->http.server);
    }
}

/* ---- What the replica asks for ----------------------------------------------------------------------------------- */

_Static_assert(PEER_KINDS <= LINKS_KINDS, "each kind of message is counted");

static enum frame_class frame_class_of(enum peer_kind kind) {
    static const enum frame_class frames[] = {
        [PEER_CLASS_CONSENSUS] = FRAME_CONSENSUS, [PEER_CLASS_SYNC] = FRAME_SYNC, [PEER_CLASS_GOSSIP] = FRAME_GOSSIP};
    return frames[peer_traits(kind)->class];
}

static void replica_send(void *ctx, uint16_t peer, enum peer_kind kind, struct bytes message) {
    struct validator *v = ctx;
    /* Loss is everyday to the protocol: it resends. */
    v->vitals.unsent += peers_send(v->peers, peer, frame_class_of(kind), (unsigned)kind, message) ? 0 : 1;
}

static void replica_multicast(void *ctx, const uint16_t *peers, size_t count, enum peer_kind kind,
                              struct bytes message) {
    struct validator *v = ctx;
    v->vitals.unsent += count - peers_multicast(v->peers, peers, count, frame_class_of(kind), (unsigned)kind, message);
}

static void replica_set_timer(void *ctx, uint64_t mono_ms) {
    struct validator *v = ctx;
    uint64_t now = clock_mono_ms();
    uv_update_time(&v->loop);
    (void)uv_timer_start(&v->replica_timer, on_replica_timer, mono_ms > now ? mono_ms - now : 0, 0);
}

static void replica_check_transaction(void *ctx, uint16_t peer, struct bytes envelope) {
    struct validator *v = ctx;
    gossip_check_put(v->gossip, peer, envelope);
}

static void on_gossip_bad(void *ctx, uint16_t peer) {
    struct validator *v = ctx;
    replica_foul(v->replica, peer);
}

static void replica_on_foul(void *ctx, uint16_t peer, const uint8_t key[KEY_LEN]) {
    struct validator *v = ctx;
    (void)key;
    peers_shun(v->peers, peer, clock_mono_ms() + REPLICA_DEAF_MS);
}

/* Who takes part may also change in a block that calls nobody (what falls due): so every few seconds, too. */
static void look_at_governance(struct validator *v) {
    v->governance_stale = false;
    v->governance_ms = clock_mono_ms();
    enum err e = peers_refresh(v->peers);
    if (e == OK) {
        e = vitals_look_at_governance(&v->vitals);
    }
    if (e != OK) {
        fail(v, e, "reading the ledger's nodes", "");
    }
}

static void replica_on_too_far(void *ctx, const uint8_t tx_id[HASH_LEN]) {
    struct validator *v = ctx;
    submit_dropped(v->submit, tx_id, ERR_RANGE);
    log_event(LOG_DEBUG, "tx.too_far", log_hash("tx", tx_id, HASH_LEN));
}

static void replica_on_final(void *ctx, const struct block *block) {
    struct validator *v = ctx;
    vitals_block_final(&v->vitals, block);
    submit_block_final(v->submit, block);
    events_block_final(v->events, block);
    v->governance_stale = true;
    snapshots_tick(v->snapshots);
    if (block_calls(block, "governance") || block_header_closes(&block->header)) {
        look_at_governance(v);
    }
    log_event(LOG_DEBUG, "block.final", log_number("height", block->header.height),
              log_hash("hash", block->hash, HASH_LEN), log_number("txs", block->tx_count),
              log_number("view", block->header.view));
}

static void replica_on_alarm(void *ctx, const char *name, const char *text) {
    struct validator *v = ctx;
    vitals_alarm(&v->vitals, name, text);
}

static void on_peer_message(void *ctx, uint16_t peer, struct bytes message) {
    struct validator *v = ctx;
    if (lifecycle_takes_work(v->life)) {
        touch(v);
        (void)settle(v, replica_message(v->replica, peer, message));
    }
}

static void on_peer_up(void *ctx, uint16_t peer) {
    struct validator *v = ctx;
    if (lifecycle_takes_work(v->life)) {
        touch(v);
        (void)settle(v, replica_peer_up(v->replica, peer));
    }
}

static enum err set_peer(void *ctx, uint16_t peer, const uint8_t key[KEY_LEN]) {
    struct validator *v = ctx;
    return replica_set_peer(v->replica, peer, key);
}

/* ---- Transactions ------------------------------------------------------------------------------------------------ */

static enum err admit(void *ctx, const struct transaction *tx) {
    struct validator *v = ctx;
    touch(v);
    enum err e = settle(v, replica_transaction(v->replica, tx, true));
    if (e == OK) {
        vitals_admitted(&v->vitals);
    }
    return e;
}

static void on_gossip_good(void *ctx, const struct transaction *tx) {
    struct validator *v = ctx;
    if (lifecycle_takes_work(v->life)) {
        touch(v);
        (void)settle(v, replica_transaction(v->replica, tx, false));
    }
}

static void evidence_answered(void *arg, const struct submit_outcome *outcome) {
    (void)arg;
    log_event(LOG_INFO, "evidence.submitted", log_hash("tx", outcome->tx_id, HASH_LEN), log_err(outcome->error));
}

/* Every node that sees a contradiction says so; the ledger keeps the first. */
static void replica_on_evidence(void *ctx, const uint8_t key[KEY_LEN], const struct consensus_vote *first,
                                const struct consensus_vote *second) {
    struct validator *v = ctx;
    struct buffer envelope = BUFFER_INIT;
    uint64_t now_ms = ledger_time_now(clock_wall_ms(), chain_head(v->chain)->header.time_ms);
    enum err e = evidence_tx_build(chain_id(v->chain), (const uint8_t(*)[ED25519_SECRET_LEN])v->home->secret, key,
                                   first, second, now_ms, chain_params(v->chain)->tx_max_lifetime_ms, &envelope);
    if (e == OK) {
        e = submit_post(v->submit, buffer_bytes(&envelope), SUBMIT_ACCEPTED, 0, evidence_answered, NULL);
    }
    buffer_free(&envelope);
    log_event(LOG_WARN, "evidence.found", log_hash("validator", key, KEY_LEN), log_number("view", first->subject.view),
              log_err(e));
}

/* ---- Upkeep ------------------------------------------------------------------------------------------------------ */

static void write_checkpoint(uv_work_t *work) {
    struct validator *v = work->data;
    v->checkpoint_result = kv_checkpoint_write(v->checkpoint);
}

static void checkpoint_written(uv_work_t *work, int status) {
    struct validator *v = work->data;
    enum err e = chain_checkpoint_end(v->chain, v->checkpoint, status == 0 ? v->checkpoint_result : ERR_CLOSED);
    v->checkpointing = false;
    v->checkpoint = NULL;
    v->last_checkpoint_ms = clock_mono_ms();
    v->vitals.checkpoints += e == OK;
    stage_times_since(&v->vitals.times, STAGE_CHECKPOINT, v->checkpoint_us);
    if (e == OK) {
        e = chain_prune_bodies(v->chain, v->home->config.ledger.keep_bodies_ms);
    }
    if (e != OK) {
        fail(v, e, "checkpoint", chain_error(v->chain));
    }
}

static void maybe_checkpoint(struct validator *v, uint64_t now_ms) {
    bool due = chain_checkpoint_due(v->chain) || now_ms - v->last_checkpoint_ms >= CHECKPOINT_IDLE_MS;
    if (v->checkpointing || !due) {
        return;
    }
    enum err e = chain_checkpoint_begin(v->chain, &v->checkpoint);
    if (e == ERR_NOTFOUND) {
        v->last_checkpoint_ms = now_ms;
    } else if (e != OK) {
        fail(v, e, "checkpoint", chain_error(v->chain));
    } else if (uv_queue_work(&v->loop, &v->checkpoint_work, write_checkpoint, checkpoint_written) == 0) {
        v->checkpointing = true;
        v->checkpoint_us = stage_times_now_us(&v->vitals.times);
    } else {
        fail(v, chain_checkpoint_end(v->chain, v->checkpoint, ERR_CLOSED), "checkpoint", "no worker");
    }
}

static void on_status_timer(uv_timer_t *handle) {
    struct validator *v = handle->data;
    uint64_t now = clock_mono_ms();
    if (v->governance_stale && now - v->governance_ms >= GOVERNANCE_MS) {
        look_at_governance(v);
    }
    peers_tick(v->peers, now);
    vitals_write(&v->vitals, now);
    maybe_checkpoint(v, now);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static enum err say(struct validator *v, enum err e, const char *what, const char *detail) {
    if (e != OK && !why_said(v->why)) {
        why_set(v->why, "%s: %s", what, detail != NULL && detail[0] != '\0' ? detail : err_text(e));
    }
    return e;
}

/* Before the first byte is fetched or written. */
static enum err check_settings(struct validator *v) {
    struct http_config settings;
    return listen_settings(&v->home->config, &settings, v->why) ? OK : ERR_CONFIG;
}

static enum err open_storage(struct validator *v) {
    const struct config *config = &v->home->config;
    char folder[CONFIG_PATH_MAX];
    const struct mempool_config mempool = {.max_count = config->mempool.max_count,
                                           .max_bytes = config->mempool.max_bytes,
                                           .max_per_sender = config->mempool.max_per_sender,
                                           .max_bytes_per_sender = config->mempool.max_bytes_per_sender};
    enum err e = mempool_new(&mempool, &v->mempool);
    if (e == OK) {
        mempool_time(v->mempool, &v->vitals.times);
        e = home_path(v->home, "", v->data_dir);
    }
    if (e == OK) {
        lifecycle_move(v->life, LIFECYCLE_JOINS);
        e = home_join_start(v->home, v->why);
    }
    if (e == OK) {
        lifecycle_move(v->life, LIFECYCLE_JOINED);
        e = home_chain_open(v->home, v->mempool, &v->store, v->why);
        v->chain = v->store.chain;
    }
    if (e == OK) {
        e = events_new(v->chain, &v->events);
    }
    if (e == OK) {
        e = home_path(v->home, "snapshots", folder);
    }
    if (e == OK) {
        const struct snapshots_config snapshots = {
            .chain = v->chain, .dir = folder, .interval_blocks = config->snapshot.interval_blocks};
        e = snapshots_open(&snapshots, &v->snapshots);
    }
    if (e == OK) {
        e = home_path(v->home, "blobs", folder);
    }
    const struct repo_config repo = {.dir = folder, .max_image_bytes = config->blobs.max_image_bytes};
    return e == OK ? say(v, repo_open(&repo, &v->repo), "blob store", NULL) : e;
}

static enum err open_loop(struct validator *v) {
    if (uv_loop_init(&v->loop) != 0) {
        return say(v, ERR_NOMEM, "event loop", NULL);
    }
    v->loop_open = true;
    v->checkpoint_work.data = v;
    (void)uv_timer_init(&v->loop, &v->replica_timer);
    (void)uv_timer_init(&v->loop, &v->status_timer);
    (void)uv_prepare_init(&v->loop, &v->prepare);
    (void)uv_check_init(&v->loop, &v->check);
    v->replica_timer.data = v;
    v->status_timer.data = v;
    v->prepare.data = v;
    v->check.data = v;
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)uv_signal_init(&v->loop, &v->signals[i]);
        v->signals[i].data = v;
        (void)uv_signal_start(&v->signals[i], on_signal, numbers[i]);
    }
    const struct submit_config submit = {.loop = &v->loop,
                                         .chain = v->chain,
                                         .max_queued = SUBMIT_QUEUE,
                                         .max_waiting = SUBMIT_WAITING,
                                         .admit = admit,
                                         .ctx = v,
                                         .times = &v->vitals.times};
    enum err e = submit_new(&submit, &v->submit);
    const struct gossip_check_config gossip = {.loop = &v->loop,
                                               .chain = v->chain,
                                               .mempool = v->mempool,
                                               .max_queued = GOSSIP_QUEUE,
                                               .good = on_gossip_good,
                                               .bad = on_gossip_bad,
                                               .ctx = v};
    if (e == OK) {
        e = gossip_check_new(&gossip, &v->gossip);
    }
    if (e == OK) {
        mempool_ask_also(v->mempool, gossip_check_vouches, v->gossip);
    }
    return e;
}

static enum err open_replica(struct validator *v) {
    char journal[CONFIG_PATH_MAX];
    const struct config *config = &v->home->config;
    enum err e = home_path(v->home, "journal", journal);
    if (e != OK) {
        return e;
    }
    struct replica_config replica = {
        .key = v->home->key,
        .secret = v->home->secret,
        .crypto = &host_crypto,
        .chain = v->chain,
        .mempool = v->mempool,
        .disk = disk_posix(),
        .journal_dir = journal,
        .journal_segment_bytes = HOME_JOURNAL_SEGMENT_BYTES,
        .ops = {.send = replica_send,
                .multicast = replica_multicast,
                .set_timer = replica_set_timer,
                .check_transaction = replica_check_transaction,
                .on_evidence = replica_on_evidence,
                .on_final = replica_on_final,
                .on_too_far = replica_on_too_far,
                .on_foul = replica_on_foul,
                .on_alarm = replica_on_alarm},
        .ctx = v,
        .times = &v->vitals.times,
    };
    replica_timing_default(&replica.timing);
    replica.timing.consensus.leader_timeout_ms = (uint32_t)config->ledger.leader_timeout_ms;
    replica.timing.consensus.advance_timeout_ms = (uint32_t)config->ledger.advance_timeout_ms;
    replica.timing.max_ahead_ms = config->ledger.clock_ahead_ms;
    replica.timing.max_behind_ms = config->ledger.clock_behind_ms;
    e = replica_open(&replica, clock_wall_ms(), clock_mono_ms(), &v->replica);
    (void)say(v, e, "vote journal", NULL);
    return e == OK ? say(v, peers_attach(v->peers, &v->loop), "links", NULL) : e;
}

static enum err open_peers(struct validator *v) {
    const struct peers_ops ops = {.on_message = on_peer_message, .on_up = on_peer_up, .set_peer = set_peer, .ctx = v};
    enum err e = vitals_look_at_governance(&v->vitals);
    return e != OK ? say(v, e, "governance", NULL)
                   : say(v, peers_open(v->home, v->chain, &ops, &v->peers, v->why), "peers", NULL);
}

static enum err open_http(struct validator *v) {
    const struct validator_http_parts parts = {.home = v->home,
                                               .chain = v->chain,
                                               .submit = v->submit,
                                               .board = &v->vitals.board,
                                               .repo = v->repo,
                                               .events = v->events,
                                               .snapshots = v->snapshots};
    vitals_write(&v->vitals, clock_mono_ms()); /* who asks first is not told that nothing turns */
    return validator_http_open(&parts, &v->http, v->why);
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

static enum err announce(struct validator *v) {
    char url[HTTP_LISTEN_MAX + 16];
    validator_http_url(&v->http, url);
    struct replica_stats stats;
    replica_stats(v->replica, &stats);
    lifecycle_move(v->life, LIFECYCLE_SERVES);
    const enum node_role role = stats.me == CONSENSUS_OBSERVER ? NODE_OBSERVER : NODE_VALIDATOR;
    log_event(LOG_INFO, "node.ready", log_text("role", node_role_names[role]),
              log_number("epoch", stats.consensus.epoch), log_text("peer", v->home->config.peer.listen),
              log_text("http", url), log_number("height", chain_head(v->chain)->header.height));
    enum err e = notify_ready(v->home->config.peer.listen, url, chain_head(v->chain)->header.height);
    if (e != OK) { /* nobody who would hear it: it serves all the same */
        log_event(LOG_WARN, "notify.failed", log_text("state", "ready"), log_err(e));
    }
    return OK;
}

static void run_loop(struct validator *v) {
    (void)uv_prepare_start(&v->prepare, on_prepare);
    (void)uv_check_start(&v->check, on_check);
    (void)uv_timer_start(&v->status_timer, on_status_timer, STATUS_MS, STATUS_MS);
    v->last_checkpoint_ms = clock_mono_ms();
    touch(v);
    flush(v);
    if (v->failed == OK) {
        (void)uv_run(&v->loop, UV_RUN_DEFAULT);
    }
}

static void close_handle(uv_handle_t *handle, void *arg) {
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* So that the next start has nothing to execute again. */
static void last_checkpoint(struct validator *v) {
    struct kv_checkpoint *checkpoint;
    enum err e = chain_checkpoint_begin(v->chain, &checkpoint);
    if (e == OK) {
        e = chain_checkpoint_end(v->chain, checkpoint, kv_checkpoint_write(checkpoint));
    }
    if (e != OK && e != ERR_NOTFOUND) {
        fail(v, e, "checkpoint", chain_error(v->chain));
    }
}

/* Ends what runs, in the order in which things lean on each other; what is final is made durable first. */
static void shut_down(struct validator *v) {
    validator_http_stop(&v->http);
    if (v->loop_open) {
        (void)uv_prepare_stop(&v->prepare);
        (void)uv_check_stop(&v->check);
        (void)uv_timer_stop(&v->status_timer);
        while (v->checkpointing || (v->gossip != NULL && !gossip_check_idle(v->gossip))) {
            (void)uv_run(&v->loop, UV_RUN_ONCE);
        }
    }
    if (v->replica != NULL && v->failed == OK) {
        (void)settle(v, replica_flush(v->replica));
        (void)settle(v, replica_sync(v->replica));
    }
    if (v->chain != NULL && v->failed == OK) {
        last_checkpoint(v);
    }
    peers_close(v->peers);
    submit_free(v->submit);
    if (v->loop_open) {
        uv_walk(&v->loop, close_handle, NULL);
        (void)uv_run(&v->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&v->loop);
    }
    validator_http_close(&v->http);
    snapshots_close(v->snapshots);
    events_free(v->events);
    gossip_check_free(v->gossip);
    replica_close(v->replica);
    repo_close(v->repo);
    home_chain_close(&v->store);
    mempool_free(v->mempool);
    vitals_close(&v->vitals);
}

enum err validator_run(struct daemon_home *home, struct lifecycle *life, struct why *why) {
    struct validator *v = calloc(1, sizeof *v);
    if (v == NULL) {
        return ERR_NOMEM;
    }
    v->home = home;
    v->life = life;
    v->why = why;
    vitals_init(&v->vitals);
    enum err (*const steps[])(struct validator *) = {check_settings, open_storage, open_loop, open_peers,
                                                     open_replica,   open_http,    announce};
    enum err e = OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && e == OK; i++) {
        e = steps[i](v);
        e = e == OK ? v->failed : e;
        v->vitals.from = (struct vitals_sources){.chain = v->chain,
                                                 .events = v->events,
                                                 .mempool = v->mempool,
                                                 .peers = v->peers,
                                                 .replica = v->replica,
                                                 .submit = v->submit,
                                                 .gossip = v->gossip,
                                                 .data_dir = v->data_dir,
                                                 .http = v->http.server,
                                                 .key = home->key,
                                                 .role = home->config.node.role,
                                                 .clock_ahead_ms = home->config.ledger.clock_ahead_ms,
                                                 .http_connections = home->config.http.max_connections};
    }
    if (e == OK) {
        run_loop(v);
        (void)!notify_send("STOPPING=1"); /* whoever supervises may be gone already */
    } else {
        lifecycle_move(v->life, LIFECYCLE_FAULT);
    }
    shut_down(v);
    e = e != OK ? e : v->failed;
    log_event(e == OK ? LOG_INFO : LOG_ERROR, "node.stopped", log_text("result", err_name(e)));
    free(v);
    return e;
}
