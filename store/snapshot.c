#include "store/snapshot.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

#define MANIFEST_VERSION 1
#define KEY_BYTES_MAX (LIMIT_TX_NAME + 1 + LIMIT_STATE_KEY)

_Static_assert(sizeof TAG_SNAPSHOT == TAG_LEN, "tags have one length");

/* ---- The fold ---------------------------------------------------------------------------------------------------- */

void snapshot_fold_init(struct snapshot_fold *fold, const struct verify_crypto *crypto) {
    fold->crypto = crypto;
    fold->any = false;
    fold->depth = 0;
}

/* The first bit in which two different keys differ. */
static uint8_t first_difference(const uint8_t a[HASH_LEN], const uint8_t b[HASH_LEN]) {
    unsigned i = 0;
    while (i < HASH_LEN - 1 && a[i] == b[i]) {
        i++;
    }
    unsigned bit = 0;
    for (uint8_t x = a[i] ^ b[i]; bit < 7 && (x & 0x80u) == 0; x = (uint8_t)(x << 1)) {
        bit++;
    }
    return (uint8_t)(i * 8 + bit);
}

/* Closes the innermost open node with what has grown to its right. */
static void close_node(struct snapshot_fold *fold) {
    ASSERT(fold->any && fold->depth > 0);
    fold->depth--;
    uint8_t inner[HASH_LEN];
    state_inner_hash(fold->crypto, fold->open[fold->depth].bit, fold->open[fold->depth].left, fold->hash, inner);
    memcpy(fold->hash, inner, HASH_LEN);
}

/* A key in order parts from the one before at a bit where it goes right. Nodes with a higher bit are full by then; no
 * open node has the very same bit, since the key before went right there. */
enum err snapshot_fold_add(struct snapshot_fold *fold, const uint8_t key[HASH_LEN],
                           const uint8_t value_hash[HASH_LEN]) {
    if (fold->any) {
        if (memcmp(fold->key, key, HASH_LEN) >= 0) {
            return ERR_INVALID;
        }
        uint8_t bit = first_difference(fold->key, key);
        while (fold->depth > 0 && fold->open[fold->depth - 1].bit > bit) {
            close_node(fold);
        }
        ASSERT(fold->depth < sizeof fold->open / sizeof fold->open[0]); /* the bits of open nodes rise */
        ASSERT(fold->depth == 0 || fold->open[fold->depth - 1].bit < bit);
        fold->open[fold->depth].bit = bit;
        memcpy(fold->open[fold->depth].left, fold->hash, HASH_LEN);
        fold->depth++;
    }
    fold->any = true;
    memcpy(fold->key, key, HASH_LEN);
    state_leaf_hash(fold->crypto, key, value_hash, fold->hash);
    return OK;
}

void snapshot_fold_end(struct snapshot_fold *fold, uint8_t out[HASH_LEN]) {
    while (fold->depth > 0) {
        close_node(fold);
    }
    if (fold->any) {
        memcpy(out, fold->hash, HASH_LEN);
    } else {
        memset(out, 0, HASH_LEN);
    }
}

/* ---- The manifest ------------------------------------------------------------------------------------------------ */

static void content_id(const struct verify_crypto *crypto, struct bytes fixed, uint8_t out[HASH_LEN]) {
    const struct bytes parts[] = {{(const uint8_t *)TAG_SNAPSHOT, TAG_LEN}, {fixed.data, fixed.len}};
    hash_parts(crypto, parts, 2, out);
}

enum err snapshot_manifest_encode(const struct verify_crypto *crypto, struct snapshot_manifest *manifest,
                                  struct buffer *out) {
    if (manifest->bundle.len > SNAPSHOT_BUNDLE_MAX || manifest->body_count > SNAPSHOT_BODY_CHUNKS_MAX ||
        manifest->bits > SNAPSHOT_BITS_MAX) {
        return ERR_TOOLARGE;
    }
    size_t start = out->len;
    buffer_put(out, "ASSN", 4);
    buffer_u8(out, MANIFEST_VERSION);
    buffer_put(out, manifest->chain_id, CHAIN_ID_LEN);
    buffer_u64(out, manifest->height);
    buffer_put(out, manifest->block, HASH_LEN);
    buffer_u8(out, manifest->bits);
    for (uint32_t i = 0; i < UINT32_C(1) << manifest->bits; i++) {
        buffer_put(out, manifest->state[i].root, HASH_LEN);
        buffer_u32(out, manifest->state[i].bytes);
    }
    buffer_u32(out, manifest->body_count);
    for (uint32_t i = 0; i < manifest->body_count; i++) {
        buffer_u64(out, manifest->bodies[i].first);
        buffer_put(out, manifest->bodies[i].last_hash, HASH_LEN);
        buffer_u32(out, manifest->bodies[i].bytes);
    }
    enum err e = buffer_ok(out);
    if (e == OK) {
        content_id(crypto, bytes_of(out->data + start, out->len - start), manifest->content);
    }
    buffer_u32(out, (uint32_t)manifest->bundle.len);
    buffer_put(out, manifest->bundle.data, manifest->bundle.len);
    return buffer_ok(out);
}

