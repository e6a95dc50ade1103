/* The secured conversation with one peer: handshakes, transport keys, replay windows, rekeying.
 *
 * A pure computation: datagrams in, datagrams out; time comes as an argument. Datagrams (numbers big-endian):
 *
 *   initiation   1 (1) | Noise first message (109) | code (16)                          126 bytes
 *                payload: version 1 (1) | sender's index (4) | timestamp (8)
 *   answer       2 (1) | receiver's index (4) | Noise second message (52) | code (16)    73 bytes
 *                payload: sender's index (4)
 *   transport    3 (1) | receiver's index (4) | counter (8) | sealed frames (>= 16)      at most SESSION_DATAGRAM_MAX
 *
 * An index names a handshake or a session on the side that chose it: member number (2) | random (2). The code is the
 * first half of HMAC-SHA256 of everything before it, under SHA-256(tag | psk | receiver's link key): whoever doesn't
 * know the swarm key and whom it talks to is refused before any curve arithmetic.
 *
 * Three generations of transport keys are held. `current` sends. An answer given makes a `next`, which becomes current
 * when the first transport datagram under it arrives: a replayed initiation evicts nobody. The one before stays as
 * `previous` for what is still on its way.
 */
#ifndef ASSAY_NODE_NET_SESSION_H
#define ASSAY_NODE_NET_SESSION_H

#include "node/net/noise.h"
#include "node/net/replay_window.h"

#define SESSION_INITIATION 1
#define SESSION_ANSWER 2
#define SESSION_TRANSPORT 3

#define SESSION_CODE_LEN 16
#define SESSION_INITIATION_LEN (1 + NOISE_FIRST_OVERHEAD + 13 + SESSION_CODE_LEN)
#define SESSION_ANSWER_LEN (1 + 4 + NOISE_SECOND_OVERHEAD + 4 + SESSION_CODE_LEN)
#define SESSION_HEADER_LEN (1 + 4 + 8)
#define SESSION_PLAIN_MAX (NOISE_MESSAGE_MAX - AEAD_TAG_LEN)
#define SESSION_DATAGRAM_MAX (SESSION_HEADER_LEN + NOISE_MESSAGE_MAX)

#define SESSION_REKEY_MESSAGES ((uint64_t)1 << 20)
#define SESSION_REKEY_MS 120000u
/* The answering side waits a little longer, so that as a rule one side rekeys. */
#define SESSION_REKEY_ANSWERER_MS (SESSION_REKEY_MS + 15000u)
/* Keys older or more used than this neither send nor receive. */
#define SESSION_REJECT_MESSAGES ((uint64_t)1 << 24)
#define SESSION_REJECT_MS 240000u
/* How many unanswered attempts of ours win over an initiation of the peer's (see session_accept). */
#define SESSION_STUBBORN_ATTEMPTS 2u

struct session_keys {
    bool live;
    bool initiator;
    uint32_t local_index;
    uint32_t remote_index;
    uint8_t send_key[AEAD_KEY_LEN];
    uint8_t receive_key[AEAD_KEY_LEN];
    uint64_t send_counter;
    struct replay_window window;
    uint64_t born_ms;
};

/* What all sessions of a node share. Owned by the caller; wiped with secure_wipe. */
struct session_self {
    struct noise_keys keys;
    uint8_t psk[NOISE_KEY_LEN];
    uint8_t code_key[HMAC_LEN];
    uint64_t last_timestamp; /* of our own initiations: never the same twice */
};
void session_self_init(struct session_self *self, const uint8_t link_secret[X25519_LEN],
                       const uint8_t psk[NOISE_KEY_LEN]);

struct session {
    struct session_self *self;
    uint16_t member;
    uint8_t peer_key[X25519_LEN];
    uint8_t peer_code_key[HMAC_LEN];
    uint64_t peer_timestamp; /* of the last initiation accepted */
    struct session_keys current, next, previous;
    struct {
        bool active;
        uint32_t index;
        uint32_t attempts; /* since the last one that succeeded */
        struct noise noise;
    } handshake;
};

/* `self` outlives the session. `member` is part of the indices this side chooses. */
void session_init(struct session *s, struct session_self *self, uint16_t member, const uint8_t peer_key[X25519_LEN]);
/* Forgets and wipes every key. Accepts one of zeros. */
void session_close(struct session *s);

/* ---- Handshake --------------------------------------------------------------------------------------------------- */

/* A new initiation; the one before it is given up. `wall_ms` is the wall clock. ERR_INVALID: the peer's key is bad. */
NODISCARD enum err session_initiate(struct session *s, uint64_t wall_ms, uint8_t out[SESSION_INITIATION_LEN]);

/* Our attempt, if there is one, gets no answer any more: what it was said on is gone. */
void session_give_up(struct session *s);

/* The cheap check, without curve arithmetic: a known type, a fitting length, and the code of a handshake datagram.
 * ERR_MALFORMED or ERR_SIGNATURE: whoever sent it is no member. */
NODISCARD enum err session_check(const struct session_self *self, struct bytes datagram);

/* An initiation read before it is known whose it is. */
struct session_hello {
    struct noise noise; /* noise.remote_static is proven to be the sender's */
    uint32_t remote_index;
    uint64_t timestamp;
};
/* ERR_SIGNATURE, ERR_INVALID, ERR_UNSUPPORTED (version). The caller wipes `out` (noise_wipe) when done. */
NODISCARD enum err session_hello(struct session_self *self, struct bytes datagram, struct session_hello *out);
/* Answers a hello of this session's peer. ERR_DUPLICATE: not newer than the last one accepted (a replay).
 * ERR_BUSY: both sides began at once and ours has precedence, since our link key is the lower; it has for the first
 * SESSION_STUBBORN_ATTEMPTS, so that a peer that can't accept ours is heard in the end. */
NODISCARD enum err session_accept(struct session *s, struct session_hello *hello, uint64_t now_ms,
                                  uint8_t out[SESSION_ANSWER_LEN]);
/* The answer to our initiation: its keys become current, and a transport datagram should go out at once to confirm.
 * ERR_NOTFOUND (no such handshake), ERR_SIGNATURE, ERR_INVALID. */
NODISCARD enum err session_finish(struct session *s, struct bytes datagram, uint64_t now_ms);

/* Member number in the receiver's index of an answer or a transport datagram that passed session_check. */
uint16_t session_datagram_member(struct bytes datagram);

/* ---- Transport --------------------------------------------------------------------------------------------------- */

bool session_can_send(const struct session *s, uint64_t now_ms);
/* Time for a new handshake? Also true when there is nothing to send with. */
bool session_wants_rekey(const struct session *s, uint64_t now_ms);
/* Seals in place: `datagram` has SESSION_HEADER_LEN bytes of room, the plaintext, and AEAD_TAG_LEN bytes of room.
 * ERR_EXPIRED: no keys, or used up. */
NODISCARD enum err session_seal(struct session *s, uint64_t now_ms, uint8_t *datagram, size_t plain_len);
/* Opens in place; `out_plain` borrows from `datagram`. ERR_NOTFOUND (no keys by that index), ERR_EXPIRED,
 * ERR_DUPLICATE (seen or too old), ERR_SIGNATURE. */
NODISCARD enum err session_open(struct session *s, uint64_t now_ms, uint8_t *datagram, size_t len,
                                struct bytes *out_plain);

#endif
