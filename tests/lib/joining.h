/* A ledger, its snapshots, several servers of them, and a home that wants to join: what the tests of snapshots stand on. */
#ifndef ASSAY_TESTS_LIB_JOINING_H
#define ASSAY_TESTS_LIB_JOINING_H

#include "base/file.h"
#include "base/why.h"
#include "contracts/governance/governance.pb-c.h"
#include "node/api/api.h"
#include "node/home/home_chain.h"
#include "node/home/home_join.h"
#include "node/ledger/chain_store.h"
#include "node/ledger/chain_verify.h"
#include "node/snapshot/snapshot_bodies.h"
#include "node/snapshot/snapshot_install.h"
#include "node/snapshot/snapshot_make.h"
#include "node/snapshot/snapshots.h"
#include "store/snapshot_split.h"
#include "tests/lib/chain_fixture.h"

#define JOINING_CHUNK_BYTES 3000u /* small chunks, so that there are many */
#define JOINING_SOURCES 3

struct joining {
    struct chain_fixture ledger;
    char dir[JOINING_SOURCES][64]; /* of snapshots */
    struct snapshots *snapshots[JOINING_SOURCES];
    struct api api[JOINING_SOURCES];
    struct http_server *server[JOINING_SOURCES];
    char listen[JOINING_SOURCES][32]; /* "": any port */
    char url[JOINING_SOURCES][CONFIG_URL_MAX];
    const char *urls[JOINING_SOURCES];
    char home_dir[64];
    struct daemon_home home;
    struct checkpoint_file pin; /* HEIGHT:HASH */
    unsigned refused;           /* sources that lied */
    uint64_t stop_at;           /* bytes at which progress ends or kills; 0: never */
    bool kill;
    enum snapshot_join_part stop_part;
};

/* Final blocks of the ledger, each with so many new devices. */
void joining_blocks(struct joining *f, unsigned count, size_t devices);
/* A snapshot of the head, for this source to serve; its height is pinned. */
void joining_make(struct joining *f, size_t source);
/* The source answers, under url[i]. */
void joining_serve(struct joining *f, size_t i);
void joining_stop_serving(struct joining *f, size_t i);
/* An empty home of a validator that was never there. */
void joining_open_home(struct joining *f);
/* All of it, over a ledger of `count` blocks. */
void joining_open_all(struct joining *f, unsigned count, size_t devices);
void joining_close_all(struct joining *f);
/* Joins from the first `sources`; stops, or kills its process, where the fixture says. */
enum err joining_join(struct joining *f, size_t sources, struct snapshot_join_report *report, struct why *why);
/* The same, and it must have joined. */
void joining_succeeds(struct joining *f, size_t sources, struct snapshot_join_report *report);
void joining_write_bytes(const char *path, struct bytes bytes);
/* Changes one byte of a file of a snapshot. */
void joining_spoil(const struct joining *f, size_t source, const char *name, size_t at);
/* False when there is no such chunk. */
bool joining_spoil_chunk(const struct joining *f, size_t source, unsigned chunk);
/* The first validator goes, by the vote of all three organisations. */
void joining_close_first_epoch(struct joining *f);
/* Final blocks of the three that are left. */
void joining_blocks_of_second_epoch(struct joining *f, unsigned count, size_t devices);
/* The joined home has the ledger's state, index and bodies from `first` on, verifies, proves, and follows. */
void joining_is_as_good(struct joining *f, uint64_t height, uint64_t first);
/* Leaves the first body chunks out of a snapshot, as a source with one changed line would. */
void joining_shorten(struct joining *f, size_t source, uint32_t left_out);
/* What the ledger does next, the joined chain does as well. */
void joining_follows(struct joining *f, struct chain *joined);

#endif
