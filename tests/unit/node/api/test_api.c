#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/http/http_internal.h"
#include "node/ledger/statement_tx.h"
#include "tests/lib/api_fixture.h"

static struct api_fixture f;
static struct api_answer answer;

static int setup(void **state) {
    (void)state;
    api_open(&f);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    api_close(&f);
    buffer_free(&answer.all);
    return 0;
}

static void fails(const char *path, int status, const char *code) {
    if (api_get(&f, path, &answer) != status || strcmp(api_code(&answer), code) != 0) {
        fail_msg("%s: %d %s instead of %d %s", path, answer.status, api_code(&answer), status, code);
    }
}

/* A signer's own token. */
static void token_of(enum person who, char out_header[AUTH_TOKEN_MAX + 64]) {
    uint8_t challenge[AUTH_CHALLENGE_LEN], text[AUTH_SIGNED_LEN], signature[ED25519_SIG_LEN];
    char token[AUTH_TOKEN_MAX];
    const struct world *w = &f.ledger.world;
    assert_int_equal(auth_challenge(f.auth, w->public_key[who], challenge), OK);
    auth_signed_bytes(w->chain_id, w->genesis.nodes[0].key, challenge, text);
    ed25519_sign(w->secret[who], text, sizeof text, signature);
    assert_int_equal(auth_token(f.auth, w->public_key[who], challenge, signature, token), OK);
    (void)snprintf(out_header, AUTH_TOKEN_MAX + 64, "Authorization: Bearer %s\r\n", token);
}

/* ---- Every route ------------------------------------------------------------------------------------------------- */

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void every_route_answers(void **state) {
    (void)state;
    static const struct {
        const char *path;
        int status;
    } cases[] = {{"/v1/status", 200},
                 {"/livez", 200},
                 {"/healthz", 200},
                 {"/metrics", 200},
                 {"/openapi.json", 200},
                 {"/v1/blocks", 200},
                 {"/v1/blocks/latest", 200},
                 {"/v1/blocks/0", 200},
                 {"/v1/blocks/1", 200},
                 {"/v1/blocks/1/txs", 200},
                 {"/v1/blocks/0/txs", 200},
                 {"/v1/blocks/latest/txs", 200},
                 {"/v1/blocks/3", 404},
                 {"/v1/blocks/3/txs", 404},
                 {"/v1/txs?sender=" ZEROS, 200},
                 {"/v1/txs/" ZEROS, 404},
                 {"/v1/proof?contract=device&key=00", 200},
                 {"/v1/proof?contract=device&key=00&format=json", 200},
                 {"/v1/proof?contract=device&key=00&height=1", 200},
                 {"/v1/proof?contract=device&key=00&height=3", 404},
                 {"/v1/orgs", 200},
                 {"/v1/validators", 200},
                 {"/v1/nodes", 200},
                 {"/v1/authors", 200},
                 {"/v1/classes", 200},
                 {"/v1/classes?class=acme.example/thermostat", 200},
                 {"/v1/classes?class=acme.example/none", 404},
                 {"/v1/devices", 401},
                 {"/v1/releases", 200},
                 {"/v1/releases?class=acme.example/thermostat", 200},
                 {"/v1/releases/latest?class=acme.example/thermostat", 404},
                 {"/v1/releases/latest?class=acme.example/thermostat&proof=1", 200},
                 {"/v1/releases/" ZEROS, 404},
                 {"/v1/releases/" ZEROS "/envelope", 404},
                 {"/v1/updates", 200},
                 {"/v1/updates?class=acme.example/thermostat", 200},
                 {"/v1/updates?device=" ZEROS, 200},
                 {"/v1/updates/" ZEROS, 404},
                 {"/v1/updates/" ZEROS "/history", 404}};
    struct status_facts facts = {.beat_mono_ms = clock_mono_ms()};
    status_board_write(&f.board, &facts);
    api_blocks(&f, 2, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (api_get(&f, cases[i].path, &answer) != cases[i].status) {
            fail_msg("%s: %d instead of %d", cases[i].path, answer.status, cases[i].status);
        }
        if (answer.status >= 400) {
            assert_string_not_equal(api_code(&answer), "");
        }
    }
}

