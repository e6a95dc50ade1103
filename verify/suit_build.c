#include "verify/suit_build.h"

#include "verify/suit_labels.h"

#include <string.h>

enum { TAG_ENVELOPE = 107 };
enum { ENVELOPE_AUTHENTICATION = 2, ENVELOPE_MANIFEST = 3 };
/* Reporting policies: a condition reports whatever happens, a directive when it fails. */
enum { REPORT_ALWAYS = 15, REPORT_FAILURE = 2 };

static void put_digest(struct cbor_writer *w, const uint8_t digest[HASH_LEN]) {
    size_t begun = cbor_begin_bytes(w);
    cbor_put_array(w, 2);
    cbor_put_int(w, COSE_SHA256);
    cbor_put_bytes(w, bytes_of(digest, HASH_LEN));
    cbor_end_bytes(w, begun);
}

static void put_component(struct cbor_writer *w, struct bytes segment) {
    cbor_put_array(w, 1);
    cbor_put_bytes(w, segment);
}

static void put_command(struct cbor_writer *w, enum suit_label command, uint64_t argument) {
    cbor_put_int(w, command);
    cbor_put_uint(w, argument);
}

/* The parameters that tell which image for which device. */
static void put_parameters(struct cbor_writer *w, const struct suit_release *r) {
    const bool has_format = r->format != SUIT_FORMAT_RAW;
    cbor_put_int(w, SUIT_COMMAND_OVERRIDE_PARAMETERS);
    cbor_put_map(w, 4u + r->has_slot + (r->encryption_info.len > 0) + has_format + (r->base_digest != NULL));
    cbor_put_int(w, SUIT_PARAMETER_VENDOR_ID);
    cbor_put_bytes(w, bytes_of(r->vendor_id, UUID_BYTES));
    cbor_put_int(w, SUIT_PARAMETER_CLASS_ID);
    cbor_put_bytes(w, bytes_of(r->class_id, UUID_BYTES));
    cbor_put_int(w, SUIT_PARAMETER_IMAGE_DIGEST);
    put_digest(w, r->image_digest);
    if (r->has_slot) {
        cbor_put_int(w, SUIT_PARAMETER_SLOT);
        cbor_put_uint(w, r->slot);
    }
    cbor_put_int(w, SUIT_PARAMETER_IMAGE_SIZE);
    cbor_put_uint(w, r->image_size);
    if (r->encryption_info.len > 0) {
        cbor_put_int(w, SUIT_PARAMETER_ENCRYPTION_INFO);
        cbor_put_bytes(w, r->encryption_info);
    }
    if (has_format) {
        cbor_put_int(w, SUIT_PARAMETER_FORMAT);
        cbor_put_uint(w, r->format);
    }
    if (r->base_digest != NULL) {
        cbor_put_int(w, SUIT_PARAMETER_BASE_DIGEST);
        cbor_put_bytes(w, bytes_of(r->base_digest, HASH_LEN));
    }
}

/* Dependencies are components after the image, named by their manifest's digest. The commands say which component they
 * are about only where there is more than the image. */
static void put_shared_sequence(struct cbor_writer *w, const struct suit_release *r) {
    const uint32_t count = r->dependency_count;
    size_t begun = cbor_begin_bytes(w);
    cbor_put_array(w, 2 * (3u + (count > 0) + 2 * count));
    if (count > 0) {
        put_command(w, SUIT_COMMAND_SET_INDEX, 0);
    }
    put_parameters(w, r);
    put_command(w, SUIT_COMMAND_VENDOR, REPORT_ALWAYS);
    put_command(w, SUIT_COMMAND_CLASS, REPORT_ALWAYS);
    for (uint32_t i = 0; i < count; i++) {
        put_command(w, SUIT_COMMAND_SET_INDEX, i + 1);
        cbor_put_int(w, SUIT_COMMAND_OVERRIDE_PARAMETERS);
        cbor_put_map(w, 1);
        cbor_put_int(w, SUIT_PARAMETER_IMAGE_DIGEST);
        put_digest(w, r->dependencies[i]);
    }
    cbor_end_bytes(w, begun);
}

static void put_common(struct cbor_writer *w, const struct suit_release *r) {
    const uint32_t count = r->dependency_count;
    size_t begun = cbor_begin_bytes(w);
    cbor_put_map(w, count > 0 ? 3 : 2);
    if (count > 0) {
        cbor_put_int(w, SUIT_COMMON_DEPENDENCIES);
        cbor_put_map(w, count);
        for (uint32_t i = 0; i < count; i++) {
            cbor_put_uint(w, i + 1);
            cbor_put_map(w, 0);
        }
    }
    cbor_put_int(w, SUIT_COMMON_COMPONENTS);
    cbor_put_array(w, 1 + count);
    put_component(w, r->component);
    for (uint32_t i = 0; i < count; i++) {
        put_component(w, bytes_of(r->dependencies[i], HASH_LEN));
    }
    cbor_put_int(w, SUIT_COMMON_SHARED_SEQUENCE);
    put_shared_sequence(w, r);
    cbor_end_bytes(w, begun);
}

