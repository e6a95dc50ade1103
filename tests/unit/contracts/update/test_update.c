#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/world.h"

#include "contracts/device/device.h"
#include "contracts/kernel/due_queue.h"
#include "contracts/update/update.h"
#include "tests/lib/next_due.h"

/* A world with release 1 pushed to devices 1 and 2, or to the class. */
struct scene {
    struct world w;
    uint8_t release[HASH_LEN];
    uint8_t update[HASH_LEN];
    uint8_t good[HASH_LEN]; /* digest of release 1's image */
    uint64_t counter;
    uint64_t pushed_ms;
};

struct reply {
    unsigned outcome, status, failed;
    uint64_t window_end_ms;
};

static enum code push(struct world *w, const uint8_t *release, const int *devices, size_t count, uint64_t window_ms,
                      uint32_t max_failed) {
    Assay__UpdatePush args = ASSAY__UPDATE_PUSH__INIT;
    ProtobufCBinaryData ids[80];
    for (size_t i = 0; i < count; i++) {
        ids[i] = world_bytes(w->public_key[devices[i]], KEY_LEN);
    }
    args.release_id = world_bytes(release, HASH_LEN);
    args.n_devices = count;
    args.devices = ids;
    if (count == 0) {
        args.class_id = world_bytes(w->class_id, UUID_BYTES);
    }
    args.window_ms = window_ms;
    args.max_failed = max_failed;
    args.time_sent_ms = 77;
    return world_run(w, "update", "push", &args.base, PEOPLE_OF(AUTHOR_1));
}

static void scene_open(struct scene *s, bool whole_class) {
    world_open(&s->w, 1);
    world_release(&s->w, 1, s->release);
    struct draft d;
    draft_init(&s->w, &d, 1);
    memcpy(s->good, d.suit.image_digest, HASH_LEN);
    s->counter = 0;
    s->pushed_ms = s->w.now_ms;
    assert_int_equal(push(&s->w, s->release, (int[]){DEVICE_1, DEVICE_2}, whole_class ? 0 : 2, 0, 0), CODE_OK);
    memcpy(s->update, s->w.tx_id, HASH_LEN);
}

static struct statement say(struct scene *s, enum statement_kind kind, enum person device) {
    struct statement st = {.kind = kind, .counter = ++s->counter, .sequence = 1, .nonce = {(uint8_t)s->counter}};
    memcpy(st.chain_id, s->w.chain_id, CHAIN_ID_LEN);
    memcpy(st.device_id, s->w.public_key[device], KEY_LEN);
    memcpy(st.update_id, s->update, HASH_LEN);
    memcpy(st.digest, s->good, HASH_LEN);
    if (kind == STATEMENT_REPORT) {
        st.outcome = REPORT_INSTALLED;
    }
    return st;
}

static const char *method_of(enum statement_kind kind) {
    if (kind == STATEMENT_OPEN) {
        return "open";
    }
    return kind == STATEMENT_VERIFY ? "verify" : "report";
}

/* Sends a statement signed by `device` through `carrier` to `method`. */
static enum code send_as(struct scene *s, const struct statement *st, const char *method, enum person device,
                         int carrier, struct reply *reply) {
    uint8_t text[STATEMENT_SIGNED_LEN], signature[SIG_LEN];
    statement_encode(st, text);
    ed25519_sign(s->w.secret[device], text, sizeof text, signature);
    Assay__UpdateStatement args = ASSAY__UPDATE_STATEMENT__INIT;
    args.statement = world_bytes(text + TAG_LEN, STATEMENT_LEN);
    args.signature = world_bytes(signature, SIG_LEN);
    enum code code = world_run(&s->w, "update", method, &args.base, PEOPLE_OF(carrier));
    if (code == CODE_OK && reply != NULL) {
        Assay__UpdateStatementResult *r =
            assay__update_statement_result__unpack(NULL, s->w.answer.result.len, s->w.answer.result.data);
        assert_non_null(r);
        *reply = (struct reply){r->outcome, r->status, r->failed_attempts, r->window_end_ms};
        assay__update_statement_result__free_unpacked(r, NULL);
    }
    return code;
}

static enum code hand_over(struct scene *s, const struct statement *st, struct reply *reply) {
    return send_as(s, st, method_of(st->kind), DEVICE_1, GATEWAY_1, reply);
}

