#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "contracts/contracts.h"
#include "node/genesis/genesis_json.h"
#include "node/genesis/testnet.h"
#include "node/host/config.h"
#include "node/host/host_crypto.h"
#include "node/host/keyfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/assay-testnet-XXXXXX";
static struct why why;

static int open_dir(void **state) {
    (void)state;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int close_dir(void **state) {
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static char *in_dir(const char *name) {
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void load_key(const char *name, struct keyfile *out) {
    struct why text = WHY_NONE;
    assert_int_equal(keyfile_load(in_dir(name), KEYFILE_ED25519, bytes_of(NULL, 0), out, &text), OK);
}

static void homes_keys_and_genesis_fit_together(void **state) {
    (void)state;
    struct testnet_plan plan;
    struct genesis genesis;
    struct config config;
    struct keyfile key;
    struct why text = WHY_NONE;
    testnet_plan_default(&plan);
    plan.dir = dir;
    plan.policy = 2;
    assert_int_equal(testnet_write(&plan, &why), OK);
    assert_int_equal(genesis_json_load(in_dir("genesis.json"), &genesis, &text), OK);
    assert_int_equal(contracts_genesis_check(&genesis, &host_crypto, &text), OK);
    assert_int_equal(genesis.node_count, 5);
    static const char *const owners[] = {"acme", "globex", "mirror", "ops", "ops"};
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(genesis.nodes[i].org, owners[i]);
    }
    assert_string_equal(genesis.nodes[2].peer, "127.0.0.1:26620");
    assert_string_equal(genesis.nodes[4].http, "http://127.0.0.1:26641");
    assert_int_equal(genesis.classes[0].required_signers, 2);
    load_key("keys/author-acme-2.key", &key);
    assert_memory_equal(genesis.authors[1].key.key, key.public_key, 32);
    load_key("keys/device-1.key", &key);
    assert_memory_equal(genesis.devices[0].key, key.public_key, 32);
    load_key("keys/admin-ops.key", &key);
    assert_memory_equal(genesis.orgs[3].admins[0], key.public_key, 32);
    load_key("keys/root-acme.key", &key);
    assert_memory_equal(genesis.classes[0].root_key, key.public_key, 32);
    load_key("gateway0/node.key", &key);
    assert_memory_equal(genesis.devices[0].gateway, key.public_key, 32);
    assert_int_equal(config_load_home(in_dir("gateway0"), &config, &text), OK);
    assert_int_equal(config.gateway.sources.count, 4);
    assert_int_equal(config_load_home(in_dir("validator1"), &config, &text), OK);
    assert_string_equal(config.http.listen, "127.0.0.1:26611");
    assert_int_equal(keyfile_load(config.node.link_key_file, KEYFILE_X25519, bytes_of(NULL, 0), &key, &text), OK);
    assert_memory_equal(genesis.nodes[1].link_key, key.public_key, 32);
    genesis_free(&genesis);
}

static void a_folder_in_use_is_refused(void **state) {
    (void)state;
    struct testnet_plan plan;
    testnet_plan_default(&plan);
    plan.dir = dir;
    assert_int_equal(file_write_atomic(in_dir("x"), bytes_str("x"), 0600), OK);
    assert_int_equal(testnet_write(&plan, &why), ERR_EXISTS);
    assert_non_null(strstr(why.text, "not empty"));
}

static void plans_that_cannot_be_are_refused(void **state) {
    (void)state;
    struct testnet_plan plan;
    testnet_plan_default(&plan);
    plan.dir = dir;
    plan.base_port = 65500;
    assert_int_equal(testnet_write(&plan, &why), ERR_RANGE);
    testnet_plan_default(&plan);
    plan.dir = dir;
    plan.policy = 4;
    assert_int_equal(testnet_write(&plan, &why), ERR_RANGE);
    testnet_plan_default(&plan);
    plan.dir = dir;
    plan.org_count = 0;
    assert_int_equal(testnet_write(&plan, &why), ERR_RANGE);
    assert_false(testnet_plan_add_org(&plan, "king:acme"));
    assert_false(testnet_plan_add_org(&plan, "vendor:"));
    assert_false(testnet_plan_add_org(&plan, "vendor:UPPER"));
    assert_true(testnet_plan_add_org(&plan, "vendor:solo"));
    assert_false(testnet_plan_add_org(&plan, "broker:solo"));
}

static void one_vendor_and_one_node_are_enough(void **state) {
    (void)state;
    struct testnet_plan plan;
    testnet_plan_default(&plan);
    plan.dir = dir;
    plan.validators = 1;
    plan.gateways = 0;
    plan.org_count = 0;
    assert_true(testnet_plan_add_org(&plan, "vendor:solo"));
    assert_int_equal(testnet_write(&plan, &why), OK);
    assert_int_equal(access(in_dir("keys/author-solo-3.key"), R_OK), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(homes_keys_and_genesis_fit_together, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(a_folder_in_use_is_refused, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(plans_that_cannot_be_are_refused, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(one_vendor_and_one_node_are_enough, open_dir, close_dir),
    };
    if (crypto_start() != OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
