#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/fake_gateway.h"

#include "device/ports/host/host_cut.h"

static struct fake gateway;
static struct bench bench;

/* Begins anew on both sides. */
static void restart(bool whole_class, int wrong_images) {
    fake_init(&gateway, 1, 9000);
    gateway.offer.needs_open = whole_class;
    gateway.corrupt_images = wrong_images;
    assert_true(bench_init(&bench, &gateway));
    bench.power.writes = 0;
}

static bool runs_old(void) {
    return bench_runs(&bench, 4, bench.old_image, sizeof bench.old_image);
}

static bool runs_new(void) {
    return bench_runs(&bench, 5, gateway.image, gateway.image_size);
}

static void power_on(void) {
    bench.power.dead = false;
    bench.power.writes_left = -1;
}

/* Cuts at the k-th write, and once more at the m-th write of what follows; then the update must still complete. */
static void cut_twice(long first, long second, bool whole_class, int wrong_images) {
    restart(whole_class, wrong_images);
    bench.power.writes_left = first;
    (void)host_run_cycle(&bench.run);
    for (int again = 0; again < 2; again++) {
        power_on();
        bench.power.writes_left = again == 0 ? second : -1;
        enum host_outcome outcome = host_run_boot(&bench.run);
        if (outcome == HOST_NOTHING || outcome == HOST_UPDATED) {
            assert_true(runs_old() || runs_new());
            (void)host_run_cycle(&bench.run);
        } else {
            assert_true(bench.power.dead);
        }
    }
    assert_true(runs_new());
    power_on();
    assert_int_equal(host_run_boot(&bench.run), HOST_NOTHING);
    assert_int_equal(host_run_cycle(&bench.run), HOST_NOTHING);
    assert_true(runs_new());
    assert_int_equal(bench.secure.floor, 5);
    assert_int_equal(gateway.last_report.outcome, REPORT_INSTALLED);
    bench_close(&bench);
}

static unsigned long count_writes(bool whole_class, int wrong_images) {
    restart(whole_class, wrong_images);
    assert_int_equal(host_run_cycle(&bench.run), HOST_UPDATED);
    bench_close(&bench);
    return bench.power.writes;
}

static void a_cut_at_any_write_ends_with_the_update_done(void **state) {
    (void)state;
    unsigned long writes = count_writes(false, 0);
    print_message("%lu writes\n", writes);
    for (unsigned long k = 0; k < writes; k++) {
        cut_twice((long)k, -1, false, 0);
    }
}

static void two_cuts_at_any_writes_do_no_harm_either(void **state) {
    (void)state;
    unsigned long writes = count_writes(true, 1);
    for (unsigned long k = 0; k < writes; k += 2) {
        for (long m = 0; m < 12; m++) {
            cut_twice((long)k, m, true, 1);
        }
    }
}

static void a_cut_at_any_write_of_a_failing_trial_ends_with_the_old_image(void **state) {
    (void)state;
    restart(false, 0);
    bench.run.fail_trial = true;
    assert_int_equal(host_run_cycle(&bench.run), HOST_REFUSED);
    unsigned long writes = bench.power.writes;
    bench_close(&bench);
    for (unsigned long k = 0; k < writes; k++) {
        restart(false, 0);
        bench.run.fail_trial = true;
        bench.power.writes_left = (long)k;
        (void)host_run_cycle(&bench.run);
        power_on();
        assert_int_equal(host_run_boot(&bench.run), HOST_NOTHING);
        assert_true(runs_old());
        (void)host_run_cycle(&bench.run);
        assert_true(runs_old());
        assert_int_equal(bench.secure.floor, 0);
        bench_close(&bench);
    }
}

/* No counter is used for two different statements, whatever happens to the power. */
static void counters_rise_through_cuts(void **state) {
    (void)state;
    unsigned long writes = count_writes(true, 0);
    for (unsigned long k = 0; k < writes; k++) {
        restart(true, 0);
        bench.power.writes_left = (long)k;
        (void)host_run_cycle(&bench.run);
        uint64_t used = gateway.last_counter;
        power_on();
        (void)host_run_boot(&bench.run);
        assert_true(bench.run.device.state.counter >= used);
        bench_close(&bench);
    }
}

static void the_hosts_own_power_cut_test_passes_and_keeps_the_update(void **state) {
    (void)state;
    struct host_home home = {.power = {.writes_left = -1}};
    struct host_cut_report report;
    struct why why = WHY_NONE;
    restart(false, 0);
    home.config = bench.config;
    home.flash = bench.flash;
    home.flash.power = &home.power;
    home.flash.seam.ctx = &home.flash;
    home.secure = bench.secure;
    home.secure.power = &home.power;
    home.secure.seam.ctx = &home.secure;
    bench.run.config = &home.config;
    if (!host_cut_test(&home, &bench.run, 1000, &report, &why)) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(report.from, 4);
    assert_int_equal(report.to, 5);
    assert_int_equal(report.cuts, report.writes);
    assert_true(report.old_after > 0 && report.new_after > 0);
    bench.run.seams.flash = &home.flash.seam;
    bench.run.seams.secure = &home.secure.seam;
    assert_int_equal(host_run_boot(&bench.run), HOST_NOTHING);
    assert_int_equal(bench.run.device.state.running.sequence, 5);
    assert_int_equal(gateway.reports, 0);
    assert_int_equal(host_run_cycle(&bench.run), HOST_NOTHING);
    assert_int_equal(gateway.reports, 1);
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_at_any_write_ends_with_the_update_done),
        cmocka_unit_test(two_cuts_at_any_writes_do_no_harm_either),
        cmocka_unit_test(a_cut_at_any_write_of_a_failing_trial_ends_with_the_old_image),
        cmocka_unit_test(counters_rise_through_cuts),
        cmocka_unit_test(the_hosts_own_power_cut_test_passes_and_keeps_the_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
