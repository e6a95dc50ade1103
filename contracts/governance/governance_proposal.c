/* Proposals as records, and reading them. What happens to them is in governance_vote.c. */
#include "contracts/governance/governance_proposal_records.h"

#include "contracts/governance/governance_records.h"

#include <string.h>

uint32_t vote_tally_needed(const struct vote_tally *tally, uint32_t threshold_percent) {
    return (uint32_t)(((uint64_t)threshold_percent * tally->organisations + 99) / 100);
}

bool vote_tally_passes(const struct vote_tally *tally, uint32_t threshold_percent) {
    return tally->organisations > 0 && tally->yes >= vote_tally_needed(tally, threshold_percent);
}

bool vote_tally_lost(const struct vote_tally *tally, uint32_t threshold_percent) {
    uint64_t left = tally->organisations - tally->no;
    return left * 100 < (uint64_t)threshold_percent * tally->organisations;
}

/* ---- Keys --------------------------------------------------------------------------------------------------- */

struct record_key proposal_key(const uint8_t id[HASH_LEN]) {
    return record_key(GOVERNANCE, "proposal/", bytes_of(id, HASH_LEN));
}

struct record_key vote_key(const uint8_t id[HASH_LEN], const char *org) {
    struct record_key key = record_key(GOVERNANCE, "vote/", bytes_of(id, HASH_LEN));
    record_key_add(&key, org, strlen(org));
    return key;
}

static struct record_key timed_key(const char *path, uint64_t time, const uint8_t id[HASH_LEN]) {
    uint8_t head[8];
    store_u64(head, time);
    struct record_key key = record_key(GOVERNANCE, path, bytes_of(head, sizeof head));
    record_key_add(&key, id, HASH_LEN);
    return key;
}

static struct record_key open_key(const struct proposal_record *p) {
    return timed_key("open/", p->stamp.created_ms, p->id);
}

static struct record_key newest_key(const struct proposal_record *p) {
    return timed_key("newest/", UINT64_MAX - p->stamp.created_ms, p->id);
}

static struct record_key recount_key(void) {
    return record_key(GOVERNANCE, "recount", bytes_of(NULL, 0));
}

/* ---- Layouts ------------------------------------------------------------------------------------------------ */

static const char *const states[] = {
    [PROPOSAL_OPEN] = "open",       [PROPOSAL_PASSED] = "passed",       [PROPOSAL_REFUSED] = "refused",
    [PROPOSAL_EXPIRED] = "expired", [PROPOSAL_WITHDRAWN] = "withdrawn", [PROPOSAL_FAILED] = "failed",
};

const char *proposal_state_name(enum proposal_state state) {
    return state >= PROPOSAL_OPEN && state <= PROPOSAL_FAILED ? states[state] : "unknown";
}

static const struct field tally_fields[] = {
    {"yes", "Votes for it.", FIELD_NUMBER, MEMBER(struct vote_tally, yes)},
    {"no", "Votes against it.", FIELD_NUMBER, MEMBER(struct vote_tally, no)},
    {"organisations", "How many may vote.", FIELD_NUMBER, MEMBER(struct vote_tally, organisations)},
};
static const struct record tally_shape = {"Tally", "Votes counted.", RECORD_OF(struct vote_tally, tally_fields)};

static void outcome_name(const void *value, struct buffer *out) {
    const struct proposal_record *p = value;
    if (p->outcome != CODE_OK) {
        const char *name = code_name((enum code)p->outcome);
        buffer_put(out, name, strlen(name));
    }
}

static const struct field proposal_fields[] = {
    STAMP(struct proposal_record),
    {"proposal_id", "The transaction that proposed it.", FIELD_HEX, MEMBER(struct proposal_record, id)},
    {"organisation", "Who proposed it.", FIELD_TEXT, MEMBER(struct proposal_record, org)},
    {"state", "Where it stands.", FIELD_NAME, MEMBER(struct proposal_record, state), NAMES(states)},
    {"expires_ms", "Block time until which it is open.", FIELD_NUMBER, MEMBER(struct proposal_record, expires_ms)},
    {NULL, NULL, FIELD_NUMBER, FIELD_KEPT, MEMBER(struct proposal_record, outcome)},
    {"outcome", "Code with which it failed.", FIELD_MADE, FIELD_SHOWN, .make = outcome_name, .pattern = "^[A-Z_0-9]+$",
     .is_optional = true},
    {"tally", "Votes counted.", FIELD_PART, MEMBER(struct proposal_record, tally), .of = &tally_shape},
    {"text", "What the proposer says about it.", FIELD_TEXT, MEMBER(struct proposal_record, text)},
    {NULL, NULL, FIELD_PART, FIELD_KEPT, MEMBER(struct proposal_record, change), .of = &governance_change_shape},
    {"change", "What it would change.", FIELD_RECORD, FIELD_SHOWN, MEMBER(struct proposal_record, change),
     .of = &governance_change_shape},
};
const struct record proposal_shape = {"Proposal", "What an organisation proposes.",
                                      RECORD_OF(struct proposal_record, proposal_fields)};

