#include "node/gateway/proven.h"

#include <string.h>

static enum err get(void *ctx, struct bytes key, struct buffer *out, bool *out_found) {
    const struct proven *proven = ctx;
    if (!bytes_equal(key, record_key_bytes(&proven->key))) {
        return ERR_NOTFOUND;
    }
    if (proven->value.present) {
        buffer_put(out, proven->value.value.data, proven->value.value.len);
    }
    *out_found = proven->value.present;
    return buffer_ok(out);
}

/* Lists can't be proven one key at a time. */
static enum err next(void *ctx, struct bytes prefix, struct bytes after, bool inclusive, struct buffer *out_key,
                     struct buffer *out_value, bool *out_found) {
    (void)ctx;
    (void)prefix;
    (void)after;
    (void)inclusive;
    (void)out_key;
    (void)out_value;
    (void)out_found;
    return ERR_UNSUPPORTED;
}

static const struct state_ops ops = {.get = get, .next = next};

enum err proven_get(struct light *light, const struct record_key *key, struct proven *out) {
    char contract[LIMIT_TX_NAME + 1];
    const uint8_t *separator = memchr(key->data, 0, key->len);
    if (separator == NULL || (size_t)(separator - key->data) >= sizeof contract) {
        return ERR_RANGE;
    }
    size_t name = (size_t)(separator - key->data);
    memcpy(contract, key->data, name + 1);
    enum err e = light_get(light, contract, bytes_of(separator + 1, key->len - name - 1), &out->value);
    if (e == OK) {
        out->key = *key;
    }
    return e;
}

struct state proven_state(struct proven *proven) {
    return (struct state){.ops = &ops, .ctx = proven};
}

void proven_free(struct proven *proven) {
    light_value_free(&proven->value);
}
