#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "base/file.h"
#include "tests/lib/suit_fixture.h"
#include "verify/suit_walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Hand-made manifests ---------------------------------------------------------------------------------------- */

static uint8_t made[FIXTURE_MAX];

/* An unsigned envelope around a manifest and, encoded, further members. */
static struct bytes envelope_of(const char *manifest_hex, uint32_t extra_members, const char *members_hex) {
    uint8_t manifest[1024], wrapped[1100], digest[HASH_LEN], members[512];
    size_t len = strlen(manifest_hex) / 2, members_len = strlen(members_hex) / 2;
    assert_true(len <= sizeof manifest && members_len <= sizeof members);
    assert_int_equal(hex_decode(manifest_hex, manifest, len), OK);
    assert_int_equal(hex_decode(members_hex, members, members_len), OK);
    struct cbor_writer inner = cbor_writer_of(wrapped, sizeof wrapped);
    cbor_put_bytes(&inner, bytes_of(manifest, len));
    sha256(wrapped, inner.len, digest);
    struct cbor_writer w = cbor_writer_of(made, sizeof made);
    cbor_put_tag(&w, 107);
    cbor_put_map(&w, 2 + extra_members);
    cbor_put_uint(&w, 2);
    size_t wrapper = cbor_begin_bytes(&w);
    cbor_put_array(&w, 1);
    size_t block = cbor_begin_bytes(&w);
    cbor_put_array(&w, 2);
    cbor_put_int(&w, COSE_SHA256);
    cbor_put_bytes(&w, bytes_of(digest, HASH_LEN));
    cbor_end_bytes(&w, block);
    cbor_end_bytes(&w, wrapper);
    cbor_put_uint(&w, 3);
    cbor_put_raw(&w, bytes_of(wrapped, inner.len));
    cbor_put_raw(&w, bytes_of(members, members_len));
    size_t out;
    assert_int_equal(cbor_writer_end(&w, &out), GOOD);
    return bytes_of(made, out);
}

static enum verdict read_with_members(const char *manifest_hex, uint32_t extra, const char *members_hex,
                                      struct suit_manifest *out) {
    struct suit_envelope envelope;
    enum verdict v = suit_envelope_parse(envelope_of(manifest_hex, extra, members_hex), &envelope);
    if (v == GOOD) {
        assert_int_equal(suit_check_digest(&test_crypto, &envelope), GOOD);
        v = suit_manifest_parse(&test_crypto, &envelope, out);
    }
    return v;
}

static enum verdict read_manifest(const char *manifest_hex) {
    struct suit_manifest m;
    return read_with_members(manifest_hex, 0, "", &m);
}

/* Every manifest below varies this one: { 1: 1, 2: 5, 3: << { 2: [[h'00']], 4: << [1, 15] >> } >> } */
#define LEAST "a301010205034ba20281814100044382010f"

static void the_least_manifest_is_read_but_not_installable(void **state) {
    (void)state;
    struct suit_manifest m;
    assert_int_equal(read_with_members(LEAST, 0, "", &m), GOOD);
    assert_true(m.sequence == 5);
    assert_int_equal(m.component_count, 1);
    assert_int_equal(m.has, 0);
    assert_int_equal(suit_manifest_installable(&m), BAD_UNSUPPORTED);
}

static void what_a_manifest_must_have_is_missed(void **state) {
    (void)state;
    assert_int_equal(read_manifest("a0"), BAD_ENCODING);
    assert_int_equal(read_manifest("a2"
                                   "0205"
                                   "034ba20281814100044382010f"),
                     BAD_ENCODING);
    assert_int_equal(read_manifest("a2"
                                   "0101"
                                   "034ba20281814100044382010f"),
                     BAD_ENCODING);
    assert_int_equal(read_manifest("a2"
                                   "0101"
                                   "0205"),
                     BAD_ENCODING);
    assert_int_equal(read_manifest("a3"
                                   "0101"
                                   "0205"
                                   "0346"
                                   "a1044382010f"),
                     BAD_ENCODING);
    assert_int_equal(read_manifest("a3"
                                   "0102"
                                   "0205"
                                   "034ba20281814100044382010f"),
                     BAD_VERSION);
}

