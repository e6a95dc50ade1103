/* The organisations vote for other parameters: each of them, up and down, now and then twice in a row. */
#include "tests/sim/sim.h"

#include "contracts/governance/governance.pb-c.h"
#include "contracts/governance/governance_params.h"

#include <string.h>

#define PROPOSAL_MS 5000u

static const uint64_t values[PARAM_LAST + 1][5] = {
    [PARAM_HEARTBEAT_MS] = {0, 100, 700, 10000, 86400000},
    [PARAM_MAX_BLOCK_TXS] = {1, 2, 5, 40, LIMIT_BLOCK_TXS},
    [PARAM_MAX_BLOCK_BYTES] = {2 * LIMIT_TX_BYTES, 2 * LIMIT_TX_BYTES + 1, 300000, 1000000, LIMIT_BLOCK_BYTES},
    [PARAM_TX_MAX_LIFETIME_MS] = {60000, 61000, 600000, 3600000, LIMIT_TX_LIFETIME_MS},
    [PARAM_VOTE_THRESHOLD_PERCENT] = {51, 60, 67, 80, 100},
};

static enum err build(struct sim_world *w, const uint8_t *id, uint32_t param, uint64_t value, uint64_t salt,
                      struct buffer *out) {
    char org[] = "sim", text[] = "as the seed has it";
    Assay__ParamSetting setting = ASSAY__PARAM_SETTING__INIT;
    Assay__ParamSetting *settings[] = {&setting};
    Assay__SetParams change = ASSAY__SET_PARAMS__INIT;
    Assay__Propose args;
    assay__propose__init(&args);
    setting.param = param;
    setting.value = value;
    change.settings = settings;
    change.n_settings = 1;
    args.org = org;
    args.text = text;
    args.lifetime_ms = 60000;
    args.change_case = ASSAY__PROPOSE__CHANGE_SET_PARAMS;
    args.set_params = &change;
    struct buffer packed = BUFFER_INIT;
    uint8_t *place = buffer_extend(&packed, assay__propose__get_packed_size(&args));
    if (place != NULL) {
        (void)assay__propose__pack(&args, place);
    }
    enum err e = buffer_ok(&packed);
    e = e == OK ? sim_work_sign(id, "propose", buffer_bytes(&packed), sim_work_expiry(w, PROPOSAL_MS), salt, out) : e;
    buffer_free(&packed);
    return e;
}

static void propose(struct sim_node *node, uint32_t param, uint64_t value, uint64_t salt) {
    struct sim_world *w = node->world;
    struct buffer envelope = BUFFER_INIT;
    struct transaction tx;
    if (build(w, chain_id(node->chain), param, value, salt, &envelope) == OK &&
        transaction_decode(buffer_bytes(&envelope), &tx, NULL) == OK) {
        struct sim_setting *s = &w->settings[w->setting_count++ % SIM_SETTINGS];
        *s = (struct sim_setting){.param = param, .value = value};
        memcpy(s->tx, tx.id, HASH_LEN);
        sim_trace(w, "proposal: %s %llu", governance_param_name(param), (unsigned long long)value);
        (void)sim_work_take(node, buffer_bytes(&envelope));
    }
    buffer_free(&envelope);
}

void sim_params_vote(struct sim_world *w, struct sim_random *random) {
    struct sim_node *node = &w->nodes[sim_below(random, w->options.validators)];
    uint32_t param = (uint32_t)sim_between(random, 1, PARAM_LAST);
    uint64_t times = sim_chance(random, 300) ? 2 : 1;
    for (uint64_t i = 0; i < times; i++) {
        uint64_t value = values[param][sim_below(random, 5)], salt = sim_next(random);
        bool too_large = param == PARAM_MAX_BLOCK_BYTES && w->options.limits > 0; /* for the room that nodes have */
        if (node->up && !node->paused && !too_large) {
            propose(node, param, value, salt);
        }
    }
}
