/* State stores on the simulated disk. */
#include "tests/sim/sim_disk_state.h"

#include <stdio.h>
#include <stdlib.h>

/* What LMDB is to the product: a commit is durable or has not been, and so is what its file is called once it is open.
 */
struct store {
    struct sim_disk *disk;
    struct inode *inode;
    bool only_look;
};

static enum err store_snapshot(void *ctx, void **out) {
    const struct kv_backend *inner = &((struct store *)ctx)->inode->store;
    return inner->ops->snapshot(inner->ctx, out);
}

static void store_release(void *ctx, void *snapshot) {
    const struct kv_backend *inner = &((struct store *)ctx)->inode->store;
    inner->ops->release(inner->ctx, snapshot);
}

static enum err store_get(void *ctx, void *snapshot, enum kv_table table, struct bytes key, struct bytes *out) {
    const struct kv_backend *inner = &((struct store *)ctx)->inode->store;
    return inner->ops->get(inner->ctx, snapshot, table, key, out);
}

static enum err store_seek(void *ctx, void *snapshot, enum kv_table table, struct bytes from, struct bytes *out_key,
                           struct bytes *out_value) {
    const struct kv_backend *inner = &((struct store *)ctx)->inode->store;
    return inner->ops->seek(inner->ctx, snapshot, table, from, out_key, out_value);
}

static enum err store_seek_back(void *ctx, void *snapshot, enum kv_table table, struct bytes from,
                                struct bytes *out_key, struct bytes *out_value) {
    const struct kv_backend *inner = &((struct store *)ctx)->inode->store;
    return inner->ops->seek_back(inner->ctx, snapshot, table, from, out_key, out_value);
}

/* One of the points where a process can die, and a sync that can fail: then nothing of it is there. */
static enum err store_commit(void *ctx, const struct kv_layer *merged) {
    struct store *store = ctx;
    struct kv_backend *inner = &store->inode->store;
    if (store->only_look) {
        return ERR_DENIED;
    }
    if (disk_halted(store->disk) || disk_sync_fails(store->disk)) {
        return ERR_IO;
    }
    enum err e = inner->ops->commit(inner->ctx, merged);
    if (e == OK && !store->disk->lies) {
        inode_copy_store(inner, &store->inode->store_platter);
    }
    return e;
}

static void store_close(void *ctx) {
    struct store *store = ctx;
    inode_unref(store->inode);
    free(store);
}

static const struct kv_backend_ops store_ops = {
    .snapshot = store_snapshot,
    .release = store_release,
    .get = store_get,
    .seek = store_seek,
    .seek_back = store_seek_back,
    .commit = store_commit,
    .close = store_close,
};

static enum err store_open(const struct kv_opener *opener, const char *dir, bool only_look, struct kv_backend *out) {
    struct sim_disk *disk = opener->ctx;
    char path[SIM_PATH_LEN];
    (void)snprintf(path, sizeof path, "%s/store", dir);
    if (disk_halted(disk)) {
        return ERR_IO;
    }
    struct inode *inode = names_find(&disk->now, path);
    if (inode == NULL && (only_look || !names_have_parent(&disk->now, path))) {
        return ERR_NOTFOUND;
    }
    if (inode == NULL) {
        inode = inode_new(false);
        if (kv_memory_open(&inode->store) != OK || kv_memory_open(&inode->store_platter) != OK) {
            abort();
        }
        disk_change(disk, "", path, inode);
        if (!disk->lies) {
            disk_settle(disk, dir);
        }
    }
    struct store *store = malloc(sizeof *store);
    *store = (struct store){disk, inode_ref(inode), only_look};
    *out = (struct kv_backend){.ops = &store_ops, .ctx = store};
    return OK;
}

struct kv_opener sim_disk_state(struct sim_disk *disk) {
    return (struct kv_opener){.open = store_open, .ctx = disk};
}
