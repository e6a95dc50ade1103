#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "contracts/contracts.h"
#include "tests/lib/world.h"

#include "base/why.h"
#include "contracts/device/device.h"
#include "contracts/firmware/release.h"
#include "contracts/governance/governance.h"

/* Expects the genesis to be refused with a reason that holds `part`, then restores it from the copy. */
#define REFUSED(change, part)                                                                                          \
    do {                                                                                                               \
        struct world w;                                                                                                \
        struct why why = WHY_NONE;                                                                                     \
        world_open(&w, 1);                                                                                             \
        struct genesis *g = &w.genesis;                                                                                \
        change;                                                                                                        \
        assert_int_equal(contracts_genesis_check(g, &w.crypto, &why), ERR_INVALID);                                    \
        if (strstr(why.text, part) == NULL) {                                                                          \
            fail_msg("reason is \"%s\", not about \"%s\"", why.text, part);                                            \
        }                                                                                                              \
        world_close(&w);                                                                                               \
    } while (0)

static void a_broken_genesis_is_refused_by_what_is_wrong(void **state) {
    (void)state;
    REFUSED(g->name[0] = '\0', "name");
    REFUSED(g->time_ms = 0, "time_ms");
    REFUSED(g->params.max_block_txs = 0, "max_block_txs");
    REFUSED(g->params.max_block_txs = LIMIT_BLOCK_TXS + 1, "max_block_txs");
    REFUSED(g->params.max_block_bytes = LIMIT_TX_BYTES, "max_block_bytes");
    REFUSED(g->params.tx_max_lifetime_ms = LIMIT_TX_LIFETIME_MS + 1ull, "tx_max_lifetime_ms");
    REFUSED(g->params.vote_threshold_percent = 50, "vote_threshold_percent");
    REFUSED(g->params.protocol_version = PROTOCOL_VERSION + 1, "protocol_version");
    REFUSED(g->params.protocol_version = PROTOCOL_VERSION - 1, "older release");
    REFUSED(strcpy(g->orgs[0].id, "Acme"), "organisation id");
    REFUSED(strcpy(g->orgs[1].id, "acme"), "listed twice");
    REFUSED(g->orgs[0].name[0] = '\0', "name");
    REFUSED(g->orgs[0].kind = (enum org_kind)9, "kind");
    REFUSED(g->orgs[0].admin_count = 0, "admins");
    REFUSED(g->orgs[0].admin_threshold = 3, "threshold");
    REFUSED(memcpy(g->orgs[0].admins[1], g->orgs[0].admins[0], KEY_LEN), "admin is listed twice");
    REFUSED(memset(g->nodes[0].key, 0, KEY_LEN), "key is missing");
    REFUSED(memset(g->nodes[0].link_key, 0, KEY_LEN), "key is missing");
    REFUSED(strcpy(g->nodes[0].org, "nobody"), "no such organisation");
    REFUSED(g->nodes[0].role = (enum node_role)0, "role");
    REFUSED(g->nodes[0].peer[0] = '\0', "peer address");
    REFUSED(strcpy(g->nodes[0].http, "\x01"), "addresses");
    REFUSED(g->nodes[0].role = NODE_OBSERVER, "validators");
    REFUSED(memcpy(g->nodes[2].key, g->nodes[1].key, KEY_LEN), "listed twice");
    REFUSED(memcpy(g->nodes[2].link_key, g->nodes[1].link_key, KEY_LEN), "link key");
    REFUSED(memcpy(g->orgs[2].admins[0], g->orgs[0].admins[1], KEY_LEN), "share an admin key");
    REFUSED(memset(g->orgs[1].admins[0], 0, KEY_LEN), "admin key is missing");
    REFUSED(strcpy(g->classes[0].org, "ops"), "kind vendor");
    REFUSED(memset(g->classes[0].root_key, 0, KEY_LEN), "root key");
    REFUSED(g->classes[0].required_signers = 5, "required signers");
    REFUSED(g->classes[0].author_count = 0, "authors");
    REFUSED(memcpy(g->classes[0].authors[1], g->classes[0].authors[0], HASH_LEN), "author is named twice");
    REFUSED(g->classes[0].slots[0].max_size = 0, "size");
    REFUSED((g->classes[0].slot_count = 2, g->classes[0].slots[1] = g->classes[0].slots[0]), "slot is listed twice");
    REFUSED(strcpy(g->classes[1].vendor_domain, "acme.example"), "listed twice");
    REFUSED(strcpy(g->authors[0].org, "nobody"), "no such organisation");
    REFUSED(g->authors[0].key.key[40] = 1, "usable key");
    REFUSED(g->authors[0].delegation_len--, "delegation");
    REFUSED(g->authors[0].delegation_len = 0, "delegation");
    REFUSED(g->authors[0].delegation[DELEGATION_HEAD_LEN] ^= 1, "not defined");
    REFUSED(g->authors[0] = g->authors[1], "listed twice");
    REFUSED(g->authors[0].key = g->authors[1].key, "another key");
    REFUSED(g->salt[0] ^= 1, "another chain");
    REFUSED(g->devices[0].key[64] = 1, "usable key");
    REFUSED(strcpy(g->devices[0].class_name, "toaster"), "no such class");
    REFUSED(g->devices[0].hardware_revision = 1, "hardware revision");
    REFUSED(memcpy(g->devices[0].gateway, g->nodes[0].key, KEY_LEN), "gateway");
    REFUSED(g->devices[0] = g->devices[1], "listed twice");
}

