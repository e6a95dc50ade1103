#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ed25519.h"
#include "contracts/genesis/genesis.h"
#include "node/host/host_crypto.h"
#include "node/ledger/peer_codec.h"
#include "node/ledger/replica.h"
#include "tests/lib/certificate_encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS 1700000000000u

/* One validator's replica on a real disk; the others are played by the test. */
struct fixture {
    char dir[64], journal_dir[96];
    struct genesis genesis;
    struct genesis_node nodes[4];
    struct genesis_org org;
    uint8_t keys[4][KEY_LEN];
    uint8_t secrets[4][ED25519_SECRET_LEN];
    uint16_t n;
    struct disk_ops counting_ops; /* disk_posix with its syncs counted */
    struct mempool *mempool;
    struct chain *chain;
    struct replica *replica;
    uint64_t now_ms, timer_ms;
    unsigned sent, blocks, transactions;
    unsigned sent_to[4]; /* alone, not by broadcast */
    unsigned sent_in[PEER_CLASS_GOSSIP + 1];
    unsigned syncs_at_first_send;
    char alarm[32], alarm_text[192];
    unsigned alarms, foul_peers;
    uint64_t notarized_view; /* the last one that the node notarized */
    struct chain *others;    /* what the other validators build on */
    char others_dir[96];
};

static unsigned syncs; /* of any file; one test at a time */

static enum err counted_sync(struct disk_file *file) {
    syncs++;
    return disk_posix().ops->sync(file);
}

static void note_notarize(struct fixture *f, struct bytes message) {
    struct peer_message m;
    assert_int_equal(peer_decode(message, &m), OK);
    for (size_t i = 0; m.kind == PEER_VOTES && i < m.u.votes.count; i++) {
        if (m.u.votes.items[i].subject.kind == VOTE_NOTARIZE) {
            f->notarized_view = m.u.votes.items[i].subject.view;
        }
    }
    peer_free(&m);
}

static void on_sent(void *ctx, enum peer_kind kind, struct bytes message) {
    struct fixture *f = ctx;
    note_notarize(f, message);
    f->sent_in[peer_traits(kind)->class]++;
    assert_true(message.len > 0);
    if (f->sent++ == 0) {
        f->syncs_at_first_send = syncs;
    }
}

static void op_send(void *ctx, uint16_t peer, enum peer_kind kind, struct bytes message) {
    ((struct fixture *)ctx)->sent_to[peer]++;
    on_sent(ctx, kind, message);
}

static void op_multicast(void *ctx, const uint16_t *peers, size_t count, enum peer_kind kind, struct bytes message) {
    (void)peers;
    if (count > 0) {
        on_sent(ctx, kind, message);
    }
}

static void op_set_timer(void *ctx, uint64_t mono_ms) {
    ((struct fixture *)ctx)->timer_ms = mono_ms;
}

static void op_check_transaction(void *ctx, uint16_t peer, struct bytes envelope) {
    (void)peer;
    (void)envelope;
    ((struct fixture *)ctx)->transactions++;
}

static void op_on_final(void *ctx, const struct block *block) {
    (void)block;
    ((struct fixture *)ctx)->blocks++;
}

static void op_on_alarm(void *ctx, const char *name, const char *text) {
    struct fixture *f = ctx;
    assert_string_not_equal(text, "");
    (void)snprintf(f->alarm, sizeof f->alarm, "%s", name);
    (void)snprintf(f->alarm_text, sizeof f->alarm_text, "%s", text);
    f->alarms++;
}

static void op_on_foul(void *ctx, uint16_t peer, const uint8_t key[KEY_LEN]) {
    struct fixture *f = ctx;
    assert_memory_equal(key, f->keys[peer], KEY_LEN);
    f->foul_peers |= 1u << peer;
}

static void make_genesis(struct fixture *f) {
    struct genesis *g = &f->genesis;
    (void)snprintf(g->name, sizeof g->name, "test");
    g->time_ms = START_MS - 1000;
    genesis_params_default(&g->params);
    g->orgs = &f->org;
    g->org_count = 1;
    (void)snprintf(f->org.id, sizeof f->org.id, "test");
    f->org.kind = ORG_OPERATOR;
    f->org.admin_count = f->org.admin_threshold = 1;
    f->org.admins[0][0] = 1;
    g->nodes = f->nodes;
    g->node_count = f->n;
    for (uint16_t i = 0; i < f->n; i++) {
        uint8_t seed[ED25519_SEED_LEN] = {(uint8_t)(i + 1)};
        ed25519_from_seed(seed, f->keys[i], f->secrets[i]);
        memcpy(f->nodes[i].key, f->keys[i], KEY_LEN);
        f->nodes[i].link_key[0] = (uint8_t)(i + 1);
        (void)snprintf(f->nodes[i].org, sizeof f->nodes[i].org, "test");
        f->nodes[i].role = NODE_VALIDATOR;
    }
}

