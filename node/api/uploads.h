/* How many images each author is sending just now: a share for everybody, since each holds a file and a descriptor.
 * Thread-safe. */
#ifndef ASSAY_NODE_API_UPLOADS_H
#define ASSAY_NODE_API_UPLOADS_H

#include "base/ed25519.h"

#define UPLOADS_MAX 32u      /* at once */
#define UPLOADS_OF_AUTHOR 4u /* of one key */

struct uploads;

NODISCARD enum err uploads_new(struct uploads **out);
void uploads_free(struct uploads *uploads);
/* ERR_FULL: all places are taken; ERR_DENIED: this key has its share. */
NODISCARD enum err uploads_begin(struct uploads *uploads, const uint8_t key[ED25519_KEY_LEN]);
void uploads_end(struct uploads *uploads, const uint8_t key[ED25519_KEY_LEN]);

#endif
