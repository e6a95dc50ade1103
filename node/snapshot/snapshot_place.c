#include "node/snapshot/snapshot_place.h"

#include "node/host/host_crypto.h"
#include "node/ledger/chain_store.h"
#include "store/disk_files.h"
#include "store/seglog.h"

#include <stdio.h>
#include <string.h>

/* A path in the ledger's folder. */
enum err snapshot_place_path(const struct snapshot_place *place, const char *name, char out[DISK_PATH_MAX]) {
    int n = snprintf(out, DISK_PATH_MAX, "%s%s%s", place->dir, name[0] != '\0' ? "/" : "", name);
    return n > 0 && (unsigned)n < DISK_PATH_MAX ? OK : ERR_TOOLARGE;
}

static enum err exists(const struct snapshot_place *place, const char *path, bool *out) {
    enum disk_kind kind;
    enum err e = place->disk.ops->kind(place->disk.ctx, path, &kind);
    *out = e == OK && kind != DISK_NOTHING;
    return e;
}

/* ---- Changing places --------------------------------------------------------------------------------------------- */

/* One folder: the old one out of the way first, then the new one in its place. Either may have happened already. */
static enum err change_place(const struct snapshot_place *place, const char *name) {
    char from[DISK_PATH_MAX], to[DISK_PATH_MAX], old[DISK_PATH_MAX], part[64];
    const struct disk *disk = &place->disk;
    bool new_here = false, old_here = false;
    (void)snprintf(part, sizeof part, "join/store/%s", name);
    enum err e = snapshot_place_path(place, part, from);
    if (e == OK) {
        (void)snprintf(part, sizeof part, "join/old/%s", name);
        e = snapshot_place_path(place, part, old);
    }
    if (e == OK) {
        e = snapshot_place_path(place, name, to);
    }
    if (e == OK) {
        e = exists(place, from, &new_here);
    }
    if (e == OK) {
        e = exists(place, to, &old_here);
    }
    if (e == OK && new_here && old_here) {
        e = disk->ops->rename(disk->ctx, to, old);
    }
    return e == OK && new_here ? disk->ops->rename(disk->ctx, from, to) : e;
}

static enum err sync_folder(const struct snapshot_place *place, const char *name) {
    char path[DISK_PATH_MAX];
    enum err e = snapshot_place_path(place, name, path);
    return e == OK ? place->disk.ops->sync_dir(place->disk.ctx, path) : e;
}

enum err snapshot_place_finish(const struct snapshot_place *place, struct why *why) {
    static const char *const synced[] = {"", "join/store", "join/old"};
    char ready[DISK_PATH_MAX], path[DISK_PATH_MAX];
    bool is_ready = false;
    enum err e = snapshot_place_path(place, "join/ready", ready);
    if (e == OK) {
        e = exists(place, ready, &is_ready);
    }
    if (e != OK || !is_ready) {
        return e;
    }
    e = snapshot_place_path(place, "join/old", path);
    if (e == OK) {
        e = disk_make_folder(&place->disk, path);
    }
    if (e == OK) {
        e = change_place(place, "blocks");
    }
    if (e == OK) {
        e = change_place(place, "state");
    }
    for (size_t i = 0; i < sizeof synced / sizeof synced[0] && e == OK; i++) {
        e = sync_folder(place, synced[i]);
    }
    /* The mark goes first and for good: what is left of the folder then means nothing. */
    if (e == OK) {
        e = place->disk.ops->remove(place->disk.ctx, ready);
    }
    if (e == OK) {
        e = sync_folder(place, "join");
    }
    if (e == OK) {
        e = snapshot_place_path(place, "join", path);
    }
    if (e == OK) {
        e = disk_remove_all(&place->disk, path);
    }
    if (e != OK && !why_said(why)) {
        why_set(why, "putting the joined ledger in its place: %s", err_text(e));
    }
    return e;
}

/* ---- Where we stand ---------------------------------------------------------------------------------------------- */

static void note_log(void *arg, const char *name) {
    bool *any = arg;
    *any = *any || strncmp(name, "block-", strlen("block-")) == 0;
}

/* Is there a block log? Then the state can be made again from it, and nothing is new. */
static enum err has_log(const struct snapshot_place *place, bool *out) {
    char path[DISK_PATH_MAX];
    *out = false;
    enum err e = snapshot_place_path(place, "blocks", path);
    if (e == OK) {
        e = place->disk.ops->list(place->disk.ctx, path, note_log, out);
    }
    return e == ERR_NOTFOUND ? OK : e;
}

static enum err read_own(struct kv_view *view, struct snapshot_own *own) {
    static const uint8_t last[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct chain_store_head head;
    struct bytes key, value;
    enum err e = chain_store_head(&host_crypto, view, &head);
    if (e == OK) {
        e = kv_seek_back(view, KV_EPOCHS, bytes_of(last, sizeof last), &key, &value);
    }
    if (e == OK && key.len == 8) {
        own->any = true;
        own->head = head.header;
        own->epoch = load_u64(key.data);
        buffer_put(&own->epoch_entry, value.data, value.len);
        e = buffer_ok(&own->epoch_entry);
    }
    return e;
}

/* What was final here must not be given up: nobody else may have it, and the vote journal builds on it. */
static enum err find_log(const struct snapshot_place *place, uint64_t segment_bytes, struct snapshot_own *own) {
    char path[DISK_PATH_MAX];
    struct seglog *log = NULL;
    enum err e = has_log(place, &own->has_log);
    if (e == OK) {
        e = snapshot_place_path(place, "blocks", path);
    }
    if (e != OK || !own->has_log) {
        return e;
    }
    const struct seglog_config config = {.disk = place->disk,
                                         .dir = path,
                                         .stem = "block",
                                         .segment_bytes = segment_bytes,
                                         .trusted_below = own->any ? own->head.height + 1 : 0};
    e = seglog_open(&config, NULL, NULL, &log);
    if (e == OK) {
        own->log_height = seglog_last(log);
    }
    seglog_close(log);
    return e == ERR_CORRUPT ? OK : e; /* for whoever opens the ledger to say */
}

enum err snapshot_own_find(const struct snapshot_place *place, uint64_t segment_bytes, struct snapshot_own *out) {
    char state[DISK_PATH_MAX];
    struct kv_backend backend;
    struct kv *kv = NULL;
    struct kv_view *view = NULL;
    enum err e = snapshot_place_path(place, "state", state);
    if (e == OK) {
        e = place->state.open(&place->state, state, true, &backend);
    }
    if (e == OK) {
        e = kv_open(backend, &kv);
    }
    if (e == OK) {
        e = kv_view_open(kv, &view);
    }
    if (e == OK) {
        e = read_own(view, out);
    }
    kv_view_close(view);
    kv_close(kv);
    /* Whatever is wrong with a store is for whoever opens it to say; a joined one takes its place only if asked for. */
    return e == ERR_NOMEM ? e : find_log(place, segment_bytes, out);
}

void snapshot_own_free(struct snapshot_own *own) {
    buffer_free(&own->epoch_entry);
}
