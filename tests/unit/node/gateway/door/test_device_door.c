/* The device protocol behind a link that is a table of what was said to it: no transport, no full node that answers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "node/fetch/client.h"
#include "node/gateway/door/device_door.h"
#include "node/host/host_crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 60000 /* longer than any case: what is woken was woken by the door */
#define POLL_MS 700u
#define ENVELOPE_LEN 5000u

/* ---- The link ---------------------------------------------------------------------------------------------------- */

/* What became of one message: the message's tag and, once it waits, its handle. */
struct sent {
    unsigned replies, defers, wakes;
    enum device_reply_kind kind; /* of the last */
    uint8_t raw[PROTOCOL_ANSWER_HEAD_MAX + PROTOCOL_RANGE_MAX];
    size_t len;
};

static pthread_mutex_t sent_lock = PTHREAD_MUTEX_INITIALIZER;

static void note(struct sent *sent, unsigned *counter, const struct device_reply *reply) {
    (void)pthread_mutex_lock(&sent_lock);
    ++*counter;
    sent->kind = reply->kind;
    sent->len = reply->answer.len;
    if (sent->len > 0) {
        memcpy(sent->raw, reply->answer.data, sent->len);
    }
    (void)pthread_mutex_unlock(&sent_lock);
}

static void on_reply(const struct device_call *call, const struct device_reply *reply) {
    struct sent *sent = call->tag;
    note(sent, &sent->replies, reply);
}

static void *on_defer(const struct device_call *call, const struct device_reply *so_far) {
    struct sent *sent = call->tag;
    note(sent, &sent->defers, so_far);
    return sent;
}

static void on_wake(void *handle, const struct device_reply *reply) {
    struct sent *sent = handle;
    note(sent, &sent->wakes, reply);
}

static const struct device_link patient = {.name = "test",
                                           .range_max = PROTOCOL_RANGE_MAX,
                                           .wait_ms = WAIT_MS,
                                           .reply = on_reply,
                                           .defer = on_defer,
                                           .wake = on_wake};
static const struct device_link narrow = {
    .name = "narrow", .range_max = 100, .wait_ms = 0, .reply = on_reply, .defer = on_defer, .wake = on_wake};

/* ---- The gateway ------------------------------------------------------------------------------------------------- */

struct home {
    char dir[64];
    struct genesis genesis;
    struct genesis_node member;
    struct config_sources sources;
    uint8_t device[KEY_LEN], device_secret[ED25519_SECRET_LEN];
    uint8_t node[ED25519_KEY_LEN], node_secret[ED25519_SECRET_LEN];
    struct site site;
    struct light *light;
    struct repo *repo;
    struct images *images;
    struct statement_queue *queue;
    struct follow *follow;
    struct uplink *uplink;
    struct device_door *door;
    struct sent sent;
};

static void on_changed(void *ctx, const uint8_t *device_id) {
    const struct home *home = ctx;
    device_door_changed(home->door, device_id);
}

static void on_settled(void *ctx, const struct uplink_result *result) {
    const struct home *home = ctx;
    device_door_settled(home->door, result);
}

static void on_image(void *ctx, const struct cid *root) {
    (void)ctx;
    (void)root;
}

static const char *file_in(const struct home *home, const char *name, char out[128]) {
    (void)snprintf(out, 128, "%s/%s", home->dir, name);
    return out;
}

static void make_chain(struct home *home) {
    static const uint8_t device_seed[ED25519_SEED_LEN] = {1}, node_seed[ED25519_SEED_LEN] = {2};
    ed25519_from_seed(device_seed, home->device, home->device_secret);
    ed25519_from_seed(node_seed, home->node, home->node_secret);
    memcpy(home->member.key, home->node, sizeof home->node);
    home->member.role = NODE_VALIDATOR;
    home->genesis.nodes = &home->member;
    home->genesis.node_count = 1;
    (void)snprintf(home->genesis.name, sizeof home->genesis.name, "test");
    home->genesis.time_ms = clock_wall_ms();
    /* Nobody listens on port 9 of this host: every question to a source fails at once. */
    home->sources.count = 1;
    (void)snprintf(home->sources.url[0], sizeof home->sources.url[0], "http://127.0.0.1:9");
}

static void open_parts(struct home *home) {
    char file[128];
    const struct light_config light = {
        .genesis = &home->genesis, .sources = &home->sources, .state_file = file_in(home, "light", file)};
    assert_int_equal(light_new(&light, &home->light), OK);
    const struct repo_config repo = {.dir = file_in(home, "blobs", file)};
    assert_int_equal(repo_open(&repo, &home->repo), OK);
    const struct images_config images = {.repo = home->repo, .cache_bytes = 1 << 20, .arrived = on_image};
    assert_int_equal(images_new(&images, &home->images), OK);
    const struct statement_queue_config queue = {.disk = disk_posix(), .dir = home->dir, .segment_bytes = 64 * 1024};
    assert_int_equal(statement_queue_open(&queue, &home->queue), OK);
    (void)pthread_mutex_init(&home->site.lock, NULL);
    assert_int_equal(fleet_new(&home->site.fleet), OK);
    assert_int_equal(catalog_new(&home->site.catalog), OK);
}