/* A ledger that holds ten times what a page of a signer's transactions may read, asked for all of it by every route that
 * takes a limit: none costs more than its row says, and what is cut says where it goes on. */
#define SENDER_BLOCKS 16u
static void no_route_costs_more_than_its_budget(void **state) {
    (void)state;
    const struct router *router = &f.server->router;
    char header[AUTH_TOKEN_MAX + 64], sender[2 * ED25519_KEY_LEN + 1], path[400];
    f.member_org = "ops";
    token_of(OPS_ADMIN, header);
    api_blocks(&f, 10 * SENDER_BLOCKS, 10);
    hex_encode(f.ledger.world.public_key[GATEWAY_1], ED25519_KEY_LEN, sender);
    for (size_t i = 0; i < router->count; i++) {
        const struct http_route *route = &router->routes[i];
        if (route->method != HTTP_GET || route->summary == NULL || strcmp(route->path, "/v1/events") == 0) {
            continue;
        }
        const char *hole = strchr(route->path, '{');
        int head = hole != NULL ? (int)(hole - route->path) : (int)strlen(route->path);
        const char *rest = hole != NULL ? strchr(hole, '}') + 1 : "";
        bool of_sender = strcmp(route->path, "/v1/txs") == 0;
        bool by_height = hole != NULL && strncmp(hole, "{height}", 8) == 0;
        const char *value = by_height ? "1" : ZEROS;
        if (hole == NULL) {
            value = "";
        }
        (void)snprintf(path, sizeof path, "%.*s%s%s?limit=200%s%s%s", head, route->path, value, rest,
                       of_sender ? "&sender=" : "", of_sender ? sender : "", of_sender ? "&contract=nosuch" : "");
        int status = api_ask(&f, "GET", path, header, bytes_of(NULL, 0), &answer);
        if (status == 400) { /* it takes no limit */
            (void)snprintf(path, sizeof path, "%.*s%s%s", head, route->path, value, rest);
            (void)api_ask(&f, "GET", path, header, bytes_of(NULL, 0), &answer);
        }
        const struct http_budget most = http_server_most(f.server, HTTP_GET, route->path);
        if (most.bytes > route->budget.bytes || most.blocks > route->budget.blocks ||
            most.signatures > route->budget.signatures) {
            fail_msg("%s: %u bytes of %u, %u blocks of %u, %u signatures of %u", path, most.bytes, route->budget.bytes,
                     most.blocks, route->budget.blocks, most.signatures, route->budget.signatures);
        }
    }
    (void)snprintf(path, sizeof path, "/v1/txs?sender=%s&contract=nosuch&limit=200", sender);
    assert_int_equal(api_get(&f, path, &answer), 200);
    json_t *json = api_json(&answer);
    assert_int_equal(json_array_size(json_object_get(json, "txs")), 0);
    assert_true(json_is_string(json_object_get(json, "next_cursor")));
    json_decref(json);
    assert_int_equal(http_server_most(f.server, HTTP_GET, "/v1/txs").blocks, SENDER_BLOCKS);
}

/* What every GET route says about an argument that it does not know. */
static void unknown_arguments_are_refused_by_name(void **state) {
    (void)state;
    const struct router *router = &f.server->router;
    char header[AUTH_TOKEN_MAX + 64];
    f.member_org = "ops";
    token_of(OPS_ADMIN, header);
    for (size_t i = 0; i < router->count; i++) {
        char path[300] = "";
        if (router->routes[i].method != HTTP_GET) {
            continue;
        }
        for (const char *at = router->routes[i].path; *at != '\0';) { /* any value for the path's parameters */
            size_t len = strcspn(at, "{");
            (void)snprintf(path + strlen(path), sizeof path - strlen(path), "%.*s", (int)len, at);
            at += len;
            if (*at == '{') {
                (void)snprintf(path + strlen(path), sizeof path - strlen(path), "%s",
                               strncmp(at, "{height}", 8) == 0 ? "0" : ZEROS);
                at += strcspn(at, "}") + 1;
            }
        }
        (void)snprintf(path + strlen(path), sizeof path - strlen(path), "?bogus=1");
        if (api_ask(&f, "GET", path, header, bytes_of(NULL, 0), &answer) != 400 ||
            strcmp(api_code(&answer), "UNKNOWN_ARGUMENT") != 0 || strstr((char *)answer.all.data, "bogus") == NULL) {
            fail_msg("%s: %d %s", path, answer.status, api_code(&answer));
        }
    }
}

