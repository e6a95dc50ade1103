/* Logging in over HTTP, and who sent a request. */
#include "node/http/auth.h"

#include "node/json/record_json.h"

#include <string.h>

#define JSON_BODY_MAX 4096
#define HINT_LOGIN "log in: POST /v1/auth/challenge, then /v1/auth/token"

static enum err identify(struct auth *auth, const struct http_request *request, struct auth_identity *out) {
    const char *header = http_header(request, "Authorization");
    if (header == NULL || strncmp(header, "Bearer ", 7) != 0) {
        return ERR_NOTFOUND;
    }
    return auth_check_token(auth, header + 7, out);
}

static const char *no_identity(enum err e) {
    switch (e) {
    case ERR_NOTFOUND:
        return "this needs a token";
    case ERR_EXPIRED:
        return "the token has expired";
    case ERR_DENIED:
        return "the token's key is not registered any more";
    default:
        return "the token is not one of this node's";
    }
}

bool auth_require(struct auth *auth, struct http_request *request, const char *org, struct auth_identity *out) {
    struct auth_identity who;
    enum err e = identify(auth, request, &who);
    if (e != OK) {
        struct http_response *response = http_error(401, "NOT_LOGGED_IN", HINT_LOGIN, "%s", no_identity(e));
        http_response_header(response, "WWW-Authenticate", "Bearer");
        http_respond(request, response);
        return false;
    }
    if (org != NULL && strcmp(org, who.org) != 0) {
        http_respond(request, http_error(403, "OTHER_ORGANISATION", "use a node of your own organisation",
                                         "this node serves members of %s, the token is for %s", org, who.org));
        return false;
    }
    *out = who;
    return true;
}

static void answer(struct http_request *request, const struct record *shape, const void *value) {
    struct http_response *response = http_json(200, record_json(shape, value));
    http_response_header(response, "Cache-Control", "no-store");
    http_respond(request, response);
}

static void post_challenge(void *ctx, struct http_request *request) {
    struct auth *auth = ctx;
    struct challenge_request asked;
    struct challenge_answer given = {.expires_ms = auth_now_ms(auth) + AUTH_CHALLENGE_MS};
    if (!http_body_record(request, &asked)) {
        return;
    }
    if (auth_challenge(auth, asked.key, given.challenge) == OK) {
        answer(request, &challenge_answer_shape, &given);
    } else {
        http_respond(request, http_error(403, "KEY_UNKNOWN", "register the key with author.register first",
                                         "this key is not registered"));
    }
}

static void post_token(void *ctx, struct http_request *request) {
    struct auth *auth = ctx;
    struct token_request asked;
    char token[AUTH_TOKEN_MAX];
    if (!http_body_record(request, &asked)) {
        return;
    }
    enum err e = auth_token(auth, asked.key, asked.challenge, asked.signature, token);
    if (e == OK) {
        const struct token_answer given = {token, auth_now_ms(auth) + AUTH_TOKEN_MS};
        answer(request, &token_answer_shape, &given);
    } else {
        http_respond(request, http_error(401, "LOGIN_REFUSED", "ask for a new challenge and sign it",
                                         "challenge or signature: %s", err_text(e)));
    }
}

enum err auth_routes(struct auth *auth, struct http_server *server) {
    const struct http_route challenge = {HTTP_POST,
                                         "/v1/auth/challenge",
                                         post_challenge,
                                         auth,
                                         .body_max = JSON_BODY_MAX,
                                         HTTP_BUDGET(4096, 0, 0),
                                         .summary = "A challenge for a member's key",
                                         .takes = &challenge_request_shape,
                                         .answers = &challenge_answer_shape};
    const struct http_route token = {HTTP_POST,
                                     "/v1/auth/token",
                                     post_token,
                                     auth,
                                     .body_max = JSON_BODY_MAX,
                                     HTTP_BUDGET(4096, 0, 1),
                                     .summary = "A token for a signed challenge",
                                     .takes = &token_request_shape,
                                     .answers = &token_answer_shape};
    enum err e = http_server_route(server, &challenge);
    return e == OK ? http_server_route(server, &token) : e;
}