static void open_threads(struct home *home) {
    char file[128];
    const struct device_door_config door = {.light = home->light,
                                            .site = &home->site,
                                            .images = home->images,
                                            .queue = home->queue,
                                            .device_poll_ms = POLL_MS};
    const struct follow_config follow = {.light = home->light,
                                         .site = &home->site,
                                         .images = home->images,
                                         .gateway_key = home->node,
                                         .fleet_file = file_in(home, "fleet", file),
                                         .poll_ms = WAIT_MS,
                                         .changed = on_changed,
                                         .ctx = home};
    const struct uplink_config uplink = {.light = home->light,
                                         .queue = home->queue,
                                         .sources = &home->sources,
                                         .secret = (const uint8_t(*)[ED25519_SECRET_LEN]) & home->node_secret,
                                         .settled = on_settled,
                                         .ctx = home};
    assert_int_equal(device_door_new(&door, &home->door), OK);
    assert_int_equal(follow_new(&follow, &home->follow), OK);
    assert_int_equal(uplink_new(&uplink, &home->uplink), OK);
    device_door_attach(home->door, home->follow, home->uplink);
}

static int setup(void **out) {
    struct home *home = calloc(1, sizeof *home);
    assert_non_null(home);
    (void)snprintf(home->dir, sizeof home->dir, "/tmp/assay-door-XXXXXX");
    assert_non_null(mkdtemp(home->dir));
    make_chain(home);
    open_parts(home);
    open_threads(home);
    *out = home;
    return 0;
}

/* Everything that calls the door ends before it. */
static void end_threads(struct home *home) {
    light_stop(home->light);
    images_stop(home->images);
    images_join(home->images);
    uplink_free(home->uplink);
    follow_free(home->follow);
    images_free(home->images);
    home->uplink = NULL;
    home->follow = NULL;
    home->images = NULL;
}

static int teardown(void **state) {
    struct home *home = *state;
    char command[128];
    end_threads(home);
    device_door_free(home->door);
    statement_queue_close(home->queue);
    repo_close(home->repo);
    catalog_free(home->site.catalog);
    fleet_free(home->site.fleet);
    light_free(home->light);
    (void)pthread_mutex_destroy(&home->site.lock);
    (void)snprintf(command, sizeof command, "rm -rf %s", home->dir);
    assert_int_equal(system(command), 0);
    free(home);
    return 0;
}

/* ---- The device -------------------------------------------------------------------------------------------------- */

static struct protocol_request request_of(const struct home *home, enum protocol_operation operation) {
    struct protocol_request request = {.operation = operation};
    memcpy(request.device_id, home->device, KEY_LEN);
    memset(request.hello.class_id, 0xc1, UUID_BYTES);
    return request;
}

static void send_raw(struct home *home, const struct device_link *link, struct bytes raw) {
    const struct device_call call = {.link = link, .tag = &home->sent, .request = raw, .peer = "somebody"};
    home->sent = (struct sent){0};
    device_door_take(home->door, &call);
}

static void send_request(struct home *home, const struct device_link *link, const struct protocol_request *request) {
    uint8_t raw[PROTOCOL_REQUEST_MAX];
    size_t len = 0;
    assert_int_equal(protocol_request_encode(request, raw, sizeof raw, &len), GOOD);
    send_raw(home, link, bytes_of(raw, len));
}

/* What the link heard last, decoded; `bytes` of a get stay valid until the next message. */
static struct protocol_answer answer_of(struct home *home) {
    struct protocol_answer answer;
    assert_int_equal(home->sent.kind, DEVICE_REPLY_ANSWER);
    assert_int_equal(protocol_answer_decode((struct span){home->sent.raw, home->sent.len}, &answer), GOOD);
    return answer;
}

static void assert_sent(struct home *home, unsigned replies, unsigned defers, unsigned wakes) {
    (void)pthread_mutex_lock(&sent_lock);
    assert_int_equal(home->sent.replies, replies);
    assert_int_equal(home->sent.defers, defers);
    assert_int_equal(home->sent.wakes, wakes);
    (void)pthread_mutex_unlock(&sent_lock);
}

