/* One process per home: a lock on the file "lock" in a folder, held as long as the process lives or until it is
 * released.
 *
 * The operating system drops the lock when its holder dies, however it dies; the file stays, and holds the pid of the
 * last holder in decimal so that a person can be told who is in the way.
 */
#ifndef ASSAY_STORE_HOME_LOCK_H
#define ASSAY_STORE_HOME_LOCK_H

#include "base/error.h"

struct home_lock;

/* ERR_BUSY when another process, or another lock in this one, holds it. The folder must exist. */
NODISCARD enum err home_lock_take(const char *dir, struct home_lock **out);
void home_lock_release(struct home_lock *lock); /* NULL is fine */
/* Pid of the holder; ERR_NOTFOUND when nobody holds the lock. */
NODISCARD enum err home_lock_holder(const char *dir, long *out_pid);

#endif