static void unknown_things_are_refused_wherever_they_stand(void **state) {
    (void)state;
    /* An element, an element of common, a command, a parameter, a reporting policy. */
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "0600"),
                     BAD_UNSUPPORTED);
    assert_int_equal(read_manifest("a30101020503"
                                   "4d"
                                   "a30281814100"
                                   "0300"
                                   "044382010f"),
                     BAD_UNSUPPORTED);
    assert_int_equal(read_manifest("a30101020503"
                                   "4b"
                                   "a20281814100"
                                   "0443"
                                   "820a0f"),
                     BAD_UNSUPPORTED);
    assert_int_equal(read_manifest("a30101020503"
                                   "4d"
                                   "a20281814100"
                                   "0445"
                                   "8214a10900"),
                     BAD_UNSUPPORTED);
    assert_int_equal(read_manifest("a30101020503"
                                   "4b"
                                   "a20281814100"
                                   "0443"
                                   "820110"),
                     BAD_UNSUPPORTED);
    /* Negative labels: private use that isn't ours. */
    assert_int_equal(read_manifest("a30101020503"
                                   "4f"
                                   "a20281814100"
                                   "0447"
                                   "8214a139020000"),
                     BAD_UNSUPPORTED);
}

static void commands_that_act_have_no_place_in_the_shared_sequence(void **state) {
    (void)state;
    static const char *const shared[] = {"820b02", "821202", "821502", "821602", "821702"};
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++) {
        char hex[64];
        (void)snprintf(hex, sizeof hex,
                       "a30101020503"
                       "4b"
                       "a20281814100"
                       "0443"
                       "%s",
                       shared[i]);
        assert_int_equal(read_manifest(hex), BAD_UNSUPPORTED);
        (void)snprintf(hex, sizeof hex,
                       LEAST "0743"
                             "%s",
                       shared[i]);
        hex[1] = '4';
        assert_int_equal(read_manifest(hex), GOOD);
    }
    /* Nor inside a try-each there. */
    assert_int_equal(read_manifest("a3010102050350a20281814100"
                                   "0448"
                                   "820f8243821502f6"),
                     BAD_UNSUPPORTED);
}

static void sequences_come_in_pairs(void **state) {
    (void)state;
    assert_int_equal(read_manifest("a30101020503"
                                   "4a"
                                   "a20281814100"
                                   "0442"
                                   "8101"),
                     BAD_ENCODING);
    assert_int_equal(read_manifest("a30101020503"
                                   "4c"
                                   "a20281814100"
                                   "0444"
                                   "83010f02"),
                     BAD_ENCODING);
    assert_int_equal(read_manifest("a30101020503"
                                   "4c"
                                   "a20281814100"
                                   "0444"
                                   "82010f00"),
                     BAD_TRAILING);
}

static void null_ends_a_try_each_and_stands_nowhere_else(void **state) {
    (void)state;
    assert_int_equal(read_manifest("a3010102050350a20281814100"
                                   "0448"
                                   "820f824382010ff6"),
                     GOOD);
    assert_int_equal(read_manifest("a3010102050350a20281814100"
                                   "0448"
                                   "820f82f64382010f"),
                     BAD_ENCODING);
    assert_int_equal(read_manifest("a301010205034cf6f6f6f6f6f6f6f6f6f6f6f6"), BAD_ENCODING);
}

/* try-each in try-each in try-each: twice is fine, more is over the limit. */
static void deep_nesting_is_refused(void **state) {
    (void)state;
    uint8_t sequence[512] = {0x82, 0x01, 0x0f};
    size_t len = 3;
    for (unsigned depth = 0; depth < 12; depth++) {
        uint8_t manifest[600], next[512];
        char hex[1400];
        struct cbor_writer w = cbor_writer_of(manifest, sizeof manifest);
        cbor_put_map(&w, 4);
        cbor_put_uint(&w, 1);
        cbor_put_uint(&w, 1);
        cbor_put_uint(&w, 2);
        cbor_put_uint(&w, 5);
        cbor_put_uint(&w, 3);
        size_t common = cbor_begin_bytes(&w);
        cbor_put_map(&w, 1);
        cbor_put_uint(&w, 2);
        cbor_put_array(&w, 1);
        cbor_put_array(&w, 1);
        cbor_put_bytes(&w, bytes_of(sequence, 1));
        cbor_end_bytes(&w, common);
        cbor_put_uint(&w, 7);
        cbor_put_bytes(&w, bytes_of(sequence, len));
        hex_encode(manifest, w.len, hex);
        enum verdict v = read_manifest(hex);
        assert_int_equal(v, depth < SUIT_DEPTH_MAX / 2 ? GOOD : BAD_LIMIT);
        struct cbor_writer n = cbor_writer_of(next, sizeof next);
        cbor_put_array(&n, 2);
        cbor_put_uint(&n, 15);
        cbor_put_array(&n, 1);
        cbor_put_bytes(&n, bytes_of(sequence, len));
        memcpy(sequence, next, n.len);
        len = n.len;
    }
}

