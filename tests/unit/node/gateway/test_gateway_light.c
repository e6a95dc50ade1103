/* The light client against full nodes that are honest, behind, lying, foreign, broken, or silent. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/why.h"
#include "node/fetch/client.h"
#include "node/gateway/light.h"
#include "node/host/host_crypto.h"
#include "node/http/server.h"
#include "tests/lib/proof_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SOURCES 3
#define VALIDATORS 4

enum mood { HONEST, FORGED_VALUE, FOREIGN_KEYS, OTHER_KEY, TRUNCATED, ERROR_500, SILENT };

/* One full node, as it chooses to answer. */
struct node {
    struct world *world;
    struct http_server *server;
    _Atomic enum mood mood;
    _Atomic uint64_t height;
    _Atomic uint16_t steps; /* epochs behind the genesis', the last one's validators being the foreign ones */
    struct http_deferred *silenced[16]; /* questions left open */
    size_t silenced_count;
};

struct world {
    struct genesis genesis;
    struct genesis_node members[VALIDATORS];
    struct fixture_set set, foreign;
    struct fixture_state state, other_state;
    uint8_t chain[CHAIN_ID_LEN];
    struct node nodes[SOURCES];
    struct config_sources sources;
    char state_file[128];
    uint64_t freshness_ms;
    const struct checkpoint *checkpoint;
    struct light *light;
};

static const struct bytes user_key = {(const uint8_t *)"latest/x", 8};
static const struct bytes params = {(const uint8_t *)"params", 6};

/* The record of the chain's parameters (contracts/governance/governance.h): a stamp, then the heartbeat and the rest. */
static void set_heartbeat(struct world *w, uint32_t heartbeat_ms) {
    uint8_t record[1 + 4 * 8 + 4 + 4 + 4 + 8 + 4 + 4 + 3 * 8] = {1};
    store_u32(record + 33, heartbeat_ms);
    fixture_put(&w->state, "governance", params, bytes_of(record, sizeof record));
}

/* ---- Full nodes ------------------------------------------------------------------------------------------ */

static void get_proof(void *ctx, struct http_request *request) {
    static _Thread_local uint8_t raw[65536];
    struct node *node = ctx;
    const struct world *w = node->world;
    enum mood mood = node->mood;
    if (mood == SILENT) {
        assert_true(node->silenced_count < 16);
        node->silenced[node->silenced_count++] = http_defer(request, 60000, http_static(503, NULL, bytes_of("", 0)));
        return;
    }
    if (mood == ERROR_500) {
        http_respond(request, http_error(500, "BROKEN", "none", "broken"));
        return;
    }
    const struct fixture_set *sets[] = {mood == FOREIGN_KEYS ? &w->foreign : &w->set, &w->foreign};
    const char *contract = http_query(request, "contract");
    bool about_params = strcmp(contract, "governance") == 0 && mood != OTHER_KEY;
    struct bytes asked = about_params ? params : user_key;
    const struct fixture_bundle b = {.chain = w->chain,
                                     .sets = sets,
                                     .steps = node->steps,
                                     .height = node->height,
                                     .state = &w->state,
                                     .contract = about_params ? "governance" : "firmware",
                                     .user_key = mood == OTHER_KEY ? bytes_of("latest/y", 8) : asked};
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER; /* the fixture has memory of its own */
    (void)pthread_mutex_lock(&one_at_a_time);
    size_t len = fixture_bundle_make(&b, raw);
    (void)pthread_mutex_unlock(&one_at_a_time);
    const struct fixture_value *value = fixture_find(&w->state, b.contract, b.user_key);
    for (size_t i = 0; mood == FORGED_VALUE && i + value->value_len <= len; i++) {
        if (memcmp(raw + i, value->value, value->value_len) == 0) {
            raw[i + value->value_len - 1] ^= 1;
        }
    }
    http_respond(request,
                 http_bytes(200, "application/octet-stream", bytes_of(raw, mood == TRUNCATED ? len / 2 : len)));
}

