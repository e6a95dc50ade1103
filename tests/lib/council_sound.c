#include "tests/lib/council_sound.h"

/* Visits all records under the path, and gives their number; SIZE_MAX when one can't be read. */
static size_t records_count(const struct state *state, const char *path,
                            enum err (*each)(void *arg, struct bytes value), void *arg) {
    struct record_key prefix = record_key("governance", path, bytes_of(NULL, 0));
    struct state_walk walk;
    struct bytes rest, value;
    size_t count = 0;
    bool found = true;
    enum err e = OK;
    state_walk_init(&walk, state, &prefix, bytes_of(NULL, 0));
    while (e == OK && found) {
        e = state_walk_next(&walk, &rest, &value, &found);
        count += e == OK && found;
        if (e == OK && found && each != NULL) {
            e = each(arg, value);
        }
    }
    state_walk_close(&walk);
    return e == OK ? count : SIZE_MAX;
}

static size_t council_count(const struct state *state, const char *path) {
    return records_count(state, path, NULL, NULL);
}

static enum err tally_org(void *arg, const struct org_record *org) {
    struct council_tally *t = (struct council_tally *)arg;
    t->orgs++;
    t->admins += org->org.admin_count;
    return OK;
}

static enum err tally_node(void *arg, struct bytes value) {
    struct council_tally *t = (struct council_tally *)arg;
    struct node_record node;
    enum err e = record_decode(&node_shape, value, &node);
    if (e == OK) {
        t->nodes[node.node.role]++;
    }
    return e;
}

static enum err tally_vote(void *arg, const struct vote_record *vote) {
    struct council_tally *t = (struct council_tally *)arg;
    struct org_record org;
    bool found = false;
    if (org_get(t->state, vote->org, &org, &found) != OK || !found) {
        t->wrong = "an open proposal has a vote of nobody";
    }
    return OK;
}

static enum err tally_proposal(struct council_tally *t, const struct proposal_record *p) {
    if (p->state != PROPOSAL_OPEN) {
        return OK;
    }
    t->open++;
    if (!t->recount && t->time_ms < p->expires_ms &&
        (vote_tally_passes(&p->tally, t->percent) || vote_tally_lost(&p->tally, t->percent))) {
        t->wrong = "an open proposal is decided and nobody will count it";
    }
    return proposal_votes(t->state, p->id, NULL, STATE_PAGE_MAX, tally_vote, t);
}

static enum err tally_proposals(const struct state *state, struct council_tally *t) {
    struct open_proposal open[PROPOSALS_OPEN_MAX];
    size_t count = 0;
    enum err e = proposal_open_list(state, open, &count);
    for (size_t i = 0; i < count && e == OK; i++) {
        struct proposal_record p;
        bool found = false;
        e = proposal_get(state, open[i].id, &p, &found);
        if (e == OK && (!found || p.state != PROPOSAL_OPEN)) {
            t->wrong = "a closed proposal is among the open ones";
        }
        e = e == OK && found ? tally_proposal(t, &p) : e;
    }
    return e;
}

const char *governance_flaw(const struct state *state, uint64_t time_ms) {
    struct council_tally t = {.state = state, .time_ms = time_ms};
    struct governance_totals totals;
    struct params_record params;
    struct open_place place;
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t count = 0;
    bool found = false;
    if (params_get(state, &params, &found) != OK || !found || recount_get(state, &place, &t.recount) != OK) {
        return "a record can't be read";
    }
    t.percent = params.params.vote_threshold_percent;
    if (governance_totals(state, &totals) != OK || governance_validators(state, keys, &count) != OK ||
        org_list(state, NULL, STATE_PAGE_MAX, tally_org, &t) != OK || tally_proposals(state, &t) != OK ||
        records_count(state, "node/", tally_node, &t) == SIZE_MAX) {
        return "a record can't be read";
    }
    for (uint16_t i = 0; i < count; i++) {
        struct node_record node;
        if (node_get(state, keys[i], &node, &found) != OK || !found || node.node.role != NODE_VALIDATOR) {
            return "a validator is no node of that role";
        }
        for (uint16_t j = 0; j < i; j++) {
            if (memcmp(keys[i], keys[j], KEY_LEN) == 0) {
                return "a validator stands twice";
            }
        }
    }
    size_t all = (size_t)t.nodes[NODE_VALIDATOR] + t.nodes[NODE_OBSERVER] + t.nodes[NODE_GATEWAY];
    if (t.nodes[NODE_VALIDATOR] != count) {
        return "a node says validator and is none";
    }
    if (totals.orgs != t.orgs || memcmp(totals.nodes, t.nodes, sizeof t.nodes) != 0) {
        return "the totals differ from what is there";
    }
    if (council_count(state, "link/") != all || council_count(state, "org_node/") != all ||
        council_count(state, "admin/") != t.admins ||
        council_count(state, "proposal/") != council_count(state, "newest/")) {
        return "an index differs from what is there";
    }
    if (t.orgs == 0 || t.open > PROPOSALS_OPEN_MAX) {
        return "a limit does not hold";
    }
    return t.wrong;
}

const char *council_flaw(const struct council *c) {
    return governance_flaw(&c->w.state, c->w.now_ms);
}