static struct chain *open_chain(const struct fixture *f, const char *dir, struct mempool *mempool) {
    struct chain *out;
    struct kv_backend backend;
    assert_int_equal(kv_memory_open(&backend), OK);
    const struct chain_config chain = {.disk = disk_posix(),
                                       .dir = dir,
                                       .backend = backend,
                                       .genesis = &f->genesis,
                                       .crypto = &host_crypto,
                                       .mempool = mempool,
                                       .segment_bytes = 1u << 20,
                                       .version_keep_ms = 600000,
                                       .checkpoint_bytes = 1u << 30};
    assert_int_equal(chain_open(&chain, &out), OK);
    return out;
}

static void open_node(struct fixture *f) {
    const struct mempool_config pool = {.max_count = 100, .max_bytes = 1u << 20, .max_per_sender = 100};
    assert_int_equal(mempool_new(&pool, &f->mempool), OK);
    f->counting_ops = *disk_posix().ops;
    f->counting_ops.sync = counted_sync;
    f->chain = open_chain(f, f->dir, f->mempool);
    struct replica_config config = {.key = f->keys[0],
                                    .secret = f->secrets[0],
                                    .crypto = &host_crypto,
                                    .chain = f->chain,
                                    .mempool = f->mempool,
                                    .disk = {&f->counting_ops, disk_posix().ctx},
                                    .journal_dir = f->journal_dir,
                                    .journal_segment_bytes = 1u << 20,
                                    .ops = {.send = op_send,
                                            .multicast = op_multicast,
                                            .set_timer = op_set_timer,
                                            .check_transaction = op_check_transaction,
                                            .on_final = op_on_final,
                                            .on_foul = op_on_foul,
                                            .on_alarm = op_on_alarm},
                                    .ctx = f};
    replica_timing_default(&config.timing);
    assert_int_equal(replica_open(&config, START_MS + f->now_ms, f->now_ms, &f->replica), OK);
    for (uint16_t i = 1; i < f->n; i++) {
        assert_int_equal(replica_set_peer(f->replica, i, f->keys[i]), OK);
    }
    syncs = 0;
    f->sent = 0;
}

static void close_node(struct fixture *f) {
    replica_close(f->replica);
    chain_close(f->chain);
    mempool_free(f->mempool);
}

static struct fixture *begin(uint16_t n) {
    struct fixture *f = calloc(1, sizeof *f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/test_replica.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->journal_dir, sizeof f->journal_dir, "%s/journal", f->dir);
    assert_int_equal(crypto_start(), OK);
    f->n = n;
    f->now_ms = 5000;
    make_genesis(f);
    open_node(f);
    return f;
}

