#include "ipfs-lite/repo_internal.h"

#include "base/assert.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_IMAGE_BYTES (UINT64_C(16) << 30)
#define DEFAULT_TOTAL_BYTES (UINT64_C(1) << 40)
#define LARGEST_IMAGE_BYTES (UINT64_C(256) << 30) /* keeps every index far under REPO_INDEX_MAX_BYTES */

enum err repo_path(const struct repo *repo, const char *folder, const char *name, const char *suffix,
                   char out[PATH_MAX]) {
    int n = snprintf(out, PATH_MAX, "%s/%s/%s%s", repo->dir, folder, name, suffix);
    return n > 0 && n < PATH_MAX ? OK : ERR_TOOLARGE;
}

enum err repo_cid_path(const struct repo *repo, const char *folder, const struct cid *cid, const char *suffix,
                       char out[PATH_MAX]) {
    char text[CID_TEXT_SIZE];
    cid_format(cid, text);
    return repo_path(repo, folder, text, suffix, out);
}

enum err repo_write_all(int fd, const void *data, size_t len, uint64_t offset) {
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_from_errno(errno);
        }
        at += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return OK;
}

/* ---- Opening -------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *suffix) {
    size_t len = strlen(name);
    size_t tail = strlen(suffix);
    return len >= tail && strcmp(name + len - tail, suffix) == 0;
}

static enum err each_name(const struct repo *repo, const char *folder, enum err (*each)(void *arg, const char *name),
                          void *arg) {
    char path[PATH_MAX];
    enum err e = repo_path(repo, folder, "", "", path);
    if (e != OK) {
        return e;
    }
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return err_from_errno(errno);
    }
    while (e == OK) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            e = errno == 0 ? OK : err_from_errno(errno);
            break;
        }
        if (entry->d_name[0] != '.') {
            e = each(arg, entry->d_name);
        }
    }
    (void)closedir(dir);
    return e;
}

/* A listing may name what was moved away since it was begun. */
static enum err remove_file(const char *path) {
    return unlink(path) == 0 || errno == ENOENT ? OK : err_from_errno(errno);
}

static enum err remove_temporary(void *arg, const char *name) {
    char path[PATH_MAX];
    enum err e = repo_path(arg, "tmp", name, "", path);
    return e == OK ? remove_file(path) : e;
}

static enum err read_index(const struct repo *repo, const struct cid *root, struct repo_index *index) {
    char path[PATH_MAX];
    enum err e = repo_cid_path(repo, "images", root, ".index", path);
    if (e != OK) {
        return e;
    }
    struct buffer bytes = BUFFER_INIT;
    e = file_read(path, REPO_INDEX_MAX_BYTES, &bytes);
    if (e == OK) {
        e = repo_index_decode(buffer_bytes(&bytes), index);
    }
    if (e == OK && !cid_equal(&index->root, root)) {
        e = ERR_CORRUPT;
    }
    buffer_free(&bytes);
    return e;
}

/* The profile is not known without an index: the one that gives the file's name is right. */
static enum err rebuild_index(const struct repo *repo, int fd, uint64_t size, const struct cid *root,
                              struct repo_index *index) {
    for (size_t i = 0; unixfs_profiles[i] != NULL; i++) {
        repo_index_free(index);
        enum err e = repo_index_of_file(fd, size, unixfs_profiles[i], index);
        if (e != OK) {
            return e;
        }
        if (cid_equal(&index->root, root)) {
            return repo_write_index(repo, index);
        }
    }
    return ERR_CORRUPT;
}

