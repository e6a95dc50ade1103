#include "node/ledger/peer_codec.h"

#include "base/assert.h"
#include "node/ledger/peer.pb-c.h"

#include <stdlib.h>
#include <string.h>

const char *peer_kind_name(enum peer_kind kind) {
    static const char *const names[PEER_KINDS] = {
        [PEER_PROPOSAL] = "proposal",     [PEER_VOTES] = "votes",   [PEER_CERTIFICATES] = "certificates",
        [PEER_RECALL_ASK] = "recall_ask", [PEER_RECALL] = "recall", [PEER_CERTIFICATES_ASK] = "certificates_ask",
        [PEER_BODY_ASK] = "body_ask",     [PEER_BODY] = "body",     [PEER_BLOCKS_ASK] = "blocks_ask",
        [PEER_BLOCKS] = "blocks",         [PEER_STATUS] = "status", [PEER_TRANSACTION] = "transaction",
    };
    return (unsigned)kind < PEER_KINDS ? names[kind] : "";
}

/* ---- A bounded arena for protobuf-c ------------------------------------------------------------------------------ */

/* Everything one message unpacks to comes from one block of memory chain with a budget; it is given back at once. */
struct chunk {
    struct chunk *next;
    max_align_t bytes[];
};

struct arena {
    struct chunk *chunks;
    size_t left;
};

static void *arena_take(void *ctx, size_t len) {
    struct arena *arena = ctx;
    if (len > arena->left || sizeof(struct chunk) > arena->left - len) {
        return NULL;
    }
    struct chunk *chunk = malloc(sizeof *chunk + len);
    if (chunk == NULL) {
        return NULL;
    }
    arena->left -= sizeof *chunk + len;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk->bytes;
}

static void arena_keep(void *ctx, void *pointer) {
    (void)ctx;
    (void)pointer; /* all at once, in arena_free */
}

