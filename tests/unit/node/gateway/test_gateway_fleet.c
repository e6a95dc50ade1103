/* The fleet's table and file, and what devices of it are offered. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "base/ed25519.h"
#include "node/gateway/catalog.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t chain[CHAIN_ID_LEN] = {7, 7, 7};

static void id_of(uint32_t number, uint8_t out[KEY_LEN]) {
    memset(out, 0x5a, KEY_LEN);
    store_u32(out, number);
}

static struct fleet_device *accept(struct fleet *fleet, uint32_t number) {
    struct device_record record = {.hardware_revision = number, .first_sequence = 3, .key.type = AUTHOR_ED25519};
    struct fleet_device *device = NULL;
    id_of(number, record.id);
    memset(record.class_id, 0xc1, UUID_BYTES);
    assert_int_equal(fleet_meet(fleet, record.id, &device), OK);
    assert_int_equal(fleet_accept(fleet, device, &record), OK);
    return device;
}

/* ---- The fleet ------------------------------------------------------------------------------------------- */

static void devices_survive_a_restart(void **state) {
    (void)state;
    struct fleet *fleet = NULL, *again = NULL;
    struct fleet_device *stranger = NULL;
    struct buffer file = BUFFER_INIT;
    uint8_t id[KEY_LEN];
    assert_int_equal(fleet_new(&fleet), OK);
    for (uint32_t i = 0; i < 5000; i++) {
        accept(fleet, i)->running_sequence = i + 1;
    }
    id_of(90000, id);
    assert_int_equal(fleet_meet(fleet, id, &stranger), OK);
    fleet_encode(fleet, chain, &file);
    assert_int_equal(fleet_new(&again), OK);
    assert_int_equal(fleet_decode(again, chain, buffer_bytes(&file)), OK);
    assert_int_equal(fleet_count(again), 5000);
    assert_null(fleet_find(again, id));
    for (uint32_t i = 0; i < 5000; i++) {
        id_of(i, id);
        const struct fleet_device *device = fleet_find(again, id);
        assert_non_null(device);
        assert_int_equal(device->state, FLEET_KNOWN);
        assert_int_equal(device->running_sequence, i + 1);
        assert_int_equal(device->hardware_revision, i);
    }
    buffer_free(&file);
    fleet_free(fleet);
    fleet_free(again);
}

static void a_damaged_or_foreign_file_is_refused(void **state) {
    (void)state;
    static const uint8_t other[CHAIN_ID_LEN] = {8};
    struct fleet *fleet = NULL;
    struct buffer file = BUFFER_INIT;
    assert_int_equal(fleet_new(&fleet), OK);
    (void)accept(fleet, 1);
    fleet_encode(fleet, chain, &file);
    fleet_free(fleet);
    for (size_t i = 0; i < file.len; i++) {
        assert_int_equal(fleet_new(&fleet), OK);
        file.data[i] ^= 1;
        assert_int_equal(fleet_decode(fleet, chain, buffer_bytes(&file)), ERR_CORRUPT);
        file.data[i] ^= 1;
        fleet_free(fleet);
    }
    assert_int_equal(fleet_new(&fleet), OK);
    for (size_t len = 0; len < file.len; len++) {
        assert_int_equal(fleet_decode(fleet, chain, bytes_of(file.data, len)), ERR_CORRUPT);
    }
    assert_int_equal(fleet_decode(fleet, other, buffer_bytes(&file)), ERR_MISMATCH);
    assert_int_equal(fleet_decode(fleet, chain, buffer_bytes(&file)), OK);
    fleet_free(fleet);
    buffer_free(&file);
}

static void strangers_make_room_for_each_other_and_not_for_devices(void **state) {
    (void)state;
    struct fleet *fleet = NULL;
    struct fleet_device *device = NULL;
    uint8_t id[KEY_LEN];
    assert_int_equal(fleet_new(&fleet), OK);
    for (uint32_t i = 0; i < 100; i++) {
        (void)accept(fleet, i);
    }
    for (uint32_t i = 1000; i < 1000 + 2 * FLEET_STRANGERS_MAX; i++) {
        id_of(i, id);
        assert_int_equal(fleet_meet(fleet, id, &device), OK);
        assert_int_equal(device->state, FLEET_STRANGER);
    }
    id_of(1000, id);
    assert_null(fleet_find(fleet, id));
    id_of(1000 + 2 * FLEET_STRANGERS_MAX - 1, id);
    assert_non_null(fleet_find(fleet, id));
    for (uint32_t i = 0; i < 100; i++) {
        id_of(i, id);
        assert_non_null(fleet_find(fleet, id));
    }
    assert_int_equal(fleet_count(fleet), 100);
    fleet_free(fleet);
}

