#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/fake_gateway.h"

static struct fake gateway;
static struct bench bench;

static int prepare(void **state) {
    (void)state;
    fake_init(&gateway, 4, 20000);
    return bench_init(&bench, &gateway) ? 0 : -1;
}

static int clear(void **state) {
    (void)state;
    bench_close(&bench);
    return 0;
}

static enum host_outcome cycle(void) {
    return host_run_cycle(&bench.run);
}

static uint16_t last_error(void) {
    return bench.run.device.state.last_error;
}

/* The update is refused for this reason, the running image stays, and the ledger hears of it. */
static void assert_refused(uint16_t reason) {
    assert_int_equal(cycle(), HOST_REFUSED);
    assert_string_equal(device_reason_name(last_error()), device_reason_name(reason));
    assert_true(bench_runs(&bench, 4, bench.old_image, sizeof bench.old_image));
    assert_int_equal(bench.run.device.state.phase, PHASE_IDLE);
    assert_int_equal(gateway.last_report.outcome, REPORT_FAILED);
    assert_int_equal(gateway.last_report.reason, reason);
    assert_int_equal(gateway.last_report.sequence, 4);
}

static void an_offered_update_is_installed_confirmed_and_reported(void **state) {
    (void)state;
    assert_int_equal(cycle(), HOST_UPDATED);
    assert_true(bench_runs(&bench, 5, gateway.image, gateway.image_size));
    assert_int_equal(bench.secure.floor, 5);
    assert_int_equal(gateway.verifies, 1);
    assert_int_equal(gateway.opens, 0);
    assert_int_equal(gateway.reports, 1);
    assert_int_equal(gateway.last_report.outcome, REPORT_INSTALLED);
    assert_memory_equal(gateway.last_report.digest, gateway.release.image_digest, HASH_LEN);
    assert_int_equal(gateway.image_bytes, 20000);
    assert_int_equal(cycle(), HOST_NOTHING);
}

static void nothing_offered_is_nothing_to_do_and_writes_no_flash(void **state) {
    (void)state;
    gateway.offered = false;
    unsigned long writes = bench.power.writes;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(cycle(), HOST_NOTHING);
    }
    assert_int_equal(bench.power.writes, writes);
}

static void an_update_of_a_class_is_opened_first(void **state) {
    (void)state;
    gateway.offer.needs_open = true;
    assert_int_equal(cycle(), HOST_UPDATED);
    assert_int_equal(gateway.opens, 1);
    assert_int_equal(gateway.verifies, 1);
}

static void it_follows_the_chain_into_another_epoch(void **state) {
    (void)state;
    gateway.steps = 1;
    assert_int_equal(cycle(), HOST_UPDATED);
    assert_int_equal(bench.run.device.state.epoch, 1);
    assert_memory_equal(bench.run.device.state.validators[0], gateway.sets[1].keys[0], KEY_LEN);
    assert_int_equal(host_run_boot(&bench.run), HOST_NOTHING);
    assert_int_equal(bench.run.device.state.epoch, 1);
}

static void the_vendors_signature_alone_installs_nothing(void **state) {
    (void)state;
    gateway.signers = 2;
    assert_refused(BAD_QUORUM);
    assert_int_equal(gateway.image_bytes, 0);
}

static void the_ledgers_proof_alone_installs_nothing(void **state) {
    (void)state;
    fixture_key(8, 3, gateway.author, gateway.author_secret); /* signs, but no one vouches for it */
    fake_publish(&gateway);
    assert_refused(BAD_SIGNATURE);
}

static void a_delegation_by_another_root_is_refused(void **state) {
    (void)state;
    fixture_key(8, 9, gateway.root, gateway.root_secret);
    assert_refused(BAD_AUTHOR);
}

