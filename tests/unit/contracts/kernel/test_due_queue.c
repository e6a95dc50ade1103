#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "contracts/firmware/firmware.h"
#include "contracts/governance/governance.h"
#include "contracts/update/update.h"
#include "tests/lib/world.h"

#include "contracts/kernel/due_queue.h"
#include "tests/lib/next_due.h"

/* Adds the n-th item of a kind. */
static void add(struct world *w, uint8_t kind, uint64_t due_ms, uint32_t n) {
    struct call call = world_call(w, NULL, 0);
    uint8_t subject[HASH_LEN] = {0};
    store_u32(subject, n);
    assert_int_equal(due_queue_add(&call, due_ms, kind, bytes_of(subject, sizeof subject)), OK);
}

/* Takes one block's items out of their queues; counts them by kind and checks each kind's order. Gives their number. */
static size_t work(struct world *w, uint64_t time_ms, size_t counts[DUE_KINDS_MAX + 1]) {
    struct due_round round;
    struct due_item item;
    uint64_t last_ms[DUE_KINDS_MAX + 1] = {0};
    size_t all = 0;
    bool found = true;
    w->now_ms = time_ms;
    struct call call = world_call(w, NULL, 0);
    memset(counts, 0, (DUE_KINDS_MAX + 1) * sizeof *counts);
    due_round_begin(&round, time_ms, NULL);
    for (;;) {
        assert_int_equal(due_round_next(&round, &w->state, &item, &found), OK);
        if (!found) {
            return all;
        }
        assert_in_range(item.due_ms, last_ms[item.kind], time_ms);
        last_ms[item.kind] = item.due_ms;
        assert_int_equal(due_queue_remove(&call, &item), OK);
        counts[item.kind]++;
        all++;
    }
}

static uint64_t next_ms(struct world *w) {
    uint64_t due_ms = 1;
    assert_int_equal(next_due(&w->state, &due_ms), OK);
    return due_ms;
}

static void the_earliest_of_all_kinds_is_next(void **state) {
    (void)state;
    struct world w;
    size_t counts[DUE_KINDS_MAX + 1];
    world_open(&w, 1);
    uint64_t now = w.now_ms;
    assert_int_equal(next_ms(&w), 0);
    add(&w, DUE_UPDATE_WINDOW, now + 70, 1);
    add(&w, DUE_ORG_LEAVING, now + 50, 1);
    add(&w, DUE_PROPOSAL, now + 60, 1);
    assert_int_equal(next_ms(&w), now + 50);
    assert_int_equal(work(&w, now + 49, counts), 0);
    assert_int_equal(work(&w, now + 60, counts), 2);
    assert_int_equal(counts[DUE_ORG_LEAVING], 1);
    assert_int_equal(next_ms(&w), now + 70);
    assert_int_equal(work(&w, now + 70, counts), 1);
    assert_int_equal(next_ms(&w), 0);
    world_close(&w);
}

static void nothing_is_due_in_the_block_that_adds_it(void **state) {
    (void)state;
    struct world w;
    size_t counts[DUE_KINDS_MAX + 1];
    world_open(&w, 1);
    uint64_t now = w.now_ms;
    add(&w, DUE_RECOUNT, now, 1);
    add(&w, DUE_RECOUNT, 5, 2);
    add(&w, DUE_RECOUNT, now + 1, 3);
    assert_int_equal(work(&w, now, counts), 0);
    assert_int_equal(next_ms(&w), now + 1);
    assert_int_equal(work(&w, now + 1, counts), 3);
    world_close(&w);
}

