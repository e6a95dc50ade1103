#include "device/core/evidence.h"

#include "verify/delegation.h"
#include "verify/suit.h"

#include <string.h>

static struct finding found(enum verdict v) {
    return (struct finding){TALK_OK, v};
}

static struct finding not_had(enum talk_result talk) {
    return (struct finding){talk, GOOD};
}

/* Fetches a whole object of at most `capacity` bytes. */
static struct finding fetch(struct device *device, enum protocol_what what, uint8_t *out, size_t capacity,
                            size_t *out_len) {
    struct talk_object object;
    enum talk_result talk = talk_open(&object, device, what, 0, 0);
    if (talk != TALK_OK) {
        return not_had(talk);
    }
    if (object.size > capacity) {
        return found(BAD_LIMIT);
    }
    if (!talk_read(&object, out, (size_t)object.size)) {
        return not_had(TALK_OFFLINE);
    }
    *out_len = (size_t)object.size;
    return found(GOOD);
}

/* ---- Manifest ---------------------------------------------------------------------------------------------------- */

/* The author the vendor's root key vouches for. What it may sign is checked when the sequence is known. */
static struct finding fetch_delegation(struct device *device, struct delegation *out) {
    const struct device_secure *secure = device->seams.secure;
    uint8_t root[KEY_LEN];
    uint8_t *bytes = device->work.envelope;
    size_t len;
    if (!secure->root_key(secure->ctx, root)) {
        return found(BAD_AUTHOR);
    }
    struct finding f = fetch(device, PROTOCOL_DELEGATION, bytes, DELEGATION_MAX, &len);
    if (f.talk != TALK_OK || f.verdict != GOOD) {
        return f;
    }
    enum verdict v = delegation_verify(device->seams.crypto, root, bytes_of(bytes, len), out);
    if (v == BAD_SIGNATURE) {
        v = BAD_AUTHOR;
    }
    if (v == GOOD && memcmp(out->vendor_id, device->config->vendor_id, UUID_BYTES) != 0) {
        v = BAD_VENDOR;
    }
    return found(v);
}

/* RFC 9124's conditions: is this image made for this device, and newer than what runs? */
static enum verdict judge_manifest(struct device *device, const struct suit_manifest *m) {
    const struct device_config *config = device->config;
    const struct device_secure *secure = device->seams.secure;
    uint64_t floor;
    if (memcmp(m->vendor_id, config->vendor_id, UUID_BYTES) != 0) {
        return BAD_VENDOR;
    }
    if (memcmp(m->class_id, config->class_id, UUID_BYTES) != 0) {
        return BAD_CLASS;
    }
    if (!suit_component_is(m->component, bytes_of(&config->component, 1))) {
        return BAD_COMPONENT;
    }
    if (m->format != SUIT_FORMAT_RAW || (m->has & SUIT_HAS_ENCRYPTION) != 0) {
        return BAD_UNSUPPORTED;
    }
    if (m->dependency_count > 0) {
        return BAD_DEPENDENCY;
    }
    if (m->image_size == 0 || m->image_size > device->seams.flash->slot_size) {
        return BAD_SIZE;
    }
    if (!secure->floor_get(secure->ctx, &floor) || m->sequence < floor ||
        m->sequence <= device->state.running.sequence) {
        return BAD_SEQUENCE;
    }
    return GOOD;
}

struct finding evidence_manifest(struct device *device) {
    const struct verify_crypto *crypto = device->seams.crypto;
    struct delegation delegation;
    struct suit_envelope envelope;
    struct suit_manifest manifest;
    size_t len;
    struct finding f = fetch_delegation(device, &delegation);
    if (f.talk != TALK_OK || f.verdict != GOOD) {
        return f;
    }
    f = fetch(device, PROTOCOL_ENVELOPE, device->work.envelope, DEVICE_ENVELOPE_MAX, &len);
    if (f.talk != TALK_OK || f.verdict != GOOD) {
        return f;
    }
    enum verdict v = suit_envelope_parse(bytes_of(device->work.envelope, len), &envelope);
    if (v == GOOD) {
        v = suit_verify_author(crypto, &envelope, &delegation.author);
    }
    if (v == GOOD) {
        v = suit_manifest_parse(crypto, &envelope, &manifest);
    }
    if (v == GOOD) {
        v = suit_manifest_installable(&manifest);
    }
    if (v == GOOD) {
        v = judge_manifest(device, &manifest);
    }
    if (v == GOOD) {
        v = delegation_covers(&delegation, device->config->chain_id, device->config->class_id, manifest.sequence);
    }
    if (v == GOOD) {
        struct device_candidate *c = &device->state.candidate;
        memcpy(c->manifest_digest, envelope.digest, HASH_LEN);
        memcpy(c->image.digest, manifest.image_digest, HASH_LEN);
        c->image.size = manifest.image_size;
        c->image.sequence = manifest.sequence;
    }
    return found(v);
}

/* ---- Proofs ------------------------------------------------------------------------------------------------------ */

