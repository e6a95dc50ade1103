/* Room above the head: who gives way when there is none, and that what decides always has some. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/chain_fixture.h"

#define BIG_ROUNDS 150u

/* What the test, as the judge, says blocks are worth, and what it was told. */
struct court {
    uint8_t hash[8][HASH_LEN];
    enum chain_worth worth[8];
    size_t count;
    size_t gone;
    uint8_t last_gone[HASH_LEN];
};

static enum chain_worth court_worth(void *ctx, const struct block_header *header, const uint8_t hash[HASH_LEN]) {
    const struct court *court = ctx;
    (void)header;
    for (size_t i = 0; i < court->count; i++) {
        if (memcmp(court->hash[i], hash, HASH_LEN) == 0) {
            return court->worth[i];
        }
    }
    return CHAIN_WORTH_OFFERED;
}

static void court_gone(void *ctx, const struct block_header *header, const uint8_t hash[HASH_LEN]) {
    struct court *court = ctx;
    (void)header;
    court->gone++;
    memcpy(court->last_gone, hash, HASH_LEN);
}

static void hold_court(struct chain_fixture *f, struct court *court) {
    const struct chain_judge judge = {.worth = court_worth, .gone = court_gone, .ctx = court};
    *court = (struct court){.count = 0};
    chain_set_judge(f->chain, &judge);
}

static void rule(struct court *court, const uint8_t hash[HASH_LEN], enum chain_worth worth) {
    memcpy(court->hash[court->count], hash, HASH_LEN);
    court->worth[court->count++] = worth;
}

/* Another block every time: only its view is another. */
static enum err add(struct chain_fixture *f, struct buffer *body, enum chain_worth worth, uint16_t payer,
                    uint8_t out_hash[HASH_LEN]) {
    const struct chain_offer offer = {.worth = worth, .payer = payer};
    store_u64(body->data + 49, f->view++);
    return chain_add(f->chain, buffer_bytes(body), &offer, out_hash);
}

static bool is_here(const struct chain_fixture *f, const uint8_t hash[HASH_LEN]) {
    return chain_status(f->chain, hash) != CHAIN_UNKNOWN;
}

static void spoil_parent(struct block_header *h) {
    h->parent[0] ^= 1;
}

static void spoil_root(struct block_header *h) {
    h->state_root[0] ^= 1;
}

/* As large as a block may be, and of no use to anybody. */
static void craft_big(struct chain_fixture *f, struct buffer *out) {
    struct buffer b = BUFFER_INIT;
    fixture_register(f, f->time_ms + 60000, &b);
    size_t count = (LIMIT_BLOCK_BYTES - BLOCK_HEADER_LEN - 4) / (4 + b.len);
    count = count < LIMIT_BLOCK_TXS ? count : LIMIT_BLOCK_TXS;
    struct bytes *envelopes = calloc(count, sizeof *envelopes);
    for (size_t i = 0; i < count; i++) {
        envelopes[i] = buffer_bytes(&b);
    }
    fixture_craft(f, envelopes, count, spoil_parent, out);
    free(envelopes);
    buffer_free(&b);
}

static void whoever_fills_the_table_loses_its_own_oldest_first(void **state) {
    (void)state;
    struct chain_fixture f;
    struct court court;
    struct buffer body = BUFFER_INIT;
    uint8_t first[HASH_LEN], honest[HASH_LEN], hash[HASH_LEN];
    fixture_open(&f);
    hold_court(&f, &court);
    fixture_craft(&f, NULL, 0, spoil_parent, &body);
    assert_int_equal(add(&f, &body, CHAIN_WORTH_OFFERED, 1, honest), OK);
    assert_int_equal(add(&f, &body, CHAIN_WORTH_OFFERED, 3, first), OK);
    for (size_t i = 0; i < 3 * CHAIN_CANDIDATES; i++) {
        assert_int_equal(add(&f, &body, CHAIN_WORTH_OFFERED, 3, hash), OK);
    }
    assert_true(f.chain->candidate_bytes == CHAIN_CANDIDATES * body.len);
    assert_false(is_here(&f, first));
    assert_true(is_here(&f, honest));
    assert_true(is_here(&f, hash));
    assert_int_equal(court.gone, 2 * CHAIN_CANDIDATES + 2);
    assert_int_equal(add(&f, &body, CHAIN_WORTH_OFFERED, 1, hash),
                     OK); /* whoever holds less takes from who holds most */
    assert_true(is_here(&f, honest));
    buffer_free(&body);
    fixture_close(&f);
}

