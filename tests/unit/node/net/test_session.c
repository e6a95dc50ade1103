#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ed25519.h"
#include "node/net/session.h"

#include <string.h>

#define TEXT "a vote"
#define TEXT_LEN (sizeof TEXT - 1)
#define DATAGRAM_LEN (SESSION_HEADER_LEN + TEXT_LEN + AEAD_TAG_LEN)

/* Two ends; the one with the lower link key is `low`. */
struct ends {
    struct session_self low_self, high_self;
    struct session low, high;
};

static void make(struct ends *e) {
    const uint8_t psk[NOISE_KEY_LEN] = {5};
    struct noise_keys a, b;
    x25519_keypair(a.public_key, a.secret);
    x25519_keypair(b.public_key, b.secret);
    bool in_order = memcmp(a.public_key, b.public_key, X25519_LEN) < 0;
    session_self_init(&e->low_self, in_order ? a.secret : b.secret, psk);
    session_self_init(&e->high_self, in_order ? b.secret : a.secret, psk);
    session_init(&e->low, &e->low_self, 7, e->high_self.keys.public_key);
    session_init(&e->high, &e->high_self, 9, e->low_self.keys.public_key);
}

static enum err offer(struct session *to, const uint8_t initiation[SESSION_INITIATION_LEN], uint64_t now,
                      uint8_t answer[SESSION_ANSWER_LEN]) {
    struct session_hello hello;
    enum err e = session_check(to->self, bytes_of(initiation, SESSION_INITIATION_LEN));
    if (e == OK) {
        e = session_hello(to->self, bytes_of(initiation, SESSION_INITIATION_LEN), &hello);
    }
    return e == OK ? session_accept(to, &hello, now, answer) : e;
}

static void seal(struct session *from, uint64_t now, uint8_t datagram[DATAGRAM_LEN]) {
    memcpy(datagram + SESSION_HEADER_LEN, TEXT, TEXT_LEN);
    assert_int_equal(session_seal(from, now, datagram, TEXT_LEN), OK);
}

static enum err open_copy(struct session *to, uint64_t now, const uint8_t datagram[DATAGRAM_LEN]) {
    uint8_t copy[DATAGRAM_LEN];
    memcpy(copy, datagram, sizeof copy);
    struct bytes plain;
    enum err e = session_check(to->self, bytes_of(copy, sizeof copy));
    if (e == OK) {
        e = session_open(to, now, copy, sizeof copy, &plain);
    }
    if (e == OK) {
        assert_true(bytes_equal(plain, bytes_str(TEXT)));
    }
    return e;
}

static void pass(struct session *from, struct session *to, uint64_t now) {
    uint8_t datagram[DATAGRAM_LEN];
    seal(from, now, datagram);
    assert_int_equal(open_copy(to, now, datagram), OK);
}

/* A whole handshake, confirmed. */
static void connect_ends(struct session *from, struct session *to, uint64_t now) {
    uint8_t initiation[SESSION_INITIATION_LEN], answer[SESSION_ANSWER_LEN];
    assert_int_equal(session_initiate(from, now, initiation), OK);
    assert_int_equal(offer(to, initiation, now, answer), OK);
    assert_int_equal(session_datagram_member(bytes_of(answer, sizeof answer)), from->member);
    assert_int_equal(session_finish(from, bytes_of(answer, sizeof answer), now), OK);
    pass(from, to, now);
    pass(to, from, now);
}

static void two_ends_agree_and_talk_both_ways(void **state) {
    (void)state;
    struct ends e;
    make(&e);
    uint8_t nothing[DATAGRAM_LEN];
    assert_false(session_can_send(&e.low, 1));
    assert_int_equal(session_seal(&e.low, 1, nothing, TEXT_LEN), ERR_EXPIRED);
    connect_ends(&e.low, &e.high, 1);
    for (uint64_t i = 0; i < 5000; i++) {
        pass(&e.low, &e.high, 2);
        pass(&e.high, &e.low, 2);
    }
}