static enum err load_image(struct repo *repo, const struct cid *root) {
    char path[PATH_MAX];
    enum err e = repo_cid_path(repo, "images", root, "", path);
    if (e != OK) {
        return e;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct repo_index *index = calloc(1, sizeof *index);
    struct stat st;
    if (fd < 0 || index == NULL || fstat(fd, &st) != 0) {
        e = index == NULL ? ERR_NOMEM : err_from_errno(errno);
        goto out;
    }
    e = read_index(repo, root, index);
    if (e == ERR_CORRUPT || e == ERR_NOTFOUND) {
        e = rebuild_index(repo, fd, (uint64_t)st.st_size, root, index);
    }
    if (e == OK && index->size != (uint64_t)st.st_size) {
        e = ERR_CORRUPT;
    }
    if (e == OK) {
        e = repo_table_add(&repo->table, index);
    }
    if (e == OK) {
        repo->bytes += index->size;
        index = NULL;
    }
out:
    if (index != NULL) {
        repo_index_free(index);
        free(index);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return e;
}

static enum err load_name(void *arg, const char *name) {
    struct repo *repo = arg;
    char path[PATH_MAX];
    enum err e = repo_path(repo, "images", name, "", path);
    if (e != OK) {
        return e;
    }
    if (ends_with(name, ".tmp")) {
        return remove_file(path);
    }
    if (ends_with(name, ".index")) {
        /* An index is written just before its image appears: alone it is what a crash between the two left. */
        path[strlen(path) - strlen(".index")] = '\0';
        if (access(path, F_OK) == 0) {
            return OK;
        }
        path[strlen(path)] = '.';
        return remove_file(path);
    }
    struct cid root;
    char text[CID_TEXT_SIZE];
    if (cid_parse(name, &root) != OK) {
        return OK; /* not ours */
    }
    cid_format(&root, text);
    if (strcmp(text, name) != 0) {
        return OK;
    }
    e = load_image(repo, &root);
    return e == ERR_CORRUPT ? repo_quarantine(repo, &root) : e;
}

static enum err take_lock(struct repo *repo) {
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/lock", repo->dir);
    if (n < 0 || n >= PATH_MAX) {
        return ERR_TOOLARGE;
    }
    repo->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (repo->lock_fd < 0) {
        return err_from_errno(errno);
    }
    return flock(repo->lock_fd, LOCK_EX | LOCK_NB) == 0 ? OK : ERR_BUSY;
}

enum err repo_open(const struct repo_config *config, struct repo **out) {
    static const char *const folders[] = {"images", "tmp", "partial", "quarantine"};
    if (config->max_image_bytes > LARGEST_IMAGE_BYTES) {
        return ERR_RANGE;
    }
    struct repo *repo = calloc(1, sizeof *repo);
    if (repo == NULL) {
        return ERR_NOMEM;
    }
    repo->lock_fd = -1;
    repo->max_image_bytes = config->max_image_bytes == 0 ? DEFAULT_IMAGE_BYTES : config->max_image_bytes;
    repo->max_total_bytes = config->max_total_bytes == 0 ? DEFAULT_TOTAL_BYTES : config->max_total_bytes;
    (void)pthread_mutex_init(&repo->publish, NULL);
    (void)pthread_rwlock_init(&repo->guard, NULL);
    repo_table_init(&repo->table);
    repo->dir = strdup(config->dir);
    enum err e = repo->dir == NULL ? ERR_NOMEM : OK;
    for (size_t i = 0; e == OK && i < sizeof folders / sizeof folders[0]; i++) {
        char path[PATH_MAX];
        e = repo_path(repo, folders[i], "", "", path);
        if (e == OK) {
            e = dir_make(path);
        }
    }
    if (e == OK) {
        e = take_lock(repo);
    }
    if (e == OK) {
        e = each_name(repo, "tmp", remove_temporary, repo);
    }
    if (e == OK) {
        e = each_name(repo, "images", load_name, repo);
    }
    if (e != OK) {
        repo_close(repo);
        return e;
    }
    *out = repo;
    return OK;
}

void repo_close(struct repo *repo) {
    if (repo == NULL) {
        return;
    }
    repo_table_close(&repo->table);
    if (repo->lock_fd >= 0) {
        (void)close(repo->lock_fd);
    }
    (void)pthread_rwlock_destroy(&repo->guard);
    (void)pthread_mutex_destroy(&repo->publish);
    free(repo->dir);
    free(repo);
}

/* ---- Reading -------------------------------------------------------------------------------------------------- */

uint64_t repo_max_image_bytes(const struct repo *repo) {
    return repo->max_image_bytes;
}

void repo_stats(struct repo *repo, struct repo_stats *out) {
    (void)pthread_rwlock_rdlock(&repo->guard);
    *out = (struct repo_stats){repo->table.count, repo->bytes, repo->reserved, repo->quarantined};
    (void)pthread_rwlock_unlock(&repo->guard);
}

void repo_describe(const struct repo_index *index, struct repo_image *out) {
    ASSERT(index->profile != NULL); /* finished, or decoded */
    out->root = index->root;
    out->size = index->size;
    memcpy(out->sha256, index->sha256, SHA256_LEN);
    memcpy(out->tree_root, index->tree_root, SHA256_LEN);
    out->profile = index->profile;
    out->blocks = repo_index_leaf_count(index) + repo_index_node_count(index);
}

static enum err copy_node(const struct repo_index *image, const struct repo_index_node *node, struct repo_block *out) {
    ASSERT(node->block_at <= image->blocks.len && node->block_len <= image->blocks.len - node->block_at);
    uint8_t *copy = malloc(node->block_len);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    memcpy(copy, image->blocks.data + node->block_at, node->block_len);
    out->offset = node->offset;
    out->size = node->size;
    out->node = bytes_of(copy, node->block_len);
    return OK;
}

enum err repo_find(struct repo *repo, const struct cid *cid, struct repo_block *out) {
    struct repo_block block = {.fd = -1};
    struct repo_index *image;
    size_t number;
    char path[PATH_MAX];
    enum err e = ERR_NOTFOUND;
    (void)pthread_rwlock_rdlock(&repo->guard);
    if (repo_table_find(&repo->table, cid, &image, &block.is_leaf, &number)) {
        e = repo_cid_path(repo, "images", &image->root, "", path);
        if (e == OK && block.is_leaf) {
            block.offset = (uint64_t)number * image->profile->chunk;
            ASSERT(block.offset < image->size || image->size == 0); /* as many leaves as the size makes */
            uint64_t left = image->size - block.offset;
            block.size = left < image->profile->chunk ? left : image->profile->chunk;
        } else if (e == OK) {
            e = copy_node(image, repo_index_node(image, number), &block);
        }
        if (e == OK) {
            /* Under the lock, so that the file is the one the table speaks of. */
            block.fd = open(path, O_RDONLY | O_CLOEXEC);
            e = block.fd < 0 ? err_from_errno(errno) : OK;
        }
    }
    (void)pthread_rwlock_unlock(&repo->guard);
    if (e != OK) {
        repo_block_close(&block);
        return e;
    }
    *out = block;
    return OK;
}

void repo_block_close(struct repo_block *block) {
    if (block->fd >= 0) {
        (void)close(block->fd);
    }
    free((void *)(uintptr_t)block->node.data);
    *block = (struct repo_block){.fd = -1};
}

enum err repo_stat(struct repo *repo, const struct cid *root, struct repo_image *out) {
    (void)pthread_rwlock_rdlock(&repo->guard);
    const struct repo_index *image = repo_table_image(&repo->table, root);
    if (image != NULL) {
        repo_describe(image, out);
    }
    (void)pthread_rwlock_unlock(&repo->guard);
    return image == NULL ? ERR_NOTFOUND : OK;
}

size_t repo_list(struct repo *repo, const struct cid *after, struct repo_image *out, size_t max) {
    (void)pthread_rwlock_rdlock(&repo->guard);
    const struct repo_table *table = &repo->table;
    size_t at = after == NULL ? 0 : repo_table_place(table, after->digest);
    if (after != NULL && at < table->count && memcmp(table->images[at]->root.digest, after->digest, SHA256_LEN) == 0) {
        at++;
    }
    size_t n = 0;
    for (; n < max && at < table->count; n++, at++) {
        repo_describe(table->images[at], &out[n]);
    }
    (void)pthread_rwlock_unlock(&repo->guard);
    return n;
}