static void a_delegation_for_another_chain_class_vendor_or_sequence_is_refused(void **state) {
    (void)state;
    struct delegation good = gateway.delegation;
    gateway.delegation.chain_id[0] ^= 1;
    assert_refused(BAD_CHAIN);
    gateway.delegation = good;
    gateway.delegation.vendor_id[0] ^= 1;
    assert_refused(BAD_VENDOR);
    gateway.delegation = good;
    gateway.delegation.classes[0][0] ^= 1;
    assert_refused(BAD_AUTHOR);
    gateway.delegation = good;
    gateway.delegation.last_sequence = 4;
    gateway.offer.update_id[0] ^= 1;
    assert_refused(BAD_AUTHOR);
    gateway.delegation = good;
    assert_int_equal(cycle(), HOST_UPDATED);
}

static void a_manifest_for_something_else_is_refused(void **state) {
    (void)state;
    static const uint8_t other = 7;
    gateway.release.vendor_id[0] ^= 1;
    fake_publish(&gateway);
    assert_refused(BAD_VENDOR);
    gateway.release.vendor_id[0] ^= 1;
    gateway.release.class_id[0] ^= 1;
    fake_publish(&gateway);
    assert_refused(BAD_CLASS);
    gateway.release.class_id[0] ^= 1;
    gateway.release.component = bytes_of(&other, 1);
    fake_publish(&gateway);
    assert_refused(BAD_COMPONENT);
    gateway.release.component = bytes_of(&fake_component, 1);
    gateway.release.image_size = FAKE_SLOT + 1;
    fake_publish(&gateway);
    assert_refused(BAD_SIZE);
    gateway.release.image_size = gateway.image_size;
    gateway.release.format = SUIT_FORMAT_PATCH;
    gateway.release.base_digest = gateway.release.image_digest;
    fake_publish(&gateway);
    assert_refused(BAD_UNSUPPORTED);
}

static void older_sequences_and_those_below_the_floor_are_refused(void **state) {
    (void)state;
    gateway.release.sequence = 3;
    fake_publish(&gateway);
    assert_refused(BAD_SEQUENCE);
    gateway.release.sequence = 5;
    fake_publish(&gateway);
    bench.secure.floor = 6;
    gateway.offer.update_id[0] ^= 1;
    assert_refused(BAD_SEQUENCE);
    bench.secure.floor = 0;
    gateway.record.floor = 6;
    gateway.offer.update_id[0] ^= 1;
    assert_refused(BAD_SEQUENCE);
    gateway.record.floor = 5;
    assert_int_equal(cycle(), HOST_UPDATED);
}

static void damaged_evidence_is_refused(void **state) {
    (void)state;
    static const enum protocol_what objects[] = {PROTOCOL_ENVELOPE, PROTOCOL_CLASS_PROOF, PROTOCOL_DELEGATION};
    for (size_t i = 0; i < 3; i++) {
        gateway.spoil_what[objects[i]] = true;
        for (gateway.spoil_at = 0; gateway.spoil_at < 260; gateway.spoil_at += 37) {
            assert_int_equal(cycle(), HOST_REFUSED);
            assert_int_equal(gateway.image_bytes, 0);
        }
        gateway.spoil_what[objects[i]] = false;
        gateway.extra_byte[objects[i]] = true;
        assert_int_equal(cycle(), HOST_REFUSED);
        assert_int_equal(last_error(), BAD_TRAILING);
        gateway.extra_byte[objects[i]] = false;
    }
    assert_int_equal(cycle(), HOST_UPDATED);
}

static void a_proof_about_something_else_is_refused(void **state) {
    (void)state;
    gateway.answer_about = "campaign";
    assert_refused(BAD_KEY);
}

