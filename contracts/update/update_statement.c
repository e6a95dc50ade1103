/* update.open, verify and report: what devices say, carried by gateways. */
#include "contracts/update/update_methods.h"

#include "contracts/author/author.h"
#include "contracts/device/device.h"
#include "contracts/governance/governance.h"
#include "contracts/kernel/due_work.h"
#include "contracts/update/update.pb-c.h"
#include "contracts/update/update_answers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A statement whose form, carrier and device were checked, and what it is about. */
struct heard {
    struct statement statement;
    uint8_t hash[HASH_LEN];
    struct device_record device;
    struct update_record update;
    bool has_status; /* a class's device has none before its open */
    struct status_record status;
};

/* ---- Hearing ------------------------------------------------------------------------------------------------ */

static bool refuse_form(const struct call *call, const Assay__UpdateStatement *args, enum statement_kind kind,
                        struct statement *out, struct answer *answer) {
    if (args->statement.len != STATEMENT_LEN || args->signature.len != SIG_LEN) {
        (void)!refuse(answer, CODE_STATEMENT_INVALID, "a statement is %d bytes with a signature of %d", STATEMENT_LEN,
                      SIG_LEN);
        return true;
    }
    const struct bytes in = bytes_of(args->statement.data, args->statement.len);
    enum verdict v = statement_decode(in, out);
    if (v != GOOD) {
        (void)!refuse(answer, CODE_STATEMENT_INVALID, "%s", verdict_text(v));
        return true;
    }
    if (out->kind != kind) {
        (void)!refuse(answer, CODE_STATEMENT_WRONG_KIND, "kind %d", out->kind);
        return true;
    }
    if (memcmp(out->chain_id, call->chain_id, CHAIN_ID_LEN) != 0) {
        (void)!refuse(answer, CODE_STATEMENT_WRONG_CHAIN, "another chain id");
        return true;
    }
    return false;
}

/* Any registered node may carry a statement, and a device its own. */
static enum err judge_carrier(const struct call *call, const uint8_t device_id[KEY_LEN], struct answer *answer) {
    bool allowed = call_signed_by(call, device_id);
    for (size_t i = 0; i < call->signer_count && !allowed; i++) {
        struct node_record node; /* not found once its organisation has left */
        enum err e = node_get(&call->state, call->signers[i], &node, &allowed);
        if (e != OK) {
            return e;
        }
    }
    return allowed ? OK : refuse(answer, CODE_NOT_AUTHORIZED, "a node or the device itself carries a statement");
}

static enum err judge_signature(const struct call *call, const struct device_record *device,
                                const Assay__UpdateStatement *args, struct answer *answer) {
    uint8_t text[STATEMENT_SIGNED_LEN];
    memcpy(text, TAG_STATEMENT, TAG_LEN);
    memcpy(text + TAG_LEN, args->statement.data, STATEMENT_LEN);
    bool good;
    if (device->key.type == AUTHOR_P256) {
        good = call->crypto->p256_verify != NULL &&
               call->crypto->p256_verify(device->key.key, text, sizeof text, args->signature.data);
    } else {
        good = call->crypto->ed25519_verify(device->key.key, text, sizeof text, args->signature.data);
    }
    return good ? OK : refuse(answer, CODE_STATEMENT_SIGNATURE, "not a signature of the device");
}

/* Is there such an update and is the device one of its targets? */
static enum err judge_target(const struct call *call, struct heard *heard, struct answer *answer) {
    const struct statement *s = &heard->statement;
    bool found = false;
    enum err e = update_get(&call->state, s->update_id, &heard->update, &found);
    if (e != OK || !found) {
        return e != OK ? e : refuse(answer, CODE_UPDATE_UNKNOWN, "no such update");
    }
    e = device_get(&call->state, s->device_id, &heard->device, &found);
    if (e != OK) {
        return e;
    }
    e = update_status_get(&call->state, s->update_id, s->device_id, &heard->status, &heard->has_status);
    if (e != OK) {
        return e;
    }
    bool of_class =
        found && heard->update.whole_class && memcmp(heard->device.class_id, heard->update.class_id, UUID_BYTES) == 0;
    if (!found || (!of_class && !heard->has_status)) {
        return refuse(answer, CODE_UPDATE_NOT_A_TARGET, "%s", found ? "the update is for others" : "unknown device");
    }
    return OK;
}

/* ---- Answering ---------------------------------------------------------------------------------------------- */