/* As many of one kind as there may ever be, and a few of every other: those few wait for nobody. */
static void every_kind_has_its_share_of_a_block(void **state) {
    (void)state;
    struct world w;
    size_t counts[DUE_KINDS_MAX + 1];
    for (uint8_t crowd = 1; crowd <= due_kinds(); crowd++) {
        world_open(&w, 1);
        uint64_t now = w.now_ms;
        for (uint8_t kind = 1; kind <= due_kinds(); kind++) {
            for (uint32_t i = 0; i < (kind == crowd ? 4000 : DUE_TURN); i++) {
                add(&w, (uint8_t)kind, now + (kind == crowd ? 1 : 100), i);
            }
        }
        assert_int_equal(work(&w, now + 100, counts), DUE_PER_BLOCK);
        for (uint8_t kind = 1; kind <= due_kinds(); kind++) {
            assert_int_equal(counts[kind], kind == crowd ? DUE_PER_BLOCK - (due_kinds() - 1) * DUE_TURN : DUE_TURN);
        }
        size_t blocks = 1;
        while (work(&w, now + 100 + blocks, counts) > 0) {
            blocks++;
        }
        assert_int_equal(blocks, (4000 + (due_kinds() - 1) * DUE_TURN + DUE_PER_BLOCK - 1) / DUE_PER_BLOCK);
        world_close(&w);
    }
}

static void all_that_is_due_goes_in_one_block_when_it_fits(void **state) {
    (void)state;
    struct world w;
    size_t counts[DUE_KINDS_MAX + 1];
    world_open(&w, 1);
    for (uint32_t i = 0; i < DUE_PER_BLOCK - 1; i++) {
        add(&w, DUE_UPDATE_WINDOW, w.now_ms + 1 + i % 7, i);
    }
    add(&w, DUE_PENDING_RELEASE, w.now_ms + 7, 1);
    assert_int_equal(work(&w, w.now_ms + 7, counts), DUE_PER_BLOCK);
    assert_int_equal(next_ms(&w), 0);
    /* One more, and two kinds that have many: they take turns. */
    for (uint32_t i = 0; i < DUE_PER_BLOCK; i++) {
        add(&w, DUE_UPDATE_WINDOW, w.now_ms + 1, i);
        add(&w, DUE_PROPOSAL, w.now_ms + 1, i);
    }
    assert_int_equal(work(&w, w.now_ms + 1, counts), DUE_PER_BLOCK);
    assert_int_equal(counts[DUE_UPDATE_WINDOW], DUE_PER_BLOCK / 2);
    assert_int_equal(counts[DUE_PROPOSAL], DUE_PER_BLOCK / 2);
    world_close(&w);
}

/* Random adding and working off: the heads that are moved along from block to block are those found from scratch, and a
 * round that begins at an ancestor's hands out what one that knows nothing does. */
static void heads_are_known_from_block_to_block(void **state) {
    (void)state;
    struct world w;
    struct due_heads heads = {.time_ms = 0}, older = heads;
    uint64_t random = 20;
    world_open(&w, 1);
    for (uint32_t block = 0; block < 1500; block++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t now = w.now_ms + 1 + (random >> 60), step = random >> 40;
        struct due_round knowing, ignorant;
        struct due_item item, same;
        bool found = true, also = true;
        w.now_ms = now;
        due_round_begin(&knowing, now, block % 3 == 0 ? &older : &heads);
        due_round_begin(&ignorant, now, NULL);
        struct call call = world_call(&w, NULL, 0);
        while (found) {
            assert_int_equal(due_round_next(&knowing, &w.state, &item, &found), OK);
            assert_int_equal(due_round_next(&ignorant, &w.state, &same, &also), OK);
            assert_int_equal(found, also);
            if (found) {
                assert_memory_equal(&item, &same, sizeof item);
                assert_int_equal(due_queue_remove(&call, &item), OK);
            }
        }
        for (uint32_t i = 0; i < step % 5; i++) {
            add(&w, (uint8_t)(1 + (step >> 8) % due_kinds()), now + (step >> (4 + i)) % 40, block * 8 + i);
        }
        if (block % 100 == 50) { /* more than a block takes, at one time */
            for (uint32_t i = 0; i < 3000; i++) {
                add(&w, DUE_UPDATE_WINDOW, now + 3, 1000000 + i * 7919 % 3000);
            }
        }
        older = heads;
        assert_int_equal(due_heads_move(&heads, &w.state, now), OK);
        assert_int_equal(due_heads_next(&heads), next_ms(&w));
    }
    world_close(&w);
}

