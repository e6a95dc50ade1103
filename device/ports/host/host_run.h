/* Drives one device: steps, waits, and reboots of the simulated kind. */
#ifndef ASSAY_DEVICE_HOST_RUN_H
#define ASSAY_DEVICE_HOST_RUN_H

#include "device/core/device.h"
#include "device/ports/host/host_home.h"

#include <signal.h>

struct host_run {
    struct device device;
    struct device_seams seams;
    const struct device_config *config;
    bool fail_trial;   /* the new image never confirms itself: the watchdog ends its trial */
    bool hold_reports; /* stop short of sending reports (power-cut test) */
    uint32_t wait_ms;  /* while the gateway has something under way */
    uint64_t patience_ms;
    const volatile sig_atomic_t *stop;
};

enum host_outcome {
    HOST_NOTHING, /* nothing to do */
    HOST_UPDATED, /* a new image runs and has confirmed itself */
    HOST_REFUSED, /* device.state.last_error says why */
    HOST_OFFLINE, /* the gateway gave no usable answer */
    HOST_TIMEOUT, /* something stayed under way for longer than patience_ms */
    HOST_STOPPED, /* *stop was set */
    HOST_FAULT,   /* flash or secure element failed, or power is off */
    HOST_DAMAGED  /* the running image is not the confirmed one */
};

/* Power on: boots, and lets a trial succeed or fail. */
enum host_outcome host_run_boot(struct host_run *run);
/* One check-and-update cycle to its end, reports delivered. */
enum host_outcome host_run_cycle(struct host_run *run);

#endif
