#include "base/assert.h"
#include "store/disk_files.h"
#include "store/seglog_internal.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES ((size_t)1 << 18)

/* ---- From record to record -------------------------------------------------------------------------------------- */

/* A piece of the file in memory. */
struct window {
    struct disk_file *file;
    uint64_t size;
    uint8_t *data;
    size_t cap;
    uint64_t from;
    size_t len;
};

/* The bytes at `offset`, read together with what follows; the caller has checked that the file is long enough. */
static enum err window_at(struct window *w, uint64_t offset, size_t len, const struct disk_ops *ops,
                          const uint8_t **out) {
    if (offset < w->from || offset + len > w->from + w->len) {
        size_t want = len > WINDOW_BYTES ? len : WINDOW_BYTES;
        if (want > w->size - offset) {
            want = (size_t)(w->size - offset);
        }
        if (w->cap < want) {
            uint8_t *grown = realloc(w->data, want);
            if (grown == NULL) {
                return ERR_NOMEM;
            }
            w->data = grown;
            w->cap = want;
        }
        w->len = 0;
        enum err e = ops->read(w->file, offset, w->data, want);
        if (e != OK) {
            return e;
        }
        w->from = offset;
        w->len = want;
    }
    ASSERT(offset >= w->from && offset - w->from + len <= w->len); /* the caller has looked at the file's size */
    *out = w->data + (offset - w->from);
    return OK;
}

/* Reads the record at the walk's place. `*out_good` false: there is none, or not this one. */
static enum err walk_one(struct walk *w, struct window *window, bool *out_good) {
    const struct disk_ops *ops = w->log->disk.ops;
    const uint8_t *at;
    struct record_header h;
    *out_good = false;
    if (w->offset > w->size || w->size - w->offset < RECORD_HEADER_LEN) {
        return OK;
    }
    enum err e = window_at(window, w->offset, RECORD_HEADER_LEN, ops, &at);
    if (e != OK) {
        return e;
    }
    if (!record_header_decode(at, w->segment->salt, &h) || h.sequence != w->sequence || h.type > SEGLOG_TYPE_MAX ||
        h.length > SEGLOG_RECORD_MAX || h.length > w->size - w->offset - RECORD_HEADER_LEN) {
        return OK;
    }
    if (w->sequence >= w->trusted_below) {
        e = window_at(window, w->offset, RECORD_HEADER_LEN + h.length, ops, &at);
        if (e != OK || !record_is_whole(at, &h, at + RECORD_HEADER_LEN)) {
            return e;
        }
        if (w->replay != NULL) {
            e = w->replay(w->arg, h.sequence, h.type, bytes_of(at + RECORD_HEADER_LEN, h.length));
        }
    }
    if (e == OK && w->note) {
        e = segment_note(w->segment, w->sequence - w->segment->first, w->offset);
    }
    *out_good = e == OK;
    w->synced = h.synced > w->synced ? h.synced : w->synced;
    w->offset += record_span(h.length);
    w->sequence++;
    return e;
}

enum err walk_records(struct walk *w) {
    struct window window = {.file = w->file, .size = w->size};
    w->offset = SEGMENT_HEADER_LEN;
    w->sequence = w->segment->first;
    bool good = true;
    enum err e = OK;
    while (e == OK && good && (w->end_before == 0 || w->sequence < w->end_before)) {
        e = walk_one(w, &window, &good);
    }
    free(window.data);
    return e;
}

static enum err bad_record(const struct walk *w, const char *what) {
    char path[PATH_LEN] = "";
    if (seglog_path(w->log, w->segment->first, "log", path) != OK) {
        path[0] = '\0';
    }
    return seglog_fail(ERR_CORRUPT, "%s, offset %llu: record %llu %s", path, (unsigned long long)w->offset,
                       (unsigned long long)w->sequence, what);
}

/* ---- The tail --------------------------------------------------------------------------------------------------- */

/* What lies behind the last good record of the last segment. */
struct tail {
    uint64_t synced; /* the highest "synced up to" found there */
    uint64_t end;    /* of what was recognised as records of ours */
    size_t count;
    uint64_t *places; /* of the headers found */
    size_t cap;
};

static enum err tail_note(struct tail *tail, uint64_t offset, uint64_t end) {
    if (tail->count == tail->cap) {
        size_t cap = tail->cap == 0 ? 16 : tail->cap * 2;
        uint64_t *grown = realloc(tail->places, cap * sizeof *grown);
        if (grown == NULL) {
            return ERR_NOMEM;
        }
        tail->places = grown;
        tail->cap = cap;
    }
    tail->places[tail->count++] = offset;
    tail->end = end > tail->end ? end : tail->end;
    return OK;
}

