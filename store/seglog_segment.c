#include "store/seglog_internal.h"

#include "base/assert.h"
#include "base/ed25519.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char error[256];

const char *seglog_error(void) {
    return error;
}

void seglog_no_error(void) {
    error[0] = '\0';
}

enum err seglog_fail(enum err e, const char *format, ...) {
    va_list args;
    ASSERT(e != OK);
    va_start(args, format);
    (void)vsnprintf(error, sizeof error, format, args);
    va_end(args);
    return e;
}

enum err seglog_path(const struct seglog *log, uint64_t first, const char *suffix, char out[PATH_LEN]) {
    int n = snprintf(out, PATH_LEN, "%s/%s-%016llx.%s", log->dir, log->stem, (unsigned long long)first, suffix);
    return n > 0 && (unsigned)n < PATH_LEN ? OK : ERR_TOOLARGE;
}

enum err segment_add(struct seglog *log, uint64_t first, uint64_t salt) {
    if (log->count == log->cap) {
        size_t cap = log->cap == 0 ? 16 : log->cap * 2;
        struct segment *grown = realloc(log->segments, cap * sizeof *grown);
        if (grown == NULL) {
            return ERR_NOMEM;
        }
        log->segments = grown;
        log->cap = cap;
    }
    log->segments[log->count++] = (struct segment){.first = first, .salt = salt};
    return OK;
}

enum err segment_note(struct segment *segment, uint64_t n, uint64_t offset) {
    if (n % INDEX_STRIDE != 0 || n / INDEX_STRIDE < segment->offset_count) {
        return OK;
    }
    if (segment->offset_count == segment->offset_cap) {
        size_t cap = segment->offset_cap == 0 ? 64 : segment->offset_cap * 2;
        uint32_t *grown = realloc(segment->offsets, cap * sizeof *grown);
        if (grown == NULL) {
            return ERR_NOMEM;
        }
        segment->offsets = grown;
        segment->offset_cap = cap;
    }
    ASSERT(n / INDEX_STRIDE == segment->offset_count && offset <= UINT32_MAX); /* none is left out */
    segment->offsets[segment->offset_count++] = (uint32_t)offset;
    return OK;
}

enum err segment_open(struct seglog *log, uint64_t first, struct disk_file **out, uint64_t *out_salt,
                      uint64_t *out_size) {
    char path[PATH_LEN];
    enum err e = seglog_path(log, first, "log", path);
    if (e != OK) {
        return e;
    }
    struct disk_file *file;
    e = log->disk.ops->open(log->disk.ctx, path, false, &file);
    if (e != OK) {
        return seglog_fail(e, "%s: %s", path, err_text(e));
    }
    uint8_t header[SEGMENT_HEADER_LEN];
    uint64_t named_first = 0, salt = 0, size = 0;
    e = log->disk.ops->size(file, &size);
    if (e == OK) {
        e = log->disk.ops->read(file, 0, header, sizeof header);
    }
    if (e == OK) {
        e = segment_header_decode(header, &named_first, &salt);
    } else if (e == ERR_RANGE) {
        e = ERR_CORRUPT;
    }
    if (e == OK && named_first != first) {
        e = ERR_CORRUPT;
    }
    if (e != OK) {
        seglog_close_file(log, file);
        return seglog_fail(e, "%s, offset 0: segment header: %s", path, err_text(e));
    }
    *out = file;
    *out_salt = salt;
    *out_size = size;
    return OK;
}

/* The file of a new segment under a name that is not yet a segment's: a spare, or "<stem>-<first>.new". */
static enum err prepare_file(struct seglog *log, uint64_t first, uint64_t salt, char out_path[PATH_LEN]) {
    bool reuse = log->spare_count > 0;
    uint64_t number = reuse ? log->spares[log->spare_count - 1] : first;
    enum err e = seglog_path(log, number, reuse ? "free" : "new", out_path);
    if (e != OK) {
        return e;
    }
    struct disk_file *file;
    e = log->disk.ops->open(log->disk.ctx, out_path, true, &file);
    if (e != OK) {
        return e;
    }
    size_t len = !reuse && log->segment_bytes > PREWRITE_STEP ? PREWRITE_STEP : (size_t)log->segment_bytes;
    len = reuse ? SEGMENT_HEADER_LEN : len;
    uint8_t *bytes = calloc(1, len);
    if (bytes == NULL) {
        e = ERR_NOMEM;
    } else {
        segment_header_encode(first, salt, bytes);
        e = log->disk.ops->write(file, 0, bytes, len);
    }
    free(bytes);
    if (e == OK) {
        e = log->disk.ops->sync(file);
    }
    seglog_close_file(log, file);
    return e;
}

enum err segment_begin(struct seglog *log) {
    char from[PATH_LEN], to[PATH_LEN];
    uint64_t first = log->last + 1, salt = 0, size = 0;
    struct disk_file *file = NULL;
    random_fill(&salt, sizeof salt);
    enum err e = seglog_path(log, first, "log", to);
    if (e == OK) {
        e = prepare_file(log, first, salt, from);
    }
    if (e == OK) {
        e = log->disk.ops->rename(log->disk.ctx, from, to);
    }
    if (e == OK) {
        log->spare_count -= log->spare_count > 0;
        e = log->disk.ops->sync_dir(log->disk.ctx, log->dir);
    }
    if (e == OK) {
        e = segment_open(log, first, &file, &salt, &size);
    }
    if (e == OK) {
        e = segment_add(log, first, salt);
    }
    if (e != OK) {
        seglog_close_file(log, file);
        return seglog_fail(e, "%s: beginning a segment: %s", log->dir, err_text(e));
    }
    ASSERT(log->segments[log->count - 1].first == log->last + 1); /* the next record is its first */
    seglog_close_file(log, log->active);
    log->active = file;
    log->active_end = SEGMENT_HEADER_LEN;
    log->active_size = size;
    log->segments[log->count - 1].indexed = true;
    return OK;
}

enum err segment_retire(struct seglog *log, uint64_t first) {
    char from[PATH_LEN], to[PATH_LEN];
    enum err e = seglog_path(log, first, "log", from);
    if (e == OK) {
        e = seglog_path(log, first, "free", to);
    }
    if (e != OK) {
        return e;
    }
    if (log->spare_count < log->spares_max) {
        e = log->disk.ops->rename(log->disk.ctx, from, to);
        if (e == OK) {
            ASSERT(log->spare_count < SPARES_MAX);
            log->spares[log->spare_count++] = first;
        }
    } else {
        e = log->disk.ops->remove(log->disk.ctx, from);
    }
    /* One at a time, so that a crash can't take a later segment away and leave an earlier one. */
    if (e == OK) {
        e = log->disk.ops->sync_dir(log->disk.ctx, log->dir);
    }
    return e == OK ? OK : seglog_fail(e, "%s: giving back: %s", from, err_text(e));
}
