#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contracts/update/update.h"
#include "tests/lib/council_ledger.h"
#include "tests/lib/next_due.h"

static struct ledger l;

/* Runs the block to be; everything in it must have been carried out. */
static void run_all(uint64_t after_ms) {
    assert_int_equal(ledger_run(&l, after_ms), OK);
    for (size_t i = 0; i < l.code_count; i++) {
        if (l.codes[i] != CODE_OK) {
            fail_msg("transaction %zu: %s", i, code_name(l.codes[i]));
        }
    }
}

static uint32_t orgs_now(void) {
    struct ledger_view view = ledger_look(&l);
    struct governance_totals totals;
    assert_int_equal(governance_totals(&view.state, &totals), OK);
    kv_view_close(view.kv);
    return totals.orgs;
}

static bool recount_under_way(void) {
    struct ledger_view view = ledger_look(&l);
    struct open_place place;
    bool found = false;
    assert_int_equal(recount_get(&view.state, &place, &found), OK);
    kv_view_close(view.kv);
    return found;
}

static void assert_sound(void) {
    struct ledger_view view = ledger_look(&l);
    const char *flaw = governance_flaw(&view.state, l.time_ms);
    kv_view_close(view.kv);
    if (flaw != NULL) {
        fail_msg("%s", flaw);
    }
}

/* ---- Histories ---------------------------------------------------------------------------------------------- */

/* Entries with this action on a record (NULL: any) at the head's height, by what the block does by itself. No number is
 * given twice in a block. */
static size_t due_entries(const struct record_key *record, const char *action) {
    static uint8_t seen[UINT16_MAX + 1];
    static uint8_t at[KV_KEY_MAX + 1];
    struct ledger_view view = ledger_look(&l);
    struct bytes key, value, from = bytes_of("", 0);
    struct history_entry entry;
    size_t count = 0;
    memset(seen, 0, sizeof seen);
    while (kv_seek(view.kv, KV_HISTORY, from, &key, &value) == OK) {
        assert_int_equal(history_decode(key, value, &entry), OK);
        if (entry.height == l.height && entry.index == 0) {
            unsigned n = (unsigned)key.data[key.len - 2] << 8 | key.data[key.len - 1];
            assert_int_equal(seen[n]++, 0);
            bool same = record == NULL ||
                        bytes_equal(bytes_of(key.data, key.len - HISTORY_KEY_SUFFIX), record_key_bytes(record));
            count += same && bytes_equal(entry.action, bytes_str(action));
        }
        memcpy(at, key.data, key.len);
        at[key.len] = 0;
        from = bytes_of(at, key.len + 1);
    }
    kv_view_close(view.kv);
    return count;
}

/* ---- Many changes at once ----------------------------------------------------------------------------------- */

#define CROWD 48
#define LEAVERS 32 /* organisations 16 to 47 */

/* 32 proposals to remove an organisation each, one vote short of 67 percent; then 51 percent are enough. */
static void a_lower_threshold_carries_out_many_removals_one_a_block(void **state) {
    (void)state;
    uint8_t ids[LEAVERS][HASH_LEN], lower[HASH_LEN];
    ledger_open(&l, CROWD, 4, 0, GENESIS_ADMINS_MAX);
    for (unsigned i = 0; i < LEAVERS; i++) {
        memcpy(ids[i], ledger_propose_removal(&l, i / PROPOSALS_OPEN_PER_ORG, 16 + i), HASH_LEN);
    }
    memcpy(lower, ledger_propose_threshold(&l, 15, 51), HASH_LEN);
    run_all(1);
    for (unsigned i = 0; i < LEAVERS; i++) {
        for (unsigned org = 0; org < CROWD; org++) {
            if (org != i / PROPOSALS_OPEN_PER_ORG && (org < 16 || org >= 32)) {
                ledger_vote(&l, org, ids[i], VOTE_YES);
            }
        }
    }
    run_all(1);
    for (unsigned org = 16; org < CROWD; org++) {
        ledger_vote(&l, org, lower, VOTE_YES);
    }
    run_all(1);
    assert_int_equal(ledger_proposal(&l, lower).state, PROPOSAL_PASSED);
    assert_int_equal(orgs_now(), CROWD);
    unsigned blocks = 0;
    for (uint32_t left = CROWD; recount_under_way(); blocks++) {
        run_all(1);
        assert_sound();
        assert_in_range(orgs_now(), left - 1, left);
        left = orgs_now();
        (void)due_entries(NULL, "");
    }
    assert_int_equal(orgs_now(), CROWD - LEAVERS);
    assert_int_equal(blocks, LEAVERS + 1);
    for (unsigned i = 0; i < LEAVERS; i++) {
        assert_int_equal(ledger_proposal(&l, ids[i]).state, PROPOSAL_PASSED);
    }
    ledger_close(&l);
}