static void hostile_parameters_are_refused(void **state) {
    (void)state;
    api_blocks(&f, 1, 1);
    fails("/v1/blocks/-1", 400, "BAD_PARAMETER");
    fails("/v1/blocks/+1", 400, "BAD_PARAMETER");
    fails("/v1/blocks/1x", 400, "BAD_PARAMETER");
    fails("/v1/blocks/0x1", 400, "BAD_PARAMETER");
    fails("/v1/blocks/99999999999999999999", 400, "BAD_PARAMETER");
    fails("/v1/blocks/9999999999999999999", 404, "NOT_FOUND");
    fails("/v1/blocks/18446744073709551615/txs", 400, "BAD_PARAMETER");
    assert_int_equal(api_get(&f, "/v1/blocks?limit=0", &answer), 400);
    assert_int_equal(api_get(&f, "/v1/blocks?limit=201", &answer), 400);
    assert_int_equal(api_get(&f, "/v1/blocks?limit=-1", &answer), 400);
    assert_int_equal(api_get(&f, "/v1/blocks?before=1&before=2", &answer) != 500, true);
    assert_int_equal(api_get(&f, "/v1/blocks/1/txs?from=2049", &answer), 400);
    fails("/v1/txs/zz", 400, "BAD_PARAMETER");
    fails("/v1/txs/" ZEROS "00", 400, "BAD_PARAMETER");
    fails("/v1/txs", 400, "BAD_PARAMETER");
    fails("/v1/txs?sender=" ZEROS "&cursor=00", 400, "BAD_PARAMETER");
    fails("/v1/proof", 400, "BAD_PARAMETER");
    fails("/v1/proof?contract=device", 400, "BAD_PARAMETER");
    fails("/v1/proof?contract=device&key=0", 400, "BAD_PARAMETER");
    fails("/v1/proof?contract=device&key=zz", 400, "BAD_PARAMETER");
    fails("/v1/proof?contract=&key=00", 400, "BAD_PARAMETER");
    fails("/v1/proof?contract=" ZEROS "&key=00", 400, "BAD_PARAMETER");
    fails("/v1/proof?contract=device&key=00&format=xml", 400, "BAD_PARAMETER");
    fails("/v1/classes?class=acme.example", 400, "BAD_PARAMETER");
    fails("/v1/classes?class=/x", 400, "BAD_PARAMETER");
    fails("/v1/classes?class=x/", 400, "BAD_PARAMETER");
    fails("/v1/releases/latest", 400, "BAD_PARAMETER");
    fails("/v1/releases?after=00", 400, "BAD_PARAMETER");
    fails("/v1/updates?device=00", 400, "BAD_PARAMETER");
    assert_int_equal(api_get(&f, "/v1/updates?class=a/b&device=" ZEROS, &answer),
                     200); /* the device's, of that class */
    fails("/v1/txs?sender=" ZEROS "&contract=A", 400, "BAD_PARAMETER");
    fails("/v1/classes?class=a/b%09", 400, "BAD_PARAMETER");
    fails("/v1/updates/" ZEROS "?after=00", 400, "BAD_PARAMETER");
    fails("/v1/authors?after=00", 400, "BAD_PARAMETER");
    fails("/v1/events?types=nonsense", 400, "BAD_PARAMETER");
    fails("/v1/events?types=", 400, "BAD_PARAMETER");
    char path[3000];
    memset(path, 'a', sizeof path);
    memcpy(path, "/v1/orgs?after=", 15);
    path[1500] = '\0';
    fails(path, 400, "BAD_PARAMETER");                                 /* longer than any id */
    assert_int_equal(api_get(&f, "/v1/orgs?after=zzz", &answer), 200); /* a place behind every organisation: no fault */
    memcpy(path, "/v1/classes?class=", 18);
    path[1000] = '/';
    fails(path, 400, "BAD_PARAMETER");
}

