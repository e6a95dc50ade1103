/* The tests of every lower floor: a store against a model that remembers all it was told, key by key. */
#ifndef ASSAY_TESTS_LIB_KV_MODEL_H
#define ASSAY_TESTS_LIB_KV_MODEL_H

#include "store/kv.h"
#include "tests/lib/hashing.h"

#include <stdlib.h>
#include <string.h>

#define MODEL_KEYS 200
#define MODEL_VIEWS 6
extern const enum kv_table model_tables[2];

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

/* Sorted by n; lengths differ, one key begins with another, the longest are as long as may be. */
struct bytes model_key(unsigned n, uint8_t out[KV_KEY_MAX]);

/* From nothing to more than one LMDB page. */
struct bytes model_value(uint32_t number, uint8_t out[6000]);
void model_assert_value(uint32_t number, struct bytes value);

/* Compares everything a view gives with what it should. */
void model_check(struct kv_view *view, const struct model *model);
void model_write(struct model_run *run, struct kv_layer *layer, struct model *model, unsigned count);

/* One block: built under a view of its own, checked there, then pushed; now and then thrown away instead. */
void model_push(struct model_run *run);
void model_change_view(struct model_run *run);

/* Random pushes, checkpoints of every outcome, and views that stay as of their opening meanwhile. */
void model_steps(struct model_run *run, int steps);
void model_check_now(struct model_run *run);

#endif