static void a_record_that_does_not_match_the_manifest_is_refused(void **state) {
    (void)state;
    struct class_record good = gateway.record;
    gateway.record.manifest_digest[0] ^= 1;
    assert_refused(BAD_DIGEST);
    gateway.record = good;
    gateway.record.image_digest[0] ^= 1;
    assert_int_equal(cycle(), HOST_REFUSED);
    assert_int_equal(last_error(), BAD_DIGEST);
    gateway.record = good;
    gateway.record.image_size++;
    assert_refused(BAD_SIZE);
    gateway.record = good;
    gateway.record.sequence = 6;
    assert_refused(BAD_SEQUENCE);
    gateway.record = good;
    gateway.record.sequence = 4;
    gateway.record.highest_revoked = 5;
    assert_refused(BAD_REVOKED);
    gateway.record = good;
    gateway.record.has_release = false;
    assert_int_equal(cycle(), HOST_REFUSED);
}

static void proofs_older_than_the_last_one_seen_are_refused(void **state) {
    (void)state;
    gateway.offered = true;
    assert_int_equal(cycle(), HOST_UPDATED);
    gateway.release.sequence = 6;
    gateway.offer.update_id[0] ^= 1;
    gateway.has_status = false;
    fake_publish(&gateway);
    gateway.old_proofs = true;
    assert_int_equal(cycle(), HOST_REFUSED);
    assert_int_equal(last_error(), BAD_HEIGHT);
    assert_int_equal(bench.run.device.state.running.sequence, 5);
}

static void without_a_clock_age_is_not_judged(void **state) {
    (void)state;
    struct device_config config = bench.config;
    config.max_age_ms = 1;
    bench.run.config = &config;
    assert_int_equal(host_run_boot(&bench.run), HOST_NOTHING);
    assert_int_equal(cycle(), HOST_UPDATED); /* no clock, no freshness check */
}

static uint64_t late(void *ctx) {
    (void)ctx;
    return 1ull << 41;
}

static void a_clock_brings_the_freshness_check(void **state) {
    (void)state;
    static const struct device_clock clock = {late, NULL};
    bench.config.max_age_ms = 60000;
    bench.run.seams.clock = &clock;
    assert_int_equal(host_run_boot(&bench.run), HOST_NOTHING);
    assert_refused(BAD_STALE);
}

/* Its vendor's signature stands beside the walk, so the walk may start anywhere (verify/freshness.h). */
static void a_start_of_decades_ago_is_no_reason_to_refuse(void **state) {
    (void)state;
    static const struct device_clock clock = {late, NULL};
    bench.config.max_age_ms = 60000;
    bench.run.seams.clock = &clock;
    gateway.steps = 1;
    gateway.height = (late(NULL) - 1000000) / 1000; /* its block time is the clock's; epoch 0 closed in 2004 */
    assert_int_equal(freshness_start(FOLLOWER_GATEWAY, 1000000 + gateway.height / 2 * 1000, late(NULL)), BAD_START);
    assert_int_equal(host_run_boot(&bench.run), HOST_NOTHING);
    assert_int_equal(cycle(), HOST_UPDATED);
    assert_int_equal(bench.run.device.state.epoch, 1);
}

static void a_wrong_image_is_counted_by_the_ledger_and_fetched_again(void **state) {
    (void)state;
    gateway.corrupt_images = 2;
    assert_int_equal(cycle(), HOST_UPDATED);
    assert_int_equal(gateway.verifies, 3);
    assert_int_equal(gateway.status.failed_attempts, 2);
    assert_true(bench_runs(&bench, 5, gateway.image, gateway.image_size));
}

static void after_the_ledgers_limit_even_the_right_image_is_refused(void **state) {
    (void)state;
    gateway.corrupt_images = 3;
    assert_refused(REASON_EXHAUSTED);
    assert_int_equal(gateway.verifies, 4);
    /* It is not tried again. */
    assert_int_equal(cycle(), HOST_NOTHING);
}

static void an_image_that_is_not_as_long_as_signed_is_refused_at_once(void **state) {
    (void)state;
    gateway.image_too_long = true;
    assert_refused(BAD_SIZE);
    assert_true(gateway.image_bytes <= DEVICE_PIECE);
}