/* ---- Pages ---------------------------------------------------------------------------------------------------------- */

/* Follows the cursor to the end; gives every item's id, in order. */
static size_t page_through(const char *base, const char *header, const char *list, const char *next,
                           const char *argument, const char *id, char (*out)[2 * HASH_LEN + 1], size_t max) {
    size_t count = 0;
    char path[400];
    (void)snprintf(path, sizeof path, "%s", base);
    for (int pages = 0; pages < 200; pages++) {
        assert_int_equal(api_ask(&f, "GET", path, header, bytes_of(NULL, 0), &answer), 200);
        json_t *json = api_json(&answer);
        json_t *items = json_object_get(json, list);
        size_t i;
        json_t *item;
        json_array_foreach(items, i, item) {
            json_t *value = json_object_get(item, id);
            assert_true(count < max);
            if (json_is_integer(value)) {
                (void)snprintf(out[count++], sizeof out[0], "%lld", (long long)json_integer_value(value));
            } else {
                (void)snprintf(out[count++], sizeof out[0], "%s", json_string_value(value));
            }
        }
        json_t *cursor = json_object_get(json, next);
        assert_non_null(cursor);
        bool more = !json_is_null(cursor);
        if (more && json_is_integer(cursor)) {
            (void)snprintf(path, sizeof path, "%s&%s=%lld", base, argument, (long long)json_integer_value(cursor));
        } else if (more) {
            (void)snprintf(path, sizeof path, "%s&%s=%s", base, argument, json_string_value(cursor));
        }
        json_decref(json);
        if (!more) {
            return count;
        }
    }
    fail_msg("%s does not end", base);
    return count;
}

static void cursors_page_through_everything_exactly_once(void **state) {
    (void)state;
    static const struct {
        const char *path, *list, *next, *argument, *id;
        size_t count;
    } cases[] = {{"/v1/blocks?", "blocks", "next_before", "before", "height", 6},
                 {"/v1/blocks/1/txs?", "txs", "next_from", "from", "index", 7},
                 {"/v1/orgs?", "orgs", "next_after", "after", "id", 3},
                 {"/v1/nodes?", "nodes", "next_after", "after", "key", 6},
                 {"/v1/validators?", "validators", "next_after", "after", "key", 4},
                 {"/v1/authors?", "authors", "next_after", "after", "id", 4},
                 {"/v1/classes?", "classes", "next_after", "after", "class_id", 2},
                 {"/v1/devices?", "devices", "next_after", "after", "id", 3 + 35}};
    char header[AUTH_TOKEN_MAX + 64], key[2 * ED25519_KEY_LEN + 1], path[300];
    static char ids[64][2 * HASH_LEN + 1];
    f.member_org = "ops";
    token_of(OPS_ADMIN, header);
    api_blocks(&f, 5, 7);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t limit = 1; limit <= 8; limit++) {
            (void)snprintf(path, sizeof path, "%slimit=%zu", cases[i].path, limit);
            size_t count =
                page_through(path, header, cases[i].list, cases[i].next, cases[i].argument, cases[i].id, ids, 64);
            if (count != cases[i].count) {
                fail_msg("%s gives %zu, not %zu", path, count, cases[i].count);
            }
            for (size_t a = 0; a < count; a++) {
                for (size_t b = 0; b < a; b++) {
                    assert_string_not_equal(ids[a], ids[b]);
                }
            }
        }
    }
    hex_encode(f.ledger.world.public_key[GATEWAY_1], ED25519_KEY_LEN, key);
    for (size_t limit = 1; limit <= 40; limit += 13) {
        (void)snprintf(path, sizeof path, "/v1/txs?sender=%s&limit=%zu", key, limit);
        assert_int_equal(page_through(path, "", "txs", "next_cursor", "cursor", "tx_id", ids, 64), 35);
        (void)snprintf(path, sizeof path, "/v1/txs?sender=%s&contract=update&limit=%zu", key, limit);
        assert_int_equal(page_through(path, "", "txs", "next_cursor", "cursor", "tx_id", ids, 64), 0);
    }
}

/* ---- Proofs ------------------------------------------------------------------------------------------------------------ */

