#include "contracts/kernel/due_work.h"

#include "contracts/firmware/firmware.h"
#include "contracts/firmware/release.h"
#include "contracts/governance/governance.h"
#include "contracts/governance/governance_proposal.h"
#include "contracts/update/update.h"

#include <string.h>

/* A kind of item: what it does, and what is left to do when that was too much. The subject has the length that `run`
 * asked for by the time `refused` sees it. */
struct due_handler {
    enum err (*run)(const struct call *call, struct bytes subject);
    enum err (*refused)(const struct call *call, struct bytes subject);
};

static enum err note(const struct call *call, const struct record_key *key) {
    return state_history(&call->state, key, "due_refused", code_name(CODE_TOO_MANY_WRITES));
}

static enum err window_refused(const struct call *call, struct bytes subject) {
    struct record_key key = update_status_key(subject.data, subject.data + HASH_LEN);
    return note(call, &key);
}

static enum err release_refused(const struct call *call, struct bytes subject) {
    struct record_key key = release_key(subject.data);
    return note(call, &key);
}

static enum err proposal_refused(const struct call *call, struct bytes subject) {
    struct record_key key = proposal_key(subject.data);
    return note(call, &key);
}

static enum err leaving_refused(const struct call *call, struct bytes subject) {
    char org[DUE_SUBJECT_MAX + 1] = {0};
    memcpy(org, subject.data, subject.len);
    struct record_key key = org_key(org);
    return note(call, &key);
}

static const struct due_handler handlers[DUE_KINDS + 1] = {
    [DUE_UPDATE_WINDOW] = {update_window_due, window_refused},
    [DUE_PENDING_RELEASE] = {firmware_pending_due, release_refused},
    [DUE_PROPOSAL] = {proposal_expiry_due, proposal_refused},
    [DUE_RECOUNT] = {proposal_recount_due, proposal_recount_refused},
    [DUE_ORG_LEAVING] = {governance_leaving_due, leaving_refused},
};

enum err due_work(const struct call *call, const struct due_item *item) {
    enum err e = due_queue_remove(call, item);
    return e == OK ? handlers[item->kind].run(call, due_item_subject(item)) : e;
}

enum err due_work_refused(const struct call *call, const struct due_item *item) {
    enum err e = due_queue_remove(call, item);
    return e == OK ? handlers[item->kind].refused(call, due_item_subject(item)) : e;
}
