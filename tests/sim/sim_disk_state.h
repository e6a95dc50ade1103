/* What the files of the simulated disk share (sim_disk.c, sim_names.c, sim_power.c, sim_store.c); nobody else includes
 * this. */
#ifndef ASSAY_SIM_DISK_STATE_H
#define ASSAY_SIM_DISK_STATE_H

#include "base/buffer.h"
#include "tests/sim/sim_disk.h"

#define SIM_PATH_LEN 160

struct write {
    struct write *next;
    uint64_t offset;
    size_t len;
    uint8_t data[];
};

/* A file or a folder, whatever it is called: names, changes and open files hold on to it. */
struct inode {
    unsigned references;
    bool folder;
    struct buffer platter, cache;
    struct write *first, *last; /* in the cache, not on the platter */
    size_t vouched;             /* up to here it was synced before something behind it was written and synced too */
    bool failed;                /* a sync of it did: nothing is vouched for any more */
    struct kv_backend store;    /* of a state store: such a file has no bytes; ops NULL: it is not one */
    struct kv_backend store_platter;
};

struct name {
    char path[SIM_PATH_LEN];
    struct inode *inode;
};

struct names {
    struct name *at;
    size_t count, cap;
};

/* Something that happened to names and is not durable. */
struct change {
    char from[SIM_PATH_LEN]; /* "": it was made */
    char to[SIM_PATH_LEN];   /* "": it was removed */
    struct inode *inode;     /* of what was made */
    bool from_synced, to_synced;
};

struct sim_disk {
    struct sim_random random;
    struct names now, durable;
    struct change *changes;
    size_t change_count, change_cap;
    bool stopped;
    uint64_t stop_after;
    bool sync_fails, lies, failed, lost_sync;
    uint64_t room; /* bytes that can still be written */
    size_t vanished;
};

/* Inodes: the last one to let go of it frees it. */
struct inode *inode_new(bool folder);
struct inode *inode_ref(struct inode *inode);
void inode_unref(struct inode *inode);
void inode_forget_writes(struct inode *inode);
/* Writes over what is there, and zeros into what is skipped. */
void inode_patch(struct buffer *bytes, uint64_t offset, const uint8_t *data, size_t len);
/* `to` becomes a store with what is in `from` now. */
void inode_copy_store(const struct kv_backend *from, struct kv_backend *to);

/* Names (sim_names.c). */
struct inode *names_find(const struct names *names, const char *path);
void names_add(struct names *names, const char *path, struct inode *inode);
void names_drop(struct names *names, size_t at);
void names_clear(struct names *names);
void names_apply(struct names *names, const struct change *change);
bool names_have_parent(const struct names *names, const char *path);
bool names_is_empty(const struct names *names, const char *dir);
bool path_is_below(const char *path, const char *dir); /* at any depth */
bool path_stands_in(const char *path, const char *dir);

/* Does it now, and notes that it is not durable. An empty `from`: made; an empty `to`: removed. */
void disk_change(struct sim_disk *disk, const char *from, const char *to, struct inode *inode);
void disk_forget_changes(struct sim_disk *disk);
/* All names, and all that only they held. */
void disk_empty(struct sim_disk *disk);
/* All that was changed in the folder is durable now, unless it builds on what is not. */
void disk_settle(struct sim_disk *disk, const char *dir);
/* Do both touch a folder? Then the second can't be there without the first. */
bool change_follows(const struct change *change, const struct change *earlier);

/* One operation passes: is the process dead by now? */
bool disk_halted(struct sim_disk *disk);
/* Whether this sync is the one that fails. */
bool disk_sync_fails(struct sim_disk *disk);

#endif