static void a_proof_over_http_convinces_somebody_else(void **state) {
    (void)state;
    static struct fixture_proof proof;
    api_blocks(&f, 2, 3);
    assert_int_equal(api_get(&f, "/v1/proof?contract=device&key=00", &answer), 200);
    assert_int_equal(fixture_judge(&f.ledger, answer.body, &proof), GOOD);
    assert_false(proof.result.present);
    assert_int_equal(api_get(&f, "/v1/releases/latest?class=acme.example/thermostat&proof=1", &answer), 200);
    assert_int_equal(fixture_judge(&f.ledger, answer.body, &proof), GOOD);
    assert_string_equal(proof.result.contract, "firmware");
    assert_int_equal(api_get(&f, "/v1/proof?contract=device&key=00&format=json", &answer), 200);
    json_t *json = api_json(&answer);
    assert_string_equal(json_string_value(json_object_get(json, "verdict")), verdict_name(GOOD));
    json_decref(json);
}

/* ---- Transactions -------------------------------------------------------------------------------------------------------- */

static struct buffer envelope;

static void new_device(uint64_t expiry_ms) {
    buffer_reset(&envelope);
    fixture_register(&f.ledger, expiry_ms, &envelope);
}

static int post(const char *path) {
    return api_ask(&f, "POST", path, "", buffer_bytes(&envelope), &answer);
}

static void post_fails(int status, const char *code) {
    if (post("/v1/txs?wait=finalized&timeout_ms=5000") != status || strcmp(api_code(&answer), code) != 0) {
        fail_msg("%d %s instead of %d %s", answer.status, api_code(&answer), status, code);
    }
}

static uint64_t soon(void) {
    return clock_wall_ms() + 60000;
}

static void a_transaction_is_taken_made_final_and_found(void **state) {
    (void)state;
    new_device(soon());
    assert_int_equal(post("/v1/txs?wait=finalized&timeout_ms=5000"), 200);
    json_t *json = api_json(&answer);
    char path[200];
    (void)snprintf(path, sizeof path, "/v1/txs/%s", json_string_value(json_object_get(json, "tx_id")));
    assert_int_equal(json_integer_value(json_object_get(json, "height")), 1);
    json_t *result = json_object_get(json, "result");
    assert_int_equal(json_integer_value(json_object_get(result, "code")), CODE_OK);
    json_decref(json);
    assert_int_equal(api_get(&f, path, &answer), 200);
    json = api_json(&answer);
    assert_string_equal(json_string_value(json_object_get(json, "method")), "register");
    json_decref(json);
    post_fails(409, "TX_ALREADY_EXECUTED");
    new_device(soon());
    assert_int_equal(post("/v1/txs"), 202);
    new_device(soon());
    assert_int_equal(post("/v1/updates?wait=accepted"), 202);
}

static void every_refusal_of_a_transaction_has_its_name(void **state) {
    (void)state;
    buffer_reset(&envelope);
    post_fails(400, "TX_MALFORMED");
    buffer_put(&envelope, "nonsense", 8);
    post_fails(400, "TX_MALFORMED");
    new_device(soon());
    buffer_u8(&envelope, 0);
    post_fails(400, "TX_MALFORMED");
    new_device(soon());
    envelope.data[envelope.len - 1] ^= 1;
    post_fails(400, "BAD_SIGNATURE");
    f.ledger.world.chain_id[0] ^= 1;
    new_device(soon());
    f.ledger.world.chain_id[0] ^= 1;
    post_fails(400, "WRONG_CHAIN");
    new_device(1);
    post_fails(400, "TX_EXPIRED");
    new_device(clock_wall_ms() + f.ledger.world.genesis.params.tx_max_lifetime_ms + 60000);
    post_fails(400, "TX_EXPIRY_TOO_FAR");
    buffer_reset(&envelope);
    Assay__DeviceEndorse args;
    assay__device_endorse__init(&args);
    fixture_envelope(&f.ledger, "device", "endorse", &args.base, soon(), PEOPLE_OF(STRANGER), &envelope);
    post_fails(400, "UNKNOWN_SENDER");
    buffer_reset(&envelope);
    fixture_envelope(&f.ledger, "device", "explode", &args.base, soon(), PEOPLE_OF(GATEWAY_1), &envelope);
    post_fails(400, "UNKNOWN_METHOD");
    buffer_reset(&envelope);
    (void)buffer_extend(&envelope, LIMIT_TX_BYTES + 2000);
    assert_int_equal(post("/v1/txs"), 413);
    new_device(soon());
    assert_int_equal(post("/v1/txs?wait=never"), 400);
    assert_int_equal(post("/v1/txs?timeout_ms=0"), 400);
    assert_int_equal(post("/v1/txs?timeout_ms=60001"), 400);
    assert_int_equal(post("/v1/txs?timeout_ms=18446744073709551615"), 400);
    assert_int_equal(post("/v1/txs?bogus"), 400);
    f.admit_answer = ERR_FULL;
    post_fails(503, "MEMPOOL_FULL");
    f.admit_answer = ERR_DENIED;
    post_fails(429, "SENDER_SHARE_USED");
    f.admit_answer = OK;
    f.hold = true;
    assert_int_equal(post("/v1/txs?wait=finalized&timeout_ms=50"), 504);
    assert_string_equal(api_code(&answer), "NOT_FINAL_IN_TIME");
}

