#include "tests/lib/fake_gateway.h"

const uint8_t fake_component = 0;

static void fake_sign_delegation(struct fake *f, size_t *out_len) {
    uint8_t message[TAG_LEN + DELEGATION_MAX];
    size_t len = delegation_encode(&f->delegation, f->object);
    memcpy(message, TAG_DELEGATION, TAG_LEN);
    memcpy(message + TAG_LEN, f->object, len);
    ed25519_sign(f->root_secret, message, TAG_LEN + len, f->object + len);
    *out_len = len + SIG_LEN;
}

/* Builds and signs the envelope into `object`; gives the manifest's digest. */
static bool fake_build_envelope(struct fake *f, uint8_t out_digest[HASH_LEN]) {
    static uint8_t plain[4096];
    struct suit_envelope envelope;
    struct suit_new_signature sig = {.algorithm = COSE_ED25519};
    uint8_t message[COSE_SIGNED_MAX];
    size_t len, message_len;
    if (suit_build_release(&fixture_crypto, &f->release, plain, sizeof plain, &len) != GOOD ||
        suit_envelope_parse(bytes_of(plain, len), &envelope) != GOOD ||
        suit_signed_bytes(&envelope, sig.algorithm, sig.key_id, message, &message_len) != GOOD) {
        return false;
    }
    ed25519_sign(f->author_secret, message, message_len, sig.signature);
    memcpy(out_digest, envelope.digest, HASH_LEN);
    return suit_attach(&envelope, &sig, 1, f->object, sizeof f->object, &f->object_len) == GOOD;
}

void fake_publish(struct fake *f) {
    uint8_t digest[HASH_LEN];
    if (fake_build_envelope(f, digest)) {
        memcpy(f->record.manifest_digest, digest, HASH_LEN);
    }
    memcpy(f->record.image_digest, f->release.image_digest, HASH_LEN);
    f->record.has_release = true;
    f->record.sequence = f->release.sequence;
    f->record.highest_released = f->release.sequence;
    f->record.image_size = f->release.image_size;
    f->offer.sequence = f->release.sequence;
    f->offer.image_size = f->release.image_size;
    f->offered = true;
}

void fake_make_image(struct fake *f, uint8_t number, size_t size) {
    f->image_size = size;
    for (size_t i = 0; i < size; i++) {
        f->image[i] = (uint8_t)(number * 31 + i * 7 + i / 251);
    }
    sha256(f->image, size, f->release.image_digest);
    f->release.image_size = size;
}

void fake_init(struct fake *f, uint16_t validators, size_t image_size) {
    memset(f, 0, sizeof *f);
    fixture_set_make(&f->sets[0], 1, validators);
    fixture_set_make(&f->sets[1], 2, validators);
    f->set_list[0] = &f->sets[0];
    f->set_list[1] = &f->sets[1];
    fixture_key(8, 1, f->root, f->root_secret);
    fixture_key(8, 2, f->author, f->author_secret);
    memset(f->chain, 0xc4, CHAIN_ID_LEN);
    memset(f->record.vendor_id, 0x11, UUID_BYTES);
    memset(f->record.class_id, 0x22, UUID_BYTES);
    f->height = 100;
    f->max_failed = 3;
    f->offline_after = -1;
    f->delegation = (struct delegation){.author = {.type = AUTHOR_ED25519}, .last_sequence = 1000, .class_count = 1};
    memcpy(f->delegation.chain_id, f->chain, CHAIN_ID_LEN);
    memcpy(f->delegation.vendor_id, f->record.vendor_id, UUID_BYTES);
    memcpy(f->delegation.author.key, f->author, KEY_LEN);
    memcpy(f->delegation.classes[0], f->record.class_id, UUID_BYTES);
    f->release.sequence = 5;
    f->release.component = bytes_of(&fake_component, 1);
    f->release.uri = bytes_of("ipfs:x", 6);
    memcpy(f->release.vendor_id, f->record.vendor_id, UUID_BYTES);
    memcpy(f->release.class_id, f->record.class_id, UUID_BYTES);
    memset(f->offer.update_id, 0x77, HASH_LEN);
    fake_make_image(f, 5, image_size);
    fake_publish(f);
}

/* ---- Objects --------------------------------------------------------------------------------------------------- */

