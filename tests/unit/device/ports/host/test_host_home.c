#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/uuid.h"
#include "device/ports/host/host_genesis.h"
#include "device/ports/host/host_home.h"
#include "device/ports/host/host_run.h"
#include "tests/lib/proof_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLASS "acme.example/thermostat"

static char folder[64];

static char *in_folder(const char *name) {
    static char paths[64][128];
    static unsigned next;
    char *path = paths[next++ % 64];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text, mode_t mode) {
    assert_int_equal(file_write_atomic(in_folder(name), bytes_str(text), mode), OK);
}

/* Two validators, an observer between them, one class. */
static void write_genesis(const char *format) {
    static char text[2048];
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    (void)snprintf(text, sizeof text,
                   "{\"format\":\"%s\",\"name\":\"demo\",\"time_ms\":1234567,\"salt\":\"%s\",\"nodes\":["
                   "{\"key\":\"01%.62s\",\"role\":\"validator\"},{\"key\":\"02%.62s\",\"role\":\"observer\"},"
                   "{\"key\":\"03%.62s\",\"role\":\"validator\"}],\"classes\":[{\"vendor_domain\":\"acme.example\","
                   "\"class_name\":\"thermostat\",\"root_key\":\"%s\",\"min_hardware_revision\":2,"
                   "\"slots\":[{\"component\":3,\"max_size\":10000}]}]}",
                   format, zeros, zeros, zeros, zeros, zeros);
    write_text("genesis.json", text, 0600);
}

static int prepare(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/assay-device-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    write_genesis("assay-genesis-1");
    write_text("key", "assay-key-1 ed25519 d000000000000000000000000000000000000000000000000000000000000000\n", 0600);
    write_text("image", "the factory's image", 0600);
    return 0;
}

static int clear(void **state) {
    static const char *const names[] = {"home/device.json",
                                        "home/slot0.bin",
                                        "home/slot1.bin",
                                        "home/state.bin",
                                        "home/secure.bin",
                                        "home",
                                        "genesis.json",
                                        "key",
                                        "image"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)remove(in_folder(names[i]));
    }
    return rmdir(folder);
}

static struct host_provision request(void) {
    return (struct host_provision){.home = in_folder("home"),
                                   .genesis = in_folder("genesis.json"),
                                   .key = in_folder("key"),
                                   .class_name = CLASS,
                                   .hardware_revision = -1};
}

static void a_device_is_made_from_genesis_and_opens_again(void **state) {
    (void)state;
    struct host_provision what = request();
    struct host_home home;
    struct why why = WHY_NONE;
    what.image = in_folder("image");
    what.sequence = 8;
    if (!host_home_provision(&what, &why)) {
        fail_msg("%s", why.text);
    }
    assert_true(host_home_open(&home, in_folder("home"), &why));
    assert_int_equal(home.flash.seam.slot_size, 12288); /* the class's, in whole pages */
    assert_int_equal(home.config.component, 3);
    assert_int_equal(home.config.hardware_revision, 2);
    static struct host_run run;
    run = (struct host_run){
        .config = &home.config,
        .seams = {.crypto = &host_port_crypto, .flash = &home.flash.seam, .secure = &home.secure.seam}};
    assert_int_equal(host_run_boot(&run), HOST_NOTHING);
    assert_int_equal(run.device.state.running.sequence, 8);
    assert_int_equal(run.device.state.running.size, 19);
    assert_int_equal(run.device.state.validator_count, 2);
    assert_int_equal(run.device.state.validators[1][0], 3);
    host_home_close(&home);
    assert_false(host_home_provision(&what, &why)); /* once only */
}

/* The same by base's own functions. */
static void chain_and_class_ids_are_those_of_the_ledger(void **state) {
    (void)state;
    struct host_genesis genesis;
    struct why why = WHY_NONE;
    uint8_t vendor[UUID_LEN], class_id[UUID_LEN], text[TAG_LEN + 1 + 8 + 32 + HASH_LEN + 1 + 4] = {0};
    uint8_t keys[2][KEY_LEN] = {{1}, {3}}, expected[HASH_LEN];
    struct validator_set set = {(const uint8_t(*)[KEY_LEN])keys, 2};
    assert_true(host_genesis_read(in_folder("genesis.json"), CLASS, &genesis, &why));
    uuid_vendor(bytes_str("acme.example"), vendor);
    uuid_class(vendor, bytes_str("thermostat"), class_id);
    assert_memory_equal(genesis.vendor_id, vendor, UUID_LEN);
    assert_memory_equal(genesis.class_id, class_id, UUID_LEN);
    memcpy(text, TAG_GENESIS, TAG_LEN);
    text[16] = 1;
    store_u64(text + 17, 1234567);
    validators_hash(&fixture_crypto, &set, text + 57);
    text[89] = 4;
    memcpy(text + 90, "demo", 4);
    sha256(text, sizeof text, expected);
    assert_memory_equal(genesis.chain_id, expected, HASH_LEN);
}

static void assert_refused(const struct host_provision *what, const char *part_of_why) {
    struct why why = WHY_NONE;
    assert_false(host_home_provision(what, &why));
    if (strstr(why.text, part_of_why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why.text, part_of_why);
    }
}

static void what_is_not_in_order_is_refused_with_its_reason(void **state) {
    (void)state;
    struct host_provision what = request();
    what.class_name = "acme.example/other";
    assert_refused(&what, "defines no class");
    what.class_name = "nothing";
    assert_refused(&what, "VENDOR_DOMAIN/CLASS");
    what = request();
    what.genesis = in_folder("missing");
    assert_refused(&what, "cannot be read");
    what = request();
    write_genesis("assay-genesis-9");
    assert_refused(&what, "format");
    write_genesis("assay-genesis-1");
    write_text("key", "assay-key-1 ed25519 d000\n", 0600);
    assert_refused(&what, "key file");
    write_text("key", "assay-key-1 ed25519 d000000000000000000000000000000000000000000000000000000000000000\n", 0644);
    assert_refused(&what, "chmod 600");
    write_text("key", "assay-key-1 ed25519 d000000000000000000000000000000000000000000000000000000000000000\n", 0600);
    what.slot_size = (uint64_t)HOST_SLOT_MAX * 2;
    assert_refused(&what, "--slot-size");
    what.slot_size = 4096;
    what.image = in_folder("nowhere");
    assert_refused(&what, "cannot be opened");
}

static void a_home_that_is_damaged_or_open_to_others_is_refused(void **state) {
    (void)state;
    struct host_provision what = request();
    struct host_home home;
    struct why why = WHY_NONE;
    assert_true(host_home_provision(&what, &why));
    assert_int_equal(chmod(in_folder("home/secure.bin"), 0640), 0);
    assert_false(host_home_open(&home, in_folder("home"), &why));
    assert_int_equal(chmod(in_folder("home/secure.bin"), 0600), 0);
    assert_int_equal(truncate(in_folder("home/slot1.bin"), 100), 0);
    assert_false(host_home_open(&home, in_folder("home"), &why));
    write_text("home/device.json", "{\"format\":\"assay-device-1\"}", 0600);
    assert_false(host_home_open(&home, in_folder("home"), &why));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, prepare, clear)

int main(void) {
    if (crypto_start() != OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        CASE(a_device_is_made_from_genesis_and_opens_again),
        CASE(chain_and_class_ids_are_those_of_the_ledger),
        CASE(what_is_not_in_order_is_refused_with_its_reason),
        CASE(a_home_that_is_damaged_or_open_to_others_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
