/* Whole files and folders on a disk (disk.h), for what is more than a log: each of these is durable when it returns, so
 * that a power cut at any moment leaves the old or the new, never half. */
#ifndef ASSAY_STORE_DISK_FILES_H
#define ASSAY_STORE_DISK_FILES_H

#include "base/buffer.h"
#include "store/disk.h"

#define DISK_PATH_MAX 1024u

/* Makes the folder and the parents that are missing; one that exists is fine. Its name is made durable also when it was
 * there: whoever made it may have died before that. */
NODISCARD enum err disk_make_folder(const struct disk *disk, const char *path);
/* Appends a file of at most `limit` bytes. ERR_NOTFOUND, ERR_TOOLARGE. */
NODISCARD enum err disk_read_file(const struct disk *disk, const char *path, uint64_t limit, struct buffer *out);
/* Puts a file in the place of the one there was, if any: a temporary file beside it, synced, renamed. */
NODISCARD enum err disk_write_file(const struct disk *disk, const char *path, struct bytes data);
/* Removes a file, or a folder with all that is in it; nothing there is fine. The name itself is gone for good only
 * when its folder has been synced. */
NODISCARD enum err disk_remove_all(const struct disk *disk, const char *path);

#endif
