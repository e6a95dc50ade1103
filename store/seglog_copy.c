/* Copying a log, also one that another process appends to: what was there when it was opened does not change. */
#include "store/seglog_internal.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)1 << 20)

static enum err copy_bytes(struct seglog *log, struct disk_file *from, uint64_t len, const struct disk *to,
                           struct disk_file *out) {
    uint8_t *chunk = malloc(CHUNK_BYTES);
    enum err e = chunk != NULL ? OK : ERR_NOMEM;
    for (uint64_t at = 0; at < len && e == OK;) {
        size_t n = len - at < CHUNK_BYTES ? (size_t)(len - at) : CHUNK_BYTES;
        e = log->disk.ops->read(from, at, chunk, n);
        if (e == OK) {
            e = to->ops->write(out, at, chunk, n);
        }
        at += n;
    }
    free(chunk);
    return e == OK ? to->ops->sync(out) : e;
}

static enum err copy_segment(struct seglog *log, const struct segment *segment, const struct disk *to,
                             const char *dir) {
    char path[PATH_LEN], name[PATH_LEN];
    struct disk_file *from = NULL, *out = NULL;
    uint64_t salt, size;
    enum err e = seglog_path(log, segment->first, "log", path);
    if (e == OK) {
        const char *base = path + strlen(log->dir) + 1;
        size_t dir_len = strlen(dir), base_len = strlen(base);
        if (dir_len + 1 + base_len >= sizeof name) {
            return ERR_TOOLARGE;
        }
        memcpy(name, dir, dir_len);
        name[dir_len] = '/';
        memcpy(name + dir_len + 1, base, base_len + 1);
        e = segment_open(log, segment->first, &from, &salt, &size);
    }
    if (e == OK && salt != segment->salt) {
        e = ERR_NOTFOUND; /* the file has become another segment */
    }
    if (e == OK) {
        e = to->ops->open(to->ctx, name, true, &out);
    }
    if (e == OK) {
        bool last = segment == &log->segments[log->count - 1];
        e = copy_bytes(log, from, last ? log->active_end : size, to, out);
    }
    seglog_close_file(log, from);
    if (out != NULL) {
        to->ops->close(out);
    }
    return e == OK || e == ERR_NOTFOUND ? e : seglog_fail(e, "copying %s: %s", path, err_text(e));
}

enum err seglog_copy(struct seglog *log, const struct disk *to, const char *dir) {
    seglog_no_error();
    (void)pthread_mutex_lock(&log->lock);
    enum err e = OK;
    for (size_t i = 0; i < log->count && e == OK; i++) {
        e = copy_segment(log, &log->segments[i], to, dir);
    }
    (void)pthread_mutex_unlock(&log->lock);
    return e == OK ? to->ops->sync_dir(to->ctx, dir) : e;
}
