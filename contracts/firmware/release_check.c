#include "contracts/firmware/release_check.h"

#include "contracts/author/author.h"
#include "contracts/firmware/firmware.h"
#include "contracts/kernel/method.h"

#include <inttypes.h>
#include <string.h>

/* A binary CIDv1 with SHA-256 begins 01, codec (raw 55 or dag-pb 70), 12 20. */
#define CODEC_RAW 0x55
#define CODEC_DAG_PB 0x70

static bool cid_is_sound(const uint8_t *cid) {
    return cid[0] == 0x01 && (cid[1] == CODEC_RAW || cid[1] == CODEC_DAG_PB) && cid[2] == 0x12 && cid[3] == 0x20;
}

enum err release_check_author(const struct call *call, const struct class_definition *class,
                              const uint8_t author_id[HASH_LEN], uint64_t sequence, struct author_key *out_key,
                              enum code *out_code) {
    struct author_record author;
    enum code code;
    enum err e = author_judge(&call->state, author_id, call->time_ms, &author, &code);
    if (e != OK) {
        return e;
    }
    if (code != CODE_AUTHOR_UNKNOWN) {
        *out_key = author.key;
    }
    if (code == CODE_OK) {
        struct delegation d;
        const struct bytes encoded = {author.delegation, author.delegation_len};
        if (delegation_verify(call->crypto, class->def.root_key, encoded, &d) != GOOD ||
            delegation_covers(&d, call->chain_id, class->class_id, sequence) != GOOD) {
            code = CODE_DELEGATION_NOT_COVERING;
        }
    }
    *out_code = code;
    return OK;
}

/* Which of the class's authors, fit to sign or not, signed the envelope? Nothing of a manifest that none of them signed
 * is interpreted. */
static enum err find_signatures(const struct call *call, const struct class_definition *class,
                                const struct suit_envelope *envelope, bool out_signed[GENESIS_CLASS_AUTHORS_MAX],
                                struct answer *answer) {
    bool any = false;
    for (size_t i = 0; i < class->def.author_count; i++) {
        struct author_record author;
        bool found = false;
        enum err e = author_get(&call->state, class->def.authors[i], &author, &found);
        if (e != OK) {
            return e;
        }
        out_signed[i] = found && suit_verify_author(call->crypto, envelope, &author.key) == GOOD;
        any = any || out_signed[i];
    }
    return any ? OK : refuse(answer, CODE_RELEASE_NOT_SIGNED_BY_AUTHOR, "no signature is one of the class's authors'");
}

/* Collects the authors who may sign and did, the envelope or (holding an Ed25519 key) the transaction. When none of
 * those on the envelope may, the refusal says why one of them may not. */
static enum err collect_signers(const struct call *call, const struct class_definition *class,
                                const bool signed_envelope[GENESIS_CLASS_AUTHORS_MAX], uint64_t sequence,
                                struct release_record *release, struct answer *answer) {
    enum code worst = CODE_RELEASE_NOT_SIGNED_BY_AUTHOR;
    size_t envelope_signers = 0;
    release->signer_count = 0;
    for (size_t i = 0; i < class->def.author_count; i++) {
        const uint8_t *id = class->def.authors[i];
        struct author_key key = {0};
        enum code code;
        enum err e = release_check_author(call, class, id, sequence, &key, &code);
        if (e != OK) {
            return e;
        }
        bool signed_tx = key.type == AUTHOR_ED25519 && call_signed_by(call, key.key);
        if (signed_envelope[i] && code != CODE_OK) {
            worst = code;
        }
        if (code == CODE_OK && (signed_envelope[i] || signed_tx)) {
            memcpy(release->signers[release->signer_count++], id, HASH_LEN);
            envelope_signers += signed_envelope[i];
        }
    }
    return envelope_signers > 0 ? OK : refuse(answer, worst, "no signature of the envelope counts");
}

enum err release_check_sequence(const struct call *call, const uint8_t class_id[UUID_BYTES], uint64_t sequence,
                                struct answer *answer) {
    struct class_record latest;
    bool found = false;
    enum err e = release_latest(&call->state, class_id, &latest, &found);
    if (e != OK || !found) {
        return e != OK ? e : ERR_CORRUPT;
    }
    if (sequence <= latest.highest_released) {
        return refuse(answer, CODE_RELEASE_SEQUENCE_TOO_LOW, "sequence %" PRIu64 ", already released %" PRIu64,
                      sequence, latest.highest_released);
    }
    if (sequence == UINT64_MAX || sequence - latest.highest_released > FIRMWARE_SEQUENCE_JUMP_MAX) {
        return refuse(answer, CODE_RELEASE_SEQUENCE_TOO_FAR, "sequence %" PRIu64 ", at most %llu above %" PRIu64,
                      sequence, FIRMWARE_SEQUENCE_JUMP_MAX, latest.highest_released);
    }
    return OK;
}

enum err release_check_dependencies(const struct call *call, const struct release_record *release,
                                    struct answer *answer) {
    for (size_t i = 0; i < release->dependency_count; i++) {
        struct release_record other;
        bool found = false;
        char hex[2 * HASH_LEN + 1];
        hex_encode(release->dependencies[i], HASH_LEN, hex);
        enum err e = release_by_manifest(&call->state, release->dependencies[i], &other, &found);
        if (e != OK) {
            return e;
        }
        if (!found) {
            return refuse(answer, CODE_RELEASE_DEPENDENCY_UNKNOWN, "manifest %s", hex);
        }
        if (other.state != RELEASE_RELEASED) {
            return refuse(answer, CODE_RELEASE_DEPENDENCY_REVOKED, "manifest %s", hex);
        }
    }
    return OK;
}

