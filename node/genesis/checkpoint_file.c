#include "node/genesis/checkpoint_file.h"

#include "base/file.h"
#include "node/host/host_crypto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err checkpoint_pin_parse(const char *text, struct checkpoint_pin *out) {
    struct checkpoint_pin pin;
    char *end = NULL;
    errno = 0;
    if (text[0] < '0' || text[0] > '9') {
        return ERR_MALFORMED;
    }
    pin.height = strtoull(text, &end, 10);
    if (errno != 0 || *end != ':' || hex_decode(end + 1, pin.hash, HASH_LEN) != OK) {
        return ERR_MALFORMED;
    }
    *out = pin;
    return OK;
}

static enum err explain(struct why *why, enum err e, const char *path, const char *what) {
    why_set(why, "%.180s: %s", path, what);
    return e;
}

enum err checkpoint_file_load(const char *path, const uint8_t *chain_id, struct checkpoint_file *out, struct why *why) {
    struct buffer file = BUFFER_INIT;
    char words[96];
    enum err e = file_read(path, CHECKPOINT_MAX, &file);
    if (e != OK && e != ERR_TOOLARGE) {
        buffer_free(&file);
        return explain(why, e, path, err_text(e));
    }
    enum verdict v = e == ERR_TOOLARGE ? BAD_TRAILING
                                       : checkpoint_decode(&host_crypto, buffer_bytes(&file), out->keys,
                                                           LIMIT_VALIDATORS, &out->checkpoint);
    buffer_free(&file);
    if (v != GOOD) {
        (void)snprintf(words, sizeof words, "not a checkpoint, or damaged: %s", verdict_text(v));
        return explain(why, ERR_MALFORMED, path, words);
    }
    if (chain_id != NULL && memcmp(out->checkpoint.header.chain_id, chain_id, CHAIN_ID_LEN) != 0) {
        return explain(why, ERR_MISMATCH, path, "a checkpoint of another chain; make one of this");
    }
    out->whole = true;
    out->pin.height = out->checkpoint.header.height;
    memcpy(out->pin.hash, out->checkpoint.hash, HASH_LEN);
    return OK;
}

enum err checkpoint_file_take(const char *text, const uint8_t *chain_id, struct checkpoint_file *out, struct why *why) {
    out->whole = false;
    if (checkpoint_pin_parse(text, &out->pin) == OK) {
        return OK;
    }
    enum err e = checkpoint_file_load(text, chain_id, out, why);
    return e == ERR_NOTFOUND ? explain(why, e, text, "neither HEIGHT:HASH nor a file that is there") : e;
}

/* ---- Judging ----------------------------------------------------------------------------------------------------- */

enum verdict checkpoint_judge(const struct genesis *genesis, const struct checkpoint_file *from, struct bytes bundle,
                              struct checkpoint_room *room) {
    bool whole = from != NULL && from->whole;
    struct trust trust = {.validators = {(const uint8_t(*)[KEY_LEN])room->keys, 0}};
    if (whole) {
        trust = checkpoint_trust(&from->checkpoint);
    } else {
        trust.validators.count = genesis_validators(genesis, room->keys);
    }
    genesis_chain_id(genesis, &host_crypto, trust.chain_id);
    if (from != NULL) {
        trust.pin_height = from->pin.height;
        trust.pin_hash = from->pin.hash;
    }
    const struct bundle_work work = {.set_memory = room->set,
                                     .set_capacity = LIMIT_VALIDATORS,
                                     .path_memory = room->path,
                                     .path_capacity = STATE_PATH_STEPS_MAX,
                                     .value_memory = room->value,
                                     .value_capacity = sizeof room->value};
    struct bytes_input source = {bundle};
    struct input in = input_of_bytes(&source);
    enum verdict v = bundle_verify(&host_crypto, &trust, &work, &in, &room->result);
    room->unmet = v == GOOD && from != NULL && !whole && !room->result.pin_met;
    return room->unmet ? BAD_PIN : v;
}

uint64_t checkpoint_start_ms(const struct genesis *genesis, const struct checkpoint_file *from) {
    return from != NULL && from->whole ? from->checkpoint.header.time_ms : genesis->time_ms;
}
