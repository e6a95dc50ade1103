#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/ledger/submit.h"
#include "tests/lib/chain_fixture.h"

/* Everything on one thread: posts come from the test, the loop is turned by hand. */
struct fixture {
    struct chain_fixture ledger;
    uv_loop_t loop;
    struct submit *submit;
    enum err admit_answer;
    size_t admitted;
    struct answered {
        size_t count;
        enum err error;
        uint64_t height;
        uint32_t code;
    } answers[8];
};

static enum err admit(void *ctx, const struct transaction *tx) {
    struct fixture *f = ctx;
    f->admitted++;
    return f->admit_answer != OK ? f->admit_answer : mempool_add(f->ledger.pool, tx);
}

static void note(void *arg, const struct submit_outcome *outcome) {
    struct answered *a = arg;
    a->count++;
    a->error = outcome->error;
    a->height = outcome->height;
    a->code = outcome->height != 0 ? outcome->receipt.code : UINT32_MAX;
}

static void open_fixture(struct fixture *f, size_t max_queued, size_t max_waiting) {
    memset(f, 0, sizeof *f);
    fixture_open(&f->ledger);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    const struct submit_config config = {.loop = &f->loop,
                                         .chain = f->ledger.chain,
                                         .max_queued = max_queued,
                                         .max_waiting = max_waiting,
                                         .admit = admit,
                                         .ctx = f};
    assert_int_equal(submit_new(&config, &f->submit), OK);
}

static void turn(struct fixture *f) {
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void close_submit(struct fixture *f) {
    submit_free(f->submit);
    f->submit = NULL;
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

static void close_fixture(struct fixture *f) {
    if (f->submit != NULL) {
        close_submit(f);
    }
    fixture_close(&f->ledger);
}

static void tell(void *arg, const struct block *block) {
    struct fixture *f = arg;
    submit_block_final(f->submit, block);
}

static void make_block(struct fixture *f) {
    uint8_t hash[HASH_LEN];
    struct buffer certificate = BUFFER_INIT;
    fixture_build(&f->ledger, chain_head(f->ledger.chain)->hash, hash);
    fixture_certify(&f->ledger, hash, chain_header(f->ledger.chain, hash)->view, VOTE_FINALIZE, 3, &certificate);
    assert_int_equal(chain_finalize(f->ledger.chain, hash, buffer_bytes(&certificate), tell, f), OK);
    buffer_free(&certificate);
}

static enum err post(struct fixture *f, const struct buffer *b, enum submit_wait wait, uint64_t timeout_ms,
                     size_t slot) {
    return submit_post(f->submit, buffer_bytes(b), wait, timeout_ms, note, &f->answers[slot]);
}

static void who_waits_gets_the_receipt_of_the_final_block(void **state) {
    (void)state;
    struct fixture f;
    struct buffer b = BUFFER_INIT;
    open_fixture(&f, 8, 8);
    fixture_register(&f.ledger, f.ledger.time_ms + 60000, &b);
    assert_int_equal(post(&f, &b, SUBMIT_FINALIZED, 5000, 0), OK);
    assert_int_equal(post(&f, &b, SUBMIT_FINALIZED, 5000, 1), OK); /* a second client with the same transaction */
    assert_int_equal(post(&f, &b, SUBMIT_ACCEPTED, 5000, 2), OK);
    assert_int_equal(f.admitted, 0); /* nothing happens on the poster's thread */
    turn(&f);
    assert_int_equal(f.admitted, 3);
    assert_int_equal(f.answers[0].count + f.answers[1].count, 0);
    assert_int_equal(f.answers[2].count, 1);
    assert_int_equal(f.answers[2].error, OK);
    assert_int_equal(f.answers[2].height, 0);
    assert_int_equal(submit_stats(f.submit).waiting, 2);
    make_block(&f);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(f.answers[i].count, 1);
        assert_int_equal(f.answers[i].error, OK);
        assert_int_equal(f.answers[i].height, 1);
        assert_int_equal(f.answers[i].code, CODE_OK);
    }
    assert_int_equal(submit_stats(f.submit).waiting, 0);
    assert_int_equal(post(&f, &b, SUBMIT_FINALIZED, 5000, 3), OK); /* once more: executed before, with its receipt */
    turn(&f);
    assert_int_equal(f.answers[3].error, ERR_EXISTS);
    assert_int_equal(f.answers[3].height, 1);
    assert_int_equal(f.admitted, 3);
    buffer_free(&b);
    close_fixture(&f);
}

static void who_waits_for_what_was_dropped_is_told_at_once(void **state) {
    (void)state;
    struct fixture f;
    struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
    struct transaction tx;
    open_fixture(&f, 8, 8);
    fixture_register(&f.ledger, f.ledger.time_ms + 60000, &first);
    fixture_register(&f.ledger, f.ledger.time_ms + 61000, &second);
    assert_int_equal(post(&f, &first, SUBMIT_FINALIZED, 5000, 0), OK);
    assert_int_equal(post(&f, &first, SUBMIT_FINALIZED, 5000, 1), OK);
    assert_int_equal(post(&f, &second, SUBMIT_FINALIZED, 5000, 2), OK);
    turn(&f);
    assert_int_equal(transaction_decode(buffer_bytes(&first), &tx, NULL), OK);
    submit_dropped(f.submit, tx.id, ERR_RANGE);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(f.answers[i].count, 1);
        assert_int_equal(f.answers[i].error, ERR_RANGE);
    }
    assert_int_equal(f.answers[2].count, 0);
    assert_int_equal(submit_stats(f.submit).waiting, 1);
    submit_dropped(f.submit, tx.id, ERR_RANGE); /* nobody waits for it any more */
    assert_int_equal(submit_stats(f.submit).refused, 2);
    buffer_free(&first);
    buffer_free(&second);
    close_fixture(&f);
}

