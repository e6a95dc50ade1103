#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/api_fixture.h"

/* One subscription: what it has heard so far. */
struct listener {
    int fd;
    struct buffer heard;
};

static void subscribe(const struct api_fixture *f, struct listener *l, const char *query, const char *last) {
    char head[400], id[100] = "";
    l->heard = BUFFER_INIT;
    l->fd = api_dial(f);
    if (last != NULL) {
        (void)snprintf(id, sizeof id, "Last-Event-ID: %s\r\n", last);
    }
    int n = snprintf(head, sizeof head, "GET /v1/events%s HTTP/1.1\r\nHost: x\r\n%s\r\n", query, id);
    assert_int_equal(send(l->fd, head, (size_t)n, MSG_NOSIGNAL), n);
}

/* Reads until the text is there. */
static bool hears(struct listener *l, const char *text) {
    for (;;) {
        char piece[4096];
        buffer_u8(&l->heard, 0);
        bool found = strstr((const char *)l->heard.data, text) != NULL;
        l->heard.len--;
        if (found) {
            return true;
        }
        ssize_t n = recv(l->fd, piece, sizeof piece, 0);
        if (n <= 0) {
            return false;
        }
        buffer_put(&l->heard, piece, (size_t)n);
    }
}

static size_t times(struct listener *l, const char *text) {
    size_t count = 0;
    buffer_u8(&l->heard, 0);
    for (const char *at = (const char *)l->heard.data; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    l->heard.len--;
    return count;
}

static void leave(struct listener *l) {
    (void)close(l->fd);
    buffer_free(&l->heard);
}

static void a_final_block_reaches_its_subscribers(void **state) {
    (void)state;
    struct api_fixture f;
    struct listener all, blocks;
    api_open(&f);
    subscribe(&f, &all, "", NULL);
    subscribe(&f, &blocks, "?types=block", NULL);
    assert_true(hears(&all, "text/event-stream"));
    assert_true(hears(&blocks, "text/event-stream"));
    (void)usleep(50000); /* both have joined or will be told from the log: either way they must hear of block 1 */
    api_blocks(&f, 1, 2);
    if (!hears(&all, "id: 1\n")) {
        fail_msg("block 1 was not heard of");
    }
    assert_int_equal(times(&all, "event: tx\n"), 2);
    assert_int_equal(times(&all, "event: device\n"), 2);
    assert_int_equal(times(&all, "event: block\n"), 1);
    assert_true(hears(&blocks, "id: 1\n"));
    assert_true(hears(&blocks, "event: block\n"));
    assert_int_equal(times(&blocks, "event: tx\n"), 0);
    events_alarm(f.events, "TEST", "a line\nwith a break");
    assert_true(hears(&all, "event: alarm\n"));
    leave(&all);
    leave(&blocks);
    api_close(&f);
}

static void a_client_resumes_where_it_left(void **state) {
    (void)state;
    struct api_fixture f;
    struct listener l;
    api_open(&f);
    api_blocks(&f, 6, 1);
    subscribe(&f, &l, "", "2");
    assert_true(hears(&l, "id: 6\n"));
    assert_int_equal(times(&l, "event: block\n"), 4);
    assert_int_equal(times(&l, "event: device\n"), 4);
    assert_int_equal(times(&l, "id: 2\n"), 0);
    for (int height = 3; height <= 6; height++) {
        char id[20];
        (void)snprintf(id, sizeof id, "id: %d\n", height);
        assert_int_equal(times(&l, id), 1);
    }
    api_blocks(&f, 1, 1); /* and goes on with what comes */
    assert_true(hears(&l, "id: 7\n"));
    assert_int_equal(times(&l, "event: block\n"), 5);
    leave(&l);
    subscribe(&f, &l, "?after=6", NULL);
    assert_true(hears(&l, "id: 7\n"));
    assert_int_equal(times(&l, "event: block\n"), 1);
    leave(&l);
    subscribe(&f, &l, "?types=block", "99999999999999999999999"); /* from the future: the next block is the first */
    assert_true(hears(&l, "text/event-stream"));
    (void)usleep(50000);
    api_blocks(&f, 1, 0);
    assert_true(hears(&l, "id: 8\n"));
    assert_int_equal(times(&l, "event: block\n"), 1);
    leave(&l);
    api_close(&f);
}

/* Ids stand on blocks; one who picked other types must still be told where to go on. */
static void a_client_without_block_events_can_resume_too(void **state) {
    (void)state;
    struct api_fixture f;
    struct listener l;
    api_open(&f);
    api_blocks(&f, 3, 1);
    subscribe(&f, &l, "?types=device", "1");
    assert_true(hears(&l, "id: 3\n"));
    assert_int_equal(times(&l, "event: device\n"), 2);
    assert_int_equal(times(&l, "event: block\n"), 0);
    leave(&l);
    api_close(&f);
}

static void one_too_far_behind_is_told_to_page(void **state) {
    (void)state;
    struct api_fixture f;
    struct api_answer answer = {0};
    api_open(&f);
    struct block block = {.header = {.height = 20000}};
    events_block_final(f.events, &block);
    assert_int_equal(api_get(&f, "/v1/events?after=1", &answer), 410);
    assert_string_equal(api_code(&answer), "TOO_FAR_BACK");
    buffer_free(&answer.all);
    api_close(&f);
}

/* Clients that went away do not keep newcomers out, even when no block is made. */
static void places_of_those_who_left_are_given_away_on_a_chain_at_rest(void **state) {
    (void)state;
    struct api_fixture f;
    struct listener l;
    api_open(&f);
    api_blocks(&f, 1, 0);
    for (int i = 0; i < 16; i++) { /* as many as an address may have */
        subscribe(&f, &l, "", NULL);
        assert_true(hears(&l, "text/event-stream"));
        leave(&l);
    }
    bool taken = false;
    for (int tries = 0; !taken && tries < 100; tries++) {
        events_alarm(f.events, "TEST", "whoever is gone is noticed when written to");
        (void)usleep(20000);
        subscribe(&f, &l, "", NULL);
        taken = hears(&l, "text/event-stream");
        leave(&l);
    }
    assert_true(taken);
    api_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_final_block_reaches_its_subscribers),
        cmocka_unit_test(a_client_resumes_where_it_left),
        cmocka_unit_test(a_client_without_block_events_can_resume_too),
        cmocka_unit_test(one_too_far_behind_is_told_to_page),
        cmocka_unit_test(places_of_those_who_left_are_given_away_on_a_chain_at_rest),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
