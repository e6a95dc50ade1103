/* Random operations of random members, with everything that must hold looked at after each. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/council_sound.h"

#define SEEDS 10
#define STEPS 3000
#define ORGS 7  /* that come and go; their admins' keys stay */
#define NODES 9 /* likewise */

struct walk {
    struct council c;
    uint64_t random;
    uint8_t ids[32][HASH_LEN]; /* of the latest proposals */
    size_t proposed;
    size_t done[16]; /* operations that were carried out, by kind */
    size_t states[PROPOSAL_FAILED + 1];
};

static unsigned pick(struct walk *k, unsigned n) {
    k->random = k->random * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(k->random >> 33) % n;
}

static int any_node(struct walk *k) {
    return NODE((int)pick(k, NODES));
}

static enum code remove_node(struct walk *k, unsigned org, int key) {
    Assay__RemoveNode args = ASSAY__REMOVE_NODE__INIT;
    args.key = council_key(&k->c, key);
    return council_run(&k->c, "remove_node", &args.base, SIGNERS(ADMIN((int)org)));
}

static enum code withdraw(struct walk *k, unsigned org, const uint8_t id[HASH_LEN]) {
    Assay__WithdrawProposal args = ASSAY__WITHDRAW_PROPOSAL__INIT;
    args.proposal_id = world_bytes(id, HASH_LEN);
    return council_run(&k->c, "withdraw", &args.base, SIGNERS(ADMIN((int)org)));
}

static enum code propose_any(struct walk *k, unsigned org) {
    struct council *c = &k->c;
    switch (pick(k, 8)) {
    case 0:
        return propose_add(c, org, any_node(k));
    case 1:
        return propose_remove(c, org, any_node(k));
    case 2:
        return propose_replace(c, org, any_node(k), any_node(k));
    case 3: {
        unsigned newcomer = pick(k, ORGS);
        return propose_admit(c, org, newcomer, ADMIN((int)newcomer));
    }
    case 4:
        return propose_expel(c, org, pick(k, ORGS));
    case 5:
        return propose_param(c, org, PARAM_VOTE_THRESHOLD_PERCENT, 51 + pick(k, 40));
    case 6:
        return propose_protocol(c, org, 1 + pick(k, 3), c->w.height + pick(k, 20));
    default:
        return propose_remove_convicted(c, org, any_node(k));
    }
}

static enum code operate(struct walk *k, unsigned kind) {
    unsigned org = pick(k, ORGS);
    const uint8_t *id = k->ids[pick(k, 32)];
    switch (kind) {
    case 0:
        return council_register(&k->c, org, any_node(k), NODE_OBSERVER + pick(k, 3) / 2);
    case 1:
        return remove_node(k, org, any_node(k));
    case 2:
        return propose_any(k, org);
    case 3:
        return withdraw(k, org, id);
    case 4:
        return pick(k, 4) == 0 ? convict(&k->c, any_node(k), any_node(k)) : CODE_BAD_ARGUMENTS;
    default: {
        uint8_t copy[HASH_LEN];
        memcpy(copy, id, HASH_LEN);
        return council_vote_on(&k->c, org, copy, pick(k, 5) == 0 ? VOTE_NO : VOTE_YES);
    }
    }
}

static void step(struct walk *k) {
    unsigned kind = pick(k, 16);
    if (kind == 15) {
        uint64_t far = pick(k, 8) == 0 ? PROPOSAL_LIFETIME_DEFAULT_MS : 1;
        assert_int_equal(world_block(&k->c.w, k->c.w.now_ms + far), OK);
        k->done[15]++;
    } else if (operate(k, kind) == CODE_OK) {
        k->done[kind]++;
        if (kind == 2) {
            memcpy(k->ids[k->proposed++ % 32], k->c.id, HASH_LEN);
        }
    }
}

static enum err see_state(void *arg, const struct proposal_record *p) {
    struct walk *k = arg;
    k->states[p->state]++;
    return OK;
}

static void whatever_members_do_the_records_hold_together(void **state) {
    (void)state;
    size_t states[PROPOSAL_FAILED + 1] = {0}, done[16] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        static struct walk k;
        memset(&k, 0, sizeof k);
        k.random = seed * 0x9e3779b97f4a7c15ull;
        council_open(&k.c, ORGS, 6, NODES - 6);
        for (unsigned i = 0; i < STEPS; i++) {
            step(&k);
            const char *flaw = council_flaw(&k.c);
            if (flaw != NULL) {
                fail_msg("seed %u, step %u: %s", (unsigned)seed, i, flaw);
            }
        }
        assert_int_equal(proposal_list(&k.c.w.state, NULL, STATE_PAGE_MAX, see_state, &k), OK);
        for (size_t i = 0; i <= PROPOSAL_FAILED; i++) {
            states[i] += k.states[i];
        }
        for (size_t kind = 0; kind < 16; kind++) {
            done[kind] += k.done[kind];
        }
        council_close(&k.c);
    }
    /* The walk is worth something only if it comes everywhere. */
    for (size_t i = PROPOSAL_OPEN; i <= PROPOSAL_FAILED; i++) {
        assert_true(states[i] > 0);
    }
    for (size_t kind = 0; kind < 16; kind++) {
        assert_true(done[kind] > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_members_do_the_records_hold_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