static void end(struct fixture *f) {
    char command[128];
    close_node(f);
    (void)snprintf(command, sizeof command, "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
}

static void turn(struct fixture *f) {
    assert_int_equal(replica_flush(f->replica), OK);
    struct why why = WHY_NONE;
    replica_check(f->replica);
    if (!chain_check(f->chain, false, &why) || !mempool_check(f->mempool, &why)) {
        fail_msg("%s", why.text);
    }
}

static void say(struct fixture *f, uint16_t from, const struct peer_message *message) {
    struct buffer bytes = BUFFER_INIT;
    assert_int_equal(peer_encode(message, &bytes), OK);
    assert_int_equal(replica_message(f->replica, from, buffer_bytes(&bytes)), OK);
    buffer_free(&bytes);
}

static void submit_until(struct fixture *f, uint8_t salt, uint64_t expiry_ms, enum err expected) {
    const uint8_t(*secrets[])[ED25519_SECRET_LEN] = {(const uint8_t(*)[ED25519_SECRET_LEN]) & f->secrets[0]};
    const struct transaction_draft draft = {.chain_id = chain_id(f->chain),
                                            .expiry_ms = expiry_ms,
                                            .salt = {salt},
                                            .contract = "test",
                                            .method = "test",
                                            .args = bytes_str("x")};
    struct buffer envelope = BUFFER_INIT;
    struct transaction tx;
    assert_int_equal(transaction_build(&draft, secrets, 1, &envelope), OK);
    assert_int_equal(transaction_decode(buffer_bytes(&envelope), &tx, NULL), OK);
    assert_int_equal(replica_transaction(f->replica, &tx, true), expected);
    buffer_free(&envelope);
}

static void submit(struct fixture *f, uint8_t salt, enum err expected) {
    submit_until(f, salt, START_MS + 600000, expected);
}

static void one_validator_makes_a_transaction_final_in_one_turn_and_one_sync(void **state) {
    (void)state;
    struct fixture *f = begin(1);
    submit(f, 1, OK);
    turn(f);
    assert_int_equal(f->blocks, 1);
    struct replica_stats stats;
    replica_stats(f->replica, &stats);
    assert_int_equal(stats.journal_syncs, 1);
    assert_int_equal(mempool_count(f->mempool), 0);
    submit(f, 1, ERR_EXISTS); /* executed: it must not wait and look like work */
    turn(f);
    assert_int_equal(f->blocks, 1);
    end(f);
}

static void what_was_final_is_final_after_a_restart_from_the_journal_alone(void **state) {
    (void)state;
    struct fixture *f = begin(1);
    for (uint8_t i = 1; i <= 5; i++) {
        submit(f, i, OK);
        turn(f);
    }
    close_node(f);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s/blocks", f->dir); /* never synced: the power cut took it */
    assert_int_equal(system(command), 0);
    open_node(f);
    assert_int_equal(chain_head(f->chain)->header.height, 5);
    end(f);
}

static void votes_are_durable_before_they_are_sent(void **state) {
    (void)state;
    struct fixture *f = begin(4);
    turn(f);
    for (uint16_t peer = 1; peer < 4; peer++) {
        say(f, peer, &(struct peer_message){.kind = PEER_RECALL, .u.recall.nonce = 5000});
    }
    submit(f, 1, OK);
    turn(f);
    f->sent = 0;
    syncs = 0;
    f->now_ms += 400;
    assert_int_equal(replica_tick(f->replica, START_MS + f->now_ms, f->now_ms), OK);
    assert_int_equal(f->sent, 0); /* nothing leaves before the turn ends */
    turn(f);
    assert_true(f->sent > 0);
    assert_true(f->syncs_at_first_send > 0);
    end(f);
}

/* Gossip is sent once: what a validator missed while its link was down would wait for this node's turn to lead. */
static void a_validator_whose_link_comes_up_is_told_what_waits(void **state) {
    (void)state;
    struct fixture *f = begin(4);
    submit(f, 1, OK);
    submit(f, 2, OK);
    turn(f);
    unsigned before = f->sent_to[2];
    assert_int_equal(replica_peer_up(f->replica, 2), OK);
    assert_int_equal(f->sent_to[2], before); /* nothing leaves before the turn ends */
    turn(f);
    assert_int_equal(f->sent_to[2], before + 2);
    end(f);
}

/* A flood of transactions must not crowd out votes on a narrow link. */
static void transactions_leave_as_gossip_and_standing_as_sync(void **state) {
    (void)state;
    struct fixture *f = begin(4);
    turn(f); /* its recall, and where it stands */
    memset(f->sent_in, 0, sizeof f->sent_in);
    submit(f, 1, OK);
    turn(f);
    assert_int_equal(f->sent_in[PEER_CLASS_GOSSIP], 1);
    assert_int_equal(f->sent_in[PEER_CLASS_SYNC], 0);
    f->now_ms += 2000;
    assert_int_equal(replica_tick(f->replica, START_MS + f->now_ms, f->now_ms), OK);
    turn(f);
    assert_true(f->sent_in[PEER_CLASS_SYNC] > 0);
    assert_true(f->sent_in[PEER_CLASS_CONSENSUS] > 0); /* the recall is asked again */
    assert_int_equal(f->sent_in[PEER_CLASS_GOSSIP], 1);
    end(f);
}

/* Everybody is listened to again. */
static void forgive(struct fixture *f) {
    for (uint16_t i = 1; i < f->n; i++) {
        assert_int_equal(replica_set_peer(f->replica, i, NULL), OK);
        assert_int_equal(replica_set_peer(f->replica, i, f->keys[i]), OK);
    }
}

static void garbage_is_counted_and_changes_nothing(void **state) {
    (void)state;
    struct fixture *f = begin(4);
    uint8_t noise[512];
    for (unsigned round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof noise; i++) {
            noise[i] = (uint8_t)((round * 31 + i * (round + 7)) >> (i % 3));
        }
        assert_int_equal(replica_message(f->replica, (uint16_t)(round % 5), bytes_of(noise, round % sizeof noise)), OK);
        if (round % REPLICA_FOULS == 0) {
            forgive(f);
        }
    }
    struct bytes junk = bytes_of(noise, sizeof noise);
    const struct peer_message whole[PEER_KINDS] = {
        [PEER_PROPOSAL].u.proposal = {.view = UINT64_MAX, .body = junk, .certificates = {&junk, 1}},
        [PEER_CERTIFICATES].u.certificates = {&junk, 1},
        [PEER_RECALL_ASK].u.recall_ask.nonce = UINT64_MAX,
        [PEER_RECALL].u.recall.nonce = UINT64_MAX,
        [PEER_CERTIFICATES_ASK].u.certificates_ask = {UINT64_MAX, UINT64_MAX},
        [PEER_BODY].u.body.body = junk,
        [PEER_BLOCKS_ASK].u.blocks_ask.first_height = UINT64_MAX,
        [PEER_BLOCKS].u.blocks = {.bodies = {&junk, 1}, .finalization = junk, .height = UINT64_MAX},
        [PEER_STATUS].u.status.height = UINT64_MAX,
        [PEER_TRANSACTION].u.transaction.envelope = junk,
    };
    for (int kind = 0; kind < (int)PEER_KINDS; kind++) {
        struct peer_message message = whole[kind];
        message.kind = (enum peer_kind)kind;
        say(f, 1, &message);
    }
    assert_int_equal(replica_message(f->replica, REPLICA_PEERS_MAX, junk), OK);
    turn(f);
    struct replica_stats stats;
    replica_stats(f->replica, &stats);
    assert_true(stats.messages_bad > 1000);
    assert_int_equal(stats.height, 0);
    assert_int_equal(stats.wanted_bodies, 0);
    assert_int_equal(f->transactions, 1);
    end(f);
}

