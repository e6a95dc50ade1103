/* A disk that forgets: every file has what is durable and, after it, the writes since the last sync. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 256
#define PATH_LEN 160

struct write {
    struct write *next;
    uint64_t offset;
    size_t len;
    uint8_t data[];
};

struct file {
    bool used;
    char path[PATH_LEN];
    struct buffer durable, current;
    struct write *first, *last; /* since the last sync */
};

struct disk_file {
    struct sim_disk *disk;
    struct file *file;
};

struct sim_disk {
    struct sim_random random;
    struct file files[FILES_MAX];
    bool stopped;
    uint64_t stop_after;
    bool sync_fails, lies, failed;
    uint64_t room; /* bytes that can still be written */
};

static bool halted(struct sim_disk *disk) {
    if (!disk->stopped && disk->stop_after > 0 && --disk->stop_after == 0) {
        disk->stopped = true;
    }
    return disk->stopped;
}

static void patch(struct buffer *b, uint64_t offset, const uint8_t *data, size_t len) {
    if (b->len < offset + len) {
        size_t more = (size_t)offset + len - b->len;
        memset(buffer_extend(b, more), 0, more);
    }
    memcpy(b->data + offset, data, len);
}

static void forget_writes(struct file *file) {
    while (file->first != NULL) {
        struct write *next = file->first->next;
        free(file->first);
        file->first = next;
    }
    file->last = NULL;
}

static void drop_file(struct file *file) {
    forget_writes(file);
    buffer_free(&file->durable);
    buffer_free(&file->current);
    memset(file, 0, sizeof *file);
}

static struct file *find(struct sim_disk *disk, const char *path) {
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (disk->files[i].used && strcmp(disk->files[i].path, path) == 0) {
            return &disk->files[i];
        }
    }
    return NULL;
}

static enum err disk_open(void *ctx, const char *path, bool create, struct disk_file **out) {
    struct sim_disk *disk = ctx;
    if (halted(disk)) {
        return ERR_IO;
    }
    struct file *file = find(disk, path);
    for (size_t i = 0; file == NULL && create && i < FILES_MAX; i++) {
        if (!disk->files[i].used) {
            file = &disk->files[i];
            file->used = true;
            (void)snprintf(file->path, sizeof file->path, "%s", path);
        }
    }
    if (file == NULL) {
        return ERR_NOTFOUND;
    }
    struct disk_file *handle = malloc(sizeof *handle);
    *handle = (struct disk_file){disk, file};
    *out = handle;
    return OK;
}

static void disk_close(struct disk_file *handle) {
    free(handle);
}

static enum err disk_size(struct disk_file *handle, uint64_t *out) {
    *out = handle->file->current.len;
    return halted(handle->disk) ? ERR_IO : OK;
}

static enum err disk_read(struct disk_file *handle, uint64_t offset, void *out, size_t len) {
    if (halted(handle->disk)) {
        return ERR_IO;
    }
    const struct buffer *b = &handle->file->current;
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
    if (halted(handle->disk)) {
        return ERR_IO;
    }
    size_t len = take_room(handle->disk, asked);
    struct write *w = malloc(sizeof *w + len);
    *w = (struct write){.offset = offset, .len = len};
    memcpy(w->data, data, len);
    struct file *file = handle->file;
    *(file->last != NULL ? &file->last->next : &file->first) = w;
    file->last = w;
    patch(&file->current, offset, data, len);
    return len == asked ? OK : ERR_NOSPACE;
}

static enum err disk_sync(struct disk_file *handle) {
    if (halted(handle->disk)) {
        return ERR_IO;
    }
    if (handle->disk->sync_fails) {
        /* As Linux does it: the pages count as clean from now on, and what they held never reaches the platter. */
        handle->disk->sync_fails = false;
        handle->disk->failed = true;
        forget_writes(handle->file);
        return ERR_IO;
    }
    if (handle->disk->lies) {
        return OK;
    }
    for (struct write *w = handle->file->first; w != NULL; w = w->next) {
        patch(&handle->file->durable, w->offset, w->data, w->len);
    }
    forget_writes(handle->file);
    return OK;
}