static void bytes_of_a_proposer_and_of_all_are_bounded(void **state) {
    (void)state;
    struct chain_fixture f;
    struct court court;
    struct buffer body = BUFFER_INIT;
    uint8_t hash[HASH_LEN];
    fixture_open(&f);
    hold_court(&f, &court);
    craft_big(&f, &body);
    for (size_t i = 0; i < BIG_ROUNDS; i++) {
        assert_int_equal(add(&f, &body, CHAIN_WORTH_OFFERED, 3, hash), OK);
        assert_true(f.chain->candidate_bytes <= CHAIN_PROPOSER_BYTES);
    }
    for (uint16_t payer = 0; payer < 40; payer++) {
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(add(&f, &body, CHAIN_WORTH_OFFERED, payer, hash), OK);
        }
    }
    assert_true(f.chain->candidate_bytes <= CHAIN_CANDIDATE_BYTES);
    assert_true(f.chain->candidate_bytes > CHAIN_CANDIDATE_BYTES - 2 * LIMIT_BLOCK_BYTES);
    buffer_free(&body);
    fixture_close(&f);
}

/* One Byzantine leader, or a long outage, fills the table; then a block comes that is proven final. */
static void what_is_proven_final_takes_the_room_of_what_is_only_offered(void **state) {
    (void)state;
    struct chain_fixture f;
    struct court court;
    struct buffer body = BUFFER_INIT, true_one = BUFFER_INIT;
    uint8_t hash[HASH_LEN];
    enum chain_status status;
    fixture_open(&f);
    hold_court(&f, &court);
    fixture_craft(&f, NULL, 0, NULL, &true_one);
    craft_big(&f, &body);
    enum err e = OK;
    for (uint16_t payer = 0; payer < BIG_ROUNDS && e == OK; payer++) {
        e = add(&f, &body, CHAIN_WORTH_OFFERED, payer, hash);
    }
    assert_int_equal(e, ERR_FULL);
    const struct chain_offer proven = {.worth = CHAIN_WORTH_FINAL, .payer = 0};
    assert_int_equal(chain_add(f.chain, buffer_bytes(&true_one), &proven, hash), OK);
    assert_int_equal(chain_execute(f.chain, hash, &status), OK);
    assert_int_equal(status, CHAIN_VALID);
    assert_int_equal(fixture_finalize(&f, hash), OK);
    buffer_free(&body);
    buffer_free(&true_one);
    fixture_close(&f);
}

static void what_is_worth_most_stays_and_nothing_else_gets_in(void **state) {
    (void)state;
    struct chain_fixture f;
    struct court court;
    struct buffer body = BUFFER_INIT;
    uint8_t kept[HASH_LEN], hash[HASH_LEN];
    fixture_open(&f);
    hold_court(&f, &court);
    fixture_craft(&f, NULL, 0, spoil_parent, &body);
    assert_int_equal(add(&f, &body, CHAIN_WORTH_OFFERED, 3, kept), OK);
    rule(&court, kept, CHAIN_WORTH_NOTARIZED);
    for (size_t i = 1; i < CHAIN_CANDIDATES; i++) {
        assert_int_equal(add(&f, &body, CHAIN_WORTH_NOTARIZED, 3, hash), OK);
    }
    assert_int_equal(add(&f, &body, CHAIN_WORTH_OFFERED, 1, hash), ERR_FULL);
    assert_int_equal(add(&f, &body, CHAIN_WORTH_WANTED, 1, hash), ERR_FULL);
    assert_int_equal(add(&f, &body, CHAIN_WORTH_NOTARIZED, 1, hash), ERR_FULL);
    assert_int_equal(court.gone, 0);
    court.worth[0] = CHAIN_WORTH_NOTHING;                                     /* its view was given up */
    assert_int_equal(add(&f, &body, CHAIN_WORTH_OFFERED, 1, hash), ERR_FULL); /* it was offered: not less than this */
    assert_int_equal(add(&f, &body, CHAIN_WORTH_WANTED, 1, hash), OK);
    assert_int_equal(court.gone, 1);
    assert_memory_equal(court.last_gone, kept, HASH_LEN);
    buffer_free(&body);
    fixture_close(&f);
}