/* Votes with false signatures cost a check each: who sends many is not listened to for a while, and named. */
static void who_floods_with_false_votes_is_cut_off(void **state) {
    (void)state;
    struct fixture *f = begin(4);
    struct consensus_vote vote = {.subject = {.view = 1, .kind = VOTE_NULLIFY}, .signer = 2};
    const struct peer_message votes = {.kind = PEER_VOTES, .u.votes = {&vote, 1}};
    struct replica_stats stats;
    turn(f);
    for (uint32_t i = 0; i < 10 * REPLICA_FOULS; i++) {
        vote.signature[0] = (uint8_t)i;
        vote.signature[1] = (uint8_t)(i >> 8);
        say(f, 2, &votes);
    }
    replica_stats(f->replica, &stats);
    assert_int_equal(stats.consensus.signatures_checked, REPLICA_FOULS + 1);
    assert_int_equal(replica_fouls(f->replica, 2), REPLICA_FOULS + 1);
    assert_int_equal(f->foul_peers, 1u << 2);
    assert_string_equal(f->alarm, "false-messages");
    char key[2 * KEY_LEN + 1];
    hex_encode(f->keys[2], KEY_LEN, key);
    key[16] = '\0';
    assert_non_null(strstr(f->alarm_text, key));
    assert_int_equal(f->alarms, 1);
    say(f, 1, &votes); /* the others are listened to */
    assert_int_equal(replica_fouls(f->replica, 1), 1);
    assert_int_equal(replica_set_peer(f->replica, 2, f->keys[2]), OK); /* another address helps nothing */
    say(f, 2, &votes);
    assert_int_equal(replica_fouls(f->replica, 2), REPLICA_FOULS + 1);
    f->now_ms += REPLICA_DEAF_MS;
    assert_int_equal(replica_tick(f->replica, START_MS + f->now_ms, f->now_ms), OK);
    turn(f);
    vote.signature[2] = 1;
    say(f, 2, &votes);
    assert_int_equal(replica_fouls(f->replica, 2), REPLICA_FOULS + 2);
    assert_int_equal(f->alarms, 1); /* a minute of peace has earned it another chance */
    end(f);
}

/* So is who floods with what can't be read, or passes on transactions that no honest node passes on. */
static void every_kind_of_falsehood_counts(void **state) {
    (void)state;
    struct fixture *f = begin(4);
    turn(f);
    for (uint32_t i = 0; i < REPLICA_FOULS; i++) {
        assert_int_equal(replica_message(f->replica, 1, bytes_str("nonsense")), OK);
        replica_foul(f->replica, 3);
    }
    assert_int_equal(f->foul_peers, 0);
    assert_int_equal(replica_message(f->replica, 1, bytes_str("nonsense")), OK);
    replica_foul(f->replica, 3);
    assert_int_equal(f->foul_peers, 1u << 1 | 1u << 3);
    end(f);
}

static void another_epochs_messages_are_ignored(void **state) {
    (void)state;
    struct fixture *f = begin(4);
    turn(f);
    struct buffer bytes = BUFFER_INIT;
    assert_int_equal(
        peer_encode(&(struct peer_message){.kind = PEER_RECALL, .epoch = 1, .u.recall.nonce = 5000}, &bytes), OK);
    for (uint16_t peer = 1; peer < 4; peer++) {
        assert_int_equal(replica_message(f->replica, peer, buffer_bytes(&bytes)), OK);
    }
    struct replica_stats stats;
    replica_stats(f->replica, &stats);
    assert_false(stats.consensus.voting);
    buffer_free(&bytes);
    end(f);
}