/* The largest change there is: an organisation of 16 admins leaves that voted on every other open proposal. */
static void the_largest_change_takes_a_fraction_of_the_budget(void **state) {
    (void)state;
    uint8_t ids[PROPOSALS_OPEN_MAX][HASH_LEN];
    ledger_open(&l, ORGS_MAX, 4, 0, GENESIS_ADMINS_MAX);
    for (unsigned i = 0; i < PROPOSALS_OPEN_MAX; i++) {
        memcpy(ids[i], ledger_propose_removal(&l, i / PROPOSALS_OPEN_PER_ORG, 99 - i), HASH_LEN);
    }
    run_all(1);
    for (unsigned i = 0; i < PROPOSALS_OPEN_MAX; i++) {
        ledger_vote(&l, 99, ids[i], VOTE_NO);
    }
    for (unsigned org = 1; org < 66; org++) {
        ledger_vote(&l, org, ids[0], VOTE_YES);
    }
    run_all(1);
    l.budget =
        (struct operation_budget){LIMIT_OPERATION_WRITES / 4, LIMIT_OPERATION_NOTES / 4, LIMIT_OPERATION_BYTES / 16};
    ledger_vote(&l, 66, ids[0], VOTE_YES);
    run_all(1);
    assert_int_equal(ledger_proposal(&l, ids[0]).state, PROPOSAL_PASSED);
    assert_int_equal(orgs_now(), ORGS_MAX - 1);
    ledger_close(&l);
}

/* ---- Over the budget ---------------------------------------------------------------------------------------- */

static void a_transaction_over_its_budget_is_refused_by_name(void **state) {
    (void)state;
    static const struct operation_budget small[] = {{4, LIMIT_OPERATION_NOTES, LIMIT_OPERATION_BYTES},
                                                    {LIMIT_OPERATION_WRITES, 1, LIMIT_OPERATION_BYTES},
                                                    {LIMIT_OPERATION_WRITES, LIMIT_OPERATION_NOTES, 400}};
    ledger_open(&l, 4, 2, 0, 1);
    struct operation_budget all = l.budget;
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        uint8_t id[HASH_LEN], before[HASH_LEN];
        memcpy(before, l.root.hash, HASH_LEN);
        l.budget = small[i];
        memcpy(id, ledger_propose_removal(&l, 0, 3), HASH_LEN);
        assert_int_equal(ledger_run(&l, 1), OK);
        assert_int_equal(l.codes[0], CODE_TOO_MANY_WRITES);
        assert_memory_equal(l.root.hash, before, HASH_LEN);
        struct bytes value, encoded;
        struct receipt receipt;
        uint64_t height;
        uint32_t index;
        struct ledger_view view = ledger_look(&l);
        assert_int_equal(kv_get(view.kv, KV_TXS, bytes_of(id, HASH_LEN), &value), OK);
        assert_int_equal(tx_entry_decode(value, &height, &index, &encoded), OK);
        assert_int_equal(receipt_decode(encoded, &receipt), OK);
        assert_true(receipt.detail.len > 0);
        assert_int_equal(receipt.result.len, 0);
        kv_view_close(view.kv);
    }
    l.budget = all;
    (void)ledger_propose_removal(&l, 0, 3);
    run_all(1);
    ledger_close(&l);
}

/* Removes organisation 3, which has two gateways, from four; the next block takes the first of them away. */
static void let_one_leave(void) {
    uint8_t id[HASH_LEN];
    ledger_open(&l, 4, 2, 0, 1);
    ledger_register(&l, 3, 1);
    ledger_register(&l, 3, 2);
    memcpy(id, ledger_propose_removal(&l, 0, 3), HASH_LEN);
    run_all(1);
    ledger_vote(&l, 1, id, VOTE_YES);
    ledger_vote(&l, 2, id, VOTE_YES);
    run_all(1);
    assert_int_equal(orgs_now(), 3);
    assert_int_equal(ledger_next_due(&l), l.time_ms + 1);
}