static void the_chain_id_is_the_hash_that_is_documented(void **state) {
    (void)state;
    struct world w;
    struct buffer b = BUFFER_INIT;
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN], id[CHAIN_ID_LEN], set_hash[HASH_LEN];
    world_open(&w, 1);
    assert_int_equal(genesis_validators(&w.genesis, keys), 1);
    assert_memory_equal(keys[0], w.public_key[VALIDATOR], KEY_LEN);
    buffer_put(&b, TAG_VALIDATORS, TAG_LEN);
    buffer_u8(&b, 1);
    buffer_u16(&b, 1);
    buffer_put(&b, keys[0], KEY_LEN);
    sha256(b.data, b.len, set_hash);
    buffer_reset(&b);
    buffer_put(&b, TAG_GENESIS, TAG_LEN);
    buffer_u8(&b, 1);
    buffer_u64(&b, WORLD_START_MS);
    buffer_put(&b, w.genesis.salt, 32);
    buffer_put(&b, set_hash, HASH_LEN);
    buffer_u8(&b, 4);
    buffer_put(&b, "test", 4);
    sha256(b.data, b.len, id);
    assert_memory_equal(id, w.chain_id, CHAIN_ID_LEN);
    buffer_free(&b);
    world_close(&w);
}

static void what_the_genesis_says_can_be_read_back(void **state) {
    (void)state;
    struct world w;
    struct org_record org;
    struct node_record node;
    struct params_record params;
    struct author_record author;
    struct device_record device;
    struct class_record latest;
    bool found = false;
    world_open(&w, 2);
    assert_int_equal(org_get(&w.state, "acme", &org, &found), OK);
    assert_true(found && org.org.kind == ORG_VENDOR && org.org.admin_count == 2 && org.org.admin_threshold == 2);
    assert_memory_equal(org.org.admins[1], w.public_key[ACME_ADMIN_2], KEY_LEN);
    assert_int_equal(org.stamp.created_ms, WORLD_START_MS);
    assert_int_equal(org_get(&w.state, "nobody", &org, &found), OK);
    assert_false(found);
    assert_int_equal(node_get(&w.state, w.public_key[VALIDATOR], &node, &found), OK);
    assert_true(found && node.node.role == NODE_VALIDATOR);
    assert_string_equal(node.node.peer, "127.0.0.1:26600");
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t count = 0;
    assert_int_equal(governance_validators(&w.state, keys, &count), OK);
    assert_int_equal(count, 1);
    assert_memory_equal(keys[0], w.public_key[VALIDATOR], KEY_LEN);
    assert_int_equal(params_get(&w.state, &params, &found), OK);
    assert_true(found && params.params.max_block_txs == LIMIT_BLOCK_TXS && params.params.heartbeat_ms == 10000);
    assert_int_equal(author_get(&w.state, w.public_key[AUTHOR_SHORT], &author, &found), OK);
    assert_true(found && author.expires_ms == WORLD_START_MS + SHORT_LIFE_MS && !author.revoked);
    assert_int_equal(device_get(&w.state, w.public_key[DEVICE_1], &device, &found), OK);
    assert_true(found && device.first_sequence == 1 && device.hardware_revision == 2);
    assert_memory_equal(device.class_id, w.class_id, UUID_BYTES);
    assert_int_equal(release_latest(&w.state, w.class_id, &latest, &found), OK);
    assert_true(found && !latest.has_release && latest.floor == 0);
    world_close(&w);
}

static void an_empty_genesis_is_freed_twice_without_harm(void **state) {
    (void)state;
    struct genesis g = {0};
    genesis_free(&g);
    genesis_free(&g);
    genesis_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_genesis_is_refused_by_what_is_wrong),
        cmocka_unit_test(the_chain_id_is_the_hash_that_is_documented),
        cmocka_unit_test(what_the_genesis_says_can_be_read_back),
        cmocka_unit_test(an_empty_genesis_is_freed_twice_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