/* Headers of this segment's life from the walk's end on, at any multiple of 8. */
static enum err find_tail(const struct walk *w, struct tail *tail) {
    struct window window = {.file = w->file, .size = w->size};
    enum err e = OK;
    for (uint64_t at = w->offset; e == OK && w->size - at >= RECORD_HEADER_LEN && at < w->size; at += 8) {
        const uint8_t *bytes;
        struct record_header h;
        e = window_at(&window, at, RECORD_HEADER_LEN, w->log->disk.ops, &bytes);
        if (e != OK) {
            break;
        }
        uint64_t sequence = load_u64(bytes);
        if (sequence < w->sequence || sequence - w->sequence > w->size / RECORD_HEADER_LEN) {
            continue;
        }
        if (record_header_decode(bytes, w->segment->salt, &h)) {
            uint64_t end = at + record_span(h.length);
            tail->synced = h.synced > tail->synced ? h.synced : tail->synced;
            /* A closing mark in its place is as it should be; the next record goes over it. */
            bool mark = at == w->offset && h.type == RECORD_CLOSED && h.sequence == w->sequence;
            end = end < w->size ? end : w->size;
            e = mark ? OK : tail_note(tail, at, end);
        } else if (at == w->offset && sequence == w->sequence) {
            e = tail_note(tail, at, at + RECORD_HEADER_LEN);
        }
    }
    free(window.data);
    return e;
}

/* Wipes the headers found, so that nothing of what was cut can ever be taken for what follows. Opening syncs that. */
static enum err cut_tail(const struct walk *w, const struct tail *tail) {
    static const uint8_t zeros[RECORD_HEADER_LEN];
    const struct disk_ops *ops = w->log->disk.ops;
    enum err e = OK;
    for (size_t i = 0; i < tail->count && e == OK; i++) {
        e = ops->write(w->file, tail->places[i], zeros, sizeof zeros);
    }
    return e;
}

/* The last segment's records have ended: at their end, in a torn tail, or in damage? */
static enum err settle_tail(struct walk *w) {
    struct tail tail = {.end = w->offset};
    enum err e = find_tail(w, &tail);
    if (e == OK && w->sequence < w->trusted_below) {
        e = bad_record(w, "is missing or damaged, though a checkpoint was made after it");
    }
    if (e == OK && tail.synced >= w->sequence) {
        e = bad_record(w, "is damaged, though it had been synced");
    }
    if (e == OK) {
        e = cut_tail(w, &tail);
        w->log->cut = tail.end - w->offset;
        w->synced = tail.synced > w->synced ? tail.synced : w->synced;
    }
    free(tail.places);
    return e;
}

/* Where the first record stands that nobody is known to have synced. */
static enum err find_unsynced(const struct walk *w, uint64_t *out_offset) {
    struct walk known = {.log = w->log,
                         .segment = w->segment,
                         .file = w->file,
                         .size = w->size,
                         .trusted_below = UINT64_MAX,
                         .end_before = w->synced + 1};
    *out_offset = SEGMENT_HEADER_LEN;
    if (w->synced < w->segment->first) {
        return OK;
    }
    enum err e = walk_records(&known);
    *out_offset = known.offset;
    return e;
}

/* A sync that failed leaves pages that look written: an earlier life may have met that, and reading them shows nothing
 * of it. What is not known to be durable is therefore written again, so that the sync which follows takes it along;
 * also what stands behind the last record, for those may be the zeros with which an earlier life cut its tail. */
static enum err write_again(const struct walk *w) {
    const struct disk_ops *ops = w->log->disk.ops;
    uint8_t *bytes = malloc(WINDOW_BYTES);
    uint64_t at = 0, end = w->size;
    enum err e = bytes != NULL ? find_unsynced(w, &at) : ERR_NOMEM;
    while (e == OK && at < end) {
        size_t len = end - at < WINDOW_BYTES ? (size_t)(end - at) : WINDOW_BYTES;
        e = ops->read(w->file, at, bytes, len);
        if (e == OK) {
            e = ops->write(w->file, at, bytes, len);
        }
        at += len;
    }
    free(bytes);
    return e;
}

/* ---- All segments ----------------------------------------------------------------------------------------------- */

struct listing {
    const struct seglog *log;
    uint64_t *firsts;
    size_t count, cap;
    uint64_t spares[SPARES_MAX];
    size_t spare_count;
    struct buffer removable; /* names with terminators */
    bool failed;
};

/* "<stem>-<16 hex digits>.<suffix>" */
static bool parse_name(const struct listing *l, const char *name, uint64_t *out_number, const char **out_suffix) {
    size_t stem_len = strlen(l->log->stem);
    uint8_t number[8];
    char digits[17];
    if (strlen(name) < stem_len + 1 + 16 + 2 || strncmp(name, l->log->stem, stem_len) != 0 || name[stem_len] != '-' ||
        name[stem_len + 17] != '.') {
        return false;
    }
    memcpy(digits, name + stem_len + 1, 16);
    digits[16] = '\0';
    if (hex_decode(digits, number, sizeof number) != OK) {
        return false;
    }
    *out_number = load_u64(number);
    *out_suffix = name + stem_len + 18;
    return true;
}