/* One verify of device 1 with the right or a wrong digest. */
static struct reply verify(struct scene *s, bool right) {
    struct reply reply;
    struct statement st = say(s, STATEMENT_VERIFY, DEVICE_1);
    st.digest[0] ^= right ? 0 : 1;
    assert_int_equal(hand_over(s, &st, &reply), CODE_OK);
    struct status_record record;
    bool found = false;
    assert_int_equal(update_status_get(&s->w.state, s->update, st.device_id, &record, &found), OK);
    assert_true(found);
    assert_int_equal(record.last_outcome, reply.outcome);
    assert_int_equal(record.status, reply.status);
    assert_int_equal(record.failed_attempts, reply.failed);
    assert_memory_equal(record.nonce, st.nonce, NONCE_LEN);
    assert_int_equal(record.counter, st.counter);
    return reply;
}

static uint32_t counted(const struct scene *s, enum device_status status) {
    struct update_counts counts;
    bool found = false;
    assert_int_equal(update_counts_get(&s->w.state, s->update, &counts, &found), OK);
    assert_true(found);
    return counts.count[status];
}

static void the_right_digest_in_time_is_verified(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    assert_int_equal(counted(&s, STATUS_UNVERIFIED), 2);
    struct reply r = verify(&s, true);
    assert_int_equal(r.outcome, OUTCOME_SUCCESS);
    assert_int_equal(r.status, STATUS_VERIFIED);
    assert_int_equal(r.failed, 0);
    assert_int_equal(r.window_end_ms, s.pushed_ms + UPDATE_WINDOW_DEFAULT_MS);
    assert_int_equal(counted(&s, STATUS_UNVERIFIED), 1);
    assert_int_equal(counted(&s, STATUS_VERIFIED), 1);
    assert_string_equal(s.w.answer.detail, "UPDATE_VERIFIED (0 of 3 attempts failed)");
    world_close(&s.w);
}

static void a_push_is_recorded_with_its_terms(void **state) {
    (void)state;
    struct scene s;
    struct update_record u;
    bool found = false;
    scene_open(&s, false);
    assert_int_equal(update_get(&s.w.state, s.update, &u, &found), OK);
    assert_true(found);
    assert_int_equal(u.window_ms, 60000);
    assert_int_equal(u.max_failed, 3);
    assert_int_equal(u.time_sent_ms, 77);
    assert_int_equal(u.stamp.created_ms, s.pushed_ms);
    assert_int_equal(u.targets, 2);
    assert_false(u.whole_class);
    assert_string_equal(u.version, "1.2.0");
    assert_string_equal(u.org, "acme");
    assert_memory_equal(u.release_id, s.release, HASH_LEN);
    world_close(&s.w);
}

static void a_mismatch_is_counted_and_a_fourth_attempt_is_too_many(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    for (unsigned i = 1; i <= 3; i++) {
        struct reply r = verify(&s, false);
        assert_int_equal(r.outcome, OUTCOME_MISMATCH);
        assert_int_equal(r.failed, i);
        assert_int_equal(r.status, i < 3 ? STATUS_UNVERIFIED : STATUS_EXHAUSTED);
        assert_non_null(strstr(s.w.answer.detail, "UPDATE_HASH_MISMATCH"));
    }
    /* The right digest comes too late. */
    struct reply r = verify(&s, true);
    assert_int_equal(r.outcome, OUTCOME_EXHAUSTED);
    assert_int_equal(r.failed, 3);
    assert_int_equal(r.status, STATUS_EXHAUSTED);
    assert_non_null(strstr(s.w.answer.detail, "UPDATE_EXHAUSTED"));
    world_close(&s.w);
}

static void two_mismatches_then_the_right_digest_is_verified(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    (void)verify(&s, false);
    (void)verify(&s, false);
    struct reply r = verify(&s, true);
    assert_int_equal(r.outcome, OUTCOME_SUCCESS);
    assert_int_equal(r.failed, 2);
    world_close(&s.w);
}

static void the_window_ends_exactly_when_it_has_passed(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    s.w.now_ms = s.pushed_ms + UPDATE_WINDOW_DEFAULT_MS - 1;
    assert_int_equal(verify(&s, true).outcome, OUTCOME_SUCCESS);
    s.w.now_ms = s.pushed_ms + UPDATE_WINDOW_DEFAULT_MS;
    struct reply r = verify(&s, true);
    assert_int_equal(r.outcome, OUTCOME_EXPIRED);
    /* The nonce is new, so the status must not say verified any more. */
    assert_int_equal(r.status, STATUS_EXPIRED);
    assert_non_null(strstr(s.w.answer.detail, "UPDATE_EXPIRED"));
    world_close(&s.w);
}

