#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err read_open(int fd, size_t limit, struct buffer *out) {
    size_t total = 0;
    for (;;) {
        uint8_t chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_from_errno(errno);
        }
        if (n == 0) {
            return buffer_ok(out);
        }
        total += (size_t)n;
        if (total > limit) {
            return ERR_TOOLARGE;
        }
        buffer_put(out, chunk, (size_t)n);
    }
}

static enum err read_file(const char *path, size_t limit, bool secret, struct buffer *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    struct stat st;
    enum err e = OK;
    if (fstat(fd, &st) != 0) {
        e = err_from_errno(errno);
    } else if (secret && (st.st_mode & 077) != 0) {
        e = ERR_MODE;
    } else {
        size_t before = out->len;
        e = read_open(fd, limit, out);
        if (e != OK) {
            out->len = before;
        }
    }
    (void)close(fd);
    return e;
}

enum err file_read(const char *path, size_t limit, struct buffer *out) {
    return read_file(path, limit, false, out);
}

enum err file_read_secret(const char *path, size_t limit, struct buffer *out) {
    return read_file(path, limit, true, out);
}

static enum err write_all(int fd, struct bytes data) {
    while (data.len > 0) {
        ssize_t n = write(fd, data.data, data.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_from_errno(errno);
        }
        data.data += n;
        data.len -= (size_t)n;
    }
    return fsync(fd) == 0 ? OK : err_from_errno(errno);
}

static enum err parent_of(const char *path, char out[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        memcpy(out, ".", 2);
        return OK;
    }
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    if (len >= PATH_MAX) {
        return ERR_TOOLARGE;
    }
    memcpy(out, path, len);
    out[len] = '\0';
    return OK;
}

enum err file_write_atomic(const char *path, struct bytes data, mode_t mode) {
    char parent[PATH_MAX];
    char temporary[PATH_MAX];
    enum err e = parent_of(path, parent);
    if (e != OK) {
        return e;
    }
    int n = snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temporary) {
        return ERR_TOOLARGE;
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    e = write_all(fd, data);
    if (close(fd) != 0 && e == OK) {
        e = err_from_errno(errno);
    }
    if (e == OK && rename(temporary, path) != 0) {
        e = err_from_errno(errno);
    }
    if (e != OK) {
        (void)unlink(temporary);
        return e;
    }
    return dir_sync(parent);
}

/* A folder's entry stands in its parent and is lost with it, with all that was synced inside. One that is there may be
 * what an earlier life made and was killed before it could sync; but not where the parent can't be opened, or lies on
 * a file system that takes no changes or has no sync of folders: that is not ours. */
static enum err sync_entry(const char *path, bool made) {
    char parent[PATH_MAX];
    enum err e = parent_of(path, parent);
    if (e != OK) {
        return e;
    }
    errno = 0;
    e = dir_sync(parent);
    bool not_ours = e == ERR_DENIED || e == ERR_MODE || errno == EINVAL || errno == EROFS;
    return made || !not_ours ? e : OK;
}

enum err dir_make_new(const char *path) {
    if (mkdir(path, 0700) != 0) {
        return err_from_errno(errno);
    }
    return sync_entry(path, true);
}

enum err dir_make(const char *path) {
    char partial[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof partial) {
        return ERR_TOOLARGE;
    }
    memcpy(partial, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (partial[i] != '/' && partial[i] != '\0') {
            continue;
        }
        char kept = partial[i];
        partial[i] = '\0';
        bool made = mkdir(partial, 0700) == 0;
        enum err e = made || errno == EEXIST ? sync_entry(partial, made) : err_from_errno(errno);
        if (e != OK) {
            return e;
        }
        partial[i] = kept;
    }
    return OK;
}

enum err dir_sync(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    enum err e = fsync(fd) == 0 ? OK : err_from_errno(errno);
    (void)close(fd);
    return e;
}
