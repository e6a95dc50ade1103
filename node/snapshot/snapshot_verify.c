#include "node/snapshot/snapshot_verify.h"

#include "base/limits.h"
#include "node/snapshot/snapshot_bodies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the verifier works with; too large for a stack. */
struct room {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t set[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t path[STATE_PATH_STEPS_MAX][33];
    uint8_t value[1];
    struct bundle_result result;
};

static enum err refuse(struct why *why, const char *what) {
    why_set(why, "%s", what);
    return ERR_INVALID;
}

static enum err check_bundle(const struct verify_crypto *crypto, const struct genesis *genesis,
                             const struct snapshot_manifest *m, struct room *room, struct why *why) {
    struct trust trust = {
        .validators = {(const uint8_t(*)[KEY_LEN])room->keys, genesis_validators(genesis, room->keys)},
        .min_height = m->height};
    genesis_chain_id(genesis, crypto, trust.chain_id);
    if (memcmp(trust.chain_id, m->chain_id, CHAIN_ID_LEN) != 0) {
        return refuse(why, "it is of another chain");
    }
    const struct bundle_work work = {.set_memory = room->set,
                                     .set_capacity = LIMIT_VALIDATORS,
                                     .path_memory = room->path,
                                     .path_capacity = STATE_PATH_STEPS_MAX,
                                     .value_memory = room->value,
                                     .value_capacity = sizeof room->value};
    struct bytes_input from = {{m->bundle.data, m->bundle.len}};
    struct input in = input_of_bytes(&from);
    enum verdict v = bundle_verify(crypto, &trust, &work, &in, &room->result);
    if (v != GOOD) {
        why_set(why, "its block is not proven: %s", verdict_text(v));
        return ERR_INVALID;
    }
    return OK;
}

enum err snapshot_verify(const struct verify_crypto *crypto, const struct genesis *genesis,
                         const struct snapshot_manifest *manifest, struct block_header *out_header,
                         struct why *out_why) {
    uint8_t root[HASH_LEN];
    struct room *room = malloc(sizeof *room);
    if (room == NULL) {
        return ERR_NOMEM;
    }
    enum err e = check_bundle(crypto, genesis, manifest, room, out_why);
    const struct block_header *header = &room->result.header;
    if (e == OK &&
        (header->height != manifest->height || memcmp(room->result.header_hash, manifest->block, HASH_LEN) != 0)) {
        e = refuse(out_why, "its proof is about another block");
    }
    if (e == OK && !bundle_is_about(&room->result, SNAPSHOT_BUNDLE_CONTRACT, bytes_of(NULL, 0))) {
        e = refuse(out_why, "its proof is about something else");
    }
    if (e == OK) {
        snapshot_state_root(crypto, manifest, root);
        if (memcmp(root, header->state_root, HASH_LEN) != 0) {
            e = refuse(out_why, "its chunks do not make the block's state root");
        }
    }
    if (e == OK) {
        *out_header = *header;
    }
    free(room);
    return e;
}

/* ---- Taking a good bundle apart ---------------------------------------------------------------------------------- */

static struct bytes take(struct bytes_input *from, size_t len) {
    struct bytes taken = bytes_of(from->rest.data, len <= from->rest.len ? len : 0);
    from->rest.data += taken.len;
    from->rest.len -= taken.len;
    return taken;
}

static struct bytes take_certificate(struct bytes_input *from) {
    struct input in = input_of_bytes(from);
    const uint8_t *start = from->rest.data;
    return certificate_skip(&in) == GOOD ? bytes_of(start, (size_t)(from->rest.data - start)) : bytes_of(NULL, 0);
}

static struct bytes take_set(struct bytes_input *from) {
    size_t head = VALIDATOR_SET_HEAD_LEN;
    size_t count = from->rest.len >= head ? load_u16(from->rest.data + 1) : 0;
    return take(from, head + count * KEY_LEN);
}

enum err snapshot_epochs(const struct snapshot_manifest *manifest,
                         enum err (*each)(void *arg, const struct snapshot_epoch *epoch), void *arg,
                         struct block_header *out_header, struct bytes *out_finalization) {
    struct bytes_input from = {{manifest->bundle.data, manifest->bundle.len}};
    struct bytes head = take(&from, 7); /* magic, version, steps */
    if (head.len != 7) {
        return ERR_MALFORMED;
    }
    uint16_t steps = load_u16(head.data + 5);
    enum err e = OK;
    for (uint16_t i = 0; i < steps && e == OK; i++) {
        struct snapshot_epoch epoch = {.number = (uint64_t)i + 1};
        epoch.closing = take(&from, BLOCK_HEADER_LEN);
        epoch.finalization = take_certificate(&from);
        epoch.set = take_set(&from);
        if (epoch.closing.len == 0 || epoch.finalization.len == 0 || epoch.set.len == 0) {
            return ERR_MALFORMED;
        }
        e = each != NULL ? each(arg, &epoch) : OK;
    }
    if (e != OK) {
        return e;
    }
    struct block_header decoded;
    struct bytes header = take(&from, BLOCK_HEADER_LEN), links = take(&from, 2);
    if (header.len == 0 || links.len == 0 || block_header_decode(header.data, &decoded) != GOOD) {
        return ERR_MALFORMED;
    }
    *out_finalization = load_u16(links.data) == 0 ? take_certificate(&from) : bytes_of(NULL, 0);
    *out_header = decoded;
    return OK;
}

enum err snapshot_chunk_check(const struct verify_crypto *crypto, const struct snapshot_manifest *manifest,
                              uint32_t chunk, struct bytes bytes) {
    if (snapshot_chunk_is_state(manifest, chunk)) {
        return snapshot_chunk_read(crypto, manifest, chunk, bytes, NULL, NULL);
    }
    return snapshot_bodies_read(manifest, chunk - (UINT32_C(1) << manifest->bits), bytes, NULL, NULL);
}
