#include "tests/lib/memory_state.h"

struct bytes memory_key(const struct memory_record *r) {
    return bytes_of(r->key, r->key_len);
}

uint8_t *memory_copy(const void *data, size_t len) {
    uint8_t *p = (uint8_t *)malloc(len + 1);
    if (p == NULL) {
        abort();
    }
    if (len > 0) {
        memcpy(p, data, len);
    }
    return p;
}

/* Place of the first record with key >= `key`. */
static size_t memory_place(const struct memory_state *m, struct bytes key) {
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (bytes_compare(memory_key(&m->records[mid]), key) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

enum err memory_get(void *ctx, struct bytes key, struct buffer *out, bool *out_found) {
    struct memory_state *m = (struct memory_state *)ctx;
    size_t at = memory_place(m, key);
    *out_found = at < m->count && bytes_equal(memory_key(&m->records[at]), key);
    if (*out_found) {
        buffer_put(out, m->records[at].value, m->records[at].value_len);
    }
    return buffer_ok(out);
}

enum err memory_next(void *ctx, struct bytes prefix, struct bytes after, bool inclusive, struct buffer *out_key,
                     struct buffer *out_value, bool *out_found) {
    struct memory_state *m = (struct memory_state *)ctx;
    size_t at = memory_place(m, bytes_compare(after, prefix) >= 0 ? after : prefix);
    if (at < m->count && !inclusive && bytes_equal(memory_key(&m->records[at]), after)) {
        at++;
    }
    const struct memory_record *r = &m->records[at];
    *out_found = at < m->count && r->key_len >= prefix.len && memcmp(r->key, prefix.data, prefix.len) == 0;
    if (*out_found) {
        buffer_put(out_key, r->key, r->key_len);
        buffer_put(out_value, r->value, r->value_len);
    }
    return OK;
}

enum err memory_put(void *ctx, struct bytes key, struct bytes value) {
    struct memory_state *m = (struct memory_state *)ctx;
    size_t at = memory_place(m, key);
    m->write_count++;
    if (m->read_only) {
        abort();
    }
    if (at < m->count && bytes_equal(memory_key(&m->records[at]), key)) {
        free(m->records[at].value);
    } else {
        if (m->count == m->cap) {
            m->cap = m->cap == 0 ? 64 : m->cap * 2;
            m->records = (struct memory_record *)realloc(m->records, m->cap * sizeof *m->records);
            if (m->records == NULL) {
                abort();
            }
        }
        memmove(m->records + at + 1, m->records + at, (m->count - at) * sizeof *m->records);
        m->records[at].key = memory_copy(key.data, key.len);
        m->records[at].key_len = key.len;
        m->count++;
    }
    m->records[at].value = memory_copy(value.data, value.len);
    m->records[at].value_len = value.len;
    return OK;
}

enum err memory_remove(void *ctx, struct bytes key) {
    struct memory_state *m = (struct memory_state *)ctx;
    size_t at = memory_place(m, key);
    m->write_count++;
    if (m->read_only) {
        abort();
    }
    if (at < m->count && bytes_equal(memory_key(&m->records[at]), key)) {
        free(m->records[at].key);
        free(m->records[at].value);
        m->count--;
        memmove(m->records + at, m->records + at + 1, (m->count - at) * sizeof *m->records);
    }
    return OK;
}

static enum err memory_history(void *ctx, struct bytes record_key, const char *action, struct bytes detail) {
    struct memory_state *m = (struct memory_state *)ctx;
    (void)record_key;
    (void)detail;
    m->history_count++;
    strncpy(m->last_action, action, sizeof m->last_action - 1);
    return OK;
}

const struct state_ops memory_ops = {memory_get, memory_next, memory_put, memory_remove, memory_history};

void memory_free(struct memory_state *m) {
    for (size_t i = 0; i < m->count; i++) {
        free(m->records[i].key);
        free(m->records[i].value);
    }
    free(m->records);
    *m = (struct memory_state){0};
}

struct memory_state memory_clone(const struct memory_state *from) {
    struct memory_state to = *from;
    to.cap = from->count + 1;
    to.records = (struct memory_record *)calloc(to.cap, sizeof *to.records);
    if (to.records == NULL) {
        abort();
    }
    for (size_t i = 0; i < from->count; i++) {
        const struct memory_record *r = &from->records[i];
        to.records[i] = (struct memory_record){memory_copy(r->key, r->key_len), memory_copy(r->value, r->value_len),
                                               r->key_len, r->value_len};
    }
    return to;
}

bool memory_equal(const struct memory_state *a, const struct memory_state *b) {
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        const struct memory_record *x = &a->records[i], *y = &b->records[i];
        if (!bytes_equal(memory_key(x), memory_key(y)) ||
            !bytes_equal(bytes_of(x->value, x->value_len), bytes_of(y->value, y->value_len))) {
            return false;
        }
    }
    return true;
}