static void components_that_are_not_there_cannot_be_selected(void **state) {
    (void)state;
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "0743"
                                   "820c00"),
                     GOOD);
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "0743"
                                   "820cf5"),
                     GOOD);
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "0744"
                                   "820c8100"),
                     GOOD);
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "0743"
                                   "820c01"),
                     BAD_COMPONENT);
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "0744"
                                   "820c8101"),
                     BAD_COMPONENT);
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "0743"
                                   "820cf4"),
                     BAD_ENCODING);
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "0743"
                                   "820c80"),
                     BAD_ENCODING);
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "074b"
                                   "820c1bffffffffffffffff"),
                     BAD_COMPONENT);
}

static void a_fact_stated_twice_must_be_the_same(void **state) {
    (void)state;
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "0749"
                                   "8414a10e0714a10e07"),
                     GOOD);
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "0749"
                                   "8414a10e0714a10e08"),
                     BAD_ENCODING);
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "074b"
                                   "8414a115616114a1156161"),
                     GOOD);
    assert_int_equal(read_manifest("a401010205034ba20281814100044382010f"
                                   "074b"
                                   "8414a115616114a1156162"),
                     BAD_ENCODING);
}

/* { ..., 23: digest } with the text { "en": { [h'00']: { 6: "1.0" } } } in the envelope. */

static void a_severed_member_must_have_the_digest_the_manifest_gives(void **state) {
    (void)state;
    struct suit_manifest m;
    uint8_t wrapped[16], digest[HASH_LEN];
    char digest_hex[2 * HASH_LEN + 1], manifest[256];
    const char *text = "4e"
                       "a162656ea1814100a10663312e30";
    assert_int_equal(hex_decode(text, wrapped, 15), OK);
    sha256(wrapped, 15, digest);
    hex_encode(digest, HASH_LEN, digest_hex);
    (void)snprintf(manifest, sizeof manifest,
                   "a401010205034ba20281814100044382010f"
                   "17822f5820%s",
                   digest_hex);
    char member[64];
    (void)snprintf(member, sizeof member, "17%s", text);
    assert_int_equal(read_with_members(manifest, 1, member, &m), GOOD);
    assert_int_equal(m.version.len, 3);
    assert_memory_equal(m.version.data, "1.0", 3);
    /* Cut away: fine, there is no version then. */
    assert_int_equal(read_with_members(manifest, 0, "", &m), GOOD);
    assert_int_equal(m.version.len, 0);
    assert_int_equal(m.has & SUIT_HAS_SEVERED_AWAY, 0);
    /* Another text, and a text the manifest doesn't speak of. */
    member[strlen(member) - 1] = '1';
    assert_int_equal(read_with_members(manifest, 1, member, &m), BAD_DIGEST);
    assert_int_equal(read_with_members(LEAST, 1, member, &m), BAD_ENCODING);
}

static void an_install_sequence_severed_away_is_not_installable(void **state) {
    (void)state;
    struct suit_manifest m;
    char manifest[256];
    (void)snprintf(manifest, sizeof manifest,
                   "a401010205034ba20281814100044382010f"
                   "14822f5820%064d",
                   0);
    assert_int_equal(read_with_members(manifest, 0, "", &m), GOOD);
    assert_true((m.has & SUIT_HAS_SEVERED_AWAY) != 0);
    assert_int_equal(read_with_members(manifest, 1, "144382030f", &m), BAD_DIGEST);
    assert_int_equal(suit_manifest_installable(&m), BAD_UNSUPPORTED);
}

