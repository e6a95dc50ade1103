/* Snapshots: sources that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/joining.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ROOTS_AT (4 + 1 + CHAIN_ID_LEN + 8 + HASH_LEN + 1) /* in a manifest */
#define ROOT_ENTRY (HASH_LEN + 4)

static void several_sources_share_the_work_and_a_liar_is_dropped(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    joining_open_all(&f, 20, 8);
    for (size_t i = 0; i < JOINING_SOURCES; i++) {
        joining_make(&f, i);
    }
    for (unsigned chunk = 0; joining_spoil_chunk(&f, 0, chunk);) {
        chunk++;
    }
    for (size_t i = 0; i < JOINING_SOURCES; i++) {
        joining_serve(&f, i);
    }
    joining_succeeds(&f, JOINING_SOURCES, &report);
    assert_int_equal(f.refused, 1);
    joining_is_as_good(&f, 20, 1);
    joining_close_all(&f);
}

static void who_sends_another_manifest_than_it_lists_is_dropped(void **state) {
    (void)state;
    static const size_t places[] = {0, ROOTS_AT + 3}; /* it can't be read, or is of another content */
    for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
        struct joining f;
        struct snapshot_join_report report;
        joining_open_all(&f, 8, 5);
        for (size_t i = 0; i < JOINING_SOURCES; i++) {
            joining_make(&f, i);
            joining_serve(&f, i);
        }
        joining_spoil(&f, 0, "manifest", places[k]);
        joining_succeeds(&f, JOINING_SOURCES, &report);
        assert_int_equal(f.refused, 1);
        joining_is_as_good(&f, 8, 1);
        joining_close_all(&f);
    }
}

static void nothing_is_taken_from_liars_alone(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    char path[CONFIG_PATH_MAX];
    joining_open_all(&f, 8, 5);
    joining_make(&f, 0);
    joining_spoil(&f, 0, "0", 40);
    joining_serve(&f, 0);
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_NOTFOUND);
    assert_int_equal(f.refused, 1);
    assert_int_equal(home_path(&f.home, "state", path), OK);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(home_path(&f.home, "join/chunks/0", path), OK);
    assert_int_not_equal(access(path, F_OK), 0);
    joining_close_all(&f);
}

/* The bundle, too: whatever byte of a manifest is changed, it is refused or is another snapshot's. */
static void every_flipped_byte_of_a_manifest_is_refused(void **state) {
    (void)state;
    struct joining f;
    struct why why = WHY_NONE;
    char path[300];
    struct buffer bytes = BUFFER_INIT;
    struct snapshot_manifest manifest;
    struct block_header header;
    uint8_t content[HASH_LEN];
    joining_open_all(&f, 3, 2);
    joining_make(&f, 0);
    (void)snprintf(path, sizeof path, "%s/%llu/manifest", f.dir[0], (unsigned long long)f.pin.pin.height);
    assert_int_equal(file_read(path, SNAPSHOT_MANIFEST_MAX, &bytes), OK);
    assert_int_equal(snapshot_manifest_decode(&host_crypto, buffer_bytes(&bytes), &manifest), OK);
    assert_int_equal(snapshot_verify(&host_crypto, &f.home.genesis, &manifest, &header, &why), OK);
    memcpy(content, manifest.content, HASH_LEN);
    snapshot_manifest_free(&manifest);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.data[i] ^= (uint8_t)(1u << i % 8);
        if (snapshot_manifest_decode(&host_crypto, buffer_bytes(&bytes), &manifest) == OK) {
            bool same = memcmp(manifest.content, content, HASH_LEN) == 0;
            bool root = i >= ROOTS_AT && (i - ROOTS_AT) / ROOT_ENTRY < 1u << manifest.bits &&
                        (i - ROOTS_AT) % ROOT_ENTRY < HASH_LEN;
            enum err e = snapshot_verify(&host_crypto, &f.home.genesis, &manifest, &header, &why);
            assert_true((!same && !root) || e == ERR_INVALID);
            snapshot_manifest_free(&manifest);
        }
        bytes.data[i] ^= (uint8_t)(1u << i % 8);
    }
    buffer_free(&bytes);
    joining_close_all(&f);
}

