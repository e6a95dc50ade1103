#include "node/cli/suit_show.h"

#include "base/buffer.h"
#include "node/host/host_crypto.h"
#include "verify/suit_walk.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* "Ed25519", "ES256", ...; "unknown" for one this product cannot check. */
static const char *algorithm_name(int32_t algorithm) {
    switch (algorithm) {
    case COSE_ES256:
        return "ES256";
    case COSE_EDDSA:
        return "EdDSA";
    case COSE_ESP256:
        return "ESP256";
    case COSE_ED25519:
        return "Ed25519";
    default:
        return "unknown";
    }
}

/* An envelope opened for showing: well-formed throughout. */
struct opened {
    struct suit_envelope envelope;
    struct suit_manifest manifest;
    bool digest_holds;
};

static enum verdict open_envelope(struct bytes in, struct opened *out) {
    enum verdict v = suit_envelope_parse(in, &out->envelope);
    if (v == GOOD) {
        out->digest_holds = suit_check_digest(&host_crypto, &out->envelope) == GOOD;
        v = suit_manifest_parse(&host_crypto, &out->envelope, &out->manifest);
    }
    return v;
}

static void put_text(struct buffer *out, const char *text) {
    buffer_put(out, text, strlen(text));
}

static void put_hex(struct buffer *out, struct bytes bytes) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len; i++) {
        buffer_u8(out, (uint8_t)digits[bytes.data[i] >> 4]);
        buffer_u8(out, (uint8_t)digits[bytes.data[i] & 15]);
    }
}

static void put_hex_literal(struct buffer *out, struct bytes bytes) {
    put_text(out, "h'");
    put_hex(out, bytes);
    put_text(out, "'");
}

static void put_component(struct buffer *out, struct bytes encoded) {
    struct cbor_reader r = cbor_reader_of(encoded);
    struct bytes segment;
    uint32_t segments = 0;
    enum verdict v = cbor_array(&r, &segments);
    put_text(out, "[");
    for (uint32_t i = 0; v == GOOD && i < segments; i++) {
        v = cbor_bytes(&r, &segment);
        put_text(out, i > 0 ? ", " : "");
        if (v == GOOD) {
            put_hex_literal(out, segment);
        }
    }
    put_text(out, "]");
}

