#include "store/home_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* An open-file-description lock (Linux): unlike a POSIX lock it survives another close of the file in this process and
 * conflicts with a second lock of the same process; unlike flock it can be asked about without being taken. */
struct home_lock {
    int fd;
};

static enum err lock_path(const char *dir, char out[PATH_MAX]) {
    int n = snprintf(out, PATH_MAX, "%s/lock", dir);
    return n > 0 && n < PATH_MAX ? OK : ERR_TOOLARGE;
}

static enum err write_pid(int fd) {
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        return err_from_errno(errno);
    }
    return OK;
}

enum err home_lock_take(const char *dir, struct home_lock **out) {
    char path[PATH_MAX];
    enum err e = lock_path(dir, path);
    if (e != OK) {
        return e;
    }
    struct home_lock *lock = malloc(sizeof *lock);
    if (lock == NULL) {
        return ERR_NOMEM;
    }
    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (lock->fd < 0) {
        e = errno == ELOOP ? ERR_NOFILE : err_from_errno(errno); /* a link: whose file would be written? */
        goto free_lock;
    }
    struct stat st;
    if (fstat(lock->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        e = ERR_NOFILE;
        goto close_file;
    }
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(lock->fd, F_OFD_SETLK, &whole) != 0) {
        e = errno == EACCES ? ERR_BUSY : err_from_errno(errno); /* EAGAIN is ERR_BUSY already */
        goto close_file;
    }
    e = write_pid(lock->fd);
    if (e != OK) {
        goto close_file;
    }
    *out = lock;
    return OK;
close_file:
    (void)close(lock->fd);
free_lock:
    free(lock);
    return e;
}

void home_lock_release(struct home_lock *lock) {
    if (lock != NULL) {
        (void)close(lock->fd);
        free(lock);
    }
}

enum err home_lock_holder(const char *dir, long *out_pid) {
    char path[PATH_MAX];
    enum err e = lock_path(dir, path);
    if (e != OK) {
        return e;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    char text[32] = "";
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_GETLK, &whole) != 0 || pread(fd, text, sizeof text - 1, 0) < 0) {
        e = err_from_errno(errno);
    } else if (whole.l_type == F_UNLCK) {
        e = ERR_NOTFOUND;
    }
    (void)close(fd);
    if (e != OK) {
        return e;
    }
    char *end;
    errno = 0;
    long pid = strtol(text, &end, 10);
    if (errno != 0 || end == text || pid <= 0) {
        return ERR_MALFORMED;
    }
    *out_pid = pid;
    return OK;
}
