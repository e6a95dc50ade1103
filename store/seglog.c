#include "store/seglog_internal.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define SEGMENT_MIN 4096u
#define SEGMENT_MAX (1u << 30)

_Static_assert(SEGMENT_MAX + SEGLOG_RECORD_MAX + PREWRITE_STEP < UINT32_MAX, "offsets are kept in 32 bits");

/* ---- Life ------------------------------------------------------------------------------------------------------- */

static void seglog_free(struct seglog *log) {
    for (size_t i = 0; i < log->count; i++) {
        free(log->segments[i].offsets);
    }
    seglog_close_file(log, log->active);
    seglog_close_file(log, log->reading);
    free(log->segments);
    free(log->scratch);
    free(log->dir);
    free(log->stem);
    (void)pthread_mutex_destroy(&log->lock);
    free(log);
}

enum err seglog_open(const struct seglog_config *config,
                     enum err (*replay)(void *arg, uint64_t sequence, uint8_t type, struct bytes record), void *arg,
                     struct seglog **out) {
    seglog_no_error();
    if (config->segment_bytes < SEGMENT_MIN || config->segment_bytes > SEGMENT_MAX ||
        strlen(config->stem) + sizeof "-0123456789abcdef.free" > DISK_NAME_MAX) {
        return seglog_fail(ERR_RANGE, "segment size or stem out of range");
    }
    struct seglog *log = calloc(1, sizeof *log);
    if (log == NULL) {
        return ERR_NOMEM;
    }
    log->disk = config->disk;
    log->segment_bytes = config->segment_bytes;
    log->spares_max = config->give_back ? 0 : SPARES_MAX;
    log->begin_at = config->begin_at;
    log->dir = strdup(config->dir);
    log->stem = strdup(config->stem);
    bool made = pthread_mutex_init(&log->lock, NULL) == 0 && log->dir != NULL && log->stem != NULL;
    enum err e = made ? seglog_scan(log, config->trusted_below, replay, arg) : ERR_NOMEM;
    if (e != OK) {
        seglog_free(log);
        return e;
    }
    *out = log;
    return OK;
}

/* Says for the next opening that all there is was synced; only a hint, so its own loss does no harm. */
static void leave_mark(struct seglog *log) {
    ASSERT(log->active != NULL || log->count == 0);
    if (log->active == NULL || log->broken || log->synced != log->last ||
        log->active_size < log->active_end + RECORD_HEADER_LEN) {
        return;
    }
    uint8_t bytes[RECORD_HEADER_LEN];
    struct record_header h = {.sequence = log->last + 1, .synced = log->last, .type = RECORD_CLOSED};
    record_header_encode(&h, log->segments[log->count - 1].salt, bytes_of(NULL, 0), bytes);
    (void)log->disk.ops->write(log->active, log->active_end, bytes, sizeof bytes);
}

void seglog_close(struct seglog *log) {
    if (log != NULL) {
        leave_mark(log);
        seglog_free(log);
    }
}

uint64_t seglog_cut(const struct seglog *log) {
    return log->cut;
}

uint64_t seglog_first(const struct seglog *log) {
    ASSERT(log->count == 0 || log->segments[0].first <= log->last + 1);
    return log->count > 0 ? log->segments[0].first : log->last + 1;
}

uint64_t seglog_last(const struct seglog *log) {
    return log->last;
}

/* ---- Appending -------------------------------------------------------------------------------------------------- */

/* Outside the lock: readers need not wait for the disk. */
static enum err sync_active(struct seglog *log) {
    if (log->broken) {
        return seglog_fail(ERR_IO, "%s: an earlier sync failed", log->dir);
    }
    uint64_t upto = log->last;
    ASSERT(log->synced <= upto);
    if (log->synced == upto) {
        return OK;
    }
    enum err e = log->disk.ops->sync(log->active);
    if (e != OK) {
        log->broken = true;
        return seglog_fail(e, "%s: sync of segment %016llx: %s", log->dir,
                           (unsigned long long)log->segments[log->count - 1].first, err_text(e));
    }
    log->synced = upto;
    return OK;
}

/* Makes the active segment one with room for `span` bytes more. What went before is synced before the next segment
 * exists, so that only the last one can ever have a torn tail. */
