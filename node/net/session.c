#include "node/net/session.h"

#include "base/ed25519.h"

#include <string.h>

#define VERSION 1
#define HELLO_LEN (1 + 4 + 8)
#define PROLOGUE "assay.link 1"
#define CODE_TAG "assay.linkcode\0"
#define CODE_TAG_LEN 16
_Static_assert(sizeof CODE_TAG == CODE_TAG_LEN, "a tag has 16 bytes");
_Static_assert(SESSION_INITIATION_LEN == 126 && SESSION_ANSWER_LEN == 73, "as documented");

/* ---- Set up ------------------------------------------------------------------------------------------------------ */

static void code_key_of(const uint8_t *psk, const uint8_t *link_key, uint8_t out[HMAC_LEN]) {
    struct bytes parts[] = {bytes_of(CODE_TAG, CODE_TAG_LEN), bytes_of(psk, NOISE_KEY_LEN),
                            bytes_of(link_key, X25519_LEN)};
    sha256_parts(parts, 3, out);
}

void session_self_init(struct session_self *self, const uint8_t link_secret[X25519_LEN],
                       const uint8_t psk[NOISE_KEY_LEN]) {
    memset(self, 0, sizeof *self);
    memcpy(self->keys.secret, link_secret, X25519_LEN);
    x25519_public_key(link_secret, self->keys.public_key);
    memcpy(self->psk, psk, NOISE_KEY_LEN);
    code_key_of(psk, self->keys.public_key, self->code_key);
}

void session_init(struct session *s, struct session_self *self, uint16_t member, const uint8_t peer_key[X25519_LEN]) {
    memset(s, 0, sizeof *s);
    s->self = self;
    s->member = member;
    memcpy(s->peer_key, peer_key, X25519_LEN);
    code_key_of(self->psk, peer_key, s->peer_code_key);
}

void session_close(struct session *s) {
    secure_wipe(s, sizeof *s);
}

static void retire(struct session_keys *k) {
    secure_wipe(k, sizeof *k);
}

void session_give_up(struct session *s) {
    noise_wipe(&s->handshake.noise);
    s->handshake.active = false;
}

/* An index that none of this session's own names bears. */
static uint32_t fresh_index(const struct session *s) {
    uint32_t index;
    do {
        uint16_t r;
        random_fill(&r, sizeof r);
        index = (uint32_t)s->member << 16 | r;
    } while ((s->current.live && s->current.local_index == index) || (s->next.live && s->next.local_index == index) ||
             (s->previous.live && s->previous.local_index == index) ||
             (s->handshake.active && s->handshake.index == index));
    return index;
}

/* ---- Handshake --------------------------------------------------------------------------------------------------- */

static void put_code(const uint8_t key[HMAC_LEN], uint8_t *datagram, size_t len) {
    uint8_t code[HMAC_LEN];
    hmac_sha256(bytes_of(key, HMAC_LEN), bytes_of(datagram, len - SESSION_CODE_LEN), code);
    memcpy(datagram + len - SESSION_CODE_LEN, code, SESSION_CODE_LEN);
}

enum err session_check(const struct session_self *self, struct bytes datagram) {
    if (datagram.len == 0) {
        return ERR_MALFORMED;
    }
    uint8_t type = datagram.data[0];
    if (type == SESSION_TRANSPORT) {
        bool fits = datagram.len >= SESSION_HEADER_LEN + AEAD_TAG_LEN && datagram.len <= SESSION_DATAGRAM_MAX;
        return fits ? OK : ERR_MALFORMED;
    }
    if (!(type == SESSION_INITIATION && datagram.len == SESSION_INITIATION_LEN) &&
        !(type == SESSION_ANSWER && datagram.len == SESSION_ANSWER_LEN)) {
        return ERR_MALFORMED;
    }
    uint8_t code[HMAC_LEN];
    size_t covered = datagram.len - SESSION_CODE_LEN;
    hmac_sha256(bytes_of(self->code_key, HMAC_LEN), bytes_of(datagram.data, covered), code);
    return hmac_equal(code, datagram.data + covered, SESSION_CODE_LEN) ? OK : ERR_SIGNATURE;
}