/* Appends what an event's value stands under: a name, a number, a language, or a component. */
static void put_name(struct buffer *out, const struct suit_event *event) {
    struct cbor_reader key = cbor_reader_of(event->key);
    struct bytes language;
    char number[24];
    if (event->space == SUIT_SPACE_KEY) {
        if (cbor_text(&key, &language) == GOOD) {
            buffer_put(out, language.data, language.len);
        } else {
            put_component(out, event->key);
        }
        return;
    }
    const char *name = suit_label_name(event->space, event->label);
    if (name == NULL) {
        (void)snprintf(number, sizeof number, "%" PRId64, event->label);
        name = number;
    }
    put_text(out, name);
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

struct json_writer {
    json_t *manifest;
    json_t *severed;
    json_t *open[SUIT_DEPTH_MAX];
    size_t depth;
    bool failed;
};

static json_t *json_hex(struct bytes bytes) {
    struct buffer text = BUFFER_INIT;
    put_hex(&text, bytes);
    json_t *hex = buffer_text(&text) != NULL ? json_string(buffer_text(&text)) : NULL;
    buffer_free(&text);
    return hex;
}

static json_t *json_component(struct bytes encoded) {
    struct cbor_reader r = cbor_reader_of(encoded);
    struct bytes segment;
    uint32_t segments = 0;
    json_t *list = json_array();
    enum verdict v = cbor_array(&r, &segments);
    for (; v == GOOD && list != NULL && segments > 0; segments--) {
        v = cbor_bytes(&r, &segment);
        if (v == GOOD && json_array_append_new(list, json_hex(segment)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* A bool, null, or a list of numbers. */
static json_t *json_item(struct bytes encoded) {
    struct cbor_reader r = cbor_reader_of(encoded);
    uint32_t items = 0;
    uint64_t index;
    bool flag;
    if (cbor_null(&r) == GOOD) {
        return json_null();
    }
    if (cbor_bool(&r, &flag) == GOOD) {
        return json_boolean(flag);
    }
    json_t *list = json_array();
    enum verdict v = cbor_array(&r, &items);
    for (; v == GOOD && list != NULL && items > 0; items--) {
        v = cbor_uint(&r, &index);
        if (v == GOOD && json_array_append_new(list, json_integer((json_int_t)index)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* Numbers above what a JSON reader can hold exactly as a signed 64-bit number are given as text. */
static json_t *json_number(uint64_t number) {
    char text[24];
    if (number <= INT64_MAX) {
        return json_integer((json_int_t)number);
    }
    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    return json_string(text);
}

static json_t *json_value(const struct suit_event *event) {
    switch (event->kind) {
    case SUIT_EVENT_MAP:
        return json_object();
    case SUIT_EVENT_LIST:
    case SUIT_EVENT_SEQUENCE:
        return json_array();
    case SUIT_EVENT_NUMBER:
        return json_number(event->number);
    case SUIT_EVENT_TEXT:
        return json_stringn((const char *)event->bytes.data, event->bytes.len);
    case SUIT_EVENT_DIGEST:
        return json_pack("{s:i, s:o}", "algorithm-id", COSE_SHA256, "digest-bytes", json_hex(event->bytes));
    case SUIT_EVENT_COMPONENT:
        return json_component(event->bytes);
    case SUIT_EVENT_ITEM:
        return json_item(event->bytes);
    default:
        return json_hex(event->bytes);
    }
}

/* Puts a value (consumed) where its event says; a command becomes an object of its own, so that their order stays. */
static bool json_attach(struct json_writer *w, const struct suit_event *event, json_t *value) {
    json_t *parent = w->depth > 0 ? w->open[w->depth - 1] : w->severed;
    struct buffer name = BUFFER_INIT;
    bool attached = false;
    if (w->depth == 0 && event->space == SUIT_SPACE_NONE) {
        w->manifest = value;
        return value != NULL;
    }
    if (event->space == SUIT_SPACE_NONE) {
        return json_array_append_new(parent, value) == 0;
    }
    put_name(&name, event);
    if (buffer_text(&name) == NULL) {
        json_decref(value);
    } else if (event->space == SUIT_SPACE_COMMAND) {
        attached = json_array_append_new(parent, json_pack("{s:o}", buffer_text(&name), value)) == 0;
    } else {
        attached = json_object_set_new(parent, buffer_text(&name), value) == 0;
    }
    buffer_free(&name);
    return attached;
}

static enum verdict json_event(void *ctx, const struct suit_event *event) {
    struct json_writer *w = ctx;
    if (event->kind == SUIT_EVENT_END) {
        w->depth--;
        return GOOD;
    }
    json_t *value = json_value(event);
    if (value == NULL || !json_attach(w, event, value)) {
        w->failed = true;
        return BAD_LIMIT;
    }
    if (event->kind == SUIT_EVENT_MAP || event->kind == SUIT_EVENT_LIST || event->kind == SUIT_EVENT_SEQUENCE) {
        w->open[w->depth++] = value;
    }
    return GOOD;
}

static json_t *json_signatures(const struct suit_envelope *envelope) {
    json_t *list = json_array();
    for (uint8_t i = 0; list != NULL && i < envelope->signature_count; i++) {
        const struct cose_sign1 *s = &envelope->signatures[i];
        json_t *one = json_pack("{s:s, s:i, s:o, s:o, s:b}", "algorithm", algorithm_name(s->algorithm), "algorithm_id",
                                (int)s->algorithm, "key_id", json_hex(s->key_id), "signature", json_hex(s->signature),
                                "verified", 0);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *json_payloads(const struct suit_envelope *envelope) {
    json_t *list = json_array();
    for (uint8_t i = 0; list != NULL && i < envelope->payload_count; i++) {
        const struct suit_payload *p = &envelope->payloads[i];
        json_t *name = json_stringn((const char *)p->name.data, p->name.len);
        json_t *one = json_pack("{s:o, s:I}", "name", name, "size", (json_int_t)p->bytes.len);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

enum verdict suit_show_json(struct bytes envelope, json_t **out, bool *out_digest_holds) {
    struct opened opened;
    struct json_writer w = {.severed = json_object()};
    w.failed = w.severed == NULL;
    const struct suit_visitor visitor = {json_event, &w};
    enum verdict v = open_envelope(envelope, &opened);
    if (v == GOOD) {
        v = suit_walk(&opened.envelope, &visitor);
    }
    if (v != GOOD) {
        json_decref(w.severed);
        json_decref(w.manifest);
        *out = w.failed ? NULL : *out;
        return w.failed ? GOOD : v;
    }
    const struct bytes digest = {opened.envelope.digest, HASH_LEN};
    *out = json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:s}", "digest", json_hex(digest), "digest_holds",
                     opened.digest_holds, "signatures", json_signatures(&opened.envelope), "manifest", w.manifest,
                     "severed", w.severed, "payloads", json_payloads(&opened.envelope), "installable",
                     verdict_name(suit_manifest_installable(&opened.manifest)));
    *out_digest_holds = opened.digest_holds;
    return GOOD;
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

/* Text from the envelope may hold anything, also what steers a terminal: control characters become '?'. */
static void write_clean(FILE *out, struct bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        (void)fputc(iscntrl(text.data[i]) ? '?' : text.data[i], out);
    }
}

static void write_buffer(FILE *out, struct buffer *text) {
    write_clean(out, buffer_bytes(text));
    buffer_free(text);
}

static void write_uuid(FILE *out, struct bytes id) {
    (void)fputs(" / ", out);
    for (size_t i = 0; i < id.len; i++) {
        (void)fprintf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id.data[i]);
    }
    (void)fputs(" /", out);
}

static void write_item(FILE *out, struct bytes encoded) {
    json_t *item = json_item(encoded);
    char *text = item == NULL ? NULL : json_dumps(item, JSON_ENCODE_ANY);
    (void)fputs(text == NULL ? "?" : text, out);
    free(text);
    json_decref(item);
}

static void write_value(FILE *out, const struct suit_event *event) {
    struct buffer text = BUFFER_INIT;
    switch (event->kind) {
    case SUIT_EVENT_NUMBER:
        (void)fprintf(out, "%" PRIu64, event->number);
        break;
    case SUIT_EVENT_TEXT:
        (void)fputc('"', out);
        write_clean(out, event->bytes);
        (void)fputc('"', out);
        break;
    case SUIT_EVENT_DIGEST:
        put_text(&text, "[-16 / SHA-256 /, ");
        put_hex_literal(&text, event->bytes);
        put_text(&text, "]");
        break;
    case SUIT_EVENT_COMPONENT:
        put_component(&text, event->bytes);
        break;
    case SUIT_EVENT_ITEM:
        write_item(out, event->bytes);
        break;
    default:
        put_hex_literal(&text, event->bytes);
        break;
    }
    write_buffer(out, &text);
    if (event->kind == SUIT_EVENT_BYTES && event->bytes.len == UUID_BYTES) {
        write_uuid(out, event->bytes);
    }
}

#define INDENT 4

struct text_writer {
    FILE *out;
    bool manifest_ended;
};

static enum verdict text_event(void *ctx, const struct suit_event *event) {
    struct text_writer *w = ctx;
    struct buffer name = BUFFER_INIT;
    if (event->kind == SUIT_EVENT_END) {
        w->manifest_ended = w->manifest_ended || event->depth == 0;
        return GOOD;
    }
    if (w->manifest_ended && event->depth == 1) {
        (void)fputs("severed member:\n", w->out);
    }
    const bool is_element = event->space == SUIT_SPACE_NONE && event->depth > 0;
    (void)fprintf(w->out, "%*s%s", INDENT * event->depth, "",
                  is_element || event->space == SUIT_SPACE_COMMAND ? "- " : "");
    if (event->depth == 0) {
        put_text(&name, "manifest");
    } else if (!is_element) {
        put_name(&name, event);
    }
    write_buffer(w->out, &name);
    switch (event->kind) {
    case SUIT_EVENT_MAP:
    case SUIT_EVENT_LIST:
    case SUIT_EVENT_SEQUENCE:
        (void)fputs(is_element ? "sequence:\n" : ":\n", w->out);
        return GOOD;
    default:
        (void)fputs(is_element ? "" : ": ", w->out);
        write_value(w->out, event);
        (void)fputc('\n', w->out);
        return GOOD;
    }
}

enum verdict suit_show_text(FILE *out, struct bytes envelope, bool *out_digest_holds) {
    struct opened opened;
    enum verdict v = open_envelope(envelope, &opened);
    if (v != GOOD) {
        return v;
    }
    char digest[2 * HASH_LEN + 1];
    hex_encode(opened.envelope.digest, HASH_LEN, digest);
    (void)fprintf(out, "digest: SHA-256 %s, %s\n", digest,
                  opened.digest_holds ? "holds" : "DOES NOT HOLD: the manifest was changed");
    if (opened.envelope.signature_count == 0) {
        (void)fputs("signature: none, the envelope is unsigned\n", out);
    }
    for (uint8_t i = 0; i < opened.envelope.signature_count; i++) {
        const struct cose_sign1 *s = &opened.envelope.signatures[i];
        struct buffer key_id = BUFFER_INIT;
        put_hex(&key_id, s->key_id);
        (void)fprintf(out, "signature: %s (%d), unverified: no key given", algorithm_name(s->algorithm),
                      (int)s->algorithm);
        (void)fputs(s->key_id.len > 0 ? ", key id " : "", out);
        write_buffer(out, &key_id);
        (void)fputc('\n', out);
    }
    struct text_writer writer = {out, false};
    const struct suit_visitor visitor = {text_event, &writer};
    v = suit_walk(&opened.envelope, &visitor);
    for (uint8_t i = 0; i < opened.envelope.payload_count; i++) {
        (void)fputs("payload: \"", out);
        write_clean(out, opened.envelope.payloads[i].name);
        (void)fprintf(out, "\", %zu bytes\n", opened.envelope.payloads[i].bytes.len);
    }
    *out_digest_holds = opened.digest_holds;
    return v;
}