static void expiry_goes_before_too_many_attempts_and_mismatch(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    for (unsigned i = 0; i < 3; i++) {
        (void)verify(&s, false);
    }
    s.w.now_ms = s.pushed_ms + UPDATE_WINDOW_DEFAULT_MS;
    struct reply r = verify(&s, false);
    assert_int_equal(r.outcome, OUTCOME_EXPIRED);
    assert_int_equal(r.failed, 3);
    assert_int_equal(r.status, STATUS_EXHAUSTED);
    world_close(&s.w);
}

static void revocation_goes_before_everything_and_is_not_counted(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    assert_int_equal(verify(&s, true).status, STATUS_VERIFIED);
    assert_int_equal(world_revoke(&s.w, s.release), CODE_OK);
    struct reply r = verify(&s, false);
    assert_int_equal(r.outcome, OUTCOME_REVOKED);
    assert_int_equal(r.failed, 0);
    assert_int_equal(r.status, STATUS_UNVERIFIED);
    s.w.now_ms = s.pushed_ms + UPDATE_WINDOW_DEFAULT_MS;
    r = verify(&s, true);
    assert_int_equal(r.outcome, OUTCOME_REVOKED);
    assert_int_equal(r.status, STATUS_EXPIRED);
    world_close(&s.w);
}

