#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/ed25519.h"
#include "base/file.h"
#include "node/net/noise.h"

#include <jansson.h>
#include <string.h>

#define VECTORS "tests/vectors/noise/ikpsk2_25519_chachapoly_sha256.json"
#define TEXT_MAX 256

struct octets {
    uint8_t data[TEXT_MAX];
    size_t len;
};

static struct octets field(const json_t *object, const char *name) {
    struct octets s;
    const char *hex = json_string_value(json_object_get(object, name));
    assert_non_null(hex);
    s.len = strlen(hex) / 2;
    assert_true(s.len <= TEXT_MAX);
    assert_int_equal(hex_decode(hex, s.data, s.len), OK);
    return s;
}

static struct bytes bytes_in(const struct octets *s) {
    return bytes_of(s->data, s->len);
}

static void equal(struct octets expected, const uint8_t *got) {
    assert_memory_equal(got, expected.data, expected.len);
}

static void start(struct noise *n, const json_t *vector, bool initiator) {
    struct octets prologue = field(vector, initiator ? "init_prologue" : "resp_prologue");
    struct octets secret = field(vector, initiator ? "init_static" : "resp_static");
    struct octets ephemeral = field(vector, initiator ? "init_ephemeral" : "resp_ephemeral");
    struct octets remote = field(vector, "init_remote_static");
    const json_t *psks = json_object_get(vector, initiator ? "init_psks" : "resp_psks");
    uint8_t psk[NOISE_KEY_LEN];
    assert_int_equal(hex_decode(json_string_value(json_array_get(psks, 0)), psk, sizeof psk), OK);
    struct noise_keys self;
    memcpy(self.secret, secret.data, sizeof self.secret);
    x25519_public_key(self.secret, self.public_key);
    noise_start(n, initiator, bytes_in(&prologue), &self, psk, initiator ? remote.data : NULL);
    noise_set_ephemeral(n, ephemeral.data);
}

/* The two handshake messages, both ways. */
static void handshake(const json_t *messages, struct noise *initiator, struct noise *responder) {
    uint8_t out[TEXT_MAX];
    struct octets payload = field(json_array_get(messages, 0), "payload");
    struct octets sealed = field(json_array_get(messages, 0), "ciphertext");
    assert_int_equal(payload.len + NOISE_FIRST_OVERHEAD, sealed.len);
    assert_int_equal(noise_write_first(initiator, bytes_in(&payload), out), OK);
    equal(sealed, out);
    assert_int_equal(noise_read_first(responder, bytes_in(&sealed), out), OK);
    equal(payload, out);
    assert_memory_equal(responder->remote_static, initiator->self.public_key, X25519_LEN);

    payload = field(json_array_get(messages, 1), "payload");
    sealed = field(json_array_get(messages, 1), "ciphertext");
    assert_int_equal(payload.len + NOISE_SECOND_OVERHEAD, sealed.len);
    assert_int_equal(noise_write_second(responder, bytes_in(&payload), out), OK);
    equal(sealed, out);
    assert_int_equal(noise_read_second(initiator, bytes_in(&sealed), out), OK);
    equal(payload, out);
}

/* Transport messages alternate, the initiator first; each direction counts its own. */
static void transport(const json_t *messages, struct noise *initiator, struct noise *responder) {
    uint8_t send[2][AEAD_KEY_LEN], receive[2][AEAD_KEY_LEN];
    noise_split(initiator, send[0], receive[0]);
    noise_split(responder, send[1], receive[1]);
    assert_memory_equal(send[0], receive[1], AEAD_KEY_LEN);
    assert_memory_equal(send[1], receive[0], AEAD_KEY_LEN);
    for (size_t i = 2; i < json_array_size(messages); i++) {
        struct octets payload = field(json_array_get(messages, i), "payload");
        struct octets sealed = field(json_array_get(messages, i), "ciphertext");
        uint8_t nonce[AEAD_NONCE_LEN], out[TEXT_MAX];
        noise_nonce((i - 2) / 2, nonce);
        aead_seal(send[i % 2], nonce, bytes_of(NULL, 0), bytes_in(&payload), out);
        equal(sealed, out);
        assert_int_equal(aead_open(receive[1 - i % 2], nonce, bytes_of(NULL, 0), bytes_in(&sealed), out), OK);
        equal(payload, out);
    }
}

static json_t *load(void) {
    struct buffer text = BUFFER_INIT;
    assert_int_equal(file_read(VECTORS, 1 << 16, &text), OK);
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL);
    assert_non_null(root);
    buffer_free(&text);
    return root;
}

static void published_vectors_come_out_byte_for_byte(void **state) {
    (void)state;
    json_t *root = load();
    const json_t *vectors = json_object_get(root, "vectors");
    assert_int_not_equal(json_array_size(vectors), 0);
    for (size_t i = 0; i < json_array_size(vectors); i++) {
        const json_t *vector = json_array_get(vectors, i);
        assert_string_equal(json_string_value(json_object_get(vector, "protocol_name")), NOISE_NAME);
        const json_t *messages = json_object_get(vector, "messages");
        struct noise initiator, responder;
        start(&initiator, vector, true);
        start(&responder, vector, false);
        handshake(messages, &initiator, &responder);
        equal(field(vector, "handshake_hash"), initiator.hash);
        equal(field(vector, "handshake_hash"), responder.hash);
        transport(messages, &initiator, &responder);
        noise_wipe(&initiator);
        noise_wipe(&responder);
    }
    json_decref(root);
}