static void every_altered_byte_of_every_datagram_is_refused(void **state) {
    (void)state;
    struct ends e;
    make(&e);
    uint8_t initiation[SESSION_INITIATION_LEN], answer[SESSION_ANSWER_LEN], transport[DATAGRAM_LEN];
    uint8_t ignored[SESSION_ANSWER_LEN];
    assert_int_equal(session_initiate(&e.low, 1, initiation), OK);
    for (size_t i = 0; i < sizeof initiation; i++) {
        initiation[i] ^= 0x21;
        assert_int_not_equal(offer(&e.high, initiation, 1, ignored), OK);
        initiation[i] ^= 0x21;
    }
    assert_int_equal(offer(&e.high, initiation, 1, answer), OK);
    for (size_t i = 0; i < sizeof answer; i++) {
        answer[i] ^= 0x21;
        assert_int_not_equal(session_check(&e.low_self, bytes_of(answer, sizeof answer)), OK);
        if (i >= 1 && i < sizeof answer - SESSION_CODE_LEN) {
            /* Even with a right code. */
            assert_int_not_equal(session_finish(&e.low, bytes_of(answer, sizeof answer), 1), OK);
        }
        answer[i] ^= 0x21;
    }
    assert_int_equal(session_finish(&e.low, bytes_of(answer, sizeof answer), 1), OK);
    seal(&e.low, 1, transport);
    for (size_t i = 0; i < sizeof transport; i++) {
        transport[i] ^= 0x21;
        assert_int_not_equal(open_copy(&e.high, 1, transport), OK);
        transport[i] ^= 0x21;
    }
    assert_int_equal(open_copy(&e.high, 1, transport), OK);
}

static void a_datagram_opens_once_and_in_any_order_within_the_window(void **state) {
    (void)state;
    struct ends e;
    make(&e);
    connect_ends(&e.low, &e.high, 1);
    static uint8_t sent[REPLAY_WINDOW + 200][DATAGRAM_LEN];
    const size_t count = sizeof sent / sizeof *sent;
    for (size_t i = 0; i < count; i++) {
        seal(&e.low, 1, sent[i]);
    }
    /* Backwards through one window's worth, then again: all seen. */
    size_t last = REPLAY_WINDOW - 65;
    for (size_t i = last + 1; i-- > 0;) {
        assert_int_equal(open_copy(&e.high, 1, sent[i]), OK);
    }
    for (size_t i = 0; i <= last; i++) {
        assert_int_equal(open_copy(&e.high, 1, sent[i]), ERR_DUPLICATE);
    }
    /* The newest moves the window past the ones not yet seen that are too old. */
    assert_int_equal(open_copy(&e.high, 1, sent[count - 1]), OK);
    assert_int_equal(open_copy(&e.high, 1, sent[last + 1]), OK);
    assert_int_equal(open_copy(&e.high, 1, sent[0]), ERR_DUPLICATE);
}

static void a_replayed_initiation_is_refused_and_the_newer_one_wins(void **state) {
    (void)state;
    struct ends e;
    make(&e);
    uint8_t first[SESSION_INITIATION_LEN], second[SESSION_INITIATION_LEN], answer[SESSION_ANSWER_LEN];
    assert_int_equal(session_initiate(&e.low, 100, first), OK);
    assert_int_equal(session_initiate(&e.low, 100, second), OK); /* same clock, later stamp */
    assert_int_equal(offer(&e.high, second, 1, answer), OK);
    assert_int_equal(offer(&e.high, second, 1, answer), ERR_DUPLICATE);
    assert_int_equal(offer(&e.high, first, 1, answer), ERR_DUPLICATE);
}