static void every_flipped_byte_of_a_body_chunk_is_refused(void **state) {
    (void)state;
    struct joining f;
    char path[300];
    struct buffer encoded = BUFFER_INIT, chunk = BUFFER_INIT;
    struct snapshot_manifest m;
    joining_open_all(&f, 3, 2);
    joining_make(&f, 0);
    (void)snprintf(path, sizeof path, "%s/%llu/manifest", f.dir[0], (unsigned long long)f.pin.pin.height);
    assert_int_equal(file_read(path, SNAPSHOT_MANIFEST_MAX, &encoded), OK);
    assert_int_equal(snapshot_manifest_decode(&host_crypto, buffer_bytes(&encoded), &m), OK);
    (void)snprintf(path, sizeof path, "%s/%llu/%u", f.dir[0], (unsigned long long)f.pin.pin.height, 1u << m.bits);
    assert_int_equal(file_read(path, SNAPSHOT_CHUNK_MAX, &chunk), OK);
    assert_int_equal(snapshot_bodies_read(&m, 0, buffer_bytes(&chunk), NULL, NULL), OK);
    for (size_t i = 0; i < chunk.len; i++) {
        chunk.data[i] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(snapshot_bodies_read(&m, 0, buffer_bytes(&chunk), NULL, NULL), ERR_MISMATCH);
        chunk.data[i] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < chunk.len; len++) {
        assert_int_equal(snapshot_bodies_read(&m, 0, bytes_of(chunk.data, len), NULL, NULL), ERR_MISMATCH);
    }
    snapshot_manifest_free(&m);
    buffer_free(&encoded);
    buffer_free(&chunk);
    joining_close_all(&f);
}

/* Every body chunk of this manifest is what its own hash allows, and yet two do not belong together. */
static void a_manifest_that_lies_about_its_bodies_is_found_out(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    char path[300], chunk[300];
    struct buffer encoded = BUFFER_INIT, again = BUFFER_INIT, bytes = BUFFER_INIT;
    struct snapshot_manifest m;
    joining_open_all(&f, 20, 8);
    joining_make(&f, 0);
    (void)snprintf(path, sizeof path, "%s/%llu/manifest", f.dir[0], (unsigned long long)f.pin.pin.height);
    assert_int_equal(file_read(path, SNAPSHOT_MANIFEST_MAX, &encoded), OK);
    assert_int_equal(snapshot_manifest_decode(&host_crypto, buffer_bytes(&encoded), &m), OK);
    assert_true(m.body_count > 2);
    m.bodies[0].last_hash[0] ^= 1;
    (void)snprintf(chunk, sizeof chunk, "%s/%llu/%u", f.dir[0], (unsigned long long)f.pin.pin.height,
                   (1u << m.bits) + 1);
    assert_int_equal(file_read(chunk, SNAPSHOT_CHUNK_MAX, &bytes), OK);
    assert_int_equal(snapshot_bodies_read(&m, 1, buffer_bytes(&bytes), NULL, NULL), ERR_INVALID);
    buffer_free(&bytes);
    assert_int_equal(snapshot_manifest_encode(&host_crypto, &m, &again), OK);
    joining_write_bytes(path, buffer_bytes(&again));
    snapshot_manifest_free(&m);
    joining_serve(&f, 0);
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_NOTFOUND);
    assert_int_equal(f.refused, 1);
    joining_make(&f, 1); /* an honest one beside it */
    joining_serve(&f, 1);
    joining_succeeds(&f, 2, &report);
    joining_is_as_good(&f, 20, 1);
    buffer_free(&encoded);
    buffer_free(&again);
    joining_close_all(&f);
}

/* Lists a snapshot of somebody else's, as if it were far higher. */
static char false_list[400];

static void list_falsely(void *ctx, struct http_request *request) {
    (void)ctx;
    http_respond(request, http_bytes(200, "application/json", bytes_str(false_list)));
}

