#include "device/ports/host/host_cut.h"

#include "device/core/download.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One device in memory that starts where the device of the home stands. */
struct bench {
    struct host_power power;
    struct host_flash flash;
    struct host_secure secure;
    struct host_run run;
    uint64_t counter; /* the last any run has used: the ledger takes no counter twice */
    struct device_image old_image;
};

/* Puts the beginning back, but for the counter of statements. */
static bool rewind_bench(struct bench *b, const struct host_home *home) {
    b->power = (struct host_power){.writes_left = -1};
    host_flash_copy(&b->flash, &home->flash);
    host_secure_copy(&b->secure, &home->secure);
    if (!device_init(&b->run.device, b->run.config, &b->run.seams) || device_boot(&b->run.device) != BOOT_RUN) {
        return false;
    }
    b->old_image = b->run.device.state.running;
    if (b->run.device.state.counter < b->counter) {
        b->run.device.state.counter = b->counter;
    }
    b->power.writes = 0;
    return state_save(&b->flash.seam, &host_port_crypto, b->run.device.work.copy, &b->run.device.state);
}

static bool holds(struct bench *b, const struct device_image *image) {
    uint8_t digest[HASH_LEN];
    return image->size == 0 || (download_digest(&b->run.device, b->run.device.state.active, image->size, digest) &&
                                memcmp(digest, image->digest, HASH_LEN) == 0);
}

static void note_counter(struct bench *b) {
    if (b->run.device.state.counter > b->counter) {
        b->counter = b->run.device.state.counter;
    }
}

/* What runs after a cut must be one of the two images, whole. */
static bool judge_boot(struct bench *b, enum host_outcome boot, struct host_cut_report *out) {
    const struct device_state *s = &b->run.device.state;
    if (boot != HOST_NOTHING && boot != HOST_UPDATED) {
        return false;
    }
    if (s->running.sequence == b->old_image.sequence) {
        out->old_after++;
    } else {
        out->new_after++;
    }
    return holds(b, &s->running);
}

static bool one_cut(struct bench *b, const struct host_home *home, unsigned long at, struct host_cut_report *out,
                    struct why *why) {
    if (!rewind_bench(b, home)) {
        return why_not(why, "the device cannot be put back to the beginning");
    }
    b->power.writes = 0;
    b->power.writes_left = (long)at;
    enum host_outcome outcome = host_run_cycle(&b->run);
    note_counter(b);
    if (outcome != HOST_FAULT && outcome != HOST_UPDATED) {
        return why_not(why, "cut at write %lu: the update stopped before it: %s", at,
                       device_reason_name(b->run.device.state.last_error));
    }
    b->power.dead = false;
    b->power.writes_left = -1;
    enum host_outcome boot = host_run_boot(&b->run);
    if (!judge_boot(b, boot, out)) {
        return why_not(why, "cut at write %lu: what boots is neither the old image nor the new one", at);
    }
    if (b->run.device.state.running.sequence == b->old_image.sequence && host_run_cycle(&b->run) != HOST_UPDATED) {
        note_counter(b);
        return why_not(why, "cut at write %lu: the update did not complete afterwards: %s", at,
                       device_reason_name(b->run.device.state.last_error));
    }
    note_counter(b);
    if (b->run.device.state.running.sequence != out->to || !holds(b, &b->run.device.state.running)) {
        return why_not(why, "cut at write %lu: the update ended with another image", at);
    }
    out->cuts++;
    return true;
}

static bool run_all(struct bench *b, struct host_home *home, unsigned long samples, struct host_cut_report *out,
                    struct why *why) {
    if (!rewind_bench(b, home)) {
        return why_not(why, "the device does not boot");
    }
    out->from = b->old_image.sequence;
    b->power.writes = 0;
    enum host_outcome outcome = host_run_cycle(&b->run);
    note_counter(b);
    if (outcome == HOST_NOTHING) {
        return why_not(why, "the gateway offers no update to cut");
    }
    if (outcome != HOST_UPDATED) {
        return why_not(why, "the update fails even without a cut: %s",
                       device_reason_name(b->run.device.state.last_error));
    }
    out->writes = b->power.writes;
    out->to = b->run.device.state.running.sequence;
    if (samples > out->writes) {
        samples = out->writes;
    }
    for (unsigned long i = 0; i < samples; i++) {
        if (!one_cut(b, home, i * out->writes / samples, out, why)) {
            return false;
        }
    }
    host_flash_copy(&home->flash, &b->flash);
    host_secure_copy(&home->secure, &b->secure);
    home->power = (struct host_power){.writes_left = -1};
    return (host_flash_store(&home->flash) && home->secure.seam.floor_raise(&home->secure, 0)) ||
           why_not(why, "the device's files cannot be written");
}

bool host_cut_test(struct host_home *home, const struct host_run *like, unsigned long samples,
                   struct host_cut_report *out, struct why *why) {
    static struct bench b;
    b = (struct bench){.power = {.writes_left = -1}, .run = *like};
    *out = (struct host_cut_report){0};
    if (!host_flash_new(&b.flash, home->flash.seam.slot_size, &b.power)) {
        return why_not(why, "no memory for a second device");
    }
    host_secure_new(&b.secure, home->secure.seed, home->secure.root, &b.power);
    b.run.seams.flash = &b.flash.seam;
    b.run.seams.secure = &b.secure.seam;
    b.run.hold_reports = true;
    bool good = run_all(&b, home, samples, out, why);
    host_flash_free(&b.flash);
    host_secure_wipe(&b.secure);
    return good;
}