static void new_keys_replace_the_old_only_when_confirmed(void **state) {
    (void)state;
    struct ends e;
    make(&e);
    connect_ends(&e.low, &e.high, 1);
    uint8_t initiation[SESSION_INITIATION_LEN], answer[SESSION_ANSWER_LEN], late[DATAGRAM_LEN];
    uint32_t old = e.high.current.local_index;
    assert_int_equal(session_initiate(&e.low, 1000, initiation), OK);
    assert_int_equal(offer(&e.high, initiation, 2, answer), OK);
    assert_int_equal(e.high.current.local_index, old);
    pass(&e.low, &e.high, 2);
    pass(&e.high, &e.low, 2);
    assert_int_equal(e.high.current.local_index, old);
    seal(&e.low, 2, late);
    assert_int_equal(session_finish(&e.low, bytes_of(answer, sizeof answer), 2), OK);
    pass(&e.high, &e.low, 2); /* the old keys, not yet confirmed */
    pass(&e.low, &e.high, 2);
    assert_int_not_equal(e.high.current.local_index, old);
    assert_int_equal(open_copy(&e.high, 2, late), OK); /* was on its way */
    pass(&e.high, &e.low, 2);
    /* An answer counts once. */
    assert_int_equal(session_finish(&e.low, bytes_of(answer, sizeof answer), 2), ERR_NOTFOUND);
}

static void when_both_begin_at_once_the_lower_key_is_answered(void **state) {
    (void)state;
    struct ends e;
    make(&e);
    uint8_t of_low[SESSION_INITIATION_LEN], of_high[SESSION_INITIATION_LEN];
    uint8_t answer[SESSION_ANSWER_LEN], ignored[SESSION_ANSWER_LEN];
    assert_int_equal(session_initiate(&e.low, 1, of_low), OK);
    assert_int_equal(session_initiate(&e.high, 1, of_high), OK);
    assert_int_equal(offer(&e.low, of_high, 1, ignored), ERR_BUSY);
    assert_int_equal(offer(&e.high, of_low, 1, answer), OK);
    assert_false(e.high.handshake.active);
    assert_int_equal(session_finish(&e.low, bytes_of(answer, sizeof answer), 1), OK);
    pass(&e.low, &e.high, 1);
    pass(&e.high, &e.low, 1);
}

static void a_peer_that_does_not_answer_us_is_answered_in_the_end(void **state) {
    (void)state;
    struct ends e;
    make(&e);
    uint8_t initiation[SESSION_INITIATION_LEN], answer[SESSION_ANSWER_LEN];
    for (uint32_t i = 0; i < SESSION_STUBBORN_ATTEMPTS + 1; i++) {
        assert_int_equal(session_initiate(&e.low, i, initiation), OK);
    }
    assert_int_equal(session_initiate(&e.high, 1, initiation), OK);
    assert_int_equal(offer(&e.low, initiation, 1, answer), OK);
    assert_int_equal(session_finish(&e.high, bytes_of(answer, sizeof answer), 1), OK);
    assert_false(e.low.handshake.active);
    pass(&e.high, &e.low, 1);
}

/* What it was said on is gone: nothing will answer it, and the other may be one whom we can't dial. */
static void an_own_attempt_given_up_has_no_precedence(void **state) {
    (void)state;
    struct ends e;
    make(&e);
    uint8_t initiation[SESSION_INITIATION_LEN], answer[SESSION_ANSWER_LEN], lost[SESSION_ANSWER_LEN];
    connect_ends(&e.high, &e.low, 1);
    assert_int_equal(session_initiate(&e.low, 2, initiation), OK); /* new keys, on a connection that then breaks */
    assert_int_equal(offer(&e.high, initiation, 2, lost), OK);
    session_give_up(&e.low);
    assert_int_equal(session_finish(&e.low, bytes_of(lost, sizeof lost), 2), ERR_NOTFOUND);
    for (uint64_t at = 3; at < 6; at++) {
        assert_int_equal(session_initiate(&e.high, at, initiation), OK);
        assert_int_equal(offer(&e.low, initiation, at, answer), OK);
    }
    assert_int_equal(session_finish(&e.high, bytes_of(answer, sizeof answer), 6), OK);
    pass(&e.high, &e.low, 6);
    pass(&e.low, &e.high, 6);
}