static void a_due_item_over_its_budget_is_noted_and_never_comes_again(void **state) {
    (void)state;
    let_one_leave();
    struct operation_budget all = l.budget;
    struct record_key org = org_key("org3");
    l.budget.writes = 4;
    run_all(1);
    assert_int_equal(due_entries(&org, "due_refused"), 1);
    l.budget = all;
    for (int i = 0; i < 3; i++) {
        run_all(1);
        assert_int_equal(due_entries(&org, "due_refused"), 0);
        assert_int_equal(due_entries(NULL, "remove"), 0);
    }
    assert_true(ledger_next_due(&l) > l.time_ms + 1000);
    assert_sound(); /* nothing of what it wrote counts: no node is half gone */
    ledger_close(&l);
}

/* The same without the small budget, to see that it was the budget. */
static void a_due_item_within_its_budget_is_carried_out(void **state) {
    (void)state;
    let_one_leave();
    for (size_t left = 2; left > 0; left--) {
        run_all(1);
        assert_int_equal(due_entries(NULL, "remove"), 1);
    }
    run_all(1);
    assert_true(ledger_next_due(&l) > l.time_ms + 1000);
    assert_sound();
    ledger_close(&l);
}

static void a_recount_goes_on_past_a_change_that_is_too_much(void **state) {
    (void)state;
    uint8_t ids[3][HASH_LEN];
    ledger_open(&l, 10, 2, 0, GENESIS_ADMINS_MAX);
    for (unsigned i = 0; i < 2; i++) {
        memcpy(ids[i], ledger_propose_removal(&l, 0, 9 - i), HASH_LEN);
        run_all(1);
    }
    memcpy(ids[2], ledger_propose_threshold(&l, 0, 51), HASH_LEN);
    for (unsigned org = 1; org < 6; org++) {
        ledger_vote(&l, org, ids[0], VOTE_YES);
        ledger_vote(&l, org, ids[1], VOTE_YES);
    }
    for (unsigned org = 1; org < 7; org++) {
        ledger_vote(&l, org, ids[2], VOTE_YES);
    }
    run_all(1);
    struct operation_budget all = l.budget;
    l.budget.writes = 8; /* 16 admins go with an organisation */
    run_all(1);
    l.budget = all;
    struct proposal_record p = ledger_proposal(&l, ids[0]);
    assert_int_equal(p.state, PROPOSAL_FAILED);
    assert_int_equal(p.outcome, CODE_TOO_MANY_WRITES);
    assert_int_equal(orgs_now(), 10);
    run_all(1);
    assert_int_equal(ledger_proposal(&l, ids[1]).state, PROPOSAL_PASSED);
    assert_int_equal(orgs_now(), 9);
    while (recount_under_way()) {
        run_all(1);
    }
    assert_sound();
    ledger_close(&l);
}

/* ---- A crowd in one queue ----------------------------------------------------------------------------------- */

#define WINDOWS 4000 /* as many ends as 63 pushes bring */

static enum err put_into_layer(void *ctx, struct bytes key, struct bytes value) {
    struct ledger_block *block = ctx;
    return kv_layer_put(block->layer, KV_STATE, key, value);
}

/* Ends of windows, all at once. They are of no update, so there is nothing to write. */
static void crowd_windows(uint32_t count, uint64_t due_ms) {
    static const struct state_ops ops = {.put = put_into_layer};
    struct ledger_block block;
    ledger_block_open(&l, &block);
    struct call call = {.state = {&ops, &block}, .time_ms = l.time_ms};
    for (uint32_t i = 0; i < count; i++) {
        uint8_t subject[HASH_LEN + KEY_LEN] = {7};
        store_u32(subject + HASH_LEN, i);
        assert_int_equal(due_queue_add(&call, due_ms, DUE_UPDATE_WINDOW, bytes_of(subject, sizeof subject)), OK);
    }
    ledger_block_close(&l, &block, true);
}

