/* Whole small files, written so that a crash leaves the old or the new one, never half. */
#ifndef ASSAY_BASE_FILE_H
#define ASSAY_BASE_FILE_H

#include "base/buffer.h"

#include <sys/types.h>

/* Reads a regular file of at most `limit` bytes, else ERR_TOOLARGE; appends to `out`. */
NODISCARD enum err file_read(const char *path, size_t limit, struct buffer *out);
/* As file_read, but refuses with ERR_MODE a file that its group or others may read or write. */
NODISCARD enum err file_read_secret(const char *path, size_t limit, struct buffer *out);
/* Temporary file in the same folder, fsync, rename over `path`, fsync of the folder. */
NODISCARD enum err file_write_atomic(const char *path, struct bytes data, mode_t mode);
/* Makes the folder and its parents (mode 0700), their entries durable; an existing folder is fine. */
NODISCARD enum err dir_make(const char *path);
/* Makes one folder, its entry durable. ERR_EXISTS, ERR_NOTFOUND (its parent). */
NODISCARD enum err dir_make_new(const char *path);
/* Makes renames and creations in the folder durable. */
NODISCARD enum err dir_sync(const char *path);

#endif