/* The ledger proved that the device is ours. */
static struct fleet_device *accept_device(struct home *home) {
    struct device_record record = {.key.type = AUTHOR_ED25519};
    struct fleet_device *device = NULL;
    memcpy(record.id, home->device, KEY_LEN);
    memcpy(record.key.key, home->device, KEY_LEN);
    memset(record.class_id, 0xc1, UUID_BYTES);
    site_lock(&home->site);
    assert_int_equal(fleet_meet(home->site.fleet, record.id, &device), OK);
    assert_int_equal(fleet_accept(home->site.fleet, device, &record), OK);
    site_unlock(&home->site);
    return device;
}

/* A class with a release that has an envelope of ENVELOPE_LEN bytes, pushed by update 1. */
static void put_release(struct home *home) {
    static const uint8_t text[ENVELOPE_LEN] = {7};
    struct class_record record = {.has_release = true, .sequence = 4, .release_id = {4}};
    struct update_record update = {.whole_class = true, .id = {1}, .release_id = {4}};
    struct catalog_release *release = calloc(1, sizeof *release);
    struct catalog_class *class = NULL;
    uint8_t class_id[UUID_BYTES];
    memset(class_id, 0xc1, sizeof class_id);
    assert_non_null(release);
    site_lock(&home->site);
    assert_int_equal(catalog_enter(home->site.catalog, class_id, &class), OK);
    memcpy(record.class_id, class_id, sizeof class_id);
    memcpy(update.class_id, class_id, sizeof class_id);
    catalog_set_record(class, &record, shared_blob_new(bytes_str("proof")), 10, 1000);
    release->id[0] = 4;
    release->sequence = 4;
    release->envelope = shared_blob_new(bytes_of(text, sizeof text));
    release->delegation = shared_blob_new(bytes_str("delegation"));
    catalog_set_release(class, release);
    assert_non_null(catalog_update_add(class, &update));
    site_unlock(&home->site);
}