static void serve_false_list(struct joining *f, size_t i, size_t of, uint64_t height) {
    static const struct http_route route = {.method = HTTP_GET, .path = "/v1/snapshots", .handler = list_falsely};
    struct buffer encoded = BUFFER_INIT;
    struct snapshot_manifest m;
    struct http_config settings;
    char path[300], content[2 * HASH_LEN + 1];
    struct why why = WHY_NONE;
    (void)snprintf(path, sizeof path, "%s/%llu/manifest", f->dir[of], (unsigned long long)height);
    assert_int_equal(file_read(path, SNAPSHOT_MANIFEST_MAX, &encoded), OK);
    assert_int_equal(snapshot_manifest_decode(&host_crypto, buffer_bytes(&encoded), &m), OK);
    hex_encode(m.content, HASH_LEN, content);
    (void)snprintf(false_list, sizeof false_list,
                   "{\"height\":1,\"time_ms\":1,\"making\":false,\"snapshots\":[{\"height\":%llu,\"time_ms\":%llu,"
                   "\"hash\":\"%s\",\"content\":\"%s\",\"bytes\":1,\"manifest_bytes\":1,\"chunks\":1}]}",
                   (unsigned long long)height + 1000000000, (unsigned long long)clock_wall_ms(), content, content);
    snapshot_manifest_free(&m);
    buffer_free(&encoded);
    http_config_default(&settings);
    settings.listen = "127.0.0.1:0";
    assert_int_equal(http_server_new(&settings, &f->server[i]), OK);
    assert_int_equal(http_server_route(f->server[i], &route), OK);
    assert_int_equal(http_server_start(f->server[i], &why), OK);
    (void)snprintf(f->url[i], sizeof f->url[i], "http://%s", http_server_address(f->server[i]));
    f->urls[i] = f->url[i];
}

static void a_false_list_takes_no_node_back_below_its_own_blocks(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report = {0};
    struct why why = WHY_NONE;
    joining_open_all(&f, 10, 2);
    joining_make(&f, 0);
    joining_blocks(&f, 5, 1);
    joining_make(&f, 1);
    joining_serve(&f, 1);
    f.urls[0] = f.url[1];
    joining_succeeds(&f, 1, &report);
    assert_int_equal(report.height, 15);
    joining_stop_serving(&f, 1);
    joining_serve(&f, 0);
    serve_false_list(&f, 1, 0, 10);
    assert_int_equal(joining_join(&f, 2, &report, &why), OK);
    assert_false(report.joined);
    assert_int_equal(f.refused, 1); /* and not the one that has it */
    struct home_chain store;
    assert_int_equal(home_chain_open(&f.home, NULL, &store, &why), OK);
    assert_int_equal(chain_head(store.chain)->header.height, 15);
    home_chain_close(&store);
    joining_close_all(&f);
}

/* Everything in it is proven, and yet whoever believed it would not know which ids are used up. */
static void a_snapshot_whose_bodies_do_not_reach_back_far_enough_is_refused(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    joining_open_all(&f, 20, 8);
    joining_make(&f, 1); /* an honest one, of a lower height */
    struct checkpoint_file honest = f.pin;
    joining_blocks(&f, 3, 8);
    joining_make(&f, 0);
    joining_shorten(&f, 0, 1);
    f.pin = honest;
    joining_serve(&f, 0);
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_NOTFOUND);
    assert_int_equal(f.refused, 1);
    f.refused = 0;
    joining_serve(&f, 1);
    joining_succeeds(&f, 2, &report);
    assert_int_equal(f.refused, 1);
    assert_int_equal(report.height, 20);
    joining_is_as_good(&f, 20, 1);
    joining_close_all(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_sources_share_the_work_and_a_liar_is_dropped),
        cmocka_unit_test(who_sends_another_manifest_than_it_lists_is_dropped),
        cmocka_unit_test(nothing_is_taken_from_liars_alone),
        cmocka_unit_test(every_flipped_byte_of_a_manifest_is_refused),
        cmocka_unit_test(every_flipped_byte_of_a_body_chunk_is_refused),
        cmocka_unit_test(a_manifest_that_lies_about_its_bodies_is_found_out),
        cmocka_unit_test(a_false_list_takes_no_node_back_below_its_own_blocks),
        cmocka_unit_test(a_snapshot_whose_bodies_do_not_reach_back_far_enough_is_refused),
    };
    if (crypto_start() != OK || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
