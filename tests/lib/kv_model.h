/* The tests of every lower floor: a store against a model that remembers all it was told, key by key. */
#ifndef ASSAY_TESTS_LIB_KV_MODEL_H
#define ASSAY_TESTS_LIB_KV_MODEL_H

#include "store/kv.h"
#include "tests/lib/hashing.h"

#include <stdlib.h>
#include <string.h>

#define MODEL_KEYS 200
#define MODEL_VIEWS 6

/* Value numbers, 0: absent. Key n is the nth of a sorted list of keys. */
struct model {
    uint32_t values[2][MODEL_KEYS];
};

struct model_run {
    struct kv *kv;
    struct dice dice;
    uint32_t next_value;
    struct model now;
    struct model at_checkpoint; /* when the last good checkpoint began */
    struct kv_view *views[MODEL_VIEWS];
    struct model seen[MODEL_VIEWS];
};

/* Random pushes, checkpoints of every outcome, and views that stay as of their opening meanwhile. */
void model_steps(struct model_run *run, int steps);
void model_check_now(struct model_run *run);

#endif