static void list_name(void *arg, const char *name) {
    struct listing *l = arg;
    uint64_t number;
    const char *suffix;
    if (!parse_name(l, name, &number, &suffix)) {
        return;
    }
    if (strcmp(suffix, "log") == 0) {
        if (l->count == l->cap) {
            size_t cap = l->cap == 0 ? 64 : l->cap * 2;
            uint64_t *grown = realloc(l->firsts, cap * sizeof *grown);
            if (grown == NULL) {
                l->failed = true;
                return;
            }
            l->firsts = grown;
            l->cap = cap;
        }
        l->firsts[l->count++] = number;
    } else if (strcmp(suffix, "free") == 0 && l->spare_count < l->log->spares_max) {
        l->spares[l->spare_count++] = number;
    } else if (strcmp(suffix, "free") == 0 || strcmp(suffix, "new") == 0) {
        buffer_put(&l->removable, name, strlen(name) + 1);
    }
}

/* Spares too many, and segments that a crash kept from being begun. */
static enum err remove_names(struct seglog *log, const struct buffer *names) {
    enum err e = OK;
    for (size_t at = 0; at < names->len && e == OK;) {
        const char *name = (const char *)names->data + at;
        char path[PATH_LEN];
        size_t dir_len = strlen(log->dir), name_len = strlen(name);
        at += name_len + 1;
        if (dir_len + 1 + name_len >= sizeof path) {
            return ERR_TOOLARGE;
        }
        memcpy(path, log->dir, dir_len);
        path[dir_len] = '/';
        memcpy(path + dir_len + 1, name, name_len + 1);
        e = log->disk.ops->remove(log->disk.ctx, path);
    }
    return e;
}

static int compare_numbers(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static enum err find_segments(struct seglog *log, struct listing *l) {
    enum err e = disk_make_folder(&log->disk, log->dir);
    if (e == OK) {
        e = log->disk.ops->list(log->disk.ctx, log->dir, list_name, l);
    }
    if (e == OK && (l->failed || l->removable.failed)) {
        e = ERR_NOMEM;
    }
    if (e == OK) {
        e = remove_names(log, &l->removable);
    }
    if (e != OK) {
        return seglog_fail(e, "%s: %s", log->dir, err_text(e));
    }
    if (l->count > 0) {
        qsort(l->firsts, l->count, sizeof l->firsts[0], compare_numbers);
    }
    memcpy(log->spares, l->spares, sizeof log->spares);
    log->spare_count = l->spare_count;
    return OK;
}

/* One segment, with the first sequence of the one after it (0: it is the last). */
static enum err scan_segment(struct walk *w, uint64_t first, uint64_t next) {
    struct seglog *log = w->log;
    uint64_t salt;
    enum err e = segment_open(log, first, &w->file, &salt, &w->size);
    if (e == OK) {
        e = segment_add(log, first, salt);
    }
    if (e != OK) {
        return e;
    }
    w->segment = &log->segments[log->count - 1];
    w->end_before = next;
    bool skip = next != 0 && next <= w->trusted_below;
    if (!skip) {
        e = walk_records(w);
        w->segment->indexed = e == OK;
    }
    if (e == OK && !skip && next != 0 && w->sequence != next) {
        e = bad_record(w, "is missing or damaged, with a segment after it");
    }
    if (e == OK && next == 0) {
        e = settle_tail(w);
    }
    if (e == OK && next == 0) {
        e = write_again(w);
    }
    w->segment->count = skip ? next - first : w->sequence - first;
    log->last = first + w->segment->count - 1;
    return e;
}

enum err seglog_scan(struct seglog *log, uint64_t trusted_below,
                     enum err (*replay)(void *arg, uint64_t sequence, uint8_t type, struct bytes record), void *arg) {
    struct listing l = {.log = log};
    struct walk w = {.log = log, .trusted_below = trusted_below, .note = true, .replay = replay, .arg = arg};
    enum err e = find_segments(log, &l);
    if (e == OK && l.count == 0 && log->begin_at > 1) {
        log->last = log->begin_at - 1;
    }
    for (size_t i = 0; i < l.count && e == OK; i++) {
        bool is_last = i + 1 == l.count;
        e = scan_segment(&w, l.firsts[i], is_last ? 0 : l.firsts[i + 1]);
        if (e == OK && is_last) {
            log->active = w.file;
            log->active_end = w.offset;
            log->active_size = w.size;
        } else {
            seglog_close_file(log, w.file);
        }
        w.file = NULL;
    }
    /* What a killed process had written, and what was written again, is in memory only; from here on it counts as
     * durable. */
    if (e == OK && log->active != NULL) {
        e = log->disk.ops->sync(log->active);
        if (e == OK) {
            e = log->disk.ops->sync_dir(log->disk.ctx, log->dir);
        }
        if (e != OK) {
            e = seglog_fail(e, "%s: sync: %s", log->dir, err_text(e));
        }
    }
    log->synced = log->last;
    free(l.firsts);
    buffer_free(&l.removable);
    return e;
}