static void the_ledgers_no_aborts_for_good(void **state) {
    (void)state;
    static const struct {
        enum verify_outcome outcome;
        uint16_t reason;
    } cases[] = {
        {OUTCOME_EXPIRED, REASON_EXPIRED}, {OUTCOME_EXHAUSTED, REASON_EXHAUSTED}, {OUTCOME_REVOKED, BAD_REVOKED}};
    for (size_t i = 0; i < 3; i++) {
        gateway.force = cases[i].outcome;
        gateway.offer.update_id[0] ^= 1;
        gateway.has_status = false;
        assert_refused(cases[i].reason);
        assert_int_equal(cycle(), HOST_NOTHING);
    }
}

static void endless_mismatches_end_here_if_not_on_the_ledger(void **state) {
    (void)state;
    gateway.force = OUTCOME_MISMATCH;
    assert_refused(REASON_ATTEMPTS);
    assert_int_equal(gateway.verifies, DEVICE_ATTEMPTS_MAX);
}

static void success_without_its_own_nonce_arms_nothing(void **state) {
    (void)state;
    gateway.replay_status = true;
    assert_refused(BAD_STALE);
}

static void success_for_another_digest_arms_nothing(void **state) {
    (void)state;
    gateway.corrupt_images = 1;
    gateway.force = OUTCOME_SUCCESS;
    assert_refused(BAD_DIGEST);
}

static void a_damaged_status_proof_arms_nothing(void **state) {
    (void)state;
    gateway.spoil_what[PROTOCOL_STATUS_PROOF] = true;
    for (gateway.spoil_at = 8; gateway.spoil_at < 700; gateway.spoil_at += 61) {
        assert_int_equal(cycle(), HOST_REFUSED);
        assert_true(bench_runs(&bench, 4, bench.old_image, sizeof bench.old_image));
    }
}

static void a_release_revoked_while_it_came_in_is_not_armed(void **state) {
    (void)state;
    gateway.revoke_before_arming = true;
    assert_refused(BAD_REVOKED);
    assert_int_equal(gateway.verifies, 1);
    assert_int_equal(cycle(), HOST_NOTHING);
}

static void an_image_that_is_offered_no_more_does_not_keep_later_ones_out(void **state) {
    (void)state;
    gateway.image_gone = true;
    assert_int_equal(cycle(), HOST_NOTHING);
    assert_int_equal(bench.run.device.state.phase, PHASE_IDLE);
    gateway.image_gone = false;
    assert_int_equal(cycle(), HOST_UPDATED);
}

static void a_statement_the_ledger_refuses_ends_the_attempt(void **state) {
    (void)state;
    gateway.refuse = true;
    assert_int_equal(cycle(), HOST_REFUSED);
    assert_int_equal(last_error(), REASON_NOT_HEARD);
}

static void it_waits_while_statements_are_queued(void **state) {
    (void)state;
    gateway.queue = true;
    assert_int_equal(cycle(), HOST_TIMEOUT);
    assert_int_equal(bench.run.device.state.phase, PHASE_VERIFY);
    uint64_t counter = bench.run.device.state.counter;
    gateway.queue = false;
    assert_int_equal(cycle(), HOST_UPDATED);
    assert_int_equal(gateway.status.counter, counter); /* the very statement it had begun with */
}

static void it_stands_a_gateway_that_is_away_lies_or_does_not_know_it(void **state) {
    (void)state;
    gateway.offline = true;
    assert_int_equal(cycle(), HOST_OFFLINE);
    gateway.offline = false;
    gateway.garbage = true;
    assert_int_equal(cycle(), HOST_OFFLINE);
    gateway.garbage = false;
    gateway.unknown_device = true;
    assert_int_equal(cycle(), HOST_REFUSED);
    assert_int_equal(last_error(), REASON_NOT_REGISTERED);
    gateway.unknown_device = false;
    gateway.swap_tag = true;
    assert_int_equal(cycle(), HOST_OFFLINE);
    gateway.swap_tag = false;
    gateway.chain[0] ^= 1;
    bench.run.device.greeted = false;
    assert_int_equal(cycle(), HOST_REFUSED);
    assert_int_equal(last_error(), BAD_CHAIN);
    gateway.chain[0] ^= 1;
    assert_int_equal(cycle(), HOST_UPDATED);
}