static enum err decode_state(struct reader *r, struct snapshot_manifest *m) {
    size_t count = (size_t)1 << m->bits;
    m->state = calloc(count, sizeof *m->state);
    if (m->state == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        read_bytes(r, m->state[i].root, HASH_LEN);
        m->state[i].bytes = read_u32(r);
        if (m->state[i].bytes > SNAPSHOT_CHUNK_MAX) {
            return ERR_TOOLARGE;
        }
        if (!r->failed && bytes_is_zero(m->state[i].root, HASH_LEN) != (m->state[i].bytes == 0)) {
            return ERR_MALFORMED;
        }
    }
    return r->failed ? ERR_MALFORMED : OK;
}

/* Heights rise from chunk to chunk, and the last one ends with the block itself. */
static enum err decode_bodies(struct reader *r, struct snapshot_manifest *m) {
    m->body_count = read_u32(r);
    if (r->failed || m->body_count == 0) {
        return ERR_MALFORMED;
    }
    if (m->body_count > SNAPSHOT_BODY_CHUNKS_MAX) {
        return ERR_TOOLARGE;
    }
    m->bodies = calloc(m->body_count, sizeof *m->bodies);
    if (m->bodies == NULL) {
        return ERR_NOMEM;
    }
    uint64_t above = 0;
    for (uint32_t i = 0; i < m->body_count; i++) {
        struct snapshot_body_chunk *chunk = &m->bodies[i];
        chunk->first = read_u64(r);
        read_bytes(r, chunk->last_hash, HASH_LEN);
        chunk->bytes = read_u32(r);
        if (r->failed || chunk->first <= above || chunk->first > m->height || chunk->bytes == 0) {
            return ERR_MALFORMED;
        }
        if (chunk->bytes > SNAPSHOT_CHUNK_MAX) {
            return ERR_TOOLARGE;
        }
        above = chunk->first;
    }
    return memcmp(m->bodies[m->body_count - 1].last_hash, m->block, HASH_LEN) == 0 ? OK : ERR_MALFORMED;
}

static enum err decode_parts(struct reader *r, struct snapshot_manifest *m) {
    uint8_t magic[4];
    read_bytes(r, magic, sizeof magic);
    if (r->failed || memcmp(magic, "ASSN", sizeof magic) != 0) {
        return ERR_MALFORMED;
    }
    if (read_u8(r) != MANIFEST_VERSION) {
        return r->failed ? ERR_MALFORMED : ERR_UNSUPPORTED;
    }
    read_bytes(r, m->chain_id, CHAIN_ID_LEN);
    m->height = read_u64(r);
    read_bytes(r, m->block, HASH_LEN);
    m->bits = read_u8(r);
    if (r->failed) {
        return ERR_MALFORMED;
    }
    if (m->bits > SNAPSHOT_BITS_MAX) {
        return ERR_TOOLARGE;
    }
    enum err e = decode_state(r, m);
    return e == OK ? decode_bodies(r, m) : e;
}

enum err snapshot_manifest_decode(const struct verify_crypto *crypto, struct bytes encoded,
                                  struct snapshot_manifest *out) {
    struct snapshot_manifest m = {0};
    struct reader r = reader_of(encoded);
    if (encoded.len > SNAPSHOT_MANIFEST_MAX) {
        return ERR_TOOLARGE;
    }
    enum err e = decode_parts(&r, &m);
    if (e == OK) {
        content_id(crypto, bytes_of(encoded.data, encoded.len - r.left), m.content);
        size_t len = read_u32(&r);
        m.bundle = read_span(&r, len);
        if (len > SNAPSHOT_BUNDLE_MAX) {
            e = ERR_TOOLARGE;
        } else if (!reader_done(&r)) {
            e = ERR_MALFORMED;
        }
    }
    if (e != OK) {
        snapshot_manifest_free(&m);
        return e;
    }
    *out = m;
    return OK;
}

