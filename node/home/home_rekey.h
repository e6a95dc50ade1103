/* What is left when a validator may not vote under its key any more: what its journal says, and a new pair of keys.
 *
 * A key that has lost track of what it said never votes again. The way back is another key: the node comes back as an
 * observer under it, and the organisations vote the new key into the old one's place.
 */
#ifndef ASSAY_NODE_HOME_HOME_REKEY_H
#define ASSAY_NODE_HOME_HOME_REKEY_H

#include "base/why.h"
#include "node/home/home_look.h"

enum home_journal_state {
    HOME_JOURNAL_SOUND,
    HOME_JOURNAL_MISSING, /* no journal at all */
    HOME_JOURNAL_DAMAGED, /* `detail` says where */
    HOME_JOURNAL_BEHIND,  /* the block log has a block of this validator that the journal never proposed: an old copy */
};

struct home_journal {
    enum home_journal_state state;
    uint64_t votes, proposals, bodies, certificates;
    uint64_t epoch, view;      /* highest voted in */
    uint64_t forgotten_height; /* BEHIND: that block's height */
    struct why detail;
};

/* Reads the vote journal of a stopped validator and compares it with the block log; changes nothing. `key` (may be
 * NULL) is the node's signing key. ERR_BUSY when the node runs; what went wrong is explained in `why`. */
NODISCARD enum err home_journal_read(const struct daemon_home *home, const uint8_t *key, struct home_journal *out,
                                     struct why *why);

struct home_rekey_report {
    uint8_t old_key[ED25519_KEY_LEN]; /* zeros when the old key file could not be read */
    uint8_t new_key[ED25519_KEY_LEN];
    uint8_t new_link_key[32];
    char old_key_file[CONFIG_PATH_MAX]; /* where it lies now; "" if there was none */
    char journal[CONFIG_PATH_MAX];      /* the same for the journal */
};

/* Puts keys and journal aside, makes new keys and sets role observer. In this order, so that a crash can leave a node
 * without a key, but never one with its old key and no journal; called again it goes on. `now_s` names what is put
 * aside. */
NODISCARD enum err home_rekey(const struct daemon_home *home, uint64_t now_s, struct home_rekey_report *out,
                              struct why *why);

#endif
