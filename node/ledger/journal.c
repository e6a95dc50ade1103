#include "node/ledger/journal.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "store/seglog.h"
#include "verify/block_header.h"

#include <stdlib.h>
#include <string.h>

enum record_type { RECORD_VOTE = 1, RECORD_PROPOSAL = 2, RECORD_BODY = 3, RECORD_CERTIFICATE = 4 };

#define MARKS_MAX 256

/* Views begin anew with every epoch. */
struct place {
    uint64_t epoch, view;
};

/* Records of places above the mark before this one, up to `upto`, begin at `sequence`: what discarding goes by. */
struct mark {
    struct place upto;
    uint64_t sequence;
};

struct journal {
    struct seglog *log;
    bool dirty;
    struct buffer scratch;
    struct mark marks[MARKS_MAX];
    size_t mark_count;
};

struct opening {
    struct journal *journal;
    const struct journal_reader *reader;
};

const char *journal_error(void) {
    return seglog_error();
}

static bool is_above(struct place a, struct place b) {
    return a.epoch != b.epoch ? a.epoch > b.epoch : a.view > b.view;
}

static void mark(struct journal *journal, struct place at, uint64_t sequence) {
    if (journal->mark_count > 0 && !is_above(at, journal->marks[journal->mark_count - 1].upto)) {
        return;
    }
    if (journal->mark_count == MARKS_MAX) {
        /* Two neighbours become one that begins with the older and reaches as high as the newer. */
        for (size_t i = 0; i < MARKS_MAX / 2; i++) {
            journal->marks[i] = (struct mark){journal->marks[2 * i + 1].upto, journal->marks[2 * i].sequence};
        }
        journal->mark_count = MARKS_MAX / 2;
    }
    ASSERT(journal->mark_count == 0 || journal->marks[journal->mark_count - 1].sequence < sequence);
    journal->marks[journal->mark_count++] = (struct mark){at, sequence};
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static enum err read_vote(struct opening *opening, uint64_t sequence, uint8_t type, struct bytes record) {
    struct reader r = reader_of(record);
    struct consensus_vote vote = {.subject = {.epoch = read_u64(&r), .view = 0}};
    vote.subject.view = read_u64(&r);
    uint8_t kind = read_u8(&r);
    read_bytes(&r, vote.subject.block, HASH_LEN);
    vote.signer = read_u16(&r);
    read_bytes(&r, vote.signature, SIG_LEN);
    bool kind_fits = type == RECORD_PROPOSAL ? kind == VOTE_PROPOSE : kind >= VOTE_NOTARIZE && kind <= VOTE_FINALIZE;
    if (!reader_done(&r) || !kind_fits) {
        return ERR_CORRUPT;
    }
    vote.subject.kind = (enum vote_kind)kind;
    mark(opening->journal, (struct place){vote.subject.epoch, vote.subject.view}, sequence);
    return opening->reader->vote(opening->reader->arg, &vote);
}

static enum err read_record(void *arg, uint64_t sequence, uint8_t type, struct bytes record) {
    struct opening *opening = arg;
    const struct journal_reader *reader = opening->reader;
    struct block_header header;
    switch (type) {
    case RECORD_VOTE:
    case RECORD_PROPOSAL:
        return read_vote(opening, sequence, type, record);
    case RECORD_BODY:
        if (record.len < BLOCK_HEADER_LEN || block_header_decode(record.data, &header) != GOOD) {
            return ERR_CORRUPT;
        }
        mark(opening->journal, (struct place){header.epoch, header.view}, sequence);
        return reader->body(reader->arg, sequence, record);
    case RECORD_CERTIFICATE:
        if (record.len < CERTIFICATE_HEAD_LEN) {
            return ERR_CORRUPT;
        }
        mark(opening->journal, (struct place){load_u64(record.data + 2), load_u64(record.data + 10)}, sequence);
        return reader->certificate(reader->arg, record);
    default:
        return ERR_CORRUPT;
    }
}

enum err journal_open(const struct journal_config *config, const struct journal_reader *reader, struct journal **out) {
    struct journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL) {
        return ERR_NOMEM;
    }
    struct opening opening = {journal, reader};
    const struct seglog_config log = {
        .disk = config->disk, .dir = config->dir, .stem = "vote", .segment_bytes = config->segment_bytes};
    enum err e = seglog_open(&log, read_record, &opening, &journal->log);
    if (e != OK) {
        free(journal);
        return e;
    }
    *out = journal;
    return OK;
}

