#include "tests/lib/certificate_encode.h"

#include <string.h>

size_t certificate_encode(const struct vote_subject *subject, uint16_t n, const uint8_t *bitmap,
                          const uint8_t (*sigs_by_index)[SIG_LEN], uint8_t *out) {
    out[0] = 1; /* version */
    out[1] = (uint8_t)subject->kind;
    store_u64(out + 2, subject->epoch);
    store_u64(out + 10, subject->view);
    memcpy(out + 18, subject->block, HASH_LEN);
    store_u16(out + 50, n);
    memcpy(out + CERTIFICATE_HEAD_LEN, bitmap, BITMAP_LEN(n));
    size_t len = CERTIFICATE_HEAD_LEN + BITMAP_LEN(n);
    for (uint16_t i = 0; i < n; i++) {
        if ((bitmap[i / 8] >> (i % 8) & 1) != 0) {
            memcpy(out + len, sigs_by_index[i], SIG_LEN);
            len += SIG_LEN;
        }
    }
    return len;
}