static void start_node(struct node *node, struct world *w) {
    struct http_config config;
    struct why why = WHY_NONE;
    http_config_default(&config);
    config.listen = "127.0.0.1:0";
    config.threads = 1;
    node->world = w;
    node->height = 10;
    assert_int_equal(http_server_new(&config, &node->server), OK);
    const struct http_route route = {.method = HTTP_GET, .path = "/v1/proof", .handler = get_proof, .ctx = node};
    assert_int_equal(http_server_route(node->server, &route), OK);
    assert_int_equal(http_server_start(node->server, &why), OK);
    (void)snprintf(w->sources.url[w->sources.count++], CONFIG_URL_MAX, "http://%s", http_server_address(node->server));
}

static enum err try_light(struct world *w, struct light **out) {
    const struct light_config config = {.genesis = &w->genesis,
                                        .sources = &w->sources,
                                        .state_file = w->state_file,
                                        .freshness_ms = w->freshness_ms,
                                        .checkpoint = w->checkpoint};
    return light_new(&config, out);
}

static struct light *open_light(struct world *w) {
    struct light *light = NULL;
    assert_int_equal(try_light(w, &light), OK);
    return light;
}

static int setup(void **out) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    fixture_set_make(&w->set, 1, VALIDATORS);
    fixture_set_make(&w->foreign, 2, VALIDATORS);
    for (size_t i = 0; i < VALIDATORS; i++) {
        memcpy(w->members[i].key, w->set.keys[i], KEY_LEN);
        w->members[i].role = NODE_VALIDATOR;
    }
    w->genesis.nodes = w->members;
    w->genesis.node_count = VALIDATORS;
    (void)snprintf(w->genesis.name, sizeof w->genesis.name, "test");
    w->genesis.time_ms = clock_wall_ms();
    w->freshness_ms = 1000;
    genesis_chain_id(&w->genesis, &host_crypto, w->chain);
    set_heartbeat(w, 0); /* the fixture's blocks are of 1970 */
    fixture_put(&w->state, "firmware", user_key, bytes_of("value-1", 7));
    fixture_put(&w->state, "firmware", bytes_of("latest/y", 8), bytes_of("value-2", 7));
    (void)snprintf(w->state_file, sizeof w->state_file, "/tmp/assay-light-%ld", (long)getpid());
    (void)unlink(w->state_file);
    for (size_t i = 0; i < SOURCES; i++) {
        start_node(&w->nodes[i], w);
    }
    w->light = open_light(w);
    *out = w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    for (size_t i = 0; i < SOURCES; i++) {
        struct node *node = &w->nodes[i];
        http_server_stop(node->server);
        for (size_t k = 0; k < node->silenced_count; k++) {
            (void)http_complete(node->silenced[k], http_static(503, NULL, bytes_of("", 0)));
        }
        http_server_free(node->server);
    }
    light_free(w->light);
    (void)unlink(w->state_file);
    free(w);
    return 0;
}

static enum err ask(struct world *w, struct light_value *out) {
    return light_get(w->light, "firmware", bytes_of(user_key.data, user_key.len), out);
}

static void set_moods(struct world *w, enum mood a, enum mood b, enum mood c) {
    w->nodes[0].mood = a;
    w->nodes[1].mood = b;
    w->nodes[2].mood = c;
}

/* ---- Cases ----------------------------------------------------------------------------------------------- */

static void a_proven_value_is_given_with_its_proof(void **state) {
    struct world *w = *state;
    struct light_value value = LIGHT_VALUE_INIT;
    assert_int_equal(ask(w, &value), OK);
    assert_true(value.present);
    assert_int_equal(value.value.len, 7);
    assert_memory_equal(value.value.data, "value-1", 7);
    assert_int_equal(value.height, 10);
    assert_true(value.bundle.len > 100);
    light_value_free(&value);
}