uint16_t session_datagram_member(struct bytes datagram) {
    return load_u16(datagram.data + 1);
}

enum err session_initiate(struct session *s, uint64_t wall_ms, uint8_t out[SESSION_INITIATION_LEN]) {
    struct session_self *self = s->self;
    uint32_t index = fresh_index(s);
    uint64_t timestamp = wall_ms > self->last_timestamp ? wall_ms : self->last_timestamp + 1;
    uint8_t hello[HELLO_LEN] = {VERSION};
    store_u32(hello + 1, index);
    store_u64(hello + 5, timestamp);

    uint8_t datagram[SESSION_INITIATION_LEN] = {SESSION_INITIATION};
    noise_start(&s->handshake.noise, true, bytes_str(PROLOGUE), &self->keys, self->psk, s->peer_key);
    enum err e = noise_write_first(&s->handshake.noise, bytes_of(hello, sizeof hello), datagram + 1);
    if (e != OK) {
        session_give_up(s);
        return e;
    }
    put_code(s->peer_code_key, datagram, sizeof datagram);
    self->last_timestamp = timestamp;
    s->handshake.active = true;
    s->handshake.index = index;
    s->handshake.attempts++;
    memcpy(out, datagram, sizeof datagram);
    return OK;
}

enum err session_hello(struct session_self *self, struct bytes datagram, struct session_hello *out) {
    struct session_hello hello = {0};
    uint8_t payload[HELLO_LEN];
    noise_start(&hello.noise, false, bytes_str(PROLOGUE), &self->keys, self->psk, NULL);
    enum err e = noise_read_first(&hello.noise,
                                  bytes_of(datagram.data + 1, SESSION_INITIATION_LEN - 1 - SESSION_CODE_LEN), payload);
    if (e == OK && payload[0] != VERSION) {
        e = ERR_UNSUPPORTED;
    }
    if (e == OK) {
        hello.remote_index = load_u32(payload + 1);
        hello.timestamp = load_u64(payload + 5);
        *out = hello;
    }
    noise_wipe(&hello.noise);
    return e;
}

static void take_keys(struct session_keys *k, struct noise *n, uint32_t local, uint32_t remote, uint64_t now_ms) {
    retire(k);
    noise_split(n, k->send_key, k->receive_key);
    k->initiator = n->initiator;
    k->local_index = local;
    k->remote_index = remote;
    k->born_ms = now_ms;
    k->live = true;
}

enum err session_accept(struct session *s, struct session_hello *hello, uint64_t now_ms,
                        uint8_t out[SESSION_ANSWER_LEN]) {
    if (hello->timestamp <= s->peer_timestamp) {
        return ERR_DUPLICATE;
    }
    bool ours_first = memcmp(s->self->keys.public_key, s->peer_key, X25519_LEN) < 0;
    if (s->handshake.active && ours_first && s->handshake.attempts <= SESSION_STUBBORN_ATTEMPTS) {
        return ERR_BUSY;
    }
    uint8_t datagram[SESSION_ANSWER_LEN] = {SESSION_ANSWER};
    store_u32(datagram + 1, hello->remote_index);
    uint32_t index = fresh_index(s);
    uint8_t payload[4];
    store_u32(payload, index);
    enum err e = noise_write_second(&hello->noise, bytes_of(payload, sizeof payload), datagram + 5);
    if (e != OK) {
        return e;
    }
    put_code(s->peer_code_key, datagram, sizeof datagram);
    session_give_up(s);
    take_keys(&s->next, &hello->noise, index, hello->remote_index, now_ms);
    s->peer_timestamp = hello->timestamp;
    memcpy(out, datagram, sizeof datagram);
    return OK;
}

static void promote(struct session *s, struct session_keys *k) {
    retire(&s->previous);
    s->previous = s->current;
    s->current = *k;
    retire(k);
}

