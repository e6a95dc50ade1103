/* Who a request speaks for: key challenges and 30-minute tokens (P3's agent).
 *
 *   POST /v1/auth/challenge {"key": hex}                       -> {"challenge": hex, "expires_ms": n}
 *   POST /v1/auth/token {"key", "challenge", "signature": hex} -> {"token": jwt, "expires_ms": n}
 *
 * The author signs AUTH_TAG || chain id || node key || challenge (Ed25519), so that an answer for one node or chain is
 * none for another. A challenge is bound to its key, lives 60 s and is used up by the first try. The token is a JWT
 * (RFC 7519, alg EdDSA, RFC 8037) signed by the node's key, good at this node alone.
 *
 * Thread-safe.
 */
#ifndef ASSAY_NODE_HTTP_AUTH_H
#define ASSAY_NODE_HTTP_AUTH_H

#include "base/ed25519.h"
#include "contracts/genesis/genesis.h"
#include "node/answers/login.h"
#include "node/http/server.h"

#define AUTH_TAG "assay.auth\0\0\0\0\0" /* 16 bytes with the last zero, as the other tags */
#define AUTH_CHALLENGE_LEN LOGIN_CHALLENGE_LEN
#define AUTH_CHALLENGE_MS (60u * 1000u)
#define AUTH_TOKEN_MS (30u * 60u * 1000u)
#define AUTH_TOKEN_MAX 1024
#define AUTH_CHALLENGES_MAX 1024 /* tried ones that are remembered, the latest */
#define AUTH_SIGNED_LEN (16 + 32 + ED25519_KEY_LEN + AUTH_CHALLENGE_LEN)

/* Is this key registered now, as an author or an admin, and for which organisation? Called on the HTTP threads for
 * every token and every request that carries one, so that revoking a key ends its tokens. */
typedef bool auth_lookup(void *ctx, const uint8_t key[ED25519_KEY_LEN], char out_org[GENESIS_ID_MAX + 1]);

struct auth_config {
    const uint8_t *chain_id;    /* CHAIN_ID_LEN, copied */
    const uint8_t *node_secret; /* ED25519_SECRET_LEN, copied */
    auth_lookup *lookup;
    void *lookup_ctx;
    uint64_t (*now_ms)(void); /* NULL: clock_wall_ms */
};

struct auth;

NODISCARD enum err auth_new(const struct auth_config *config, struct auth **out);
void auth_free(struct auth *auth);
/* Adds the two routes. */
NODISCARD enum err auth_routes(struct auth *auth, struct http_server *server);

struct auth_identity {
    uint8_t key[ED25519_KEY_LEN];
    char org[GENESIS_ID_MAX + 1];
};

/* Who sent it, by its Authorization header. When there is none or it is not good, it has answered 401 and returns
 * false; `org` not NULL: a member of another organisation is answered 403. */
bool auth_require(struct auth *auth, struct http_request *request, const char *org, struct auth_identity *out);

/* ---- What that is made of ---- */

/* What a client signs. */
void auth_signed_bytes(const uint8_t chain_id[CHAIN_ID_LEN], const uint8_t node_key[ED25519_KEY_LEN],
                       const uint8_t challenge[AUTH_CHALLENGE_LEN], uint8_t out[AUTH_SIGNED_LEN]);
/* The clock that challenges and tokens go by. */
uint64_t auth_now_ms(const struct auth *auth);
/* ERR_DENIED: the key is not registered. */
NODISCARD enum err auth_challenge(struct auth *auth, const uint8_t key[ED25519_KEY_LEN],
                                  uint8_t out[AUTH_CHALLENGE_LEN]);
/* Uses the challenge up. ERR_NOTFOUND (not one of ours, or tried before), ERR_EXPIRED, ERR_SIGNATURE, ERR_DENIED. */
NODISCARD enum err auth_token(struct auth *auth, const uint8_t key[ED25519_KEY_LEN],
                              const uint8_t challenge[AUTH_CHALLENGE_LEN], const uint8_t signature[ED25519_SIG_LEN],
                              char out_token[AUTH_TOKEN_MAX]);
/* ERR_SIGNATURE (not one of ours), ERR_EXPIRED, ERR_DENIED (the key is not registered any more). */
NODISCARD enum err auth_check_token(struct auth *auth, const char *token, struct auth_identity *out);

#endif
