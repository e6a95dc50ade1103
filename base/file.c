#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whoever writes into a pipe may take a moment. */
static enum err wait_for_writer(int fd) {
    struct pollfd look = {.fd = fd, .events = POLLIN};
    int ready;
    do {
        ready = poll(&look, 1, FILE_PIPE_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready < 0) {
        return err_from_errno(errno);
    }
    return ready > 0 ? OK : ERR_TIMEOUT;
}

static enum err read_open(int fd, bool is_pipe, size_t limit, struct buffer *out) {
    size_t total = 0;
    for (;;) {
        uint8_t chunk[4096];
        enum err e = is_pipe ? wait_for_writer(fd) : OK;
        if (e != OK) {
            return e;
        }
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
    /* Opening a pipe waits for its other end, unless told not to. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    struct stat st;
    enum err e = OK;
    if (fstat(fd, &st) != 0) {
        e = err_from_errno(errno);
    } else if (S_ISDIR(st.st_mode)) {
        e = ERR_NOFILE;
    } else if (secret && (st.st_mode & 077) != 0) {
        e = ERR_MODE;
    } else {
        size_t before = out->len;
        e = read_open(fd, S_ISFIFO(st.st_mode), limit, out);
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

static enum err write_bytes(int fd, struct bytes data) {
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
    return OK;
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

/* ---- A file that appears whole or not at all ---- */

/* Opens the temporary file beside `out->target`. */
static enum err begin_beside(struct file_out *out, mode_t mode) {
    int n = snprintf(out->temporary, sizeof out->temporary, "%s.%ld.tmp", out->target, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof out->temporary) {
        return ERR_TOOLARGE;
    }
    out->fd = open(out->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    return out->fd >= 0 ? OK : err_from_errno(errno);
}

static enum err set_target(struct file_out *out, const char *path) {
    int n = snprintf(out->target, sizeof out->target, "%s", path);
    return n >= 0 && (size_t)n < sizeof out->target ? OK : ERR_TOOLARGE;
}

/* Where a link leads to which nothing is yet. */
static enum err follow_link(struct file_out *out, const char *path) {
    char link[PATH_MAX], parent[PATH_MAX];
    ssize_t len = readlink(path, link, sizeof link - 1);
    if (len < 0) {
        return set_target(out, path);
    }
    link[len] = '\0';
    enum err e = parent_of(path, parent);
    bool as_is = link[0] == '/';
    int n = snprintf(out->target, sizeof out->target, "%s%s%s", as_is ? "" : parent, as_is ? "" : "/", link);
    return e == OK && (n < 0 || (size_t)n >= sizeof out->target) ? ERR_TOOLARGE : e;
}

/* A pipe's end is opened without waiting for its reader, and then written to as its reader reads. */
static enum err begin_into(struct file_out *out, const char *path) {
    out->fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (out->fd < 0) {
        return err_from_errno(errno);
    }
    if (fcntl(out->fd, F_SETFL, 0) != 0) {
        (void)close(out->fd);
        return err_from_errno(errno);
    }
    return OK;
}

enum err file_out_begin(struct file_out *out, const char *path, mode_t mode) {
    struct stat st;
    enum err e;
    *out = (struct file_out){.fd = -1};
    if (stat(path, &st) != 0) {
        e = follow_link(out, path);
    } else if (S_ISREG(st.st_mode)) {
        e = realpath(path, out->target) != NULL ? OK : err_from_errno(errno);
    } else {
        return S_ISDIR(st.st_mode) || S_ISSOCK(st.st_mode) ? ERR_NOFILE : begin_into(out, path);
    }
    return e == OK ? begin_beside(out, mode) : e;
}

enum err file_out_end(struct file_out *out, enum err so_far) {
    char parent[PATH_MAX];
    enum err e = so_far;
    bool beside = out->temporary[0] != '\0';
    if (e == OK && beside && fsync(out->fd) != 0) {
        e = err_from_errno(errno);
    }
    if (close(out->fd) != 0 && e == OK) {
        e = err_from_errno(errno);
    }
    if (!beside) {
        return e;
    }
    if (e == OK && rename(out->temporary, out->target) != 0) {
        e = err_from_errno(errno);
    }
    if (e != OK) {
        (void)unlink(out->temporary);
        return e;
    }
    e = parent_of(out->target, parent);
    return e == OK ? dir_sync(parent) : e;
}

enum err file_write(const char *path, struct bytes data, mode_t mode) {
    struct file_out out;
    enum err e = file_out_begin(&out, path, mode);
    return e == OK ? file_out_end(&out, write_bytes(out.fd, data)) : e;
}

/* A link at that place is replaced itself. */
enum err file_write_atomic(const char *path, struct bytes data, mode_t mode) {
    struct file_out out = {.fd = -1};
    enum err e = set_target(&out, path);
    if (e == OK) {
        e = begin_beside(&out, mode);
    }
    return e == OK ? file_out_end(&out, write_bytes(out.fd, data)) : e;
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
