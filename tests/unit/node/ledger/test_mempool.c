#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/ledger/mempool_internal.h"

#include <string.h>

struct sender {
    uint8_t public_key[ED25519_KEY_LEN];
    uint8_t secret[ED25519_SECRET_LEN];
};

static struct sender sender_of(uint8_t n) {
    uint8_t seed[ED25519_SEED_LEN] = {n};
    struct sender s;
    ed25519_from_seed(seed, s.public_key, s.secret);
    return s;
}

/* A transaction of one signer; `n` makes it a different one. */
static struct transaction make(const struct sender *s, uint8_t n, uint64_t expiry_ms, struct buffer *envelope) {
    uint8_t chain[CHAIN_ID_LEN] = {7};
    struct transaction_draft draft = {
        .chain_id = chain, .expiry_ms = expiry_ms, .salt = {n}, .contract = "update", .method = "push"};
    const uint8_t(*secret)[ED25519_SECRET_LEN] = &s->secret;
    buffer_reset(envelope);
    assert_int_equal(transaction_build(&draft, &secret, 1, envelope), OK);
    struct transaction tx;
    assert_int_equal(transaction_decode(buffer_bytes(envelope), &tx, NULL), OK);
    return tx;
}

static struct mempool *pool_of(size_t count, size_t bytes, size_t per_sender) {
    struct mempool_config config = {.max_count = count, .max_bytes = bytes, .max_per_sender = per_sender};
    struct mempool *pool = NULL;
    assert_int_equal(mempool_new(&config, &pool), OK);
    return pool;
}

static void assert_sound(const struct mempool *pool) {
    struct why why = WHY_NONE;
    if (!mempool_check(pool, &why)) {
        fail_msg("%s", why.text);
    }
}

/* Whatever a test did, what it leaves is sound. */
static void end(struct mempool *pool) {
    assert_sound(pool);
    mempool_free(pool);
}

static void a_transaction_is_held_once_and_vouched_for(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct mempool *pool = pool_of(10, 100000, 10);
    struct sender s = sender_of(1);
    struct transaction tx = make(&s, 1, 1000, &b);
    assert_false(mempool_vouches(pool, &tx));
    assert_int_equal(mempool_add(pool, &tx), OK);
    assert_true(mempool_vouches(pool, &tx));
    assert_int_equal(mempool_add(pool, &tx), ERR_DUPLICATE);
    assert_sound(pool);
    assert_int_equal(mempool_count(pool), 1);
    assert_int_equal(mempool_bytes(pool), tx.envelope.len);
    mempool_remove(pool, tx.id);
    assert_int_equal(mempool_count(pool), 0);
    assert_int_equal(mempool_bytes(pool), 0);
    end(pool);
    buffer_free(&b);
}

static void other_signatures_under_a_known_id_are_not_vouched_for(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct mempool *pool = pool_of(10, 100000, 10);
    struct sender s = sender_of(1);
    struct transaction tx = make(&s, 1, 1000, &b);
    assert_int_equal(mempool_add(pool, &tx), OK);
    b.data[b.len - 1] ^= 1;
    assert_false(mempool_vouches(pool, &tx));
    end(pool);
    buffer_free(&b);
}

static void one_sender_cannot_crowd_out_another(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct mempool *pool = pool_of(10, 100000, 2);
    struct sender greedy = sender_of(1), other = sender_of(2);
    for (uint8_t n = 0; n < 2; n++) {
        struct transaction tx = make(&greedy, n, 1000, &b);
        assert_int_equal(mempool_add(pool, &tx), OK);
    }
    struct transaction third = make(&greedy, 3, 1000, &b);
    assert_int_equal(mempool_add(pool, &third), ERR_DENIED);
    struct transaction tx = make(&other, 3, 1000, &b);
    assert_int_equal(mempool_add(pool, &tx), OK);
    end(pool);
    buffer_free(&b);
}

static void count_and_bytes_are_bounded(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct sender s = sender_of(1);
    struct transaction tx = make(&s, 0, 1000, &b);
    size_t one = tx.envelope.len;
    struct mempool *few = pool_of(1, 100000, 10);
    assert_int_equal(mempool_add(few, &tx), OK);
    tx = make(&s, 1, 1000, &b);
    assert_int_equal(mempool_add(few, &tx), ERR_FULL);
    end(few);
    struct mempool *small = pool_of(10, 2 * one - 1, 10);
    tx = make(&s, 0, 1000, &b);
    assert_int_equal(mempool_add(small, &tx), OK);
    tx = make(&s, 1, 1000, &b);
    assert_int_equal(mempool_add(small, &tx), ERR_FULL);
    end(small);
    buffer_free(&b);
}

