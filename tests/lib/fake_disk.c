#include "tests/lib/fake_disk.h"

struct fake_disk *fake_disk_new(uint64_t seed) {
    struct fake_disk *d = calloc(1, sizeof *d);
    d->dice.state = seed;
    d->syncs_before_fail = -1;
    (void)pthread_mutex_init(&d->lock, NULL);
    return d;
}

static void fake_forget_writes(struct fake_inode *inode) {
    for (size_t i = 0; i < inode->write_count; i++) {
        free(inode->writes[i].data);
    }
    free(inode->writes);
    inode->writes = NULL;
    inode->write_count = 0;
}

void fake_disk_free(struct fake_disk *d) {
    for (size_t i = 0; i < d->inode_count; i++) {
        fake_forget_writes(&d->inodes[i]);
        free(d->inodes[i].data);
        free(d->inodes[i].durable);
    }
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
}

struct fake_name *fake_name(struct fake_disk *d, const char *path) {
    for (size_t i = 0; i < FAKE_NAMES; i++) {
        if (strcmp(d->names[i].path, path) == 0) {
            return &d->names[i];
        }
    }
    return NULL;
}

struct fake_inode *fake_file(struct fake_disk *d, const char *path) {
    struct fake_name *name = fake_name(d, path);
    return name == NULL ? NULL : &d->inodes[name->inode];
}

static enum err fake_open(void *ctx, const char *path, bool create, struct disk_file **out) {
    struct fake_disk *d = ctx;
    (void)pthread_mutex_lock(&d->lock);
    struct fake_name *name = fake_name(d, path);
    enum err e = OK;
    if (name == NULL && create) {
        name = fake_name(d, "");
        if (name == NULL || d->inode_count == FAKE_FILES || d->dead) {
            e = ERR_IO;
        } else {
            strcpy(name->path, path);
            name->inode = d->inode_count++;
        }
    }
    if (e == OK && name == NULL) {
        e = ERR_NOTFOUND;
    }
    if (e == OK) {
        *out = malloc(sizeof **out);
        **out = (struct disk_file){d, name->inode};
    }
    (void)pthread_mutex_unlock(&d->lock);
    return e;
}

static void fake_close(struct disk_file *file) {
    free(file);
}

static enum err fake_size(struct disk_file *file, uint64_t *out_len) {
    *out_len = file->disk->inodes[file->inode].len;
    return OK;
}

static enum err fake_read(struct disk_file *file, uint64_t offset, void *out, size_t len) {
    const struct fake_inode *inode = &file->disk->inodes[file->inode];
    (void)pthread_mutex_lock(&file->disk->lock);
    enum err e = offset > inode->len || len > inode->len - offset ? ERR_RANGE : OK;
    if (e == OK) {
        memcpy(out, inode->data + offset, len);
    }
    (void)pthread_mutex_unlock(&file->disk->lock);
    return e;
}

static void fake_put(uint8_t **data, size_t *len, uint64_t offset, const uint8_t *bytes, size_t count) {
    if (offset + count > *len) {
        *data = realloc(*data, (size_t)offset + count);
        memset(*data + *len, 0, (size_t)offset + count - *len);
        *len = (size_t)offset + count;
    }
    memcpy(*data + offset, bytes, count);
}

enum err fake_write(struct disk_file *file, uint64_t offset, const void *data, size_t len) {
    struct fake_disk *d = file->disk;
    struct fake_inode *inode = &d->inodes[file->inode];
    (void)pthread_mutex_lock(&d->lock);
    enum err e = d->dead ? ERR_IO : OK;
    size_t beyond = offset + len > inode->len ? (size_t)offset + len - inode->len : 0;
    if (d->space != 0 && beyond >= d->space) {
        e = ERR_NOSPACE;
    } else if (d->space != 0) {
        d->space -= beyond;
    }
    if (e == OK) {
        fake_put(&inode->data, &inode->len, offset, data, len);
        inode->writes = realloc(inode->writes, (inode->write_count + 1) * sizeof *inode->writes);
        struct fake_write *w = &inode->writes[inode->write_count++];
        *w = (struct fake_write){offset, len, malloc(len + 1)};
        memcpy(w->data, data, len);
    }
    (void)pthread_mutex_unlock(&d->lock);
    return e;
}

static enum err fake_sync(struct disk_file *file) {
    struct fake_disk *d = file->disk;
    struct fake_inode *inode = &d->inodes[file->inode];
    if (d->dead) {
        return ERR_IO;
    }
    if (d->syncs_before_fail == 0) {
        fake_forget_writes(inode);
        inode->hollow = true;
        return ERR_IO;
    }
    (void)pthread_mutex_lock(&d->lock);
    d->syncs_before_fail -= d->syncs_before_fail > 0;
    d->syncs++;
    for (size_t i = 0; i < inode->write_count; i++) {
        const struct fake_write *w = &inode->writes[i];
        fake_put(&inode->durable, &inode->durable_len, w->offset, w->data, w->len);
    }
    fake_forget_writes(inode);
    (void)pthread_mutex_unlock(&d->lock);
    return OK;
}

