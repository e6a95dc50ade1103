/* Devices' statements on disk: nothing lost, nothing twice, each device's in order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/gateway/statement_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place {
    char dir[64];
    struct statement_queue *queue;
};

static void open_queue(struct place *place) {
    const struct statement_queue_config config = {.disk = disk_posix(), .dir = place->dir, .segment_bytes = 64 * 1024};
    assert_int_equal(statement_queue_open(&config, &place->queue), OK);
}

static void reopen(struct place *place) {
    statement_queue_close(place->queue);
    place->queue = NULL;
    open_queue(place);
}

static int setup(void **out) {
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)snprintf(place->dir, sizeof place->dir, "/tmp/assay-statements-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    open_queue(place);
    *out = place;
    return 0;
}

static int teardown(void **state) {
    struct place *place = *state;
    char command[128];
    statement_queue_close(place->queue);
    (void)snprintf(command, sizeof command, "rm -rf %s", place->dir);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

static void body_of(uint8_t device, uint64_t counter, uint8_t out[STATEMENT_TX_BODY_LEN]) {
    struct statement s = {.counter = counter, .kind = STATEMENT_VERIFY};
    uint8_t encoded[STATEMENT_SIGNED_LEN];
    memset(s.device_id, device, KEY_LEN);
    statement_encode(&s, encoded);
    memset(out, device, STATEMENT_TX_BODY_LEN);
    memcpy(out, encoded + TAG_LEN, STATEMENT_LEN);
}

static enum err put(struct place *place, uint8_t device, uint64_t counter) {
    uint8_t body[STATEMENT_TX_BODY_LEN];
    body_of(device, counter, body);
    return statement_queue_put(place->queue, body);
}

static void what_was_put_survives_and_what_is_done_does_not_return(void **state) {
    struct place *place = *state;
    struct statement_item items[8];
    assert_int_equal(put(place, 1, 10), OK);
    assert_int_equal(put(place, 2, 20), OK);
    assert_int_equal(put(place, 1, 11), OK);
    reopen(place);
    assert_int_equal(statement_queue_count(place->queue), 3);
    assert_int_equal(statement_queue_head(place->queue, items, 8), 2);
    assert_int_equal(items[0].statement.counter, 10);
    assert_int_equal(items[1].statement.counter, 20);
    assert_int_equal(statement_queue_done(place->queue, items[0].sequence), OK);
    reopen(place);
    assert_int_equal(statement_queue_head(place->queue, items, 8), 2);
    assert_int_equal(items[0].statement.counter, 20);
    assert_int_equal(items[1].statement.counter, 11);
    uint8_t body[STATEMENT_TX_BODY_LEN];
    body_of(1, 11, body);
    assert_memory_equal(items[1].body, body, sizeof body);
}

static void each_device_has_its_order(void **state) {
    struct place *place = *state;
    struct statement_item items[4];
    uint64_t next[4] = {0, 1, 1, 1};
    for (uint64_t counter = 1; counter <= 5; counter++) {
        for (uint8_t device = 1; device <= 3; device++) {
            assert_int_equal(put(place, device, counter), OK);
        }
    }
    size_t count;
    while ((count = statement_queue_head(place->queue, items, 4)) > 0) {
        const struct statement_item *item = &items[count - 1];
        assert_int_equal(item->statement.counter, next[item->statement.device_id[0]]++);
        assert_int_equal(statement_queue_done(place->queue, item->sequence), OK);
    }
    assert_int_equal(next[1] + next[2] + next[3], 18);
}

static void a_repeated_statement_waits_once(void **state) {
    struct place *place = *state;
    struct statement_item item;
    assert_int_equal(put(place, 1, 1), OK);
    assert_int_equal(put(place, 1, 1), ERR_DUPLICATE);
    assert_int_equal(statement_queue_head(place->queue, &item, 1), 1);
    assert_int_equal(statement_queue_done(place->queue, item.sequence), OK);
    assert_int_equal(put(place, 1, 1), OK);
}

static void one_device_cannot_fill_it(void **state) {
    struct place *place = *state;
    for (uint64_t counter = 1; counter <= STATEMENT_QUEUE_PER_DEVICE; counter++) {
        assert_int_equal(put(place, 1, counter), OK);
    }
    assert_int_equal(put(place, 1, 1000), ERR_FULL);
    assert_int_equal(put(place, 2, 1), OK);
}

static void what_is_no_statement_is_refused(void **state) {
    struct place *place = *state;
    const uint8_t body[STATEMENT_TX_BODY_LEN] = {9};
    assert_int_equal(statement_queue_put(place->queue, body), ERR_MALFORMED);
    assert_int_equal(statement_queue_count(place->queue), 0);
}

static void a_long_life_does_not_fill_the_disk(void **state) {
    struct place *place = *state;
    struct statement_item item;
    for (uint64_t counter = 1; counter <= 3000; counter++) {
        assert_int_equal(put(place, 1, counter), OK);
        assert_int_equal(statement_queue_head(place->queue, &item, 1), 1);
        assert_int_equal(statement_queue_done(place->queue, item.sequence), OK);
    }
    reopen(place);
    assert_int_equal(statement_queue_count(place->queue), 0);
    char command[128], text[32] = "";
    (void)snprintf(command, sizeof command, "du -s --apparent-size -k %s | cut -f1", place->dir);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    assert_int_equal(pclose(f), 0);
    assert_true(strtoul(text, NULL, 10) < 512);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_survives_and_what_is_done_does_not_return, setup, teardown),
        cmocka_unit_test_setup_teardown(each_device_has_its_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_repeated_statement_waits_once, setup, teardown),
        cmocka_unit_test_setup_teardown(one_device_cannot_fill_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_statement_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_life_does_not_fill_the_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
