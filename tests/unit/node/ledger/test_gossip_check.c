#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/ledger/gossip_check.h"
#include "tests/lib/chain_fixture.h"

#include <unistd.h>

#define PEER 5u

struct fixture {
    struct chain_fixture ledger;
    uv_loop_t loop;
    struct gossip_check *check;
    size_t good, blamed;
};

static void on_good(void *ctx, const struct transaction *tx) {
    struct fixture *f = ctx;
    f->good++;
    (void)!mempool_add(f->ledger.pool, tx);
}

static void on_bad(void *ctx, uint16_t peer) {
    struct fixture *f = ctx;
    assert_int_equal(peer, PEER);
    f->blamed++;
}

static void open_fixture(struct fixture *f, size_t max_queued) {
    memset(f, 0, sizeof *f);
    fixture_open(&f->ledger);
    f->ledger.time_ms = clock_wall_ms() - 3600000;
    assert_int_equal(uv_loop_init(&f->loop), 0);
    const struct gossip_check_config config = {.loop = &f->loop,
                                               .chain = f->ledger.chain,
                                               .mempool = f->ledger.pool,
                                               .max_queued = max_queued,
                                               .good = on_good,
                                               .bad = on_bad,
                                               .ctx = f};
    assert_int_equal(gossip_check_new(&config, &f->check), OK);
}

static void close_fixture(struct fixture *f) {
    gossip_check_free(f->check);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    fixture_close(&f->ledger);
}

/* How many of one envelope come out good. */
static size_t passed(struct fixture *f, const struct buffer *b) {
    size_t before = f->good;
    gossip_check_put(f->check, PEER, buffer_bytes(b));
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_true(gossip_check_idle(f->check));
    return f->good - before;
}

static void only_what_could_stand_in_a_block_passes(void **state) {
    (void)state;
    struct fixture f;
    struct buffer b = BUFFER_INIT;
    open_fixture(&f, 100);
    struct world *w = &f.ledger.world;
    uint64_t soon = clock_wall_ms() + 60000;
    fixture_register(&f.ledger, soon, &b);
    assert_int_equal(passed(&f, &b), 1);
    assert_int_equal(passed(&f, &b), 0); /* it waits in the mempool: not checked again */
    buffer_reset(&b);
    fixture_register(&f.ledger, soon, &b);
    b.data[b.len - 1] ^= 1;
    assert_int_equal(passed(&f, &b), 0);
    assert_int_equal(f.blamed, 1); /* honest nodes check before they pass on */
    buffer_reset(&b);
    fixture_register(&f.ledger, WORLD_START_MS, &b); /* expired at the genesis' own time */
    assert_int_equal(passed(&f, &b), 0);
    buffer_reset(&b);
    fixture_register(&f.ledger, clock_wall_ms() + w->genesis.params.tx_max_lifetime_ms + 60000, &b);
    assert_int_equal(passed(&f, &b), 0);
    buffer_reset(&b);
    w->chain_id[0] ^= 1;
    fixture_register(&f.ledger, soon, &b);
    w->chain_id[0] ^= 1;
    assert_int_equal(passed(&f, &b), 0);
    Assay__DeviceEndorse args;
    assay__device_endorse__init(&args);
    buffer_reset(&b);
    fixture_envelope(&f.ledger, "device", "endorse", &args.base, soon, PEOPLE_OF(STRANGER), &b);
    assert_int_equal(passed(&f, &b), 0);
    buffer_reset(&b);
    fixture_envelope(&f.ledger, "device", "explode", &args.base, soon, PEOPLE_OF(GATEWAY_1), &b);
    assert_int_equal(passed(&f, &b), 0);
    buffer_reset(&b);
    assert_int_equal(f.blamed, 1); /* what depends on the state may be honest */
    buffer_put(&b, "nonsense", 8);
    assert_int_equal(passed(&f, &b), 0);
    assert_int_equal(f.blamed, 2);
    assert_int_equal(gossip_check_stats(f.check).dropped, 0);
    buffer_free(&b);
    close_fixture(&f);
}

static void a_flood_is_dropped_and_counted_and_the_rest_comes_through(void **state) {
    (void)state;
    struct fixture f;
    struct buffer b = BUFFER_INIT;
    open_fixture(&f, 200);
    for (int i = 0; i < 300; i++) {
        buffer_reset(&b);
        fixture_register(&f.ledger, clock_wall_ms() + 60000, &b);
        gossip_check_put(f.check, PEER, buffer_bytes(&b));
    }
    uint64_t dropped = gossip_check_stats(f.check).dropped;
    assert_true(dropped > 0 && dropped <= 100);
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    assert_int_equal(f.good + dropped, 300);
    assert_int_equal(mempool_count(f.ledger.pool), f.good);
    buffer_free(&b);
    close_fixture(&f);
}