enum err fake_remove(void *ctx, const char *path) {
    struct fake_disk *d = ctx;
    struct fake_name *name = fake_name(d, path);
    if (name == NULL || d->dead) {
        return name == NULL ? ERR_NOTFOUND : ERR_IO;
    }
    name->path[0] = '\0';
    return OK;
}

static enum err fake_rename(void *ctx, const char *from, const char *to) {
    struct fake_disk *d = ctx;
    struct fake_name *name = fake_name(d, from), *over = fake_name(d, to);
    if (name == NULL || d->dead) {
        return name == NULL ? ERR_NOTFOUND : ERR_IO;
    }
    if (over != NULL) {
        over->path[0] = '\0';
    }
    strcpy(name->path, to);
    return OK;
}

static enum err fake_sync_dir(void *ctx, const char *dir) {
    struct fake_disk *d = ctx;
    (void)dir;
    if (d->dead || d->syncs_before_fail == 0) {
        return ERR_IO;
    }
    memcpy(d->durable_names, d->names, sizeof d->names);
    return OK;
}

/* Folders are not told apart from names with a slash in them: they are there when something is in them. */
static enum err fake_make_dir(void *ctx, const char *path) {
    (void)path;
    return ((struct fake_disk *)ctx)->dead ? ERR_IO : OK;
}

static enum err fake_kind(void *ctx, const char *path, enum disk_kind *out) {
    struct fake_disk *d = ctx;
    size_t len = strlen(path);
    *out = fake_name(d, path) != NULL ? DISK_FILE : DISK_NOTHING;
    for (size_t i = 0; i < FAKE_NAMES && *out == DISK_NOTHING; i++) {
        bool inside = strncmp(d->names[i].path, path, len) == 0 && d->names[i].path[len] == '/';
        *out = inside ? DISK_FOLDER : DISK_NOTHING;
    }
    return OK;
}

static enum err fake_list(void *ctx, const char *dir, void (*each)(void *arg, const char *name), void *arg) {
    struct fake_disk *d = ctx;
    size_t len = strlen(dir);
    for (size_t i = 0; i < FAKE_NAMES; i++) {
        const char *path = d->names[i].path;
        if (strncmp(path, dir, len) == 0 && path[len] == '/') {
            each(arg, path + len + 1);
        }
    }
    return OK;
}

struct disk fake_disk_of(struct fake_disk *d) {
    static const struct disk_ops ops = {
        .open = fake_open,
        .close = fake_close,
        .size = fake_size,
        .read = fake_read,
        .write = fake_write,
        .sync = fake_sync,
        .remove = fake_remove,
        .rename = fake_rename,
        .sync_dir = fake_sync_dir,
        .make_dir = fake_make_dir,
        .kind = fake_kind,
        .list = fake_list,
    };
    return (struct disk){&ops, d};
}

static void fake_crash_inode(struct fake_disk *d, struct fake_inode *inode) {
    uint8_t *data = malloc(inode->durable_len + 1);
    size_t len = inode->durable_len;
    if (len > 0) {
        memcpy(data, inode->durable, len);
    }
    bool lose_all = dice_below(&d->dice, 4) == 0;
    for (size_t i = 0; i < inode->write_count && !lose_all; i++) {
        const struct fake_write *w = &inode->writes[i];
        for (size_t at = 0; at < w->len;) {
            size_t piece = FAKE_SECTOR - (size_t)((w->offset + at) % FAKE_SECTOR);
            piece = piece > w->len - at ? w->len - at : piece;
            if (dice_below(&d->dice, 3) != 0) {
                fake_put(&data, &len, w->offset + at, w->data + at, piece);
            }
            at += piece;
        }
    }
    free(inode->data);
    free(inode->durable);
    fake_forget_writes(inode);
    inode->data = data;
    inode->len = len;
    inode->durable = malloc(len + 1);
    memcpy(inode->durable, data, len);
    inode->durable_len = len;
    inode->hollow = false;
}

void fake_disk_crash(struct fake_disk *d) {
    for (size_t i = 0; i < d->inode_count; i++) {
        if (d->inodes[i].write_count > 0 || d->inodes[i].hollow) {
            fake_crash_inode(d, &d->inodes[i]);
        }
    }
    if (dice_below(&d->dice, 2) == 0) {
        memcpy(d->names, d->durable_names, sizeof d->names);
    }
    memcpy(d->durable_names, d->names, sizeof d->names);
    d->dead = false;
}
