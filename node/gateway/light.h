/* The light client: state values from full nodes that may lie, each believed only with a quorum's proof.
 *
 * Every question goes to all sources; the newest answer that verifies wins, so a single frozen or lying node can't hold
 * the gateway back. The height of what was accepted never falls, also across restarts (file HOME/data/light).
 *
 * Thread-safe: one question at a time.
 */
#ifndef ASSAY_NODE_GATEWAY_LIGHT_H
#define ASSAY_NODE_GATEWAY_LIGHT_H

#include "node/config.h"
#include "verify/bundle.h"

struct light;

struct light_config {
    const struct genesis *genesis;       /* borrowed */
    const struct config_sources *sources; /* borrowed */
    const char *state_file;              /* copied */
    uint64_t freshness_ms;               /* a head older than this raises the freeze alarm */
};

NODISCARD enum err light_new(const struct light_config *config, struct light **out);
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
void light_value_free(struct light_value *value);

/* ERR_NETWORK: no source gave a proof that verifies. */
NODISCARD enum err light_get(struct light *light, const char *contract, struct bytes user_key,
                             struct light_value *out);

/* What is known of the head and the sources. */
struct light_source {
    const char *url;
    uint64_t answers;
    uint64_t failures; /* no answer */
    uint64_t lies;     /* answers that do not verify */
    char last_why[128];
};
struct light_status {
    uint64_t height;
    uint64_t time_ms;
    bool frozen; /* the newest head is older than the limit */
    size_t source_count;
    struct light_source sources[CONFIG_SOURCES_MAX];
};
void light_status(struct light *light, struct light_status *out);

#endif
