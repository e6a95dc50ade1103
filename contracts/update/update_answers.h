/* What was answered to a device's last statements within an update, so that a statement that comes again (a gateway
 * that lost the answer, two gateways that heard the same device) gets the same answer and changes nothing. Layout:
 * update.h, "said/". */
#ifndef ASSAY_CONTRACTS_UPDATE_UPDATE_ANSWERS_H
#define ASSAY_CONTRACTS_UPDATE_UPDATE_ANSWERS_H

#include "contracts/update/update.h"

struct update_answer {
    uint64_t counter;
    uint8_t statement_hash[HASH_LEN];
    enum verify_outcome outcome;
    enum device_status status;
    uint32_t failed_attempts;
    uint64_t window_end_ms;
};

/* Was this very statement answered before? */
NODISCARD enum err update_answers_find(const struct state *state, const uint8_t update_id[HASH_LEN],
                                       const uint8_t device_id[KEY_LEN], const uint8_t statement_hash[HASH_LEN],
                                       struct update_answer *out, bool *out_found);
/* Keeps an answer; the oldest of more than UPDATE_ANSWERS_KEPT goes. */
NODISCARD enum err update_answers_add(const struct call *call, const uint8_t update_id[HASH_LEN],
                                      const uint8_t device_id[KEY_LEN], const struct update_answer *answer);

#endif
