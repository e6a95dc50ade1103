#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/http/auth.h"

#include <string.h>

/* ---- A node, an author, a clock ---- */

struct fixture {
    struct auth *auth;
    uint8_t node_key[ED25519_KEY_LEN], node_secret[ED25519_SECRET_LEN];
    uint8_t key[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN];
    uint8_t chain_id[CHAIN_ID_LEN];
};

static uint64_t now = 1000000000;
static bool registered = true;
static uint8_t known_key[ED25519_KEY_LEN];

static uint64_t clock_ms(void) {
    return now;
}

static bool lookup(void *ctx, const uint8_t key[ED25519_KEY_LEN], char out_org[GENESIS_ID_MAX + 1]) {
    (void)ctx;
    strcpy(out_org, "acme");
    return registered && memcmp(key, known_key, ED25519_KEY_LEN) == 0;
}

static void open_fixture(struct fixture *f) {
    const uint8_t node_seed[ED25519_SEED_LEN] = {1};
    const uint8_t seed[ED25519_SEED_LEN] = {2};
    memset(f, 0, sizeof *f);
    f->chain_id[0] = 9;
    ed25519_from_seed(node_seed, f->node_key, f->node_secret);
    ed25519_from_seed(seed, f->key, f->secret);
    memcpy(known_key, f->key, sizeof known_key);
    registered = true;
    const struct auth_config config = {
        .chain_id = f->chain_id, .node_secret = f->node_secret, .lookup = lookup, .now_ms = clock_ms};
    assert_int_equal(auth_new(&config, &f->auth), OK);
}

static enum err log_in(struct fixture *f, const uint8_t chain_id[CHAIN_ID_LEN], char out[AUTH_TOKEN_MAX]) {
    uint8_t challenge[AUTH_CHALLENGE_LEN];
    uint8_t text[AUTH_SIGNED_LEN];
    uint8_t signature[ED25519_SIG_LEN];
    enum err e = auth_challenge(f->auth, f->key, challenge);
    if (e != OK) {
        return e;
    }
    auth_signed_bytes(chain_id, f->node_key, challenge, text);
    ed25519_sign(f->secret, text, sizeof text, signature);
    return auth_token(f->auth, f->key, challenge, signature, out);
}

/* ---- Cases ---- */

static void a_signed_challenge_gives_a_token_for_half_an_hour(void **state) {
    (void)state;
    struct fixture f;
    struct auth_identity who;
    char token[AUTH_TOKEN_MAX];
    open_fixture(&f);
    assert_int_equal(log_in(&f, f.chain_id, token), OK);
    assert_int_equal(auth_check_token(f.auth, token, &who), OK);
    assert_string_equal(who.org, "acme");
    assert_memory_equal(who.key, f.key, sizeof who.key);
    now += AUTH_TOKEN_MS - 1000;
    assert_int_equal(auth_check_token(f.auth, token, &who), OK);
    now += 1000;
    assert_int_equal(auth_check_token(f.auth, token, &who), ERR_EXPIRED);
    auth_free(f.auth);
}

static void a_challenge_serves_once_and_for_a_minute(void **state) {
    (void)state;
    struct fixture f;
    uint8_t challenge[AUTH_CHALLENGE_LEN];
    uint8_t text[AUTH_SIGNED_LEN];
    uint8_t signature[ED25519_SIG_LEN];
    char token[AUTH_TOKEN_MAX];
    open_fixture(&f);
    assert_int_equal(auth_challenge(f.auth, f.key, challenge), OK);
    auth_signed_bytes(f.chain_id, f.node_key, challenge, text);
    ed25519_sign(f.secret, text, sizeof text, signature);
    assert_int_equal(auth_token(f.auth, f.key, challenge, signature, token), OK);
    assert_int_equal(auth_token(f.auth, f.key, challenge, signature, token), ERR_NOTFOUND);
    assert_int_equal(auth_challenge(f.auth, f.key, challenge), OK);
    auth_signed_bytes(f.chain_id, f.node_key, challenge, text);
    ed25519_sign(f.secret, text, sizeof text, signature);
    now += AUTH_CHALLENGE_MS;
    assert_int_equal(auth_token(f.auth, f.key, challenge, signature, token), ERR_EXPIRED);
    auth_free(f.auth);
}

