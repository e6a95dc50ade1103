/* The crypto seam of verify/ filled with base/'s functions and libcrypto's P-256: what every node uses. */
#ifndef ASSAY_NODE_HOST_HOST_CRYPTO_H
#define ASSAY_NODE_HOST_HOST_CRYPTO_H

#include "verify/crypto.h"

extern const struct verify_crypto host_crypto;

#endif