static enum err disk_remove(void *ctx, const char *path) {
    struct sim_disk *disk = ctx;
    struct file *file = find(disk, path);
    if (halted(disk)) {
        return ERR_IO;
    }
    if (file == NULL) {
        return ERR_NOTFOUND;
    }
    drop_file(file);
    return OK;
}

static enum err disk_rename(void *ctx, const char *from, const char *to) {
    struct sim_disk *disk = ctx;
    struct file *file = find(disk, from);
    struct file *over = find(disk, to);
    if (halted(disk)) {
        return ERR_IO;
    }
    if (file == NULL) {
        return ERR_NOTFOUND;
    }
    if (over != NULL) {
        drop_file(over);
    }
    (void)snprintf(file->path, sizeof file->path, "%s", to);
    return OK;
}

static enum err disk_sync_dir(void *ctx, const char *dir) {
    (void)dir;
    return halted(ctx) ? ERR_IO : OK;
}

static enum err disk_make_dir(void *ctx, const char *path) {
    (void)path;
    return halted(ctx) ? ERR_IO : OK;
}

static enum err disk_kind_of(void *ctx, const char *path, enum disk_kind *out) {
    *out = find(ctx, path) != NULL ? DISK_FILE : DISK_NOTHING;
    return halted(ctx) ? ERR_IO : OK;
}

static enum err disk_list(void *ctx, const char *dir, void (*each)(void *arg, const char *name), void *arg) {
    struct sim_disk *disk = ctx;
    size_t len = strlen(dir);
    if (halted(disk)) {
        return ERR_IO;
    }
    for (size_t i = 0; i < FILES_MAX; i++) {
        const char *path = disk->files[i].path;
        if (disk->files[i].used && strncmp(path, dir, len) == 0 && path[len] == '/') {
            each(arg, path + len + 1);
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

struct sim_disk *sim_disk_new(struct sim_random random) {
    struct sim_disk *disk = calloc(1, sizeof *disk);
    disk->random = random;
    disk->room = UINT64_MAX;
    return disk;
}

void sim_disk_free(struct sim_disk *disk) {
    for (size_t i = 0; disk != NULL && i < FILES_MAX; i++) {
        drop_file(&disk->files[i]);
    }
    free(disk);
}

struct disk sim_disk_ops(struct sim_disk *disk) {
    return (struct disk){&ops, disk};
}

/* Writes since the last sync reach the platter in any order, whole, in part, or not at all. */
static void crash_file(struct sim_random *random, struct file *file) {
    uint64_t mood = sim_below(random, 4); /* all lost, all kept, or each by chance */
    for (struct write *w = file->first; w != NULL; w = w->next) {
        bool kept = mood == 1 || (mood >= 2 && sim_chance(random, 500));
        size_t len = mood == 3 && kept ? (size_t)sim_below(random, w->len + 1) : w->len;
        if (kept) {
            patch(&file->durable, w->offset, w->data, len);
        }
    }
    forget_writes(file);
    buffer_reset(&file->current);
    buffer_put(&file->current, file->durable.data, file->durable.len);
}

void sim_disk_crash(struct sim_disk *disk) {
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (disk->files[i].used) {
            crash_file(&disk->random, &disk->files[i]);
        }
    }
}

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

bool sim_disk_rot(struct sim_disk *disk, const char *part) {
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct file *file = &disk->files[i];
        size_t written = file->durable.len;
        while (written > 0 && file->durable.data[written - 1] == 0) {
            written--;
        }
        if (file->used && strstr(file->path, part) != NULL && written > 2048) {
            size_t at = (size_t)sim_between(&disk->random, 64, written / 2);
            file->durable.data[at] ^= 0x10;
            file->current.data[at] ^= 0x10;
            return true;
        }
    }
    return false;
}

void sim_disk_replace(struct sim_disk *disk, const struct sim_disk *with) {
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct file *to = &disk->files[i];
        const struct file *from = &with->files[i];
        drop_file(to);
        if (from->used) {
            to->used = true;
            memcpy(to->path, from->path, sizeof to->path);
            buffer_put(&to->durable, from->durable.data, from->durable.len);
            buffer_put(&to->current, from->durable.data, from->durable.len);
        }
    }
}

struct sim_disk *sim_disk_copy(const struct sim_disk *disk) {
    struct sim_disk *copy = sim_disk_new(disk->random);
    sim_disk_replace(copy, disk);
    return copy;
}