static void a_dependency_without_a_digest_is_refused(void **state) {
    (void)state;
    /* { 1: { 1: {} }, 2: [[h'00'], [h'01']] }, no image digest for component 1; then one that isn't a component. */
    assert_int_equal(read_manifest("a301010205034d"
                                   "a201a101a00282814100814101"),
                     BAD_DEPENDENCY);
    assert_int_equal(read_manifest("a301010205034d"
                                   "a201a102a00282814100814101"),
                     BAD_COMPONENT);
}

static void envelope_elements_are_known_and_in_order(void **state) {
    (void)state;
    struct suit_manifest m;
    struct suit_envelope e;
    assert_int_equal(read_with_members(LEAST, 1, "0540", &m), BAD_UNSUPPORTED);
    assert_int_equal(read_with_members(LEAST, 1, "0340", &m), BAD_ENCODING);
    assert_int_equal(read_with_members(LEAST, 2,
                                       "1443820300"
                                       "104382030f",
                                       &m),
                     BAD_ENCODING);
    assert_int_equal(read_with_members(LEAST, 1, "61234100", &m), GOOD);
    assert_int_equal(read_with_members(LEAST, 2,
                                       "61234100"
                                       "61234100",
                                       &m),
                     BAD_ENCODING);
    assert_int_equal(read_with_members(LEAST, 5,
                                       "612341006124410061254100612641006127"
                                       "4100",
                                       &m),
                     BAD_LIMIT);
    assert_int_equal(read_with_members(LEAST, 1, "", &m), BAD_TRUNCATED);
    struct bytes untagged = envelope_of(LEAST, 0, "");
    assert_int_equal(suit_envelope_parse(bytes_of(untagged.data + 2, untagged.len - 2), &e), BAD_ENCODING);
    made[1] = 106;
    assert_int_equal(suit_envelope_parse(untagged, &e), BAD_ENCODING);
    assert_int_equal(suit_envelope_parse(bytes_of(made, SUIT_ENVELOPE_MAX + 1), &e), BAD_LIMIT);
}

static void cose_blocks_that_are_not_sign1_or_say_more_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *hex;
        enum verdict verdict;
    } blocks[] = {
        {"d28443a10127a0f640", BAD_ENCODING},    /* no signature in it */
        {"d18443a10105a0f640", BAD_UNSUPPORTED}, /* COSE_Mac0 */
        {"8443a10127a0f640", BAD_ENCODING},      /* no tag */
        {"d28340a0f6", BAD_ENCODING},            /* three elements */
        {"d28443a10127a041aa40", BAD_ENCODING},  /* payload attached */
        {"d28444a10127a0a0f640", BAD_TRAILING},  /* more in the protected header */
        {"d28445a2012702"
         "80a0f640",
         BAD_UNSUPPORTED},                           /* critical headers */
        {"d28440a0f640", BAD_TRUNCATED},             /* no algorithm */
        {"d28441a0a0f640", BAD_ENCODING},            /* no algorithm */
        {"d28443a10127a10127f640", BAD_UNSUPPORTED}, /* algorithm not protected */
        {"d28443a10127a10440f640", BAD_LIMIT},       /* empty key id */
        {"d28446a201270441"
         "01a1044101f640",
         BAD_UNSUPPORTED}, /* two key ids */
    };
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        uint8_t bytes[64];
        struct cose_sign1 out;
        size_t len = strlen(blocks[i].hex) / 2;
        assert_int_equal(hex_decode(blocks[i].hex, bytes, len), OK);
        assert_int_equal(cose_sign1_parse(bytes_of(bytes, len), &out), blocks[i].verdict);
    }
}

static void names_exist_for_what_is_known_alone(void **state) {
    (void)state;
    assert_string_equal(suit_label_name(SUIT_SPACE_MANIFEST, 2), "manifest-sequence-number");
    assert_string_equal(suit_label_name(SUIT_SPACE_PARAMETER, 21), "uri");
    assert_null(suit_label_name(SUIT_SPACE_PARAMETER, 99));
    assert_null(suit_label_name(SUIT_SPACE_NONE, 1));
    assert_string_equal(verdict_name(BAD_DEPENDENCY), "BAD_DEPENDENCY");
    assert_string_equal(verdict_text(GOOD), "good");
}

/* ---- Envelopes of another implementation, with their diagnostic text -------------------------------------------- */

