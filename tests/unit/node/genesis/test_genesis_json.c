#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/genesis/genesis_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct why why;

/* One record of each kind, every field different from zero. */
static void make(struct genesis *out) {
    memset(out, 0, sizeof *out);
    strcpy(out->name, "test");
    out->time_ms = 1700000000000;
    memset(out->salt, 7, sizeof out->salt);
    genesis_params_default(&out->params);
    out->orgs = calloc(1, sizeof *out->orgs);
    out->nodes = calloc(1, sizeof *out->nodes);
    out->classes = calloc(1, sizeof *out->classes);
    out->authors = calloc(2, sizeof *out->authors);
    out->devices = calloc(1, sizeof *out->devices);
    out->org_count = out->node_count = out->class_count = out->device_count = 1;
    out->author_count = 2;
    struct genesis_org *org = out->orgs;
    strcpy(org->id, "acme");
    strcpy(org->name, "Acme \xc3\x89lectronique");
    org->kind = ORG_VENDOR;
    org->admin_count = 2;
    org->admin_threshold = 2;
    memset(org->admins, 3, 64);
    struct genesis_node *node = out->nodes;
    memset(node->key, 4, 32);
    memset(node->link_key, 5, 32);
    strcpy(node->org, "acme");
    node->role = NODE_OBSERVER;
    strcpy(node->peer, "127.0.0.1:1");
    strcpy(node->http, "http://127.0.0.1:2");
    struct genesis_class *class = out->classes;
    strcpy(class->vendor_domain, "acme.example");
    strcpy(class->class_name, "thermostat");
    strcpy(class->org, "acme");
    class->min_hardware_revision = 9;
    class->required_signers = 1;
    class->author_count = 1;
    class->slot_count = 2;
    class->slots[1] = (struct genesis_slot){.component = 1, .max_size = 1u << 20};
    class->slots[0] = (struct genesis_slot){.component = 0, .max_size = 1u << 30};
    out->authors[0].key.type = AUTHOR_ED25519;
    out->authors[1].key.type = AUTHOR_P256;
    memset(out->authors[1].key.key, 4, P256_KEY_LEN);
    strcpy(out->authors[0].org, "acme");
    strcpy(out->authors[1].org, "acme");
    out->authors[0].expires_ms = 5;
    out->authors[0].delegation_len = 200;
    memset(out->authors[0].delegation, 6, 200);
    struct genesis_device *device = out->devices;
    device->key_type = AUTHOR_ED25519;
    strcpy(device->vendor_domain, "acme.example");
    strcpy(device->class_name, "thermostat");
    device->hardware_revision = 3;
    device->running_sequence = 12;
    device->endorsed = true;
}

static void render(const struct genesis *genesis, struct buffer *out) {
    buffer_reset(out);
    assert_int_equal(genesis_json_render(genesis, out), OK);
}