static void a_key_names_its_kind(void **state) {
    (void)state;
    uint8_t kind = DUE_RECOUNT;
    uint8_t key[] = "due\0\3\0\0\0\0\0\0\0\1s";
    assert_true(due_queue_kind(bytes_of(key, sizeof key - 1), &kind));
    assert_int_equal(kind, DUE_PROPOSAL);
    assert_false(due_queue_kind(bytes_of(key, sizeof key - 2), &kind)); /* no subject */
    key[4] = 0;
    assert_false(due_queue_kind(bytes_of(key, sizeof key - 1), &kind));
    key[4] = due_kinds() + 1;
    assert_false(due_queue_kind(bytes_of(key, sizeof key - 1), &kind));
    key[4] = 1;
    key[3] = 'x';
    assert_false(due_queue_kind(bytes_of(key, sizeof key - 1), &kind));
}

static void an_item_of_the_old_queue_is_told_from_todays(void **state) {
    (void)state;
    struct due_item item;
    uint8_t kind;
    uint8_t key[] = "due\0\0\0\1\x8b\xcf\xe5\x68\0\3subject";
    struct bytes old = bytes_of(key, sizeof key - 1);
    assert_false(due_queue_kind(old, &kind));
    assert_true(due_queue_old_item(old, &item));
    assert_int_equal(item.kind, DUE_PROPOSAL);
    assert_int_equal(item.due_ms, 1700000000000);
    assert_true(bytes_equal(due_item_subject(&item), bytes_str("subject")));
    struct record_key today = due_item_key(&item);
    assert_false(due_queue_old_item(record_key_bytes(&today), &item));
    assert_true(due_queue_kind(record_key_bytes(&today), &kind) && kind == DUE_PROPOSAL);
    key[12] = due_kinds() + 1;
    assert_false(due_queue_old_item(old, &item));
    assert_false(due_queue_old_item(bytes_of(key, 13), &item));
}

/* What each kind of item is about, and that it is out of its queue with a word in a history. */
static void an_item_that_is_too_much_goes_with_a_note(void **state) {
    (void)state;
    static const size_t lengths[] = {[DUE_UPDATE_WINDOW] = HASH_LEN + KEY_LEN,
                                     [DUE_PENDING_RELEASE] = HASH_LEN,
                                     [DUE_PROPOSAL] = HASH_LEN,
                                     [DUE_ORG_LEAVING] = GENESIS_ID_MAX};
    for (uint8_t kind = 1; kind <= due_kinds(); kind++) {
        struct world w;
        struct due_round round;
        struct due_item item;
        uint8_t subject[DUE_SUBJECT_MAX];
        bool found = false;
        if (lengths[kind] == 0) {
            continue; /* the recount: test_governance_recount.c */
        }
        memset(subject, 'a', sizeof subject);
        world_open(&w, 1);
        struct call call = world_call(&w, NULL, 0);
        assert_int_equal(due_queue_add(&call, 0, (uint8_t)kind, bytes_of(subject, lengths[kind])), OK);
        call.time_ms++;
        due_round_begin(&round, call.time_ms, NULL);
        assert_int_equal(due_round_next(&round, &w.state, &item, &found), OK);
        assert_true(found);
        w.memory.history_count = w.memory.write_count = 0;
        assert_int_equal(due_work_refused(&call, &item), OK);
        assert_int_equal(w.memory.write_count, 1);
        assert_int_equal(w.memory.history_count, 1);
        assert_string_equal(w.memory.last_action, "due_refused");
        assert_int_equal(next_ms(&w), 0);
        world_close(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_of_all_kinds_is_next),
        cmocka_unit_test(nothing_is_due_in_the_block_that_adds_it),
        cmocka_unit_test(every_kind_has_its_share_of_a_block),
        cmocka_unit_test(all_that_is_due_goes_in_one_block_when_it_fits),
        cmocka_unit_test(heads_are_known_from_block_to_block),
        cmocka_unit_test(a_key_names_its_kind),
        cmocka_unit_test(an_item_of_the_old_queue_is_told_from_todays),
        cmocka_unit_test(an_item_that_is_too_much_goes_with_a_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