static void an_older_proof_does_not_replace_a_newer_one(void **state) {
    (void)state;
    struct fleet *fleet = NULL;
    assert_int_equal(fleet_new(&fleet), OK);
    struct fleet_device *device = accept(fleet, 1);
    const uint8_t update[HASH_LEN] = {1};
    const struct status_record fresh = {.status = STATUS_VERIFIED}, stale = {.status = STATUS_UNVERIFIED};
    assert_int_equal(fleet_update_set(device, update, &fresh, shared_blob_new(bytes_str("a")), 20, 1000 * 20), OK);
    assert_int_equal(fleet_update_set(device, update, &stale, shared_blob_new(bytes_str("b")), 19, 1000 * 19), OK);
    assert_int_equal(fleet_update_find(device, update)->status.status, STATUS_VERIFIED);
    assert_int_equal(fleet_update_find(device, update)->height, 20);
    fleet_free(fleet);
}

static void places_and_answers_are_bounded(void **state) {
    (void)state;
    struct fleet *fleet = NULL;
    assert_int_equal(fleet_new(&fleet), OK);
    struct fleet_device *device = accept(fleet, 1);
    for (uint8_t i = 1; i <= 50; i++) {
        const uint8_t update[HASH_LEN] = {i};
        const struct fleet_answer answer = {.hash = {i}, .counter = i};
        assert_int_equal(fleet_update_set(device, update, NULL, NULL, i, 1000 * i), OK);
        assert_int_equal(fleet_answer_add(device, &answer), OK);
        assert_non_null(fleet_update_find(device, update));
        assert_int_equal(fleet_answer_find(device, answer.hash)->counter, i);
    }
    const uint8_t first[HASH_LEN] = {1};
    assert_null(fleet_answer_find(device, first));
    assert_null(fleet_update_find(device, first));
    fleet_free(fleet);
}

/* ---- Matching -------------------------------------------------------------------------------------------- */

struct shop {
    struct fleet *fleet;
    struct catalog *catalog;
    struct catalog_class *class;
    struct fleet_device *device;
};

static struct class_record record_of(uint64_t sequence, uint64_t floor) {
    struct class_record record = {.has_release = true, .sequence = sequence, .floor = floor};
    memset(record.class_id, 0xc1, UUID_BYTES);
    store_u64(record.release_id, sequence);
    return record;
}

static struct catalog_update *add_update(struct shop *shop, uint8_t number, uint64_t sequence, bool whole_class) {
    struct update_record record = {.whole_class = whole_class, .targets = whole_class ? 0 : 1, .id = {number}};
    memcpy(record.class_id, shop->class->id, UUID_BYTES);
    store_u64(record.release_id, sequence);
    record.stamp.created_ms = number;
    return catalog_update_add(shop->class, &record);
}

static void put_release(struct shop *shop, uint64_t sequence) {
    struct catalog_release *release = calloc(1, sizeof *release);
    assert_non_null(release);
    store_u64(release->id, sequence);
    release->sequence = sequence;
    release->image_here = true;
    release->envelope = shared_blob_new(bytes_str("envelope"));
    release->delegation = shared_blob_new(bytes_str("delegation"));
    catalog_set_release(shop->class, release);
}

static int open_shop(void **out) {
    struct shop *shop = calloc(1, sizeof *shop);
    uint8_t class_id[UUID_BYTES];
    assert_non_null(shop);
    memset(class_id, 0xc1, sizeof class_id);
    assert_int_equal(fleet_new(&shop->fleet), OK);
    assert_int_equal(catalog_new(&shop->catalog), OK);
    assert_int_equal(catalog_enter(shop->catalog, class_id, &shop->class), OK);
    shop->device = accept(shop->fleet, 1);
    shop->device->running_sequence = 3;
    const struct class_record record = record_of(4, 0);
    catalog_set_record(shop->class, &record, shared_blob_new(bytes_str("proof")), 10, 1000 * 10);
    put_release(shop, 4);
    *out = shop;
    return 0;
}

static int close_shop(void **state) {
    struct shop *shop = *state;
    fleet_free(shop->fleet);
    catalog_free(shop->catalog);
    free(shop);
    return 0;
}

