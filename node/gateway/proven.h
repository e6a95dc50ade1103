/* Reading the contracts' records from the light client: a state that holds one proven key.
 *
 * The contracts' own decoders read through a state handle; this one answers for the key that was proven and refuses to
 * know about any other (ERR_NOTFOUND), so that what was not proven can't be taken for absent.
 */
#ifndef ASSAY_NODE_GATEWAY_PROVEN_H
#define ASSAY_NODE_GATEWAY_PROVEN_H

#include "contracts/kernel/state.h"
#include "node/gateway/light.h"

struct proven {
    struct record_key key;
    struct light_value value;
};
#define PROVEN_INIT ((struct proven){.value = LIGHT_VALUE_INIT})

/* Asks for a whole key (contract || 0 || user key), as record_key makes it. Errors of light_get. */
NODISCARD enum err proven_get(struct light *light, const struct record_key *key, struct proven *out);
/* Borrows `proven`. */
struct state proven_state(struct proven *proven);
void proven_free(struct proven *proven);

#endif