static void proposals_do_not_wait_behind_thousands_of_windows(void **state) {
    (void)state;
    uint8_t ids[PROPOSALS_OPEN_MAX][HASH_LEN];
    ledger_open(&l, 12, 2, 0, 1);
    for (unsigned i = 0; i < PROPOSALS_OPEN_MAX; i++) {
        memcpy(ids[i], ledger_propose_removal(&l, i / PROPOSALS_OPEN_PER_ORG, 11), HASH_LEN);
    }
    run_all(1);
    crowd_windows(WINDOWS, l.time_ms + 5);
    run_all(PROPOSAL_LIFETIME_DEFAULT_MS);
    for (unsigned i = 0; i < PROPOSALS_OPEN_MAX; i++) {
        assert_int_equal(ledger_proposal(&l, ids[i]).state, PROPOSAL_EXPIRED);
    }
    assert_int_equal(due_entries(NULL, "expired"), PROPOSALS_OPEN_MAX);
    for (size_t left = WINDOWS + PROPOSALS_OPEN_MAX - DUE_PER_BLOCK; left > 0;) {
        assert_in_range(ledger_next_due(&l), 1, l.time_ms);
        run_all(1);
        left -= left < DUE_PER_BLOCK ? left : DUE_PER_BLOCK;
    }
    assert_int_equal(ledger_next_due(&l), 0);
    ledger_close(&l);
}

/* ---- Anything legal ----------------------------------------------------------------------------------------- */

#define SEEDS 8
#define BLOCKS 100

struct walk {
    uint64_t random;
    uint64_t keys; /* handed out */
    struct open_proposal open[PROPOSALS_OPEN_MAX];
    size_t open_count;
    bool there[ORGS_MAX];
    unsigned orgs;
};

/* How far the seeds came, all together. */
static struct {
    size_t most_orgs, least_orgs, most_open, most_recount, passed[CHANGE_REMOVE_CONVICTED + 1];
    size_t states[PROPOSAL_FAILED + 1];
} reached;

static unsigned pick(struct walk *k, unsigned n) {
    k->random = k->random * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(k->random >> 33) % n;
}

static unsigned any_org(struct walk *k) {
    unsigned org = pick(k, ORGS_MAX);
    while (!k->there[org]) {
        org = (org + 1) % ORGS_MAX;
    }
    return org;
}

/* The organisation's own admin and 15 new keys. */
static void new_admins(struct walk *k, unsigned org, uint8_t keys[GENESIS_ADMINS_MAX][KEY_LEN],
                       ProtobufCBinaryData out[GENESIS_ADMINS_MAX]) {
    memcpy(keys[0], ledger_admin(&l, org), KEY_LEN);
    for (unsigned i = 0; i < GENESIS_ADMINS_MAX; i++) {
        if (i > 0) {
            ledger_key(2000000 + k->keys++, keys[i]);
        }
        out[i] = world_bytes(keys[i], KEY_LEN);
    }
}

static void propose_admission(struct walk *k, unsigned org, unsigned newcomer) {
    uint8_t keys[GENESIS_ADMINS_MAX][KEY_LEN];
    ProtobufCBinaryData admins[GENESIS_ADMINS_MAX];
    Assay__AdmitOrg change;
    Assay__Propose args;
    assay__admit_org__init(&change);
    assay__propose__init(&args);
    new_admins(k, newcomer, keys, admins);
    change.id = council_org(newcomer);
    change.name = council_text("A newcomer");
    change.kind = ORG_BROKER;
    change.admin_threshold = 1;
    change.n_admins = GENESIS_ADMINS_MAX;
    change.admins = admins;
    args.change_case = ASSAY__PROPOSE__CHANGE_ADMIT_ORG;
    args.admit_org = &change;
    (void)ledger_propose(&l, org, &args);
}

static void propose_rotation(struct walk *k, unsigned org, unsigned whose) {
    uint8_t keys[GENESIS_ADMINS_MAX][KEY_LEN];
    ProtobufCBinaryData admins[GENESIS_ADMINS_MAX];
    Assay__RotateAdmins change;
    Assay__Propose args;
    assay__rotate_admins__init(&change);
    assay__propose__init(&args);
    new_admins(k, whose, keys, admins);
    change.org = council_org(whose);
    change.admin_threshold = 1;
    change.n_admins = GENESIS_ADMINS_MAX;
    change.admins = admins;
    args.change_case = ASSAY__PROPOSE__CHANGE_ROTATE_ADMINS;
    args.rotate_admins = &change;
    (void)ledger_propose(&l, org, &args);
}

