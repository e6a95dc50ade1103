/* A home's ledger looked at from outside: without its lock, its keys, or a single write to it, so the node may be
 * running meanwhile. What is seen is the last checkpoint, and the block log at least up to there.
 */
#ifndef ASSAY_NODE_HOME_HOME_LOOK_H
#define ASSAY_NODE_HOME_HOME_LOOK_H

#include "base/why.h"
#include "node/home/home_chain.h"
#include "node/ledger/chain_store.h"
#include "store/seglog.h"

struct home_look {
    struct kv_backend backend; /* of `kv`; for kv_lmdb_copy */
    struct kv *kv;
    struct kv_view *view;
    struct seglog *log;
    struct chain_store_head head;
    long pid; /* of the node that runs on this home; 0: none does */
};

/* `home` as daemon_home_look gives it. What went wrong is explained in `why`. */
NODISCARD enum err home_look_open(const struct daemon_home *home, struct home_look *out, struct why *why);
/* The block log of a home, or of a folder laid out like one, for looking at; `head` is the checkpoint's height. */
NODISCARD enum err home_look_log(const char *dir, uint64_t head, struct seglog **out, struct why *why);
/* Halfway open or closed is fine. */
void home_look_close(struct home_look *look);

#endif
