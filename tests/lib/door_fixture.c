#include "tests/lib/door_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_POLL_MS 60000 /* longer than any test */

/* ---- The gateway ------------------------------------------------------------------------------------------------- */

static void on_changed(void *ctx, const uint8_t *device_id) {
    const struct door_fixture *f = ctx;
    device_door_changed(f->door, device_id);
}

static void on_settled(void *ctx, const struct uplink_result *result) {
    const struct door_fixture *f = ctx;
    device_door_settled(f->door, result);
}

static void on_image(void *ctx, const struct cid *root) {
    (void)ctx;
    (void)root;
}

static const char *file_in(const struct door_fixture *f, const char *name, char out[128]) {
    (void)snprintf(out, 128, "%s/%s", f->dir, name);
    return out;
}

static void make_chain(struct door_fixture *f) {
    static const uint8_t device_seed[ED25519_SEED_LEN] = {1}, node_seed[ED25519_SEED_LEN] = {2};
    ed25519_from_seed(device_seed, f->device, f->device_secret);
    ed25519_from_seed(node_seed, f->node, f->node_secret);
    memcpy(f->member.key, f->node, sizeof f->node);
    f->member.role = NODE_VALIDATOR;
    f->genesis.nodes = &f->member;
    f->genesis.node_count = 1;
    (void)snprintf(f->genesis.name, sizeof f->genesis.name, "test");
    f->genesis.time_ms = clock_wall_ms();
    /* Nobody listens on port 9 of this host: every question to a source fails at once. */
    f->sources.count = 1;
    (void)snprintf(f->sources.url[0], sizeof f->sources.url[0], "http://127.0.0.1:9");
}

static void open_parts(struct door_fixture *f) {
    char file[128];
    const struct light_config light = {
        .genesis = &f->genesis, .sources = &f->sources, .state_file = file_in(f, "light", file)};
    assert_int_equal(light_new(&light, &f->light), OK);
    const struct repo_config repo = {.dir = file_in(f, "blobs", file)};
    assert_int_equal(repo_open(&repo, &f->repo), OK);
    assert_int_equal(image_sources_new(&f->sources, &f->genesis, &f->image_sources), OK);
    const struct images_config images = {
        .repo = f->repo, .sources = f->image_sources, .cache_bytes = 1 << 20, .arrived = on_image};
    assert_int_equal(images_new(&images, &f->images), OK);
    const struct statement_queue_config queue = {.disk = disk_posix(), .dir = f->dir, .segment_bytes = 64 * 1024};
    assert_int_equal(statement_queue_open(&queue, &f->queue), OK);
    (void)pthread_mutex_init(&f->site.lock, NULL);
    assert_int_equal(fleet_new(&f->site.fleet), OK);
    assert_int_equal(catalog_new(&f->site.catalog), OK);
}

static void open_threads(struct door_fixture *f) {
    char file[128];
    const struct device_door_config door = {.light = f->light,
                                            .site = &f->site,
                                            .images = f->images,
                                            .queue = f->queue,
                                            .device_poll_ms = DOOR_FIXTURE_POLL_MS};
    const struct follow_config follow = {.light = f->light,
                                         .site = &f->site,
                                         .images = f->images,
                                         .image_sources = f->image_sources,
                                         .gateway_key = f->node,
                                         .fleet_file = file_in(f, "fleet", file),
                                         .poll_ms = NO_POLL_MS,
                                         .changed = on_changed,
                                         .ctx = f};
    const struct uplink_config uplink = {.light = f->light,
                                         .queue = f->queue,
                                         .sources = &f->sources,
                                         .secret = (const uint8_t(*)[ED25519_SECRET_LEN]) & f->node_secret,
                                         .settled = on_settled,
                                         .ctx = f};
    assert_int_equal(device_door_new(&door, &f->door), OK);
    assert_int_equal(follow_new(&follow, &f->follow), OK);
    assert_int_equal(uplink_new(&uplink, &f->uplink), OK);
    device_door_attach(f->door, f->follow, f->uplink);
}

