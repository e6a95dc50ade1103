/* Peer messages, decoded at the edge: protobuf in, a checked struct out, with limits on everything.
 *
 * A kind of message is a struct here, and a row of the table in peer_codec.c: how it is read and written, and what holds
 * for all messages of the kind. What is done with one is the replica's (its table of handlers).
 *
 * Decoding uses at most PEER_DECODE_MEMORY beside the input, whatever the input says.
 */
#ifndef ASSAY_NODE_LEDGER_PEER_CODEC_H
#define ASSAY_NODE_LEDGER_PEER_CODEC_H

#include "base/buffer.h"
#include "base/limits.h"
#include "consensus/consensus.h"

#define PEER_VERSION 1
#define PEER_VOTES_MAX 256
#define PEER_CERTIFICATES_MAX CONSENSUS_ATTACHED
#define PEER_BODIES_MAX LIMIT_UNFINAL_DEPTH
_Static_assert(PEER_BODIES_MAX >= LIMIT_UNFINAL_DEPTH, "a range reaches the finalization that proves its first block");
#define PEER_DECODE_MEMORY (LIMIT_PEER_MESSAGE + 1024u * 1024u)

enum peer_kind {
    PEER_PROPOSAL,
    PEER_VOTES,
    PEER_CERTIFICATES,
    PEER_RECALL_ASK,
    PEER_RECALL,
    PEER_CERTIFICATES_ASK,
    PEER_BODY_ASK,
    PEER_BODY,
    PEER_BLOCKS_ASK,
    PEER_BLOCKS,
    PEER_STATUS,
    PEER_TRANSACTION,
    PEER_KINDS,
};

/* ---- What holds for a kind ------------------------------------------------------------------------------------- */

/* What a message is worth when a link can't take them all: what decides comes first, what can be had again last. */
enum peer_class {
    PEER_CLASS_CONSENSUS, /* proposals, votes, certificates, recall, and the bodies of blocks not final yet */
    PEER_CLASS_SYNC,      /* final blocks by height, and how far a node is */
    PEER_CLASS_GOSSIP,    /* transactions */
};

struct peer_traits {
    const char *name; /* as in metrics */
    enum peer_class class;
    bool of_epoch;       /* means something in its own epoch only */
    uint32_t items_max;  /* in its list of votes, certificates or bodies; 0: it has none */
    uint32_t per_second; /* so many are taken of one peer; 0: as many as come */
};
const struct peer_traits *peer_traits(enum peer_kind kind);

/* ---- Messages -------------------------------------------------------------------------------------------------- */

struct peer_votes {
    const struct consensus_vote *items;
    size_t count;
};

struct peer_spans {
    const struct bytes *items;
    size_t count;
};

struct peer_proposal {
    uint64_t view;
    uint8_t signature[SIG_LEN];
    struct bytes body;
    struct peer_spans certificates;
};

struct peer_recall_ask {
    uint64_t nonce;
};

struct peer_recall {
    uint64_t nonce;
    struct peer_votes votes;
};

struct peer_certificates_ask {
    uint64_t first_view, last_view;
};

struct peer_body_ask {
    uint8_t hash[HASH_LEN];
};

struct peer_body {
    struct bytes body;
};

struct peer_blocks_ask {
    uint64_t first_height;
};

struct peer_blocks {
    struct peer_spans bodies;
    struct bytes finalization; /* of the last */
    uint64_t height;           /* how far the sender is */
};

struct peer_status {
    uint64_t height;
};

struct peer_transaction {
    struct bytes envelope;
};

/* One message; the kind says which member counts. Spans and lists of a decoded message borrow from `memory`. */
struct peer_message {
    enum peer_kind kind;
    uint64_t epoch;
    void *memory; /* owned by a decoded message */
    union {
        struct peer_proposal proposal;
        struct peer_votes votes;
        struct peer_spans certificates;
        struct peer_recall_ask recall_ask;
        struct peer_recall recall;
        struct peer_certificates_ask certificates_ask;
        struct peer_body_ask body_ask;
        struct peer_body body;
        struct peer_blocks_ask blocks_ask;
        struct peer_blocks blocks;
        struct peer_status status;
        struct peer_transaction transaction;
    } u;
};

/* Appends the encoded message. ERR_NOMEM, ERR_TOOLARGE (over LIMIT_PEER_MESSAGE, or a list over its limit). */
NODISCARD enum err peer_encode(const struct peer_message *message, struct buffer *out);
/* ERR_MALFORMED, ERR_TOOLARGE, ERR_UNSUPPORTED (another version), ERR_NOMEM. On success free with peer_free. */
NODISCARD enum err peer_decode(struct bytes encoded, struct peer_message *out);
void peer_free(struct peer_message *message);

#endif
