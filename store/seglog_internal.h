/* What the files of the log share; nobody else includes this. */
#ifndef ASSAY_STORE_SEGLOG_INTERNAL_H
#define ASSAY_STORE_SEGLOG_INTERNAL_H

#include "store/seglog.h"
#include "store/seglog_format.h"

#include <pthread.h>

#define PATH_LEN 1024u
/* Every so manyth record of a segment has its offset kept; the others are found by hopping from there. */
#define INDEX_STRIDE 16u
/* A segment grows by this much zeros at a time. */
#define PREWRITE_STEP ((uint64_t)1 << 20)
/* Discarded segments kept for reuse, unless the log gives all back. */
#define SPARES_MAX 2u

struct segment {
    uint64_t first; /* sequence of its first record */
    uint64_t count; /* records in it */
    uint64_t salt;
    uint32_t *offsets; /* of records 0, INDEX_STRIDE, 2 * INDEX_STRIDE, ... */
    size_t offset_count, offset_cap;
    bool indexed; /* offsets are all there; otherwise they are looked up when first needed */
};

struct seglog {
    struct disk disk;
    char *dir;
    char *stem;
    uint64_t segment_bytes;
    size_t spares_max; /* discarded segments kept for reuse */
    uint64_t begin_at; /* of the first record, if there is none yet */
    /* Guards everything below between the appending thread and readers; not held during a sync. */
    pthread_mutex_t lock;
    struct segment *segments; /* oldest first; the last is written to */
    size_t count, cap;
    struct disk_file *active;
    uint64_t active_end;       /* where its next record goes */
    uint64_t active_size;      /* of the file: beyond the end are zeros or what an older life left */
    struct disk_file *reading; /* a file that a read needed, kept open for the next */
    uint64_t reading_first;
    uint64_t last;
    uint64_t synced;
    uint64_t cut;
    uint64_t spares[SPARES_MAX]; /* the numbers in their names */
    size_t spare_count;
    bool broken; /* a sync failed */
    uint8_t *scratch;
    size_t scratch_cap;
};

enum err seglog_fail(enum err e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void seglog_no_error(void);

NODISCARD enum err seglog_path(const struct seglog *log, uint64_t first, const char *suffix, char out[PATH_LEN]);
static inline void seglog_close_file(const struct seglog *log, struct disk_file *file) {
    if (file != NULL) {
        log->disk.ops->close(file);
    }
}

/* Segments (seglog_segment.c). */
NODISCARD enum err segment_add(struct seglog *log, uint64_t first, uint64_t salt);
/* Notes where record `n` of the segment is. */
NODISCARD enum err segment_note(struct segment *segment, uint64_t n, uint64_t offset);
/* Begins the segment of sequence `last + 1` on the disk, from a spare if there is one, and makes it the active one. */
NODISCARD enum err segment_begin(struct seglog *log);
/* Opens an existing one and reads its header. */
NODISCARD enum err segment_open(struct seglog *log, uint64_t first, struct disk_file **out, uint64_t *out_salt,
                                uint64_t *out_size);
/* Takes a segment out of use: renamed to a spare or removed. */
NODISCARD enum err segment_retire(struct seglog *log, uint64_t first);

/* Walking records (seglog_scan.c). */
struct walk {
    struct seglog *log;
    struct segment *segment;
    struct disk_file *file;
    uint64_t size;
    uint64_t trusted_below; /* lower ones: neither bytes checked nor replayed */
    uint64_t end_before;    /* the segment ends before this sequence; 0: wherever records end */
    bool note;              /* fill the segment's index */
    enum err (*replay)(void *arg, uint64_t sequence, uint8_t type, struct bytes record);
    void *arg;
    uint64_t offset;   /* out: of the first byte that is no good record */
    uint64_t sequence; /* out: what should be there */
    uint64_t synced;   /* out: up to where the records say that the log was known to be synced */
};
/* Goes from record to record until one is not good (OK: see offset and sequence) or something fails. */
NODISCARD enum err walk_records(struct walk *w);
/* Finds all segments and reads what has to be read. */
NODISCARD enum err seglog_scan(struct seglog *log, uint64_t trusted_below,
                               enum err (*replay)(void *arg, uint64_t sequence, uint8_t type, struct bytes record),
                               void *arg);

#endif