static void a_release_below_the_floor_is_as_good_as_revoked(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    Assay__SetMinimumSequence args = ASSAY__SET_MINIMUM_SEQUENCE__INIT;
    args.class_id = world_bytes(s.w.class_id, UUID_BYTES);
    args.sequence = 2;
    assert_int_equal(
        world_run(&s.w, "firmware", "set_minimum_sequence", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
        CODE_OK);
    assert_int_equal(verify(&s, true).outcome, OUTCOME_REVOKED);
    assert_int_equal(push(&s.w, s.release, (int[]){DEVICE_1}, 1, 0, 0), CODE_RELEASE_BELOW_FLOOR);
    world_close(&s.w);
}

static void a_repeated_statement_changes_nothing_and_gets_the_same_answer(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    struct statement first = say(&s, STATEMENT_VERIFY, DEVICE_1), second;
    struct reply r;
    char detail[ANSWER_DETAIL_MAX];
    first.digest[5] ^= 1;
    assert_int_equal(hand_over(&s, &first, &r), CODE_OK);
    assert_int_equal(r.failed, 1);
    strcpy(detail, s.w.answer.detail);
    second = say(&s, STATEMENT_VERIFY, DEVICE_1);
    assert_int_equal(hand_over(&s, &second, &r), CODE_OK);
    assert_int_equal(r.outcome, OUTCOME_SUCCESS);

    struct memory_state before = memory_clone(&s.w.memory);
    s.w.now_ms += 1000000;
    assert_int_equal(send_as(&s, &first, "verify", DEVICE_1, GATEWAY_2, &r), CODE_OK);
    assert_int_equal(r.outcome, OUTCOME_MISMATCH);
    assert_int_equal(r.failed, 1);
    assert_string_equal(s.w.answer.detail, detail);
    assert_int_equal(hand_over(&s, &second, &r), CODE_OK);
    assert_int_equal(r.outcome, OUTCOME_SUCCESS);
    assert_true(memory_equal(&before, &s.w.memory));
    memory_free(&before);
    world_close(&s.w);
}

static void only_the_last_answers_are_kept(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    struct statement first = say(&s, STATEMENT_VERIFY, DEVICE_1);
    assert_int_equal(hand_over(&s, &first, NULL), CODE_OK);
    for (int i = 0; i < UPDATE_ANSWERS_KEPT - 1; i++) {
        (void)verify(&s, true);
    }
    assert_int_equal(hand_over(&s, &first, NULL), CODE_OK);
    (void)verify(&s, true);
    assert_int_equal(hand_over(&s, &first, NULL), CODE_STATEMENT_REPLAYED);
    world_close(&s.w);
}

static void a_counter_must_rise(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    s.counter = 9;
    (void)verify(&s, false);
    s.counter = 9; /* another statement with the counter just used */
    struct statement st = say(&s, STATEMENT_VERIFY, DEVICE_1);
    assert_int_equal(hand_over(&s, &st, NULL), CODE_STATEMENT_REPLAYED);
    st.counter = 0;
    assert_int_equal(hand_over(&s, &st, NULL), CODE_STATEMENT_REPLAYED);
    st.counter = 11;
    assert_int_equal(hand_over(&s, &st, NULL), CODE_OK);
    world_close(&s.w);
}

static void statements_that_are_not_the_devices_own_are_refused(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    struct memory_state before = memory_clone(&s.w.memory);
    struct statement st = say(&s, STATEMENT_VERIFY, DEVICE_1);
    st.digest[0] ^= 1;
    /* A stranger cannot burn attempts, nor can another device. */
    assert_int_equal(send_as(&s, &st, "verify", STRANGER, GATEWAY_1, NULL), CODE_STATEMENT_SIGNATURE);
    assert_int_equal(send_as(&s, &st, "verify", DEVICE_2, GATEWAY_1, NULL), CODE_STATEMENT_SIGNATURE);
    struct statement chain = st;
    chain.chain_id[0] ^= 1;
    assert_int_equal(hand_over(&s, &chain, NULL), CODE_STATEMENT_WRONG_CHAIN);
    assert_int_equal(send_as(&s, &st, "open", DEVICE_1, GATEWAY_1, NULL), CODE_STATEMENT_WRONG_KIND);
    assert_int_equal(send_as(&s, &st, "report", DEVICE_1, GATEWAY_1, NULL), CODE_STATEMENT_WRONG_KIND);
    assert_true(memory_equal(&before, &s.w.memory));
    memory_free(&before);
    world_close(&s.w);
}

static void statements_of_the_wrong_form_are_refused(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    struct statement st = say(&s, STATEMENT_VERIFY, DEVICE_1);
    uint8_t text[STATEMENT_SIGNED_LEN], signature[SIG_LEN] = {0};
    statement_encode(&st, text);
    Assay__UpdateStatement args = ASSAY__UPDATE_STATEMENT__INIT;
    args.statement = world_bytes(text + TAG_LEN, STATEMENT_LEN - 1);
    args.signature = world_bytes(signature, SIG_LEN);
    assert_int_equal(world_run(&s.w, "update", "verify", &args.base, PEOPLE_OF(GATEWAY_1)), CODE_STATEMENT_INVALID);
    args.statement.len = STATEMENT_LEN;
    args.signature.len = SIG_LEN - 1;
    assert_int_equal(world_run(&s.w, "update", "verify", &args.base, PEOPLE_OF(GATEWAY_1)), CODE_STATEMENT_INVALID);
    args.signature.len = SIG_LEN;
    text[TAG_LEN] = 9; /* version */
    assert_int_equal(world_run(&s.w, "update", "verify", &args.base, PEOPLE_OF(GATEWAY_1)), CODE_STATEMENT_INVALID);
    world_close(&s.w);
}

static void any_node_or_the_device_itself_may_carry(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    struct statement st = say(&s, STATEMENT_VERIFY, DEVICE_1);
    assert_int_equal(send_as(&s, &st, "verify", DEVICE_1, STRANGER, NULL), CODE_UNKNOWN_SENDER);
    assert_int_equal(send_as(&s, &st, "verify", DEVICE_1, AUTHOR_1, NULL), CODE_NOT_AUTHORIZED);
    assert_int_equal(send_as(&s, &st, "verify", DEVICE_1, DEVICE_2, NULL), CODE_NOT_AUTHORIZED);
    assert_int_equal(send_as(&s, &st, "verify", DEVICE_1, DEVICE_1, NULL), CODE_OK);
    st = say(&s, STATEMENT_VERIFY, DEVICE_1);
    assert_int_equal(send_as(&s, &st, "verify", DEVICE_1, GATEWAY_2, NULL), CODE_OK);
    world_close(&s.w);
}

static void unknown_updates_and_devices_that_are_no_targets_are_refused(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    assert_int_equal(push(&s.w, s.release, (int[]){DEVICE_2}, 1, 0, 0), CODE_OK);
    struct statement st = say(&s, STATEMENT_VERIFY, DEVICE_1);
    memcpy(st.update_id, s.w.tx_id, HASH_LEN);
    assert_int_equal(hand_over(&s, &st, NULL), CODE_UPDATE_NOT_A_TARGET);
    st.update_id[0] ^= 1;
    assert_int_equal(hand_over(&s, &st, NULL), CODE_UPDATE_UNKNOWN);
    st = say(&s, STATEMENT_VERIFY, STRANGER);
    assert_int_equal(send_as(&s, &st, "verify", STRANGER, GATEWAY_1, NULL), CODE_UPDATE_NOT_A_TARGET);
    world_close(&s.w);
}

static void a_class_update_begins_with_each_devices_open(void **state) {
    (void)state;
    struct scene s;
    struct reply r;
    struct status_record record;
    bool found = true;
    scene_open(&s, true);
    assert_int_equal(update_status_get(&s.w.state, s.update, s.w.public_key[DEVICE_1], &record, &found), OK);
    assert_false(found);
    struct statement st = say(&s, STATEMENT_VERIFY, DEVICE_1);
    assert_int_equal(hand_over(&s, &st, NULL), CODE_UPDATE_NOT_OPEN);
    st = say(&s, STATEMENT_REPORT, DEVICE_1);
    assert_int_equal(hand_over(&s, &st, NULL), CODE_UPDATE_NOT_OPEN);
    /* Long after the push its window begins, and begins once. */
    s.w.now_ms += 10 * UPDATE_WINDOW_DEFAULT_MS;
    uint64_t end_ms = s.w.now_ms + UPDATE_WINDOW_DEFAULT_MS;
    st = say(&s, STATEMENT_OPEN, DEVICE_1);
    assert_int_equal(hand_over(&s, &st, &r), CODE_OK);
    assert_int_equal(r.status, STATUS_UNVERIFIED);
    assert_int_equal(r.window_end_ms, end_ms);
    s.w.now_ms = end_ms - 1;
    st = say(&s, STATEMENT_OPEN, DEVICE_1);
    assert_int_equal(hand_over(&s, &st, &r), CODE_OK);
    assert_int_equal(r.window_end_ms, end_ms);
    assert_int_equal(verify(&s, true).outcome, OUTCOME_SUCCESS);
    /* A device of another class is no target. */
    st = say(&s, STATEMENT_OPEN, DEVICE_GLOBEX);
    assert_int_equal(send_as(&s, &st, "open", DEVICE_GLOBEX, GATEWAY_1, NULL), CODE_UPDATE_NOT_A_TARGET);
    assert_int_equal(counted(&s, STATUS_VERIFIED), 1);
    world_close(&s.w);
}

static void a_silent_device_expires_by_itself(void **state) {
    (void)state;
    struct scene s;
    uint64_t due_ms = 0;
    scene_open(&s, false);
    (void)verify(&s, true); /* device 1 speaks, device 2 is silent */
    uint64_t end_ms = s.pushed_ms + UPDATE_WINDOW_DEFAULT_MS;
    assert_int_equal(next_due(&s.w.state, &due_ms), OK);
    assert_int_equal(due_ms, end_ms);
    assert_int_equal(world_block(&s.w, end_ms - 1), OK);
    assert_int_equal(counted(&s, STATUS_EXPIRED), 0);
    assert_int_equal(world_block(&s.w, end_ms), OK);
    assert_int_equal(counted(&s, STATUS_EXPIRED), 1);
    assert_int_equal(counted(&s, STATUS_VERIFIED), 1);
    assert_int_equal(next_due(&s.w.state, &due_ms), OK);
    assert_int_equal(due_ms, 0);
    struct status_record record;
    bool found = false;
    assert_int_equal(update_status_get(&s.w.state, s.update, s.w.public_key[DEVICE_2], &record, &found), OK);
    assert_int_equal(record.status, STATUS_EXPIRED);
    assert_int_equal(record.height, s.w.height);
    assert_int_equal(record.time_ms, end_ms);
    world_close(&s.w);
}

/* Sends a report of device 1 with this outcome. */
static enum code report(struct scene *s, enum report_outcome outcome) {
    struct statement st = say(s, STATEMENT_REPORT, DEVICE_1);
    st.outcome = outcome;
    return hand_over(s, &st, NULL);
}

static void reports_come_in_order(void **state) {
    (void)state;
    struct scene s;
    struct update_running running;
    bool found = false;
    scene_open(&s, false);
    assert_int_equal(report(&s, REPORT_INSTALLED), CODE_REPORT_OUT_OF_ORDER);
    assert_int_equal(report(&s, REPORT_ROLLED_BACK), CODE_REPORT_OUT_OF_ORDER);
    (void)verify(&s, true);
    assert_int_equal(report(&s, REPORT_INSTALLED), CODE_OK);
    assert_int_equal(counted(&s, STATUS_INSTALLED), 1);
    assert_int_equal(update_running_get(&s.w.state, s.w.public_key[DEVICE_1], &running, &found), OK);
    assert_true(found);
    assert_int_equal(running.sequence, 1);
    assert_int_equal(running.outcome, REPORT_INSTALLED);
    assert_int_equal(report(&s, REPORT_INSTALLED), CODE_REPORT_OUT_OF_ORDER);
    assert_int_equal(report(&s, REPORT_FAILED), CODE_REPORT_OUT_OF_ORDER);
    /* A late verify says what it finds but installed stays installed. */
    struct reply r = verify(&s, false);
    assert_int_equal(r.outcome, OUTCOME_MISMATCH);
    assert_int_equal(r.status, STATUS_INSTALLED);
    assert_int_equal(report(&s, REPORT_ROLLED_BACK), CODE_OK);
    assert_int_equal(counted(&s, STATUS_ROLLED_BACK), 1);
    assert_int_equal(report(&s, REPORT_ROLLED_BACK), CODE_REPORT_OUT_OF_ORDER);
    world_close(&s.w);
}

static void a_failed_device_may_try_again_within_its_window(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    assert_int_equal(report(&s, REPORT_FAILED), CODE_OK);
    assert_int_equal(report(&s, REPORT_FAILED), CODE_REPORT_OUT_OF_ORDER);
    assert_int_equal(verify(&s, false).status, STATUS_FAILED);
    assert_int_equal(verify(&s, true).status, STATUS_VERIFIED);
    assert_int_equal(report(&s, REPORT_INSTALLED), CODE_OK);
    world_close(&s.w);
}

static void an_installed_report_must_fit_the_release(void **state) {
    (void)state;
    struct scene s;
    scene_open(&s, false);
    (void)verify(&s, true);
    struct statement st = say(&s, STATEMENT_REPORT, DEVICE_1);
    st.digest[0] ^= 1;
    assert_int_equal(hand_over(&s, &st, NULL), CODE_REPORT_CONTRADICTS);
    st = say(&s, STATEMENT_REPORT, DEVICE_1);
    st.sequence = 2;
    assert_int_equal(hand_over(&s, &st, NULL), CODE_REPORT_CONTRADICTS);
    world_close(&s.w);
}

static void a_report_outside_any_update_says_what_runs(void **state) {
    (void)state;
    struct scene s;
    struct update_running running;
    bool found = false;
    scene_open(&s, false);
    struct statement st = say(&s, STATEMENT_REPORT, DEVICE_1);
    memset(st.update_id, 0, HASH_LEN);
    st.sequence = 42;
    st.counter = 500;
    assert_int_equal(hand_over(&s, &st, NULL), CODE_OK);
    struct memory_state before = memory_clone(&s.w.memory);
    assert_int_equal(hand_over(&s, &st, NULL), CODE_OK);
    assert_true(memory_equal(&before, &s.w.memory));
    memory_free(&before);
    st.sequence = 41; /* not the same statement */
    assert_int_equal(hand_over(&s, &st, NULL), CODE_STATEMENT_REPLAYED);
    assert_int_equal(update_running_get(&s.w.state, s.w.public_key[DEVICE_1], &running, &found), OK);
    assert_int_equal(running.sequence, 42);
    /* An older report within an update counts there, and doesn't turn the clock back here. */
    (void)verify(&s, true);
    assert_int_equal(report(&s, REPORT_INSTALLED), CODE_OK);
    assert_int_equal(update_running_get(&s.w.state, s.w.public_key[DEVICE_1], &running, &found), OK);
    assert_int_equal(running.sequence, 42);
    st.counter = 501;
    memcpy(st.device_id, s.w.public_key[STRANGER], KEY_LEN);
    assert_int_equal(send_as(&s, &st, "report", STRANGER, GATEWAY_1, NULL), CODE_DEVICE_UNKNOWN);
    st.counter = 502;
    memcpy(st.device_id, s.w.public_key[DEVICE_1], KEY_LEN);
    assert_int_equal(send_as(&s, &st, "report", STRANGER, GATEWAY_1, NULL), CODE_STATEMENT_SIGNATURE);
    world_close(&s.w);
}

static void a_p256_device_signs_its_statements(void **state) {
    (void)state;
    struct scene s;
    uint8_t point[P256_POINT_LEN], signature[SIG_LEN], text[STATEMENT_SIGNED_LEN], hmac[HASH_LEN] = {1};
    scene_open(&s, true);
    EVP_PKEY *pair = p256_new(point);
    Assay__DeviceRegister reg = ASSAY__DEVICE_REGISTER__INIT;
    reg.key_type = AUTHOR_P256;
    reg.key = world_bytes(point, sizeof point);
    reg.class_id = world_bytes(s.w.class_id, UUID_BYTES);
    reg.hardware_revision = 2;
    reg.mac_hmac = world_bytes(hmac, HASH_LEN);
    assert_int_equal(world_run(&s.w, "device", "register", &reg.base, PEOPLE_OF(GATEWAY_2)), CODE_OK);
    struct statement st = say(&s, STATEMENT_OPEN, DEVICE_1);
    sha256(point, sizeof point, st.device_id);
    statement_encode(&st, text);
    p256_sign(pair, text, sizeof text, signature);
    Assay__UpdateStatement args = ASSAY__UPDATE_STATEMENT__INIT;
    args.statement = world_bytes(text + TAG_LEN, STATEMENT_LEN);
    args.signature = world_bytes(signature, SIG_LEN);
    assert_int_equal(world_run(&s.w, "update", "open", &args.base, PEOPLE_OF(GATEWAY_1)), CODE_OK);
    /* Signed anew, the same statement is still a repetition. */
    struct memory_state before = memory_clone(&s.w.memory);
    p256_sign(pair, text, sizeof text, signature);
    assert_int_equal(world_run(&s.w, "update", "open", &args.base, PEOPLE_OF(GATEWAY_1)), CODE_OK);
    assert_true(memory_equal(&before, &s.w.memory));
    signature[9] ^= 1;
    assert_int_equal(world_run(&s.w, "update", "open", &args.base, PEOPLE_OF(GATEWAY_1)), CODE_STATEMENT_SIGNATURE);
    memory_free(&before);
    EVP_PKEY_free(pair);
    world_close(&s.w);
}

static void a_push_must_keep_the_rules(void **state) {
    (void)state;
    struct scene s;
    uint8_t nothing[HASH_LEN] = {0};
    scene_open(&s, false);
    struct world *w = &s.w;
    assert_int_equal(push(w, nothing, (int[]){DEVICE_1}, 1, 0, 0), CODE_RELEASE_UNKNOWN);
    assert_int_equal(push(w, s.release, (int[]){DEVICE_1, DEVICE_2, DEVICE_1}, 3, 0, 0), CODE_UPDATE_TARGET_REPEATED);
    assert_int_equal(push(w, s.release, (int[]){DEVICE_GLOBEX}, 1, 0, 0), CODE_UPDATE_WRONG_CLASS);
    assert_int_equal(push(w, s.release, (int[]){STRANGER}, 1, 0, 0), CODE_DEVICE_UNKNOWN);
    assert_int_equal(push(w, s.release, (int[65]){0}, 65, 0, 0), CODE_UPDATE_TOO_MANY_TARGETS);
    assert_int_equal(push(w, s.release, (int[]){DEVICE_1}, 1, UPDATE_WINDOW_MIN_MS - 1, 0), CODE_UPDATE_WINDOW_RANGE);
    assert_int_equal(push(w, s.release, (int[]){DEVICE_1}, 1, UPDATE_WINDOW_MIN_MS, 0), CODE_OK);
    assert_int_equal(push(w, s.release, (int[]){DEVICE_1}, 1, UPDATE_WINDOW_MAX_MS + 1, 0), CODE_UPDATE_WINDOW_RANGE);
    assert_int_equal(push(w, s.release, (int[]){DEVICE_1}, 1, UPDATE_WINDOW_MAX_MS, 0), CODE_OK);
    assert_int_equal(push(w, s.release, (int[]){DEVICE_1}, 1, 0, 101), CODE_UPDATE_MAX_FAILED_RANGE);
    assert_int_equal(push(w, s.release, (int[]){DEVICE_1}, 1, 0, 100), CODE_OK);

    Assay__UpdatePush args = ASSAY__UPDATE_PUSH__INIT;
    args.release_id = world_bytes(s.release, HASH_LEN);
    assert_int_equal(world_run(w, "update", "push", &args.base, PEOPLE_OF(AUTHOR_1)), CODE_UPDATE_NO_TARGETS);
    args.class_id = world_bytes(w->globex_class_id, UUID_BYTES);
    assert_int_equal(world_run(w, "update", "push", &args.base, PEOPLE_OF(AUTHOR_1)), CODE_UPDATE_WRONG_CLASS);
    args.class_id = world_bytes(w->class_id, UUID_BYTES);
    assert_int_equal(world_run(w, "update", "push", &args.base, PEOPLE_OF(GLOBEX_ADMIN)), CODE_NOT_AUTHORIZED);
    assert_int_equal(world_run(w, "update", "push", &args.base, PEOPLE_OF(ACME_ADMIN_1)), CODE_ADMIN_THRESHOLD);
    assert_int_equal(world_run(w, "update", "push", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)), CODE_OK);
    ProtobufCBinaryData one = world_bytes(w->public_key[DEVICE_1], KEY_LEN);
    args.n_devices = 1;
    args.devices = &one;
    assert_int_equal(world_run(w, "update", "push", &args.base, PEOPLE_OF(AUTHOR_1)), CODE_BAD_ARGUMENTS);
    assert_int_equal(world_revoke(w, s.release), CODE_OK);
    assert_int_equal(push(w, s.release, (int[]){DEVICE_1}, 1, 0, 0), CODE_RELEASE_REVOKED);
    world_close(w);
}