static void a_damaged_journal_leaves_a_follower(void **state) {
    (void)state;
    struct fixture *f = begin(1);
    for (uint8_t i = 1; i <= 20; i++) {
        submit(f, i, OK);
        turn(f);
    }
    assert_int_equal(replica_sync(f->replica), OK);
    close_node(f);
    char command[256];
    (void)snprintf(command, sizeof command,
                   "for i in %s/journal/vote-*; do printf XXXX | dd of=$i bs=1 seek=600 conv=notrunc status=none; done",
                   f->dir);
    assert_int_equal(system(command), 0);
    open_node(f);
    assert_string_equal(f->alarm, "journal-damaged");
    submit(f, 99, OK);
    turn(f);
    struct replica_stats stats;
    replica_stats(f->replica, &stats);
    assert_true(stats.consensus.refused);
    assert_int_equal(stats.height, 20);
    end(f);
}

static struct replica_stats stats_of(const struct fixture *f) {
    struct replica_stats stats;
    replica_stats(f->replica, &stats);
    return stats;
}

static void claim(struct fixture *f, uint16_t peer, uint64_t height) {
    say(f, peer, &(struct peer_message){.kind = PEER_STATUS, .u.status.height = height});
    turn(f);
}

static void wait(struct fixture *f, uint64_t ms) {
    for (uint64_t end_ms = f->now_ms + ms; f->now_ms < end_ms; f->now_ms += 50) {
        assert_int_equal(replica_tick(f->replica, START_MS + f->now_ms, f->now_ms), OK);
        turn(f);
    }
}

/* After a vote for a shorter lifetime, what was sent before must wait: it is no reason for a block. */
static void a_transaction_that_no_block_may_take_yet_is_no_work(void **state) {
    (void)state;
    struct fixture *f = begin(1);
    submit_until(f, 1, START_MS + 2 * LIMIT_TX_LIFETIME_MS, OK);
    wait(f, 5000);
    assert_int_equal(f->blocks, 0);
    submit(f, 2, OK);
    turn(f);
    assert_int_equal(f->blocks, 1);
    wait(f, 3000);
    assert_int_equal(f->blocks, 1);
    assert_int_equal(mempool_count(f->mempool), 1);
    end(f);
}

/* One of four may lie, and observers may say what they like. */
static void a_liar_and_observers_move_no_height_that_is_believed(void **state) {
    (void)state;
    struct fixture *f = begin(4);
    uint8_t observer[KEY_LEN] = {0x77};
    assert_int_equal(replica_set_peer(f->replica, 9, observer), OK);
    claim(f, 1, UINT64_MAX / 2);
    claim(f, 9, 5000);
    assert_int_equal(stats_of(f).best_height, 0);
    assert_false(stats_of(f).catching_up);
    claim(f, 2, 700);
    assert_int_equal(stats_of(f).best_height, 700); /* a correct one says at least so much */
    assert_true(stats_of(f).catching_up);
    claim(f, 3, 650);
    assert_int_equal(stats_of(f).best_height, 700);
    end(f);
}

/* Whoever claims a height and gives no block of it is not believed for a while, and then again. */
static void a_claim_that_is_not_honoured_is_forgotten(void **state) {
    (void)state;
    struct fixture *f = begin(4);
    claim(f, 1, 900);
    claim(f, 2, 800);
    assert_int_equal(stats_of(f).best_height, 800);
    wait(f, 20000);
    assert_true(f->sent_to[1] > 0 && f->sent_to[2] > 0);
    assert_int_equal(stats_of(f).best_height, 0);
    assert_false(stats_of(f).catching_up);
    wait(f, 60000);
    claim(f, 1, 900);
    claim(f, 2, 800);
    assert_int_equal(stats_of(f).best_height, 800);
    end(f);
}

static void a_flood_of_claims_is_cut_off(void **state) {
    (void)state;
    struct fixture *f = begin(4);
    claim(f, 2, 10);
    for (uint64_t height = 1; height <= 1000; height++) {
        claim(f, 1, height % 2 == 0 ? height : UINT64_MAX - height);
    }
    assert_int_equal(stats_of(f).best_height, 10);
    wait(f, 1200);
    claim(f, 1, 3);
    assert_true(stats_of(f).best_height <= 10);
    end(f);
}

static unsigned answers_to(struct fixture *f, uint16_t peer, const struct peer_message *question, uint32_t times) {
    unsigned before = f->sent_to[peer];
    for (uint32_t i = 0; i < times; i++) {
        say(f, peer, question);
    }
    turn(f);
    return f->sent_to[peer] - before;
}