static void put_validate(struct cbor_writer *w, const struct suit_release *r) {
    const uint32_t count = r->dependency_count;
    size_t begun = cbor_begin_bytes(w);
    cbor_put_array(w, 2 * (1u + (count > 0) + 2 * count));
    if (count > 0) {
        put_command(w, SUIT_COMMAND_SET_INDEX, 0);
    }
    put_command(w, SUIT_COMMAND_IMAGE_MATCH, REPORT_ALWAYS);
    for (uint32_t i = 0; i < count; i++) {
        put_command(w, SUIT_COMMAND_SET_INDEX, i + 1);
        put_command(w, SUIT_COMMAND_DEPENDENCY_INTEGRITY, REPORT_ALWAYS);
    }
    cbor_end_bytes(w, begun);
}

static void put_install(struct cbor_writer *w, const struct suit_release *r) {
    size_t begun = cbor_begin_bytes(w);
    cbor_put_array(w, 2 * 3);
    cbor_put_int(w, SUIT_COMMAND_OVERRIDE_PARAMETERS);
    cbor_put_map(w, 1);
    cbor_put_int(w, SUIT_PARAMETER_URI);
    cbor_put_text(w, r->uri);
    put_command(w, SUIT_COMMAND_FETCH, REPORT_FAILURE);
    put_command(w, SUIT_COMMAND_IMAGE_MATCH, REPORT_ALWAYS);
    cbor_end_bytes(w, begun);
}

static bool has_component_text(const struct suit_release *r) {
    return r->version.len > 0 || r->vendor_domain.len > 0;
}

static void put_text(struct cbor_writer *w, const struct suit_release *r) {
    size_t begun = cbor_begin_bytes(w);
    cbor_put_map(w, 1);
    cbor_put_text(w, bytes_of("en", 2));
    cbor_put_map(w, 0u + (r->description.len > 0) + has_component_text(r));
    if (r->description.len > 0) {
        cbor_put_int(w, SUIT_TEXT_UPDATE_DESCRIPTION);
        cbor_put_text(w, r->description);
    }
    if (has_component_text(r)) {
        put_component(w, r->component);
        cbor_put_map(w, 0u + (r->vendor_domain.len > 0) + (r->version.len > 0));
        if (r->vendor_domain.len > 0) {
            cbor_put_int(w, SUIT_COMPONENT_TEXT_VENDOR_DOMAIN);
            cbor_put_text(w, r->vendor_domain);
        }
        if (r->version.len > 0) {
            cbor_put_int(w, SUIT_COMPONENT_TEXT_VERSION);
            cbor_put_text(w, r->version);
        }
    }
    cbor_end_bytes(w, begun);
}

static void put_manifest(struct cbor_writer *w, const struct suit_release *r) {
    const bool has_text = r->description.len > 0 || has_component_text(r);
    size_t begun = cbor_begin_bytes(w);
    cbor_put_map(w, 4u + (r->reference_uri.len > 0) + (r->uri.len > 0) + has_text);
    cbor_put_int(w, SUIT_MANIFEST_VERSION);
    cbor_put_uint(w, 1);
    cbor_put_int(w, SUIT_MANIFEST_SEQUENCE_NUMBER);
    cbor_put_uint(w, r->sequence);
    cbor_put_int(w, SUIT_MANIFEST_COMMON);
    put_common(w, r);
    if (r->reference_uri.len > 0) {
        cbor_put_int(w, SUIT_MANIFEST_REFERENCE_URI);
        cbor_put_text(w, r->reference_uri);
    }
    cbor_put_int(w, SUIT_MANIFEST_VALIDATE);
    put_validate(w, r);
    if (r->uri.len > 0) {
        cbor_put_int(w, SUIT_MANIFEST_INSTALL);
        put_install(w, r);
    }
    if (has_text) {
        cbor_put_int(w, SUIT_MANIFEST_TEXT);
        put_text(w, r);
    }
    cbor_end_bytes(w, begun);
}