static void absence_is_proven_too(void **state) {
    struct world *w = *state;
    struct light_value value = LIGHT_VALUE_INIT;
    w->state.count = 0;
    set_heartbeat(w, 0);
    fixture_put(&w->state, "firmware", bytes_of("latest/y", 8), bytes_of("value-2", 7));
    assert_int_equal(ask(w, &value), OK);
    assert_false(value.present);
    assert_int_equal(value.value.len, 0);
    light_value_free(&value);
}

static void the_newest_head_wins_over_frozen_sources(void **state) {
    struct world *w = *state;
    struct light_value value = LIGHT_VALUE_INIT;
    w->nodes[2].height = 99;
    assert_int_equal(ask(w, &value), OK);
    assert_int_equal(value.height, 99);
    light_value_free(&value);
}

static void one_honest_source_is_enough(void **state) {
    static const enum mood lies[] = {FORGED_VALUE, FOREIGN_KEYS, OTHER_KEY, TRUNCATED};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct light_value value = LIGHT_VALUE_INIT;
        struct light_status status;
        set_moods(w, lies[i], HONEST, lies[i]);
        w->nodes[0].height = w->nodes[2].height = 1000; /* tempting */
        assert_int_equal(ask(w, &value), OK);
        assert_int_equal(value.height, 10);
        assert_memory_equal(value.value.data, "value-1", 7);
        light_status(w->light, &status);
        assert_int_equal(status.sources[1].lies, 0);
        assert_true(status.sources[0].lies + status.sources[2].lies > 0);
        assert_int_equal(status.head.height, 10);
        light_value_free(&value);
    }
}

static void lies_alone_give_nothing(void **state) {
    struct world *w = *state;
    struct light_value value = LIGHT_VALUE_INIT;
    struct light_status status;
    set_moods(w, FORGED_VALUE, FOREIGN_KEYS, TRUNCATED);
    assert_int_equal(ask(w, &value), ERR_NETWORK);
    light_status(w->light, &status);
    assert_int_equal(status.head.height, 0);
    for (size_t i = 0; i < SOURCES; i++) {
        assert_int_equal(status.sources[i].lies, 1);
        assert_string_not_equal(status.sources[i].last_why.text, "");
    }
    set_moods(w, ERROR_500, ERROR_500, ERROR_500);
    assert_int_equal(ask(w, &value), ERR_NETWORK);
    light_status(w->light, &status);
    assert_int_equal(status.sources[0].failures, 1);
    assert_int_equal(status.sources[0].lies, 1);
}

static void a_silent_source_costs_a_grace_and_then_nothing(void **state) {
    struct world *w = *state;
    bool nothing = false;
    assert_int_equal(light_refresh(w->light), OK);
    set_moods(w, SILENT, HONEST, HONEST);
    /* The first four cost a grace each; of those after them a busy machine may spoil some, a mistake all. */
    for (int i = 0; i < 12 && !nothing; i++) {
        struct light_value value = LIGHT_VALUE_INIT;
        uint64_t start = clock_mono_ms();
        assert_int_equal(ask(w, &value), OK);
        uint64_t took = clock_mono_ms() - start;
        assert_true(took < LIGHT_CALL_TIMEOUT_MS);
        nothing |= i >= 4 && took < LIGHT_GRACE_MS / 2;
        light_value_free(&value);
    }
    assert_true(nothing);
}

static void height_never_falls_also_across_a_restart(void **state) {
    struct world *w = *state;
    struct light_value value = LIGHT_VALUE_INIT;
    struct light_status status;
    w->nodes[0].height = w->nodes[1].height = w->nodes[2].height = 50;
    assert_int_equal(ask(w, &value), OK);
    light_value_free(&value);
    light_free(w->light);
    w->light = open_light(w);
    w->nodes[0].height = w->nodes[1].height = w->nodes[2].height = 49; /* everything restored from an old copy */
    value = LIGHT_VALUE_INIT;
    assert_int_equal(ask(w, &value), ERR_NETWORK);
    light_status(w->light, &status);
    assert_int_equal(status.head.height, 50);
    assert_int_equal(status.sources[0].lies, 0);
    assert_int_equal(status.sources[0].failures, 1);
}