void journal_close(struct journal *journal) {
    if (journal != NULL) {
        seglog_close(journal->log);
        buffer_free(&journal->scratch);
        free(journal);
    }
}

enum err journal_read_body(struct journal *journal, uint64_t sequence, struct buffer *out) {
    uint8_t type;
    size_t start = out->len;
    enum err e = seglog_read(journal->log, sequence, &type, out);
    if (e == OK && type != RECORD_BODY) {
        out->len = start;
        e = ERR_NOTFOUND;
    }
    return e;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static enum err append(struct journal *journal, enum record_type type, struct place at, struct bytes record) {
    uint64_t sequence;
    enum err e = seglog_append(journal->log, (uint8_t)type, record, &sequence);
    ASSERT(e != OK || sequence == seglog_last(journal->log));
    if (e == OK) {
        /* Bodies and certificates matter only with the vote that follows them. */
        journal->dirty = journal->dirty || type == RECORD_VOTE || type == RECORD_PROPOSAL;
        mark(journal, at, sequence);
    }
    return e;
}

enum err journal_vote(struct journal *journal, const struct consensus_vote *vote) {
    struct buffer *b = &journal->scratch;
    /* Here and below: what would not be read again after a restart must not be written before it. */
    ASSERT(vote->subject.kind >= VOTE_PROPOSE && vote->subject.kind <= VOTE_FINALIZE);
    buffer_reset(b);
    buffer_u64(b, vote->subject.epoch);
    buffer_u64(b, vote->subject.view);
    buffer_u8(b, (uint8_t)vote->subject.kind);
    buffer_put(b, vote->subject.block, HASH_LEN);
    buffer_u16(b, vote->signer);
    buffer_put(b, vote->signature, SIG_LEN);
    enum err e = buffer_ok(b);
    enum record_type type = vote->subject.kind == VOTE_PROPOSE ? RECORD_PROPOSAL : RECORD_VOTE;
    return e == OK ? append(journal, type, (struct place){vote->subject.epoch, vote->subject.view}, buffer_bytes(b))
                   : e;
}

enum err journal_body(struct journal *journal, uint64_t epoch, uint64_t view, struct bytes body) {
    ASSERT(body.len >= BLOCK_HEADER_LEN);
    return append(journal, RECORD_BODY, (struct place){epoch, view}, body);
}

enum err journal_certificate(struct journal *journal, uint64_t epoch, uint64_t view, struct bytes certificate) {
    ASSERT(certificate.len >= CERTIFICATE_HEAD_LEN);
    return append(journal, RECORD_CERTIFICATE, (struct place){epoch, view}, certificate);
}

enum err journal_sync(struct journal *journal, bool *out_synced) {
    bool dirty = journal->dirty;
    if (dirty) {
        enum err e = seglog_sync(journal->log);
        if (e != OK) {
            return e;
        }
        journal->dirty = false;
    }
    if (out_synced != NULL) {
        *out_synced = dirty;
    }
    return OK;
}

enum err journal_discard(struct journal *journal, uint64_t epoch, uint64_t view) {
    struct place place = {epoch, view};
    size_t done = 0;
    while (done < journal->mark_count && !is_above(journal->marks[done].upto, place)) {
        done++;
    }
    if (done == 0) {
        return OK;
    }
    /* With no mark above, nothing of a later view was written: the last mark itself stays as the lower bound. */
    size_t keep = done < journal->mark_count ? done : done - 1;
    ASSERT(keep < journal->mark_count);
    enum err e = seglog_discard_below(journal->log, journal->marks[keep].sequence);
    if (e == OK) {
        memmove(journal->marks, journal->marks + keep, (journal->mark_count - keep) * sizeof journal->marks[0]);
        journal->mark_count -= keep;
    }
    return e;
}