static void arena_free(struct arena *arena) {
    while (arena != NULL && arena->chunks != NULL) {
        struct chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    free(arena);
}

void peer_free(struct peer_message *message) {
    if (message != NULL) {
        arena_free(message->memory);
        memset(message, 0, sizeof *message);
    }
}

/* ---- Decoding ---------------------------------------------------------------------------------------------------- */

static struct bytes bytes_of_field(ProtobufCBinaryData data) {
    return bytes_of(data.data, data.len);
}

static enum err take_exact(ProtobufCBinaryData data, uint8_t *out, size_t len) {
    if (data.len != len) {
        return ERR_MALFORMED;
    }
    memcpy(out, data.data, len);
    return OK;
}

static enum err take_vote(const Assay__Peer__Vote *in, uint64_t epoch, struct consensus_vote *out) {
    bool nullify = in->kind == VOTE_NULLIFY;
    if (in->kind < VOTE_PROPOSE || in->kind > VOTE_FINALIZE || in->signer >= VALIDATORS_MAX ||
        in->block.len != (nullify ? 0 : HASH_LEN) || in->signature.len != SIG_LEN) {
        return ERR_MALFORMED;
    }
    *out = (struct consensus_vote){
        .subject = {.epoch = epoch, .view = in->view, .kind = (enum vote_kind)in->kind},
        .signer = (uint16_t)in->signer,
    };
    if (!nullify) {
        memcpy(out->subject.block, in->block.data, HASH_LEN);
    }
    memcpy(out->signature, in->signature.data, SIG_LEN);
    return OK;
}

static enum err take_votes(struct arena *arena, Assay__Peer__Vote *const *in, size_t count, struct peer_message *out) {
    if (count > PEER_VOTES_MAX) {
        return ERR_TOOLARGE;
    }
    struct consensus_vote *votes = arena_take(arena, count * sizeof *votes);
    if (votes == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        enum err e = take_vote(in[i], out->epoch, &votes[i]);
        if (e != OK) {
            return e;
        }
    }
    out->votes = votes;
    out->vote_count = count;
    return OK;
}

static enum err take_spans(struct arena *arena, const ProtobufCBinaryData *in, size_t count, size_t max,
                           struct peer_message *out) {
    if (count > max) {
        return ERR_TOOLARGE;
    }
    struct bytes *spans = arena_take(arena, count * sizeof *spans);
    if (spans == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        spans[i] = bytes_of_field(in[i]);
    }
    out->spans = spans;
    out->span_count = count;
    return OK;
}

static enum err take_proposal(struct arena *arena, const Assay__Peer__Proposal *in, struct peer_message *out) {
    out->kind = PEER_PROPOSAL;
    out->number = in->view;
    out->body = bytes_of_field(in->body);
    enum err e = take_exact(in->signature, out->signature, SIG_LEN);
    return e == OK ? take_spans(arena, in->certificates, in->n_certificates, PEER_CERTIFICATES_MAX, out) : e;
}

static enum err take_blocks(struct arena *arena, const Assay__Peer__Blocks *in, struct peer_message *out) {
    out->kind = PEER_BLOCKS;
    out->number = in->height;
    out->body = bytes_of_field(in->finalization);
    return take_spans(arena, in->bodies, in->n_bodies, PEER_BODIES_MAX, out);
}

static enum err take_content(struct arena *arena, const Assay__Peer__PeerMessage *in, struct peer_message *out) {
    switch (in->content_case) {
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_PROPOSAL:
        return take_proposal(arena, in->proposal, out);
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_VOTES:
        out->kind = PEER_VOTES;
        return take_votes(arena, in->votes->votes, in->votes->n_votes, out);
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_CERTIFICATES:
        out->kind = PEER_CERTIFICATES;
        return take_spans(arena, in->certificates->certificates, in->certificates->n_certificates,
                          PEER_CERTIFICATES_MAX, out);
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_RECALL_ASK:
        out->kind = PEER_RECALL_ASK;
        out->number = in->recall_ask->nonce;
        return OK;
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_RECALL:
        out->kind = PEER_RECALL;
        out->number = in->recall->nonce;
        return take_votes(arena, in->recall->votes, in->recall->n_votes, out);
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_CERTIFICATES_ASK:
        out->kind = PEER_CERTIFICATES_ASK;
        out->number = in->certificates_ask->first_view;
        out->last = in->certificates_ask->last_view;
        return OK;
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_BODY_ASK:
        out->kind = PEER_BODY_ASK;
        return take_exact(in->body_ask->hash, out->hash, HASH_LEN);
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_BODY:
        out->kind = PEER_BODY;
        out->body = bytes_of_field(in->body->body);
        return OK;
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_BLOCKS_ASK:
        out->kind = PEER_BLOCKS_ASK;
        out->number = in->blocks_ask->first_height;
        return OK;
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_BLOCKS:
        return take_blocks(arena, in->blocks, out);
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_STATUS:
        out->kind = PEER_STATUS;
        out->number = in->status->height;
        return OK;
    case ASSAY__PEER__PEER_MESSAGE__CONTENT_TRANSACTION:
        out->kind = PEER_TRANSACTION;
        out->body = bytes_of_field(in->transaction->envelope);
        return out->body.len <= LIMIT_TX_BYTES ? OK : ERR_TOOLARGE;
    default:
        return ERR_MALFORMED;
    }
}

enum err peer_decode(struct bytes encoded, struct peer_message *out) {
    if (encoded.len > LIMIT_PEER_MESSAGE) {
        return ERR_TOOLARGE;
    }
    struct arena *arena = calloc(1, sizeof *arena);
    if (arena == NULL) {
        return ERR_NOMEM;
    }
    arena->left = PEER_DECODE_MEMORY;
    ProtobufCAllocator allocator = {.alloc = arena_take, .free = arena_keep, .allocator_data = arena};
    struct peer_message message = {.memory = arena};
    /* A message that needs more memory than the budget looks like any other malformed one. */
    const Assay__Peer__PeerMessage *in = assay__peer__peer_message__unpack(&allocator, encoded.len, encoded.data);
    enum err e = in != NULL ? OK : ERR_MALFORMED;
    if (e == OK && in->version != PEER_VERSION) {
        e = ERR_UNSUPPORTED;
    }
    if (e == OK) {
        message.epoch = in->epoch;
        e = take_content(arena, in, &message);
    }
    if (e != OK) {
        arena_free(arena);
        return e;
    }
    *out = message;
    return OK;
}

/* ---- Encoding ---------------------------------------------------------------------------------------------------- */

/* Everything a message may need while it is packed. */
struct packing {
    Assay__Peer__PeerMessage message;
    Assay__Peer__Proposal proposal;
    Assay__Peer__Votes votes;
    Assay__Peer__Certificates certificates;
    Assay__Peer__RecallAsk recall_ask;
    Assay__Peer__Recall recall;
    Assay__Peer__CertificatesAsk certificates_ask;
    Assay__Peer__BodyAsk body_ask;
    Assay__Peer__Body body;
    Assay__Peer__BlocksAsk blocks_ask;
    Assay__Peer__Blocks blocks;
    Assay__Peer__Status status;
    Assay__Peer__Transaction transaction;
    Assay__Peer__Vote vote[PEER_VOTES_MAX];
    Assay__Peer__Vote *vote_list[PEER_VOTES_MAX];
    ProtobufCBinaryData spans[PEER_BODIES_MAX];
};

/* protobuf-c's structs are not const; packing only reads them. */
static ProtobufCBinaryData data_of(const void *data, size_t len) {
    return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

static void lay_votes(const struct peer_message *in, struct packing *p) {
    for (size_t i = 0; i < in->vote_count; i++) {
        const struct consensus_vote *vote = &in->votes[i];
        assay__peer__vote__init(&p->vote[i]);
        p->vote[i].view = vote->subject.view;
        p->vote[i].kind = vote->subject.kind;
        p->vote[i].block = data_of(vote->subject.block, vote->subject.kind == VOTE_NULLIFY ? 0 : HASH_LEN);
        p->vote[i].signer = vote->signer;
        p->vote[i].signature = data_of(vote->signature, SIG_LEN);
        p->vote_list[i] = &p->vote[i];
    }
}

static void lay_lists(const struct peer_message *in, struct packing *p) {
    lay_votes(in, p);
    for (size_t i = 0; i < in->span_count; i++) {
        p->spans[i] = data_of(in->spans[i].data, in->spans[i].len);
    }
    switch (in->kind) {
    case PEER_PROPOSAL:
        assay__peer__proposal__init(&p->proposal);
        p->proposal.view = in->number;
        p->proposal.signature = data_of(in->signature, SIG_LEN);
        p->proposal.body = data_of(in->body.data, in->body.len);
        p->proposal.n_certificates = in->span_count;
        p->proposal.certificates = p->spans;
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_PROPOSAL;
        p->message.proposal = &p->proposal;
        break;
    case PEER_VOTES:
        assay__peer__votes__init(&p->votes);
        p->votes.n_votes = in->vote_count;
        p->votes.votes = p->vote_list;
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_VOTES;
        p->message.votes = &p->votes;
        break;
    case PEER_CERTIFICATES:
        assay__peer__certificates__init(&p->certificates);
        p->certificates.n_certificates = in->span_count;
        p->certificates.certificates = p->spans;
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_CERTIFICATES;
        p->message.certificates = &p->certificates;
        break;
    case PEER_RECALL:
        assay__peer__recall__init(&p->recall);
        p->recall.nonce = in->number;
        p->recall.n_votes = in->vote_count;
        p->recall.votes = p->vote_list;
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_RECALL;
        p->message.recall = &p->recall;
        break;
    default:
        ASSERT(in->kind == PEER_BLOCKS);
        assay__peer__blocks__init(&p->blocks);
        p->blocks.height = in->number;
        p->blocks.n_bodies = in->span_count;
        p->blocks.bodies = p->spans;
        p->blocks.finalization = data_of(in->body.data, in->body.len);
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_BLOCKS;
        p->message.blocks = &p->blocks;
        break;
    }
}

static void lay_asks(const struct peer_message *in, struct packing *p) {
    switch (in->kind) {
    case PEER_RECALL_ASK:
        assay__peer__recall_ask__init(&p->recall_ask);
        p->recall_ask.nonce = in->number;
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_RECALL_ASK;
        p->message.recall_ask = &p->recall_ask;
        break;
    case PEER_CERTIFICATES_ASK:
        assay__peer__certificates_ask__init(&p->certificates_ask);
        p->certificates_ask.first_view = in->number;
        p->certificates_ask.last_view = in->last;
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_CERTIFICATES_ASK;
        p->message.certificates_ask = &p->certificates_ask;
        break;
    case PEER_BODY_ASK:
        assay__peer__body_ask__init(&p->body_ask);
        p->body_ask.hash = data_of(in->hash, HASH_LEN);
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_BODY_ASK;
        p->message.body_ask = &p->body_ask;
        break;
    case PEER_BODY:
        assay__peer__body__init(&p->body);
        p->body.body = data_of(in->body.data, in->body.len);
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_BODY;
        p->message.body = &p->body;
        break;
    case PEER_BLOCKS_ASK:
        assay__peer__blocks_ask__init(&p->blocks_ask);
        p->blocks_ask.first_height = in->number;
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_BLOCKS_ASK;
        p->message.blocks_ask = &p->blocks_ask;
        break;
    case PEER_STATUS:
        assay__peer__status__init(&p->status);
        p->status.height = in->number;
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_STATUS;
        p->message.status = &p->status;
        break;
    default:
        ASSERT(in->kind == PEER_TRANSACTION);
        assay__peer__transaction__init(&p->transaction);
        p->transaction.envelope = data_of(in->body.data, in->body.len);
        p->message.content_case = ASSAY__PEER__PEER_MESSAGE__CONTENT_TRANSACTION;
        p->message.transaction = &p->transaction;
        break;
    }
}

enum err peer_encode(const struct peer_message *message, struct buffer *out) {
    if (message->vote_count > PEER_VOTES_MAX || message->span_count > PEER_BODIES_MAX) {
        return ERR_TOOLARGE;
    }
    struct packing p;
    assay__peer__peer_message__init(&p.message);
    p.message.version = PEER_VERSION;
    p.message.epoch = message->epoch;
    bool has_lists = message->kind == PEER_PROPOSAL || message->kind == PEER_VOTES ||
                     message->kind == PEER_CERTIFICATES || message->kind == PEER_RECALL || message->kind == PEER_BLOCKS;
    if (has_lists) {
        lay_lists(message, &p);
    } else {
        lay_asks(message, &p);
    }
    size_t len = assay__peer__peer_message__get_packed_size(&p.message);
    if (len > LIMIT_PEER_MESSAGE) {
        return ERR_TOOLARGE;
    }
    uint8_t *place = buffer_extend(out, len);
    if (place == NULL) {
        return ERR_NOMEM;
    }
    size_t packed = assay__peer__peer_message__pack(&p.message, place);
    ASSERT(packed == len); /* the message did not change under it */
    return OK;
}