/* ---- Ages ------------------------------------------------------------------------------------------------ */

/* The height whose block time is `age_ms` ago, to the second. */
static uint64_t height_of_age(uint64_t age_ms) {
    return (clock_wall_ms() - age_ms - 1000000) / 1000;
}

static void set_heights(struct world *w, uint64_t height) {
    for (size_t i = 0; i < SOURCES; i++) {
        w->nodes[i].height = height;
    }
}

static enum err ask_once(struct world *w) {
    struct light_value value = LIGHT_VALUE_INIT;
    enum err e = ask(w, &value);
    light_value_free(&value);
    return e;
}

static void nothing_is_answered_before_a_head_was_proven(void **state) {
    struct world *w = *state;
    struct light_head head;
    light_head(w->light, &head);
    assert_true(head.frozen);
    assert_int_equal(head.verdict, BAD_ABSENT);
    assert_int_equal(light_refresh(w->light), OK);
    light_head(w->light, &head);
    assert_false(head.frozen);
}

static void a_head_older_than_the_limit_is_refused_and_a_fresh_one_ends_it(void **state) {
    struct world *w = *state;
    struct light_status status;
    struct why why;
    set_heartbeat(w, 10000);
    set_heights(w, height_of_age(33000)); /* more than 3 heartbeats */
    assert_int_equal(ask_once(w), ERR_NETWORK);
    light_status(w->light, &status);
    assert_int_equal(status.head.height, 0);
    assert_int_equal(status.sources[0].lies, 0);
    assert_string_equal(status.sources[0].last_why.text, verdict_text(BAD_STALE));
    set_heights(w, height_of_age(15000));
    assert_int_equal(ask_once(w), OK);
    light_status(w->light, &status);
    assert_false(status.head.frozen);
    assert_int_equal(status.limit_ms, 30000);
    assert_string_equal(status.sources[0].last_why.text, "");
    light_explain(&status, &why);
    assert_string_equal(why.text, "");
}

/* A source that is stuck holds nobody back, and is told of. */
static void one_fresh_source_is_enough(void **state) {
    struct world *w = *state;
    struct light_status status;
    set_heartbeat(w, 10000);
    set_heights(w, height_of_age(3600000));
    w->nodes[1].height = height_of_age(2000);
    assert_int_equal(ask_once(w), OK);
    light_status(w->light, &status);
    assert_int_equal(status.head.height, w->nodes[1].height);
    assert_true(status.sources[0].failures + status.sources[2].failures > 0);
}

static void a_longer_configured_limit_counts(void **state) {
    struct world *w = *state;
    struct light_status status;
    light_free(w->light);
    w->freshness_ms = 100000;
    w->light = open_light(w);
    set_heartbeat(w, 10000);
    set_heights(w, height_of_age(103000));
    assert_int_equal(ask_once(w), ERR_NETWORK);
    set_heights(w, height_of_age(80000));
    assert_int_equal(ask_once(w), OK);
    light_status(w->light, &status);
    assert_int_equal(status.limit_ms, 100000);
}

/* The heartbeat is a parameter that organisations vote on: what counts is the ledger's own record of it. */
static void the_limit_follows_the_heartbeat_that_the_ledger_proves(void **state) {
    struct world *w = *state;
    struct light_status status;
    set_heartbeat(w, 10000);
    set_heights(w, height_of_age(20000));
    assert_int_equal(ask_once(w), OK);
    set_heartbeat(w, 60000); /* voted up: the next block may be a minute away */
    set_heights(w, height_of_age(0));
    assert_int_equal(light_refresh(w->light), OK);
    light_status(w->light, &status);
    assert_int_equal(status.heartbeat_ms, 60000);
    assert_int_equal(status.limit_ms, 180000);
    set_heartbeat(w, 0); /* voted away: no block is due, so none is late */
    set_heights(w, height_of_age(0) + 1);
    assert_int_equal(light_refresh(w->light), OK);
    light_status(w->light, &status);
    assert_int_equal(status.limit_ms, 0);
    assert_false(status.head.frozen);
    set_heartbeat(w, 500);
    set_heights(w, height_of_age(0) + 2);
    assert_int_equal(light_refresh(w->light), OK);
    light_status(w->light, &status);
    assert_int_equal(status.limit_ms, 1500);
}