static const char *const vectors[] = {"exp0", "exp1", "exp2A", "exp3", "exp4", "exp5"};
#define VECTORS (sizeof vectors / sizeof vectors[0])

static const char *vectors_folder(void) {
    const char *folder = getenv("ASSAY_VECTORS");
    if (folder == NULL) {
        print_message("skipped: ASSAY_VECTORS does not name the folder of test vectors\n");
        skip();
    }
    return folder;
}

static struct buffer load(const char *name, const char *extension) {
    struct buffer out = BUFFER_INIT;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/suit/%s%s", vectors_folder(), name, extension);
    assert_int_equal(file_read(path, 65536, &out), OK);
    return out;
}

/* The key in trust_anchor_pub.pem: the point is the end of its DER. */
static struct author_key trust_anchor(void) {
    struct author_key key = {.type = AUTHOR_P256};
    struct buffer pem = load("trust_anchor_pub", ".pem");
    uint8_t der[128];
    uint32_t bits = 0;
    size_t len = 0, count = 0;
    buffer_u8(&pem, 0);
    const char *at = strchr((const char *)pem.data, '\n');
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (assert_non_null(at); *at != '-'; at++) {
        const char *digit = strchr(digits, *at);
        if (*at == '\n' || *at == '=' || digit == NULL) {
            continue;
        }
        bits = bits << 6 | (uint32_t)(digit - digits);
        if (++count % 4 != 1) {
            assert_true(len < sizeof der);
            der[len++] = (uint8_t)(bits >> (6 - 2 * ((count - 1) % 4)));
        }
    }
    len = 91; /* SubjectPublicKeyInfo of a P-256 key */
    memcpy(key.key, der + len - P256_KEY_LEN, P256_KEY_LEN);
    assert_int_equal(key.key[0], 4);
    buffer_free(&pem);
    return key;
}

static void put_string(struct buffer *out, const char *text) {
    buffer_put(out, text, strlen(text));
}

static void put_number(struct buffer *out, int64_t number) {
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64 " ", number);
    put_string(out, text);
}

static void put_quoted(struct buffer *out, const char *before, struct bytes bytes, bool hex) {
    put_string(out, before);
    for (size_t i = 0; i < bytes.len; i++) {
        char digits[3];
        (void)snprintf(digits, sizeof digits, "%02x", bytes.data[i]);
        buffer_put(out, hex ? digits : (const char *)&bytes.data[i], hex ? 2 : 1);
    }
    put_string(out, hex ? "' " : "\" ");
}

static void put_digest_tokens(struct buffer *out, const struct suit_event *event, bool wrapped) {
    put_string(out, wrapped ? "<< [ -16 " : "[ -16 ");
    put_quoted(out, "h'", event->bytes, true);
    put_string(out, wrapped ? "] >> " : "] ");
}

static void put_component_tokens(struct buffer *out, struct bytes encoded) {
    struct cbor_reader r = cbor_reader_of(encoded);
    uint32_t segments;
    assert_int_equal(cbor_array(&r, &segments), GOOD);
    put_string(out, "[ ");
    for (; segments > 0; segments--) {
        struct bytes segment;
        assert_int_equal(cbor_bytes(&r, &segment), GOOD);
        put_quoted(out, "h'", segment, true);
    }
    put_string(out, "] ");
}

#define OPEN_MAX 16
struct diagnostic {
    struct buffer tokens;
    const char *closing[OPEN_MAX];
    size_t open;
};

