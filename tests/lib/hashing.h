/* The crypto seam of store's tests: hashing alone. */
#ifndef ASSAY_TESTS_LIB_HASHING_H
#define ASSAY_TESTS_LIB_HASHING_H

#include "base/sha256.h"
#include "verify/crypto.h"

extern const struct verify_crypto hashing;

/* Small, fast and the same on every run. */
struct dice {
    uint64_t state;
};
uint64_t dice_roll(struct dice *d);
uint64_t dice_below(struct dice *d, uint64_t bound);

#endif