struct seen {
    size_t count;
    uint8_t first[HASH_LEN];
    uint8_t cursor[UPDATE_CURSOR_LEN];
};

static enum err see(void *arg, const struct update_record *u) {
    struct seen *seen = arg;
    if (seen->count++ == 0) {
        memcpy(seen->first, u->id, HASH_LEN);
    }
    update_cursor(u, seen->cursor);
    return OK;
}

static enum err see_status(void *arg, const struct status_record *status) {
    (void)status;
    ++*(size_t *)arg;
    return OK;
}

static void updates_are_listed_newest_first_and_by_page(void **state) {
    (void)state;
    struct scene s;
    uint8_t last[HASH_LEN];
    struct seen seen = {0};
    size_t statuses = 0;
    scene_open(&s, false);
    for (int i = 0; i < 4; i++) {
        s.w.now_ms += 10;
        assert_int_equal(push(&s.w, s.release, (int[]){DEVICE_1}, i % 2 == 0 ? 1 : 0, 0, 0), CODE_OK);
    }
    memcpy(last, s.w.tx_id, HASH_LEN);
    assert_int_equal(update_list_by_class(&s.w.state, s.w.class_id, NULL, 10, see, &seen), OK);
    assert_int_equal(seen.count, 5);
    assert_memory_equal(seen.first, last, HASH_LEN);
    seen.count = 0;
    assert_int_equal(update_list_by_class(&s.w.state, s.w.class_id, NULL, 2, see, &seen), OK);
    assert_int_equal(seen.count, 2);
    assert_int_equal(update_list_by_class(&s.w.state, s.w.class_id, seen.cursor, 10, see, &seen), OK);
    assert_int_equal(seen.count, 5);
    seen.count = 0;
    assert_int_equal(update_list_by_device(&s.w.state, s.w.public_key[DEVICE_1], NULL, 10, see, &seen), OK);
    assert_int_equal(seen.count, 3);
    seen.count = 0;
    assert_int_equal(update_list(&s.w.state, NULL, 10, see, &seen), OK);
    assert_int_equal(seen.count, 5);
    assert_int_equal(update_status_list(&s.w.state, s.update, NULL, 10, see_status, &statuses), OK);
    assert_int_equal(statuses, 2);
    world_close(&s.w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_digest_in_time_is_verified),
        cmocka_unit_test(a_push_is_recorded_with_its_terms),
        cmocka_unit_test(a_mismatch_is_counted_and_a_fourth_attempt_is_too_many),
        cmocka_unit_test(two_mismatches_then_the_right_digest_is_verified),
        cmocka_unit_test(the_window_ends_exactly_when_it_has_passed),
        cmocka_unit_test(expiry_goes_before_too_many_attempts_and_mismatch),
        cmocka_unit_test(revocation_goes_before_everything_and_is_not_counted),
        cmocka_unit_test(a_release_below_the_floor_is_as_good_as_revoked),
        cmocka_unit_test(a_repeated_statement_changes_nothing_and_gets_the_same_answer),
        cmocka_unit_test(only_the_last_answers_are_kept),
        cmocka_unit_test(a_counter_must_rise),
        cmocka_unit_test(statements_that_are_not_the_devices_own_are_refused),
        cmocka_unit_test(statements_of_the_wrong_form_are_refused),
        cmocka_unit_test(any_node_or_the_device_itself_may_carry),
        cmocka_unit_test(unknown_updates_and_devices_that_are_no_targets_are_refused),
        cmocka_unit_test(a_class_update_begins_with_each_devices_open),
        cmocka_unit_test(a_silent_device_expires_by_itself),
        cmocka_unit_test(reports_come_in_order),
        cmocka_unit_test(a_failed_device_may_try_again_within_its_window),
        cmocka_unit_test(an_installed_report_must_fit_the_release),
        cmocka_unit_test(a_report_outside_any_update_says_what_runs),
        cmocka_unit_test(a_p256_device_signs_its_statements),
        cmocka_unit_test(a_push_must_keep_the_rules),
        cmocka_unit_test(updates_are_listed_newest_first_and_by_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