static void propose_validator(unsigned org, unsigned node, bool add) {
    Assay__AddValidator one = ASSAY__ADD_VALIDATOR__INIT;
    Assay__RemoveValidator other = ASSAY__REMOVE_VALIDATOR__INIT;
    Assay__Propose args;
    assay__propose__init(&args);
    one.key = other.key = council_key(&l.c, NODE((int)node));
    args.change_case = add ? ASSAY__PROPOSE__CHANGE_ADD_VALIDATOR : ASSAY__PROPOSE__CHANGE_REMOVE_VALIDATOR;
    if (add) {
        args.add_validator = &one;
    } else {
        args.remove_validator = &other;
    }
    (void)ledger_propose(&l, org, &args);
}

static void propose_any(struct walk *k) {
    unsigned org = any_org(k), other = pick(k, ORGS_MAX);
    switch (pick(k, 8)) {
    case 0:
    case 1:
        propose_admission(k, org, other);
        break;
    case 2:
    case 3:
        (void)ledger_propose_removal(&l, org, any_org(k));
        break;
    case 4:
    case 5:
        (void)ledger_propose_threshold(&l, org, 51 + pick(k, 50));
        break;
    case 6:
        propose_rotation(k, org, any_org(k));
        break;
    default:
        propose_validator(org, pick(k, 8), pick(k, 2) == 0);
    }
}

/* Part of the organisations vote, mostly alike: some proposals come to stand just short of being decided. */
static void vote_many(struct walk *k) {
    if (k->open_count == 0) {
        return;
    }
    const struct open_proposal *p = &k->open[pick(k, (unsigned)k->open_count)];
    unsigned percent = 20 + pick(k, 81), contrary = pick(k, 4) == 0 ? 60 : 3;
    for (unsigned org = 0; org < ORGS_MAX && l.tx_count < LEDGER_TXS; org++) {
        if (k->there[org] && pick(k, 100) < percent) {
            ledger_vote(&l, org, p->id, pick(k, 100) < contrary ? VOTE_NO : VOTE_YES);
        }
    }
}

static void withdraw_any(struct walk *k) {
    Assay__WithdrawProposal args = ASSAY__WITHDRAW_PROPOSAL__INIT;
    if (k->open_count == 0) {
        return;
    }
    const struct open_proposal *p = &k->open[pick(k, (unsigned)k->open_count)];
    unsigned org = (unsigned)atoi(p->org + strlen("org"));
    args.proposal_id = world_bytes(p->id, HASH_LEN);
    (void)ledger_add(&l, "withdraw", &args.base, ledger_admin(&l, org), NULL);
}

static void act(struct walk *k) {
    switch (pick(k, 12)) {
    case 0:
        withdraw_any(k);
        break;
    case 1: {
        unsigned org = any_org(k);
        for (unsigned i = pick(k, 24); i > 0; i--) {
            ledger_register(&l, org, 3000000 + k->keys++);
        }
        break;
    }
    case 2:
    case 3:
    case 4:
    case 5:
        for (unsigned i = 1 + pick(k, 3); i > 0; i--) {
            propose_any(k);
        }
        break;
    default:
        vote_many(k);
    }
}

static enum err see_org(void *arg, const struct org_record *org) {
    struct walk *k = arg;
    k->there[atoi(org->org.id + strlen("org"))] = true;
    k->orgs++;
    return OK;
}

/* Looks at where the ledger stands: what the next block can be about, and what must hold. */
static void look(struct walk *k, unsigned seed) {
    struct ledger_view view = ledger_look(&l);
    uint64_t due_ms = 0;
    memset(k->there, 0, sizeof k->there);
    k->orgs = 0;
    assert_int_equal(org_list(&view.state, NULL, STATE_PAGE_MAX, see_org, k), OK);
    assert_int_equal(proposal_open_list(&view.state, k->open, &k->open_count), OK);
    assert_int_equal(next_due(&view.state, &due_ms), OK);
    const char *flaw = governance_flaw(&view.state, l.time_ms);
    if (flaw == NULL && due_ms != 0 && due_ms <= l.time_ms) {
        flaw = "an item is overdue though there is room";
    }
    kv_view_close(view.kv);
    if (flaw != NULL) {
        fail_msg("seed %u, height %u: %s", seed, (unsigned)l.height, flaw);
    }
    reached.most_orgs = k->orgs > reached.most_orgs ? k->orgs : reached.most_orgs;
    reached.least_orgs = k->orgs < reached.least_orgs ? k->orgs : reached.least_orgs;
    reached.most_open = k->open_count > reached.most_open ? k->open_count : reached.most_open;
}