/* Another peer is answered all the same, and the same one a second later. */
static void no_more_questions_are_taken_than_the_table_says(void **state) {
    (void)state;
    struct fixture *f = begin(1);
    struct peer_message asks[] = {{.kind = PEER_BLOCKS_ASK, .u.blocks_ask.first_height = 1}, {.kind = PEER_BODY_ASK}};
    for (uint16_t peer = 1; peer < 3; peer++) {
        const uint8_t key[KEY_LEN] = {(uint8_t)peer};
        assert_int_equal(replica_set_peer(f->replica, peer, key), OK);
    }
    submit(f, 1, OK);
    turn(f);
    memcpy(asks[1].u.body_ask.hash, chain_head(f->chain)->hash, HASH_LEN);
    for (size_t i = 0; i < 2; i++) {
        uint32_t most = peer_traits(asks[i].kind)->per_second;
        assert_true(most > 0);
        assert_int_equal(answers_to(f, 1, &asks[i], most + 10), most);
        assert_int_equal(answers_to(f, 2, &asks[i], 1), 1);
        f->now_ms += 1000;
        assert_int_equal(replica_tick(f->replica, START_MS + f->now_ms, f->now_ms), OK);
        assert_int_equal(answers_to(f, 1, &asks[i], 1), 1);
    }
    end(f);
}

/* ---- Clocks -------------------------------------------------------------------------------------------------------- */

/* One of four that is ready to vote; the others have a chain of their own, as it is before the first block. */
static struct fixture *begin_among_others(void) {
    struct fixture *f = begin(4);
    turn(f);
    for (uint16_t peer = 1; peer < 4; peer++) {
        say(f, peer, &(struct peer_message){.kind = PEER_RECALL, .u.recall.nonce = 5000});
    }
    turn(f);
    (void)snprintf(f->others_dir, sizeof f->others_dir, "%s/others", f->dir);
    f->others = open_chain(f, f->others_dir, NULL);
    return f;
}

static void end_among_others(struct fixture *f) {
    chain_close(f->others);
    end(f);
}

static void sign_as(const struct fixture *f, uint16_t validator, const struct vote_subject *subject,
                    uint8_t out[SIG_LEN]) {
    uint8_t text[VOTE_SIGNED_LEN];
    vote_signed_bytes(chain_id(f->chain), subject, text);
    ed25519_sign(f->secrets[validator], text, sizeof text, out);
}

/* The others nullify the view, which ends it. */
static void leave_view(struct fixture *f) {
    uint64_t view = stats_of(f).consensus.view;
    for (uint16_t peer = 1; peer < 4; peer++) {
        struct consensus_vote vote = {.subject = {.view = view, .kind = VOTE_NULLIFY}, .signer = peer};
        sign_as(f, peer, &vote.subject, vote.signature);
        say(f, peer, &(struct peer_message){.kind = PEER_VOTES, .u.votes = {&vote, 1}});
    }
    turn(f);
}

static uint16_t next_leader(struct fixture *f) {
    if (stats_of(f).consensus.leader == stats_of(f).me) {
        leave_view(f);
    }
    return stats_of(f).consensus.leader;
}

/* The leader, whose clock says `leader_ms`, proposes a first block while the node's clock says `wall_ms`. Does the
 * node notarize it? The view ends without a block. */
static bool notarizes(struct fixture *f, uint64_t leader_ms, uint64_t wall_ms) {
    uint16_t leader = next_leader(f);
    struct vote_subject subject = {.view = stats_of(f).consensus.view, .kind = VOTE_PROPOSE};
    struct peer_message proposal = {.kind = PEER_PROPOSAL, .u.proposal.view = subject.view};
    assert_int_equal(replica_tick(f->replica, wall_ms, ++f->now_ms), OK);
    assert_int_equal(
        chain_build(f->others, chain_head(f->others)->hash, subject.view, leader, leader_ms, subject.block), OK);
    proposal.u.proposal.body = chain_body(f->others, subject.block);
    sign_as(f, leader, &subject, proposal.u.proposal.signature);
    say(f, leader, &proposal);
    turn(f);
    bool notarized = f->notarized_view == subject.view;
    leave_view(f);
    return notarized;
}

#define HOURS(n) ((n)*UINT64_C(3600000))

/* All clocks were once ahead: until real time has caught up blocks are a millisecond apart, and nobody is to blame.
 */
static void the_least_time_there_is_is_taken_whatever_the_clock_says(void **state) {
    (void)state;
    struct fixture *f = begin_among_others();
    uint64_t head_ms = f->genesis.time_ms;
    const uint64_t walls[] = {head_ms - HOURS(2), head_ms + HOURS(2), head_ms - HOURS(24 * 365)};
    for (size_t i = 0; i < 15; i++) {
        assert_true(notarizes(f, head_ms - HOURS(2), walls[i % 3])); /* a right clock: parent + 1 */
    }
    assert_int_equal(f->alarms, 0);
    end_among_others(f);
}