static void a_genesis_comes_back_as_it_was(void **state) {
    (void)state;
    struct genesis made;
    struct genesis read;
    struct buffer first = BUFFER_INIT;
    struct buffer second = BUFFER_INIT;
    make(&made);
    render(&made, &first);
    if (genesis_json_parse(buffer_bytes(&first), &read, &why) != OK) {
        fail_msg("%s", why.text);
    }
    assert_memory_equal(made.orgs, read.orgs, sizeof *made.orgs);
    assert_memory_equal(made.nodes, read.nodes, sizeof *made.nodes);
    assert_memory_equal(made.classes, read.classes, sizeof *made.classes);
    assert_memory_equal(made.authors, read.authors, 2 * sizeof *made.authors);
    assert_memory_equal(made.devices, read.devices, sizeof *made.devices);
    assert_memory_equal(&made.params, &read.params, sizeof made.params);
    render(&read, &second);
    assert_true(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    genesis_free(&made);
    genesis_free(&read);
    buffer_free(&first);
    buffer_free(&second);
}

/* Who founds a chain compares the file's hash with others, whatever version made it. */
static void its_text_is_the_same_for_ever(void **state) {
    (void)state;
    struct genesis made;
    struct buffer text = BUFFER_INIT;
    uint8_t hash[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];
    make(&made);
    made.params = (struct genesis_params){10000, 2048, 2u << 20, 86400000, 67, 2};
    made.predecessor = (struct genesis_predecessor){
        .named = true, .chain_id = {1}, .height = 9, .block_hash = {2}, .state_root = {3}, .records_hash = {4}};
    render(&made, &text);
    sha256(text.data, text.len, hash);
    hex_encode(hash, sizeof hash, hex);
    assert_string_equal(hex, "73cac0dcd5c2f980fc0d1dcf5d90ae10204df23a49481b41c145ae8b2218a60e");
    genesis_free(&made);
    buffer_free(&text);
}

static void a_predecessor_comes_back_and_may_be_left_out(void **state) {
    (void)state;
    struct genesis made, read;
    struct buffer text = BUFFER_INIT;
    make(&made);
    render(&made, &text);
    assert_null(memmem(text.data, text.len, "predecessor", 11));
    made.predecessor = (struct genesis_predecessor){
        .named = true, .chain_id = {1}, .height = 9, .block_hash = {2}, .state_root = {3}, .records_hash = {4}};
    render(&made, &text);
    if (genesis_json_parse(buffer_bytes(&text), &read, &why) != OK) {
        fail_msg("%s", why.text);
    }
    assert_true(read.predecessor.named);
    assert_int_equal(read.predecessor.height, 9);
    assert_memory_equal(read.predecessor.chain_id, made.predecessor.chain_id, CHAIN_ID_LEN);
    assert_memory_equal(read.predecessor.block_hash, made.predecessor.block_hash, HASH_LEN);
    assert_memory_equal(read.predecessor.state_root, made.predecessor.state_root, HASH_LEN);
    assert_memory_equal(read.predecessor.records_hash, made.predecessor.records_hash, SHA256_LEN);
    genesis_free(&made);
    genesis_free(&read);
    buffer_free(&text);
}

/* Replaces the first `from` of the good text and expects a refusal that says `says`. */
static void refuses(const char *from, const char *to, const char *says) {
    struct genesis made;
    struct genesis read;
    struct buffer text = BUFFER_INIT;
    struct buffer changed = BUFFER_INIT;
    make(&made);
    render(&made, &text);
    buffer_u8(&text, 0);
    const char *at = strstr((const char *)text.data, from);
    assert_non_null(at);
    buffer_put(&changed, text.data, (size_t)(at - (const char *)text.data));
    buffer_put(&changed, to, strlen(to));
    buffer_put(&changed, at + strlen(from), strlen(at + strlen(from)));
    assert_int_equal(genesis_json_parse(buffer_bytes(&changed), &read, &why), ERR_MALFORMED);
    if (strstr(why.text, says) == NULL) {
        fail_msg("'%s' does not say '%s'", why.text, says);
    }
    genesis_free(&made);
    buffer_free(&text);
    buffer_free(&changed);
}

static void unknown_members_are_refused_by_name(void **state) {
    (void)state;
    refuses("\"time_ms\"", "\"extra\": 1, \"time_ms\"", "extra is not a known member");
    refuses("\"time_ms\"", "\"extra\": {}, \"time_ms\"", "extra is not a known member");
    refuses("\"link_key\"", "\"lnk\": 1, \"link_key\"", "nodes[0].lnk is not a known member");
    refuses("\"heartbeat_ms\"", "\"beat\": 1, \"heartbeat_ms\"", "params.beat");
    refuses("\"component\"", "\"x\": 1, \"component\"", "classes[0].slots[0].x");
}

static void missing_repeated_and_mistyped_members_are_refused(void **state) {
    (void)state;
    refuses("\"salt\":", "\"sult\":", "salt is missing");
    refuses("\"name\": \"test\"", "\"name\": \"test\", \"name\": \"again\"", "line");
    refuses("\"name\": \"test\"", "\"name\": 5", "name must be a text");
    refuses("\"heartbeat_ms\": 10000", "\"heartbeat_ms\": \"10000\"", "params.heartbeat_ms must be a whole number");
    refuses("\"heartbeat_ms\": 10000", "\"heartbeat_ms\": 1.5", "whole number");
    refuses("\"heartbeat_ms\": 10000", "\"heartbeat_ms\": -1", "params.heartbeat_ms");
    refuses("\"kind\": \"vendor\"", "\"kind\": \"king\"", "organisations[0].kind must be one of");
    refuses("\"endorsed\": true", "\"endorsed\": 1", "devices[0].endorsed");
    refuses("\"admin_threshold\": 2", "\"admin_threshold\": 17", "admin_threshold");
    refuses("assay-genesis-1", "assay-genesis-2", "format");
    refuses("\"0404", "\"zz04", "32 bytes in hex");
    refuses("\"name\": \"test\"", "\"name\": \"a\\u0000b\"", "line");
    refuses("\"name\": \"test\"", "\"name\": \"a\\u0007b\"", "name must be");
}

static void other_texts_are_refused(void **state) {
    (void)state;
    struct genesis read;
    assert_int_equal(genesis_json_parse(bytes_str(""), &read, &why), ERR_MALFORMED);
    assert_int_equal(genesis_json_parse(bytes_str("[]"), &read, &why), ERR_MALFORMED);
    assert_int_equal(genesis_json_parse(bytes_str("{}"), &read, &why), ERR_MALFORMED);
    assert_int_equal(genesis_json_parse(bytes_str("{} {}"), &read, &why), ERR_MALFORMED);
    assert_int_equal(genesis_json_load("/nonexistent/genesis.json", &read, &why), ERR_NOTFOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_genesis_comes_back_as_it_was),
        cmocka_unit_test(its_text_is_the_same_for_ever),
        cmocka_unit_test(a_predecessor_comes_back_and_may_be_left_out),
        cmocka_unit_test(unknown_members_are_refused_by_name),
        cmocka_unit_test(missing_repeated_and_mistyped_members_are_refused),
        cmocka_unit_test(other_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