enum err session_finish(struct session *s, struct bytes datagram, uint64_t now_ms) {
    if (!s->handshake.active || s->handshake.index != load_u32(datagram.data + 1)) {
        return ERR_NOTFOUND;
    }
    /* Read on a copy: a forged answer must not end the true handshake. */
    struct noise noise = s->handshake.noise;
    uint8_t payload[4];
    enum err e =
        noise_read_second(&noise, bytes_of(datagram.data + 5, SESSION_ANSWER_LEN - 5 - SESSION_CODE_LEN), payload);
    if (e == OK) {
        struct session_keys fresh = {0};
        take_keys(&fresh, &noise, s->handshake.index, load_u32(payload), now_ms);
        session_give_up(s);
        s->handshake.attempts = 0;
        promote(s, &fresh);
    }
    noise_wipe(&noise);
    return e;
}

/* ---- Transport --------------------------------------------------------------------------------------------------- */

static bool usable(const struct session_keys *k, uint64_t now_ms) {
    return k->live && now_ms - k->born_ms < SESSION_REJECT_MS;
}

bool session_can_send(const struct session *s, uint64_t now_ms) {
    return usable(&s->current, now_ms) && s->current.send_counter < SESSION_REJECT_MESSAGES;
}

bool session_wants_rekey(const struct session *s, uint64_t now_ms) {
    const struct session_keys *k = &s->current;
    if (!session_can_send(s, now_ms)) {
        return true;
    }
    uint32_t age = k->initiator ? SESSION_REKEY_MS : SESSION_REKEY_ANSWERER_MS;
    return now_ms - k->born_ms >= age || k->send_counter >= SESSION_REKEY_MESSAGES;
}

enum err session_seal(struct session *s, uint64_t now_ms, uint8_t *datagram, size_t plain_len) {
    if (!session_can_send(s, now_ms)) {
        return ERR_EXPIRED;
    }
    uint64_t counter = s->current.send_counter++;
    uint8_t nonce[AEAD_NONCE_LEN];
    noise_nonce(counter, nonce);
    datagram[0] = SESSION_TRANSPORT;
    store_u32(datagram + 1, s->current.remote_index);
    store_u64(datagram + 5, counter);
    uint8_t *body = datagram + SESSION_HEADER_LEN;
    aead_seal(s->current.send_key, nonce, bytes_of(NULL, 0), bytes_of(body, plain_len), body);
    return OK;
}

static struct session_keys *by_index(struct session *s, uint32_t index) {
    struct session_keys *all[] = {&s->current, &s->next, &s->previous};
    for (size_t i = 0; i < 3; i++) {
        if (all[i]->live && all[i]->local_index == index) {
            return all[i];
        }
    }
    return NULL;
}

enum err session_open(struct session *s, uint64_t now_ms, uint8_t *datagram, size_t len, struct bytes *out_plain) {
    struct session_keys *k = by_index(s, load_u32(datagram + 1));
    if (k == NULL) {
        return ERR_NOTFOUND;
    }
    uint64_t counter = load_u64(datagram + 5);
    if (!usable(k, now_ms) || counter >= SESSION_REJECT_MESSAGES) {
        return ERR_EXPIRED;
    }
    if (!replay_window_fresh(&k->window, counter)) {
        return ERR_DUPLICATE;
    }
    uint8_t nonce[AEAD_NONCE_LEN];
    noise_nonce(counter, nonce);
    uint8_t *body = datagram + SESSION_HEADER_LEN;
    enum err e = aead_open(k->receive_key, nonce, bytes_of(NULL, 0), bytes_of(body, len - SESSION_HEADER_LEN), body);
    if (e != OK) {
        return e;
    }
    replay_window_mark(&k->window, counter);
    if (k == &s->next) {
        promote(s, k);
        /* An attempt of our own that is still out is no longer needed, and must not have precedence later. */
        session_give_up(s);
        s->handshake.attempts = 0;
    }
    *out_plain = bytes_of(body, len - SESSION_HEADER_LEN - AEAD_TAG_LEN);
    return OK;
}