static void invalid_ones_give_way_to_anything(void **state) {
    (void)state;
    struct chain_fixture f;
    struct court court;
    struct buffer body = BUFFER_INIT;
    uint8_t bad[HASH_LEN], hash[HASH_LEN];
    enum chain_status status;
    fixture_open(&f);
    hold_court(&f, &court);
    fixture_craft(&f, NULL, 0, spoil_root, &body);
    assert_int_equal(add(&f, &body, CHAIN_WORTH_NOTARIZED, 3, bad), OK);
    assert_int_equal(chain_execute(f.chain, bad, &status), OK);
    assert_int_equal(status, CHAIN_INVALID);
    for (size_t i = 1; i < CHAIN_CANDIDATES; i++) {
        assert_int_equal(add(&f, &body, CHAIN_WORTH_NOTARIZED, 3, hash), OK);
    }
    assert_int_equal(add(&f, &body, CHAIN_WORTH_OFFERED, 1, hash), OK);
    assert_memory_equal(court.last_gone, bad, HASH_LEN);
    buffer_free(&body);
    fixture_close(&f);
}

/* The state of an executed block is made of its ancestors': they stay as long as it does. */
static void a_block_stays_as_long_as_what_stands_on_it(void **state) {
    (void)state;
    struct chain_fixture f;
    struct court court;
    struct buffer body = BUFFER_INIT;
    uint8_t parent[HASH_LEN], child[HASH_LEN], hash[HASH_LEN];
    fixture_open(&f);
    hold_court(&f, &court);
    fixture_build(&f, chain_head(f.chain)->hash, parent);
    fixture_build(&f, parent, child);
    rule(&court, parent, CHAIN_WORTH_NOTHING);
    rule(&court, child, CHAIN_WORTH_NOTARIZED);
    chain_candidate(f.chain, parent)->worth = CHAIN_WORTH_NOTHING;
    fixture_craft(&f, NULL, 0, spoil_parent, &body);
    for (size_t i = 2; i < CHAIN_CANDIDATES + 5; i++) {
        assert_int_equal(add(&f, &body, CHAIN_WORTH_WANTED, 3, hash), i < CHAIN_CANDIDATES ? OK : ERR_FULL);
    }
    assert_true(is_here(&f, parent) && is_here(&f, child));
    court.worth[1] = CHAIN_WORTH_NOTHING;
    chain_candidate(f.chain, child)->worth = CHAIN_WORTH_NOTHING;
    assert_int_equal(add(&f, &body, CHAIN_WORTH_WANTED, 3, hash), OK); /* the leaf first */
    assert_true(is_here(&f, parent) && !is_here(&f, child));
    assert_int_equal(add(&f, &body, CHAIN_WORTH_WANTED, 3, hash), OK);
    assert_false(is_here(&f, parent));
    buffer_free(&body);
    fixture_close(&f);
}

