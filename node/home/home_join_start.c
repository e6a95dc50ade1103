#include "node/home/home_join_start.h"

#include "base/clock.h"
#include "node/home/home_join.h"
#include "node/host/log.h"
#include "node/host/notify.h"

#define TELL_MS 10000u
/* Who supervises the start is told that it goes on, and will be told again well before this has passed. */
#define GOES_ON "EXTEND_TIMEOUT_USEC=60000000"

struct teller {
    uint64_t told_ms;
};

static bool tell(void *arg, enum snapshot_join_part part, uint64_t done, uint64_t total) {
    static const char *const names[] = {"waiting", "fetching", "building"};
    struct teller *teller = arg;
    uint64_t now_ms = clock_mono_ms();
    if (teller->told_ms == 0 || now_ms - teller->told_ms >= TELL_MS) {
        teller->told_ms = now_ms;
        log_event(LOG_INFO, "snapshot.join", log_text("part", names[part]), log_number("done", done),
                  log_number("of", total));
        if (notify_send(GOES_ON) != OK) {
            log_event(LOG_WARN, "notify.failed", log_text("state", "EXTEND_TIMEOUT_USEC"));
        }
    }
    return true;
}

static void source_left(void *arg, const char *url, enum err reason, const char *what) {
    (void)arg;
    log_event(reason == ERR_MISMATCH ? LOG_WARN : LOG_DEBUG, "snapshot.source", log_text("url", url),
              log_text("why", what), log_err(reason));
}

enum err home_join_start(const struct daemon_home *home, struct why *why) {
    struct teller teller = {0};
    struct snapshot_join_report report;
    const struct home_join_config config = {.home = home, .progress = tell, .source_left = source_left, .arg = &teller};
    enum err e = home_join(&config, &report, why);
    if (e == ERR_CORRUPT || e == ERR_MISMATCH || e == ERR_UNSUPPORTED) {
        e = ERR_INVALID; /* others' data: no word about what this node has, and another start may meet better sources */
    }
    if (e == OK && report.joined) {
        log_event(LOG_INFO, "snapshot.joined", log_number("height", report.height),
                  log_hash("block", report.block, sizeof report.block), log_number("bytes", report.bytes));
    }
    return e;
}