static void a_statement_must_fit_its_path(void **state) {
    (void)state;
    buffer_reset(&envelope);
    (void)buffer_extend(&envelope, STATEMENT_TX_BODY_LEN);
    memset(envelope.data, 0, envelope.len);
    assert_int_equal(post("/v1/updates/" ZEROS "/verify"), 400);
    assert_string_equal(api_code(&answer), "STATEMENT_INVALID");
    envelope.len--;
    assert_int_equal(post("/v1/updates/" ZEROS "/verify"), 400);
    envelope.len++;
    assert_int_equal(post("/v1/updates/zz/verify"), 400);
    assert_int_equal(post("/v1/updates/" ZEROS "/verify?x=1"), 400);
}

/* ---- Health and description --------------------------------------------------------------------------------------------------- */

static void health_says_what_is_wrong(void **state) {
    (void)state;
    struct status_facts facts = {.beat_mono_ms = clock_mono_ms() - 6000};
    status_board_write(&f.board, &facts);
    fails("/livez", 503, "NOT_ALIVE");
    fails("/healthz", 503, "NOT_ALIVE");
    facts.beat_mono_ms = clock_mono_ms() + 3600000;
    status_board_write(&f.board, &facts);
    facts.beat_mono_ms = clock_mono_ms();
    facts.catching_up = true;
    facts.best_height = 19;
    status_board_write(&f.board, &facts);
    assert_int_equal(api_get(&f, "/livez", &answer), 200);
    assert_int_equal(api_get(&f, "/healthz", &answer), 200); /* what any node lacks for a moment */
    facts.best_height = 20;
    status_board_write(&f.board, &facts);
    fails("/healthz", 503, "CATCHING_UP");
    facts.catching_up = false;
    facts.disk_low = true;
    status_board_write(&f.board, &facts);
    fails("/healthz", 503, "DISK_LOW");
    facts.disk_low = false;
    facts.vote_refused = true;
    status_board_write(&f.board, &facts);
    fails("/healthz", 503, "MAY_NOT_VOTE");
    facts.vote_refused = false;
    facts.oldest_pending_ms = 10001;
    status_board_write(&f.board, &facts);
    fails("/healthz", 503, "NO_PROGRESS");
    facts.oldest_pending_ms = 0;
    strcpy(facts.alarm, "CLOCK: differs");
    status_board_write(&f.board, &facts);
    fails("/healthz", 503, "ALARM");
    facts.alarm_is_mild = true;
    status_board_write(&f.board, &facts);
    assert_int_equal(api_get(&f, "/healthz", &answer), 200); /* it makes progress, and says what there is to say */
    assert_true(bytes_equal(answer.body, bytes_str("healthy; CLOCK: differs\n")));
}