/* Alone, it is no reason to believe in a chain that rests: only its own record says so. */
static void without_a_heartbeat_nothing_is_too_old(void **state) {
    struct world *w = *state;
    struct light_status status;
    assert_int_equal(ask_once(w), OK); /* a block of 1970 */
    light_status(w->light, &status);
    assert_false(status.head.frozen);
    assert_true(status.heartbeat_known);
    assert_int_equal(status.limit_ms, 0);
}

static void a_record_of_parameters_that_is_none_is_no_heartbeat(void **state) {
    struct world *w = *state;
    struct light_status status;
    fixture_put(&w->state, "governance", params, bytes_of("?", 1));
    assert_int_equal(ask_once(w), ERR_NETWORK);
    light_status(w->light, &status);
    assert_false(status.heartbeat_known);
}

/* ---- Where trust starts ---------------------------------------------------------------------------------- */

/* Moves the genesis; what is under the old chain id is no longer this chain's. */
static void found_at(struct world *w, uint64_t time_ms) {
    light_free(w->light);
    w->light = NULL;
    (void)unlink(w->state_file);
    w->genesis.time_ms = time_ms;
    genesis_chain_id(&w->genesis, &host_crypto, w->chain);
}

/* A checkpoint of the block that the nodes have at this height, in epoch `steps`. */
static struct checkpoint checkpoint_at(const struct world *w, uint64_t height, uint16_t steps) {
    const struct fixture_set *set = steps == 0 ? &w->set : &w->foreign;
    uint8_t raw[BLOCK_HEADER_LEN];
    struct checkpoint c = {.header = fixture_header(w->chain, height, steps, &w->state, set, set),
                           .validators = fixture_validators(set)};
    (void)fixture_put_header(&c.header, raw, c.hash);
    return c;
}

static void a_genesis_before_the_trusting_period_needs_a_checkpoint(void **state) {
    struct world *w = *state;
    struct light *light = NULL;
    found_at(w, clock_wall_ms() - FRESHNESS_TRUSTING_MS + 60000);
    assert_int_equal(try_light(w, &light), OK);
    light_free(light);
    found_at(w, clock_wall_ms() - FRESHNESS_TRUSTING_MS - 1);
    assert_int_equal(try_light(w, &light), ERR_DENIED);
    struct checkpoint c = checkpoint_at(w, height_of_age(FRESHNESS_TRUSTING_MS + 5000), 0);
    w->checkpoint = &c; /* as old as the genesis */
    assert_int_equal(try_light(w, &light), ERR_DENIED);
    c = checkpoint_at(w, height_of_age(3600000), 0);
    w->light = open_light(w);
    set_heights(w, height_of_age(1000));
    assert_int_equal(ask_once(w), OK);
    struct light_status status;
    light_status(w->light, &status);
    assert_int_equal(status.origin, LIGHT_FROM_HEAD);
    w->checkpoint = NULL; /* what was accepted last is enough now */
    light_free(w->light);
    w->light = open_light(w);
    light_status(w->light, &status);
    assert_int_equal(status.origin, LIGHT_FROM_HEAD);
}

