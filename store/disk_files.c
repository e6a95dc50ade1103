#include "store/disk_files.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 16u

static enum err parent_of(const char *path, char out[DISK_PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;
    if (slash == path) {
        len = 1; /* the root's own name */
    }
    if (len >= DISK_PATH_MAX) {
        return ERR_TOOLARGE;
    }
    (void)snprintf(out, DISK_PATH_MAX, "%.*s", len > 0 ? (int)len : 1, len > 0 ? path : ".");
    return OK;
}

static enum err sync_parent(const struct disk *disk, const char *path) {
    char parent[DISK_PATH_MAX];
    enum err e = parent_of(path, parent);
    return e == OK ? disk->ops->sync_dir(disk->ctx, parent) : e;
}

enum err disk_make_folder(const struct disk *disk, const char *path) {
    char part[DISK_PATH_MAX];
    ASSERT(path[0] != '\0'); /* its parent would be the folder that the process happens to be in */
    enum err e = disk->ops->make_dir(disk->ctx, path);
    size_t len = strlen(path);
    if (e == ERR_NOTFOUND && len < sizeof part) {
        e = OK;
        for (size_t i = 1; i <= len && e == OK; i++) { /* from the top down */
            if (path[i] != '/' && path[i] != '\0') {
                continue;
            }
            memcpy(part, path, i);
            part[i] = '\0';
            e = disk->ops->make_dir(disk->ctx, part);
            if (e == OK && path[i] != '\0') {
                e = sync_parent(disk, part);
            }
            e = e == ERR_EXISTS ? OK : e;
        }
    }
    return e == OK || e == ERR_EXISTS ? sync_parent(disk, path) : e;
}

enum err disk_read_file(const struct disk *disk, const char *path, uint64_t limit, struct buffer *out) {
    struct disk_file *file;
    uint64_t len = 0;
    enum err e = disk->ops->open(disk->ctx, path, false, &file);
    if (e != OK) {
        return e;
    }
    size_t before = out->len;
    e = disk->ops->size(file, &len);
    if (e == OK && len > limit) {
        e = ERR_TOOLARGE;
    }
    if (e == OK && len > 0) {
        uint8_t *place = buffer_extend(out, (size_t)len);
        e = place != NULL ? disk->ops->read(file, 0, place, (size_t)len) : ERR_NOMEM;
    }
    disk->ops->close(file);
    out->len = e == OK ? out->len : before;
    return e;
}

enum err disk_write_file(const struct disk *disk, const char *path, struct bytes data) {
    char temporary[DISK_PATH_MAX];
    struct disk_file *file;
    int n = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (n < 0 || (size_t)n >= sizeof temporary) {
        return ERR_TOOLARGE;
    }
    enum err e = disk->ops->remove(disk->ctx, temporary); /* what an interrupted call left may be longer */
    e = e == ERR_NOTFOUND ? OK : e;
    if (e == OK) {
        e = disk->ops->open(disk->ctx, temporary, true, &file);
    }
    if (e != OK) {
        return e;
    }
    e = disk->ops->write(file, 0, data.data, data.len);
    if (e == OK) {
        e = disk->ops->sync(file);
    }
    disk->ops->close(file);
    if (e == OK) {
        e = disk->ops->rename(disk->ctx, temporary, path);
    }
    return e == OK ? sync_parent(disk, path) : e;
}

static void note_name(void *arg, const char *name) {
    buffer_put(arg, name, strlen(name) + 1);
}

static enum err remove_below(const struct disk *disk, const char *path, unsigned depth) {
    enum disk_kind kind;
    struct buffer names = BUFFER_INIT;
    enum err e = disk->ops->kind(disk->ctx, path, &kind);
    if (e != OK || kind == DISK_NOTHING) {
        return e;
    }
    if (kind == DISK_FOLDER) {
        e = depth < DEPTH_MAX ? disk->ops->list(disk->ctx, path, note_name, &names) : ERR_TOOLARGE;
        e = e == OK ? buffer_ok(&names) : e;
    }
    for (size_t at = 0; at < names.len && e == OK;) {
        char below[DISK_PATH_MAX];
        const char *name = (const char *)names.data + at;
        int n = snprintf(below, sizeof below, "%s/%s", path, name);
        e = n > 0 && (size_t)n < sizeof below ? remove_below(disk, below, depth + 1) : ERR_TOOLARGE;
        at += strlen(name) + 1;
    }
    buffer_free(&names);
    return e == OK ? disk->ops->remove(disk->ctx, path) : e;
}

enum err disk_remove_all(const struct disk *disk, const char *path) {
    return remove_below(disk, path, 0);
}
