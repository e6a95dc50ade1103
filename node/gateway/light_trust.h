/* What a light client rests on, and whether that still holds by the rules of verify/freshness.h.
 *
 * It believes an epoch's validators, and answers from the newest head that a quorum of them finalized. Trust begins at
 * whatever is newest of the genesis, the head accepted last (state file) and the operator's checkpoint; from then on it
 * is the newest head. Heights and epochs never fall, also across restarts.
 *
 * State file: chain id (32) | height (8) | block time ms (8) | epoch (8) | its validator set (verify/certificate.h).
 *
 * No thread, no clock: whoever owns it locks, and says what time it is.
 */
#ifndef ASSAY_NODE_GATEWAY_LIGHT_TRUST_H
#define ASSAY_NODE_GATEWAY_LIGHT_TRUST_H

#include "contracts/genesis/genesis.h"
#include "verify/checkpoint.h"

enum light_origin { LIGHT_FROM_GENESIS, LIGHT_FROM_HEAD, LIGHT_FROM_CHECKPOINT };

struct light_trust {
    uint8_t chain_id[CHAIN_ID_LEN];
    uint64_t epoch;
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t validator_count;
    uint64_t height;  /* of the newest head accepted; 0: none */
    uint64_t time_ms; /* its block time */
    uint64_t start_ms;
    enum light_origin origin; /* of what start_ms is the time of */
    bool pinned;
    uint64_t pin_height;
    uint8_t pin_hash[HASH_LEN];
    uint64_t configured_ms; /* gateway.freshness_ms */
    bool heartbeat_known;   /* proven since this process began */
    uint32_t heartbeat_ms;
    uint64_t max_lifetime_ms; /* of a transaction, proven with it; before that the most there can be */
};

void light_trust_init(struct light_trust *trust, const struct genesis *genesis, uint64_t configured_ms);
/* What an earlier run accepted, if there is a file. ERR_CORRUPT: it is damaged, or of another chain. */
NODISCARD enum err light_trust_load(struct light_trust *trust, const char *file);
NODISCARD enum err light_trust_save(const struct light_trust *trust, const char *file);
/* After light_trust_load. ERR_MISMATCH: of another chain; ERR_INVALID: it contradicts what is believed. */
NODISCARD enum err light_trust_pin(struct light_trust *trust, const struct checkpoint *checkpoint);

/* For bundle_verify; borrows from `trust`. Ages are judged apart, by the two calls below. */
struct trust light_trust_walk(const struct light_trust *trust);
/* May a walk start from here? GOOD or BAD_START. */
enum verdict light_trust_start(const struct light_trust *trust, uint64_t now_ms);
/* The age beyond which a head is refused while the chain's heartbeat is `heartbeat_ms`; 0: none is. */
uint64_t light_trust_limit(const struct light_trust *trust, uint32_t heartbeat_ms);
/* May anything be answered from what is known? GOOD; BAD_START; BAD_ABSENT: nothing was proven yet since this process
 * began; BAD_STALE. */
enum verdict light_trust_judge(const struct light_trust *trust, uint64_t now_ms);

/* What a good bundle taught. Nothing ever goes back; true when something moved. */
bool light_trust_believe(struct light_trust *trust, const struct bundle_result *result);
bool light_trust_accept(struct light_trust *trust, uint64_t height, uint64_t time_ms);

#endif