static void a_download_goes_on_where_it_was_written_down(void **state) {
    (void)state;
    fake_make_image(&gateway, 6, FAKE_SLOT - 5);
    fake_publish(&gateway);
    gateway.offline_after = 60; /* beyond the manifest and the proof, within the image */
    assert_int_equal(cycle(), HOST_OFFLINE);
    assert_int_equal(bench.run.device.state.phase, PHASE_DOWNLOAD);
    gateway.offline_after = -1;
    assert_int_equal(host_run_boot(&bench.run), HOST_NOTHING);
    assert_int_equal(cycle(), HOST_UPDATED);
    assert_true(bench_runs(&bench, 5, gateway.image, gateway.image_size));
}

static void pages_that_are_right_are_not_written_again(void **state) {
    (void)state;
    unsigned long before = bench.power.writes;
    assert_int_equal(cycle(), HOST_UPDATED);
    unsigned long whole = bench.power.writes - before;
    bench_close(&bench);
    fake_init(&gateway, 4, 20000);
    assert_true(bench_init(&bench, &gateway));
    memcpy(bench.flash.areas[FLASH_SLOT_1], gateway.image, gateway.image_size);
    bench.flash.areas[FLASH_SLOT_1][9000] ^= 1;
    before = bench.power.writes;
    assert_int_equal(cycle(), HOST_UPDATED);
    /* Of five pages one is erased and programmed; before, five were programmed. */
    assert_int_equal(bench.power.writes - before, whole - 5 + 2);
}

static void an_image_that_never_confirms_is_rolled_back_and_reported(void **state) {
    (void)state;
    bench.run.fail_trial = true;
    assert_int_equal(cycle(), HOST_REFUSED);
    assert_int_equal(last_error(), REASON_UNCONFIRMED);
    assert_true(bench_runs(&bench, 4, bench.old_image, sizeof bench.old_image));
    assert_int_equal(bench.secure.floor, 0);
    assert_int_equal(gateway.last_report.outcome, REPORT_ROLLED_BACK);
    assert_int_equal(cycle(), HOST_NOTHING);
}

static void what_is_booted_is_hashed_again(void **state) {
    (void)state;
    struct device *device = &bench.run.device;
    while (device_step(device) == DEVICE_AGAIN) {
    }
    assert_int_equal(device->state.phase, PHASE_ARMED);
    bench.flash.areas[FLASH_SLOT_1][100] ^= 1;
    assert_int_equal(host_run_boot(&bench.run), HOST_NOTHING);
    assert_int_equal(last_error(), BAD_DIGEST);
    assert_true(bench_runs(&bench, 4, bench.old_image, sizeof bench.old_image));
}

static void a_smaller_update_follows_a_larger_one(void **state) {
    (void)state;
    fake_make_image(&gateway, 5, 40000);
    fake_publish(&gateway);
    assert_int_equal(cycle(), HOST_UPDATED);
    fake_make_image(&gateway, 6, 5000);
    gateway.release.sequence = 6;
    gateway.offer.update_id[0] ^= 1;
    gateway.has_status = false;
    fake_publish(&gateway);
    assert_int_equal(cycle(), HOST_UPDATED);
    assert_true(bench_runs(&bench, 6, gateway.image, 5000));
    assert_int_equal(bench.secure.floor, 6);
}

static void a_changed_running_image_is_noticed_at_boot(void **state) {
    (void)state;
    bench.flash.areas[FLASH_SLOT_0][5] ^= 1;
    assert_int_equal(host_run_boot(&bench.run), HOST_DAMAGED);
}

