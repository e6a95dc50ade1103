/* What a node does beside voting, as the daemon does it: checkpoints that are begun now and written later, pruning
 * after each, snapshots at intervals. */
#include "tests/sim/sim.h"

#include "node/ledger/chain_prune.h"

static void begin_checkpoint(struct sim_node *node) {
    struct sim_world *w = node->world;
    enum err e = chain_checkpoint_begin(node->chain, &node->checkpoint);
    if (e != OK) {
        node->checkpoint = NULL;
    }
    if (sim_node_survived(node, e, "beginning a checkpoint")) {
        uint64_t late_us = sim_below(&node->process, w->options.checkpoint_late_ms * 1000 + 1);
        sim_schedule(w, (struct sim_event){.at_us = w->now_us + late_us,
                                           .kind = SIM_CHECKPOINT,
                                           .node = node->number,
                                           .argument = node->incarnation});
    }
}

uint64_t sim_upkeep_kept_from(const struct sim_node *node) {
    struct chain_view view;
    uint64_t height = 0;
    if (chain_view_open(node->chain, &view) == OK) {
        if (chain_store_bodies(view.kv, &height) != OK) {
            height = 0;
        }
        chain_view_close(&view);
    }
    return height;
}

void sim_upkeep_checkpoint(struct sim_node *node) {
    struct kv_checkpoint *checkpoint = node->checkpoint;
    node->checkpoint = NULL;
    enum err e = chain_checkpoint_end(node->chain, checkpoint, kv_checkpoint_write(checkpoint));
    if (!sim_node_survived(node, e, "a checkpoint")) {
        return;
    }
    sim_count(node->world, COUNT_CHECKPOINT);
    uint64_t before = sim_upkeep_kept_from(node);
    e = chain_prune_bodies(node->chain, node->world->options.keep_ms);
    if (sim_node_survived(node, e, "pruning") && sim_upkeep_kept_from(node) > before) {
        sim_count(node->world, COUNT_PRUNED);
    }
}

void sim_upkeep(struct sim_node *node) {
    if (node->checkpoint == NULL && chain_checkpoint_due(node->chain)) {
        begin_checkpoint(node);
    }
    if (node->up) {
        sim_snapshots_tick(node);
    }
}
