/* A disk in memory that forgets: on a crash each 512-byte sector written since the last sync is kept or lost by a roll
 * of the dice, and so are names made since the folder was last synced. It can also refuse to sync, after which what was
 * written reads well and will never be on the platter by itself, and run full. */
#ifndef ASSAY_TESTS_LIB_FAKE_DISK_H
#define ASSAY_TESTS_LIB_FAKE_DISK_H

#include "store/disk.h"
#include "tests/lib/hashing.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_FILES 4096
#define FAKE_NAMES 64
#define FAKE_SECTOR 512u

struct fake_write {
    uint64_t offset;
    size_t len;
    uint8_t *data;
};

struct fake_inode {
    uint8_t *data, *durable;
    size_t len, durable_len;
    struct fake_write *writes; /* since the last sync */
    size_t write_count;
    bool hollow; /* a sync failed: what is read is not all that the platter has or will get */
};

struct fake_name {
    char path[128]; /* "": free */
    size_t inode;
};

struct fake_disk {
    pthread_mutex_t lock;
    struct dice dice;
    struct fake_inode inodes[FAKE_FILES];
    size_t inode_count;
    struct fake_name names[FAKE_NAMES], durable_names[FAKE_NAMES];
    bool dead;             /* nothing is written any more: the process is gone */
    int syncs_before_fail; /* -1: never fails */
    size_t space;          /* bytes that may be written beyond the ends of files; 0: any number */
    size_t syncs;
};

struct disk_file {
    struct fake_disk *disk;
    size_t inode;
};

struct fake_disk *fake_disk_new(uint64_t seed);
void fake_disk_free(struct fake_disk *d);
struct fake_name *fake_name(struct fake_disk *d, const char *path);

/* The bytes of a file, to be looked at and tampered with. */
struct fake_inode *fake_file(struct fake_disk *d, const char *path);
enum err fake_write(struct disk_file *file, uint64_t offset, const void *data, size_t len);
enum err fake_remove(void *ctx, const char *path);

struct disk fake_disk_of(struct fake_disk *d);

/* The power is back: what a crash left. Close everything (with `dead` set) before. */
void fake_disk_crash(struct fake_disk *d);

#endif
