#include "device/ports/host/host_run.h"

#include <time.h>

#define RETRIES 3
#define BOOTS_MAX 16

static void sleep_ms(uint32_t ms) {
    struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000L};
    (void)nanosleep(&t, NULL);
}

static uint64_t now_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

enum host_outcome host_run_boot(struct host_run *run) {
    for (int boots = 0; boots < BOOTS_MAX; boots++) {
        if (!device_init(&run->device, run->config, &run->seams)) {
            return HOST_FAULT;
        }
        switch (device_boot(&run->device)) {
        case BOOT_RUN:
            return HOST_NOTHING;
        case BOOT_TRIAL:
            if (run->fail_trial) {
                continue; /* the watchdog resets it */
            }
            return device_confirm(&run->device) ? HOST_UPDATED : HOST_FAULT;
        case BOOT_DAMAGED:
            return HOST_DAMAGED;
        case BOOT_NOT_PROVISIONED:
        case BOOT_FAULT:
            return HOST_FAULT;
        }
    }
    return HOST_FAULT;
}

/* Sends a report that is waiting; a gateway that is away gets it in a later cycle. */
static void deliver_report(struct host_run *run) {
    if (!run->hold_reports && run->device.state.phase == PHASE_IDLE && run->device.state.report.outcome != 0) {
        (void)device_step(&run->device);
    }
}

static enum host_outcome after_reboot(struct host_run *run) {
    enum host_outcome outcome = host_run_boot(run);
    if (outcome == HOST_NOTHING) {
        outcome = HOST_REFUSED; /* the old image again */
    }
    if (outcome == HOST_UPDATED || outcome == HOST_REFUSED) {
        deliver_report(run);
    }
    return outcome;
}

enum host_outcome host_run_cycle(struct host_run *run) {
    const uint64_t deadline = now_ms() + run->patience_ms;
    int offline = 0;
    while (run->stop == NULL || !*run->stop) {
        enum device_next next = device_step(&run->device);
        switch (next) {
        case DEVICE_AGAIN:
            /* Only a download that goes on is progress; the way from idle to there can turn in a circle. */
            offline = run->device.state.phase == PHASE_DOWNLOAD ? 0 : offline;
            continue;
        case DEVICE_REBOOT:
            return after_reboot(run);
        case DEVICE_REFUSED:
            deliver_report(run);
            return HOST_REFUSED;
        case DEVICE_FAULT:
            return HOST_FAULT;
        case DEVICE_OFFLINE:
            if (++offline > RETRIES) {
                return HOST_OFFLINE;
            }
            break;
        case DEVICE_WAIT:
            if (run->device.state.phase == PHASE_IDLE) {
                return HOST_NOTHING;
            }
            break;
        }
        if (now_ms() > deadline) {
            return HOST_TIMEOUT;
        }
        sleep_ms(run->wait_ms);
    }
    return HOST_STOPPED;
}