static void other_times_far_from_our_clock_are_refused(void **state) {
    (void)state;
    struct fixture *f = begin_among_others();
    uint64_t head_ms = f->genesis.time_ms;
    assert_true(notarizes(f, head_ms + 2, head_ms + 2));
    assert_true(notarizes(f, head_ms + 2002, head_ms + 2));
    assert_false(notarizes(f, head_ms + 2003, head_ms + 2));
    assert_true(notarizes(f, head_ms + 2, head_ms + 30002));
    assert_false(notarizes(f, head_ms + 2, head_ms + 30003));
    end_among_others(f);
}

static void the_one_whose_clock_differs_is_named_and_nobody_else(void **state) {
    (void)state;
    struct fixture *f = begin_among_others();
    uint64_t now_ms = f->genesis.time_ms + HOURS(1);
    while (f->alarms == 0) {
        uint16_t leader = next_leader(f);
        assert_int_equal(notarizes(f, leader == 2 ? now_ms + HOURS(1) : now_ms, now_ms), leader != 2);
    }
    assert_string_equal(f->alarm, "clock-differs");
    assert_non_null(strstr(f->alarm_text, "validator 2 keeps proposing times ahead of our clock"));
    for (size_t round = 0; round < 2; round++) { /* said again while it holds, not with each proposal */
        while (next_leader(f) != 2) {
            assert_true(notarizes(f, now_ms, now_ms));
        }
        assert_false(notarizes(f, now_ms + HOURS(1), now_ms));
        assert_int_equal(f->alarms, 1 + round);
        f->now_ms += 30000;
    }
    end_among_others(f);
}

static void where_most_clocks_differ_ours_is_the_one_to_look_at(void **state) {
    (void)state;
    struct fixture *f = begin_among_others();
    uint64_t now_ms = f->genesis.time_ms + HOURS(2);
    while (f->alarms < 3) {
        assert_false(notarizes(f, now_ms, now_ms - HOURS(1)));
        assert_true(f->alarms == 0 || strstr(f->alarm_text, "check ours first") != NULL);
    }
    end_among_others(f);
}

/* ---- As many blocks as a window has views ----------------------------------------------------------------------------- */

#define DEEP 254u

/* The others build one on the other without any of them being final. */
static void build_deep(struct fixture *f, uint8_t hashes[DEEP][HASH_LEN]) {
    const uint8_t *at = chain_head(f->others)->hash;
    for (unsigned v = 1; v <= DEEP; v++) {
        assert_int_equal(chain_build(f->others, at, v, (uint16_t)(v % 4), START_MS + v, hashes[v - 1]), OK);
        at = hashes[v - 1];
    }
}

/* Validators 1 to 3 stand behind a block. */
static void certify(const struct fixture *f, enum vote_kind kind, uint64_t view, const uint8_t hash[HASH_LEN],
                    struct buffer *out) {
    static uint8_t sigs[4][SIG_LEN];
    uint8_t bitmap[1] = {0xe}, encoded[CERTIFICATE_MAX];
    struct vote_subject subject = {.view = view, .kind = kind};
    memcpy(subject.block, hash, HASH_LEN);
    for (uint16_t i = 1; i < 4; i++) {
        sign_as(f, i, &subject, sigs[i]);
    }
    buffer_reset(out);
    buffer_put(out, encoded, certificate_encode(&subject, 4, bitmap, (const uint8_t(*)[SIG_LEN])sigs, encoded));
}

/* A node that knows the newest block alone asks for its parent, that one's parent, and so on down. */
static void a_deep_run_is_fetched_from_its_newest_block_on(void **state) {
    (void)state;
    static uint8_t hashes[DEEP][HASH_LEN];
    struct fixture *f = begin_among_others();
    struct buffer certificate = BUFFER_INIT;
    build_deep(f, hashes);
    certify(f, VOTE_NOTARIZE, DEEP, hashes[DEEP - 1], &certificate);
    struct bytes span = buffer_bytes(&certificate);
    say(f, 1, &(struct peer_message){.kind = PEER_CERTIFICATES, .u.certificates = {&span, 1}});
    turn(f);
    for (unsigned i = DEEP; i-- > 0;) {
        assert_int_equal(chain_status(f->chain, hashes[i]), CHAIN_UNKNOWN);
        say(f, 1, &(struct peer_message){.kind = PEER_BODY, .u.body.body = chain_body(f->others, hashes[i])});
        turn(f);
    }
    for (unsigned i = 0; i < DEEP; i++) {
        assert_int_equal(chain_status(f->chain, hashes[i]), CHAIN_VALID);
    }
    buffer_free(&certificate);
    end_among_others(f);
}

static struct buffer served;

static void keep_blocks(void *ctx, uint16_t peer, enum peer_kind kind, struct bytes message) {
    struct peer_message m;
    (void)ctx;
    (void)peer;
    (void)kind;
    assert_int_equal(peer_decode(message, &m), OK);
    if (m.kind == PEER_BLOCKS) {
        buffer_reset(&served);
        buffer_put(&served, message.data, message.len);
    }
    peer_free(&m);
}

