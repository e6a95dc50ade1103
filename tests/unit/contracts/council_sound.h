/* What must hold of governance's records after every operation, whatever it was. */
#ifndef ASSAY_TESTS_COUNCIL_SOUND_H
#define ASSAY_TESTS_COUNCIL_SOUND_H

#include "tests/unit/contracts/council.h"

#include "contracts/governance_proposal_records.h"
#include "contracts/governance_records.h"

static inline size_t council_count(const struct council *c, const char *path) {
    struct record_key prefix = record_key("governance", path, bytes_of(NULL, 0));
    size_t count = 0;
    for (size_t i = 0; i < c->w.memory.count; i++) {
        const struct memory_record *r = &c->w.memory.records[i];
        count += r->key_len >= prefix.len && memcmp(r->key, prefix.data, prefix.len) == 0;
    }
    return count;
}

struct council_tally {
    const struct state *state;
    uint32_t nodes[NODE_GATEWAY + 1];
    size_t orgs, admins, open;
    const char *wrong;
};

static inline enum err tally_org(void *arg, const struct org_record *org) {
    struct council_tally *t = (struct council_tally *)arg;
    t->orgs++;
    t->admins += org->org.admin_count;
    return OK;
}

static inline enum err tally_vote(void *arg, const struct vote_record *vote) {
    struct council_tally *t = (struct council_tally *)arg;
    struct org_record org;
    bool found = false;
    if (org_get(t->state, vote->org, &org, &found) != OK || !found) {
        t->wrong = "an open proposal has a vote of nobody";
    }
    return OK;
}

static inline enum err tally_proposal(void *arg, const struct proposal_record *p) {
    struct council_tally *t = (struct council_tally *)arg;
    if (p->state != PROPOSAL_OPEN) {
        return OK;
    }
    t->open++;
    return proposal_votes(t->state, p->id, NULL, STATE_PAGE_MAX, tally_vote, t);
}

static inline enum err tally_proposals(const struct state *state, struct council_tally *t) {
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

/* NULL when everything holds, or what does not. */
static inline const char *council_flaw(const struct council *c) {
    const struct state *state = &c->w.state;
    struct council_tally t = {.state = state};
    struct governance_totals totals;
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t count = 0;
    if (governance_totals(state, &totals) != OK || governance_validators(state, keys, &count) != OK ||
        org_list(state, NULL, STATE_PAGE_MAX, tally_org, &t) != OK || tally_proposals(state, &t) != OK) {
        return "a record can't be read";
    }
    struct record_key nodes = record_key("governance", "node/", bytes_of(NULL, 0));
    for (size_t i = 0; i < c->w.memory.count; i++) {
        const struct memory_record *r = &c->w.memory.records[i];
        struct node_record node;
        if (r->key_len > nodes.len && memcmp(r->key, nodes.data, nodes.len) == 0) {
            if (node_decode(bytes_of(r->value, r->value_len), &node) != OK) {
                return "a node's record can't be read";
            }
            t.nodes[node.node.role]++;
        }
    }
    for (uint16_t i = 0; i < count; i++) {
        struct node_record node;
        bool found = false;
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
    if (council_count(c, "link/") != all || council_count(c, "org_node/") != all ||
        council_count(c, "admin/") != t.admins || council_count(c, "proposal/") != council_count(c, "newest/")) {
        return "an index differs from what is there";
    }
    if (t.orgs == 0 || t.open > PROPOSALS_OPEN_MAX) {
        return "a limit does not hold";
    }
    return t.wrong;
}

#endif
