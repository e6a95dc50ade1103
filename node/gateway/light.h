/* The light client: state values from full nodes that may lie, each believed only with a quorum's proof.
 *
 * Every question goes to all sources at once, each asked by a thread of its own, so that one that hangs holds nobody
 * back. The newest answer that verifies wins; once there is one, the others have a short grace left. The height of what
 * was accepted never falls, also across restarts, and neither does the epoch. Trust starts from the genesis' validators
 * and follows the closing blocks of epochs from one set to the next.
 *
 * State file: chain id (32) | height (8) | block time ms (8) | epoch (8) | its validator set (verify/certificate.h).
 *
 * A source that sends a proof that does not verify is counted as lying and logged once until it does well again.
 *
 * Thread-safe: questions are asked one after another; light_status and light_head never wait for one.
 */
#ifndef ASSAY_NODE_GATEWAY_LIGHT_H
#define ASSAY_NODE_GATEWAY_LIGHT_H

#include "node/config.h"
#include "verify/bundle.h"

#define LIGHT_CALL_TIMEOUT_MS 3000 /* of one call to one source */
#define LIGHT_GRACE_MS 250         /* for the others, once one answer is good */
#define LIGHT_BUNDLE_MAX (256u * 1024u)
#define LIGHT_PATH_MAX 1024

struct light;

struct light_config {
    const struct genesis *genesis;        /* borrowed */
    const struct config_sources *sources; /* borrowed */
    const char *state_file;               /* copied */
    uint64_t freshness_ms;                /* a head older than this raises the freeze alarm */
};

/* ERR_CONFIG: a source is no http(s) URL; ERR_CORRUPT: the state file is not one of this chain. client_start was
 * called. */
NODISCARD enum err light_new(const struct light_config *config, struct light **out);
/* Ends questions that are being asked (they give ERR_CLOSED); light_free still has to wait for at most one call. */
void light_stop(struct light *light);
void light_free(struct light *light);
const uint8_t *light_chain_id(const struct light *light);

/* A proven answer; the buffers are the caller's and are replaced. */
struct light_value {
    bool present;
    struct buffer value;
    struct buffer bundle; /* the proof itself, to be passed on */
    uint64_t height;
    uint64_t time_ms;
};
#define LIGHT_VALUE_INIT ((struct light_value){0})
void light_value_free(struct light_value *value);

/* ERR_NETWORK: no source gave a proof that verifies. */
NODISCARD enum err light_get(struct light *light, const char *contract, struct bytes user_key, struct light_value *out);

/* Asks every source for something that carries no proof (lists that say where to look). `take` sees each answer, on the
 * caller's thread, and tells whether it was one; its URL is for logs. ERR_NETWORK when nobody gave one. */
NODISCARD enum err light_hints(struct light *light, const char *path, size_t limit,
                               bool (*take)(void *arg, struct bytes body), void *arg);

/* What is known of the head and the sources. */
struct light_head {
    uint64_t height;
    uint64_t time_ms;
    bool frozen; /* the newest head is older than the limit, or there is none yet */
};
struct light_source {
    const char *url;
    uint64_t answers;
    uint64_t failures; /* no answer, or one older than what is known */
    uint64_t lies;     /* answers that do not verify */
    char last_why[128];
};
struct light_status {
    struct light_head head;
    size_t source_count;
    struct light_source sources[CONFIG_SOURCES_MAX];
};
void light_head(struct light *light, struct light_head *out);
void light_status(struct light *light, struct light_status *out);

#endif
