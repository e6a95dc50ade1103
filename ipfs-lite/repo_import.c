#include "ipfs-lite/repo_internal.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The kernel starts writing in the background after this many bytes, so that the final fsync finds little to do. */
#define WRITEBACK_BYTES (8u * 1024u * 1024u)
/* Admission is asked for in steps, not for every write. */
#define RESERVE_BYTES (4u * 1024u * 1024u)

struct repo_import {
    struct repo *repo;
    const struct unixfs_profile *profile;
    struct importer *importer;
    struct repo_index index;
    int fd;
    uint64_t size;
    uint64_t reserved;
    uint64_t started; /* bytes already on their way to the disk */
    bool failed;
    char path[PATH_MAX];
};

enum err repo_import_begin(struct repo *repo, const struct unixfs_profile *profile, struct repo_import **out) {
    struct repo_import *import = calloc(1, sizeof *import);
    if (import == NULL) {
        return ERR_NOMEM;
    }
    import->repo = repo;
    import->profile = profile;
    import->fd = -1;
    (void)pthread_rwlock_wrlock(&repo->guard);
    uint64_t number = repo->next_temporary++;
    (void)pthread_rwlock_unlock(&repo->guard);
    char name[32];
    (void)snprintf(name, sizeof name, "import-%llu", (unsigned long long)number);
    enum err e = repo_path(repo, "tmp", name, "", import->path);
    if (e == OK) {
        import->fd = open(import->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        e = import->fd < 0 ? err_from_errno(errno) : OK;
    }
    if (e == OK) {
        e = importer_new(profile, repo_index_sink(&import->index), &import->importer);
    }
    if (e != OK) {
        repo_import_abort(import);
        return e;
    }
    *out = import;
    return OK;
}

static enum err admit(struct repo_import *import, size_t len) {
    ASSERT(import->size <= import->reserved && import->size <= import->repo->max_image_bytes);
    if (len > import->repo->max_image_bytes - import->size) {
        return ERR_TOOLARGE;
    }
    if (import->size + len <= import->reserved) {
        return OK;
    }
    uint64_t missing = import->size + len - import->reserved;
    uint64_t step = missing < RESERVE_BYTES ? RESERVE_BYTES : missing;
    enum err e = repo_reserve(import->repo, step);
    if (e != OK) {
        step = missing;
        e = repo_reserve(import->repo, step);
    }
    if (e == OK) {
        import->reserved += step;
    }
    return e;
}

enum err repo_import_write(struct repo_import *import, const void *data, size_t len) {
    ASSERT(!import->failed);
    enum err e = admit(import, len);
    if (e == OK) {
        e = repo_write_all(import->fd, data, len, import->size);
    }
    if (e == OK) {
        e = importer_write(import->importer, data, len);
    }
    if (e != OK) {
        import->failed = true;
        return e;
    }
    import->size += len;
    ASSERT(import->size <= import->reserved && import->started <= import->size); /* nothing is written unadmitted */
    if (import->size - import->started >= WRITEBACK_BYTES) {
        /* A hint: whether it was heeded is fsync's business. */
        (void)sync_file_range(import->fd, (off_t)import->started, (off_t)(import->size - import->started),
                              SYNC_FILE_RANGE_WRITE);
        import->started = import->size;
    }
    return OK;
}

enum err repo_import_end(struct repo_import *import, struct repo_image *out) {
    ASSERT(!import->failed);
    struct importer_result result;
    struct repo_image image;
    enum err e = importer_end(import->importer, &result);
    if (e == OK && fsync(import->fd) != 0) {
        e = err_from_errno(errno);
    }
    if (e == OK) {
        repo_index_finish(&import->index, import->profile, &result);
        repo_describe(&import->index, &image);
        e = repo_publish(import->repo, import->path, &import->index);
    }
    if (e == OK) {
        *out = image;
    }
    repo_import_abort(import);
    return e;
}

void repo_import_abort(struct repo_import *import) {
    if (import == NULL) {
        return;
    }
    if (import->fd >= 0) {
        (void)close(import->fd);
        (void)unlink(import->path); /* gone already when the image was published */
    }
    repo_release(import->repo, import->reserved);
    importer_free(import->importer);
    repo_index_free(&import->index);
    free(import);
}
