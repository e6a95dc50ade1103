#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/http/metrics.h"

#include <string.h>

static struct status_facts facts;
static struct buffer text = BUFFER_INIT;

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

static void every_figure_has_help_and_type_and_stands_once(void **state) {
    (void)state;
    write_all();
    has("\nassay_height 12\n");
    char *at = (char *)text.data;
    for (char *next; *at != '\0'; at = next) {
        next = strchr(at, '\n');
        assert_non_null(next);
        *next++ = '\0';
        if (at[0] == '#') {
            continue;
        }
        char name[96], help[128];
        assert_int_equal(sscanf(at, "%95[^ {]", name), 1);
        size_t len = strlen(name);
        static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
        for (size_t i = 0; i < 3 && strncmp(name, "assay_stage_seconds", 19) == 0; i++) {
            size_t tail = strlen(suffixes[i]);
            if (len > tail && strcmp(name + len - tail, suffixes[i]) == 0) {
                name[len - tail] = '\0';
            }
        }
        (void)snprintf(help, sizeof help, "# HELP %s ", name);
        assert_non_null(memmem(text.data, text.len, help, strlen(help)));
        char *again = strchr(at, ' ');
        assert_non_null(again);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_has_help_and_type_and_stands_once),
        cmocka_unit_test(histograms_are_cumulated),
        cmocka_unit_test(alarms_and_peers_are_told_by_name),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_free(&text);
    return failed;
}
