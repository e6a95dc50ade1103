#include "ipfs-lite/repo_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes the image's index once more from the file and compares what it says with what is known. */
static enum err check_image(struct repo *repo, const struct repo_image *known) {
    struct repo_block whole;
    enum err e = repo_find(repo, &known->root, &whole);
    if (e != OK) {
        return e;
    }
    struct repo_index index = {0};
    struct repo_image found;
    struct stat st;
    if (fstat(whole.fd, &st) != 0) {
        e = err_from_errno(errno);
    } else if ((uint64_t)st.st_size != known->size) {
        e = ERR_CORRUPT;
    } else {
        e = repo_index_of_file(whole.fd, known->size, known->profile, &index);
    }
    if (e == OK) {
        repo_describe(&index, &found);
        bool same = cid_equal(&found.root, &known->root) && memcmp(found.sha256, known->sha256, SHA256_LEN) == 0 &&
                    memcmp(found.tree_root, known->tree_root, SHA256_LEN) == 0;
        e = same ? OK : ERR_CORRUPT;
    } else if (e == ERR_RANGE) {
        e = ERR_CORRUPT;
    }
    repo_index_free(&index);
    repo_block_close(&whole);
    return e;
}

enum err repo_verify(struct repo *repo, void (*damaged)(void *arg, const struct cid *root, enum err why), void *arg,
                     uint64_t *out_damaged) {
    struct repo_image image;
    struct cid after;
    uint64_t count = 0;
    for (const struct cid *cursor = NULL; repo_list(repo, cursor, &image, 1) == 1; cursor = &after) {
        after = image.root;
        enum err why = check_image(repo, &image);
        struct repo_image still;
        if (why == OK || repo_stat(repo, &image.root, &still) == ERR_NOTFOUND) {
            continue; /* right, or removed while it was read */
        }
        if (why == ERR_NOMEM) {
            return why;
        }
        count++;
        if (damaged != NULL) {
            damaged(arg, &image.root, why);
        }
        enum err e = repo_quarantine(repo, &image.root);
        if (e != OK && e != ERR_NOTFOUND) {
            return e;
        }
    }
    *out_damaged = count;
    return OK;
}