static void fake_make_bundle(struct fake *f, const struct protocol_request *request, bool of_class) {
    uint8_t class_key[CLASS_RECORD_KEY_LEN], status_key[STATUS_RECORD_KEY_LEN];
    uint8_t class_value[CLASS_RECORD_LEN], status_value[STATUS_RECORD_LEN];
    uint16_t known = (uint16_t)(request->get.epoch > f->steps ? f->steps : request->get.epoch);
    class_record_key(f->record.class_id, class_key);
    status_record_key(f->offer.update_id, request->device_id, status_key);
    struct class_record record = f->record;
    if (f->revoke_before_arming && f->has_status) {
        record.highest_revoked = record.sequence;
        record.sequence = 1;
    }
    class_record_encode(&record, class_value);
    status_record_encode(&f->status, status_value);
    f->state.count = 0;
    const char *about = f->answer_about != NULL ? f->answer_about : "firmware";
    fixture_put(&f->state, about, bytes_of(class_key, sizeof class_key), bytes_of(class_value, sizeof class_value));
    fixture_put(&f->state, "other", bytes_of(class_key, 1), bytes_of(class_key, 1));
    if (f->has_status) {
        fixture_put(&f->state, "update", bytes_of(status_key, sizeof status_key),
                    bytes_of(status_value, sizeof status_value));
    }
    struct fixture_bundle b = {.chain = f->chain,
                               .epoch = known,
                               .sets = f->set_list + known,
                               .steps = (uint16_t)(f->steps - known),
                               .height = f->old_proofs ? 1 : f->height,
                               .state = &f->state,
                               .contract = of_class ? about : "update",
                               .user_key = of_class ? bytes_of(class_key, sizeof class_key)
                                                    : bytes_of(status_key, sizeof status_key)};
    f->object_len = fixture_bundle_make(&b, f->object);
    if (f->signers > 0) {
        /* The same header with a certificate of fewer. */
        uint8_t hash[HASH_LEN];
        struct vote_subject subject = {.epoch = known, .view = 1, .kind = VOTE_FINALIZE};
        size_t at = 7 + BLOCK_HEADER_LEN + 2;
        block_header_hash(&fixture_crypto, f->object + 7, hash);
        memcpy(subject.block, hash, HASH_LEN);
        at += fixture_certificate(f->set_list[known], f->signers, f->chain, &subject, f->object + at);
        f->object_len = at + fixture_put_state(&f->state, b.contract, b.user_key, f->object + at);
    }
}

static bool fake_object(struct fake *f, const struct protocol_request *request) {
    uint8_t digest[HASH_LEN];
    enum protocol_what what = request->get.what;
    switch (what) {
    case PROTOCOL_ENVELOPE:
        if (!fake_build_envelope(f, digest)) {
            return false;
        }
        break;
    case PROTOCOL_DELEGATION:
        fake_sign_delegation(f, &f->object_len);
        break;
    case PROTOCOL_IMAGE:
        memcpy(f->object, f->image, f->image_size);
        f->object_len = f->image_size;
        if (f->corrupt_images > 0) {
            f->object[f->image_size / 2] ^= 1;
        }
        if (f->image_too_long) {
            f->object[f->object_len++] = 0;
        }
        break;
    case PROTOCOL_CLASS_PROOF:
    case PROTOCOL_STATUS_PROOF:
        if (f->height < request->get.height && !f->old_proofs) {
            return false;
        }
        fake_make_bundle(f, request, what == PROTOCOL_CLASS_PROOF);
        break;
    }
    if (f->spoil_what[what]) {
        f->object[f->spoil_at % f->object_len] ^= 0x10;
    }
    if (f->extra_byte[what]) {
        f->object[f->object_len++] = 0;
    }
    return true;
}

/* ---- Answers --------------------------------------------------------------------------------------------------- */

static void fake_judge(struct fake *f, const struct statement *s, struct protocol_answer *out) {
    struct status_record *r = &f->status;
    bool repeated = s->counter == f->last_counter;
    f->height++;
    if (s->kind == STATEMENT_REPORT) {
        f->reports++;
        f->last_report = *s;
    } else if (s->kind == STATEMENT_OPEN) {
        f->opens += !repeated;
    } else if (!repeated) {
        f->verifies++;
        enum verify_outcome outcome = OUTCOME_SUCCESS;
        if (r->failed_attempts >= f->max_failed) {
            outcome = OUTCOME_EXHAUSTED;
        } else if (memcmp(s->digest, f->release.image_digest, HASH_LEN) != 0) {
            outcome = OUTCOME_MISMATCH;
            r->failed_attempts++;
            f->corrupt_images -= f->corrupt_images > 0;
        }
        outcome = f->force != OUTCOME_NONE ? f->force : outcome;
        r->status = outcome == OUTCOME_SUCCESS ? STATUS_VERIFIED : STATUS_UNVERIFIED;
        r->last_outcome = outcome;
        r->counter = s->counter;
        memcpy(r->update_id, s->update_id, HASH_LEN);
        memcpy(r->device_id, s->device_id, KEY_LEN);
        memcpy(r->digest, s->digest, HASH_LEN);
        if (!f->replay_status) {
            memcpy(r->nonce, s->nonce, NONCE_LEN);
        }
        f->has_status = true;
    }
    f->last_counter = s->counter;
    out->said.outcome = s->kind == STATEMENT_VERIFY ? r->last_outcome : OUTCOME_NONE;
    out->said.proof_ready = true;
}