/* The outcomes' names come first in the detail: the code of a recorded outcome is CODE_OK. */
static void describe(const struct update_record *update, const struct update_answer *said, struct answer *answer) {
    const char *name = "";
    switch (said->outcome) {
    case OUTCOME_NONE:
        return;
    case OUTCOME_REVOKED:
        name = "UPDATE_REVOKED: the release is revoked or below the floor";
        break;
    case OUTCOME_EXPIRED:
        name = "UPDATE_EXPIRED: the time window has expired";
        break;
    case OUTCOME_EXHAUSTED:
        name = "UPDATE_EXHAUSTED: too many failed attempts";
        break;
    case OUTCOME_MISMATCH:
        name = "UPDATE_HASH_MISMATCH: the digest is not the release's";
        break;
    case OUTCOME_SUCCESS:
        name = "UPDATE_VERIFIED";
        break;
    }
    (void)!refuse(answer, CODE_OK, "%s (%" PRIu32 " of %" PRIu32 " attempts failed)", name, said->failed_attempts,
                  update->max_failed);
}

static enum err answer_statement(const struct statement *s, const struct update_answer *said, struct answer *answer) {
    Assay__UpdateStatementResult result = ASSAY__UPDATE_STATEMENT_RESULT__INIT;
    result.update_id = pb_of(s->update_id, HASH_LEN);
    result.device_id = pb_of(s->device_id, KEY_LEN);
    result.outcome = said->outcome;
    result.status = said->status;
    result.failed_attempts = said->failed_attempts;
    result.window_end_ms = said->window_end_ms;
    return answer_with(answer, &result.base);
}

/* Keeps the answer for a repetition and gives it. */
static enum err conclude(const struct call *call, const struct heard *heard, enum verify_outcome outcome,
                         struct answer *answer) {
    const struct status_record *status = &heard->status;
    struct update_answer said = {
        .counter = heard->statement.counter,
        .outcome = outcome,
        .status = status->status,
        .failed_attempts = status->failed_attempts,
        .window_end_ms = status->window_start_ms + status->window_ms,
    };
    memcpy(said.statement_hash, heard->hash, HASH_LEN);
    enum err e = update_answers_add(call, status->update_id, status->device_id, &said);
    describe(&heard->update, &said, answer);
    return e == OK ? answer_statement(&heard->statement, &said, answer) : e;
}

/* Everything up to the counter. `*out_done`: refused, or a repetition that has its answer. */
static enum err hear(const struct call *call, const Assay__UpdateStatement *args, struct heard *heard,
                     struct answer *answer, bool *out_done) {
    struct update_answer said;
    bool repeated = false;
    *out_done = true;
    enum err e = judge_carrier(call, heard->statement.device_id, answer);
    e = e == OK && answer->code == CODE_OK ? judge_target(call, heard, answer) : e;
    e = e == OK && answer->code == CODE_OK ? judge_signature(call, &heard->device, args, answer) : e;
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    sha256(args->statement.data, args->statement.len, heard->hash);
    const struct statement *s = &heard->statement;
    e = update_answers_find(&call->state, s->update_id, s->device_id, heard->hash, &said, &repeated);
    if (e != OK) {
        return e;
    }
    if (repeated) {
        describe(&heard->update, &said, answer);
        return answer_statement(s, &said, answer);
    }
    uint64_t last = heard->has_status ? heard->status.counter : 0;
    if (s->counter <= last) {
        return refuse(answer, CODE_STATEMENT_REPLAYED, "counter %" PRIu64 ", the last was %" PRIu64, s->counter, last);
    }
    *out_done = false;
    return OK;
}

static enum err refuse_not_open(struct answer *answer) {
    return refuse(answer, CODE_UPDATE_NOT_OPEN, "an update of a class begins with the device's open");
}

/* ---- open --------------------------------------------------------------------------------------------------- */

static enum err open_window(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__UpdateStatement *args = (const Assay__UpdateStatement *)(const void *)message;
    struct heard heard;
    bool done;
    if (refuse_form(call, args, STATEMENT_OPEN, &heard.statement, answer)) {
        return OK;
    }
    enum err e = hear(call, args, &heard, answer, &done);
    if (e != OK || done) {
        return e;
    }
    const struct statement *s = &heard.statement;
    if (!heard.has_status) {
        e = update_add_target(call, &heard.update, s->device_id, false, s->counter, &heard.status);
    } else {
        /* A window that is open goes on as it is: asking again buys no time. */
        heard.status.counter = s->counter;
        e = update_status_put(call, &heard.status, heard.status.status, "open", "again");
    }
    return e == OK ? conclude(call, &heard, OUTCOME_NONE, answer) : e;
}

/* ---- verify ------------------------------------------------------------------------------------------------- */

