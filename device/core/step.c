/* device_step: what is done in each phase. */
#include "device/core/device.h"
#include "device/core/download.h"
#include "device/core/evidence.h"
#include "device/core/machine.h"

#include <string.h>

/* The gateway does not know this device, or is of another chain: nothing about an update is decided by that. */
static enum device_next complain(struct device *device, uint16_t reason) {
    device->state.last_error = reason;
    if (device->state.phase == PHASE_IDLE || device->state.phase > PHASE_PROOF) {
        return DEVICE_REFUSED;
    }
    return machine_move(device, PHASE_IDLE) ? DEVICE_REFUSED : DEVICE_FAULT;
}

/* Stay in the phase until the gateway has more to say. */
static enum device_next stay(struct device *device, enum talk_result why) {
    if (why == TALK_UNKNOWN) {
        return complain(device, REASON_NOT_REGISTERED);
    }
    return why == TALK_OFFLINE ? DEVICE_OFFLINE : DEVICE_WAIT;
}

/* Back to idle in memory, to be tried again at the next poll. */
static enum device_next leave(struct device *device, enum talk_result why) {
    if (why != TALK_UNKNOWN && !machine_move(device, PHASE_IDLE)) {
        return DEVICE_FAULT;
    }
    return stay(device, why);
}

/* ---- Statements -------------------------------------------------------------------------------------------------- */

static struct statement new_statement(const struct device *device, enum statement_kind kind, uint64_t counter,
                                      const uint8_t nonce[NONCE_LEN], const uint8_t update_id[HASH_LEN]) {
    struct statement s;
    memset(&s, 0, sizeof s);
    s.kind = kind;
    s.counter = counter;
    memcpy(s.chain_id, device->config->chain_id, CHAIN_ID_LEN);
    memcpy(s.device_id, device->id, KEY_LEN);
    memcpy(s.update_id, update_id, HASH_LEN);
    memcpy(s.nonce, nonce, NONCE_LEN);
    return s;
}

/* A report stays on its way until a gateway took it; one that the ledger refuses won't be taken later either. */
static enum device_next deliver_report(struct device *device) {
    struct device_state *s = &device->state;
    struct protocol_answer answer;
    struct statement statement =
        new_statement(device, STATEMENT_REPORT, s->report.counter, s->report.nonce, s->report.update_id);
    statement.outcome = (enum report_outcome)s->report.outcome;
    statement.reason = s->report.reason;
    statement.sequence = s->running.sequence;
    memcpy(statement.digest, s->running.digest, HASH_LEN);
    enum talk_result talk = talk_statement(device, &statement, &answer);
    if (talk != TALK_OK) {
        return talk == TALK_NOT_YET ? DEVICE_OFFLINE : stay(device, talk);
    }
    memset(&s->report, 0, sizeof s->report);
    return machine_save(device) ? DEVICE_AGAIN : DEVICE_FAULT;
}

/* Counter and nonce are written down before they are used, so that neither is ever used for two things. */
static enum device_next begin_statement(struct device *device, enum statement_kind kind) {
    const struct device_secure *secure = device->seams.secure;
    struct device_said *said = &device->state.said;
    uint8_t nonce[NONCE_LEN];
    if (!secure->random(secure->ctx, nonce, sizeof nonce)) {
        return DEVICE_FAULT;
    }
    said->kind = (uint8_t)kind;
    said->counter = ++device->state.counter;
    memcpy(said->nonce, nonce, NONCE_LEN);
    return machine_save(device) ? DEVICE_AGAIN : DEVICE_FAULT;
}

/* ---- idle, check, manifest, proof -------------------------------------------------------------------------------- */

static enum device_next step_idle(struct device *device) {
    if (device->state.report.outcome != REPORT_NONE) {
        return deliver_report(device);
    }
    return machine_move(device, PHASE_CHECK) ? DEVICE_AGAIN : DEVICE_FAULT;
}