static void refusals_and_full_places_are_told_once(void **state) {
    (void)state;
    struct fixture f;
    struct buffer b[4] = {BUFFER_INIT, BUFFER_INIT, BUFFER_INIT, BUFFER_INIT};
    open_fixture(&f, 3, 1);
    for (size_t i = 0; i < 4; i++) {
        fixture_register(&f.ledger, f.ledger.time_ms + 60000, &b[i]);
    }
    assert_int_equal(post(&f, &b[0], SUBMIT_FINALIZED, 5000, 0), OK);
    assert_int_equal(post(&f, &b[1], SUBMIT_FINALIZED, 5000, 1), OK);
    assert_int_equal(post(&f, &b[2], SUBMIT_ACCEPTED, 5000, 2), OK);
    assert_int_equal(post(&f, &b[3], SUBMIT_ACCEPTED, 5000, 3), ERR_FULL); /* the queue */
    assert_int_equal(submit_post(f.submit, bytes_str("nonsense"), SUBMIT_ACCEPTED, 1, note, NULL), ERR_MALFORMED);
    turn(&f);
    assert_int_equal(f.answers[0].count, 0);
    assert_int_equal(f.answers[1].count, 1); /* one may wait */
    assert_int_equal(f.answers[1].error, ERR_FULL);
    assert_int_equal(f.answers[2].error, OK);
    assert_int_equal(f.answers[3].count, 0);
    f.admit_answer = ERR_DENIED;
    assert_int_equal(post(&f, &b[3], SUBMIT_ACCEPTED, 5000, 3), OK);
    turn(&f);
    assert_int_equal(f.answers[3].error, ERR_DENIED);
    struct submit_stats stats = submit_stats(f.submit);
    assert_int_equal(stats.refused, 2);
    assert_int_equal(stats.accepted, 2);
    close_fixture(&f);
    assert_int_equal(f.answers[0].count, 1);
    assert_int_equal(f.answers[0].error, ERR_CLOSED);
    for (size_t i = 0; i < 4; i++) {
        buffer_free(&b[i]);
    }
}

static void patience_ends_at_the_deadline(void **state) {
    (void)state;
    struct fixture f;
    struct buffer b = BUFFER_INIT;
    open_fixture(&f, 8, 8);
    fixture_register(&f.ledger, f.ledger.time_ms + 60000, &b);
    assert_int_equal(post(&f, &b, SUBMIT_FINALIZED, 1, 0), OK);
    while (f.answers[0].count == 0) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
    assert_int_equal(f.answers[0].error, ERR_TIMEOUT);
    assert_int_equal(f.answers[0].height, 0);
    make_block(&f); /* final all the same; nobody is told twice */
    assert_int_equal(f.answers[0].count, 1);
    assert_int_equal(submit_stats(f.submit).timed_out, 1);
    buffer_free(&b);
    close_fixture(&f);
}

static void while_many_wait_long_nobody_is_taken_in(void **state) {
    (void)state;
    struct fixture f;
    struct buffer b = BUFFER_INIT;
    open_fixture(&f, 1000, 1000);
    fixture_register(&f.ledger, f.ledger.time_ms + 60000, &b);
    for (size_t i = 0; i < SUBMIT_ALWAYS; i++) {
        assert_int_equal(post(&f, &b, SUBMIT_FINALIZED, 60000, 0), OK);
    }
    turn(&f);
    assert_false(submit_is_full(f.submit)); /* many, but not for long */
    uint64_t start_ms = clock_mono_ms();
    while (!submit_is_full(f.submit)) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
    assert_true(clock_mono_ms() - start_ms >= SUBMIT_PATIENCE_MS - 1);
    assert_int_equal(post(&f, &b, SUBMIT_FINALIZED, 60000, 1), OK);
    assert_int_equal(post(&f, &b, SUBMIT_ACCEPTED, 60000, 2), OK);
    turn(&f);
    assert_int_equal(f.answers[1].error, ERR_FULL);
    assert_int_equal(f.answers[2].error, OK); /* keeps nobody waiting */
    make_block(&f);
    assert_int_equal(f.answers[0].count, SUBMIT_ALWAYS);
    assert_false(submit_is_full(f.submit));
    buffer_free(&b);
    close_fixture(&f);
}

static void what_is_still_queued_when_it_closes_is_answered(void **state) {
    (void)state;
    struct fixture f;
    struct buffer b = BUFFER_INIT;
    open_fixture(&f, 8, 8);
    fixture_register(&f.ledger, f.ledger.time_ms + 60000, &b);
    assert_int_equal(post(&f, &b, SUBMIT_ACCEPTED, 5000, 0), OK);
    close_submit(&f);
    assert_int_equal(f.answers[0].count, 1);
    assert_int_equal(f.answers[0].error, ERR_CLOSED);
    buffer_free(&b);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_gets_the_receipt_of_the_final_block),
        cmocka_unit_test(who_waits_for_what_was_dropped_is_told_at_once),
        cmocka_unit_test(refusals_and_full_places_are_told_once),
        cmocka_unit_test(patience_ends_at_the_deadline),
        cmocka_unit_test(while_many_wait_long_nobody_is_taken_in),
        cmocka_unit_test(what_is_still_queued_when_it_closes_is_answered),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
