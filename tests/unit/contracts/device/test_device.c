#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/world.h"

#include "contracts/device/device.h"

static const uint8_t hmac[HASH_LEN] = {4};

static Assay__DeviceRegister form(const struct world *w) {
    Assay__DeviceRegister args = ASSAY__DEVICE_REGISTER__INIT;
    args.key_type = AUTHOR_ED25519;
    args.key = world_bytes(w->public_key[DEVICE_NEW], KEY_LEN);
    args.class_id = world_bytes(w->class_id, UUID_BYTES);
    args.hardware_revision = 2;
    args.running_sequence = 6;
    args.mac_hmac = world_bytes(hmac, HASH_LEN);
    return args;
}

static void a_gateway_registers_a_device_under_itself(void **state) {
    (void)state;
    struct world w;
    struct device_record record;
    bool found = false;
    world_open(&w, 1);
    Assay__DeviceRegister args = form(&w);
    assert_int_equal(world_run(&w, "device", "register", &args.base, PEOPLE_OF(GATEWAY_2)), CODE_OK);
    assert_int_equal(device_get(&w.state, w.public_key[DEVICE_NEW], &record, &found), OK);
    assert_true(found);
    assert_memory_equal(record.gateway, w.public_key[GATEWAY_2], KEY_LEN);
    assert_memory_equal(record.class_id, w.class_id, UUID_BYTES);
    assert_memory_equal(record.vendor_id, w.vendor_id, UUID_BYTES);
    assert_int_equal(record.first_sequence, 6);
    assert_false(record.endorsed);
    assert_int_equal(world_run(&w, "device", "register", &args.base, PEOPLE_OF(GATEWAY_2)), CODE_DEVICE_EXISTS);
    world_close(&w);
}

static void the_classs_owner_may_register_and_names_the_gateway(void **state) {
    (void)state;
    struct world w;
    world_open(&w, 1);
    Assay__DeviceRegister args = form(&w);
    assert_int_equal(world_run(&w, "device", "register", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     CODE_GATEWAY_UNKNOWN);
    args.gateway = world_bytes(w.public_key[VALIDATOR], KEY_LEN);
    assert_int_equal(world_run(&w, "device", "register", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     CODE_GATEWAY_UNKNOWN);
    args.gateway = world_bytes(w.public_key[GATEWAY_1], KEY_LEN);
    assert_int_equal(world_run(&w, "device", "register", &args.base, PEOPLE_OF(GATEWAY_2)), CODE_NOT_AUTHORIZED);
    assert_int_equal(world_run(&w, "device", "register", &args.base, PEOPLE_OF(ACME_ADMIN_1)), CODE_ADMIN_THRESHOLD);
    assert_int_equal(world_run(&w, "device", "register", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)), CODE_OK);
    world_close(&w);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    struct world w;
    world_open(&w, 1);
    Assay__DeviceRegister args = form(&w);
    args.hardware_revision = 1;
    assert_int_equal(world_run(&w, "device", "register", &args.base, PEOPLE_OF(GATEWAY_1)),
                     CODE_DEVICE_HARDWARE_TOO_OLD);
    args = form(&w);
    args.class_id = world_bytes(hmac, UUID_BYTES);
    assert_int_equal(world_run(&w, "device", "register", &args.base, PEOPLE_OF(GATEWAY_1)), CODE_CLASS_UNKNOWN);
    args = form(&w);
    args.key_type = AUTHOR_P256;
    assert_int_equal(world_run(&w, "device", "register", &args.base, PEOPLE_OF(GATEWAY_1)), CODE_DEVICE_KEY_INVALID);
    args = form(&w);
    args.mac_hmac.len = 6; /* a bare MAC must not come here */
    assert_int_equal(world_run(&w, "device", "register", &args.base, PEOPLE_OF(GATEWAY_1)), CODE_BAD_ARGUMENTS);
    world_close(&w);
}

static void the_vendor_endorses_once(void **state) {
    (void)state;
    struct world w;
    struct device_record record;
    bool found = false;
    Assay__DeviceEndorse args = ASSAY__DEVICE_ENDORSE__INIT;
    world_open(&w, 1);
    args.device_id = world_bytes(w.public_key[DEVICE_1], KEY_LEN);
    assert_int_equal(world_run(&w, "device", "endorse", &args.base, PEOPLE_OF(GATEWAY_1)), CODE_NOT_AUTHORIZED);
    assert_int_equal(world_run(&w, "device", "endorse", &args.base, PEOPLE_OF(AUTHOR_1)), CODE_NOT_AUTHORIZED);
    assert_int_equal(world_run(&w, "device", "endorse", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)), CODE_OK);
    assert_int_equal(device_get(&w.state, w.public_key[DEVICE_1], &record, &found), OK);
    assert_true(record.endorsed);
    assert_int_equal(record.stamp.created_ms, WORLD_START_MS);
    assert_int_equal(record.stamp.changed_ms, w.now_ms);
    assert_int_equal(world_run(&w, "device", "endorse", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     CODE_DEVICE_ALREADY_ENDORSED);
    args.device_id = world_bytes(w.public_key[STRANGER], KEY_LEN);
    assert_int_equal(world_run(&w, "device", "endorse", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     CODE_DEVICE_UNKNOWN);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gateway_registers_a_device_under_itself),
        cmocka_unit_test(the_classs_owner_may_register_and_names_the_gateway),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(the_vendor_endorses_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