void door_fixture_open(struct door_fixture *f) {
    *f = (struct door_fixture){0};
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/assay-door-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    make_chain(f);
    open_parts(f);
    open_threads(f);
}

void door_fixture_end_threads(struct door_fixture *f) {
    light_stop(f->light);
    images_stop(f->images);
    images_join(f->images);
    uplink_free(f->uplink);
    follow_free(f->follow);
    images_free(f->images);
    f->uplink = NULL;
    f->follow = NULL;
    f->images = NULL;
}

void door_fixture_close(struct door_fixture *f) {
    char command[128];
    door_fixture_end_threads(f);
    device_door_free(f->door);
    statement_queue_close(f->queue);
    repo_close(f->repo);
    catalog_free(f->site.catalog);
    fleet_free(f->site.fleet);
    image_sources_free(f->image_sources);
    light_free(f->light);
    (void)pthread_mutex_destroy(&f->site.lock);
    (void)snprintf(command, sizeof command, "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
}

/* ---- The device -------------------------------------------------------------------------------------------------- */

void door_fixture_accept(struct door_fixture *f) {
    struct device_record record = {.key.type = AUTHOR_ED25519};
    struct fleet_device *device = NULL;
    memcpy(record.id, f->device, KEY_LEN);
    memcpy(record.key.key, f->device, KEY_LEN);
    memset(record.class_id, 0xc1, UUID_BYTES);
    site_lock(&f->site);
    assert_int_equal(fleet_meet(f->site.fleet, record.id, &device), OK);
    assert_int_equal(fleet_accept(f->site.fleet, device, &record), OK);
    site_unlock(&f->site);
}

void door_fixture_release(struct door_fixture *f) {
    static const uint8_t text[DOOR_FIXTURE_ENVELOPE] = {7};
    struct class_record record = {.has_release = true, .sequence = 4, .release_id = {4}};
    struct update_record update = {.whole_class = true, .id = {1}, .release_id = {4}};
    struct catalog_release *release = calloc(1, sizeof *release);
    struct catalog_class *class = NULL;
    uint8_t class_id[UUID_BYTES];
    memset(class_id, 0xc1, sizeof class_id);
    assert_non_null(release);
    site_lock(&f->site);
    assert_int_equal(catalog_enter(f->site.catalog, class_id, &class), OK);
    memcpy(record.class_id, class_id, sizeof class_id);
    memcpy(update.class_id, class_id, sizeof class_id);
    catalog_set_record(class, &record, shared_blob_new(bytes_str("proof")), 10, 1000);
    release->id[0] = 4;
    release->sequence = 4;
    release->envelope = shared_blob_new(bytes_of(text, sizeof text));
    release->delegation = shared_blob_new(bytes_str("delegation"));
    catalog_set_release(class, release);
    assert_non_null(catalog_update_add(class, &update));
    site_unlock(&f->site);
}

struct statement door_fixture_statement(const struct door_fixture *f, struct protocol_request *out) {
    struct statement statement = {.counter = 1, .kind = STATEMENT_REPORT, .outcome = REPORT_INSTALLED};
    uint8_t text[STATEMENT_SIGNED_LEN];
    *out = door_fixture_request(f, PROTOCOL_STATEMENT);
    memcpy(statement.chain_id, light_chain_id(f->light), CHAIN_ID_LEN);
    memcpy(statement.device_id, f->device, KEY_LEN);
    statement_encode(&statement, text);
    memcpy(out->said.statement, text + TAG_LEN, STATEMENT_LEN);
    ed25519_sign(f->device_secret, text, sizeof text, out->said.signature);
    return statement;
}

struct protocol_request door_fixture_request(const struct door_fixture *f, enum protocol_operation operation) {
    struct protocol_request request = {.operation = operation};
    memcpy(request.device_id, f->device, KEY_LEN);
    memset(request.hello.class_id, 0xc1, UUID_BYTES);
    return request;
}

size_t door_fixture_encode(const struct protocol_request *request, uint8_t out[PROTOCOL_REQUEST_MAX]) {
    size_t len = 0;
    assert_int_equal(protocol_request_encode(request, out, PROTOCOL_REQUEST_MAX, &len), GOOD);
    return len;
}