/* Writes what the walk meets in the form of diagnostic_tokens. */
static enum verdict write_diagnostic(void *ctx, const struct suit_event *event) {
    struct diagnostic *d = ctx;
    struct buffer *out = &d->tokens;
    if (event->kind == SUIT_EVENT_END) {
        assert_true(d->open > 0);
        put_string(out, d->closing[--d->open]);
        assert_int_equal(event->depth, d->open);
        return GOOD;
    }
    assert_int_equal(event->depth, d->open);
    if (event->space != SUIT_SPACE_NONE) {
        const char *name = suit_label_name(event->space, event->label);
        assert_non_null(name);
        put_string(out, name);
        put_string(out, " ");
        put_number(out, event->label);
    }
    bool wrapped = event->space == SUIT_SPACE_MANIFEST || event->space == SUIT_SPACE_NONE;
    switch (event->kind) {
    case SUIT_EVENT_MAP:
        put_string(out, wrapped ? "<< { " : "{ ");
        d->closing[d->open++] = wrapped ? "} >> " : "} ";
        break;
    case SUIT_EVENT_SEQUENCE:
        put_string(out, "<< [ ");
        d->closing[d->open++] = "] >> ";
        break;
    case SUIT_EVENT_LIST:
        put_string(out, "[ ");
        d->closing[d->open++] = "] ";
        break;
    case SUIT_EVENT_NUMBER:
        put_number(out, (int64_t)event->number);
        break;
    case SUIT_EVENT_BYTES:
        put_quoted(out, "h'", event->bytes, true);
        break;
    case SUIT_EVENT_TEXT:
        put_quoted(out, "\"", event->bytes, false);
        break;
    case SUIT_EVENT_DIGEST:
        put_digest_tokens(out, event, event->space == SUIT_SPACE_PARAMETER);
        break;
    case SUIT_EVENT_COMPONENT:
        put_component_tokens(out, event->bytes);
        break;
    default:
        fail_msg("the vectors have no such event: %d", event->kind);
    }
    assert_true(d->open < OPEN_MAX);
    return GOOD;
}

/* A comment "/ name /" before a number is the name of a label; all others are for people. */
static const char *skip_comment(const char *at, struct buffer *out) {
    const char *end = strchr(at + 1, '/');
    assert_non_null(end);
    const char *next = end + 1 + strspn(end + 1, " \n");
    if (*next >= '0' && *next <= '9' && end[-2] != ':') {
        buffer_put(out, at + 2, (size_t)(end - at) - 2);
    }
    return end + 1;
}

/* The tokens of a diagnostic text from its manifest on, a space after each, without commas, colons and comments. */
static struct buffer diagnostic_tokens(const char *text) {
    struct buffer out = BUFFER_INIT;
    const char *at = strstr(text, "/ manifest / 3");
    assert_non_null(at);
    at = strchr(at, ':') + 1;
    while (*at != 0) {
        size_t len = 1;
        if (strchr(" \n,:", *at) != NULL) {
            at++;
            continue;
        }
        if (*at == '/') {
            at = skip_comment(at, &out);
            continue;
        }
        if (*at == '"') {
            len = (size_t)(strchr(at + 1, '"') - at) + 1;
        } else if (*at == 'h') {
            len = (size_t)(strchr(at + 2, '\'') - at) + 1;
        } else if (strncmp(at, "<<", 2) == 0 || strncmp(at, ">>", 2) == 0) {
            len = 2;
        } else if (*at == '-' || (*at >= '0' && *at <= '9')) {
            len = 1 + strspn(at + 1, "0123456789");
        }
        buffer_put(&out, at, len);
        buffer_put(&out, " ", 1);
        at += len;
    }
    return out;
}

static void vectors_say_what_their_diagnostic_text_says(void **state) {
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        struct buffer file = load(vectors[i], ".suit"), text = load(vectors[i], ".diag");
        struct suit_envelope envelope;
        struct diagnostic d = {.open = 0};
        buffer_u8(&text, 0);
        assert_int_equal(suit_envelope_parse(bytes_of(file.data, file.len), &envelope), GOOD);
        const struct suit_visitor visitor = {write_diagnostic, &d};
        assert_int_equal(suit_walk(&envelope, &visitor), GOOD);
        put_string(&d.tokens, "} ) ");
        buffer_u8(&d.tokens, 0);
        struct buffer want = diagnostic_tokens((const char *)text.data);
        buffer_u8(&want, 0);
        assert_true(want.len > 300);
        assert_string_equal((const char *)d.tokens.data, (const char *)want.data);
        buffer_free(&file);
        buffer_free(&text);
        buffer_free(&want);
        buffer_free(&d.tokens);
    }
}

