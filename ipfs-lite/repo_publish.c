/* How images become visible and go away: the only writer of DIR/images after open. */
#include "ipfs-lite/repo_internal.h"

#include "base/assert.h"
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum err repo_reserve(struct repo *repo, uint64_t bytes) {
    enum err e = ERR_NOSPACE;
    (void)pthread_rwlock_wrlock(&repo->guard);
    uint64_t used = repo->bytes + repo->reserved;
    if (used <= repo->max_total_bytes && bytes <= repo->max_total_bytes - used) {
        repo->reserved += bytes;
        e = OK;
    }
    (void)pthread_rwlock_unlock(&repo->guard);
    return e;
}

void repo_release(struct repo *repo, uint64_t bytes) {
    (void)pthread_rwlock_wrlock(&repo->guard);
    ASSERT(bytes <= repo->reserved); /* only what was reserved is released */
    repo->reserved -= bytes;
    (void)pthread_rwlock_unlock(&repo->guard);
}

static bool is_here(struct repo *repo, const struct cid *root) {
    (void)pthread_rwlock_rdlock(&repo->guard);
    bool here = repo_table_image(&repo->table, root) != NULL;
    (void)pthread_rwlock_unlock(&repo->guard);
    return here;
}

enum err repo_write_index(const struct repo *repo, const struct repo_index *index) {
    char path[PATH_MAX];
    enum err e = repo_cid_path(repo, "images", &index->root, ".index", path);
    if (e != OK) {
        return e;
    }
    struct buffer bytes = BUFFER_INIT;
    repo_index_encode(index, &bytes);
    e = buffer_ok(&bytes);
    if (e == OK) {
        e = file_write_atomic(path, buffer_bytes(&bytes), 0600);
    }
    buffer_free(&bytes);
    return e;
}

/* Index first, image second: whoever sees the image has its index. */
static enum err place_files(struct repo *repo, const char *from, const struct repo_index *index) {
    char folder[PATH_MAX];
    char path[PATH_MAX];
    enum err e = repo_path(repo, "images", "", "", folder);
    if (e == OK) {
        e = repo_cid_path(repo, "images", &index->root, "", path);
    }
    if (e == OK) {
        e = repo_write_index(repo, index);
    }
    if (e == OK && rename(from, path) != 0) {
        e = err_from_errno(errno);
    }
    return e == OK ? dir_sync(folder) : e;
}

static enum err publish_new(struct repo *repo, const char *from, struct repo_index *index) {
    struct repo_index *image = malloc(sizeof *image);
    if (image == NULL) {
        return ERR_NOMEM;
    }
    ASSERT(index->profile != NULL && !is_here(repo, &index->root));
    enum err e = place_files(repo, from, index);
    if (e == OK) {
        *image = *index;
        (void)pthread_rwlock_wrlock(&repo->guard);
        e = repo_table_add(&repo->table, image);
        if (e == OK) {
            repo->bytes += image->size;
        }
        (void)pthread_rwlock_unlock(&repo->guard);
    }
    if (e != OK) {
        free(image);
        return e;
    }
    *index = (struct repo_index){0};
    return OK;
}

enum err repo_publish(struct repo *repo, const char *from, struct repo_index *index) {
    (void)pthread_mutex_lock(&repo->publish);
    enum err e;
    if (is_here(repo, &index->root)) {
        e = unlink(from) == 0 ? OK : err_from_errno(errno);
    } else {
        e = publish_new(repo, from, index);
    }
    (void)pthread_mutex_unlock(&repo->publish);
    return e;
}

static void forget(struct repo *repo, const struct cid *root) {
    (void)pthread_rwlock_wrlock(&repo->guard);
    struct repo_index *image = repo_table_take(&repo->table, root);
    if (image != NULL) {
        ASSERT(image->size <= repo->bytes);
        repo->bytes -= image->size;
        repo_index_free(image);
        free(image);
    }
    (void)pthread_rwlock_unlock(&repo->guard);
}

/* After its image is gone from the folder: the index goes, and both are made durable. */
static enum err end_image(struct repo *repo, const struct cid *root) {
    char folder[PATH_MAX];
    char index[PATH_MAX];
    enum err e = repo_cid_path(repo, "images", root, ".index", index);
    if (e == OK && unlink(index) != 0 && errno != ENOENT) {
        e = err_from_errno(errno);
    }
    if (e == OK) {
        e = repo_path(repo, "images", "", "", folder);
    }
    return e == OK ? dir_sync(folder) : e;
}

/* The image goes first: an index alone is swept away at the next open. */
enum err repo_remove(struct repo *repo, const struct cid *root) {
    char path[PATH_MAX];
    (void)pthread_mutex_lock(&repo->publish);
    enum err e = is_here(repo, root) ? OK : ERR_NOTFOUND;
    if (e == OK) {
        forget(repo, root);
        e = repo_cid_path(repo, "images", root, "", path);
    }
    if (e == OK && unlink(path) != 0) {
        e = err_from_errno(errno);
    }
    if (e == OK) {
        e = end_image(repo, root);
    }
    (void)pthread_mutex_unlock(&repo->publish);
    return e;
}

enum err repo_quarantine(struct repo *repo, const struct cid *root) {
    char from[PATH_MAX];
    char to[PATH_MAX];
    (void)pthread_mutex_lock(&repo->publish);
    forget(repo, root);
    (void)pthread_rwlock_wrlock(&repo->guard);
    repo->quarantined++;
    (void)pthread_rwlock_unlock(&repo->guard);
    enum err e = repo_cid_path(repo, "images", root, "", from);
    if (e == OK) {
        e = repo_cid_path(repo, "quarantine", root, "", to);
    }
    if (e == OK && rename(from, to) != 0) {
        e = err_from_errno(errno);
    }
    if (e == OK) {
        e = end_image(repo, root);
    }
    (void)pthread_mutex_unlock(&repo->publish);
    return e;
}