static struct trust current_trust(const struct device *device, uint64_t least_height) {
    const struct device_state *s = &device->state;
    const struct device_clock *clock = device->seams.clock;
    struct trust trust;
    memset(&trust, 0, sizeof trust);
    memcpy(trust.chain_id, device->config->chain_id, CHAIN_ID_LEN);
    trust.epoch = s->epoch;
    trust.validators.keys = (const uint8_t(*)[KEY_LEN])s->validators;
    trust.validators.count = s->validator_count;
    trust.min_height = s->height > least_height ? s->height : least_height;
    trust.now_ms = clock != NULL ? clock->now_ms(clock->ctx) : 0;
    trust.max_age_ms = freshness_limit(FOLLOWER_DEVICE, device->config->max_age_ms, 0);
    return trust;
}

/* From now on nothing older than this proof is believed. */
static void learn(struct device_state *state, const struct bundle_result *result) {
    if (result->epoch != state->epoch) {
        memset(state->validators, 0, sizeof state->validators);
        memcpy(state->validators[0], result->validators.keys[0], (size_t)result->validators.count * KEY_LEN);
        state->validator_count = result->validators.count;
        state->epoch = result->epoch;
    }
    state->height = result->header.height;
}

/* Streams a bundle through the verifier. The value is in work.proof.value; BAD_ABSENT when there is none. */
static struct finding prove(struct device *device, enum protocol_what what, uint64_t least_height, const char *contract,
                            struct bytes user_key, uint64_t *out_height, struct bytes *out_value) {
    struct talk_object object;
    struct bundle_result result;
    struct trust trust = current_trust(device, least_height);
    struct bundle_work work = {device->work.proof.sets, DEVICE_VALIDATORS_MAX,    device->work.proof.path,
                               DEVICE_PATH_MAX,         device->work.proof.value, DEVICE_VALUE_MAX};
    enum talk_result talk = talk_open(&object, device, what, 0, trust.min_height);
    if (talk != TALK_OK) {
        return not_had(talk);
    }
    struct input in = {talk_read, &object};
    enum verdict v = bundle_verify(device->seams.crypto, &trust, &work, &in, &result);
    if (object.offline) {
        return not_had(TALK_OFFLINE);
    }
    if (v == GOOD && !bundle_is_about(&result, contract, user_key)) {
        v = BAD_KEY;
    }
    if (v != GOOD) {
        return found(v);
    }
    learn(&device->state, &result);
    *out_height = result.header.height;
    *out_value = bytes_of(device->work.proof.value, result.value_len);
    return found(result.present ? GOOD : BAD_ABSENT);
}

static enum verdict judge_class(const struct device *device, const struct class_record *record, bool may_be_older) {
    const struct device_candidate *c = &device->state.candidate;
    if (memcmp(record->class_id, device->config->class_id, UUID_BYTES) != 0) {
        return BAD_CLASS;
    }
    if (memcmp(record->vendor_id, device->config->vendor_id, UUID_BYTES) != 0) {
        return BAD_VENDOR;
    }
    if (c->image.sequence < record->floor) {
        return BAD_SEQUENCE;
    }
    if (may_be_older && record->has_release && record->sequence > c->image.sequence) {
        /* A newer one is out. The record only tells the highest revoked sequence: below it all is doubtful. */
        return record->highest_revoked < c->image.sequence ? GOOD : BAD_REVOKED;
    }
    if (!record->has_release || record->sequence < c->image.sequence) {
        return record->highest_revoked >= c->image.sequence ? BAD_REVOKED : BAD_SEQUENCE;
    }
    if (record->sequence != c->image.sequence) {
        return BAD_SEQUENCE;
    }
    if (memcmp(record->manifest_digest, c->manifest_digest, HASH_LEN) != 0 ||
        memcmp(record->image_digest, c->image.digest, HASH_LEN) != 0) {
        return BAD_DIGEST;
    }
    return record->image_size == c->image.size ? GOOD : BAD_SIZE;
}

struct finding evidence_class(struct device *device, uint64_t least_height, bool may_be_older) {
    uint8_t key[CLASS_RECORD_KEY_LEN];
    struct class_record record;
    struct bytes value;
    uint64_t height;
    class_record_key(device->config->class_id, key);
    struct finding f =
        prove(device, PROTOCOL_CLASS_PROOF, least_height, "firmware", bytes_of(key, sizeof key), &height, &value);
    if (f.talk == TALK_OK && f.verdict == GOOD) {
        f.verdict = class_record_decode(value, &record);
    }
    if (f.talk == TALK_OK && f.verdict == GOOD) {
        f.verdict = judge_class(device, &record, may_be_older);
    }
    return f;
}

struct finding evidence_status(struct device *device, struct status_record *out, uint64_t *out_height) {
    const struct device_state *s = &device->state;
    uint8_t key[STATUS_RECORD_KEY_LEN];
    struct bytes value;
    status_record_key(s->candidate.update_id, device->id, key);
    struct finding f = prove(device, PROTOCOL_STATUS_PROOF, 0, "update", bytes_of(key, sizeof key), out_height, &value);
    if (f.talk == TALK_OK && f.verdict == GOOD) {
        f.verdict = status_record_decode(value, out);
    }
    if (f.talk == TALK_OK && f.verdict == GOOD &&
        (memcmp(out->update_id, s->candidate.update_id, HASH_LEN) != 0 ||
         memcmp(out->device_id, device->id, KEY_LEN) != 0)) {
        f.verdict = BAD_KEY;
    }
    return f;
}
