/* The life of a proposal: proposed, voted on, counted, carried out or not. */
#include "contracts/governance/governance_proposal_records.h"

#include "base/assert.h"
#include "contracts/governance/governance_records.h"
#include "contracts/kernel/due_queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DETAIL_MAX 240
#define RECOUNT_SUBJECT bytes_of("\1", 1)

static enum err threshold_now(const struct state *state, uint32_t *out_percent) {
    struct params_record params;
    bool found = false;
    enum err e = params_get(state, &params, &found);
    if (e != OK || !found) {
        return e != OK ? e : ERR_CORRUPT;
    }
    *out_percent = params.params.vote_threshold_percent;
    return OK;
}

/* Closes it in this state; the tally is the one it was closed by. */
static enum err close_as(const struct call *call, struct proposal_record *p, enum proposal_state state,
                         const char *detail) {
    ASSERT(p->state == PROPOSAL_OPEN && state != PROPOSAL_OPEN);
    p->state = state;
    record_stamp_touch(&p->stamp, call);
    return proposal_put(call, p, proposal_state_name(state), detail);
}

/* From the next block on all open proposals are counted again, oldest first, one an item. A recount that was under way
 * has come only so far with the votes as they were: it begins anew. */
static enum err recount_start(const struct call *call) {
    static const struct open_place before_all = {{0}};
    enum err e = recount_put(call, &before_all);
    return e == OK ? due_queue_add(call, call->time_ms + 1, DUE_RECOUNT, RECOUNT_SUBJECT) : e;
}

static enum err fail_as(const struct call *call, struct proposal_record *p, enum code why, const char *detail) {
    char text[DETAIL_MAX];
    p->outcome = (uint32_t)why;
    if (snprintf(text, sizeof text, "%s: %s", code_name(why), detail) < 0) {
        text[0] = '\0';
    }
    return close_as(call, p, PROPOSAL_FAILED, text);
}

/* The threshold is reached: what could not be carried out any more changes nothing. */
static enum err carry_out(const struct call *call, struct proposal_record *p) {
    char detail[DETAIL_MAX];
    struct answer judged = {.code = CODE_OK};
    const struct vote_tally *t = &p->tally;
    enum err e = governance_change_judge(call, &p->change, &judged);
    buffer_free(&judged.result);
    if (e != OK) {
        return e;
    }
    if (judged.code != CODE_OK) {
        return fail_as(call, p, judged.code, judged.detail);
    }
    if (snprintf(detail, sizeof detail, "%" PRIu32 " yes, %" PRIu32 " no of %" PRIu32, t->yes, t->no,
                 t->organisations) < 0) {
        detail[0] = '\0';
    }
    /* Closed before it is carried out: removing an organisation takes its votes from open proposals alone. */
    e = close_as(call, p, PROPOSAL_PASSED, detail);
    e = e == OK ? governance_change_apply(call, &p->change) : e;
    if (e == OK && governance_change_alters_voting(&p->change)) {
        e = recount_start(call);
    }
    return e;
}

/* Counts an open proposal and closes it when the votes decide it. */
static enum err count_and_settle(const struct call *call, struct proposal_record *p) {
    uint32_t percent = 0;
    enum err e = threshold_now(&call->state, &percent);
    e = e == OK ? proposal_count(&call->state, p->id, &p->tally) : e;
    if (e != OK) {
        return e;
    }
    if (vote_tally_passes(&p->tally, percent)) {
        return carry_out(call, p);
    }
    return vote_tally_lost(&p->tally, percent) ? close_as(call, p, PROPOSAL_REFUSED, "it can no longer pass") : OK;
}

static enum err cast(const struct call *call, struct proposal_record *p, const char *org, enum vote_choice choice) {
    char detail[GENESIS_ID_MAX + 8];
    struct record_key key = proposal_key(p->id);
    if (snprintf(detail, sizeof detail, "%s %s", org, choice == VOTE_YES ? "yes" : "no") < 0) {
        detail[0] = '\0';
    }
    enum err e = vote_put(call, p->id, org, choice);
    e = e == OK ? state_history(&call->state, &key, "vote", detail) : e;
    return e == OK ? count_and_settle(call, p) : e;
}