/* A parent that is asked for is worth what waits for it, and paid for by whoever made that. */
static void a_wanted_parent_is_worth_what_waits_for_it(void **state) {
    (void)state;
    struct chain_fixture f;
    struct court court;
    struct buffer body = BUFFER_INIT, parent = BUFFER_INIT;
    uint8_t waits[HASH_LEN], hash[HASH_LEN];
    struct block_header header;
    uint16_t payer = 0;
    fixture_open(&f);
    hold_court(&f, &court);
    fixture_craft(&f, NULL, 0, NULL, &parent);
    assert_int_equal(block_peek(buffer_bytes(&parent), &header, hash), OK);
    fixture_craft(&f, NULL, 0, NULL, &body);
    assert_false(chain_payer_of(f.chain, hash, &payer));
    struct buffer child = BUFFER_INIT;
    buffer_put(&child, body.data, body.len);
    struct block_header h;
    assert_int_equal(block_header_decode(child.data, &h), GOOD);
    h.height++;
    memcpy(h.parent, hash, HASH_LEN);
    block_header_encode(&h, child.data);
    assert_int_equal(add(&f, &child, CHAIN_WORTH_NOTARIZED, 2, waits), OK);
    assert_true(chain_payer_of(f.chain, hash, &payer));
    assert_int_equal(payer, 2);
    for (size_t i = 1; i < CHAIN_CANDIDATES; i++) {
        uint8_t other[HASH_LEN];
        assert_int_equal(add(&f, &body, CHAIN_WORTH_WANTED, 3, other), OK);
    }
    const struct chain_offer offer = {.worth = CHAIN_WORTH_OFFERED, .payer = 2};
    assert_int_equal(chain_add(f.chain, buffer_bytes(&parent), &offer, hash), OK);
    buffer_free(&body);
    buffer_free(&child);
    buffer_free(&parent);
    fixture_close(&f);
}

static void a_block_on_much_that_is_not_final_must_be_empty(void **state) {
    (void)state;
    struct chain_fixture f;
    uint8_t at[HASH_LEN], next[HASH_LEN];
    fixture_setup(&f);
    f.limits.unfinal_bytes = 8000;
    assert_int_equal(fixture_try_open(&f), OK);
    memcpy(at, chain_head(f.chain)->hash, HASH_LEN);
    size_t full = 0;
    for (; chain_unfinal_bytes(f.chain, at) <= 4000; full++) {
        fixture_pool_devices(&f, 3);
        fixture_build(&f, at, next);
        memcpy(at, next, HASH_LEN);
        assert_true(chain_candidate(f.chain, at)->block.tx_count > 0);
        assert_true(full < 20);
    }
    assert_false(chain_is_crowded(f.chain, at));
    fixture_pool_devices(&f, 3);
    while (chain_unfinal_bytes(f.chain, at) <= 8000) {
        fixture_build(&f, at, next);
        memcpy(at, next, HASH_LEN);
        assert_int_equal(chain_candidate(f.chain, at)->block.tx_count, 0);
    }
    assert_false(chain_is_crowded(f.chain, at)); /* without an empty one on top nothing may ever be final again */
    f.chain->limits.unfinal_bytes = SIZE_MAX;    /* as a leader that keeps no measure has it */
    fixture_build(&f, at, next);
    f.chain->limits.unfinal_bytes = 8000;
    assert_true(chain_candidate(f.chain, next)->block.tx_count > 0);
    assert_true(chain_is_crowded(f.chain, next));
    assert_int_equal(fixture_finalize(&f, at), OK);
    fixture_build(&f, at, next);
    assert_true(chain_candidate(f.chain, next)->block.tx_count > 0);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_fills_the_table_loses_its_own_oldest_first),
        cmocka_unit_test(bytes_of_a_proposer_and_of_all_are_bounded),
        cmocka_unit_test(what_is_proven_final_takes_the_room_of_what_is_only_offered),
        cmocka_unit_test(what_is_worth_most_stays_and_nothing_else_gets_in),
        cmocka_unit_test(invalid_ones_give_way_to_anything),
        cmocka_unit_test(a_block_stays_as_long_as_what_stands_on_it),
        cmocka_unit_test(a_wanted_parent_is_worth_what_waits_for_it),
        cmocka_unit_test(a_block_on_much_that_is_not_final_must_be_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