void snapshot_manifest_free(struct snapshot_manifest *manifest) {
    if (manifest != NULL) {
        free(manifest->state);
        free(manifest->bodies);
        *manifest = (struct snapshot_manifest){0};
    }
}

/* The root over chunks [first, first + 2^(bits - bit)), whose keys share `bit` bits. */
static void root_over(const struct verify_crypto *crypto, const struct snapshot_manifest *m, uint32_t first,
                      uint8_t bit, uint8_t out[HASH_LEN]) {
    ASSERT(bit <= m->bits);
    if (bit == m->bits) {
        memcpy(out, m->state[first].root, HASH_LEN);
        return;
    }
    uint8_t left[HASH_LEN], right[HASH_LEN];
    root_over(crypto, m, first, (uint8_t)(bit + 1), left);
    root_over(crypto, m, first + (UINT32_C(1) << (m->bits - bit - 1)), (uint8_t)(bit + 1), right);
    bool has_left = !bytes_is_zero(left, HASH_LEN), has_right = !bytes_is_zero(right, HASH_LEN);
    if (has_left && has_right) {
        state_inner_hash(crypto, bit, left, right, out);
    } else {
        memcpy(out, has_left ? left : right, HASH_LEN);
    }
}

void snapshot_state_root(const struct verify_crypto *crypto, const struct snapshot_manifest *manifest,
                         uint8_t out[HASH_LEN]) {
    root_over(crypto, manifest, 0, 0, out);
}

uint32_t snapshot_chunk_bytes(const struct snapshot_manifest *manifest, uint32_t chunk) {
    uint32_t states = UINT32_C(1) << manifest->bits;
    ASSERT(chunk < states + manifest->body_count);
    return chunk < states ? manifest->state[chunk].bytes : manifest->bodies[chunk - states].bytes;
}

uint64_t snapshot_bytes(const struct snapshot_manifest *manifest) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < snapshot_chunk_count(manifest); i++) {
        sum += snapshot_chunk_bytes(manifest, i);
    }
    return sum;
}

uint64_t snapshot_body_end(const struct snapshot_manifest *manifest, uint32_t index) {
    ASSERT(index < manifest->body_count);
    return index + 1 < manifest->body_count ? manifest->bodies[index + 1].first - 1 : manifest->height;
}

/* ---- State chunks ------------------------------------------------------------------------------------------------ */

uint32_t snapshot_chunk_of(const uint8_t hashed[HASH_LEN], uint8_t bits) {
    ASSERT(bits <= SNAPSHOT_BITS_MAX);
    return bits == 0 ? 0 : load_u32(hashed) >> (32 - bits);
}

/* The next leaf of a chunk, hashed. */
static enum err read_leaf(struct reader *r, struct snapshot_leaf *out) {
    size_t key_len = read_u16(r), value_len = read_u32(r);
    out->key = read_span(r, key_len);
    out->value = read_span(r, value_len);
    if (r->failed || key_len == 0 || key_len > KEY_BYTES_MAX || value_len > LIMIT_STATE_VALUE) {
        return ERR_MISMATCH;
    }
    sha256(out->key.data, out->key.len, out->hashed);
    sha256(out->value.data, out->value.len, out->value_hash);
    return OK;
}

enum err snapshot_chunk_read(const struct verify_crypto *crypto, const struct snapshot_manifest *manifest,
                             uint32_t chunk, struct bytes bytes,
                             enum err (*each)(void *arg, const struct snapshot_leaf *leaf), void *arg) {
    struct snapshot_fold fold;
    struct reader r = reader_of(bytes);
    uint8_t root[HASH_LEN];
    enum err e = bytes.len == manifest->state[chunk].bytes ? OK : ERR_MISMATCH;
    snapshot_fold_init(&fold, crypto);
    while (e == OK && r.left > 0) {
        struct snapshot_leaf leaf;
        e = read_leaf(&r, &leaf);
        if (e == OK && (snapshot_chunk_of(leaf.hashed, manifest->bits) != chunk ||
                        snapshot_fold_add(&fold, leaf.hashed, leaf.value_hash) != OK)) {
            e = ERR_MISMATCH;
        }
        if (e == OK && each != NULL) {
            e = each(arg, &leaf);
        }
    }
    if (e == OK) {
        snapshot_fold_end(&fold, root);
        e = memcmp(root, manifest->state[chunk].root, HASH_LEN) == 0 ? OK : ERR_MISMATCH;
    }
    return e;
}
