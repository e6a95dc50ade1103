/* What goes wrong with a disk: power, and faults of its own. */
#include "tests/sim/sim_disk_state.h"

#include <stdlib.h>
#include <string.h>

/* ---- Power ------------------------------------------------------------------------------------------------------- */

/* Writes that were under way reach the platter in any order, whole, in part, or not at all. */
static void cut_file(struct sim_random *random, struct inode *inode) {
    uint64_t mood = sim_below(random, 4); /* all lost, all kept, or each by chance */
    for (const struct write *w = inode->first; w != NULL; w = w->next) {
        bool kept = mood == 1 || (mood >= 2 && sim_chance(random, 500));
        size_t len = mood == 3 && kept ? (size_t)sim_below(random, w->len + 1) : w->len;
        if (kept) {
            inode_patch(&inode->platter, w->offset, w->data, len);
        }
    }
    inode_forget_writes(inode);
    buffer_reset(&inode->cache);
    buffer_put(&inode->cache, inode->platter.data, inode->platter.len);
    inode_copy_store(&inode->store_platter, &inode->store);
}

/* Of each folder's changes the first so many stay, or all, or none. */
static void cut_names(struct sim_disk *disk) {
    uint64_t mood = sim_below(&disk->random, 3);
    size_t lost = 0;
    for (size_t i = 0; i < disk->change_count; i++) {
        struct change change = disk->changes[i];
        bool kept = mood == 1 || (mood == 2 && sim_chance(&disk->random, 700));
        for (size_t k = 0; k < lost && kept; k++) {
            kept = !change_follows(&change, &disk->changes[k]);
        }
        if (kept) {
            names_apply(&disk->durable, &change);
            inode_unref(change.inode);
        } else {
            disk->changes[lost++] = change;
        }
    }
    disk->change_count = lost;
    disk->vanished += lost;
    disk_forget_changes(disk);
}

/* What stands in a folder that is not there is not there. */
static void drop_orphans(struct names *names) {
    for (size_t i = 0; i < names->count;) {
        if (names_have_parent(names, names->at[i].path)) {
            i++;
        } else {
            names_drop(names, i);
            i = 0;
        }
    }
}

void sim_disk_power_cut(struct sim_disk *disk) {
    cut_names(disk);
    drop_orphans(&disk->durable);
    names_clear(&disk->now);
    for (size_t i = 0; i < disk->durable.count; i++) {
        cut_file(&disk->random, disk->durable.at[i].inode);
        names_add(&disk->now, disk->durable.at[i].path, disk->durable.at[i].inode);
    }
    disk->lost_sync = false;
}

size_t sim_disk_vanished(struct sim_disk *disk) {
    size_t vanished = disk->vanished;
    disk->vanished = 0;
    return vanished;
}

/* ---- Faults ------------------------------------------------------------------------------------------------------ */

void sim_disk_stop(struct sim_disk *disk, bool stopped) {
    disk->stopped = stopped;
    disk->stop_after = 0;
}

void sim_disk_stop_after(struct sim_disk *disk, uint64_t operations) {
    disk->stop_after = operations;
}

bool sim_disk_stopped(const struct sim_disk *disk) {
    return disk->stopped;
}

void sim_disk_fail_sync(struct sim_disk *disk) {
    disk->sync_fails = true;
}

bool sim_disk_lost_sync(const struct sim_disk *disk) {
    return disk->lost_sync;
}

void sim_disk_set_room(struct sim_disk *disk, uint64_t bytes) {
    disk->room = bytes;
}

void sim_disk_set_lies(struct sim_disk *disk, bool lies) {
    disk->lies = lies;
}

void sim_disk_mend(struct sim_disk *disk) {
    disk->stop_after = 0;
    disk->room = UINT64_MAX;
    disk->lies = disk->sync_fails = false;
}

bool sim_disk_failed(struct sim_disk *disk) {
    bool failed = disk->failed;
    disk->failed = false;
    return failed;
}

bool sim_disk_rot(struct sim_disk *disk, const char *part, bool *out_vouched) {
    for (size_t i = 0; i < disk->durable.count; i++) {
        struct inode *inode = disk->durable.at[i].inode;
        size_t written = inode->platter.len;
        while (written > 0 && inode->platter.data[written - 1] == 0) {
            written--;
        }
        const char *path = disk->durable.at[i].path;
        bool in_use = strstr(path, part) != NULL && strstr(path, ".log") != NULL;
        if (in_use && written > 2048) {
            size_t at = (size_t)sim_between(&disk->random, 64, written / 2);
            while (inode->platter.data[at] == 0) {
                at++; /* what fills up between records bears nothing */
            }
            inode->platter.data[at] ^= 0x10;
            inode->cache.data[at] ^= 0x10;
            *out_vouched = at < inode->vouched && !inode->failed;
            return true;
        }
    }
    return false;
}

bool sim_disk_lose(struct sim_disk *disk, const char *dir) {
    struct names *const both[] = {&disk->now, &disk->durable};
    bool any = false;
    size_t kept = 0;
    for (size_t i = 0; i < disk->change_count; i++) {
        if (path_is_below(disk->changes[i].from, dir) || path_is_below(disk->changes[i].to, dir)) {
            inode_unref(disk->changes[i].inode);
        } else {
            disk->changes[kept++] = disk->changes[i];
        }
    }
    disk->change_count = kept;
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = both[k]->count; i-- > 0;) {
            if (path_is_below(both[k]->at[i].path, dir)) {
                names_drop(both[k], i);
                any = true;
            }
        }
    }
    return any;
}

static void fill(struct sim_disk *disk, const struct sim_disk *from, bool as_seen) {
    const struct names *names = as_seen ? &from->now : &from->durable;
    disk_empty(disk);
    for (size_t i = 0; i < names->count; i++) {
        const struct inode *old = names->at[i].inode;
        const struct buffer *bytes = as_seen ? &old->cache : &old->platter;
        const struct kv_backend *store = as_seen ? &old->store : &old->store_platter;
        struct inode *inode = inode_new(old->folder);
        buffer_put(&inode->platter, bytes->data, bytes->len);
        buffer_put(&inode->cache, bytes->data, bytes->len);
        inode_copy_store(store, &inode->store);
        inode_copy_store(store, &inode->store_platter);
        names_add(&disk->durable, names->at[i].path, inode);
        names_add(&disk->now, names->at[i].path, inode);
    }
}

void sim_disk_replace(struct sim_disk *disk, const struct sim_disk *with) {
    fill(disk, with, false);
}

struct sim_disk *sim_disk_copy(const struct sim_disk *disk, bool as_seen) {
    struct sim_disk *copy = sim_disk_new(disk->random);
    fill(copy, disk, as_seen);
    return copy;
}
