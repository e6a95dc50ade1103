#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/fake_gateway.h"

#include "device/core/machine.h"

static struct fake gateway;
static struct bench bench;
static uint8_t work[STATE_COPY_LEN];

static int prepare(void **state) {
    (void)state;
    fake_init(&gateway, 16, 3000);
    return bench_init(&bench, &gateway) ? 0 : -1;
}

static int clear(void **state) {
    (void)state;
    bench_close(&bench);
    return 0;
}

static struct device_state filled(void) {
    struct device_state s = bench.run.device.state;
    s.phase = PHASE_VERIFY;
    s.active = 1;
    s.candidate.image = (struct device_image){.sequence = 9, .size = 3000};
    memset(s.candidate.update_id, 0x0a, HASH_LEN);
    memset(s.candidate.manifest_digest, 0x0b, HASH_LEN);
    memset(s.candidate.image.digest, 0x0c, HASH_LEN);
    s.candidate.needs_open = true;
    s.pages_done = 1;
    s.attempts = 2;
    s.counter = 11;
    s.said = (struct device_said){.kind = STATEMENT_VERIFY, .counter = 10, .nonce = {1, 2, 3}};
    s.report = (struct device_report){.outcome = 2, .reason = 0x103, .counter = 11, .nonce = {4}, .update_id = {5}};
    s.last_error = 0x105;
    s.failed_update[3] = 9;
    s.failed_for_good = true;
    s.epoch = 7;
    s.height = 1ull << 40;
    return s;
}

static void a_record_reads_back_whole(void **state) {
    (void)state;
    struct device_state s = filled(), back;
    assert_true(state_save(&bench.flash.seam, &fixture_crypto, work, &s));
    memset(&back, 0xaa, sizeof back);
    assert_true(state_load(&bench.flash.seam, &fixture_crypto, work, &back));
    assert_int_equal(back.phase, PHASE_VERIFY);
    assert_int_equal(back.candidate.image.sequence, 9);
    assert_true(back.candidate.needs_open);
    assert_int_equal(back.said.counter, 10);
    assert_memory_equal(back.said.nonce, s.said.nonce, NONCE_LEN);
    assert_int_equal(back.report.reason, 0x103);
    assert_memory_equal(back.report.update_id, s.report.update_id, HASH_LEN);
    assert_int_equal(back.last_error, 0x105);
    assert_true(back.failed_for_good);
    assert_int_equal(back.height, s.height);
    assert_int_equal(back.validator_count, 16);
    assert_memory_equal(back.validators, s.validators, sizeof s.validators);
}

static void the_newest_valid_copy_counts(void **state) {
    (void)state;
    struct device_state s = filled(), back;
    for (uint64_t i = 1; i < 6; i++) {
        s.height = i;
        assert_true(state_save(&bench.flash.seam, &fixture_crypto, work, &s));
        assert_true(state_load(&bench.flash.seam, &fixture_crypto, work, &back));
        assert_int_equal(back.height, i);
    }
    /* A damaged newest copy leaves the one before it. */
    for (unsigned copy = 0; copy < 2; copy++) {
        uint8_t *byte = bench.flash.areas[FLASH_STATE] + copy * HOST_PAGE_SIZE + 500;
        *byte ^= 1;
        assert_true(state_load(&bench.flash.seam, &fixture_crypto, work, &back));
        assert_true(back.height == 4 || back.height == 5);
        *byte ^= 1;
    }
    bench.flash.areas[FLASH_STATE][500] ^= 1;
    bench.flash.areas[FLASH_STATE][HOST_PAGE_SIZE + 500] ^= 1;
    assert_false(state_load(&bench.flash.seam, &fixture_crypto, work, &back));
}

