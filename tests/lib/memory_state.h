/* A state in memory for tests: a sorted list of records, with what a refused operation wrote taken back. */
#ifndef ASSAY_TESTS_LIB_MEMORY_STATE_H
#define ASSAY_TESTS_LIB_MEMORY_STATE_H

#include "contracts/kernel/contract.h"

#include <stdlib.h>
#include <string.h>

struct memory_record {
    uint8_t *key, *value;
    size_t key_len, value_len;
};

struct memory_state {
    struct memory_record *records;
    size_t count, cap;
    size_t history_count; /* entries ever noted */
    size_t write_count;   /* puts and removals since a test set it to 0 */
    char last_action[64];
    bool read_only; /* a write is then a failed assertion */
};

struct bytes memory_key(const struct memory_record *r);
uint8_t *memory_copy(const void *data, size_t len);

enum err memory_get(void *ctx, struct bytes key, struct buffer *out, bool *out_found);
enum err memory_next(void *ctx, struct bytes prefix, struct bytes after, bool inclusive, struct buffer *out_key,
                     struct buffer *out_value, bool *out_found);
enum err memory_put(void *ctx, struct bytes key, struct bytes value);
enum err memory_remove(void *ctx, struct bytes key);

extern const struct state_ops memory_ops;

void memory_free(struct memory_state *m);
struct memory_state memory_clone(const struct memory_state *from);

/* Do two states hold the same records? */
bool memory_equal(const struct memory_state *a, const struct memory_state *b);

#endif