/* The digest is not known yet: zeros keep its place. */
static void put_unsigned_envelope(struct cbor_writer *w, const struct suit_release *r) {
    static const uint8_t no_digest[HASH_LEN] = {0};
    cbor_put_tag(w, TAG_ENVELOPE);
    cbor_put_map(w, r->payload.len > 0 ? 3 : 2);
    cbor_put_int(w, ENVELOPE_AUTHENTICATION);
    size_t begun = cbor_begin_bytes(w);
    cbor_put_array(w, 1);
    put_digest(w, no_digest);
    cbor_end_bytes(w, begun);
    cbor_put_int(w, ENVELOPE_MANIFEST);
    put_manifest(w, r);
    if (r->payload.len > 0) {
        cbor_put_text(w, r->uri);
        cbor_put_bytes(w, r->payload);
    }
}

/* What was written is read back by the same code that will judge it, so that nothing is built that it would refuse. */
static enum verdict read_back(const struct verify_crypto *crypto, struct bytes written, uint8_t *digest_at,
                              size_t *digest_offset) {
    struct suit_envelope envelope;
    struct suit_manifest manifest;
    enum verdict v = suit_envelope_parse(written, &envelope);
    if (v == GOOD) {
        v = suit_manifest_parse(crypto, &envelope, &manifest);
    }
    if (v == GOOD) {
        v = suit_manifest_installable(&manifest);
    }
    if (v == GOOD) {
        hash_parts(crypto, &envelope.manifest_wrapped, 1, digest_at);
        *digest_offset = (size_t)(envelope.digest_block.data - written.data) + envelope.digest_block.len - HASH_LEN;
    }
    return v;
}

enum verdict suit_build_release(const struct verify_crypto *crypto, const struct suit_release *release, uint8_t *out,
                                size_t capacity, size_t *out_len) {
    uint8_t digest[HASH_LEN];
    size_t len, digest_offset;
    if (release->component.len == 0) {
        return BAD_COMPONENT;
    }
    if (release->dependency_count > SUIT_DEPENDENCIES_MAX) {
        return BAD_LIMIT;
    }
    if (release->payload.len > 0 && (release->uri.len == 0 || release->uri.data[0] != '#')) {
        return BAD_ENCODING;
    }
    struct cbor_writer w = cbor_writer_of(out, capacity);
    put_unsigned_envelope(&w, release);
    enum verdict v = cbor_writer_end(&w, &len);
    if (v == GOOD) {
        v = read_back(crypto, bytes_of(out, len), digest, &digest_offset);
    }
    if (v == GOOD) {
        memcpy(out + digest_offset, digest, HASH_LEN);
        *out_len = len;
    }
    return v;
}

enum verdict suit_signed_bytes(const struct suit_envelope *envelope, enum cose_algorithm algorithm, struct bytes key_id,
                               uint8_t out[COSE_SIGNED_MAX], size_t *out_len) {
    uint8_t header[COSE_PROTECTED_MAX];
    size_t len;
    enum verdict v = cose_protected_header(algorithm, key_id, header, &len);
    return v == GOOD ? cose_signed_bytes(bytes_of(header, len), envelope->digest_block, out, out_len) : v;
}

static enum verdict put_signature(struct cbor_writer *w, const struct suit_new_signature *signature) {
    uint8_t header[COSE_PROTECTED_MAX];
    size_t len;
    enum verdict v = cose_protected_header(signature->algorithm, signature->key_id, header, &len);
    if (v == GOOD) {
        size_t begun = cbor_begin_bytes(w);
        cose_sign1_write(w, bytes_of(header, len), signature->signature);
        cbor_end_bytes(w, begun);
    }
    return v;
}

enum verdict suit_attach(const struct suit_envelope *envelope, const struct suit_new_signature *signatures,
                         size_t count, uint8_t *out, size_t capacity, size_t *out_len) {
    if (count > SUIT_SIGNATURES_MAX || envelope->signature_count + count > SUIT_SIGNATURES_MAX) {
        return BAD_LIMIT;
    }
    struct cbor_writer w = cbor_writer_of(out, capacity);
    cbor_put_tag(&w, TAG_ENVELOPE);
    cbor_put_map(&w, 1 + envelope->member_count);
    cbor_put_int(&w, ENVELOPE_AUTHENTICATION);
    size_t wrapper = cbor_begin_bytes(&w);
    cbor_put_array(&w, 1 + envelope->signature_count + (uint32_t)count);
    cbor_put_bytes(&w, envelope->digest_block);
    cbor_put_raw(&w, envelope->auth_blocks);
    for (size_t i = 0; i < count; i++) {
        enum verdict v = put_signature(&w, &signatures[i]);
        if (v != GOOD) {
            return v;
        }
    }
    cbor_end_bytes(&w, wrapper);
    cbor_put_raw(&w, envelope->members);
    return cbor_writer_end(&w, out_len);
}