/* P1's algorithm 1 with revocation before it. */
static enum verify_outcome judge_digest(const struct call *call, const struct heard *heard, bool barred) {
    const struct status_record *status = &heard->status;
    if (barred) {
        return OUTCOME_REVOKED;
    }
    if (call->time_ms - status->window_start_ms >= status->window_ms) {
        return OUTCOME_EXPIRED;
    }
    if (status->failed_attempts >= heard->update.max_failed) {
        return OUTCOME_EXHAUSTED;
    }
    return memcmp(heard->statement.digest, heard->update.image_digest, HASH_LEN) == 0 ? OUTCOME_SUCCESS
                                                                                      : OUTCOME_MISMATCH;
}

/* Where an outcome takes a device. What it reported stays through negative outcomes, installed through any. */
static enum device_status status_after(const struct call *call, const struct heard *heard,
                                       enum verify_outcome outcome) {
    const struct status_record *status = &heard->status;
    if (status->status == STATUS_INSTALLED) {
        return STATUS_INSTALLED;
    }
    if (outcome == OUTCOME_SUCCESS) {
        return STATUS_VERIFIED;
    }
    if (status->status == STATUS_FAILED || status->status == STATUS_ROLLED_BACK) {
        return status->status;
    }
    bool past = call->time_ms - status->window_start_ms >= status->window_ms;
    bool used_up = status->failed_attempts >= heard->update.max_failed;
    if (past) {
        return status->status == STATUS_EXHAUSTED ? STATUS_EXHAUSTED : STATUS_EXPIRED;
    }
    return used_up ? STATUS_EXHAUSTED : STATUS_UNVERIFIED;
}

static enum err verify(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__UpdateStatement *args = (const Assay__UpdateStatement *)(const void *)message;
    struct heard heard;
    struct release_record release;
    bool done, found = false, barred = false;
    char detail[48];
    if (refuse_form(call, args, STATEMENT_VERIFY, &heard.statement, answer)) {
        return OK;
    }
    enum err e = hear(call, args, &heard, answer, &done);
    if (e != OK || done) {
        return e;
    }
    if (!heard.has_status) {
        return refuse_not_open(answer);
    }
    e = release_get(&call->state, heard.update.release_id, &release, &found);
    if (e != OK || !found) {
        return e != OK ? e : ERR_CORRUPT;
    }
    e = release_is_barred(&call->state, &release, &barred);
    if (e != OK) {
        return e;
    }
    struct status_record *status = &heard.status;
    enum device_status before = status->status;
    enum verify_outcome outcome = judge_digest(call, &heard, barred);
    status->failed_attempts += outcome == OUTCOME_MISMATCH;
    status->status = status_after(call, &heard, outcome);
    status->last_outcome = outcome;
    status->counter = heard.statement.counter;
    memcpy(status->nonce, heard.statement.nonce, NONCE_LEN);
    memcpy(status->digest, heard.statement.digest, HASH_LEN);
    if (snprintf(detail, sizeof detail, "%s, %" PRIu32 " failed", verify_outcome_name(outcome),
                 status->failed_attempts) < 0) {
        detail[0] = '\0';
    }
    e = update_status_put(call, status, before, "verify", detail);
    return e == OK ? conclude(call, &heard, outcome, answer) : e;
}

/* ---- report ------------------------------------------------------------------------------------------------- */

/* Which reports may follow which status. */
static bool report_follows(enum device_status status, enum report_outcome outcome) {
    switch (outcome) {
    case REPORT_INSTALLED:
        return status == STATUS_VERIFIED;
    case REPORT_FAILED:
        return status != STATUS_INSTALLED && status != STATUS_FAILED && status != STATUS_ROLLED_BACK;
    case REPORT_ROLLED_BACK:
        return status == STATUS_VERIFIED || status == STATUS_INSTALLED;
    case REPORT_NONE:
        break;
    }
    return false;
}

static enum device_status reported_status(enum report_outcome outcome) {
    if (outcome == REPORT_INSTALLED) {
        return STATUS_INSTALLED;
    }
    return outcome == REPORT_FAILED ? STATUS_FAILED : STATUS_ROLLED_BACK;
}

/* Notes what the device runs, unless it has said something newer. */
static enum err note_running(const struct call *call, const struct statement *s, const uint8_t hash[HASH_LEN]) {
    struct update_running running = {0};
    bool found = false;
    enum err e = update_running_get(&call->state, s->device_id, &running, &found);
    if (e != OK || (found && s->counter <= running.counter)) {
        return e;
    }
    if (!found) {
        running.stamp = record_stamp_new(call);
        memcpy(running.device_id, s->device_id, KEY_LEN);
    }
    record_stamp_touch(&running.stamp, call);
    running.sequence = s->sequence;
    running.outcome = s->outcome;
    running.reason = s->reason;
    running.counter = s->counter;
    memcpy(running.digest, s->digest, HASH_LEN);
    memcpy(running.update_id, s->update_id, HASH_LEN);
    memcpy(running.statement_hash, hash, HASH_LEN);
    return update_running_put(call, &running);
}

