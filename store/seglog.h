/* A segmented append-only log: the one file format under the block log and the vote journal.
 *
 * Segments are files "<stem>-<first sequence, 16 hex digits>.log", filled with zeros a step ahead of the records (so
 * that a sync need not wait for the file system's own journal) up to a fixed size; a record larger than a segment gets
 * one of its own. A record carries its sequence number, type, length and a CRC-32C over all of these, its segment's
 * random salt and its bytes. Sequence numbers start at 1 (but see begin_at) and have no holes.
 * Old segments are recycled by renaming.
 *
 * Opening reads every record (but see trusted_below). What was appended and never known to be synced may be torn, lost
 * or there in part, and is cut from its first bad record on and reported: that is how a power cut looks. Each record
 * also says up to which sequence the log was known to be synced when it was written, and so does a mark that a clean
 * close leaves. So a bad record that was synced for sure, or a hole between segments, is told from that: it is
 * ERR_CORRUPT with the place named in `seglog_error`; nothing is ever guessed over. What is good and not known to be
 * synced is written again and synced before it counts: after a sync that failed, a file reads well and is not durable.
 *
 * One thread at a time appends, syncs and discards; others may read meanwhile. seglog_sync may run on another thread
 * while no append runs. After a failed sync the log only reads.
 */
#ifndef ASSAY_STORE_SEGLOG_H
#define ASSAY_STORE_SEGLOG_H

#include "base/buffer.h"
#include "store/disk.h"

struct seglog;

struct seglog_config {
    struct disk disk;
    const char *dir;        /* copied */
    const char *stem;       /* copied */
    uint64_t segment_bytes; /* 4 KiB to 1 GiB */
    /* Records with lower sequence numbers are in a checkpoint already: opening neither replays them nor checks their
     * bytes, and skips segments of nothing else but their header. They must have been synced: losing one is
     * ERR_CORRUPT. */
    uint64_t trusted_below;
    /* Discarded segments are removed, and so are those kept by an earlier opening: the disk gets its space back.
     * Without it a few are kept to be written again, which saves the file system work. */
    bool give_back;
    /* The sequence number of the very first record of a log that has none yet, for one that takes up where something
     * else ends; 0 or 1: the usual beginning. A log that has a record goes on from there, whatever stands here. */
    uint64_t begin_at;
};

#define SEGLOG_RECORD_MAX (64u << 20)
#define SEGLOG_TYPE_MAX 0xfeu /* the type above is the log's own */

/* `replay` (may be NULL) sees every record in order; an error from it stops opening with that error. */
NODISCARD enum err seglog_open(const struct seglog_config *config,
                               enum err (*replay)(void *arg, uint64_t sequence, uint8_t type, struct bytes record),
                               void *arg, struct seglog **out);
/* Does not sync; what was not synced may be lost. NULL is fine. */
void seglog_close(struct seglog *log);
/* Why the last operation on any log of this thread failed, in words with file and offset; "" if nothing did. */
const char *seglog_error(void);
/* Bytes cut from a torn tail when the log was opened. */
uint64_t seglog_cut(const struct seglog *log);

/* Appends to the file, not yet durable. Consecutive sequence numbers; gives the record's own. A failed append
 * (ERR_NOSPACE, ERR_IO) leaves the log as it was. ERR_TOOLARGE, ERR_RANGE (type). */
NODISCARD enum err seglog_append(struct seglog *log, uint8_t type, struct bytes record, uint64_t *out_sequence);
/* One fdatasync. Nothing to do: returns at once. After a failure every further append and sync is ERR_IO. */
NODISCARD enum err seglog_sync(struct seglog *log);

/* Appends the record's bytes to `out`. ERR_NOTFOUND, ERR_CORRUPT. */
NODISCARD enum err seglog_read(struct seglog *log, uint64_t sequence, uint8_t *out_type, struct buffer *out);
uint64_t seglog_first(const struct seglog *log); /* lowest sequence present; last + 1 when empty */
uint64_t seglog_last(const struct seglog *log);  /* 0 when empty */
/* Reads and checks every record that is left, trusted or not, and keeps everybody else waiting meanwhile. ERR_CORRUPT
 * with the first bad place in seglog_error. */
NODISCARD enum err seglog_verify(struct seglog *log);
/* Gives back whole segments that hold nothing but records below `sequence`. */
NODISCARD enum err seglog_discard_below(struct seglog *log, uint64_t sequence);

/* Copies every segment up to the last record into another folder, which must hold none of this log yet; durable when it
 * returns. ERR_NOTFOUND when a segment has gone meanwhile: another process discards. (seglog_copy.c) */
NODISCARD enum err seglog_copy(struct seglog *log, const struct disk *to, const char *dir);
/* The file that holds a record and where its header stands there, for whoever has to name a place. */
NODISCARD enum err seglog_place(struct seglog *log, uint64_t sequence, uint64_t *out_first, uint64_t *out_offset);
/* Bytes of the segments' files, and how many there are. */
NODISCARD enum err seglog_size(struct seglog *log, uint64_t *out_bytes, size_t *out_segments);

#endif