static enum device_next step_check(struct device *device) {
    struct device_state *s = &device->state;
    struct protocol_answer answer;
    memset(&s->candidate, 0, sizeof s->candidate);
    s->pages_done = 0; /* of the update before */
    s->attempts = 0;
    if (!device->greeted) {
        enum talk_result talk = talk_hello(device, &answer);
        if (talk != TALK_OK) {
            return leave(device, talk);
        }
        if (memcmp(answer.hello.chain_id, device->config->chain_id, CHAIN_ID_LEN) != 0) {
            return complain(device, BAD_CHAIN);
        }
        device->greeted = true;
        device->time_ms = answer.hello.time_ms;
        device->poll_ms = answer.hello.poll_ms;
    }
    enum talk_result talk = talk_check(device, &answer);
    if (talk != TALK_OK) {
        return leave(device, talk);
    }
    const struct protocol_offer *offer = &answer.check.offer;
    bool spent = s->failed_for_good && memcmp(offer->update_id, s->failed_update, HASH_LEN) == 0;
    if (!answer.check.offered || spent || offer->sequence == s->running.sequence) {
        return leave(device, TALK_OK);
    }
    device->offer = *offer;
    memcpy(s->candidate.update_id, offer->update_id, HASH_LEN);
    s->candidate.needs_open = offer->needs_open;
    return machine_move(device, PHASE_MANIFEST) ? DEVICE_AGAIN : DEVICE_FAULT;
}

static enum device_next step_manifest(struct device *device) {
    struct finding f = evidence_manifest(device);
    if (f.talk != TALK_OK) {
        return leave(device, f.talk);
    }
    if (f.verdict != GOOD) {
        return machine_refuse(device, (uint16_t)f.verdict, false);
    }
    return machine_move(device, PHASE_PROOF) ? DEVICE_AGAIN : DEVICE_FAULT;
}

static enum device_next step_proof(struct device *device) {
    struct finding f = evidence_class(device, 0, false);
    if (f.talk != TALK_OK) {
        return leave(device, f.talk);
    }
    if (f.verdict != GOOD) {
        return machine_refuse(device, (uint16_t)f.verdict, false);
    }
    return machine_move(device, PHASE_DOWNLOAD) ? DEVICE_AGAIN : DEVICE_FAULT;
}

/* ---- download ---------------------------------------------------------------------------------------------------- */

static enum device_next step_download(struct device *device) {
    switch (download_some(device)) {
    case DOWNLOAD_MORE:
        return machine_save(device) ? DEVICE_AGAIN : DEVICE_FAULT;
    case DOWNLOAD_DONE:
        return machine_move(device, PHASE_VERIFY) ? DEVICE_AGAIN : DEVICE_FAULT;
    case DOWNLOAD_OFFLINE:
        return DEVICE_OFFLINE;
    case DOWNLOAD_NOT_YET:
        return DEVICE_WAIT;
    case DOWNLOAD_GONE:
        return leave(device, TALK_GONE); /* waiting for it would keep every later update out */
    case DOWNLOAD_SIZE:
        return machine_refuse(device, BAD_SIZE, false);
    case DOWNLOAD_FAULT:
        break;
    }
    return DEVICE_FAULT;
}

/* ---- verify ------------------------------------------------------------------------------------------------------ */

static enum device_next step_open(struct device *device) {
    struct device_state *s = &device->state;
    struct protocol_answer answer;
    struct statement statement =
        new_statement(device, STATEMENT_OPEN, s->said.counter, s->said.nonce, s->candidate.update_id);
    enum talk_result talk = talk_statement(device, &statement, &answer);
    if (talk != TALK_OK) {
        return stay(device, talk);
    }
    if (answer.said.reception == PROTOCOL_REFUSED) {
        return machine_refuse(device, REASON_NOT_HEARD, false);
    }
    if (answer.said.reception == PROTOCOL_QUEUED) {
        return DEVICE_WAIT;
    }
    s->candidate.needs_open = false;
    s->said.kind = 0;
    return machine_save(device) ? DEVICE_AGAIN : DEVICE_FAULT;
}

/* Something arrived wrong. The ledger has counted it; here it is fetched again, and pages that are right stay. */
static enum device_next try_again(struct device *device) {
    struct device_state *s = &device->state;
    if (++s->attempts >= DEVICE_ATTEMPTS_MAX) {
        return machine_refuse(device, REASON_ATTEMPTS, true);
    }
    s->said.kind = 0;
    s->pages_done = 0;
    return machine_move(device, PHASE_DOWNLOAD) ? DEVICE_AGAIN : DEVICE_FAULT;
}