static void an_own_attempt_ends_when_the_peers_keys_are_confirmed(void **state) {
    (void)state;
    struct ends e;
    make(&e);
    uint8_t initiation[SESSION_INITIATION_LEN], answer[SESSION_ANSWER_LEN], lost[SESSION_INITIATION_LEN];
    assert_int_equal(session_initiate(&e.high, 1, initiation), OK);
    assert_int_equal(offer(&e.low, initiation, 1, answer), OK);
    assert_int_equal(session_initiate(&e.low, 1, lost), OK);
    assert_int_equal(session_finish(&e.high, bytes_of(answer, sizeof answer), 1), OK);
    pass(&e.high, &e.low, 1);
    /* Or it would win over this one, long after. */
    connect_ends(&e.high, &e.low, 100);
}

static void keys_ask_for_new_ones_by_count_and_time_and_then_end(void **state) {
    (void)state;
    struct ends e;
    make(&e);
    assert_true(session_wants_rekey(&e.low, 1));
    connect_ends(&e.low, &e.high, 1);
    assert_false(session_wants_rekey(&e.low, SESSION_REKEY_MS));
    assert_true(session_wants_rekey(&e.low, SESSION_REKEY_MS + 1));
    assert_false(session_wants_rekey(&e.high, SESSION_REKEY_MS + 1));
    assert_true(session_wants_rekey(&e.high, SESSION_REKEY_ANSWERER_MS + 1));
    e.low.current.send_counter = SESSION_REKEY_MESSAGES;
    assert_true(session_wants_rekey(&e.low, 2));

    uint8_t datagram[DATAGRAM_LEN];
    e.low.current.send_counter = SESSION_REJECT_MESSAGES - 1;
    seal(&e.low, 2, datagram);
    assert_false(session_can_send(&e.low, 2));
    assert_int_equal(session_seal(&e.low, 2, datagram, TEXT_LEN), ERR_EXPIRED);
    e.low.current.send_counter = 5;
    seal(&e.low, 2, datagram);
    assert_int_equal(open_copy(&e.high, 1 + SESSION_REJECT_MS, datagram), ERR_EXPIRED);
    assert_int_equal(session_seal(&e.low, 1 + SESSION_REJECT_MS, datagram, TEXT_LEN), ERR_EXPIRED);
    /* A counter that no honest sender reaches. */
    store_u64(datagram + 5, UINT64_MAX);
    assert_int_equal(open_copy(&e.high, 2, datagram), ERR_EXPIRED);
}

static void another_swarm_is_refused_by_the_code_alone(void **state) {
    (void)state;
    struct ends e;
    make(&e);
    const uint8_t other_psk[NOISE_KEY_LEN] = {6};
    struct session_self self;
    struct session session;
    session_self_init(&self, e.low_self.keys.secret, other_psk);
    session_init(&session, &self, 7, e.high_self.keys.public_key);
    uint8_t initiation[SESSION_INITIATION_LEN];
    assert_int_equal(session_initiate(&session, 1, initiation), OK);
    assert_int_equal(session_check(&e.high_self, bytes_of(initiation, sizeof initiation)), ERR_SIGNATURE);
    assert_int_equal(session_check(&e.high_self, bytes_of(initiation, sizeof initiation - 1)), ERR_MALFORMED);
    assert_int_equal(session_check(&e.high_self, bytes_of(initiation, 0)), ERR_MALFORMED);
}

int main(void) {
    if (crypto_start() != OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_ends_agree_and_talk_both_ways),
        cmocka_unit_test(every_altered_byte_of_every_datagram_is_refused),
        cmocka_unit_test(a_datagram_opens_once_and_in_any_order_within_the_window),
        cmocka_unit_test(a_replayed_initiation_is_refused_and_the_newer_one_wins),
        cmocka_unit_test(new_keys_replace_the_old_only_when_confirmed),
        cmocka_unit_test(when_both_begin_at_once_the_lower_key_is_answered),
        cmocka_unit_test(a_peer_that_does_not_answer_us_is_answered_in_the_end),
        cmocka_unit_test(an_own_attempt_given_up_has_no_precedence),
        cmocka_unit_test(an_own_attempt_ends_when_the_peers_keys_are_confirmed),
        cmocka_unit_test(keys_ask_for_new_ones_by_count_and_time_and_then_end),
        cmocka_unit_test(another_swarm_is_refused_by_the_code_alone),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