/* What a node on the others' chain answers to whoever asks for blocks from the first on. */
static void ask_others(struct fixture *f) {
    const struct mempool_config pool = {.max_count = 100, .max_bytes = 1u << 20, .max_per_sender = 100};
    struct mempool *mempool;
    struct replica *server;
    struct buffer ask = BUFFER_INIT;
    assert_int_equal(mempool_new(&pool, &mempool), OK);
    struct replica_config config = {
        .crypto = &host_crypto,
        .chain = f->others,
        .mempool = mempool,
        .disk = disk_posix(),
        .ops = {.send = keep_blocks, .multicast = op_multicast, .set_timer = op_set_timer},
        .ctx = f,
    };
    replica_timing_default(&config.timing);
    assert_int_equal(replica_open(&config, START_MS, 5000, &server), OK);
    assert_int_equal(replica_set_peer(server, 0, f->keys[0]), OK);
    assert_int_equal(peer_encode(&(struct peer_message){.kind = PEER_BLOCKS_ASK, .u.blocks_ask.first_height = 1}, &ask),
                     OK);
    assert_int_equal(replica_message(server, 0, buffer_bytes(&ask)), OK);
    assert_int_equal(replica_flush(server), OK);
    replica_close(server);
    mempool_free(mempool);
    buffer_free(&ask);
}

/* One finalization makes all of it final: whoever asks for the first block gets all up to that, and can prove it. */
static void a_deep_run_that_is_final_is_caught_up_with_and_proven(void **state) {
    (void)state;
    static uint8_t hashes[DEEP][HASH_LEN];
    struct fixture *f = begin_among_others();
    struct buffer certificate = BUFFER_INIT, bundle = BUFFER_INIT;
    struct chain_view view;
    build_deep(f, hashes);
    certify(f, VOTE_FINALIZE, DEEP, hashes[DEEP - 1], &certificate);
    assert_int_equal(chain_finalize(f->others, hashes[DEEP - 1], buffer_bytes(&certificate), NULL, NULL), OK);
    assert_int_equal(chain_view_open(f->others, &view), OK);
    assert_int_equal(chain_view_prove(&view, bytes_str("governance"), bytes_str("validators"), 1, 0, &bundle), OK);
    chain_view_close(&view);
    ask_others(f);
    assert_true(served.len > 0);
    for (uint16_t peer = 1; peer < 4; peer++) {
        claim(f, peer, DEEP);
    }
    wait(f, 3000);
    for (uint16_t peer = 1; peer < 4; peer++) {
        assert_int_equal(replica_message(f->replica, peer, buffer_bytes(&served)), OK);
    }
    turn(f);
    assert_int_equal(chain_head(f->chain)->header.height, DEEP);
    buffer_free(&served);
    buffer_free(&certificate);
    buffer_free(&bundle);
    end_among_others(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_that_no_block_may_take_yet_is_no_work),
        cmocka_unit_test(a_liar_and_observers_move_no_height_that_is_believed),
        cmocka_unit_test(a_claim_that_is_not_honoured_is_forgotten),
        cmocka_unit_test(a_flood_of_claims_is_cut_off),
        cmocka_unit_test(no_more_questions_are_taken_than_the_table_says),
        cmocka_unit_test(one_validator_makes_a_transaction_final_in_one_turn_and_one_sync),
        cmocka_unit_test(what_was_final_is_final_after_a_restart_from_the_journal_alone),
        cmocka_unit_test(votes_are_durable_before_they_are_sent),
        cmocka_unit_test(a_validator_whose_link_comes_up_is_told_what_waits),
        cmocka_unit_test(transactions_leave_as_gossip_and_standing_as_sync),
        cmocka_unit_test(garbage_is_counted_and_changes_nothing),
        cmocka_unit_test(who_floods_with_false_votes_is_cut_off),
        cmocka_unit_test(every_kind_of_falsehood_counts),
        cmocka_unit_test(another_epochs_messages_are_ignored),
        cmocka_unit_test(a_damaged_journal_leaves_a_follower),
        cmocka_unit_test(the_least_time_there_is_is_taken_whatever_the_clock_says),
        cmocka_unit_test(other_times_far_from_our_clock_are_refused),
        cmocka_unit_test(the_one_whose_clock_differs_is_named_and_nobody_else),
        cmocka_unit_test(where_most_clocks_differ_ours_is_the_one_to_look_at),
        cmocka_unit_test(a_deep_run_is_fetched_from_its_newest_block_on),
        cmocka_unit_test(a_deep_run_that_is_final_is_caught_up_with_and_proven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