/* The ledger said success to this very attempt; is the release still the one to run now? */
static enum device_next arm(struct device *device, uint64_t height) {
    struct finding f = evidence_class(device, height, true);
    if (f.talk != TALK_OK) {
        return stay(device, f.talk);
    }
    if (f.verdict != GOOD) {
        return machine_refuse(device, (uint16_t)f.verdict, f.verdict == BAD_REVOKED);
    }
    device->state.said.kind = 0;
    return machine_move(device, PHASE_ARMED) ? DEVICE_AGAIN : DEVICE_FAULT;
}

/* `digest` is what the slot holds, and what the statement said. */
static enum device_next judge_status(struct device *device, const uint8_t digest[HASH_LEN]) {
    const struct device_state *s = &device->state;
    struct status_record status;
    uint64_t height;
    struct finding f = evidence_status(device, &status, &height);
    if (f.talk != TALK_OK) {
        return stay(device, f.talk);
    }
    if (f.verdict != GOOD) {
        return machine_refuse(device, (uint16_t)f.verdict, false);
    }
    if (memcmp(status.nonce, s->said.nonce, NONCE_LEN) != 0) {
        return machine_refuse(device, BAD_STALE, false); /* an answer to something else */
    }
    switch (status.last_outcome) {
    case OUTCOME_SUCCESS:
        if (status.status != STATUS_VERIFIED) {
            return machine_refuse(device, BAD_STALE, false);
        }
        if (memcmp(status.digest, digest, HASH_LEN) != 0 || memcmp(digest, s->candidate.image.digest, HASH_LEN) != 0) {
            return machine_refuse(device, BAD_DIGEST, false);
        }
        return arm(device, height);
    case OUTCOME_MISMATCH:
        return try_again(device);
    case OUTCOME_EXPIRED:
        return machine_refuse(device, REASON_EXPIRED, true);
    case OUTCOME_EXHAUSTED:
        return machine_refuse(device, REASON_EXHAUSTED, true);
    case OUTCOME_REVOKED:
        return machine_refuse(device, BAD_REVOKED, true);
    case OUTCOME_NONE:
        break;
    }
    return machine_refuse(device, BAD_STALE, false);
}

static enum device_next step_verify(struct device *device) {
    struct device_state *s = &device->state;
    struct protocol_answer answer;
    uint8_t digest[HASH_LEN];
    if (s->said.kind == 0) {
        return begin_statement(device, s->candidate.needs_open ? STATEMENT_OPEN : STATEMENT_VERIFY);
    }
    if (s->said.kind == STATEMENT_OPEN) {
        return step_open(device);
    }
    /* A wrong digest is said too: the ledger counts it, and shows the vendor that something is in the way. */
    if (!download_digest(device, s->active ^ 1, s->candidate.image.size, digest)) {
        return DEVICE_FAULT;
    }
    struct statement statement =
        new_statement(device, STATEMENT_VERIFY, s->said.counter, s->said.nonce, s->candidate.update_id);
    memcpy(statement.digest, digest, HASH_LEN);
    enum talk_result talk = talk_statement(device, &statement, &answer);
    if (talk != TALK_OK) {
        return stay(device, talk);
    }
    if (answer.said.reception == PROTOCOL_REFUSED) {
        return machine_refuse(device, REASON_NOT_HEARD, false);
    }
    if (answer.said.reception == PROTOCOL_QUEUED || !answer.said.proof_ready) {
        return DEVICE_WAIT;
    }
    return judge_status(device, digest);
}

enum device_next device_step(struct device *device) {
    switch (device->state.phase) {
    case PHASE_IDLE:
        return step_idle(device);
    case PHASE_CHECK:
        return step_check(device);
    case PHASE_MANIFEST:
        return step_manifest(device);
    case PHASE_PROOF:
        return step_proof(device);
    case PHASE_DOWNLOAD:
        return step_download(device);
    case PHASE_VERIFY:
        return step_verify(device);
    case PHASE_ARMED:
        if (device->seams.reboot != NULL) {
            device->seams.reboot->reboot(device->seams.reboot->ctx);
        }
        return DEVICE_REBOOT;
    case PHASE_TRIAL:
        return DEVICE_WAIT;
    case PHASE_CONFIRMED:
    case PHASE_REVERTED:
        break; /* device_boot and device_confirm leave neither behind */
    }
    return DEVICE_FAULT;
}