static bool fake_statement(struct fake *f, const struct protocol_request *request, struct protocol_answer *out) {
    uint8_t text[STATEMENT_SIGNED_LEN];
    struct statement s;
    memcpy(text, TAG_STATEMENT, TAG_LEN);
    memcpy(text + TAG_LEN, request->said.statement, STATEMENT_LEN);
    if (statement_decode(bytes_of(request->said.statement, STATEMENT_LEN), &s) != GOOD ||
        !ed25519_verify(request->device_id, text, sizeof text, request->said.signature)) {
        return false;
    }
    out->said.reception = f->queue ? PROTOCOL_QUEUED : PROTOCOL_ACCEPTED;
    if (f->refuse) {
        out->said.reception = PROTOCOL_REFUSED;
    } else if (!f->queue) {
        if (s.counter < f->last_counter) {
            out->said.reception = PROTOCOL_REFUSED; /* replayed */
        } else {
            fake_judge(f, &s, out);
        }
    }
    return true;
}

static void fake_answer(struct fake *f, const struct protocol_request *request, struct protocol_answer *out) {
    out->operation = request->operation;
    switch (request->operation) {
    case PROTOCOL_HELLO:
        out->hello.time_ms = 1000;
        out->hello.poll_ms = 5;
        memcpy(out->hello.chain_id, f->chain, CHAIN_ID_LEN);
        break;
    case PROTOCOL_CHECK:
        out->check.offered = f->offered;
        out->check.offer = f->offer;
        break;
    case PROTOCOL_GET:
        if (!fake_object(f, request)) {
            out->code = PROTOCOL_NOT_YET;
        } else if (request->get.offset >= f->object_len || (request->get.tag != 0 && request->get.tag != 9) ||
                   (f->image_gone && request->get.what == PROTOCOL_IMAGE)) {
            out->code = PROTOCOL_GONE;
        } else {
            size_t len = f->object_len - request->get.offset;
            out->get.total = f->object_len;
            out->get.tag = f->swap_tag ? 9 + f->exchanges : 9;
            out->get.bytes =
                bytes_of(f->object + request->get.offset, len < request->get.length ? len : request->get.length);
            f->image_bytes += request->get.what == PROTOCOL_IMAGE ? out->get.bytes.len : 0;
        }
        break;
    case PROTOCOL_STATEMENT:
        if (!fake_statement(f, request, out)) {
            out->code = PROTOCOL_BAD_REQUEST;
        }
        break;
    }
}

static bool fake_exchange(void *ctx, const uint8_t *bytes, size_t len, uint8_t *answer, size_t capacity,
                          size_t *out_len) {
    struct fake *f = ctx;
    struct protocol_request request;
    struct protocol_answer out = {.code = PROTOCOL_OK};
    f->exchanges++;
    if (f->offline || f->offline_after == 0 || protocol_request_decode(bytes_of(bytes, len), &request) != GOOD) {
        return false;
    }
    f->offline_after -= f->offline_after > 0;
    if (f->garbage) {
        memset(answer, 0xee, 20);
        *out_len = 20;
        return true;
    }
    if (f->unknown_device) {
        out.operation = request.operation;
        out.code = PROTOCOL_UNKNOWN_DEVICE;
    } else {
        fake_answer(f, &request, &out);
    }
    return protocol_answer_encode(&out, answer, capacity, out_len) == GOOD;
}

bool bench_init(struct bench *b, struct fake *f) {
    static const uint8_t seed[HOST_SEED_LEN] = {0xd0};
    struct validator_set set = fixture_validators(&f->sets[0]);
    memset(b, 0, sizeof *b);
    b->power.writes_left = -1;
    if (!host_flash_new(&b->flash, FAKE_SLOT, &b->power)) {
        return false;
    }
    host_secure_new(&b->secure, seed, f->root, &b->power);
    memcpy(b->config.chain_id, f->chain, CHAIN_ID_LEN);
    memcpy(b->config.vendor_id, f->record.vendor_id, UUID_BYTES);
    memcpy(b->config.class_id, f->record.class_id, UUID_BYTES);
    b->config.trial_boots = 3;
    b->link = (struct device_transport){fake_exchange, f};
    b->run = (struct host_run){
        .config = &b->config,
        .seams = {.crypto = &fixture_crypto, .flash = &b->flash.seam, .transport = &b->link, .secure = &b->secure.seam},
        .patience_ms = 300,
        .wait_ms = 1};
    for (size_t i = 0; i < sizeof b->old_image; i++) {
        b->old_image[i] = (uint8_t)(i * 3);
    }
    memcpy(b->flash.areas[FLASH_SLOT_0], b->old_image, sizeof b->old_image);
    b->old = (struct device_image){.sequence = 4, .size = sizeof b->old_image};
    sha256(b->old_image, sizeof b->old_image, b->old.digest);
    return device_init(&b->run.device, &b->config, &b->run.seams) &&
           device_provision(&b->run.device, &b->old, 0, &set) && host_run_boot(&b->run) == HOST_NOTHING;
}

void bench_close(struct bench *b) {
    host_flash_free(&b->flash);
}

bool bench_runs(struct bench *b, uint64_t sequence, const uint8_t *image, size_t len) {
    const struct device_state *s = &b->run.device.state;
    return s->running.sequence == sequence && s->running.size == len &&
           memcmp(b->flash.areas[s->active], image, len) == 0;
}
