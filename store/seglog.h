/* A segmented append-only log: the one file format under the block log and the vote journal.
 *
 * Segments are pre-written files "<stem>-<first sequence, 16 hex digits>.log" of a fixed size (a record larger than a
 * segment gets one of its own). A record carries its sequence number, type, length and a CRC-32C over all of these and
 * its bytes. Sequence numbers start at 1 and have no holes. Old segments are recycled by renaming.
 *
 * Opening reads every record: a torn tail (the last record of the last segment, bad or short, followed by nothing valid)
 * is cut and reported; a bad record with valid ones after it, or a hole between segments, is ERR_CORRUPT with the place
 * named in `seglog_error`; nothing is ever guessed over.
 */
#ifndef ASSAY_STORE_SEGLOG_H
#define ASSAY_STORE_SEGLOG_H

#include "base/buffer.h"
#include "store/disk.h"

struct seglog;

struct seglog_config {
    struct disk disk;
    const char *dir;  /* copied */
    const char *stem; /* copied */
    uint64_t segment_bytes;
};

/* Where a record is: kept by callers that index. */
struct seglog_place {
    uint64_t sequence;
};

/* `replay` (may be NULL) sees every record in order; an error from it stops opening with that error. */
NODISCARD enum err seglog_open(const struct seglog_config *config,
                               enum err (*replay)(void *arg, uint64_t sequence, uint8_t type, struct bytes record),
                               void *arg, struct seglog **out);
void seglog_close(struct seglog *log);
/* Why the last operation on any log of this thread failed, in words with file and offset; "" if nothing did. */
const char *seglog_error(void);
/* Bytes cut from a torn tail when the log was opened. */
uint64_t seglog_cut(const struct seglog *log);

/* Appends to memory and file, not yet durable. Consecutive sequence numbers; gives the record's own. */
NODISCARD enum err seglog_append(struct seglog *log, uint8_t type, struct bytes record, uint64_t *out_sequence);
/* One fdatasync (more only when a segment was just begun). Nothing to do: returns at once. */
NODISCARD enum err seglog_sync(struct seglog *log);

NODISCARD enum err seglog_read(struct seglog *log, uint64_t sequence, uint8_t *out_type, struct buffer *out);
uint64_t seglog_first(const struct seglog *log); /* lowest sequence present; last + 1 when empty */
uint64_t seglog_last(const struct seglog *log);  /* 0 when empty */
/* Gives back whole segments that hold nothing but records below `sequence`. */
NODISCARD enum err seglog_discard_below(struct seglog *log, uint64_t sequence);

#endif
