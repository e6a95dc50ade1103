/* The simulated disk of a node (sim_disk.c): what its processes leave behind, and how it is lost.
 *
 * It has one folder at first, SIM_HOME. Operations fail without effect while it is stopped, as for a process that is
 * being killed.
 */
#ifndef ASSAY_SIM_DISK_H
#define ASSAY_SIM_DISK_H

#include "store/disk.h"
#include "store/kv.h"
#include "tests/sim/sim_random.h"

#define SIM_HOME "home"

struct sim_disk;
struct sim_disk *sim_disk_new(struct sim_random random);
void sim_disk_free(struct sim_disk *disk);
struct disk sim_disk_ops(struct sim_disk *disk);
/* State stores on it: a commit is one operation, durable or without effect. */
struct kv_opener sim_disk_state(struct sim_disk *disk);
/* An operation that does nothing: false when the process is dead by now. */
bool sim_disk_alive(struct sim_disk *disk);

/* Power goes: the page cache with it, and what was under way is lost, torn, or kept, as chance has it. (That a process
 * dies needs no call: the cache stays.) */
void sim_disk_power_cut(struct sim_disk *disk);
/* How many changes of names power cuts have undone since this was last asked. */
size_t sim_disk_vanished(struct sim_disk *disk);
/* From now on every operation fails without effect. */
void sim_disk_stop(struct sim_disk *disk, bool stopped);
/* The disk stops by itself after that many more operations; 0: never. */
void sim_disk_stop_after(struct sim_disk *disk, uint64_t operations);
bool sim_disk_stopped(const struct sim_disk *disk);
/* The next sync fails: what it should have made durable is in the cache alone, and counts as written. */
void sim_disk_fail_sync(struct sim_disk *disk);
/* Has a sync failed since power was last cut? */
bool sim_disk_lost_sync(const struct sim_disk *disk);
/* So many more bytes can be written; UINT64_MAX: no limit. */
void sim_disk_set_room(struct sim_disk *disk, uint64_t bytes);
/* With `lies`, a sync says it is done and does nothing. */
void sim_disk_set_lies(struct sim_disk *disk, bool lies);
/* From now on it is a good disk. */
void sim_disk_mend(struct sim_disk *disk);
/* Did it fail an operation of its own accord since this was last asked? */
bool sim_disk_failed(struct sim_disk *disk);
/* Flips a bit in the written middle of a file whose path contains `part`; false when there is none.
 * `*out_vouched`: the file itself tells that this had been synced. */
bool sim_disk_rot(struct sim_disk *disk, const char *part, bool *out_vouched);
/* Somebody empties the folder, for good; false when there was nothing in it. */
bool sim_disk_lose(struct sim_disk *disk, const char *dir);
/* A copy of what is durable, or of what a process sees, and putting one in the place of all there is. */
struct sim_disk *sim_disk_copy(const struct sim_disk *disk, bool as_seen);
void sim_disk_replace(struct sim_disk *disk, const struct sim_disk *with);

#endif
