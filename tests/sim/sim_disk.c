/* A disk that forgets, under a page cache that does not.
 *
 * A file has what is on the platter and what is in the cache, and writes that the cache has and the platter has not.
 * Whoever reads, reads the cache, and it outlives the process: a killed process loses nothing. A sync brings the writes
 * to the platter. One that fails counts them as written and drops them: they are in the cache and nowhere else, and no
 * later sync helps. A power cut leaves the platter, and of the writes that were still under way what chance has it.
 *
 * Names are kept the same way: what is made, removed or renamed is so now, and on the platter when the folders it
 * touches have been synced. A power cut keeps, of each folder's changes, the first so many. A folder that is lost takes
 * along what is in it.
 */
#include "tests/sim/sim_disk_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct disk_file {
    struct sim_disk *disk;
    struct inode *inode;
};

bool disk_halted(struct sim_disk *disk) {
    if (!disk->stopped && disk->stop_after > 0 && --disk->stop_after == 0) {
        disk->stopped = true;
    }
    return disk->stopped;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

void inode_patch(struct buffer *b, uint64_t offset, const uint8_t *data, size_t len) {
    if (b->len < offset + len) {
        size_t more = (size_t)offset + len - b->len;
        memset(buffer_extend(b, more), 0, more);
    }
    if (len > 0) {
        memcpy(b->data + offset, data, len);
    }
}

void inode_forget_writes(struct inode *inode) {
    while (inode->first != NULL) {
        struct write *next = inode->first->next;
        free(inode->first);
        inode->first = next;
    }
    inode->last = NULL;
}

struct inode *inode_new(bool folder) {
    struct inode *inode = calloc(1, sizeof *inode);
    inode->folder = folder;
    return inode;
}

struct inode *inode_ref(struct inode *inode) {
    inode->references++;
    return inode;
}

static void close_store(struct kv_backend *store) {
    if (store->ops != NULL) {
        store->ops->close(store->ctx);
        store->ops = NULL;
    }
}

void inode_unref(struct inode *inode) {
    if (inode != NULL && --inode->references == 0) {
        inode_forget_writes(inode);
        buffer_free(&inode->platter);
        buffer_free(&inode->cache);
        close_store(&inode->store);
        close_store(&inode->store_platter);
        free(inode);
    }
}

/* `to` becomes a store with what is in `from` now. */
void inode_copy_store(const struct kv_backend *from, struct kv_backend *to) {
    struct kv_backend copy;
    if (from->ops != NULL && kv_memory_copy(from, &copy) == OK) {
        close_store(to);
        *to = copy;
    }
}

/* ---- The operations ---------------------------------------------------------------------------------------------- */

static enum err disk_open(void *ctx, const char *path, bool create, struct disk_file **out) {
    struct sim_disk *disk = ctx;
    if (disk_halted(disk)) {
        return ERR_IO;
    }
    struct inode *inode = names_find(&disk->now, path);
    if (inode == NULL && create && names_have_parent(&disk->now, path)) {
        inode = inode_new(false);
        disk_change(disk, "", path, inode);
    }
    if (inode == NULL || inode->folder) {
        return inode == NULL ? ERR_NOTFOUND : ERR_IO;
    }
    struct disk_file *handle = malloc(sizeof *handle);
    *handle = (struct disk_file){disk, inode_ref(inode)};
    *out = handle;
    return OK;
}

static void disk_close(struct disk_file *handle) {
    inode_unref(handle->inode);
    free(handle);
}

static enum err disk_size(struct disk_file *handle, uint64_t *out) {
    *out = handle->inode->cache.len;
    return disk_halted(handle->disk) ? ERR_IO : OK;
}

static enum err disk_read(struct disk_file *handle, uint64_t offset, void *out, size_t len) {
    if (disk_halted(handle->disk)) {
        return ERR_IO;
    }
    const struct buffer *b = &handle->inode->cache;
    if (offset > b->len || len > b->len - offset) {
        return ERR_RANGE;
    }
    if (len > 0) {
        memcpy(out, b->data + offset, len);
    }
    return OK;
}

/* What does not fit any more is left out, and the write fails. */
static size_t take_room(struct sim_disk *disk, size_t len) {
    if (disk->room == UINT64_MAX) {
        return len;
    }
    size_t fits = len < disk->room ? len : (size_t)disk->room;
    disk->room -= fits;
    disk->failed = disk->failed || fits < len;
    return fits;
}

static enum err disk_write(struct disk_file *handle, uint64_t offset, const void *data, size_t asked) {
    if (disk_halted(handle->disk)) {
        return ERR_IO;
    }
    size_t len = take_room(handle->disk, asked);
    struct write *w = malloc(sizeof *w + len);
    *w = (struct write){.offset = offset, .len = len};
    if (len > 0) {
        memcpy(w->data, data, len);
    }
    struct inode *inode = handle->inode;
    *(inode->last != NULL ? &inode->last->next : &inode->first) = w;
    inode->last = w;
    inode_patch(&inode->cache, offset, data, len);
    return len == asked ? OK : ERR_NOSPACE;
}

/* Whether this sync is the one that fails. */
bool disk_sync_fails(struct sim_disk *disk) {
    bool fails = disk->sync_fails;
    disk->sync_fails = false;
    disk->failed = disk->failed || fails;
    disk->lost_sync = disk->lost_sync || fails;
    return fails;
}

/* What is written now begins behind what was synced: the log says so in its records, each of which begins with its
 * number. Zeros only make room, and what a log cut off begins with them. */
static void vouch(struct inode *inode) {
    size_t first = SIZE_MAX;
    for (const struct write *w = inode->first; w != NULL; w = w->next) {
        bool says_something = false;
        for (size_t i = 0; i < w->len && i < sizeof(uint64_t) && !says_something; i++) {
            says_something = w->data[i] != 0;
        }
        first = says_something && w->offset < first ? w->offset : first;
    }
    if (first != SIZE_MAX && first > inode->vouched) {
        inode->vouched = first;
    }
}

static enum err disk_sync(struct disk_file *handle) {
    struct inode *inode = handle->inode;
    if (disk_halted(handle->disk)) {
        return ERR_IO;
    }
    if (disk_sync_fails(handle->disk)) {
        inode_forget_writes(inode);
        inode->failed = true;
        return ERR_IO;
    }
    if (handle->disk->lies) {
        return OK;
    }
    vouch(inode);
    for (const struct write *w = inode->first; w != NULL; w = w->next) {
        inode_patch(&inode->platter, w->offset, w->data, w->len);
    }
    inode_forget_writes(inode);
    return OK;
}

static enum err disk_remove(void *ctx, const char *path) {
    struct sim_disk *disk = ctx;
    const struct inode *inode = names_find(&disk->now, path);
    if (disk_halted(disk)) {
        return ERR_IO;
    }
    if (inode == NULL) {
        return ERR_NOTFOUND;
    }
    if (inode->folder && !names_is_empty(&disk->now, path)) {
        return ERR_IO;
    }
    disk_change(disk, path, "", NULL);
    return OK;
}

static enum err disk_rename(void *ctx, const char *from, const char *to) {
    struct sim_disk *disk = ctx;
    struct inode *inode = names_find(&disk->now, from);
    const struct inode *over = names_find(&disk->now, to);
    if (disk_halted(disk)) {
        return ERR_IO;
    }
    if (inode == NULL || !names_have_parent(&disk->now, to)) {
        return ERR_NOTFOUND;
    }
    if (over != NULL && over->folder && !names_is_empty(&disk->now, to)) {
        return ERR_IO;
    }
    inode->vouched = 0; /* a file that begins another life */
    disk_change(disk, from, to, NULL);
    return OK;
}

static enum err disk_sync_dir(void *ctx, const char *dir) {
    struct sim_disk *disk = ctx;
    if (disk_halted(disk)) {
        return ERR_IO;
    }
    if (names_find(&disk->now, dir) == NULL) {
        return ERR_NOTFOUND;
    }
    if (disk->lies) {
        return OK;
    }
    disk_settle(disk, dir);
    return OK;
}

static enum err disk_make_dir(void *ctx, const char *path) {
    struct sim_disk *disk = ctx;
    if (disk_halted(disk)) {
        return ERR_IO;
    }
    if (names_find(&disk->now, path) != NULL || !names_have_parent(&disk->now, path)) {
        return names_find(&disk->now, path) != NULL ? ERR_EXISTS : ERR_NOTFOUND;
    }
    disk_change(disk, "", path, inode_new(true));
    return OK;
}

static enum err disk_kind_of(void *ctx, const char *path, enum disk_kind *out) {
    struct sim_disk *disk = ctx;
    const struct inode *inode = names_find(&disk->now, path);
    *out = DISK_NOTHING;
    if (inode != NULL) {
        *out = inode->folder ? DISK_FOLDER : DISK_FILE;
    }
    return disk_halted(disk) ? ERR_IO : OK;
}

static enum err disk_list(void *ctx, const char *dir, void (*each)(void *arg, const char *name), void *arg) {
    struct sim_disk *disk = ctx;
    if (disk_halted(disk)) {
        return ERR_IO;
    }
    if (names_find(&disk->now, dir) == NULL) {
        return ERR_NOTFOUND;
    }
    for (size_t i = 0; i < disk->now.count; i++) {
        if (path_stands_in(disk->now.at[i].path, dir)) {
            each(arg, disk->now.at[i].path + strlen(dir) + 1);
        }
    }
    return OK;
}

static const struct disk_ops ops = {
    .open = disk_open,
    .close = disk_close,
    .size = disk_size,
    .read = disk_read,
    .write = disk_write,
    .sync = disk_sync,
    .remove = disk_remove,
    .rename = disk_rename,
    .sync_dir = disk_sync_dir,
    .make_dir = disk_make_dir,
    .kind = disk_kind_of,
    .list = disk_list,
};

/* ---- Life -------------------------------------------------------------------------------------------------------- */

static void add_root(struct sim_disk *disk) {
    struct inode *root = inode_new(true);
    names_add(&disk->now, SIM_HOME, root);
    names_add(&disk->durable, SIM_HOME, root);
}

struct sim_disk *sim_disk_new(struct sim_random random) {
    struct sim_disk *disk = calloc(1, sizeof *disk);
    disk->random = random;
    disk->room = UINT64_MAX;
    add_root(disk);
    return disk;
}

void disk_empty(struct sim_disk *disk) {
    disk_forget_changes(disk);
    names_clear(&disk->now);
    names_clear(&disk->durable);
}

void sim_disk_free(struct sim_disk *disk) {
    if (disk != NULL) {
        disk_empty(disk);
        free(disk->now.at);
        free(disk->durable.at);
        free(disk->changes);
        free(disk);
    }
}

struct disk sim_disk_ops(struct sim_disk *disk) {
    return (struct disk){&ops, disk};
}

bool sim_disk_alive(struct sim_disk *disk) {
    return !disk_halted(disk);
}