static void expired_ones_go_and_give_back_their_sender_share(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct mempool *pool = pool_of(10, 100000, 1);
    struct sender s = sender_of(1);
    struct transaction tx = make(&s, 1, 1000, &b);
    assert_int_equal(mempool_add(pool, &tx), OK);
    assert_int_equal(mempool_expire(pool, 999), 0);
    assert_int_equal(mempool_expire(pool, 1000), 1);
    assert_sound(pool);
    tx = make(&s, 2, 2000, &b);
    assert_int_equal(mempool_add(pool, &tx), OK);
    end(pool);
    buffer_free(&b);
}

static void one_sender_has_a_share_of_the_bytes(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct sender s = sender_of(1), other = sender_of(2);
    struct transaction tx = make(&s, 1, 1000, &b);
    struct mempool_config config = {
        .max_count = 10, .max_bytes = 100000, .max_per_sender = 10, .max_bytes_per_sender = 2 * tx.envelope.len};
    struct mempool *pool = NULL;
    assert_int_equal(mempool_new(&config, &pool), OK);
    assert_int_equal(mempool_add(pool, &tx), OK);
    tx = make(&s, 2, 1000, &b);
    assert_int_equal(mempool_add(pool, &tx), OK);
    tx = make(&s, 3, 2000, &b);
    assert_int_equal(mempool_add(pool, &tx), ERR_DENIED);
    tx = make(&other, 4, 1000, &b);
    assert_int_equal(mempool_add(pool, &tx), OK);
    assert_sound(pool);
    assert_int_equal(mempool_expire(pool, 1000), 3);
    tx = make(&s, 3, 2000, &b);
    assert_int_equal(mempool_add(pool, &tx), OK);
    end(pool);
    buffer_free(&b);
}

struct dropped {
    uint8_t ids[4][HASH_LEN];
    size_t count;
};

static void note_dropped(void *ctx, const uint8_t id[HASH_LEN]) {
    struct dropped *d = ctx;
    assert_in_range(d->count, 0, 3);
    memcpy(d->ids[d->count++], id, HASH_LEN);
}

static void what_expires_too_late_for_a_shorter_lifetime_goes_and_is_named(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct mempool *pool = pool_of(10, 100000, 3);
    struct sender s = sender_of(1);
    struct dropped dropped = {.count = 0};
    uint8_t late[HASH_LEN];
    struct transaction tx = make(&s, 1, 1000, &b);
    assert_int_equal(mempool_add(pool, &tx), OK);
    tx = make(&s, 2, 1001, &b);
    memcpy(late, tx.id, HASH_LEN);
    assert_int_equal(mempool_add(pool, &tx), OK);
    tx = make(&s, 3, 999, &b);
    assert_int_equal(mempool_add(pool, &tx), OK);
    assert_int_equal(mempool_drop_beyond(pool, 1001, note_dropped, &dropped), 0);
    assert_int_equal(mempool_drop_beyond(pool, 1000, note_dropped, &dropped), 1);
    assert_int_equal(dropped.count, 1);
    assert_memory_equal(dropped.ids[0], late, HASH_LEN);
    assert_int_equal(mempool_count(pool), 2);
    tx = make(&s, 4, 1000, &b); /* the sender's share is free again */
    assert_int_equal(mempool_add(pool, &tx), OK);
    assert_int_equal(mempool_drop_beyond(pool, 0, NULL, NULL), 3);
    end(pool);
    buffer_free(&b);
}

static bool note_salt(void *arg, const struct transaction *tx) {
    struct buffer *seen = arg;
    buffer_u8(seen, tx->body.data[1 + CHAIN_ID_LEN + 1 + ED25519_KEY_LEN + 8]);
    return seen->len < 3;
}

static void iteration_is_in_arrival_order_and_can_stop(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT, seen = BUFFER_INIT;
    struct mempool *pool = pool_of(10, 100000, 10);
    struct sender s = sender_of(1);
    uint8_t removed[HASH_LEN];
    for (uint8_t n = 1; n <= 5; n++) {
        struct transaction tx = make(&s, n, 1000, &b);
        assert_int_equal(mempool_add(pool, &tx), OK);
        if (n == 2) {
            memcpy(removed, tx.id, sizeof removed);
        }
    }
    mempool_remove(pool, removed);
    assert_sound(pool);
    mempool_each(pool, note_salt, &seen);
    assert_int_equal(seen.len, 3);
    assert_memory_equal(seen.data, ((const uint8_t[]){1, 3, 4}), 3);
    end(pool);
    buffer_free(&b);
    buffer_free(&seen);
}

