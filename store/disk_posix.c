#include "store/disk.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct disk_file {
    int fd;
};

static enum err open_file(const char *path, int flags, struct disk_file **out) {
    struct disk_file *file = malloc(sizeof *file);
    if (file == NULL) {
        return ERR_NOMEM;
    }
    file->fd = open(path, flags | O_CLOEXEC, 0600);
    if (file->fd < 0) {
        enum err e = err_from_errno(errno);
        free(file);
        return e;
    }
    *out = file;
    return OK;
}

static enum err posix_open(void *ctx, const char *path, bool create, struct disk_file **out) {
    (void)ctx;
    return open_file(path, O_RDWR | (create ? O_CREAT : 0), out);
}

static void posix_close(struct disk_file *file) {
    if (file != NULL) {
        (void)close(file->fd);
        free(file);
    }
}

static enum err posix_size(struct disk_file *file, uint64_t *out_len) {
    struct stat st;
    if (fstat(file->fd, &st) != 0) {
        return err_from_errno(errno);
    }
    *out_len = (uint64_t)st.st_size;
    return OK;
}

static enum err posix_read(struct disk_file *file, uint64_t offset, void *out, size_t len) {
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = pread(file->fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_from_errno(errno);
        }
        if (n == 0) {
            return ERR_RANGE;
        }
        at += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return OK;
}

static enum err posix_write(struct disk_file *file, uint64_t offset, const void *data, size_t len) {
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t n = pwrite(file->fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? err_from_errno(errno) : ERR_IO;
        }
        at += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return OK;
}

static enum err posix_sync(struct disk_file *file) {
    return fdatasync(file->fd) == 0 ? OK : err_from_errno(errno);
}

static enum err posix_remove(void *ctx, const char *path) {
    (void)ctx;
    return remove(path) == 0 ? OK : err_from_errno(errno);
}

static enum err posix_rename(void *ctx, const char *from, const char *to) {
    (void)ctx;
    return rename(from, to) == 0 ? OK : err_from_errno(errno);
}

static enum err posix_sync_dir(void *ctx, const char *dir) {
    (void)ctx;
    return dir_sync(dir);
}

static enum err posix_make_dir(void *ctx, const char *path) {
    (void)ctx;
    return mkdir(path, 0700) == 0 ? OK : err_from_errno(errno);
}

static enum err posix_kind(void *ctx, const char *path, enum disk_kind *out) {
    struct stat st;
    (void)ctx;
    if (lstat(path, &st) == 0) {
        *out = S_ISDIR(st.st_mode) ? DISK_FOLDER : DISK_FILE;
        return OK;
    }
    if (errno != ENOENT && errno != ENOTDIR) {
        return err_from_errno(errno);
    }
    *out = DISK_NOTHING;
    return OK;
}

static enum err posix_list(void *ctx, const char *dir, void (*each)(void *arg, const char *name), void *arg) {
    enum err e;
    (void)ctx;
    DIR *d = opendir(dir);
    if (d == NULL) {
        return err_from_errno(errno);
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (entry == NULL) {
            e = err_from_errno(errno);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            each(arg, entry->d_name);
        }
    }
    (void)closedir(d);
    return e;
}

static const struct disk_ops posix_ops = {
    .open = posix_open,
    .close = posix_close,
    .size = posix_size,
    .read = posix_read,
    .write = posix_write,
    .sync = posix_sync,
    .remove = posix_remove,
    .rename = posix_rename,
    .sync_dir = posix_sync_dir,
    .make_dir = posix_make_dir,
    .kind = posix_kind,
    .list = posix_list,
};

struct disk disk_posix(void) {
    return (struct disk){.ops = &posix_ops, .ctx = NULL};
}

/* ---- Only looking ----------------------------------------------------------------------------------------------- */

static enum err look_open(void *ctx, const char *path, bool create, struct disk_file **out) {
    (void)ctx;
    return create ? ERR_DENIED : open_file(path, O_RDONLY, out);
}

static enum err look_write(struct disk_file *file, uint64_t offset, const void *data, size_t len) {
    (void)file;
    (void)offset;
    (void)data;
    (void)len;
    return OK;
}

static enum err look_sync(struct disk_file *file) {
    (void)file;
    return OK;
}

static enum err look_remove(void *ctx, const char *path) {
    (void)ctx;
    (void)path;
    return OK;
}

static enum err look_rename(void *ctx, const char *from, const char *to) {
    (void)ctx;
    (void)from;
    (void)to;
    return OK;
}

static enum err look_sync_dir(void *ctx, const char *dir) {
    (void)ctx;
    (void)dir;
    return OK;
}

static enum err look_make_dir(void *ctx, const char *path) {
    (void)ctx;
    (void)path;
    return OK;
}

static const struct disk_ops look_ops = {
    .open = look_open,
    .close = posix_close,
    .size = posix_size,
    .read = posix_read,
    .write = look_write,
    .sync = look_sync,
    .remove = look_remove,
    .rename = look_rename,
    .sync_dir = look_sync_dir,
    .make_dir = look_make_dir,
    .kind = posix_kind,
    .list = posix_list,
};

struct disk disk_posix_look(void) {
    return (struct disk){.ops = &look_ops, .ctx = NULL};
}
