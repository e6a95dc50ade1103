#include "device/core/machine.h"

#include <string.h>

#define TO(phase) (1u << (phase))

/* Which phases may follow which. */
static const uint16_t may_follow[PHASES] = {
    [PHASE_IDLE] = TO(PHASE_CHECK),
    [PHASE_CHECK] = TO(PHASE_MANIFEST) | TO(PHASE_IDLE),
    [PHASE_MANIFEST] = TO(PHASE_PROOF) | TO(PHASE_IDLE),
    [PHASE_PROOF] = TO(PHASE_DOWNLOAD) | TO(PHASE_IDLE),
    [PHASE_DOWNLOAD] = TO(PHASE_VERIFY) | TO(PHASE_IDLE),
    [PHASE_VERIFY] = TO(PHASE_ARMED) | TO(PHASE_DOWNLOAD) | TO(PHASE_IDLE),
    [PHASE_ARMED] = TO(PHASE_TRIAL) | TO(PHASE_REVERTED),
    [PHASE_TRIAL] = TO(PHASE_CONFIRMED) | TO(PHASE_REVERTED),
    [PHASE_CONFIRMED] = TO(PHASE_IDLE),
    [PHASE_REVERTED] = TO(PHASE_IDLE),
};

bool machine_may_follow(enum device_phase from, enum device_phase to) {
    return (unsigned)from < PHASES && (unsigned)to < PHASES && (may_follow[from] & TO(to)) != 0;
}

static bool in_memory_only(enum device_phase phase) {
    return phase <= PHASE_PROOF;
}

bool machine_save(struct device *device) {
    return state_save(device->seams.flash, device->seams.crypto, device->work.copy, &device->state);
}

bool machine_move(struct device *device, enum device_phase to) {
    enum device_phase from = device->state.phase;
    if (!machine_may_follow(from, to)) {
        return false;
    }
    device->state.phase = to;
    if (!state_is_sound(device->seams.flash, &device->state)) {
        device->state.phase = from;
        return false;
    }
    return (in_memory_only(from) && in_memory_only(to)) || machine_save(device);
}

bool machine_report(struct device *device, enum report_outcome outcome, uint16_t reason) {
    const struct device_secure *secure = device->seams.secure;
    struct device_report *report = &device->state.report;
    uint8_t nonce[NONCE_LEN];
    if (!secure->random(secure->ctx, nonce, sizeof nonce)) {
        return false;
    }
    report->outcome = (uint8_t)outcome;
    report->reason = reason;
    report->counter = ++device->state.counter;
    memcpy(report->update_id, device->state.candidate.update_id, HASH_LEN);
    memcpy(report->nonce, nonce, NONCE_LEN);
    return true;
}

enum device_next machine_refuse(struct device *device, uint16_t reason, bool for_good) {
    struct device_state *s = &device->state;
    bool news = s->last_error != reason || s->failed_for_good != for_good ||
                memcmp(s->failed_update, s->candidate.update_id, HASH_LEN) != 0;
    bool was_written = !in_memory_only(s->phase);
    s->last_error = reason;
    s->failed_for_good = for_good;
    memcpy(s->failed_update, s->candidate.update_id, HASH_LEN);
    s->said.kind = 0;
    s->pages_done = 0;
    if (news && !machine_report(device, REPORT_FAILED, reason)) {
        return DEVICE_FAULT;
    }
    if (!machine_move(device, PHASE_IDLE)) {
        return DEVICE_FAULT;
    }
    /* A refusal before the download is written down once, however often the same update is offered. */
    if (news && !was_written && !machine_save(device)) {
        return DEVICE_FAULT;
    }
    return DEVICE_REFUSED;
}