static enum err make_room(struct seglog *log, uint64_t span) {
    bool empty = log->count > 0 && log->segments[log->count - 1].count == 0;
    if (log->count > 0 && (empty || log->active_end + span <= log->segment_bytes)) {
        return OK;
    }
    enum err e = sync_active(log);
    if (e == OK) {
        (void)pthread_mutex_lock(&log->lock);
        e = segment_begin(log);
        (void)pthread_mutex_unlock(&log->lock);
        /* A sync of the folder or the new file that failed once can't be asked again. */
        log->broken = e != OK && e != ERR_NOSPACE && e != ERR_NOMEM;
    }
    return e;
}

/* Zeros behind the record that ends at `end`, when it has used up those that were there. */
static enum err prewrite(struct seglog *log, uint64_t end) {
    uint64_t upto = (end / PREWRITE_STEP + 1) * PREWRITE_STEP;
    ASSERT(end > log->active_end); /* zeros never go over a record */
    if (upto > log->segment_bytes) {
        upto = log->segment_bytes;
    }
    if (end <= log->active_size || end >= upto) {
        return OK;
    }
    uint8_t *zeros = calloc(1, (size_t)(upto - end));
    if (zeros == NULL) {
        return ERR_NOMEM;
    }
    enum err e = log->disk.ops->write(log->active, end, zeros, (size_t)(upto - end));
    free(zeros);
    if (e == OK) {
        log->active_size = upto;
    }
    return e;
}

/* At least `len` bytes of working space; NULL when there is no memory. */
static uint8_t *scratch(struct seglog *log, size_t len) {
    if (log->scratch_cap < len) {
        uint8_t *grown = realloc(log->scratch, len);
        if (grown == NULL) {
            return NULL;
        }
        log->scratch = grown;
        log->scratch_cap = len;
    }
    return log->scratch;
}

static enum err write_record(struct seglog *log, uint8_t type, struct bytes record, uint64_t span) {
    struct segment *segment = &log->segments[log->count - 1];
    ASSERT(segment->first + segment->count == log->last + 1); /* sequence numbers have no holes */
    uint8_t *bytes = scratch(log, (size_t)span);
    if (bytes == NULL) {
        return ERR_NOMEM;
    }
    struct record_header h = {
        .sequence = log->last + 1, .synced = log->synced, .length = (uint32_t)record.len, .type = type};
    record_header_encode(&h, segment->salt, record, bytes);
    if (record.len > 0) {
        memcpy(bytes + RECORD_HEADER_LEN, record.data, record.len);
    }
    memset(bytes + RECORD_HEADER_LEN + record.len, 0, (size_t)span - RECORD_HEADER_LEN - record.len);
    enum err e = prewrite(log, log->active_end + span);
    if (e == OK) {
        e = log->disk.ops->write(log->active, log->active_end, bytes, (size_t)span);
    }
    if (e != OK) {
        return seglog_fail(e, "%s: writing record %llu: %s", log->dir, (unsigned long long)h.sequence, err_text(e));
    }
    return segment_note(segment, segment->count, log->active_end);
}

enum err seglog_append(struct seglog *log, uint8_t type, struct bytes record, uint64_t *out_sequence) {
    seglog_no_error();
    if (type > SEGLOG_TYPE_MAX) {
        return ERR_RANGE;
    }
    if (record.len > SEGLOG_RECORD_MAX) {
        return ERR_TOOLARGE;
    }
    if (log->broken) {
        return seglog_fail(ERR_IO, "%s: an earlier sync failed", log->dir);
    }
    uint64_t span = record_span(record.len);
    ASSERT(span % 8 == 0 && span >= RECORD_HEADER_LEN + record.len);
    enum err e = make_room(log, span);
    if (e != OK) {
        return e;
    }
    (void)pthread_mutex_lock(&log->lock);
    e = write_record(log, type, record, span);
    if (e == OK) {
        log->active_end += span;
        if (log->active_size < log->active_end) {
            log->active_size = log->active_end;
        }
        log->segments[log->count - 1].count++;
        log->last++;
        ASSERT(log->active_end <= log->active_size && log->synced < log->last);
        *out_sequence = log->last;
    }
    (void)pthread_mutex_unlock(&log->lock);
    return e;
}

