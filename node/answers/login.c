#include "node/answers/login.h"

#define KEY(T)                                                                                                         \
    { "key", "The member's signing key.", FIELD_HEX, MEMBER(T, key) }
#define EXPIRES(T)                                                                                                     \
    { "expires_ms", "Until when it is good, by the node's clock.", FIELD_NUMBER, MEMBER(T, expires_ms) }

static const struct field challenge_request_fields[] = {KEY(struct challenge_request)};
const struct record challenge_request_shape = {"ChallengeRequest", "Who wants to log in.",
                                               RECORD_OF(struct challenge_request, challenge_request_fields)};

static const struct field challenge_answer_fields[] = {
    {"challenge", "What to sign.", FIELD_HEX, MEMBER(struct challenge_answer, challenge)},
    EXPIRES(struct challenge_answer),
};
const struct record challenge_answer_shape = {"Challenge", "What to sign to log in.",
                                              RECORD_OF(struct challenge_answer, challenge_answer_fields)};

static const struct field token_request_fields[] = {
    KEY(struct token_request),
    {"challenge", "As it was given.", FIELD_HEX, MEMBER(struct token_request, challenge)},
    {"signature", "By the key, over chain, node and challenge.", FIELD_HEX, MEMBER(struct token_request, signature)},
};
const struct record token_request_shape = {"TokenRequest", "A signed challenge.",
                                           RECORD_OF(struct token_request, token_request_fields)};

static const struct field token_answer_fields[] = {
    {"token", "For the header Authorization: Bearer.", FIELD_WORDS, MEMBER(struct token_answer, token)},
    EXPIRES(struct token_answer),
};
const struct record token_answer_shape = {"Token", "A token that shows who is asking.",
                                          RECORD_OF(struct token_answer, token_answer_fields)};