/* Long offline: the validators of then have sold their keys, and sign a fresh head. */
static void keys_that_left_are_not_believed_behind_a_checkpoint(void **state) {
    struct world *w = *state;
    struct light_status status;
    struct checkpoint c = checkpoint_at(w, height_of_age(3600000), 1);
    found_at(w, clock_wall_ms() - FRESHNESS_TRUSTING_MS - 1);
    c = checkpoint_at(w, height_of_age(3600000), 1);
    w->checkpoint = &c;
    w->light = open_light(w);
    set_heights(w, height_of_age(1000)); /* of epoch 0: by the set that left */
    assert_int_equal(ask_once(w), ERR_NETWORK);
    light_status(w->light, &status);
    assert_int_equal(status.head.height, c.header.height);
    for (size_t i = 0; i < SOURCES; i++) {
        w->nodes[i].steps = 1;
    }
    assert_int_equal(ask_once(w), OK);
    light_status(w->light, &status);
    assert_int_equal(status.head.height, w->nodes[0].height);
}

static void a_checkpoint_that_does_not_fit_is_refused(void **state) {
    struct world *w = *state;
    struct light *light = NULL;
    set_heights(w, 50);
    assert_int_equal(ask_once(w), OK);
    light_free(w->light);
    w->light = NULL;
    struct checkpoint c = checkpoint_at(w, 60, 0);
    w->checkpoint = &c;
    c.header.chain_id[0] ^= 1;
    assert_int_equal(try_light(w, &light), ERR_MISMATCH);
    c = checkpoint_at(w, 40, 1); /* a later epoch, below what was accepted in epoch 0 */
    assert_int_equal(try_light(w, &light), ERR_INVALID);
    c = checkpoint_at(w, 60, 0);
    c.validators = fixture_validators(&w->foreign);
    assert_int_equal(try_light(w, &light), ERR_INVALID);
    c = checkpoint_at(w, 60, 1);
    assert_int_equal(try_light(w, &light), OK);
    light_free(light);
}

static void another_block_at_the_checkpoints_height_is_a_lie(void **state) {
    struct world *w = *state;
    struct light_status status;
    struct checkpoint c = checkpoint_at(w, 60, 0);
    light_free(w->light);
    w->checkpoint = &c;
    w->light = open_light(w);
    set_heights(w, 60);
    assert_int_equal(ask_once(w), OK);
    set_heartbeat(w, 7); /* another state, so another block */
    set_heights(w, 60);
    light_free(w->light);
    w->light = open_light(w);
    assert_int_equal(ask_once(w), ERR_NETWORK);
    light_status(w->light, &status);
    assert_int_equal(status.sources[0].lies, 1);
    assert_string_equal(status.sources[0].last_why.text, verdict_text(BAD_PIN));
}

static void a_damaged_state_file_is_refused(void **state) {
    struct world *w = *state;
    struct light *light = NULL;
    FILE *f = fopen(w->state_file, "w");
    assert_non_null(f);
    assert_int_equal(fputs("not a state", f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(try_light(w, &light), ERR_CORRUPT);
}

static void stopping_ends_a_question(void **state) {
    struct world *w = *state;
    struct light_value value = LIGHT_VALUE_INIT;
    light_stop(w->light);
    assert_int_equal(ask(w, &value), ERR_CLOSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_proven_value_is_given_with_its_proof, setup, teardown),
        cmocka_unit_test_setup_teardown(absence_is_proven_too, setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_head_wins_over_frozen_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(one_honest_source_is_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(lies_alone_give_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_source_costs_a_grace_and_then_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(height_never_falls_also_across_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_answered_before_a_head_was_proven, setup, teardown),
        cmocka_unit_test_setup_teardown(a_head_older_than_the_limit_is_refused_and_a_fresh_one_ends_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_fresh_source_is_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(a_longer_configured_limit_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(the_limit_follows_the_heartbeat_that_the_ledger_proves, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_heartbeat_nothing_is_too_old, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_of_parameters_that_is_none_is_no_heartbeat, setup, teardown),
        cmocka_unit_test_setup_teardown(a_genesis_before_the_trusting_period_needs_a_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_that_left_are_not_believed_behind_a_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(a_checkpoint_that_does_not_fit_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(another_block_at_the_checkpoints_height_is_a_lie, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_state_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(stopping_ends_a_question, setup, teardown),
    };
    if (crypto_start() != OK || client_start() != OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