static void vectors_are_signed_by_their_key(void **state) {
    (void)state;
    const char *folder = vectors_folder();
    assert_non_null(folder);
    struct author_key key = trust_anchor();
    for (size_t i = 0; i < VECTORS; i++) {
        struct buffer file = load(vectors[i], ".suit");
        struct suit_envelope envelope;
        struct suit_manifest m;
        assert_int_equal(suit_envelope_parse(bytes_of(file.data, file.len), &envelope), GOOD);
        assert_int_equal(suit_verify_author(&test_crypto, &envelope, &key), GOOD);
        assert_int_equal(suit_manifest_parse(&test_crypto, &envelope, &m), GOOD);
        assert_int_equal(m.sequence, i);
        key.key[40] ^= 1;
        assert_int_equal(suit_verify_author(&test_crypto, &envelope, &key), BAD_SIGNATURE);
        key.key[40] ^= 1;
        /* A target without P-256 refuses such an author. */
        struct verify_crypto small = test_crypto;
        small.p256_verify = NULL;
        assert_int_equal(suit_verify_author(&small, &envelope, &key), BAD_UNSUPPORTED);
        buffer_free(&file);
    }
}

static void only_plain_vectors_are_installable(void **state) {
    (void)state;
    static const enum verdict want[VECTORS] = {GOOD,          GOOD,         BAD_UNSUPPORTED, BAD_UNSUPPORTED,
                                               BAD_COMPONENT, BAD_COMPONENT};
    for (size_t i = 0; i < VECTORS; i++) {
        struct buffer file = load(vectors[i], ".suit");
        struct suit_envelope envelope;
        struct suit_manifest m;
        assert_int_equal(suit_envelope_parse(bytes_of(file.data, file.len), &envelope), GOOD);
        assert_int_equal(suit_manifest_parse(&test_crypto, &envelope, &m), GOOD);
        assert_int_equal(suit_manifest_installable(&m), want[i]);
        if (i == 1) {
            assert_int_equal(m.uri.len, strlen("http://example.com/file.bin"));
            assert_true(m.image_size == 34768);
        }
        buffer_free(&file);
    }
}

static void vectors_cut_or_changed_anywhere_are_refused(void **state) {
    (void)state;
    const char *folder = vectors_folder();
    assert_non_null(folder);
    const struct author_key key = trust_anchor();
    for (size_t i = 0; i < VECTORS; i++) {
        struct buffer file = load(vectors[i], ".suit");
        struct suit_envelope envelope;
        for (size_t len = 0; len < file.len; len++) {
            uint8_t *cut = malloc(len > 0 ? len : 1);
            assert_non_null(cut);
            memcpy(cut, file.data, len);
            assert_int_not_equal(suit_envelope_parse(bytes_of(cut, len), &envelope), GOOD);
            free(cut);
        }
        for (size_t at = 0; at < file.len; at++) {
            file.data[at] ^= 0x01;
            enum verdict v = suit_envelope_parse(bytes_of(file.data, file.len), &envelope);
            assert_true(v != GOOD || suit_verify_author(&test_crypto, &envelope, &key) != GOOD);
            file.data[at] ^= 0xff;
            v = suit_envelope_parse(bytes_of(file.data, file.len), &envelope);
            assert_true(v != GOOD || suit_verify_author(&test_crypto, &envelope, &key) != GOOD);
            file.data[at] ^= 0xfe;
        }
        buffer_free(&file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_manifest_is_read_but_not_installable),
        cmocka_unit_test(what_a_manifest_must_have_is_missed),
        cmocka_unit_test(unknown_things_are_refused_wherever_they_stand),
        cmocka_unit_test(commands_that_act_have_no_place_in_the_shared_sequence),
        cmocka_unit_test(sequences_come_in_pairs),
        cmocka_unit_test(null_ends_a_try_each_and_stands_nowhere_else),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(components_that_are_not_there_cannot_be_selected),
        cmocka_unit_test(a_fact_stated_twice_must_be_the_same),
        cmocka_unit_test(a_severed_member_must_have_the_digest_the_manifest_gives),
        cmocka_unit_test(an_install_sequence_severed_away_is_not_installable),
        cmocka_unit_test(a_dependency_without_a_digest_is_refused),
        cmocka_unit_test(envelope_elements_are_known_and_in_order),
        cmocka_unit_test(cose_blocks_that_are_not_sign1_or_say_more_are_refused),
        cmocka_unit_test(names_exist_for_what_is_known_alone),
        cmocka_unit_test(vectors_say_what_their_diagnostic_text_says),
        cmocka_unit_test(vectors_are_signed_by_their_key),
        cmocka_unit_test(only_plain_vectors_are_installable),
        cmocka_unit_test(vectors_cut_or_changed_anywhere_are_refused),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