static void a_failed_try_uses_the_challenge_up(void **state) {
    (void)state;
    struct fixture f;
    uint8_t challenge[AUTH_CHALLENGE_LEN];
    uint8_t text[AUTH_SIGNED_LEN];
    uint8_t signature[ED25519_SIG_LEN] = {0};
    char token[AUTH_TOKEN_MAX];
    open_fixture(&f);
    assert_int_equal(auth_challenge(f.auth, f.key, challenge), OK);
    assert_int_equal(auth_token(f.auth, f.key, challenge, signature, token), ERR_SIGNATURE);
    auth_signed_bytes(f.chain_id, f.node_key, challenge, text);
    ed25519_sign(f.secret, text, sizeof text, signature);
    assert_int_equal(auth_token(f.auth, f.key, challenge, signature, token), ERR_NOTFOUND);
    auth_free(f.auth);
}

static void an_answer_for_another_chain_is_none_here(void **state) {
    (void)state;
    struct fixture f;
    uint8_t other[CHAIN_ID_LEN] = {8};
    char token[AUTH_TOKEN_MAX];
    open_fixture(&f);
    assert_int_equal(log_in(&f, other, token), ERR_SIGNATURE);
    auth_free(f.auth);
}

static void a_revoked_key_ends_its_tokens(void **state) {
    (void)state;
    struct fixture f;
    struct auth_identity who;
    char token[AUTH_TOKEN_MAX];
    open_fixture(&f);
    assert_int_equal(log_in(&f, f.chain_id, token), OK);
    registered = false;
    assert_int_equal(auth_check_token(f.auth, token, &who), ERR_DENIED);
    assert_int_equal(log_in(&f, f.chain_id, token), ERR_DENIED);
    auth_free(f.auth);
}

static void a_changed_token_is_refused(void **state) {
    (void)state;
    struct fixture f;
    struct auth_identity who;
    char token[AUTH_TOKEN_MAX];
    open_fixture(&f);
    assert_int_equal(log_in(&f, f.chain_id, token), OK);
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        char changed[AUTH_TOKEN_MAX];
        strcpy(changed, token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(auth_check_token(f.auth, changed, &who), OK);
    }
    static const char *const others[] = {
        "", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(auth_check_token(f.auth, others[i], &who), ERR_SIGNATURE);
    }
    auth_free(f.auth);
}

/* A member's key is no secret: whoever knows it may ask for challenges too. */
static void asking_in_a_members_name_pushes_no_challenge_out(void **state) {
    (void)state;
    struct fixture f;
    uint8_t challenge[AUTH_CHALLENGE_LEN], other[AUTH_CHALLENGE_LEN], text[AUTH_SIGNED_LEN];
    uint8_t signature[ED25519_SIG_LEN];
    char token[AUTH_TOKEN_MAX];
    open_fixture(&f);
    assert_int_equal(auth_challenge(f.auth, f.key, challenge), OK);
    for (size_t i = 0; i <= AUTH_CHALLENGES_MAX; i++) {
        assert_int_equal(auth_challenge(f.auth, f.key, other), OK);
    }
    auth_signed_bytes(f.chain_id, f.node_key, challenge, text);
    ed25519_sign(f.secret, text, sizeof text, signature);
    assert_int_equal(auth_token(f.auth, f.key, challenge, signature, token), OK);
    assert_int_equal(auth_token(f.auth, f.key, challenge, signature, token), ERR_NOTFOUND);
    auth_free(f.auth);
}

static void strangers_get_no_challenge(void **state) {
    (void)state;
    struct fixture f;
    uint8_t challenge[AUTH_CHALLENGE_LEN];
    uint8_t stranger[ED25519_KEY_LEN] = {77};
    open_fixture(&f);
    assert_int_equal(auth_challenge(f.auth, stranger, challenge), ERR_DENIED);
    auth_free(f.auth);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_challenge_gives_a_token_for_half_an_hour),
        cmocka_unit_test(a_challenge_serves_once_and_for_a_minute),
        cmocka_unit_test(a_failed_try_uses_the_challenge_up),
        cmocka_unit_test(an_answer_for_another_chain_is_none_here),
        cmocka_unit_test(a_revoked_key_ends_its_tokens),
        cmocka_unit_test(a_changed_token_is_refused),
        cmocka_unit_test(asking_in_a_members_name_pushes_no_challenge_out),
        cmocka_unit_test(strangers_get_no_challenge),
    };
    if (crypto_start() != OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
