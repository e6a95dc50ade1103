#include "node/ledger/peer_codec.h"

#include "base/assert.h"
#include "node/ledger/peer.pb-c.h"

#include <stdlib.h>
#include <string.h>

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

/* A message that is being read: what protobuf-c made of it, and where its lists go. */
struct unpacking {
    const Assay__Peer__PeerMessage *in;
    struct arena *arena;
    size_t items_max;
};

static struct bytes bytes_of_field(ProtobufCBinaryData data) {
    return bytes_of(data.data, data.len);
}

static enum err read_exact(ProtobufCBinaryData data, uint8_t *out, size_t len) {
    if (data.len != len) {
        return ERR_MALFORMED;
    }
    memcpy(out, data.data, len);
    return OK;
}

static enum err read_vote(const Assay__Peer__Vote *in, uint64_t epoch, struct consensus_vote *out) {
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

static enum err read_votes(struct unpacking *u, Assay__Peer__Vote *const *in, size_t count, struct peer_votes *out) {
    if (count > u->items_max) {
        return ERR_TOOLARGE;
    }
    struct consensus_vote *votes = arena_take(u->arena, count * sizeof *votes);
    if (votes == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        enum err e = read_vote(in[i], u->in->epoch, &votes[i]);
        if (e != OK) {
            return e;
        }
    }
    *out = (struct peer_votes){votes, count};
    return OK;
}

static enum err read_spans(struct unpacking *u, const ProtobufCBinaryData *in, size_t count, struct peer_spans *out) {
    if (count > u->items_max) {
        return ERR_TOOLARGE;
    }
    struct bytes *spans = arena_take(u->arena, count * sizeof *spans);
    if (spans == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        spans[i] = bytes_of_field(in[i]);
    }
    *out = (struct peer_spans){spans, count};
    return OK;
}

/* ---- Encoding ---------------------------------------------------------------------------------------------------- */

/* Everything a message may need while it is packed. */
struct packing {
    Assay__Peer__PeerMessage message;
    size_t items_max;
    union {
        ProtobufCMessage base; /* each of them begins with it */
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
    } u;
    Assay__Peer__Vote vote[PEER_VOTES_MAX];
    Assay__Peer__Vote *votes[PEER_VOTES_MAX];
    ProtobufCBinaryData spans[PEER_BODIES_MAX];
};

/* protobuf-c's structs are not const; packing only reads them. */
static ProtobufCBinaryData data_of(const void *data, size_t len) {
    return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

static ProtobufCBinaryData field_of(struct bytes bytes) {
    return data_of(bytes.data, bytes.len);
}

/* These two lay a list out in `p`, from where the message takes it. */
static enum err write_votes(struct peer_votes in, struct packing *p) {
    if (in.count > p->items_max) {
        return ERR_TOOLARGE;
    }
    ASSERT(p->items_max <= PEER_VOTES_MAX);
    for (size_t i = 0; i < in.count; i++) {
        const struct consensus_vote *vote = &in.items[i];
        assay__peer__vote__init(&p->vote[i]);
        p->vote[i].view = vote->subject.view;
        p->vote[i].kind = vote->subject.kind;
        p->vote[i].block = data_of(vote->subject.block, vote->subject.kind == VOTE_NULLIFY ? 0 : HASH_LEN);
        p->vote[i].signer = vote->signer;
        p->vote[i].signature = data_of(vote->signature, SIG_LEN);
        p->votes[i] = &p->vote[i];
    }
    return OK;
}

static enum err write_spans(struct peer_spans in, struct packing *p) {
    if (in.count > p->items_max) {
        return ERR_TOOLARGE;
    }
    ASSERT(p->items_max <= PEER_BODIES_MAX);
    for (size_t i = 0; i < in.count; i++) {
        p->spans[i] = field_of(in.items[i]);
    }
    return OK;
}

/* ---- The kinds --------------------------------------------------------------------------------------------------- */

static enum err take_proposal(struct unpacking *u, struct peer_message *out) {
    const Assay__Peer__Proposal *in = u->in->proposal;
    struct peer_proposal *m = &out->u.proposal;
    m->view = in->view;
    m->body = bytes_of_field(in->body);
    enum err e = read_exact(in->signature, m->signature, SIG_LEN);
    return e == OK ? read_spans(u, in->certificates, in->n_certificates, &m->certificates) : e;
}

static enum err lay_proposal(const struct peer_message *in, struct packing *p) {
    const struct peer_proposal *m = &in->u.proposal;
    p->u.proposal.view = m->view;
    p->u.proposal.signature = data_of(m->signature, SIG_LEN);
    p->u.proposal.body = field_of(m->body);
    p->u.proposal.n_certificates = m->certificates.count;
    p->u.proposal.certificates = p->spans;
    return write_spans(m->certificates, p);
}

static enum err take_votes(struct unpacking *u, struct peer_message *out) {
    return read_votes(u, u->in->votes->votes, u->in->votes->n_votes, &out->u.votes);
}

static enum err lay_votes(const struct peer_message *in, struct packing *p) {
    p->u.votes.n_votes = in->u.votes.count;
    p->u.votes.votes = p->votes;
    return write_votes(in->u.votes, p);
}

static enum err take_certificates(struct unpacking *u, struct peer_message *out) {
    const Assay__Peer__Certificates *in = u->in->certificates;
    return read_spans(u, in->certificates, in->n_certificates, &out->u.certificates);
}

static enum err lay_certificates(const struct peer_message *in, struct packing *p) {
    p->u.certificates.n_certificates = in->u.certificates.count;
    p->u.certificates.certificates = p->spans;
    return write_spans(in->u.certificates, p);
}

static enum err take_recall_ask(struct unpacking *u, struct peer_message *out) {
    out->u.recall_ask.nonce = u->in->recall_ask->nonce;
    return OK;
}

static enum err lay_recall_ask(const struct peer_message *in, struct packing *p) {
    p->u.recall_ask.nonce = in->u.recall_ask.nonce;
    return OK;
}

static enum err take_recall(struct unpacking *u, struct peer_message *out) {
    out->u.recall.nonce = u->in->recall->nonce;
    return read_votes(u, u->in->recall->votes, u->in->recall->n_votes, &out->u.recall.votes);
}

static enum err lay_recall(const struct peer_message *in, struct packing *p) {
    p->u.recall.nonce = in->u.recall.nonce;
    p->u.recall.n_votes = in->u.recall.votes.count;
    p->u.recall.votes = p->votes;
    return write_votes(in->u.recall.votes, p);
}

static enum err take_certificates_ask(struct unpacking *u, struct peer_message *out) {
    const Assay__Peer__CertificatesAsk *in = u->in->certificates_ask;
    out->u.certificates_ask = (struct peer_certificates_ask){in->first_view, in->last_view};
    return OK;
}

static enum err lay_certificates_ask(const struct peer_message *in, struct packing *p) {
    p->u.certificates_ask.first_view = in->u.certificates_ask.first_view;
    p->u.certificates_ask.last_view = in->u.certificates_ask.last_view;
    return OK;
}

static enum err take_body_ask(struct unpacking *u, struct peer_message *out) {
    return read_exact(u->in->body_ask->hash, out->u.body_ask.hash, HASH_LEN);
}

static enum err lay_body_ask(const struct peer_message *in, struct packing *p) {
    p->u.body_ask.hash = data_of(in->u.body_ask.hash, HASH_LEN);
    return OK;
}

static enum err take_body(struct unpacking *u, struct peer_message *out) {
    out->u.body.body = bytes_of_field(u->in->body->body);
    return OK;
}

static enum err lay_body(const struct peer_message *in, struct packing *p) {
    p->u.body.body = field_of(in->u.body.body);
    return OK;
}

static enum err take_blocks_ask(struct unpacking *u, struct peer_message *out) {
    out->u.blocks_ask.first_height = u->in->blocks_ask->first_height;
    return OK;
}

static enum err lay_blocks_ask(const struct peer_message *in, struct packing *p) {
    p->u.blocks_ask.first_height = in->u.blocks_ask.first_height;
    return OK;
}

static enum err take_blocks(struct unpacking *u, struct peer_message *out) {
    const Assay__Peer__Blocks *in = u->in->blocks;
    out->u.blocks.height = in->height;
    out->u.blocks.finalization = bytes_of_field(in->finalization);
    return read_spans(u, in->bodies, in->n_bodies, &out->u.blocks.bodies);
}

static enum err lay_blocks(const struct peer_message *in, struct packing *p) {
    p->u.blocks.height = in->u.blocks.height;
    p->u.blocks.finalization = field_of(in->u.blocks.finalization);
    p->u.blocks.n_bodies = in->u.blocks.bodies.count;
    p->u.blocks.bodies = p->spans;
    return write_spans(in->u.blocks.bodies, p);
}

static enum err take_status(struct unpacking *u, struct peer_message *out) {
    out->u.status.height = u->in->status->height;
    return OK;
}

static enum err lay_status(const struct peer_message *in, struct packing *p) {
    p->u.status.height = in->u.status.height;
    return OK;
}

static enum err take_transaction(struct unpacking *u, struct peer_message *out) {
    out->u.transaction.envelope = bytes_of_field(u->in->transaction->envelope);
    return out->u.transaction.envelope.len <= LIMIT_TX_BYTES ? OK : ERR_TOOLARGE;
}

static enum err lay_transaction(const struct peer_message *in, struct packing *p) {
    p->u.transaction.envelope = field_of(in->u.transaction.envelope);
    return OK;
}

/* ---- Their table ------------------------------------------------------------------------------------------------- */

struct row {
    struct peer_traits traits;
    Assay__Peer__PeerMessage__ContentCase content;
    const ProtobufCMessageDescriptor *shape;
    enum err (*take)(struct unpacking *u, struct peer_message *out);
    enum err (*lay)(const struct peer_message *in, struct packing *p); /* into `p->u`, which has that shape */
};

/* A kind's member of the unions, its functions and its name in metrics are called the same. */
#define ROW(KIND, stem, ...)                                                                                           \
    [PEER_##KIND] = {{.name = #stem, __VA_ARGS__},                                                                     \
                     ASSAY__PEER__PEER_MESSAGE__CONTENT_##KIND,                                                        \
                     &assay__peer__##stem##__descriptor,                                                               \
                     take_##stem,                                                                                      \
                     lay_##stem}

static const struct row rows[PEER_KINDS] = {
    ROW(PROPOSAL, proposal, .class = PEER_CLASS_CONSENSUS, .of_epoch = true, .items_max = PEER_CERTIFICATES_MAX),
    ROW(VOTES, votes, .class = PEER_CLASS_CONSENSUS, .of_epoch = true, .items_max = PEER_VOTES_MAX),
    ROW(CERTIFICATES, certificates, .class = PEER_CLASS_CONSENSUS, .of_epoch = true,
        .items_max = PEER_CERTIFICATES_MAX),
    ROW(RECALL_ASK, recall_ask, .class = PEER_CLASS_CONSENSUS, .of_epoch = true),
    ROW(RECALL, recall, .class = PEER_CLASS_CONSENSUS, .of_epoch = true, .items_max = PEER_VOTES_MAX),
    ROW(CERTIFICATES_ASK, certificates_ask, .class = PEER_CLASS_CONSENSUS, .of_epoch = true),
    ROW(BODY_ASK, body_ask, .class = PEER_CLASS_CONSENSUS, .per_second = 256),
    ROW(BODY, body, .class = PEER_CLASS_CONSENSUS),
    ROW(BLOCKS_ASK, blocks_ask, .class = PEER_CLASS_SYNC, .per_second = 64),
    ROW(BLOCKS, blocks, .class = PEER_CLASS_SYNC, .items_max = PEER_BODIES_MAX),
    ROW(STATUS, status, .class = PEER_CLASS_SYNC, .per_second = 256),
    ROW(TRANSACTION, transaction, .class = PEER_CLASS_GOSSIP),
};

const struct peer_traits *peer_traits(enum peer_kind kind) {
    ASSERT((unsigned)kind < PEER_KINDS);
    return &rows[kind].traits;
}

/* What protobuf-c calls a kind, or that there is none: then it is PEER_KINDS. */
static enum peer_kind kind_of(Assay__Peer__PeerMessage__ContentCase content) {
    unsigned kind = 0;
    while (kind < PEER_KINDS && rows[kind].content != content) {
        kind++;
    }
    return (enum peer_kind)kind;
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
    struct unpacking u = {.arena = arena};
    u.in = assay__peer__peer_message__unpack(&allocator, encoded.len, encoded.data);
    /* A message that needs more memory than the budget looks like any other malformed one. */
    enum err e = u.in != NULL ? OK : ERR_MALFORMED;
    if (e == OK && u.in->version != PEER_VERSION) {
        e = ERR_UNSUPPORTED;
    }
    if (e == OK) {
        message.kind = kind_of(u.in->content_case);
        e = message.kind < PEER_KINDS ? OK : ERR_MALFORMED;
    }
    if (e == OK) {
        message.epoch = u.in->epoch;
        u.items_max = rows[message.kind].traits.items_max;
        e = rows[message.kind].take(&u, &message);
    }
    if (e != OK) {
        arena_free(arena);
        return e;
    }
    *out = message;
    return OK;
}

enum err peer_encode(const struct peer_message *message, struct buffer *out) {
    ASSERT((unsigned)message->kind < PEER_KINDS);
    const struct row *row = &rows[message->kind];
    struct packing p;
    assay__peer__peer_message__init(&p.message);
    p.message.version = PEER_VERSION;
    p.message.epoch = message->epoch;
    p.message.content_case = row->content;
    p.message.proposal = &p.u.proposal; /* or any other: all begin at the same place */
    p.items_max = row->traits.items_max;
    protobuf_c_message_init(row->shape, &p.u);
    enum err e = row->lay(message, &p);
    if (e != OK) {
        return e;
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