static enum err answer_with_proposal(const struct proposal_record *p, struct answer *answer) {
    Assay__ProposalResult result = ASSAY__PROPOSAL_RESULT__INIT;
    result.proposal_id = pb_of(p->id, HASH_LEN);
    result.state = (uint32_t)p->state;
    result.yes = p->tally.yes;
    result.no = p->tally.no;
    result.organisations = p->tally.organisations;
    result.expires_ms = p->expires_ms;
    result.outcome = p->outcome;
    return answer_with(answer, &result.base);
}

/* ---- Rules -------------------------------------------------------------------------------------------------- */

static enum err judge_speaker(const struct call *call, const char *org, struct answer *answer) {
    enum code code;
    enum err e = org_authorizes(call, org, NULL, &code);
    if (e != OK || code == CODE_OK) {
        return e;
    }
    return refuse(answer, code, "admins of organisation %.32s must sign", org);
}

static enum err judge_room(const struct call *call, const char *org, struct answer *answer) {
    struct open_proposal open[PROPOSALS_OPEN_MAX];
    size_t count = 0, own = 0;
    enum err e = proposal_open_list(&call->state, open, &count);
    if (e != OK) {
        return e;
    }
    for (size_t i = 0; i < count; i++) {
        own += strcmp(open[i].org, org) == 0;
    }
    if (own >= PROPOSALS_OPEN_PER_ORG) {
        return refuse(answer, CODE_PROPOSAL_LIMIT, "%d of one organisation", PROPOSALS_OPEN_PER_ORG);
    }
    return count < PROPOSALS_OPEN_MAX ? OK : refuse(answer, CODE_PROPOSAL_LIMIT, "%d in all", PROPOSALS_OPEN_MAX);
}

/* The proposal, when it is there and still open: an expired one is closed whether or not the due-queue came to it. */
static enum err judge_open(const struct call *call, ProtobufCBinaryData id, struct proposal_record *out,
                           struct answer *answer) {
    bool found = false;
    if (refuse_length(answer, id, HASH_LEN, "proposal_id")) {
        return OK;
    }
    enum err e = proposal_stored(&call->state, id.data, out, &found);
    if (e != OK || !found) {
        return e != OK ? e : refuse(answer, CODE_PROPOSAL_UNKNOWN, "no such proposal");
    }
    if (out->state != PROPOSAL_OPEN) {
        return refuse(answer, CODE_PROPOSAL_CLOSED, "it is %s", proposal_state_name(out->state));
    }
    return call->time_ms < out->expires_ms ? OK : refuse(answer, CODE_PROPOSAL_CLOSED, "it is expired");
}

/* ---- Methods ------------------------------------------------------------------------------------------------ */

enum err proposal_propose(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__Propose *args = (const Assay__Propose *)(const void *)message;
    struct proposal_record p = {.stamp = record_stamp_new(call), .state = PROPOSAL_OPEN};
    uint64_t lifetime_ms = args->lifetime_ms == 0 ? PROPOSAL_LIFETIME_DEFAULT_MS : args->lifetime_ms;
    if (refuse_text(answer, args->text, PROPOSAL_TEXT_MAX, TEXT_PROSE, "text") ||
        governance_change_parse(args, &p.change, answer)) {
        return OK;
    }
    if (lifetime_ms < PROPOSAL_LIFETIME_LEAST_MS || lifetime_ms > PROPOSAL_LIFETIME_MOST_MS) {
        return refuse(answer, CODE_PROPOSAL_LIFETIME, "%llu to %llu ms, got %" PRIu64, PROPOSAL_LIFETIME_LEAST_MS,
                      PROPOSAL_LIFETIME_MOST_MS, lifetime_ms);
    }
    enum err e = judge_speaker(call, args->org, answer);
    if (e == OK && answer->code == CODE_OK) {
        e = judge_room(call, args->org, answer);
    }
    if (e == OK && answer->code == CODE_OK) {
        e = governance_change_judge(call, &p.change, answer);
    }
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    memcpy(p.id, call->tx_id, HASH_LEN);
    memcpy(p.org, args->org, strlen(args->org) + 1);
    memcpy(p.text, args->text, strlen(args->text) + 1);
    p.expires_ms = call->time_ms + lifetime_ms;
    e = proposal_put(call, &p, "propose", governance_change_name(p.change.kind));
    e = e == OK ? due_queue_add(call, p.expires_ms, DUE_PROPOSAL, bytes_of(p.id, HASH_LEN)) : e;
    e = e == OK ? cast(call, &p, p.org, VOTE_YES) : e;
    return e == OK ? answer_with_proposal(&p, answer) : e;
}