static const char *const vote_choices[VOTE_NO + 1] = {[VOTE_YES] = "yes", [VOTE_NO] = "no"};

static const struct field vote_fields[] = {
    STAMP(struct vote_record),
    {"organisation", "Who votes.", FIELD_TEXT, FIELD_SHOWN, MEMBER(struct vote_record, org)},
    {"choice", "What it says.", FIELD_NAME, MEMBER(struct vote_record, choice), NAMES(vote_choices)},
};
const struct record vote_shape = {"Vote", "An organisation's vote on a proposal.",
                                  RECORD_OF(struct vote_record, vote_fields)};

/* The organisation stands in the key. */
static enum err vote_decode(struct bytes rest, struct bytes value, struct vote_record *out) {
    enum err e = rest.len <= GENESIS_ID_MAX ? record_decode(&vote_shape, value, out) : ERR_CORRUPT;
    if (e == OK) {
        memcpy(out->org, rest.data, rest.len);
    }
    return e;
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */

enum err proposal_stored(const struct state *state, const uint8_t id[HASH_LEN], struct proposal_record *out,
                         bool *out_found) {
    struct record_key key = proposal_key(id);
    return state_read(state, &key, &proposal_shape, out, out_found);
}

struct vote_visit {
    enum err (*each)(void *arg, const struct vote_record *vote);
    void *arg;
};

static enum err visit_vote(void *arg, struct bytes rest, struct bytes value) {
    const struct vote_visit *visit = arg;
    struct vote_record vote;
    enum err e = vote_decode(rest, value, &vote);
    return e == OK ? visit->each(visit->arg, &vote) : e;
}

enum err proposal_votes(const struct state *state, const uint8_t id[HASH_LEN], const char *after, size_t limit,
                        enum err (*each)(void *arg, const struct vote_record *vote), void *arg) {
    struct record_key prefix = vote_key(id, "");
    struct vote_visit visit = {each, arg};
    return state_each(state, &prefix, bytes_str(after == NULL ? "" : after), limit, visit_vote, &visit);
}

static enum err count_vote(void *arg, const struct vote_record *vote) {
    struct vote_tally *tally = arg;
    tally->yes += vote->choice == VOTE_YES;
    tally->no += vote->choice == VOTE_NO;
    return OK;
}

/* Votes of removed organisations are gone, so what is there counts; there are no more than organisations. */
_Static_assert(ORGS_MAX <= STATE_PAGE_MAX, "one page holds every vote");

enum err proposal_count(const struct state *state, const uint8_t id[HASH_LEN], struct vote_tally *out) {
    struct governance_totals totals;
    struct vote_tally tally = {0};
    enum err e = governance_totals(state, &totals);
    e = e == OK ? proposal_votes(state, id, NULL, STATE_PAGE_MAX, count_vote, &tally) : e;
    if (e == OK) {
        tally.organisations = totals.orgs;
        *out = tally;
    }
    return e;
}

enum err proposal_get(const struct state *state, const uint8_t id[HASH_LEN], struct proposal_record *out,
                      bool *out_found) {
    struct proposal_record p;
    bool found = false;
    enum err e = proposal_stored(state, id, &p, &found);
    if (e == OK && found && p.state == PROPOSAL_OPEN) {
        e = proposal_count(state, id, &p.tally);
    }
    if (e != OK) {
        return e;
    }
    if (found) {
        *out = p;
    }
    *out_found = found;
    return OK;
}

struct proposal_visit {
    const struct state *state;
    enum err (*each)(void *arg, const struct proposal_record *proposal);
    void *arg;
};

static enum err visit_newest(void *arg, struct bytes rest, struct bytes value) {
    const struct proposal_visit *visit = arg;
    struct proposal_record p;
    bool found = false;
    (void)value;
    if (rest.len != 8 + HASH_LEN) {
        return ERR_CORRUPT;
    }
    enum err e = proposal_get(visit->state, rest.data + 8, &p, &found);
    if (e != OK || !found) {
        return e != OK ? e : ERR_CORRUPT;
    }
    return visit->each(visit->arg, &p);
}

enum err proposal_list(const struct state *state, const uint8_t *after, size_t limit,
                       enum err (*each)(void *arg, const struct proposal_record *proposal), void *arg) {
    struct record_key prefix = record_key(GOVERNANCE, "newest/", bytes_of(NULL, 0));
    struct proposal_visit visit = {state, each, arg};
    uint8_t from[8 + HASH_LEN];
    if (after != NULL) {
        struct proposal_record last;
        bool found = false;
        enum err e = proposal_stored(state, after, &last, &found);
        if (e != OK || !found) {
            return e;
        }
        store_u64(from, UINT64_MAX - last.stamp.created_ms);
        memcpy(from + 8, after, HASH_LEN);
    }
    return state_each(state, &prefix, bytes_of(from, after == NULL ? 0 : sizeof from), limit, visit_newest, &visit);
}

struct open_visit {
    struct open_proposal *items;
    size_t count;
};

static enum err visit_open(void *arg, struct bytes rest, struct bytes value) {
    struct open_visit *visit = arg;
    if (rest.len != 8 + HASH_LEN || value.len > GENESIS_ID_MAX || visit->count == PROPOSALS_OPEN_MAX) {
        return ERR_CORRUPT;
    }
    struct open_proposal *item = &visit->items[visit->count++];
    *item = (struct open_proposal){.org = {0}};
    memcpy(item->id, rest.data + 8, HASH_LEN);
    memcpy(item->org, value.data, value.len);
    return OK;
}

_Static_assert(PROPOSALS_OPEN_MAX < STATE_PAGE_MAX, "one page holds every open proposal");

enum err proposal_open_list(const struct state *state, struct open_proposal out[PROPOSALS_OPEN_MAX],
                            size_t *out_count) {
    struct record_key prefix = record_key(GOVERNANCE, "open/", bytes_of(NULL, 0));
    struct open_visit visit = {out, 0};
    enum err e = state_each(state, &prefix, bytes_of(NULL, 0), STATE_PAGE_MAX, visit_open, &visit);
    if (e == OK) {
        *out_count = visit.count;
    }
    return e;
}

enum err proposal_open_behind(const struct state *state, struct open_place *place, struct proposal_record *out,
                              bool *out_found) {
    struct record_key prefix = record_key(GOVERNANCE, "open/", bytes_of(NULL, 0));
    struct state_walk walk;
    struct bytes rest, value;
    struct open_place next;
    struct proposal_record p;
    bool open = false, found = false;
    state_walk_init(&walk, state, &prefix, bytes_of(place->bytes, sizeof place->bytes));
    enum err e = state_walk_next(&walk, &rest, &value, &open);
    if (e == OK && open && rest.len != sizeof next.bytes) {
        e = ERR_CORRUPT;
    }
    if (e == OK && open) {
        memcpy(next.bytes, rest.data, sizeof next.bytes);
        e = proposal_stored(state, next.bytes + 8, &p, &found);
    }
    state_walk_close(&walk);
    if (e == OK && open && (!found || p.state != PROPOSAL_OPEN)) {
        e = ERR_CORRUPT;
    }
    if (e == OK && open) {
        *place = next;
        *out = p;
    }
    if (e == OK) {
        *out_found = open;
    }
    return e;
}

static enum err recount_decode(struct bytes value, void *out) {
    struct open_place *place = out;
    if (value.len != sizeof place->bytes) {
        return ERR_CORRUPT;
    }
    memcpy(place->bytes, value.data, value.len);
    return OK;
}

enum err recount_get(const struct state *state, struct open_place *out, bool *out_found) {
    struct record_key key = recount_key();
    return state_get_record(state, &key, recount_decode, out, out_found);
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */

enum err proposal_put(const struct call *call, const struct proposal_record *p, const char *action,
                      const char *detail) {
    struct record_key key = proposal_key(p->id);
    struct record_key open = open_key(p), newest = newest_key(p);
    enum err e = state_write(&call->state, &key, &proposal_shape, p);
    if (e == OK && p->state == PROPOSAL_OPEN) {
        e = state_put(&call->state, &open, bytes_str(p->org));
        e = e == OK ? state_put(&call->state, &newest, bytes_of("\1", 1)) : e;
    } else if (e == OK) {
        e = state_remove(&call->state, &open);
    }
    return e == OK ? state_history(&call->state, &key, action, detail) : e;
}

enum err recount_put(const struct call *call, const struct open_place *place) {
    struct record_key key = recount_key();
    return state_put(&call->state, &key, bytes_of(place->bytes, sizeof place->bytes));
}

enum err recount_end(const struct call *call) {
    struct record_key key = recount_key();
    return state_remove(&call->state, &key);
}

enum err vote_put(const struct call *call, const uint8_t id[HASH_LEN], const char *org, enum vote_choice choice) {
    struct record_key key = vote_key(id, org);
    const struct vote_record vote = {.stamp = record_stamp_new(call), .choice = choice};
    return state_write(&call->state, &key, &vote_shape, &vote);
}

enum err proposal_forget_votes(const struct call *call, const char *org) {
    struct open_proposal open[PROPOSALS_OPEN_MAX];
    size_t count = 0;
    enum err e = proposal_open_list(&call->state, open, &count);
    for (size_t i = 0; i < count && e == OK; i++) {
        struct record_key vote = vote_key(open[i].id, org), proposal = proposal_key(open[i].id);
        bool voted = false;
        e = state_has(&call->state, &vote, &voted);
        if (e == OK && voted) {
            e = state_remove(&call->state, &vote);
            e = e == OK ? state_history(&call->state, &proposal, "forget_vote", org) : e;
        }
    }
    return e;
}