static void place(struct shop *shop, uint8_t number, enum device_status status, uint64_t start_ms, uint64_t height) {
    const uint8_t id[HASH_LEN] = {number};
    const struct status_record record = {.status = status, .window_start_ms = start_ms, .window_ms = 1000};
    assert_int_equal(
        fleet_update_set(shop->device, id, &record, shared_blob_new(bytes_str("s")), height, 1000 * height), OK);
}

static void nothing_is_offered_without_an_update(void **state) {
    struct shop *shop = *state;
    struct catalog_offer offer;
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_NOTHING);
}

static void a_class_update_is_offered_to_be_opened(void **state) {
    struct shop *shop = *state;
    struct catalog_offer offer;
    assert_non_null(add_update(shop, 1, 4, true));
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_OFFER);
    assert_true(offer.needs_open);
    shop->class->release->image_here = false;
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_NOT_HERE);
    shop->class->release->image_here = true;
    place(shop, 1, STATUS_UNVERIFIED, 100, 11);
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_OFFER);
    assert_false(offer.needs_open);
    assert_int_equal(catalog_match(shop->class, shop->device, 1099, &offer), CATALOG_OFFER);
    assert_int_equal(catalog_match(shop->class, shop->device, 1100, &offer), CATALOG_NOTHING);
}

static void a_named_update_is_proven_before_it_is_offered(void **state) {
    struct shop *shop = *state;
    struct catalog_offer offer;
    struct catalog_update *update = add_update(shop, 1, 4, false);
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_NOTHING);
    catalog_update_target(update, shop->device->id);
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_UNPROVEN);
    place(shop, 1, STATUS_UNVERIFIED, 100, 11);
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_OFFER);
    assert_false(offer.needs_open);
    /* A hint that lied: proven absent. */
    const uint8_t id[HASH_LEN] = {1};
    assert_int_equal(fleet_update_set(shop->device, id, NULL, NULL, 12, 1000 * 12), OK);
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_NOTHING);
}

static void what_has_ended_is_not_offered_again(void **state) {
    static const enum device_status ended[] = {STATUS_EXPIRED, STATUS_EXHAUSTED, STATUS_INSTALLED, STATUS_FAILED,
                                               STATUS_ROLLED_BACK};
    struct shop *shop = *state;
    struct catalog_offer offer;
    assert_non_null(add_update(shop, 1, 4, true));
    for (size_t i = 0; i < sizeof ended / sizeof ended[0]; i++) {
        place(shop, 1, ended[i], 100, 11 + i);
        assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_NOTHING);
    }
    place(shop, 1, STATUS_VERIFIED, 100, 90);
    assert_int_equal(catalog_match(shop->class, shop->device, 100000, &offer), CATALOG_OFFER);
    assert_non_null(add_update(shop, 2, 4, true)); /* pushed once more */
    place(shop, 1, STATUS_FAILED, 100, 91);
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_OFFER);
    assert_int_equal(offer.update->id[0], 2);
}