/* The class's slot the manifest's component names; false when there is none. */
static bool find_slot(const struct class_definition *class, const struct suit_manifest *manifest,
                      struct genesis_slot *out) {
    for (size_t i = 0; i < class->def.slot_count; i++) {
        const struct bytes segment = {&class->def.slots[i].component, 1};
        if (suit_component_is(manifest->component, segment)) {
            *out = class->def.slots[i];
            return true;
        }
    }
    return false;
}

/* Digest, size, CIDs and room. */
static enum err check_image(const struct class_definition *class, const struct suit_manifest *manifest,
                            const struct release_claim *claim, struct release_record *release, struct answer *answer) {
    struct genesis_slot slot;
    if (memcmp(manifest->image_digest, claim->image_digest, HASH_LEN) != 0) {
        return refuse(answer, CODE_RELEASE_DIGEST_MISMATCH, "image_digest is not the manifest's");
    }
    if (manifest->image_size != claim->image_size) {
        return refuse(answer, CODE_RELEASE_SIZE_MISMATCH, "manifest says %" PRIu64 " bytes, image_size %" PRIu64,
                      manifest->image_size, claim->image_size);
    }
    if (!cid_is_sound(claim->image_cid) ||
        (claim->image_cid[1] == CODEC_RAW && memcmp(claim->image_cid + 4, claim->image_digest, HASH_LEN) != 0)) {
        return refuse(answer, CODE_RELEASE_CID_INVALID, "image_cid");
    }
    if (claim->sbom_cid != NULL && !cid_is_sound(claim->sbom_cid)) {
        return refuse(answer, CODE_RELEASE_CID_INVALID, "sbom_cid");
    }
    if (!find_slot(class, manifest, &slot)) {
        return refuse(answer, CODE_RELEASE_COMPONENT_UNKNOWN, "the class has %u slots, none is the manifest's",
                      class->def.slot_count);
    }
    if (manifest->image_size > slot.max_size) {
        return refuse(answer, CODE_RELEASE_TOO_BIG_FOR_SLOT, "%" PRIu64 " bytes into %" PRIu64, manifest->image_size,
                      slot.max_size);
    }
    release->component = slot.component;
    return OK;
}

static enum err check_manifest(const struct call *call, const struct class_definition *class,
                               const struct suit_manifest *manifest, const struct release_claim *claim,
                               struct release_record *release, struct answer *answer) {
    enum verdict v = suit_manifest_installable(manifest);
    if (v != GOOD) {
        return refuse(answer, CODE_RELEASE_ENVELOPE_INVALID, "manifest is no plain release: %s", verdict_text(v));
    }
    if (memcmp(manifest->vendor_id, class->vendor_id, UUID_BYTES) != 0) {
        return refuse(answer, CODE_RELEASE_WRONG_VENDOR, "vendor id is not that of %s", class->def.vendor_domain);
    }
    if (memcmp(manifest->class_id, class->class_id, UUID_BYTES) != 0) {
        return refuse(answer, CODE_RELEASE_WRONG_CLASS, "class id is not that of %s", class->def.class_name);
    }
    enum err e = release_check_sequence(call, class->class_id, manifest->sequence, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    e = check_image(class, manifest, claim, release, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    release->dependency_count = manifest->dependency_count;
    memcpy(release->dependencies, manifest->dependencies, sizeof release->dependencies);
    e = release_check_dependencies(call, release, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    if (!text_is_ascii(manifest->version) || !text_is_clean(manifest->description) || !text_is_ascii(manifest->uri)) {
        return refuse(answer, CODE_TEXT_NOT_CLEAN, "a text of the manifest");
    }
    return OK;
}

static enum err refuse_envelope(struct answer *answer, enum verdict v) {
    return refuse(answer, CODE_RELEASE_ENVELOPE_INVALID, "%s: %s", verdict_name(v), verdict_text(v));
}

enum err release_check(const struct call *call, const struct class_definition *class, const struct release_claim *claim,
                       struct release_record *release, struct answer *answer) {
    struct suit_envelope envelope;
    struct suit_manifest manifest;
    bool signed_envelope[GENESIS_CLASS_AUTHORS_MAX] = {false};
    enum verdict v = suit_envelope_parse(claim->envelope, &envelope);
    v = v == GOOD ? suit_check_digest(call->crypto, &envelope) : v;
    if (v != GOOD) {
        return refuse_envelope(answer, v);
    }
    enum err e = find_signatures(call, class, &envelope, signed_envelope, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    v = suit_manifest_parse(call->crypto, &envelope, &manifest);
    if (v != GOOD) {
        return refuse_envelope(answer, v);
    }
    e = collect_signers(call, class, signed_envelope, manifest.sequence, release, answer);
    if (e == OK && answer->code == CODE_OK) {
        e = check_manifest(call, class, &manifest, claim, release, answer);
    }
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    memcpy(release->class_id, class->class_id, UUID_BYTES);
    memcpy(release->vendor_id, class->vendor_id, UUID_BYTES);
    release->sequence = manifest.sequence;
    release->format = manifest.format;
    release->envelope_len = (uint32_t)claim->envelope.len;
    memcpy(release->manifest_digest, envelope.digest, HASH_LEN);
    memcpy(release->image_digest, claim->image_digest, HASH_LEN);
    release->image_size = claim->image_size;
    memcpy(release->image_cid, claim->image_cid, CID_BINARY_LEN);
    memcpy(release->image_tree_root, claim->image_tree_root, HASH_LEN);
    release->has_sbom = claim->sbom_cid != NULL;
    if (release->has_sbom) {
        memcpy(release->sbom_cid, claim->sbom_cid, CID_BINARY_LEN);
    }
    release_id(release, release->id);
    return OK;
}
