/* Whole small files, written so that a crash leaves the old or the new one, never half. */
#ifndef ASSAY_BASE_FILE_H
#define ASSAY_BASE_FILE_H

#include "base/buffer.h"

#include <limits.h>
#include <sys/types.h>

/* Reads a file of at most `limit` bytes, else ERR_TOOLARGE; appends to `out`. A pipe is read to its end, if its writer
 * says something within FILE_PIPE_MS (else ERR_TIMEOUT); ERR_NOFILE for a folder or socket. Never waits for ever. */
#define FILE_PIPE_MS 10000
NODISCARD enum err file_read(const char *path, size_t limit, struct buffer *out);
/* As file_read, but refuses with ERR_MODE a file that its group or others may read or write. */
NODISCARD enum err file_read_secret(const char *path, size_t limit, struct buffer *out);
/* Temporary file in the same folder, fsync, rename over `path`, fsync of the folder. */
NODISCARD enum err file_write_atomic(const char *path, struct bytes data, mode_t mode);
/* The same for what is written piece by piece into `fd`: a symbolic link is followed, and what is no regular file (a
 * pipe, a device) is written into. ERR_NOFILE for a folder or socket, and a pipe that nobody reads. After a beginning
 * that succeeded the end must follow: with an error it leaves nothing behind, and gives it back. */
struct file_out {
    int fd;
    char target[PATH_MAX], temporary[PATH_MAX]; /* "": written into */
};
NODISCARD enum err file_out_begin(struct file_out *out, const char *path, mode_t mode);
NODISCARD enum err file_out_end(struct file_out *out, enum err so_far);
/* All of it in one call. */
NODISCARD enum err file_write(const char *path, struct bytes data, mode_t mode);
/* Makes the folder and its parents (mode 0700), their entries durable; an existing folder is fine. */
NODISCARD enum err dir_make(const char *path);
/* Makes one folder, its entry durable. ERR_EXISTS, ERR_NOTFOUND (its parent). */
NODISCARD enum err dir_make_new(const char *path);
/* Makes renames and creations in the folder durable. */
NODISCARD enum err dir_sync(const char *path);

#endif