enum err seglog_sync(struct seglog *log) {
    seglog_no_error();
    return sync_active(log);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

/* The segment that holds a sequence; NULL when none does. */
static struct segment *segment_of(struct seglog *log, uint64_t sequence) {
    size_t low = 0, high = log->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->segments[middle].first <= sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    struct segment *segment = low > 0 ? &log->segments[low - 1] : NULL;
    return segment != NULL && sequence - segment->first < segment->count ? segment : NULL;
}

/* A file to read the segment from, owned by the log, and how far it reaches. */
static enum err file_of(struct seglog *log, const struct segment *segment, struct disk_file **out, uint64_t *out_size) {
    ASSERT(segment >= log->segments && segment < log->segments + log->count);
    if (segment == &log->segments[log->count - 1]) {
        *out = log->active;
        *out_size = log->active_end;
        return OK;
    }
    if (log->reading == NULL || log->reading_first != segment->first) {
        struct disk_file *file;
        uint64_t salt, size;
        enum err e = segment_open(log, segment->first, &file, &salt, &size);
        if (e != OK) {
            return e;
        }
        seglog_close_file(log, log->reading);
        log->reading = file;
        log->reading_first = segment->first;
    }
    *out = log->reading;
    return log->disk.ops->size(log->reading, out_size);
}

static enum err index_segment(struct seglog *log, struct segment *segment, struct disk_file *file, uint64_t size) {
    struct walk w = {.log = log,
                     .segment = segment,
                     .file = file,
                     .size = size,
                     .trusted_below = UINT64_MAX,
                     .end_before = segment->first + segment->count,
                     .note = true};
    enum err e = walk_records(&w);
    if (e == OK && w.sequence != w.end_before) {
        e = seglog_fail(ERR_CORRUPT, "%s: segment %016llx, offset %llu: record %llu is damaged", log->dir,
                        (unsigned long long)segment->first, (unsigned long long)w.offset,
                        (unsigned long long)w.sequence);
    }
    segment->indexed = e == OK;
    return e;
}

/* Hops to record `n` of the segment; gives its header. */
static enum err find_record(struct seglog *log, const struct segment *segment, struct disk_file *file, uint64_t n,
                            uint64_t *out_offset, struct record_header *out, uint8_t bytes[RECORD_HEADER_LEN]) {
    ASSERT(n < segment->count && n / INDEX_STRIDE < segment->offset_count); /* indexed, as far as it has records */
    uint64_t offset = segment->offsets[n / INDEX_STRIDE];
    for (uint64_t at = n - n % INDEX_STRIDE;; at++) {
        enum err e = log->disk.ops->read(file, offset, bytes, RECORD_HEADER_LEN);
        if (e != OK && e != ERR_RANGE) {
            return e;
        }
        if (e != OK || !record_header_decode(bytes, segment->salt, out) || out->sequence != segment->first + at ||
            out->length > SEGLOG_RECORD_MAX) {
            return ERR_CORRUPT;
        }
        if (at == n) {
            *out_offset = offset;
            return OK;
        }
        offset += record_span(out->length);
    }
}

static enum err read_locked(struct seglog *log, uint64_t sequence, uint8_t *out_type, struct buffer *out) {
    struct segment *segment = segment_of(log, sequence);
    if (segment == NULL) {
        return ERR_NOTFOUND;
    }
    struct disk_file *file;
    struct record_header h;
    uint8_t header[RECORD_HEADER_LEN];
    uint64_t size, offset;
    enum err e = file_of(log, segment, &file, &size);
    if (e == OK && !segment->indexed) {
        e = index_segment(log, segment, file, size);
    }
    if (e != OK) {
        return e;
    }
    size_t start = out->len;
    e = find_record(log, segment, file, sequence - segment->first, &offset, &h, header);
    uint8_t *to = e == OK ? buffer_extend(out, h.length) : NULL;
    if (e == OK && h.length > 0) {
        e = to == NULL ? ERR_NOMEM : log->disk.ops->read(file, offset + RECORD_HEADER_LEN, to, h.length);
    }
    if (e == ERR_RANGE || (e == OK && !record_is_whole(header, &h, to))) {
        e = ERR_CORRUPT;
    }
    if (e != OK) {
        out->len = start;
        return seglog_fail(e, "%s: segment %016llx, record %llu: %s", log->dir, (unsigned long long)segment->first,
                           (unsigned long long)sequence, err_text(e));
    }
    *out_type = h.type;
    return OK;
}

enum err seglog_read(struct seglog *log, uint64_t sequence, uint8_t *out_type, struct buffer *out) {
    seglog_no_error();
    (void)pthread_mutex_lock(&log->lock);
    enum err e = read_locked(log, sequence, out_type, out);
    (void)pthread_mutex_unlock(&log->lock);
    return e;
}

static enum err verify_segment(struct seglog *log, struct segment *segment) {
    struct walk w = {.log = log, .segment = segment, .end_before = segment->first + segment->count};
    enum err e = file_of(log, segment, &w.file, &w.size);
    if (e == OK) {
        e = walk_records(&w);
    }
    if (e == OK && w.sequence != w.end_before) {
        e = seglog_fail(ERR_CORRUPT, "%s: segment %016llx, offset %llu: record %llu is damaged", log->dir,
                        (unsigned long long)segment->first, (unsigned long long)w.offset,
                        (unsigned long long)w.sequence);
    }
    return e;
}

enum err seglog_verify(struct seglog *log) {
    seglog_no_error();
    (void)pthread_mutex_lock(&log->lock);
    enum err e = OK;
    for (size_t i = 0; i < log->count && e == OK; i++) {
        e = verify_segment(log, &log->segments[i]);
    }
    (void)pthread_mutex_unlock(&log->lock);
    return e;
}

enum err seglog_place(struct seglog *log, uint64_t sequence, uint64_t *out_first, uint64_t *out_offset) {
    seglog_no_error();
    (void)pthread_mutex_lock(&log->lock);
    struct segment *segment = segment_of(log, sequence);
    struct disk_file *file;
    struct record_header h;
    uint8_t header[RECORD_HEADER_LEN];
    uint64_t size, offset = 0;
    enum err e = segment != NULL ? file_of(log, segment, &file, &size) : ERR_NOTFOUND;
    if (e == OK && !segment->indexed) {
        e = index_segment(log, segment, file, size);
    }
    if (e == OK) {
        e = find_record(log, segment, file, sequence - segment->first, &offset, &h, header);
    }
    if (e == OK) {
        *out_first = segment->first;
        *out_offset = offset;
    }
    (void)pthread_mutex_unlock(&log->lock);
    return e;
}

enum err seglog_size(struct seglog *log, uint64_t *out_bytes, size_t *out_segments) {
    seglog_no_error();
    (void)pthread_mutex_lock(&log->lock);
    uint64_t bytes = log->count > 0 ? log->active_size : 0, size = 0;
    enum err e = OK;
    for (size_t i = 0; i + 1 < log->count && e == OK; i++) {
        struct disk_file *file;
        e = file_of(log, &log->segments[i], &file, &size);
        bytes += size;
    }
    if (e == OK) {
        *out_bytes = bytes;
        *out_segments = log->count;
    }
    (void)pthread_mutex_unlock(&log->lock);
    return e;
}

/* ---- Giving back ------------------------------------------------------------------------------------------------ */

enum err seglog_discard_below(struct seglog *log, uint64_t sequence) {
    seglog_no_error();
    (void)pthread_mutex_lock(&log->lock);
    enum err e = OK;
    while (log->count > 1 && log->segments[1].first <= sequence && e == OK) {
        ASSERT(log->segments[1].first <= log->last + 1); /* the one that is written to stays */
        e = segment_retire(log, log->segments[0].first);
        if (e == OK) {
            if (log->reading != NULL && log->reading_first == log->segments[0].first) {
                seglog_close_file(log, log->reading);
                log->reading = NULL;
            }
            free(log->segments[0].offsets);
            memmove(log->segments, log->segments + 1, --log->count * sizeof log->segments[0]);
        }
    }
    (void)pthread_mutex_unlock(&log->lock);
    return e;
}