static void a_report_waits_for_the_gateway(void **state) {
    (void)state;
    bench.run.hold_reports = true;
    assert_int_equal(cycle(), HOST_UPDATED);
    assert_int_equal(gateway.reports, 0);
    bench.run.hold_reports = false;
    gateway.offline = true;
    assert_int_equal(host_run_boot(&bench.run), HOST_NOTHING);
    assert_int_equal(cycle(), HOST_OFFLINE);
    gateway.offline = false;
    assert_int_equal(cycle(), HOST_NOTHING);
    assert_int_equal(gateway.reports, 1);
    assert_int_equal(gateway.last_report.outcome, REPORT_INSTALLED);
}

static void a_refusal_is_reported_and_written_down_once(void **state) {
    (void)state;
    gateway.signers = 1;
    assert_refused(BAD_QUORUM);
    unsigned long writes = bench.power.writes;
    unsigned reports = gateway.reports;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(cycle(), HOST_REFUSED);
    }
    assert_int_equal(bench.power.writes, writes);
    assert_int_equal(gateway.reports, reports);
}

static void the_context_fits_a_small_device(void **state) {
    (void)state;
    print_message("sizeof(struct device) = %zu, of its state %zu, of its work %zu\n", sizeof(struct device),
                  sizeof(struct device_state), sizeof(union device_work));
    assert_true(sizeof(struct device) <= 8192);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, prepare, clear)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(an_offered_update_is_installed_confirmed_and_reported),
        CASE(nothing_offered_is_nothing_to_do_and_writes_no_flash),
        CASE(an_update_of_a_class_is_opened_first),
        CASE(it_follows_the_chain_into_another_epoch),
        CASE(the_vendors_signature_alone_installs_nothing),
        CASE(the_ledgers_proof_alone_installs_nothing),
        CASE(a_delegation_by_another_root_is_refused),
        CASE(a_delegation_for_another_chain_class_vendor_or_sequence_is_refused),
        CASE(a_manifest_for_something_else_is_refused),
        CASE(older_sequences_and_those_below_the_floor_are_refused),
        CASE(damaged_evidence_is_refused),
        CASE(a_proof_about_something_else_is_refused),
        CASE(a_record_that_does_not_match_the_manifest_is_refused),
        CASE(proofs_older_than_the_last_one_seen_are_refused),
        CASE(without_a_clock_age_is_not_judged),
        CASE(a_clock_brings_the_freshness_check),
        CASE(a_start_of_decades_ago_is_no_reason_to_refuse),
        CASE(a_wrong_image_is_counted_by_the_ledger_and_fetched_again),
        CASE(after_the_ledgers_limit_even_the_right_image_is_refused),
        CASE(an_image_that_is_not_as_long_as_signed_is_refused_at_once),
        CASE(the_ledgers_no_aborts_for_good),
        CASE(endless_mismatches_end_here_if_not_on_the_ledger),
        CASE(success_without_its_own_nonce_arms_nothing),
        CASE(success_for_another_digest_arms_nothing),
        CASE(a_damaged_status_proof_arms_nothing),
        CASE(a_release_revoked_while_it_came_in_is_not_armed),
        CASE(an_image_that_is_offered_no_more_does_not_keep_later_ones_out),
        CASE(a_statement_the_ledger_refuses_ends_the_attempt),
        CASE(it_waits_while_statements_are_queued),
        CASE(it_stands_a_gateway_that_is_away_lies_or_does_not_know_it),
        CASE(a_download_goes_on_where_it_was_written_down),
        CASE(pages_that_are_right_are_not_written_again),
        CASE(an_image_that_never_confirms_is_rolled_back_and_reported),
        CASE(what_is_booted_is_hashed_again),
        CASE(a_smaller_update_follows_a_larger_one),
        CASE(a_changed_running_image_is_noticed_at_boot),
        CASE(a_report_waits_for_the_gateway),
        CASE(a_refusal_is_reported_and_written_down_once),
        CASE(the_context_fits_a_small_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