static struct statement say_something(struct home *home, struct protocol_request *out) {
    struct statement statement = {.counter = 1, .kind = STATEMENT_REPORT, .outcome = REPORT_INSTALLED};
    uint8_t text[STATEMENT_SIGNED_LEN];
    *out = request_of(home, PROTOCOL_STATEMENT);
    memcpy(statement.chain_id, light_chain_id(home->light), CHAIN_ID_LEN);
    memcpy(statement.device_id, home->device, KEY_LEN);
    statement_encode(&statement, text);
    memcpy(out->said.statement, text + TAG_LEN, STATEMENT_LEN);
    ed25519_sign(home->device_secret, text, sizeof text, out->said.signature);
    return statement;
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

static void what_is_no_request_is_called_malformed(void **state) {
    struct home *home = *state;
    struct device_door_stats stats;
    send_raw(home, &patient, bytes_str("hello?"));
    assert_sent(home, 1, 0, 0);
    assert_int_equal(home->sent.kind, DEVICE_REPLY_MALFORMED);
    device_door_stats(home->door, &stats);
    assert_int_equal(stats.requests[0], 1);
}

static void a_known_device_is_answered_at_once(void **state) {
    struct home *home = *state;
    struct device_door_stats stats;
    (void)accept_device(home);
    const struct protocol_request hello = request_of(home, PROTOCOL_HELLO);
    send_request(home, &patient, &hello);
    assert_sent(home, 1, 0, 0);
    const struct protocol_answer answer = answer_of(home);
    assert_int_equal(answer.code, PROTOCOL_OK);
    assert_int_equal(answer.hello.poll_ms, POLL_MS);
    assert_int_equal(answer.hello.time_ms, 0); /* no head is proven */
    assert_memory_equal(answer.hello.chain_id, light_chain_id(home->light), CHAIN_ID_LEN);
    device_door_stats(home->door, &stats);
    assert_int_equal(stats.requests[PROTOCOL_HELLO], 1);
    assert_int_equal(stats.waiting, 0);
}

static void an_unknown_device_waits_and_is_woken_when_it_is_known(void **state) {
    struct home *home = *state;
    struct device_door_stats stats;
    const struct protocol_request hello = request_of(home, PROTOCOL_HELLO);
    send_request(home, &patient, &hello);
    assert_sent(home, 0, 1, 0);
    assert_int_equal(answer_of(home).code, PROTOCOL_NOT_YET);
    device_door_stats(home->door, &stats);
    assert_int_equal(stats.waiting, 1);
    (void)accept_device(home);
    static const uint8_t other[KEY_LEN] = {9};
    device_door_changed(home->door, other);
    device_door_changed(home->door, home->device);
    assert_sent(home, 0, 1, 1);
    assert_int_equal(answer_of(home).code, PROTOCOL_OK);
    device_door_stats(home->door, &stats);
    assert_int_equal(stats.waiting, 0);
    device_door_changed(home->door, home->device);
    assert_sent(home, 0, 1, 1);
}

static void over_a_link_that_cannot_wait_all_is_answered_at_once(void **state) {
    struct home *home = *state;
    const struct protocol_request hello = request_of(home, PROTOCOL_HELLO);
    send_request(home, &narrow, &hello);
    assert_sent(home, 1, 0, 0);
    assert_int_equal(answer_of(home).code, PROTOCOL_NOT_YET);
}

static void a_range_is_no_longer_than_its_link_can_carry(void **state) {
    struct home *home = *state;
    (void)accept_device(home);
    put_release(home);
    struct protocol_request get = request_of(home, PROTOCOL_GET);
    get.get.what = PROTOCOL_ENVELOPE;
    get.get.update_id[0] = 1;
    get.get.length = 4000;
    send_request(home, &patient, &get);
    struct protocol_answer answer = answer_of(home);
    assert_int_equal(answer.get.total, ENVELOPE_LEN);
    assert_int_equal(answer.get.bytes.len, 4000);
    send_request(home, &narrow, &get);
    answer = answer_of(home);
    assert_int_equal(answer.get.total, ENVELOPE_LEN);
    assert_int_equal(answer.get.bytes.len, narrow.range_max);
    get.get.length = 60;
    send_request(home, &narrow, &get);
    assert_int_equal(answer_of(home).get.bytes.len, 60);
    assert_sent(home, 1, 0, 0);
}

static void a_statement_is_queued_and_its_device_told_when_it_is_settled(void **state) {
    struct home *home = *state;
    struct protocol_request said;
    (void)accept_device(home);
    const struct statement statement = say_something(home, &said);
    send_request(home, &patient, &said);
    assert_sent(home, 0, 1, 0);
    assert_int_equal(answer_of(home).said.reception, PROTOCOL_QUEUED);
    assert_int_equal(statement_queue_count(home->queue), 1);
    struct statement_item item = {.statement = statement};
    sha256(said.said.statement, STATEMENT_LEN, item.hash);
    const struct uplink_result refused = {.item = &item, .refused = true, .code = 1};
    device_door_settled(home->door, &refused);
    assert_sent(home, 0, 1, 1);
    assert_int_equal(answer_of(home).said.reception, PROTOCOL_REFUSED);
    assert_int_equal(answer_of(home).said.code, 1);
    /* Said once more, it is answered from what is known. */
    send_request(home, &patient, &said);
    assert_sent(home, 1, 0, 0);
    assert_int_equal(answer_of(home).said.reception, PROTOCOL_REFUSED);
}

static void a_statement_signed_by_another_is_no_request(void **state) {
    struct home *home = *state;
    struct protocol_request said;
    (void)accept_device(home);
    (void)say_something(home, &said);
    said.said.signature[0] ^= 1;
    send_request(home, &patient, &said);
    assert_sent(home, 1, 0, 0);
    assert_int_equal(answer_of(home).code, PROTOCOL_BAD_REQUEST);
    assert_int_equal(statement_queue_count(home->queue), 0);
}

static void no_more_wait_than_there_is_room_for(void **state) {
    struct home *home = *state;
    const struct protocol_request hello = request_of(home, PROTOCOL_HELLO);
    unsigned waiting = 0;
    /* What looks at those that wait takes them out for a moment, and may be at it once more. */
    follow_stop(home->follow);
    for (bool room = true; room && waiting < 2 * DEVICE_DOOR_WAITING_MAX; waiting += room) {
        send_request(home, &patient, &hello);
        room = home->sent.replies == 0;
    }
    assert_in_range(waiting, DEVICE_DOOR_WAITING_MAX, 2 * DEVICE_DOOR_WAITING_MAX - 1);
    assert_int_equal(answer_of(home).code, PROTOCOL_NOT_YET);
}

static void what_waits_is_told_when_the_gateway_stops(void **state) {
    struct home *home = *state;
    const struct protocol_request hello = request_of(home, PROTOCOL_HELLO);
    send_request(home, &patient, &hello);
    assert_sent(home, 0, 1, 0);
    end_threads(home);
    device_door_free(home->door);
    home->door = NULL;
    assert_sent(home, 0, 1, 1);
    assert_int_equal(home->sent.kind, DEVICE_REPLY_CLOSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_request_is_called_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_known_device_is_answered_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_device_waits_and_is_woken_when_it_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(over_a_link_that_cannot_wait_all_is_answered_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_range_is_no_longer_than_its_link_can_carry, setup, teardown),
        cmocka_unit_test_setup_teardown(a_statement_is_queued_and_its_device_told_when_it_is_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(a_statement_signed_by_another_is_no_request, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_wait_than_there_is_room_for, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_is_told_when_the_gateway_stops, setup, teardown),
    };
    if (crypto_start() != OK || client_start() != OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