/* Every place and every way in which an update is about the device. */
static void what_is_offered_follows_from_place_and_reach(void **state) {
    struct shop *shop = *state;
    enum { NOT, NAMED, CLASS };
    static const struct {
        enum device_status status; /* 0: unproven; -1: proven absent */
        uint64_t start_ms;
        enum catalog_answer told[3]; /* NOT, NAMED, CLASS */
        bool needs_open;
    } cells[] = {
        {0, 0, {CATALOG_NOTHING, CATALOG_UNPROVEN, CATALOG_OFFER}, true},
        {(enum device_status) - 1, 0, {CATALOG_NOTHING, CATALOG_NOTHING, CATALOG_OFFER}, true},
        {STATUS_UNVERIFIED, 5000, {CATALOG_OFFER, CATALOG_OFFER, CATALOG_OFFER}, false},
        {STATUS_UNVERIFIED, 9000, {CATALOG_OFFER, CATALOG_OFFER, CATALOG_OFFER}, false}, /* opens later */
        {STATUS_UNVERIFIED, 4000, {CATALOG_NOTHING, CATALOG_NOTHING, CATALOG_NOTHING}, false},
        {STATUS_VERIFIED, 4000, {CATALOG_OFFER, CATALOG_OFFER, CATALOG_OFFER}, false},
        {STATUS_EXPIRED, 5000, {CATALOG_NOTHING, CATALOG_NOTHING, CATALOG_NOTHING}, false},
        {STATUS_EXHAUSTED, 5000, {CATALOG_NOTHING, CATALOG_NOTHING, CATALOG_NOTHING}, false},
        {STATUS_INSTALLED, 5000, {CATALOG_NOTHING, CATALOG_NOTHING, CATALOG_NOTHING}, false},
        {STATUS_FAILED, 5000, {CATALOG_NOTHING, CATALOG_NOTHING, CATALOG_NOTHING}, false},
        {STATUS_ROLLED_BACK, 5000, {CATALOG_NOTHING, CATALOG_NOTHING, CATALOG_NOTHING}, false},
    };
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        for (int reach = NOT; reach <= CLASS; reach++) {
            struct catalog_offer offer = {.needs_open = true};
            uint8_t number = (uint8_t)(1 + 3 * i + (size_t)reach);
            const uint8_t id[HASH_LEN] = {number};
            shop->class->update_count = 0;
            struct catalog_update *update = add_update(shop, number, 4, reach == CLASS);
            if (reach == NAMED) {
                catalog_update_target(update, shop->device->id);
            }
            if (cells[i].status == (enum device_status) - 1) {
                assert_int_equal(fleet_update_set(shop->device, id, NULL, NULL, 12, 12000), OK);
            } else if (cells[i].status != 0) {
                place(shop, number, cells[i].status, cells[i].start_ms, 12);
            }
            assert_int_equal(catalog_match(shop->class, shop->device, 5000, &offer), cells[i].told[reach]);
            if (cells[i].told[reach] == CATALOG_OFFER) {
                assert_int_equal(offer.needs_open, cells[i].needs_open);
            }
        }
    }
}

static void what_runs_or_is_below_the_floor_is_not_offered(void **state) {
    struct shop *shop = *state;
    struct catalog_offer offer;
    assert_non_null(add_update(shop, 1, 4, true));
    shop->device->running_sequence = 4;
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_NOTHING);
    shop->device->running_sequence = 3;
    shop->class->record.floor = 5;
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_NOTHING);
}

static void a_revoked_release_goes_with_its_updates(void **state) {
    struct shop *shop = *state;
    struct catalog_offer offer;
    assert_non_null(add_update(shop, 1, 4, true));
    struct class_record record = record_of(2, 0);
    catalog_set_record(shop->class, &record, shared_blob_new(bytes_str("older")), 9,
                       1000 * 9); /* arrives late: ignored */
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_OFFER);
    catalog_set_record(shop->class, &record, shared_blob_new(bytes_str("newer")), 11, 1000 * 11);
    assert_int_equal(catalog_match(shop->class, shop->device, 100, &offer), CATALOG_NOTHING);
    assert_null(shop->class->release);
    assert_null(add_update(shop, 1, 4, true)); /* of what is no longer the latest */
    put_release(shop, 4);
    assert_null(shop->class->release);
}

static void updates_are_newest_first_and_bounded(void **state) {
    struct shop *shop = *state;
    for (uint32_t i = 1; i <= CATALOG_UPDATES_MAX + 50; i++) {
        struct update_record record = {.whole_class = true};
        memcpy(record.class_id, shop->class->id, UUID_BYTES);
        store_u64(record.release_id, 4);
        store_u32(record.id, i);
        record.stamp.created_ms = (i * 7919) % 1009;
        (void)catalog_update_add(shop->class, &record);
    }
    assert_int_equal(shop->class->update_count, CATALOG_UPDATES_MAX);
    for (size_t i = 1; i < shop->class->update_count; i++) {
        assert_true(shop->class->updates[i - 1].created_ms >= shop->class->updates[i].created_ms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_survive_a_restart),
        cmocka_unit_test(a_damaged_or_foreign_file_is_refused),
        cmocka_unit_test(strangers_make_room_for_each_other_and_not_for_devices),
        cmocka_unit_test(an_older_proof_does_not_replace_a_newer_one),
        cmocka_unit_test(places_and_answers_are_bounded),
        cmocka_unit_test_setup_teardown(nothing_is_offered_without_an_update, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(a_class_update_is_offered_to_be_opened, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(a_named_update_is_proven_before_it_is_offered, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(what_has_ended_is_not_offered_again, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(what_is_offered_follows_from_place_and_reach, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(what_runs_or_is_below_the_floor_is_not_offered, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(a_revoked_release_goes_with_its_updates, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(updates_are_newest_first_and_bounded, open_shop, close_shop),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
