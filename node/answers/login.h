/* Logging in: POST /v1/auth/challenge and /v1/auth/token, what they take and answer. */
#ifndef ASSAY_NODE_ANSWERS_LOGIN_H
#define ASSAY_NODE_ANSWERS_LOGIN_H

#include "base/ed25519.h"
#include "base/record.h"

#define LOGIN_CHALLENGE_LEN 32

struct challenge_request {
    uint8_t key[ED25519_KEY_LEN];
};
extern const struct record challenge_request_shape;

struct challenge_answer {
    uint8_t challenge[LOGIN_CHALLENGE_LEN];
    uint64_t expires_ms;
};
extern const struct record challenge_answer_shape;

struct token_request {
    uint8_t key[ED25519_KEY_LEN];
    uint8_t challenge[LOGIN_CHALLENGE_LEN];
    uint8_t signature[ED25519_SIG_LEN];
};
extern const struct record token_request_shape;

struct token_answer {
    const char *token;
    uint64_t expires_ms;
};
extern const struct record token_answer_shape;

#endif
