/* What an operator vouches for: a block named as HEIGHT:HASH, or a checkpoint file (verify/checkpoint.h), which has the
 * validators along, so that trust can start there; and judging a proof offline, from there or from the genesis.
 */
#ifndef ASSAY_NODE_GENESIS_CHECKPOINT_FILE_H
#define ASSAY_NODE_GENESIS_CHECKPOINT_FILE_H

#include "base/why.h"
#include "contracts/genesis/genesis.h"
#include "verify/bundle.h"
#include "verify/checkpoint.h"

/* A block that the operator vouches for. */
struct checkpoint_pin {
    uint64_t height;
    uint8_t hash[HASH_LEN];
};
/* "HEIGHT:HASH" */
NODISCARD enum err checkpoint_pin_parse(const char *text, struct checkpoint_pin *out);

/* Not to be moved: `checkpoint` borrows from `keys`. */
struct checkpoint_file {
    struct checkpoint_pin pin;
    bool whole; /* it was a file: `checkpoint` is set */
    struct checkpoint checkpoint;
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
};

/* A file. ERR_MISMATCH: of another chain than `chain_id` (NULL: any will do); ERR_MALFORMED; file errors. One line in
 * `why`: what, why, what to do. */
NODISCARD enum err checkpoint_file_load(const char *path, const uint8_t *chain_id, struct checkpoint_file *out,
                                        struct why *why);
/* HEIGHT:HASH, or the name of a file. */
NODISCARD enum err checkpoint_file_take(const char *text, const uint8_t *chain_id, struct checkpoint_file *out,
                                        struct why *why);

/* Memory for the verifier, which has none of its own; too large for a stack. */
struct checkpoint_room {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t set[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t path[STATE_PATH_STEPS_MAX][33];
    uint8_t value[LIMIT_STATE_VALUE];
    struct bundle_result result;
    bool unmet; /* it is a good proof that does not lead past the block named as HEIGHT:HASH */
};

/* Judges a whole bundle, walked from a checkpoint file where `from` is one, else from the genesis. A block named as
 * HEIGHT:HASH has to be met on the way (BAD_PIN where it is not). `from` NULL: nothing is pinned. */
enum verdict checkpoint_judge(const struct genesis *genesis, const struct checkpoint_file *from, struct bytes bundle,
                              struct checkpoint_room *room);
/* The time of the block such a walk starts from. */
uint64_t checkpoint_start_ms(const struct genesis *genesis, const struct checkpoint_file *from);

#endif
