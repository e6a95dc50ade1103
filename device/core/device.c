#include "device/core/device.h"

#include "device/core/download.h"
#include "device/core/machine.h"

#include <string.h>

#define DEFAULT_POLL_MS 5000

bool device_init(struct device *device, const struct device_config *config, const struct device_seams *seams) {
    const struct device_flash *flash = seams->flash;
    if (flash->page_size == 0 || flash->page_size > DEVICE_PAGE_MAX || flash->slot_size % flash->page_size != 0 ||
        flash->slot_size == 0 || flash->state_size < STATE_AREA_MIN(flash->page_size) || config->trial_boots == 0) {
        return false;
    }
    memset(device, 0, sizeof *device);
    device->config = config;
    device->seams = *seams;
    device->poll_ms = DEFAULT_POLL_MS;
    return seams->secure->public_key(seams->secure->ctx, device->id);
}

bool device_provision(struct device *device, const struct device_image *running, uint64_t epoch,
                      const struct validator_set *validators) {
    const struct device_secure *secure = device->seams.secure;
    struct device_state *s = &device->state;
    if (validators->count == 0 || validators->count > DEVICE_VALIDATORS_MAX) {
        return false;
    }
    memset(s, 0, sizeof *s);
    s->running = *running;
    s->epoch = epoch;
    s->validator_count = validators->count;
    memcpy(s->validators[0], validators->keys[0], (size_t)validators->count * KEY_LEN);
    return state_is_sound(device->seams.flash, s) &&
           secure->slot_write(secure->ctx, SECURE_SLOT_RUNNING, running->digest) && machine_save(device);
}

/* ---- Boot -------------------------------------------------------------------------------------------------------- */

/* What remains to be done after a trial has ended well; may be done twice, should the power go in between. */
static bool settle_confirmed(struct device *device) {
    const struct device_secure *secure = device->seams.secure;
    struct device_state *s = &device->state;
    if (!secure->slot_write(secure->ctx, SECURE_SLOT_RUNNING, s->running.digest) ||
        !secure->floor_raise(secure->ctx, s->running.sequence) ||
        !machine_report(device, REPORT_INSTALLED, REASON_NONE)) {
        return false;
    }
    s->last_error = REASON_NONE;
    s->failed_for_good = false;
    return machine_move(device, PHASE_IDLE);
}

static bool settle_reverted(struct device *device) {
    struct device_state *s = &device->state;
    s->failed_for_good = true;
    memcpy(s->failed_update, s->candidate.update_id, HASH_LEN);
    return machine_report(device, REPORT_ROLLED_BACK, s->last_error) && machine_move(device, PHASE_IDLE);
}

static bool revert(struct device *device, uint16_t reason) {
    struct device_state *s = &device->state;
    if (s->phase == PHASE_TRIAL) {
        s->active ^= 1;
    }
    s->trial_boots = 0;
    s->last_error = reason;
    return machine_move(device, PHASE_REVERTED) && settle_reverted(device);
}

/* Does the slot hold the candidate still? What is booted is hashed, not what was once downloaded. */
static bool holds_candidate(struct device *device, uint8_t slot) {
    const struct device_image *image = &device->state.candidate.image;
    uint8_t digest[HASH_LEN];
    return download_digest(device, slot, image->size, digest) && memcmp(digest, image->digest, HASH_LEN) == 0;
}

/* A boot of the new image, the first or a further one. */
static enum device_boot_result boot_trial(struct device *device, bool first) {
    struct device_state *s = &device->state;
    uint8_t slot = first ? s->active ^ 1 : s->active;
    bool saved;
    if (!holds_candidate(device, slot)) {
        return revert(device, BAD_DIGEST) ? BOOT_RUN : BOOT_FAULT;
    }
    s->active = slot;
    s->trial_boots++;
    saved = first ? machine_move(device, PHASE_TRIAL) : machine_save(device);
    if (!saved) {
        return BOOT_FAULT;
    }
    if (device->seams.watchdog != NULL) {
        device->seams.watchdog->start(device->seams.watchdog->ctx, device->config->trial_ms);
    }
    return BOOT_TRIAL;
}

/* The digest of what runs is kept where flash can't change it. */
static enum device_boot_result boot_running(struct device *device) {
    const struct device_secure *secure = device->seams.secure;
    const struct device_image *running = &device->state.running;
    uint8_t kept[SECURE_SLOT_LEN], digest[HASH_LEN];
    if (running->size == 0) {
        return BOOT_RUN;
    }
    if (!secure->slot_read(secure->ctx, SECURE_SLOT_RUNNING, kept) ||
        !download_digest(device, device->state.active, running->size, digest)) {
        return BOOT_FAULT;
    }
    return memcmp(kept, digest, HASH_LEN) == 0 ? BOOT_RUN : BOOT_DAMAGED;
}

enum device_boot_result device_boot(struct device *device) {
    struct device_state *s = &device->state;
    enum device_boot_result result = BOOT_RUN;
    if (!state_load(device->seams.flash, device->seams.crypto, device->work.copy, s)) {
        return BOOT_NOT_PROVISIONED;
    }
    if (s->phase == PHASE_ARMED) {
        result = boot_trial(device, true);
    } else if (s->phase == PHASE_TRIAL && s->trial_boots < device->config->trial_boots) {
        result = boot_trial(device, false);
    } else if (s->phase == PHASE_TRIAL) {
        result = revert(device, REASON_UNCONFIRMED) ? BOOT_RUN : BOOT_FAULT;
    } else if (s->phase == PHASE_CONFIRMED) {
        result = settle_confirmed(device) ? BOOT_RUN : BOOT_FAULT;
    } else if (s->phase == PHASE_REVERTED) {
        result = settle_reverted(device) ? BOOT_RUN : BOOT_FAULT;
    }
    return result == BOOT_RUN ? boot_running(device) : result;
}

bool device_confirm(struct device *device) {
    struct device_state *s = &device->state;
    if (s->phase != PHASE_TRIAL) {
        return false;
    }
    if (device->seams.watchdog != NULL) {
        device->seams.watchdog->stop(device->seams.watchdog->ctx);
    }
    s->running = s->candidate.image;
    s->trial_boots = 0;
    return machine_move(device, PHASE_CONFIRMED) && settle_confirmed(device);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static const struct {
    uint16_t reason;
    const char *name;
    const char *text;
} reasons[] = {
    {REASON_NONE, "NONE", "no error"},
    {REASON_EXPIRED, "EXPIRED", "the ledger says that the update's time window has passed"},
    {REASON_EXHAUSTED, "EXHAUSTED", "the ledger says that the failed attempts are used up"},
    {REASON_UNCONFIRMED, "UNCONFIRMED", "the new image did not confirm itself and was rolled back"},
    {REASON_NOT_HEARD, "NOT_HEARD", "the ledger refused this device's statement"},
    {REASON_ATTEMPTS, "ATTEMPTS", "the image kept arriving with another digest"},
    {REASON_NOT_REGISTERED, "NOT_REGISTERED", "the gateway does not know this device"},
};

const char *device_reason_name(uint16_t reason) {
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].reason == reason) {
            return reasons[i].name;
        }
    }
    return verdict_name((enum verdict)reason);
}

const char *device_reason_text(uint16_t reason) {
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].reason == reason) {
            return reasons[i].text;
        }
    }
    return verdict_text((enum verdict)reason);
}