struct pair {
    struct noise initiator, responder;
};

static struct pair pair(const uint8_t psk_a[NOISE_KEY_LEN], const uint8_t psk_b[NOISE_KEY_LEN]) {
    struct noise_keys a, b;
    x25519_keypair(a.public_key, a.secret);
    x25519_keypair(b.public_key, b.secret);
    struct pair p;
    noise_start(&p.initiator, true, bytes_str("p"), &a, psk_a, b.public_key);
    noise_start(&p.responder, false, bytes_str("p"), &b, psk_b, NULL);
    return p;
}

static void a_changed_bit_at_any_position_of_either_message_is_refused(void **state) {
    (void)state;
    const uint8_t psk[NOISE_KEY_LEN] = {1};
    struct pair p = pair(psk, psk);
    uint8_t first[NOISE_FIRST_OVERHEAD + 3], second[NOISE_SECOND_OVERHEAD + 3], out[3];
    assert_int_equal(noise_write_first(&p.initiator, bytes_str("abc"), first), OK);
    for (size_t i = 0; i < sizeof first; i++) {
        struct noise copy = p.responder;
        first[i] ^= 0x40;
        assert_int_not_equal(noise_read_first(&copy, bytes_of(first, sizeof first), out), OK);
        first[i] ^= 0x40;
    }
    assert_int_equal(noise_read_first(&p.responder, bytes_of(first, sizeof first), out), OK);
    assert_int_equal(noise_write_second(&p.responder, bytes_str("abc"), second), OK);
    for (size_t i = 0; i < sizeof second; i++) {
        struct noise copy = p.initiator;
        second[i] ^= 0x40;
        assert_int_not_equal(noise_read_second(&copy, bytes_of(second, sizeof second), out), OK);
        second[i] ^= 0x40;
    }
    assert_int_equal(noise_read_second(&p.initiator, bytes_of(second, sizeof second), out), OK);
}

static void another_psk_fails_at_the_second_message(void **state) {
    (void)state;
    const uint8_t psk[NOISE_KEY_LEN] = {1}, other[NOISE_KEY_LEN] = {2};
    struct pair p = pair(psk, other);
    uint8_t first[NOISE_FIRST_OVERHEAD], second[NOISE_SECOND_OVERHEAD], out[1];
    assert_int_equal(noise_write_first(&p.initiator, bytes_of(NULL, 0), first), OK);
    assert_int_equal(noise_read_first(&p.responder, bytes_of(first, sizeof first), out), OK);
    assert_int_equal(noise_write_second(&p.responder, bytes_of(NULL, 0), second), OK);
    assert_int_equal(noise_read_second(&p.initiator, bytes_of(second, sizeof second), out), ERR_SIGNATURE);
}

static void a_claimed_static_key_without_its_secret_is_refused(void **state) {
    (void)state;
    const uint8_t psk[NOISE_KEY_LEN] = {1};
    struct pair p = pair(psk, psk);
    uint8_t victim[X25519_LEN], secret[X25519_LEN], first[NOISE_FIRST_OVERHEAD], out[1];
    x25519_keypair(victim, secret);
    memcpy(p.initiator.self.public_key, victim, sizeof victim);
    assert_int_equal(noise_write_first(&p.initiator, bytes_of(NULL, 0), first), OK);
    assert_int_equal(noise_read_first(&p.responder, bytes_of(first, sizeof first), out), ERR_SIGNATURE);
}

static void lengths_and_small_order_keys_are_checked(void **state) {
    (void)state;
    const uint8_t psk[NOISE_KEY_LEN] = {1};
    static uint8_t big[NOISE_MESSAGE_MAX + 1];
    struct pair p = pair(psk, psk);
    assert_int_equal(noise_write_first(&p.initiator, bytes_of(big, NOISE_MESSAGE_MAX), big), ERR_TOOLARGE);
    assert_int_equal(noise_write_second(&p.responder, bytes_of(big, NOISE_MESSAGE_MAX), big), ERR_TOOLARGE);
    assert_int_equal(noise_read_first(&p.responder, bytes_of(big, NOISE_FIRST_OVERHEAD - 1), big), ERR_MALFORMED);
    assert_int_equal(noise_read_first(&p.responder, bytes_of(big, sizeof big), big), ERR_MALFORMED);
    assert_int_equal(noise_read_second(&p.initiator, bytes_of(big, NOISE_SECOND_OVERHEAD - 1), big), ERR_MALFORMED);
    /* An ephemeral key of zeros. */
    assert_int_equal(noise_read_first(&p.responder, bytes_of(big, NOISE_FIRST_OVERHEAD), big), ERR_INVALID);
}

int main(void) {
    if (crypto_start() != OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_come_out_byte_for_byte),
        cmocka_unit_test(a_changed_bit_at_any_position_of_either_message_is_refused),
        cmocka_unit_test(another_psk_fails_at_the_second_message),
        cmocka_unit_test(a_claimed_static_key_without_its_secret_is_refused),
        cmocka_unit_test(lengths_and_small_order_keys_are_checked),
    };
    return cmocka_run_group_tests_name("noise", tests, NULL, NULL);
}
