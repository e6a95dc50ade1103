/* The light client: state values from full nodes that may lie, each believed only with a quorum's proof.
 *
 * Every question goes to all sources at once (light_ask.h) and the newest answer that verifies wins. The height of what
 * was accepted never falls, also across restarts, and neither does the epoch. Trust starts from the genesis' validators
 * or a checkpoint (light_trust.h) and follows the closing blocks of epochs from one set to the next.
 *
 * A proof whose head is older than the limit is refused, however true it is. The limit goes by the chain's heartbeat,
 * which is a parameter that organisations vote on: it is proven first, again every LIGHT_PARAMS_MS, and judged by
 * itself, since a block's state says how soon the next one was due. A chain without a heartbeat has no limit.
 *
 * A source that sends a proof that does not verify is counted as lying and logged once until it does well again.
 *
 * Thread-safe: questions are asked one after another; light_status and light_head never wait for one.
 */
#ifndef ASSAY_NODE_GATEWAY_LIGHT_H
#define ASSAY_NODE_GATEWAY_LIGHT_H

#include "base/why.h"
#include "node/gateway/light_ask.h"
#include "node/gateway/light_trust.h"

#define LIGHT_PARAMS_MS 5000 /* between two looks at the chain's heartbeat */
#define LIGHT_BUNDLE_MAX (256u * 1024u)

struct light;

struct light_config {
    const struct genesis *genesis;        /* borrowed */
    const struct config_sources *sources; /* borrowed */
    const char *state_file;               /* copied */
    uint64_t freshness_ms;                /* the limit, unless three heartbeats are more */
    const struct checkpoint *checkpoint;  /* NULL: none. Borrowed during the call. */
};

/* ERR_CONFIG: a source is no http(s) URL; ERR_CORRUPT: the state file is not one of this chain; ERR_MISMATCH: the
 * checkpoint is of another chain, ERR_INVALID: it contradicts the state file; ERR_DENIED: what trust rests on is older
 * than the trusting period. client_start was called. */
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

/* ERR_NETWORK: no source gave a proof that verifies and is fresh; ERR_DENIED: trust is older than the trusting period.
 */
NODISCARD enum err light_get(struct light *light, const char *contract, struct bytes user_key, struct light_value *out);
/* Proves the chain's heartbeat, and with it the newest head, now. Errors of light_get. */
NODISCARD enum err light_refresh(struct light *light);

/* What this source named in a list has turned out not to exist. */
void light_blame(struct light *light, size_t source, const char *why);
/* Asks every source for something that carries no proof (lists that say where to look). `take` sees each answer, on the
 * caller's thread, with the number of its source, and tells whether it was one. ERR_NETWORK when nobody gave one. */
NODISCARD enum err light_hints(struct light *light, const char *path, size_t limit,
                               bool (*take)(void *arg, size_t source, struct bytes body), void *arg);

/* What is known of the head and the sources. */
struct light_head {
    uint64_t height;
    uint64_t time_ms;
    uint64_t max_lifetime_ms; /* of a transaction, as the organisations had it when that was last proven */
    enum verdict verdict;     /* of light_trust_judge, now */
    bool frozen;              /* it is not GOOD: nothing may be answered from this head as if it were current */
};
struct light_status {
    struct light_head head;
    uint64_t age_ms;   /* of the head, 0 when its time is ahead of our clock */
    uint64_t start_ms; /* what trust rests on: its time, and what it is */
    enum light_origin origin;
    bool heartbeat_known;
    uint32_t heartbeat_ms;
    uint64_t limit_ms;   /* 0: the chain has no heartbeat, so no head is too old */
    uint16_t validators; /* of the newest epoch that was proven */
    size_t source_count;
    struct light_source sources[CONFIG_SOURCES_MAX];
};
void light_head(struct light *light, struct light_head *out);
/* May what was proven of a block of this time be given as what holds now? */
bool light_is_current(struct light *light, uint64_t time_ms);
void light_status(struct light *light, struct light_status *out);

/* Why nothing is answered, and what to do; nothing is said when all is well. */
void light_explain(const struct light_status *status, struct why *out);

#endif
