#include "verify/crypto.h"

#include <string.h>

void hash_parts(const struct verify_crypto *crypto, const struct bytes *parts, size_t count, uint8_t out[HASH_LEN]) {
    struct hash_state state;
    crypto->hash_init(&state);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            crypto->hash_update(&state, parts[i].data, parts[i].len);
        }
    }
    crypto->hash_final(&state, out);
}

static bool read_span_input(void *ctx, uint8_t *out, size_t len) {
    struct bytes_input *from = ctx;
    if (from->rest.len < len) {
        return false;
    }
    if (len > 0) {
        memcpy(out, from->rest.data, len);
        from->rest.data += len;
        from->rest.len -= len;
    }
    return true;
}

struct input input_of_bytes(struct bytes_input *from) {
    struct input in = {read_span_input, from};
    return in;
}