enum err proposal_vote(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__CastVote *args = (const Assay__CastVote *)(const void *)message;
    struct proposal_record p = {0};
    bool voted = false;
    if (args->choice != VOTE_YES && args->choice != VOTE_NO) {
        return refuse(answer, CODE_BAD_ARGUMENTS, "choice must be yes (1) or no (2)");
    }
    enum err e = judge_speaker(call, args->org, answer);
    if (e == OK && answer->code == CODE_OK) {
        e = judge_open(call, args->proposal_id, &p, answer);
    }
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    struct record_key key = vote_key(p.id, args->org);
    e = state_has(&call->state, &key, &voted);
    if (e != OK || voted) {
        return e != OK ? e : refuse(answer, CODE_VOTE_EXISTS, "organisation %s", args->org);
    }
    e = cast(call, &p, args->org, (enum vote_choice)args->choice);
    return e == OK ? answer_with_proposal(&p, answer) : e;
}

enum err proposal_withdraw(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__WithdrawProposal *args = (const Assay__WithdrawProposal *)(const void *)message;
    struct proposal_record p = {0};
    enum err e = judge_open(call, args->proposal_id, &p, answer);
    if (e == OK && answer->code == CODE_OK) {
        e = judge_speaker(call, p.org, answer);
    }
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    e = proposal_count(&call->state, p.id, &p.tally);
    e = e == OK ? close_as(call, &p, PROPOSAL_WITHDRAWN, p.org) : e;
    return e == OK ? answer_with_proposal(&p, answer) : e;
}

/* ---- Due ---------------------------------------------------------------------------------------------------- */

enum err proposal_expiry_due(const struct call *call, struct bytes subject) {
    struct proposal_record p;
    bool found = false;
    if (subject.len != HASH_LEN) {
        return ERR_CORRUPT;
    }
    enum err e = proposal_stored(&call->state, subject.data, &p, &found);
    if (e == OK && !found) {
        e = ERR_CORRUPT;
    }
    if (e != OK || p.state != PROPOSAL_OPEN) {
        return e;
    }
    e = proposal_count(&call->state, p.id, &p.tally);
    return e == OK ? close_as(call, &p, PROPOSAL_EXPIRED, "not decided in time") : e;
}

/* Goes on to the next open proposal, for which there is an item in the next block at the earliest. `*out_found` false:
 * all were counted, or no recount is under way. */
static enum err recount_step(const struct call *call, struct proposal_record *out, bool *out_found) {
    struct open_place place;
    bool under_way = false, found = false;
    enum err e = recount_get(&call->state, &place, &under_way);
    if (e == OK && under_way) {
        e = proposal_open_behind(&call->state, &place, out, &found);
    }
    if (e != OK || !under_way) {
        *out_found = false;
        return e;
    }
    e = found ? recount_put(call, &place) : recount_end(call);
    if (e == OK && found) {
        e = due_queue_add(call, call->time_ms + 1, DUE_RECOUNT, RECOUNT_SUBJECT);
    }
    *out_found = found;
    return e;
}

enum err proposal_recount_due(const struct call *call, struct bytes subject) {
    struct proposal_record p;
    bool found = false;
    (void)subject;
    enum err e = recount_step(call, &p, &found);
    return e == OK && found && call->time_ms < p.expires_ms ? count_and_settle(call, &p) : e;
}

/* The proposal that comes next has the votes it needs, and its change is too much for one operation. */
enum err proposal_recount_refused(const struct call *call, struct bytes subject) {
    struct proposal_record p;
    bool found = false;
    (void)subject;
    enum err e = recount_step(call, &p, &found);
    e = e == OK && found ? proposal_count(&call->state, p.id, &p.tally) : e;
    return e == OK && found ? fail_as(call, &p, CODE_TOO_MANY_WRITES, code_text(CODE_TOO_MANY_WRITES)) : e;
}