static void copies_of_one_on_its_way_are_not_taken_again_but_other_signatures_are(void **state) {
    (void)state;
    struct fixture f;
    struct buffer b = BUFFER_INIT;
    open_fixture(&f, 100);
    fixture_register(&f.ledger, clock_wall_ms() + 60000, &b);
    b.data[b.len - 1] ^= 1; /* somebody spoils a copy and is faster */
    gossip_check_put(f.check, PEER, buffer_bytes(&b));
    b.data[b.len - 1] ^= 1;
    gossip_check_put(f.check, PEER, buffer_bytes(&b));
    gossip_check_put(f.check, PEER, buffer_bytes(&b));
    assert_int_equal(gossip_check_stats(f.check).taken, 2);
    assert_int_equal(gossip_check_stats(f.check).known, 1);
    assert_int_equal(gossip_check_stats(f.check).queued, 2);
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    assert_int_equal(f.good, 1);
    assert_int_equal(gossip_check_stats(f.check).refused, 1);
    assert_int_equal(gossip_check_stats(f.check).queued, 0);
    buffer_free(&b);
    close_fixture(&f);
}

static struct transaction tx_of(const struct buffer *b) {
    struct transaction tx;
    assert_int_equal(transaction_decode(buffer_bytes(b), &tx, NULL), OK);
    return tx;
}

/* The first one occupies the pool's batch; the second can't have been begun. */
static void what_a_block_brings_first_is_left_to_whoever_asks(void **state) {
    (void)state;
    struct fixture f;
    struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
    open_fixture(&f, 100);
    mempool_ask_also(f.ledger.pool, gossip_check_vouches, f.check);
    fixture_register(&f.ledger, clock_wall_ms() + 60000, &first);
    fixture_register(&f.ledger, clock_wall_ms() + 60000, &second);
    gossip_check_put(f.check, PEER, buffer_bytes(&first));
    gossip_check_put(f.check, PEER, buffer_bytes(&second));
    struct transaction tx = tx_of(&second);
    assert_true(mempool_proves(f.ledger.pool, &tx));
    assert_int_equal(mempool_stats(f.ledger.pool).checked, 1);
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    assert_int_equal(f.good, 1);
    assert_int_equal(gossip_check_stats(f.check).overtaken, 1);
    assert_int_equal(mempool_count(f.ledger.pool), 2);
    assert_true(mempool_proves(f.ledger.pool, &tx));
    assert_int_equal(mempool_stats(f.ledger.pool).checked, 1); /* it waits: never checked again */
    buffer_free(&first);
    buffer_free(&second);
    close_fixture(&f);
}

static void what_the_pool_found_good_is_vouched_for_before_it_is_handed_back(void **state) {
    (void)state;
    struct fixture f;
    struct buffer b = BUFFER_INIT;
    open_fixture(&f, 100);
    mempool_ask_also(f.ledger.pool, gossip_check_vouches, f.check);
    fixture_register(&f.ledger, clock_wall_ms() + 60000, &b);
    struct transaction tx = tx_of(&b);
    gossip_check_put(f.check, PEER, buffer_bytes(&b));
    /* The pool works on its own; asking before it began would take the work away from it. */
    (void)usleep(200000);
    assert_int_equal(f.good, 0);
    assert_true(mempool_proves(f.ledger.pool, &tx));
    assert_int_equal(mempool_stats(f.ledger.pool).checked, 0);
    assert_int_equal(mempool_stats(f.ledger.pool).vouched, 1);
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    assert_int_equal(f.good, 1);
    buffer_free(&b);
    close_fixture(&f);
}

static void closing_frees_what_was_never_checked(void **state) {
    (void)state;
    struct fixture f;
    struct buffer b = BUFFER_INIT;
    open_fixture(&f, 200);
    for (int i = 0; i < 3; i++) {
        buffer_reset(&b);
        fixture_register(&f.ledger, clock_wall_ms() + 60000, &b);
        gossip_check_put(f.check, PEER, buffer_bytes(&b));
    }
    while (!gossip_check_idle(f.check)) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
    buffer_free(&b);
    close_fixture(&f);
    gossip_check_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_could_stand_in_a_block_passes),
        cmocka_unit_test(a_flood_is_dropped_and_counted_and_the_rest_comes_through),
        cmocka_unit_test(copies_of_one_on_its_way_are_not_taken_again_but_other_signatures_are),
        cmocka_unit_test(what_a_block_brings_first_is_left_to_whoever_asks),
        cmocka_unit_test(what_the_pool_found_good_is_vouched_for_before_it_is_handed_back),
        cmocka_unit_test(closing_frees_what_was_never_checked),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