static void a_blocks_transaction_is_checked_once_and_waits_from_then_on(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct mempool *pool = pool_of(2, 100000, 10);
    struct sender s = sender_of(1);
    struct transaction tx = make(&s, 1, 1000, &b);
    assert_true(mempool_proves(pool, &tx));
    assert_true(mempool_vouches(pool, &tx));
    assert_true(mempool_proves(pool, &tx));
    assert_int_equal(mempool_stats(pool).checked, 1);
    assert_int_equal(mempool_stats(pool).vouched, 1);
    b.data[b.len - 1] ^= 1; /* the same body, a signature that is none: what waits does not speak for it */
    assert_int_equal(transaction_decode(buffer_bytes(&b), &tx, NULL), OK);
    assert_false(mempool_proves(pool, &tx));
    assert_int_equal(mempool_count(pool), 1);
    tx = make(&s, 2, 1000, &b);
    assert_true(mempool_proves(pool, &tx));
    tx = make(&s, 3, 1000, &b);
    assert_true(mempool_proves(pool, &tx)); /* no room for it: checked, not kept */
    assert_int_equal(mempool_count(pool), 2);
    end(pool);
    buffer_free(&b);
}

static bool knows_all(void *ctx, const struct transaction *tx) {
    (void)tx;
    (*(int *)ctx)++;
    return true;
}

static void somebody_else_may_vouch(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct mempool *pool = pool_of(2, 100000, 10);
    struct sender s = sender_of(1);
    struct transaction tx = make(&s, 1, 1000, &b);
    int asked = 0;
    mempool_ask_also(pool, knows_all, &asked);
    assert_true(mempool_proves(pool, &tx));
    assert_int_equal(asked, 1);
    assert_int_equal(mempool_stats(pool).checked, 0);
    assert_int_equal(mempool_add(pool, &tx), OK);
    assert_true(mempool_proves(pool, &tx));
    assert_int_equal(asked, 1); /* what waits here needs nobody else's word */
    end(pool);
    buffer_free(&b);
}

static void waiting_is_timed_until_the_first_look_at_a_block(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct mempool *pool = pool_of(2, 100000, 10);
    struct stage_times times = {0};
    struct sender s = sender_of(1);
    struct transaction tx = make(&s, 1, 1000, &b);
    mempool_time(pool, &times);
    assert_int_equal(mempool_add(pool, &tx), OK);
    assert_true(mempool_proves(pool, &tx));
    assert_true(mempool_proves(pool, &tx));
    assert_int_equal(times.stages[STAGE_WAITING].count, 1);
    end(pool);
    buffer_free(&b);
}

/* Each accounts that are wrong, or a place that is lost, and what is then said of it. */
static void what_is_not_sound_is_said(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct mempool *pool = pool_of(10, 100000, 10);
    struct sender s = sender_of(1);
    struct why why = WHY_NONE;
    for (uint8_t n = 1; n <= 3; n++) {
        struct transaction tx = make(&s, n, 1000, &b);
        assert_int_equal(mempool_add(pool, &tx), OK);
    }
    pool->bytes++;
    assert_false(mempool_check(pool, &why));
    assert_non_null(strstr(why.text, "bytes are held"));
    pool->bytes--;
    pool->count--;
    assert_false(mempool_check(pool, &why));
    assert_non_null(strstr(why.text, "goes on behind its 2 entries"));
    pool->count++;
    struct mempool_sender **share = &pool->by_sender[mempool_bucket(pool, s.public_key)];
    (*share)->count = 4;
    assert_false(mempool_check(pool, &why));
    assert_non_null(strstr(why.text, "of a sender 3 transactions wait, 4 are counted, 10 allowed"));
    (*share)->count = 3;
    struct mempool_entry *newest = pool->newest, **place = &pool->by_id[mempool_bucket(pool, newest->tx.id)];
    *place = newest->next_in_bucket;
    assert_false(mempool_check(pool, &why));
    assert_non_null(strstr(why.text, "the id of entry 2 is 0 times in the table of ids"));
    *place = newest;
    end(pool);
    buffer_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blocks_transaction_is_checked_once_and_waits_from_then_on),
        cmocka_unit_test(somebody_else_may_vouch),
        cmocka_unit_test(waiting_is_timed_until_the_first_look_at_a_block),
        cmocka_unit_test(a_transaction_is_held_once_and_vouched_for),
        cmocka_unit_test(other_signatures_under_a_known_id_are_not_vouched_for),
        cmocka_unit_test(one_sender_cannot_crowd_out_another),
        cmocka_unit_test(count_and_bytes_are_bounded),
        cmocka_unit_test(one_sender_has_a_share_of_the_bytes),
        cmocka_unit_test(expired_ones_go_and_give_back_their_sender_share),
        cmocka_unit_test(what_expires_too_late_for_a_shorter_lifetime_goes_and_is_named),
        cmocka_unit_test(what_is_not_sound_is_said),
        cmocka_unit_test(iteration_is_in_arrival_order_and_can_stop),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