static void walk_block(struct walk *k, unsigned seed, uint64_t after_ms) {
    enum err e = ledger_run(&l, after_ms);
    if (e != OK) {
        fail_msg("seed %u, height %u: %s", seed, (unsigned)l.height, err_name(e));
    }
    for (size_t i = 0; i < l.code_count; i++) {
        assert_int_not_equal(l.codes[i], CODE_TOO_MANY_WRITES);
    }
    look(k, seed);
}

static enum err see_proposal(void *arg, const struct proposal_record *p) {
    (void)arg;
    assert_int_not_equal(p->outcome, CODE_TOO_MANY_WRITES);
    reached.states[p->state]++;
    reached.passed[p->change.kind] += p->state == PROPOSAL_PASSED;
    return OK;
}

static void walk_seed(unsigned seed) {
    static const unsigned founders[] = {ORGS_MAX, 3, 16, 48};
    static struct walk k;
    memset(&k, 0, sizeof k);
    k.random = seed * 0x9e3779b97f4a7c15ull;
    ledger_open(&l, founders[seed % 4], 2, seed % 4 == 1 ? 1 : 6, GENESIS_ADMINS_MAX);
    look(&k, seed);
    for (unsigned i = 0; i < BLOCKS; i++) {
        for (unsigned n = pick(&k, 12); n > 0 && l.tx_count + 300 < LEDGER_TXS; n--) {
            act(&k);
        }
        walk_block(&k, seed, pick(&k, 50) == 0 ? PROPOSAL_LIFETIME_DEFAULT_MS : 1);
    }
    /* Nobody acts any more: it comes to rest, within what 64 recounts of 64 proposals and the nodes that leave take. */
    unsigned blocks = 0;
    for (uint64_t due_ms = ledger_next_due(&l); due_ms != 0 && due_ms <= l.time_ms + 1; due_ms = ledger_next_due(&l)) {
        walk_block(&k, seed, 1);
        assert_in_range(++blocks, 1, PROPOSALS_OPEN_MAX * (PROPOSALS_OPEN_MAX + 1) / 2 + NODES_PER_ORG_MAX);
    }
    assert_false(recount_under_way());
    reached.most_recount = blocks > reached.most_recount ? blocks : reached.most_recount;
    struct ledger_view view = ledger_look(&l);
    assert_int_equal(proposal_list(&view.state, NULL, STATE_PAGE_MAX, see_proposal, NULL), OK);
    kv_view_close(view.kv);
    ledger_close(&l);
}

static void whatever_organisations_decide_every_block_is_carried_out(void **state) {
    (void)state;
    reached.least_orgs = ORGS_MAX;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        walk_seed(seed);
    }
    print_message("seeds 1 to %d: %zu to %zu organisations, up to %zu open proposals, at rest after up to %zu blocks\n",
                  SEEDS, reached.least_orgs, reached.most_orgs, reached.most_open, reached.most_recount);
    /* The walk is worth something only if it comes everywhere. */
    assert_int_equal(reached.most_orgs, ORGS_MAX);
    assert_int_equal(reached.most_open, PROPOSALS_OPEN_MAX);
    for (size_t i = PROPOSAL_OPEN; i <= PROPOSAL_FAILED; i++) {
        assert_true(reached.states[i] > 0);
    }
    static const enum change_kind kinds[] = {CHANGE_ADMIT_ORG,        CHANGE_REMOVE_ORG, CHANGE_ADD_VALIDATOR,
                                             CHANGE_REMOVE_VALIDATOR, CHANGE_SET_PARAMS, CHANGE_ROTATE_ADMINS};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_true(reached.passed[kinds[i]] > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lower_threshold_carries_out_many_removals_one_a_block),
        cmocka_unit_test(the_largest_change_takes_a_fraction_of_the_budget),
        cmocka_unit_test(a_transaction_over_its_budget_is_refused_by_name),
        cmocka_unit_test(a_due_item_over_its_budget_is_noted_and_never_comes_again),
        cmocka_unit_test(a_due_item_within_its_budget_is_carried_out),
        cmocka_unit_test(a_recount_goes_on_past_a_change_that_is_too_much),
        cmocka_unit_test(proposals_do_not_wait_behind_thousands_of_windows),
        cmocka_unit_test(whatever_organisations_decide_every_block_is_carried_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
