/* Fetching a whole image by its root CID from other nodes (or any trustless gateway) over HTTP(S).
 *
 * The root first, then the dag-pb nodes, then the leaves, each asked of one source at a time as a raw block, several at
 * once; a source that is done sooner is asked for more. A block is hashed before it is kept. A source that sends a
 * wrong one (or more bytes than a block may have) is banned for the rest of the fetch and reported; one that doesn't
 * have the image, fails three times in a row or is too slow is left for the others. URLs are hints: only the hash
 * counts.
 *
 * What arrived stays in the repository (ipfs-lite/repo_partial.h): the next fetch, also after a crash, goes on from
 * there. The image is visible only when whole and checked.
 *
 * Blocks its thread until the end; give it one. Any number may run at once, for different images.
 * curl_global_init has been called.
 */
#ifndef ASSAY_NODE_FETCH_BLOB_FETCH_H
#define ASSAY_NODE_FETCH_BLOB_FETCH_H

#include "base/why.h"
#include "ipfs-lite/repo.h"
#include "node/fetch/fetch_options.h"

#define BLOB_FETCH_SOURCES_MAX 16

struct blob_fetch_progress {
    uint64_t have;    /* verified bytes */
    uint64_t total;   /* 0 until the root is here */
    uint64_t resumed; /* of `have`: from an earlier fetch */
    uint64_t copied;  /* of `have`: from other images here */
    uint64_t fetched; /* bytes of verified blocks that came over the network, nodes included */
};

/* 0 and NULL mean the default in brackets. */
struct blob_fetch_options {
    uint64_t size;             /* what the release says; refused as soon as the root says otherwise [any] */
    const uint8_t *sha256;     /* SHA256_LEN, what the release says [any] */
    uint64_t max_size;         /* [the repository's] */
    uint64_t deadline_ms;      /* for everything [none] */
    struct fetch_options http; /* the token is for restricted images */
    uint32_t per_source;       /* transfers at once, up to 8 [4] */
    /* Called often; false ends the fetch with ERR_CLOSED. */
    bool (*progress)(void *arg, const struct blob_fetch_progress *progress);
    /* A source is asked no more: ERR_MISMATCH (it lied), ERR_NOTFOUND, ERR_NETWORK, ERR_TIMEOUT. */
    void (*source_left)(void *arg, const char *url, enum err reason, const char *what);
    void *arg;
};

/* `urls` are bases such as "http://127.0.0.1:26601". ERR_NETWORK or ERR_NOTFOUND: no source is left; ERR_TIMEOUT: the
 * deadline; ERR_MISMATCH: the image under this CID is not the one of `size` and `sha256`; ERR_TOOLARGE,
 * ERR_UNSUPPORTED, ERR_MALFORMED: it cannot be stored; ERR_BUSY: being fetched already; local faults. `out_why` says it
 * in words. */
NODISCARD enum err blob_fetch(struct repo *repo, const struct cid *root, const char *const *urls, size_t url_count,
                              const struct blob_fetch_options *options, struct repo_image *out, struct why *out_why);

#endif
