#include "verify/suit_labels.h"

#include <string.h>

/* What the walk through a manifest has gathered so far. The walk knows the format; this knows the meaning: which
 * component a parameter is about, and whether it holds whatever the device is. */
struct gather {
    const struct verify_crypto *crypto;
    const struct suit_envelope *envelope;
    struct suit_manifest *manifest;
    uint32_t selected;   /* components the next parameters are about, a bit each */
    uint8_t conditional; /* open sequences that need not run */
    bool in_text_of_component;
    uint8_t bound;    /* severed members whose digest the manifest holds, a bit each */
    uint8_t elements; /* enum element, or-ed */
    uint8_t digests;  /* dependencies whose digest is known, a bit each */
    uint8_t dependency_index[SUIT_DEPENDENCIES_MAX];
};

enum element {
    SEEN_VERSION = 1 << 0,
    SEEN_SEQUENCE_NUMBER = 1 << 1,
    SEEN_COMPONENTS = 1 << 2,
    SEEN_MANIFEST_DESCRIPTION = 1 << 3,
};

static bool same(struct bytes a, struct bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* States a fact that is a fixed run of bytes. Stating it twice is fine as long as it is the same. */
static enum verdict state_bytes(struct suit_manifest *m, enum suit_fact fact, uint8_t *field,
                                const struct bytes bytes) {
    if ((m->has & fact) != 0) {
        return memcmp(field, bytes.data, bytes.len) == 0 ? GOOD : BAD_ENCODING;
    }
    memcpy(field, bytes.data, bytes.len);
    m->has = (uint16_t)(m->has | fact);
    return GOOD;
}

static enum verdict state_number(struct suit_manifest *m, enum suit_fact fact, uint64_t *field, uint64_t number) {
    if ((m->has & fact) != 0) {
        return *field == number ? GOOD : BAD_ENCODING;
    }
    *field = number;
    m->has = (uint16_t)(m->has | fact);
    return GOOD;
}

static enum verdict state_span(struct suit_manifest *m, enum suit_fact fact, struct bytes *field, struct bytes bytes) {
    if ((m->has & fact) != 0) {
        return same(*field, bytes) ? GOOD : BAD_ENCODING;
    }
    *field = bytes;
    m->has = (uint16_t)(m->has | fact);
    return GOOD;
}

/* An image digest set for a dependency is that of its manifest. */
static enum verdict state_dependency_digest(struct gather *g, struct bytes digest) {
    struct suit_manifest *m = g->manifest;
    for (uint8_t i = 0; i < m->dependency_count; i++) {
        uint8_t bit = (uint8_t)(1u << i);
        if ((g->selected >> g->dependency_index[i] & 1) == 0) {
            continue;
        }
        if ((g->digests & bit) != 0 && memcmp(m->dependencies[i], digest.data, HASH_LEN) != 0) {
            return BAD_ENCODING;
        }
        memcpy(m->dependencies[i], digest.data, HASH_LEN);
        g->digests |= bit;
    }
    return GOOD;
}

static enum verdict on_parameter(struct gather *g, const struct suit_event *event) {
    struct suit_manifest *m = g->manifest;
    if (g->conditional > 0) {
        return GOOD;
    }
    if (event->label == SUIT_PARAMETER_IMAGE_DIGEST) {
        enum verdict v = state_dependency_digest(g, event->bytes);
        if (v != GOOD) {
            return v;
        }
    }
    if ((g->selected & 1) == 0) {
        return GOOD;
    }
    switch (event->label) {
    case SUIT_PARAMETER_VENDOR_ID:
        return state_bytes(m, SUIT_HAS_VENDOR, m->vendor_id, event->bytes);
    case SUIT_PARAMETER_CLASS_ID:
        return state_bytes(m, SUIT_HAS_CLASS, m->class_id, event->bytes);
    case SUIT_PARAMETER_IMAGE_DIGEST:
        return state_bytes(m, SUIT_HAS_DIGEST, m->image_digest, event->bytes);
    case SUIT_PARAMETER_BASE_DIGEST:
        return state_bytes(m, SUIT_HAS_BASE_DIGEST, m->base_digest, event->bytes);
    case SUIT_PARAMETER_IMAGE_SIZE:
        return state_number(m, SUIT_HAS_SIZE, &m->image_size, event->number);
    case SUIT_PARAMETER_SLOT:
        return state_number(m, SUIT_HAS_SLOT, &m->slot, event->number);
    case SUIT_PARAMETER_FORMAT:
        return state_number(m, SUIT_HAS_FORMAT, &m->format, event->number);
    case SUIT_PARAMETER_URI:
        return state_span(m, SUIT_HAS_URI, &m->uri, event->bytes);
    case SUIT_PARAMETER_ENCRYPTION_INFO:
        return state_span(m, SUIT_HAS_ENCRYPTION, &m->encryption_info, event->bytes);
    default:
        return GOOD;
    }
}

static enum verdict select_component(struct gather *g, uint64_t index) {
    if (index >= g->manifest->component_count) {
        return BAD_COMPONENT;
    }
    g->selected |= (uint32_t)1 << index;
    return GOOD;
}

static enum verdict on_set_index(struct gather *g, const struct suit_event *event) {
    struct cbor_reader items = cbor_reader_of(event->bytes);
    uint32_t left = 0;
    uint64_t index;
    enum cbor_major major = CBOR_UINT;
    g->selected = 0;
    if (event->kind == SUIT_EVENT_NUMBER) {
        return select_component(g, event->number);
    }
    enum verdict v = cbor_peek(&items, &major);
    if (v == GOOD && major == CBOR_SIMPLE) {
        g->selected = ((uint32_t)1 << g->manifest->component_count) - 1;
        return GOOD;
    }
    if (v == GOOD) {
        v = cbor_array(&items, &left);
    }
    for (; v == GOOD && left > 0; left--) {
        v = cbor_uint(&items, &index);
        if (v == GOOD) {
            v = select_component(g, index);
        }
    }
    return v;
}

static enum verdict on_command(struct gather *g, const struct suit_event *event) {
    struct suit_manifest *m = g->manifest;
    switch (event->label) {
    case SUIT_COMMAND_SET_INDEX:
        return on_set_index(g, event);
    case SUIT_COMMAND_TRY_EACH:
    case SUIT_COMMAND_RUN_SEQUENCE:
        g->conditional++;
        m->has |= SUIT_HAS_CONDITIONAL;
        return GOOD;
    case SUIT_COMMAND_IMAGE_MATCH:
        m->has |= SUIT_HAS_IMAGE_MATCH;
        return GOOD;
    default:
        return GOOD;
    }
}

/* The manifest holds a member's digest: the envelope's member must have it. */
static enum verdict on_severed_digest(struct gather *g, const struct suit_event *event) {
    uint8_t digest[HASH_LEN];
    for (size_t i = 0; i < SUIT_SEVERABLES; i++) {
        if (suit_severable_labels[i] != event->label) {
            continue;
        }
        if (g->envelope->severed[i].len == 0) {
            if (i != SUIT_SEVERABLE_TEXT) {
                g->manifest->has |= SUIT_HAS_SEVERED_AWAY;
            }
            return GOOD;
        }
        hash_parts(g->crypto, &g->envelope->severed[i], 1, digest);
        g->bound |= (uint8_t)(1u << i);
        return memcmp(digest, event->bytes.data, HASH_LEN) == 0 ? GOOD : BAD_DIGEST;
    }
    return BAD_ENCODING;
}

static enum verdict on_element(struct gather *g, const struct suit_event *event) {
    switch (event->label) {
    case SUIT_MANIFEST_VERSION:
        g->elements |= SEEN_VERSION;
        return GOOD;
    case SUIT_MANIFEST_SEQUENCE_NUMBER:
        g->elements |= SEEN_SEQUENCE_NUMBER;
        g->manifest->sequence = event->number;
        return GOOD;
    case SUIT_MANIFEST_REFERENCE_URI:
        g->manifest->reference_uri = event->bytes;
        return GOOD;
    case SUIT_MANIFEST_INSTALL:
        if (event->kind == SUIT_EVENT_SEQUENCE) {
            g->manifest->has |= SUIT_HAS_INSTALL;
        }
        break;
    default:
        break;
    }
    return event->kind == SUIT_EVENT_DIGEST ? on_severed_digest(g, event) : GOOD;
}

static enum verdict on_component(struct gather *g, const struct suit_event *event) {
    if (g->manifest->component_count == 0) {
        g->manifest->component = event->bytes;
    }
    g->manifest->component_count++;
    return GOOD;
}

static enum verdict on_dependency(struct gather *g, const struct suit_event *event) {
    if (g->manifest->dependency_count == SUIT_DEPENDENCIES_MAX) {
        return BAD_LIMIT;
    }
    g->dependency_index[g->manifest->dependency_count++] = (uint8_t)event->label;
    return GOOD;
}

/* Texts: the first language that has one is used. An update's description is worth more than the manifest's. */
static void on_text(struct gather *g, const struct suit_event *event) {
    struct suit_manifest *m = g->manifest;
    if (event->space == SUIT_SPACE_COMPONENT_TEXT) {
        if (event->label == SUIT_COMPONENT_TEXT_VERSION && g->in_text_of_component && m->version.len == 0) {
            m->version = event->bytes;
        }
        return;
    }
    bool replaces = (g->elements & SEEN_MANIFEST_DESCRIPTION) != 0;
    if (event->label == SUIT_TEXT_UPDATE_DESCRIPTION && (m->description.len == 0 || replaces)) {
        m->description = event->bytes;
        g->elements &= (uint8_t)~SEEN_MANIFEST_DESCRIPTION;
    } else if (event->label == SUIT_TEXT_MANIFEST_DESCRIPTION && m->description.len == 0) {
        m->description = event->bytes;
        g->elements |= SEEN_MANIFEST_DESCRIPTION;
    }
}

/* The manifest proper has ended: what it must have, it has; and the envelope carries nothing it does not speak of. */
static enum verdict on_manifest_end(const struct gather *g) {
    const uint8_t required = SEEN_VERSION | SEEN_SEQUENCE_NUMBER | SEEN_COMPONENTS;
    if ((g->elements & required) != required) {
        return BAD_ENCODING;
    }
    for (size_t i = 0; i < SUIT_SEVERABLES; i++) {
        if (g->envelope->severed[i].len > 0 && (g->bound >> i & 1) == 0) {
            return BAD_ENCODING;
        }
    }
    return GOOD;
}

static enum verdict on_end(struct gather *g, const struct suit_event *event) {
    if (event->space == SUIT_SPACE_COMMAND &&
        (event->label == SUIT_COMMAND_TRY_EACH || event->label == SUIT_COMMAND_RUN_SEQUENCE)) {
        g->conditional--;
    }
    if (event->space == SUIT_SPACE_COMMON && event->label == SUIT_COMMON_COMPONENTS) {
        g->elements |= SEEN_COMPONENTS;
        for (uint8_t i = 0; i < g->manifest->dependency_count; i++) {
            if (g->dependency_index[i] >= g->manifest->component_count) {
                return BAD_COMPONENT;
            }
        }
    }
    return event->space == SUIT_SPACE_NONE && event->depth == 0 ? on_manifest_end(g) : GOOD;
}

static enum verdict on_event(void *ctx, const struct suit_event *event) {
    struct gather *g = ctx;
    if (event->kind == SUIT_EVENT_END) {
        return on_end(g, event);
    }
    switch (event->space) {
    case SUIT_SPACE_MANIFEST:
        g->selected = 1; /* every sequence begins with the first component */
        return on_element(g, event);
    case SUIT_SPACE_COMMON:
        g->selected = 1;
        return GOOD;
    case SUIT_SPACE_COMMAND:
        return on_command(g, event);
    case SUIT_SPACE_PARAMETER:
        return on_parameter(g, event);
    case SUIT_SPACE_TEXT:
    case SUIT_SPACE_COMPONENT_TEXT:
        on_text(g, event);
        return GOOD;
    case SUIT_SPACE_INDEX:
        return on_dependency(g, event);
    case SUIT_SPACE_KEY:
        g->in_text_of_component = same(event->key, g->manifest->component);
        return GOOD;
    default:
        return event->kind == SUIT_EVENT_COMPONENT && event->space == SUIT_SPACE_NONE ? on_component(g, event) : GOOD;
    }
}

enum verdict suit_manifest_parse(const struct verify_crypto *crypto, const struct suit_envelope *envelope,
                                 struct suit_manifest *out) {
    struct suit_manifest manifest;
    struct gather gather;
    memset(&manifest, 0, sizeof manifest);
    memset(&gather, 0, sizeof gather);
    gather.crypto = crypto;
    gather.envelope = envelope;
    gather.manifest = &manifest;
    const struct suit_visitor visitor = {on_event, &gather};
    enum verdict v = suit_walk(envelope, &visitor);
    if (v == GOOD && gather.digests != (uint8_t)((1u << manifest.dependency_count) - 1)) {
        v = BAD_DEPENDENCY;
    }
    for (uint8_t i = 0; v == GOOD && i < manifest.dependency_count; i++) {
        if (gather.dependency_index[i] == 0) {
            v = BAD_COMPONENT; /* the first component is the image */
        }
    }
    if (v == GOOD) {
        *out = manifest;
    }
    return v;
}

enum verdict suit_manifest_installable(const struct suit_manifest *manifest) {
    const uint16_t required = SUIT_HAS_VENDOR | SUIT_HAS_CLASS | SUIT_HAS_DIGEST | SUIT_HAS_SIZE | SUIT_HAS_IMAGE_MATCH;
    const bool patch = manifest->format == SUIT_FORMAT_PATCH;
    if (manifest->component_count != manifest->dependency_count + 1) {
        return BAD_COMPONENT;
    }
    if ((manifest->has & required) != required ||
        (manifest->has & (SUIT_HAS_CONDITIONAL | SUIT_HAS_SEVERED_AWAY)) != 0) {
        return BAD_UNSUPPORTED;
    }
    if (manifest->format > SUIT_FORMAT_PATCH || patch != ((manifest->has & SUIT_HAS_BASE_DIGEST) != 0)) {
        return BAD_UNSUPPORTED;
    }
    return manifest->image_size > 0 ? GOOD : BAD_SIZE;
}

enum verdict suit_check_payloads(const struct verify_crypto *crypto, const struct suit_envelope *envelope,
                                 const struct suit_manifest *manifest) {
    uint8_t digest[HASH_LEN];
    for (uint8_t i = 0; i < envelope->payload_count; i++) {
        const struct suit_payload *payload = &envelope->payloads[i];
        if (!same(payload->name, manifest->uri)) {
            return BAD_UNSUPPORTED;
        }
        if ((manifest->has & SUIT_HAS_ENCRYPTION) != 0) {
            continue;
        }
        if (payload->bytes.len != manifest->image_size) {
            return BAD_SIZE;
        }
        hash_parts(crypto, &payload->bytes, 1, digest);
        if (memcmp(digest, manifest->image_digest, HASH_LEN) != 0) {
            return BAD_DIGEST;
        }
    }
    return GOOD;
}

bool suit_component_is(struct bytes encoded_id, struct bytes segment) {
    struct cbor_reader r = cbor_reader_of(encoded_id);
    struct bytes only;
    uint32_t segments;
    return cbor_array(&r, &segments) == GOOD && segments == 1 && cbor_bytes(&r, &only) == GOOD && same(only, segment);
}
