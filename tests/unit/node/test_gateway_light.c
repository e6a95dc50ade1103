/* The light client against full nodes that are honest, behind, lying, foreign, broken, or silent. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "node/cli/client.h"
#include "node/gateway/light.h"
#include "node/host_crypto.h"
#include "node/http/server.h"
#include "tests/unit/verify/proof_fixture.h"

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
    struct light *light;
};

static const struct span user_key = {(const uint8_t *)"latest/x", 8};

/* ---- Full nodes ------------------------------------------------------------------------------------------ */

static void get_proof(void *ctx, struct http_request *request) {
    static _Thread_local uint8_t raw[65536];
    struct node *node = ctx;
    const struct world *w = node->world;
    enum mood mood = node->mood;
    if (mood == SILENT) {
        assert_true(node->silenced_count < 16);
        node->silenced[node->silenced_count++] = http_defer(request, 60000, http_empty(503));
        return;
    }
    if (mood == ERROR_500) {
        http_respond(request, http_error(500, "BROKEN", "none", "broken"));
        return;
    }
    const struct fixture_set *sets[] = {mood == FOREIGN_KEYS ? &w->foreign : &w->set};
    const struct fixture_bundle b = {.chain = w->chain,
                                     .sets = sets,
                                     .height = node->height,
                                     .state = &w->state,
                                     .contract = "firmware",
                                     .user_key =
                                         mood == OTHER_KEY ? (struct span){(const uint8_t *)"latest/y", 8} : user_key};
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER; /* the fixture has memory of its own */
    (void)pthread_mutex_lock(&one_at_a_time);
    size_t len = fixture_bundle_make(&b, raw);
    (void)pthread_mutex_unlock(&one_at_a_time);
    if (mood == FORGED_VALUE) {
        for (size_t i = 0; i + 7 <= len; i++) {
            if (memcmp(raw + i, "value-1", 7) == 0) {
                raw[i + 6] = '9';
            }
        }
    }
    http_respond(request,
                 http_bytes(200, "application/octet-stream", bytes_of(raw, mood == TRUNCATED ? len / 2 : len)));
}

static void start_node(struct node *node, struct world *w) {
    struct http_config config;
    char why[200];
    http_config_default(&config);
    config.listen = "127.0.0.1:0";
    config.threads = 1;
    node->world = w;
    node->height = 10;
    assert_int_equal(http_server_new(&config, &node->server), OK);
    const struct http_route route = {.method = HTTP_GET, .path = "/v1/proof", .handler = get_proof, .ctx = node};
    assert_int_equal(http_server_route(node->server, &route), OK);
    assert_int_equal(http_server_start(node->server, why), OK);
    (void)snprintf(w->sources.url[w->sources.count++], CONFIG_URL_MAX, "http://%s", http_server_address(node->server));
}

static struct light *open_light(struct world *w) {
    const struct light_config config = {
        .genesis = &w->genesis, .sources = &w->sources, .state_file = w->state_file, .freshness_ms = 1000};
    struct light *light = NULL;
    assert_int_equal(light_new(&config, &light), OK);
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
    genesis_chain_id(&w->genesis, &host_crypto, w->chain);
    fixture_put(&w->state, "firmware", user_key, (struct span){(const uint8_t *)"value-1", 7});
    fixture_put(&w->state, "firmware", (struct span){(const uint8_t *)"latest/y", 8},
                (struct span){(const uint8_t *)"value-2", 7});
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
            (void)http_complete(node->silenced[k], http_empty(503));
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
    fixture_put(&w->state, "firmware", (struct span){(const uint8_t *)"latest/y", 8},
                (struct span){(const uint8_t *)"value-2", 7});
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
        assert_string_not_equal(status.sources[i].last_why, "");
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

static void an_old_head_raises_the_freeze_alarm(void **state) {
    struct world *w = *state;
    struct light_value value = LIGHT_VALUE_INIT;
    struct light_head head;
    light_head(w->light, &head);
    assert_true(head.frozen);
    assert_int_equal(ask(w, &value), OK);
    light_head(w->light, &head);
    assert_true(head.frozen); /* the fixture's blocks are of 1970 */
    uint64_t now = clock_wall_ms();
    w->nodes[0].height = (now - 1000000) / 1000; /* its block time is about now */
    light_value_free(&value);
    value = LIGHT_VALUE_INIT;
    assert_int_equal(ask(w, &value), OK);
    light_head(w->light, &head);
    assert_false(head.frozen);
    light_value_free(&value);
}

static void a_damaged_state_file_is_refused(void **state) {
    struct world *w = *state;
    struct light *light = NULL;
    FILE *f = fopen(w->state_file, "w");
    assert_non_null(f);
    assert_int_equal(fputs("not a state", f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
    const struct light_config config = {
        .genesis = &w->genesis, .sources = &w->sources, .state_file = w->state_file, .freshness_ms = 1000};
    assert_int_equal(light_new(&config, &light), ERR_CORRUPT);
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
        cmocka_unit_test_setup_teardown(an_old_head_raises_the_freeze_alarm, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_state_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(stopping_ends_a_question, setup, teardown),
    };
    if (crypto_start() != OK || client_start() != OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