static void status_says_how_far_the_last_block_is_ahead(void **state) {
    (void)state;
    struct status_facts facts = {.beat_mono_ms = clock_mono_ms(), .ahead_ms = 7200000, .due_stands_still = true};
    status_board_write(&f.board, &facts);
    assert_int_equal(api_get(&f, "/v1/status", &answer), 200);
    json_t *status = api_json(&answer);
    const json_t *clock = json_object_get(status, "clock");
    assert_int_equal(json_integer_value(json_object_get(clock, "ahead_ms")), 7200000);
    assert_true(json_is_true(json_object_get(clock, "due_stands_still")));
    assert_true(json_integer_value(json_object_get(clock, "time_ms")) > 1600000000000);
    json_decref(status);
}

/* Every reference of the description leads somewhere in it. */
static void follow_references(const json_t *root, const json_t *value) {
    static const char start[] = "#/components/";
    const char *reference = json_string_value(json_object_get(value, "$ref"));
    if (reference != NULL) {
        assert_memory_equal(reference, start, strlen(start));
        const char *slash = strchr(reference + strlen(start), '/');
        const json_t *components = json_object_get(root, "components");
        const json_t *those = strstr(reference, "/schemas/") != NULL ? json_object_get(components, "schemas")
                                                                     : json_object_get(components, "responses");
        if (!json_is_object(json_object_get(those, slash + 1))) {
            fail_msg("%s leads nowhere", reference);
        }
    }
    const char *name;
    json_t *member;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)value, name, member) {
        follow_references(root, member);
    }
    json_array_foreach(value, i, member) {
        follow_references(root, member);
    }
}

static void the_description_has_exactly_the_routes_that_exist(void **state) {
    (void)state;
    static const char *const names[] = {"get", "head", "post", "put", "delete"};
    const struct router *router = &f.server->router;
    assert_int_equal(api_get(&f, "/openapi.json", &answer), 200);
    json_t *json = api_json(&answer);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "openapi")), "3.1.0");
    json_t *paths = json_object_get(json, "paths");
    for (size_t i = 0; i < router->count; i++) {
        json_t *operation =
            json_object_get(json_object_get(paths, router->routes[i].path), names[router->routes[i].method]);
        if (operation == NULL) {
            fail_msg("%s is not described", router->routes[i].path);
        }
        json_t *parameters = json_object_get(operation, "parameters");
        size_t in_path = 0, holes = 0, p;
        json_t *parameter;
        json_array_foreach(parameters, p, parameter) {
            in_path += strcmp(json_string_value(json_object_get(parameter, "in")), "path") == 0;
        }
        for (const char *at = router->routes[i].path; *at != '\0'; at++) {
            holes += *at == '{';
        }
        assert_int_equal(in_path, holes);
        assert_non_null(json_object_get(operation, "responses"));
    }
    size_t described = 0;
    const char *path;
    json_t *item;
    json_object_foreach(paths, path, item) {
        described += json_object_size(item) - (json_object_get(item, "head") != NULL);
    }
    assert_int_equal(described, router->count);
    follow_references(json, json);
    json_decref(json);
}

static void a_pruned_body_has_a_name_and_its_header_stays(void **state) {
    (void)state;
    char id[2 * HASH_LEN + 1], path[128];
    api_blocks(&f, 60, 12); /* more than one segment of the fixture's log */
    assert_int_equal(api_get(&f, "/v1/blocks/1/txs", &answer), 200);
    json_t *json = api_json(&answer);
    const char *text = json_string_value(json_object_get(json_array_get(json_object_get(json, "txs"), 0), "tx_id"));
    assert_non_null(text);
    (void)snprintf(id, sizeof id, "%s", text);
    json_decref(json);
    assert_int_equal(seglog_discard_below(f.ledger.chain->log, chain_head(f.ledger.chain)->header.height), OK);
    assert_true(seglog_first(f.ledger.chain->log) > 1);
    fails("/v1/blocks/1/txs", 410, "PRUNED");
    (void)snprintf(path, sizeof path, "/v1/txs/%s", id);
    fails(path, 410, "PRUNED");
    fails("/v1/events?after=0", 410, "PRUNED");
    assert_int_equal(api_get(&f, "/v1/blocks/1", &answer), 200);
    assert_int_equal(api_get(&f, "/v1/blocks/latest/txs", &answer), 200);
}

/* ---- Local faults ------------------------------------------------------------------------------------------------ */

