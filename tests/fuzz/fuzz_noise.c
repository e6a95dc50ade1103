/* The readers of handshake and transport datagrams: what a stranger's bytes reach. The fuzzer knows the node's keys, so
 * that it gets past the code: the first byte of the input chooses whether a right one is put in. */
#include "base/ed25519.h"
#include "node/net/session.h"

#include <stdlib.h>
#include <string.h>

static struct session_self self;
static struct session session;
static struct session_keys keys;

static void prepare(void) {
    const uint8_t secret[X25519_LEN] = {1, 2, 3}, psk[NOISE_KEY_LEN] = {4}, peer_secret[X25519_LEN] = {5};
    uint8_t peer[X25519_LEN];
    if (crypto_start() != OK) {
        abort();
    }
    session_self_init(&self, secret, psk);
    x25519_public_key(peer_secret, peer);
    session_init(&session, &self, 3, peer);
    keys = (struct session_keys){.live = true, .local_index = 3u << 16 | 1, .born_ms = 1};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool prepared;
    static uint8_t datagram[SESSION_DATAGRAM_MAX + 1];
    if (!prepared) {
        prepare();
        prepared = true;
    }
    if (size < 1 || size - 1 > sizeof datagram) {
        return 0;
    }
    size_t len = size - 1;
    memcpy(datagram, data + 1, len);
    if ((data[0] & 1) != 0 && len > SESSION_CODE_LEN) {
        uint8_t code[HMAC_LEN];
        hmac_sha256(bytes_of(self.code_key, HMAC_LEN), bytes_of(datagram, len - SESSION_CODE_LEN), code);
        memcpy(datagram + len - SESSION_CODE_LEN, code, SESSION_CODE_LEN);
    }
    if (session_check(&self, bytes_of(datagram, len)) != OK) {
        return 0;
    }
    struct session s = session;
    s.current = keys;
    if (datagram[0] == SESSION_INITIATION) {
        struct session_hello hello;
        uint8_t answer[SESSION_ANSWER_LEN];
        if (session_hello(&self, bytes_of(datagram, len), &hello) == OK) {
            (void)!session_accept(&s, &hello, 2, answer);
        }
    } else if (datagram[0] == SESSION_ANSWER) {
        uint8_t initiation[SESSION_INITIATION_LEN];
        if (session_initiate(&s, 1, initiation) == OK) {
            s.handshake.index = load_u32(datagram + 1);
            (void)!session_finish(&s, bytes_of(datagram, len), 2);
        }
    } else {
        struct bytes plain;
        (void)session_datagram_member(bytes_of(datagram, len));
        (void)!session_open(&s, 2, datagram, len, &plain);
    }
    return 0;
}
