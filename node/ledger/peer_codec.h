/* Peer messages, decoded at the edge: protobuf in, a checked struct out, with limits on everything.
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
};
#define PEER_KINDS (PEER_TRANSACTION + 1u)
/* As in metrics. */
const char *peer_kind_name(enum peer_kind kind);

/* One message. Which members count depends on the kind; spans of a decoded message borrow from `memory`. */
struct peer_message {
    enum peer_kind kind;
    uint64_t epoch;
    uint64_t number; /* view (proposal), nonce (recalls), first view (certificates ask), first height (blocks ask),
                      * height (blocks, status) */
    uint64_t last;   /* last view (certificates ask) */
    uint8_t hash[HASH_LEN];             /* body ask */
    uint8_t signature[SIG_LEN];         /* proposal */
    struct bytes body;                  /* proposal, body; envelope of a transaction; finalization of blocks */
    const struct consensus_vote *votes; /* votes, recall */
    size_t vote_count;
    const struct bytes *spans; /* certificates (also a proposal's), bodies of blocks */
    size_t span_count;
    void *memory; /* owned by a decoded message */
};

/* Appends the encoded message. ERR_NOMEM, ERR_TOOLARGE (over LIMIT_PEER_MESSAGE). */
NODISCARD enum err peer_encode(const struct peer_message *message, struct buffer *out);
/* ERR_MALFORMED, ERR_TOOLARGE, ERR_UNSUPPORTED (another version), ERR_NOMEM. On success free with peer_free. */
NODISCARD enum err peer_decode(struct bytes encoded, struct peer_message *out);
void peer_free(struct peer_message *message);

#endif
