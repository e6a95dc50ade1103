/* What the repository's files share. Nobody else includes it. */
#ifndef ASSAY_IPFS_LITE_REPO_INTERNAL_H
#define ASSAY_IPFS_LITE_REPO_INTERNAL_H

#include "ipfs-lite/repo.h"
#include "ipfs-lite/repo_table.h"

#include <limits.h>
#include <pthread.h>

struct repo {
    char *dir;
    uint64_t max_image_bytes;
    uint64_t max_total_bytes;
    int lock_fd;
    pthread_mutex_t publish; /* one image at a time becomes visible or goes away; taken before `guard` */
    pthread_rwlock_t guard;  /* everything below */
    struct repo_table table;
    uint64_t bytes;
    uint64_t reserved;
    uint64_t quarantined;
    uint64_t next_temporary;
};

/* "DIR/<folder>/<name><suffix>"; ERR_TOOLARGE when it doesn't fit. */
NODISCARD enum err repo_path(const struct repo *repo, const char *folder, const char *name, const char *suffix,
                             char out[PATH_MAX]);
NODISCARD enum err repo_cid_path(const struct repo *repo, const char *folder, const struct cid *cid, const char *suffix,
                                 char out[PATH_MAX]);

/* Admission: counts `bytes` of work under way against max_total_bytes. ERR_NOSPACE. */
NODISCARD enum err repo_reserve(struct repo *repo, uint64_t bytes);
void repo_release(struct repo *repo, uint64_t bytes);

/* Writes DIR/images/<root>.index, durably. */
NODISCARD enum err repo_write_index(const struct repo *repo, const struct repo_index *index);
/* Makes a synced file at `from` the image of `index`, moving both in; the index is emptied on success. When the image
 * is here already, the file is removed instead. */
NODISCARD enum err repo_publish(struct repo *repo, const char *from, struct repo_index *index);
/* Takes an image out of the table and its files out of sight. */
NODISCARD enum err repo_quarantine(struct repo *repo, const struct cid *root);

void repo_describe(const struct repo_index *index, struct repo_image *out);

NODISCARD enum err repo_write_all(int fd, const void *data, size_t len, uint64_t offset);

#endif
