#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/api/metrics.h"
#include "node/ledger/peer_codec.h"

#include <stdio.h>
#include <string.h>

static struct status_facts facts;
static struct buffer text;

static void write_all(void) {
    const struct block_header head = {.height = 12};
    buffer_reset(&text);
    metrics_write(&facts, &head, &text);
    buffer_u8(&text, 0);
    assert_int_equal(buffer_ok(&text), OK);
}

static void has(const char *line) {
    if (strstr((const char *)text.data, line) == NULL) {
        fail_msg("no line %s", line);
    }
}

/* Prometheus refuses a name whose lines do not stand together, and a type given twice. */
static void every_figure_has_help_and_type_and_stands_once(void **state) {
    (void)state;
    write_all();
    has("\nassay_height 12\n");
    char name[96] = "none", seen[8192] = "\n";
    char *rest = NULL;
    for (char *at = strtok_r((char *)text.data, "\n", &rest); at != NULL; at = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(at, "# HELP ", 7) == 0) {
            assert_int_equal(sscanf(at, "# HELP %94[a-z_]", name), 1);
            char entry[100];
            (void)snprintf(entry, sizeof entry, "\n%s\n", name);
            assert_null(strstr(seen, entry));
            assert_true(strlen(seen) + sizeof entry < sizeof seen);
            strcat(seen, entry + 1);
        } else if (strncmp(at, "# TYPE ", 7) == 0) {
            assert_int_equal(strncmp(at + 7, name, strlen(name)), 0);
        } else {
            assert_int_equal(strncmp(at, name, strlen(name)), 0);
            assert_non_null(strchr(at, ' '));
        }
    }
}

static void histograms_are_cumulated(void **state) {
    (void)state;
    struct stage_times times = {0};
    stage_times_add(&times, STAGE_JOURNAL_SYNC, 90);
    stage_times_add(&times, STAGE_JOURNAL_SYNC, 150);
    stage_times_add(&times, STAGE_JOURNAL_SYNC, 100000000);
    memcpy(facts.stages, times.stages, sizeof facts.stages);
    write_all();
    has("assay_stage_seconds_bucket{stage=\"journal_sync\",le=\"0.0001\"} 1\n");
    has("assay_stage_seconds_bucket{stage=\"journal_sync\",le=\"0.0002\"} 2\n");
    has("assay_stage_seconds_bucket{stage=\"journal_sync\",le=\"13.1072\"} 2\n");
    has("assay_stage_seconds_bucket{stage=\"journal_sync\",le=\"+Inf\"} 3\n");
    has("assay_stage_seconds_sum{stage=\"journal_sync\"} 100.000240\n");
    has("assay_stage_seconds_count{stage=\"journal_sync\"} 3\n");
}

static void alarms_and_peers_are_told_by_name(void **state) {
    (void)state;
    (void)alarms_raise(&facts.alarms, "clock-differs", "text", 1);
    facts.peer_count = 1;
    facts.peers[0] = (struct status_peer){.key = {0xab, 0xcd}, .up = true, .queued_bytes = 77};
    write_all();
    has("assay_alarm{name=\"clock-differs\"} 1\n");
    has("assay_alarms_raised_total{name=\"clock-differs\"} 1\n");
    has("assay_peer_up{peer=\"abcd000000000000\"} 1\n");
    has("assay_peer_queued_bytes{peer=\"abcd000000000000\"} 77\n");
}

static void what_strangers_do_is_told(void **state) {
    (void)state;
    facts.links = (struct links_stats){.connections = 5,
                                       .dialled = 3,
                                       .connections_refused = 11,
                                       .connections_cut = 12,
                                       .garbage = 13,
                                       .forged = 14,
                                       .strangers = 15,
                                       .replayed = 16,
                                       .throttled = 17,
                                       .unknown = 18,
                                       .sent = {[PEER_VOTES] = 19, [PEER_TRANSACTION] = 20},
                                       .sent_own = 21};
    write_all();
    has("\nassay_links_connections 5\n");
    has("\nassay_links_dialled 3\n");
    has("\nassay_links_refused_total 11\n");
    has("\nassay_links_cut_total 12\n");
    has("\nassay_links_garbage_total 13\n");
    has("\nassay_links_forged_total 14\n");
    has("\nassay_links_strangers_total 15\n");
    has("\nassay_links_replayed_total 16\n");
    has("\nassay_links_throttled_total 17\n");
    has("\nassay_links_unknown_total 18\n");
    has("\nassay_sent_bytes_total{kind=\"votes\"} 19\n");
    has("\nassay_sent_bytes_total{kind=\"transaction\"} 20\n");
    has("\nassay_sent_bytes_total{kind=\"link\"} 21\n");
    has("\nprocess_open_fds ");
    has("\nprocess_max_fds ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_has_help_and_type_and_stands_once),
        cmocka_unit_test(histograms_are_cumulated),
        cmocka_unit_test(alarms_and_peers_are_told_by_name),
        cmocka_unit_test(what_strangers_do_is_told),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_free(&text);
    return failed;
}
