/* The seam between store/ and a disk: the few file operations the logs need. `disk_posix` is the real one; the
 * simulator gives its own, which can tear, lose and refuse writes.
 *
 * Everything a disk reports as synced must survive a power cut; what is written and not synced may be lost wholly, in
 * part, or in any order. That goes for names too: a file or folder that was made, renamed or removed is so for good
 * only when the folder it stands in has been synced (both folders, when it went from one to another), and a folder that
 * vanishes takes along all that is in it. What a process had written outlives its death, synced or not.
 */
#ifndef ASSAY_STORE_DISK_H
#define ASSAY_STORE_DISK_H

#include "base/bytes.h"

#define DISK_NAME_MAX 64

struct disk_file; /* opaque; made by a disk */

enum disk_kind { DISK_NOTHING, DISK_FILE, DISK_FOLDER };

struct disk_ops {
    /* Opens for reading and writing, making the file when `create`. ERR_NOTFOUND, ERR_IO, ERR_NOSPACE. */
    enum err (*open)(void *ctx, const char *path, bool create, struct disk_file **out);
    void (*close)(struct disk_file *file);
    enum err (*size)(struct disk_file *file, uint64_t *out_len);
    /* Whole span or an error; reading past the end is ERR_RANGE. */
    enum err (*read)(struct disk_file *file, uint64_t offset, void *out, size_t len);
    enum err (*write)(struct disk_file *file, uint64_t offset, const void *data, size_t len);
    /* fdatasync. After a failed sync nothing that was written since the last good one may be relied on. */
    enum err (*sync)(struct disk_file *file);
    /* A file, or a folder with nothing in it. */
    enum err (*remove)(void *ctx, const char *path);
    enum err (*rename)(void *ctx, const char *from, const char *to);
    enum err (*sync_dir)(void *ctx, const char *dir);
    /* One folder whose parent exists. ERR_EXISTS, ERR_NOTFOUND. disk_files.h has the one that makes parents and syncs.
     */
    enum err (*make_dir)(void *ctx, const char *path);
    enum err (*kind)(void *ctx, const char *path, enum disk_kind *out);
    /* Calls back once per name in the folder, any order. ERR_NOTFOUND. */
    enum err (*list)(void *ctx, const char *dir, void (*each)(void *arg, const char *name), void *arg);
};

struct disk {
    const struct disk_ops *ops;
    void *ctx;
};

struct disk disk_posix(void);
/* The same for looking only, also at what another process writes: files are opened for reading; writes, syncs, removals
 * and renames do nothing and succeed, so that a log can be opened that would want its torn tail cut. Nothing is made:
 * a missing folder is ERR_NOTFOUND. */
struct disk disk_posix_look(void);

#endif
