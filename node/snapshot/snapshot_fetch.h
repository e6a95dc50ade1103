/* Fetching a snapshot from several full nodes at once.
 *
 * Sources are hints: a manifest is believed after node/snapshot/snapshot_verify.h, a chunk when it is what the manifest lists;
 * before that nothing is kept. A source that sends a wrong one is asked no more and named; one that is silent, slow or
 * no longer has the snapshot is left for the others.
 *
 * What arrived stands in a folder, a file a chunk, and is checked again when the work goes on after an interruption.
 * Memory: what is under way at once, at most SNAPSHOT_FETCH_BYTES and one chunk more. Belongs to one thread.
 */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOT_FETCH_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOT_FETCH_H

#include "node/host/config.h"
#include "node/snapshot/snapshot_transport.h"
#include "store/disk.h"
#include "store/snapshot.h"

#define SNAPSHOT_SOURCES_MAX 16
#define SNAPSHOT_FETCH_BYTES (32u << 20)

struct snapshot_fetch;

struct snapshot_fetch_config {
    struct snapshot_transport transport; /* what its ctx points to is borrowed */
    struct disk disk;                    /* for what arrives */
    const struct verify_crypto *crypto;
    /* False ends the work with ERR_CLOSED. */
    bool (*progress)(void *arg, uint64_t have, uint64_t total);
    /* A source is asked no more, or not for this snapshot: ERR_MISMATCH (it lied), ERR_NOTFOUND, ERR_TIMEOUT,
     * ERR_NETWORK. */
    void (*source_left)(void *arg, const char *url, enum err reason, const char *what);
    void *arg;
};

/* What somebody offers, unproven. */
struct snapshot_offer {
    uint64_t height;
    uint64_t time_ms;
    uint8_t content[HASH_LEN];
};

/* URLs are copied, those beyond SNAPSHOT_SOURCES_MAX ignored. */
NODISCARD enum err snapshot_fetch_new(const struct snapshot_fetch_config *config, const char *const *urls, size_t count,
                                      struct snapshot_fetch **out);
void snapshot_fetch_free(struct snapshot_fetch *fetch); /* NULL is fine */

/* Asks every source that has not lied what it has. `out_making` tells whether somebody makes one now. */
NODISCARD enum err snapshot_fetch_list(struct snapshot_fetch *fetch, bool *out_making);
/* The highest snapshot that is offered, or the one of this content id when it is not NULL; false when there is none. */
bool snapshot_fetch_best(const struct snapshot_fetch *fetch, const uint8_t *content, struct snapshot_offer *out);
/* Fetches a manifest of that content, from one source after the other; structure and content id have been checked.
 * `out_source` goes to snapshot_fetch_refuse if it is not to be believed. ERR_NOTFOUND: nobody gave it. */
NODISCARD enum err snapshot_fetch_manifest(struct snapshot_fetch *fetch, const struct snapshot_offer *offer,
                                           struct buffer *out, size_t *out_source);
/* A source lied: it is asked no more. */
void snapshot_fetch_refuse(struct snapshot_fetch *fetch, size_t source, const char *what);
/* So did everybody who offers this content. */
void snapshot_fetch_refuse_content(struct snapshot_fetch *fetch, const uint8_t content[HASH_LEN], const char *what);

/* And everybody who lists this content with another height or time than it has. */
void snapshot_fetch_refuse_false(struct snapshot_fetch *fetch, const struct snapshot_offer *proven);

/* Which chunks are wanted: the bodies and the state chunk that says how far back they must reach (snapshot_window.h),
 * or all of them. */
enum snapshot_part { SNAPSHOT_WINDOW, SNAPSHOT_WHOLE };
/* Fetches what is missing of a part in the folder `dir`, which exists. ERR_NOTFOUND: none of those who offered it has
 * it any more or answers; ERR_INVALID: the manifest lied about its body chunks; ERR_CLOSED; local faults. */
NODISCARD enum err snapshot_fetch_chunks(struct snapshot_fetch *fetch, const struct snapshot_manifest *manifest,
                                         enum snapshot_part part, const char *dir);
/* Bytes that came over the network and were kept. */
uint64_t snapshot_fetch_bytes(const struct snapshot_fetch *fetch);

#endif