/* A report outside any update: the device's own record takes the place of the status. */
static enum err report_alone(const struct call *call, const Assay__UpdateStatement *args, struct heard *heard,
                             struct answer *answer) {
    const struct statement *s = &heard->statement;
    const struct update_answer said = {.counter = s->counter};
    struct update_running running;
    bool found = false;
    enum err e = judge_carrier(call, s->device_id, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    e = device_get(&call->state, s->device_id, &heard->device, &found);
    if (e != OK || !found) {
        return e != OK ? e : refuse(answer, CODE_DEVICE_UNKNOWN, "no such device");
    }
    e = judge_signature(call, &heard->device, args, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    sha256(args->statement.data, args->statement.len, heard->hash);
    e = update_running_get(&call->state, s->device_id, &running, &found);
    if (e != OK) {
        return e;
    }
    uint64_t last = found ? running.counter : 0;
    bool repeated = found && memcmp(running.statement_hash, heard->hash, HASH_LEN) == 0;
    if (!repeated && s->counter <= last) {
        return refuse(answer, CODE_STATEMENT_REPLAYED, "counter %" PRIu64 ", the last was %" PRIu64, s->counter, last);
    }
    e = repeated ? OK : note_running(call, s, heard->hash);
    return e == OK ? answer_statement(s, &said, answer) : e;
}

static enum err report(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__UpdateStatement *args = (const Assay__UpdateStatement *)(const void *)message;
    struct heard heard;
    bool done;
    char detail[48];
    if (refuse_form(call, args, STATEMENT_REPORT, &heard.statement, answer)) {
        return OK;
    }
    const struct statement *s = &heard.statement;
    if (bytes_is_zero(s->update_id, HASH_LEN)) {
        return report_alone(call, args, &heard, answer);
    }
    enum err e = hear(call, args, &heard, answer, &done);
    if (e != OK || done) {
        return e;
    }
    if (!heard.has_status) {
        return refuse_not_open(answer);
    }
    enum device_status before = heard.status.status;
    if (!report_follows(before, s->outcome)) {
        return refuse(answer, CODE_REPORT_OUT_OF_ORDER, "outcome %d after status %s", s->outcome,
                      device_status_name(before));
    }
    if (s->outcome == REPORT_INSTALLED &&
        (memcmp(s->digest, heard.update.image_digest, HASH_LEN) != 0 || s->sequence != heard.update.sequence)) {
        return refuse(answer, CODE_REPORT_CONTRADICTS, "installed, with another digest or sequence");
    }
    heard.status.status = reported_status(s->outcome);
    heard.status.counter = s->counter;
    if (snprintf(detail, sizeof detail, "%s, reason %u", device_status_name(heard.status.status), s->reason) < 0) {
        detail[0] = '\0';
    }
    e = update_status_put(call, &heard.status, before, "report", detail);
    e = e == OK ? note_running(call, s, heard.hash) : e;
    return e == OK ? conclude(call, &heard, OUTCOME_NONE, answer) : e;
}

#define STATEMENT_ARGS_MAX 256u
_Static_assert(STATEMENT_LEN + SIG_LEN + 8 <= STATEMENT_ARGS_MAX, "two spans with tags and lengths");

const struct method update_methods[] = {
    {"push", "push a release to devices", &assay__update_push__descriptor, update_push, .event = CONTRACT_EVENT_UPDATE},
    {"open", "open the window of an update", &assay__update_statement__descriptor, open_window,
     .event = CONTRACT_EVENT_UPDATE, .args_max = STATEMENT_ARGS_MAX, .for_devices = true},
    {"verify", "report an image as verified", &assay__update_statement__descriptor, verify,
     .event = CONTRACT_EVENT_UPDATE, .args_max = STATEMENT_ARGS_MAX, .for_devices = true},
    {"report", "report the outcome of an update", &assay__update_statement__descriptor, report,
     .event = CONTRACT_EVENT_UPDATE, .args_max = STATEMENT_ARGS_MAX, .for_devices = true},
    {.name = NULL},
};

static enum err window_refused(const struct call *call, struct bytes subject) {
    struct record_key key = update_status_key(subject.data, subject.data + HASH_LEN);
    return due_note_refused(call, &key);
}

const struct due_handler update_due[] = {{DUE_UPDATE_WINDOW, update_window_due, window_refused}, {.kind = 0}};