static int broken_table = -1; /* atomic: what is looked up in this table of the lower floor can't be read */

static enum err broken_get(void *ctx, void *snapshot, enum kv_table table, struct bytes key, struct bytes *out) {
    bool broken = __atomic_load_n(&broken_table, __ATOMIC_RELAXED) == (int)table;
    return broken ? ERR_CORRUPT : f.ledger.memory.ops->get(ctx, snapshot, table, key, out);
}

static enum err broken_seek(void *ctx, void *snapshot, enum kv_table table, struct bytes from, struct bytes *out_key,
                            struct bytes *out_value) {
    bool broken = __atomic_load_n(&broken_table, __ATOMIC_RELAXED) == (int)table;
    return broken ? ERR_CORRUPT : f.ledger.memory.ops->seek(ctx, snapshot, table, from, out_key, out_value);
}

static enum err broken_seek_back(void *ctx, void *snapshot, enum kv_table table, struct bytes from,
                                 struct bytes *out_key, struct bytes *out_value) {
    bool broken = __atomic_load_n(&broken_table, __ATOMIC_RELAXED) == (int)table;
    return broken ? ERR_CORRUPT : f.ledger.memory.ops->seek_back(ctx, snapshot, table, from, out_key, out_value);
}

static void what_cannot_be_read_is_told_and_never_left_out(void **state) {
    (void)state;
    char sender[2 * ED25519_KEY_LEN + 1], by_sender[200];
    const struct {
        enum kv_table table;
        const char *path;
    } cases[] = {{KV_BLOCKS, "/v1/blocks"},    {KV_BLOCKS, "/v1/blocks/1"},
                 {KV_TXS, "/v1/blocks/1/txs"}, {KV_SENDERS, by_sender},
                 {KV_TXS, by_sender},          {KV_STATE, "/v1/orgs"},
                 {KV_STATE, "/v1/nodes"},      {KV_STATE, "/v1/classes"},
                 {KV_STATE, "/v1/authors"},    {KV_STATE, "/v1/releases?class=acme.example/thermostat"},
                 {KV_STATE, "/v1/params"},     {KV_STATE, "/v1/status"}};
    hex_encode(f.ledger.world.public_key[GATEWAY_1], ED25519_KEY_LEN, sender);
    (void)snprintf(by_sender, sizeof by_sender, "/v1/txs?sender=%s", sender);
    api_blocks(&f, 3, 2);
    assert_int_equal(chain_checkpoint_now(f.ledger.chain), OK); /* so that it lies on the lower floor */
    f.ledger.kept_ops.get = broken_get;
    f.ledger.kept_ops.seek = broken_seek;
    f.ledger.kept_ops.seek_back = broken_seek_back;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(api_get(&f, cases[i].path, &answer), 200);
        __atomic_store_n(&broken_table, (int)cases[i].table, __ATOMIC_RELAXED);
        char fault[STATUS_FAULT_MAX];
        fails(cases[i].path, 500, "LOCAL_FAULT");
        assert_true(status_board_take_fault(&f.board, fault) && strstr(fault, "damaged") != NULL);
        assert_false(status_board_take_fault(&f.board, fault)); /* it is the operator's now */
        __atomic_store_n(&broken_table, -1, __ATOMIC_RELAXED);
    }
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_route_answers),
        CASE(no_route_costs_more_than_its_budget),
        CASE(unknown_arguments_are_refused_by_name),
        CASE(hostile_parameters_are_refused),
        CASE(cursors_page_through_everything_exactly_once),
        CASE(a_proof_over_http_convinces_somebody_else),
        CASE(a_transaction_is_taken_made_final_and_found),
        CASE(every_refusal_of_a_transaction_has_its_name),
        CASE(a_statement_must_fit_its_path),
        CASE(health_says_what_is_wrong),
        CASE(status_says_how_far_the_last_block_is_ahead),
        CASE(a_pruned_body_has_a_name_and_its_header_stays),
        CASE(what_cannot_be_read_is_told_and_never_left_out),
        CASE(the_description_has_exactly_the_routes_that_exist),
    };
    int failed = crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    buffer_free(&envelope);
    return failed;
}
