#include "device/core/state.h"

#include <string.h>

static const uint8_t magic[4] = {'A', 'D', 'S', '1'};
#define GENERATION_AT 4
#define FIELDS_AT 12

/* Both directions of the layout are one list of fields, so that they can't part: `write` says which way it goes. */
struct cursor {
    uint8_t *at;
    bool write;
};

static void field_bytes(struct cursor *c, uint8_t *field, size_t len) {
    if (c->write) {
        memcpy(c->at, field, len);
    } else {
        memcpy(field, c->at, len);
    }
    c->at += len;
}

static void field_u8(struct cursor *c, uint8_t *field) {
    field_bytes(c, field, 1);
}

static void field_bool(struct cursor *c, bool *field) {
    uint8_t byte = *field;
    field_u8(c, &byte);
    *field = byte != 0;
}

static void field_u16(struct cursor *c, uint16_t *field) {
    uint8_t bytes[2];
    store_u16(bytes, *field);
    field_bytes(c, bytes, sizeof bytes);
    *field = load_u16(bytes);
}

static void field_u32(struct cursor *c, uint32_t *field) {
    uint8_t bytes[4];
    store_u32(bytes, *field);
    field_bytes(c, bytes, sizeof bytes);
    *field = load_u32(bytes);
}

static void field_u64(struct cursor *c, uint64_t *field) {
    uint8_t bytes[8];
    store_u64(bytes, *field);
    field_bytes(c, bytes, sizeof bytes);
    *field = load_u64(bytes);
}

static void field_image(struct cursor *c, struct device_image *image) {
    field_u64(c, &image->sequence);
    field_u64(c, &image->size);
    field_bytes(c, image->digest, HASH_LEN);
}

static void fields(struct cursor *c, struct device_state *s) {
    uint8_t phase = (uint8_t)s->phase;
    field_u8(c, &phase);
    s->phase = (enum device_phase)phase;
    field_u8(c, &s->active);
    field_image(c, &s->running);
    field_bytes(c, s->candidate.update_id, HASH_LEN);
    field_bytes(c, s->candidate.manifest_digest, HASH_LEN);
    field_image(c, &s->candidate.image);
    field_bool(c, &s->candidate.needs_open);
    field_u32(c, &s->pages_done);
    field_u8(c, &s->attempts);
    field_u8(c, &s->trial_boots);
    field_u64(c, &s->counter);
    field_u8(c, &s->said.kind);
    field_u64(c, &s->said.counter);
    field_bytes(c, s->said.nonce, NONCE_LEN);
    field_u8(c, &s->report.outcome);
    field_u16(c, &s->report.reason);
    field_bytes(c, s->report.update_id, HASH_LEN);
    field_u64(c, &s->report.counter);
    field_bytes(c, s->report.nonce, NONCE_LEN);
    field_u16(c, &s->last_error);
    field_bytes(c, s->failed_update, HASH_LEN);
    field_bool(c, &s->failed_for_good);
    field_u64(c, &s->epoch);
    field_u64(c, &s->height);
    field_u16(c, &s->validator_count);
    field_bytes(c, s->validators[0], sizeof s->validators);
}

static uint32_t copy_size(const struct device_flash *flash) {
    return STATE_AREA_MIN(flash->page_size) / 2;
}

/* Reads one copy into `work`; its generation, or 0 when it is not valid. */
static uint64_t read_copy(const struct device_flash *flash, const struct verify_crypto *crypto, uint8_t which,
                          uint8_t *work) {
    uint8_t digest[HASH_LEN];
    const struct bytes covered = {work, STATE_COPY_LEN - HASH_LEN};
    if (!flash->read(flash->ctx, FLASH_STATE, which * copy_size(flash), work, STATE_COPY_LEN) ||
        memcmp(work, magic, sizeof magic) != 0) {
        return 0;
    }
    hash_parts(crypto, &covered, 1, digest);
    return memcmp(digest, work + covered.len, HASH_LEN) == 0 ? load_u64(work + GENERATION_AT) : 0;
}

bool state_load(const struct device_flash *flash, const struct verify_crypto *crypto, uint8_t *work,
                struct device_state *out) {
    uint64_t first = read_copy(flash, crypto, 0, work);
    uint64_t second = read_copy(flash, crypto, 1, work);
    if (first == 0 && second == 0) {
        return false;
    }
    if (first > second && read_copy(flash, crypto, 0, work) != first) {
        return false;
    }
    struct device_state state;
    struct cursor c = {work + FIELDS_AT, false};
    memset(&state, 0, sizeof state);
    fields(&c, &state);
    if (!state_is_sound(flash, &state)) {
        return false;
    }
    *out = state;
    return true;
}

bool state_save(const struct device_flash *flash, const struct verify_crypto *crypto, uint8_t *work,
                const struct device_state *state) {
    uint64_t first = read_copy(flash, crypto, 0, work);
    uint64_t second = read_copy(flash, crypto, 1, work);
    uint32_t at = first > second ? copy_size(flash) : 0;
    struct device_state copy = *state;
    const struct bytes covered = {work, STATE_COPY_LEN - HASH_LEN};
    memset(work, 0, STATE_COPY_LEN);
    memcpy(work, magic, sizeof magic);
    store_u64(work + GENERATION_AT, (first > second ? first : second) + 1);
    struct cursor c = {work + FIELDS_AT, true};
    fields(&c, &copy);
    hash_parts(crypto, &covered, 1, work + covered.len);
    for (uint32_t page = 0; page < copy_size(flash); page += flash->page_size) {
        if (!flash->erase(flash->ctx, FLASH_STATE, at + page)) {
            return false;
        }
    }
    return flash->program(flash->ctx, FLASH_STATE, at, work, STATE_COPY_LEN);
}

static bool candidate_is_sound(const struct device_flash *flash, const struct device_state *s) {
    uint64_t pages = (s->candidate.image.size + flash->page_size - 1) / flash->page_size;
    return s->candidate.image.size > 0 && s->candidate.image.size <= flash->slot_size &&
           s->candidate.image.sequence > s->running.sequence && s->pages_done <= pages;
}

bool state_is_sound(const struct device_flash *flash, const struct device_state *s) {
    if ((unsigned)s->phase >= PHASES || s->active > 1 || s->validator_count == 0 ||
        s->validator_count > DEVICE_VALIDATORS_MAX || s->running.size > flash->slot_size ||
        s->said.counter > s->counter || s->report.counter > s->counter) {
        return false;
    }
    switch (s->phase) {
    case PHASE_IDLE:
    case PHASE_CHECK:
    case PHASE_MANIFEST:
    case PHASE_CONFIRMED:
    case PHASE_REVERTED:
        return true;
    case PHASE_PROOF:
    case PHASE_DOWNLOAD:
    case PHASE_VERIFY:
        return candidate_is_sound(flash, s) && s->trial_boots == 0;
    case PHASE_ARMED:
        return candidate_is_sound(flash, s) && s->trial_boots == 0 && s->said.kind == 0;
    case PHASE_TRIAL:
        return candidate_is_sound(flash, s) && s->trial_boots > 0;
    }
    return false;
}

const char *phase_name(enum device_phase phase) {
    static const char *const names[PHASES] = {"idle",   "check", "manifest", "proof",     "download",
                                              "verify", "armed", "trial",    "confirmed", "reverted"};
    return (unsigned)phase < PHASES ? names[phase] : "unknown";
}