static void every_flipped_byte_of_a_copy_is_noticed(void **state) {
    (void)state;
    struct device_state s = filled(), back;
    s.height = 1;
    assert_true(state_save(&bench.flash.seam, &fixture_crypto, work, &s));
    s.height = 2;
    assert_true(state_save(&bench.flash.seam, &fixture_crypto, work, &s));
    uint8_t *pages = bench.flash.areas[FLASH_STATE];
    size_t newest = load_u64(pages + 4) > load_u64(pages + HOST_PAGE_SIZE + 4) ? 0 : HOST_PAGE_SIZE;
    for (size_t i = 0; i < STATE_COPY_LEN; i++) {
        pages[newest + i] ^= 0x20;
        assert_true(state_load(&bench.flash.seam, &fixture_crypto, work, &back));
        assert_int_equal(back.height, 1);
        pages[newest + i] ^= 0x20;
    }
}

static void unsound_records_are_noticed(void **state) {
    (void)state;
    const struct device_flash *flash = &bench.flash.seam;
    struct device_state s = filled();
    assert_true(state_is_sound(flash, &s));
    s.candidate.image.sequence = s.running.sequence;
    assert_false(state_is_sound(flash, &s));
    s = filled();
    s.candidate.image.size = FAKE_SLOT + 1;
    assert_false(state_is_sound(flash, &s));
    s = filled();
    s.pages_done = 2;
    assert_false(state_is_sound(flash, &s));
    s = filled();
    s.active = 2;
    assert_false(state_is_sound(flash, &s));
    s = filled();
    s.said.counter = 12;
    assert_false(state_is_sound(flash, &s));
    s = filled();
    s.validator_count = 0;
    assert_false(state_is_sound(flash, &s));
    s.validator_count = 17;
    assert_false(state_is_sound(flash, &s));
    s = filled();
    s.phase = (enum device_phase)PHASES;
    assert_false(state_is_sound(flash, &s));
    s.phase = PHASE_ARMED; /* with a statement under way */
    assert_false(state_is_sound(flash, &s));
    s.phase = PHASE_TRIAL; /* without a boot */
    assert_false(state_is_sound(flash, &s));
}

static void only_the_moves_of_the_table_are_made(void **state) {
    (void)state;
    struct device *device = &bench.run.device;
    unsigned allowed = 0;
    for (int from = 0; from < PHASES; from++) {
        for (int to = 0; to < PHASES; to++) {
            allowed += machine_may_follow((enum device_phase)from, (enum device_phase)to);
        }
    }
    assert_int_equal(allowed, 18);
    assert_false(machine_may_follow(PHASE_DOWNLOAD, PHASE_ARMED));
    assert_false(machine_may_follow(PHASE_IDLE, PHASE_ARMED));
    assert_false(machine_may_follow(PHASE_VERIFY, PHASE_TRIAL));
    assert_false(machine_may_follow((enum device_phase)77, PHASE_IDLE));
    assert_false(machine_move(device, PHASE_ARMED));
    assert_int_equal(device->state.phase, PHASE_IDLE);
    assert_false(device_confirm(device)); /* nothing is on trial */
}

static void geometry_that_cannot_work_is_refused(void **state) {
    (void)state;
    struct device *device = &bench.run.device;
    struct device_flash flash = bench.flash.seam;
    struct device_seams seams = bench.run.seams;
    seams.flash = &flash;
    assert_true(device_init(device, &bench.config, &seams));
    flash.page_size = DEVICE_PAGE_MAX * 2;
    assert_false(device_init(device, &bench.config, &seams));
    flash.page_size = 0;
    assert_false(device_init(device, &bench.config, &seams));
    flash = bench.flash.seam;
    flash.slot_size = 5000;
    assert_false(device_init(device, &bench.config, &seams));
    flash = bench.flash.seam;
    flash.state_size = 4096;
    assert_false(device_init(device, &bench.config, &seams));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, prepare, clear)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_record_reads_back_whole),
        CASE(the_newest_valid_copy_counts),
        CASE(every_flipped_byte_of_a_copy_is_noticed),
        CASE(unsound_records_are_noticed),
        CASE(only_the_moves_of_the_table_are_made),
        CASE(geometry_that_cannot_work_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
