#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "contracts/contracts.h"
#include "node/genesis/genesis_draft.h"
#include "node/host/host_crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct why why;

struct admin {
    uint8_t key[ED25519_KEY_LEN];
    uint8_t secret[ED25519_SECRET_LEN];
};

static struct admin admin_of(uint8_t number) {
    struct admin admin;
    uint8_t seed[ED25519_SEED_LEN];
    memset(seed, number, sizeof seed);
    ed25519_from_seed(seed, admin.key, admin.secret);
    return admin;
}

static void begin(struct genesis_draft *out) {
    memset(out, 0, sizeof *out);
    strcpy(out->name, "example");
    out->time_ms = 1700000000000;
    memset(out->salt, 0x5a, sizeof out->salt);
    genesis_params_default(&out->params);
}

/* A part whose `admins` must all sign, with two nodes, given by falling key; nobody has signed. */
static struct genesis_draft_part part_of(const char *id, uint8_t number, uint8_t admins) {
    struct genesis_draft_part part = {0};
    snprintf(part.org.id, sizeof part.org.id, "%s", id);
    snprintf(part.org.name, sizeof part.org.name, "%s Inc", id);
    part.org.kind = ORG_VENDOR;
    part.org.admin_threshold = part.org.admin_count = admins;
    for (uint8_t i = 0; i < admins; i++) {
        struct admin admin = admin_of((uint8_t)(number + i));
        memcpy(part.org.admins[i], admin.key, ED25519_KEY_LEN);
    }
    part.node_count = 2;
    part.nodes = calloc(2, sizeof *part.nodes);
    for (size_t i = 0; i < 2; i++) {
        struct genesis_node *node = &part.nodes[i];
        memset(node->key, number + 1 - (int)i, sizeof node->key);
        memset(node->link_key, number + 3 + (int)i, sizeof node->link_key);
        snprintf(node->org, sizeof node->org, "%s", id);
        node->role = i == 0 ? NODE_VALIDATOR : NODE_GATEWAY;
        snprintf(node->http, sizeof node->http, "http://%s.example:26601", id);
        if (i == 0) {
            snprintf(node->peer, sizeof node->peer, "%s.example:26600", id);
        }
    }
    return part;
}

static void put(struct genesis_draft *draft, const char *id, uint8_t number, uint8_t admins) {
    struct genesis_draft_part part = part_of(id, number, admins);
    assert_int_equal(genesis_draft_put(draft, &part), OK);
}

static void sign(struct genesis_draft *draft, const char *id, uint8_t number) {
    struct admin admin = admin_of(number);
    assert_int_equal(genesis_draft_sign(draft, genesis_draft_find(draft, id), admin.key, admin.secret), OK);
}

static void add(struct genesis_draft *draft, const char *id, uint8_t number) {
    put(draft, id, number, 1);
    sign(draft, id, number);
}

/* Two organisations, everything signed. */
static void make(struct genesis_draft *out) {
    begin(out);
    add(out, "globex", 50);
    add(out, "acme", 10);
}

static void checks(const struct genesis_draft *draft, enum err expected, const char *says) {
    why = WHY_NONE;
    enum err e = genesis_draft_check(draft, &host_crypto, &why);
    if (e != expected || strstr(why.text, says) == NULL) {
        fail_msg("%s, '%s' instead of %s, '%s'", err_name(e), why.text, err_name(expected), says);
    }
}

static void holds(const struct genesis_draft *draft) {
    enum err e = genesis_draft_check(draft, &host_crypto, &why);
    if (e != OK) {
        fail_msg("%s", why.text);
    }
}

static void a_draft_comes_back_as_it_was(void **state) {
    (void)state;
    struct genesis_draft made, read;
    struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
    make(&made);
    assert_int_equal(genesis_draft_render(&made, &first), OK);
    assert_true(genesis_draft_is(buffer_bytes(&first)));
    if (genesis_draft_parse(buffer_bytes(&first), &read, &why) != OK) {
        fail_msg("%s", why.text);
    }
    holds(&read);
    assert_string_equal(read.parts[0].org.id, "acme");
    assert_memory_equal(&made.params, &read.params, sizeof made.params);
    for (size_t i = 0; i < 2; i++) {
        assert_memory_equal(&made.parts[i].org, &read.parts[i].org, sizeof made.parts[i].org);
        assert_memory_equal(made.parts[i].nodes, read.parts[i].nodes, 2 * sizeof *read.parts[i].nodes);
        assert_memory_equal(made.parts[i].signatures, read.parts[i].signatures, sizeof read.parts[i].signatures);
    }
    assert_int_equal(genesis_draft_render(&read, &second), OK);
    assert_true(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    genesis_draft_free(&made);
    genesis_draft_free(&read);
    buffer_free(&first);
    buffer_free(&second);
}

/* The bytes that are signed, put together here by hand as docs/formats.md has them. */
static void the_signed_bytes_are_those_of_the_manual(void **state) {
    (void)state;
    struct genesis_draft draft;
    struct buffer header = BUFFER_INIT, text = BUFFER_INIT;
    uint8_t hash[SHA256_LEN];
    make(&draft);
    buffer_put(&header, "\7example\0\0\x01\x8b\xcf\xe5\x68\0", 16);
    buffer_put(&header, draft.salt, 32);
    const uint32_t before[] = {10000, 2048, 2097152}, after[] = {67, 2};
    for (size_t i = 0; i < 3; i++) {
        buffer_u32(&header, before[i]);
    }
    buffer_u64(&header, 86400000);
    buffer_u32(&header, after[0]);
    buffer_u32(&header, after[1]);
    sha256(header.data, header.len, hash);
    buffer_put(&text, "assay.gendraft\0\0", 16);
    buffer_put(&text, hash, sizeof hash);
    buffer_put(&text, "\4acme\10acme Inc\1\1\1", 17);
    buffer_put(&text, draft.parts[0].org.admins[0], ED25519_KEY_LEN);
    buffer_u16(&text, 2);
    for (size_t i = 0; i < 2; i++) { /* the gateway's key is the lower one */
        buffer_put(&text, draft.parts[0].nodes[i].key, 32);
        buffer_put(&text, draft.parts[0].nodes[i].link_key, 32);
        const char *rest =
            i == 0 ? "\3\0\31http://acme.example:26601" : "\1\22acme.example:26600\31http://acme.example:26601";
        buffer_put(&text, rest, i == 0 ? 28 : 46);
    }
    const struct genesis_draft_signature *s = &draft.parts[0].signatures[0];
    assert_true(ed25519_verify(s->admin, text.data, text.len, s->signature));
    uint8_t expected[SHA256_LEN];
    assert_int_equal(
        hex_decode("d45e04aa239a29c27e7e3fdcff2f225d7a7a799834e414beb5edb24a2a6b3d56", expected, sizeof expected), OK);
    assert_memory_equal(hash, expected, sizeof hash);
    assert_int_equal(text.len, 301);
    genesis_draft_free(&draft);
    buffer_free(&header);
    buffer_free(&text);
}

static void every_byte_of_a_signature_counts(void **state) {
    (void)state;
    struct genesis_draft draft;
    make(&draft);
    for (size_t i = 0; i < ED25519_SIG_LEN; i++) {
        draft.parts[1].signatures[0].signature[i] ^= 1;
        checks(&draft, ERR_SIGNATURE, "organisation globex: the signature");
        draft.parts[1].signatures[0].signature[i] ^= 1;
    }
    for (size_t i = 0; i < ED25519_KEY_LEN; i++) {
        draft.parts[1].signatures[0].admin[i] ^= 1;
        checks(&draft, ERR_SIGNATURE, "none of its admins");
        draft.parts[1].signatures[0].admin[i] ^= 1;
    }
    holds(&draft);
    genesis_draft_free(&draft);
}

#define CHANGED(draft, place, value)                                                                                   \
    do {                                                                                                               \
        uint8_t kept[sizeof(place)];                                                                                   \
        memcpy(kept, &(place), sizeof(place));                                                                         \
        value;                                                                                                         \
        assert_memory_not_equal(kept, &(place), sizeof(place));                                                        \
        checks(draft, ERR_SIGNATURE, "does not verify");                                                               \
        memcpy(&(place), kept, sizeof(place));                                                                         \
        holds(draft);                                                                                                  \
    } while (0)

static void whatever_is_changed_after_signing_is_refused(void **state) {
    (void)state;
    struct genesis_draft draft;
    make(&draft);
    struct genesis_draft_part *part = &draft.parts[0];
    CHANGED(&draft, draft.name, draft.name[0]++);
    CHANGED(&draft, draft.time_ms, draft.time_ms++);
    CHANGED(&draft, draft.salt, draft.salt[31]++);
    CHANGED(&draft, draft.params.heartbeat_ms, draft.params.heartbeat_ms++);
    CHANGED(&draft, draft.params.max_block_txs, draft.params.max_block_txs--);
    CHANGED(&draft, draft.params.max_block_bytes, draft.params.max_block_bytes--);
    CHANGED(&draft, draft.params.tx_max_lifetime_ms, draft.params.tx_max_lifetime_ms--);
    CHANGED(&draft, draft.params.vote_threshold_percent, draft.params.vote_threshold_percent++);
    CHANGED(&draft, draft.params.protocol_version, draft.params.protocol_version++);
    CHANGED(&draft, part->org.name, part->org.name[0]++);
    CHANGED(&draft, part->org.kind, part->org.kind = ORG_OWNER);
    CHANGED(&draft, part->nodes[1].key, part->nodes[1].key[31]++);
    CHANGED(&draft, part->nodes[1].link_key, part->nodes[1].link_key[0]++);
    CHANGED(&draft, part->nodes[1].role, part->nodes[1].role = NODE_OBSERVER);
    CHANGED(&draft, part->nodes[1].peer, part->nodes[1].peer[0]++);
    CHANGED(&draft, part->nodes[1].http, part->nodes[1].http[7]++);
    CHANGED(&draft, part->node_count, part->node_count--);
    genesis_draft_free(&draft);
}

static void admins_that_are_added_or_lowered_later_are_refused(void **state) {
    (void)state;
    struct genesis_draft draft;
    begin(&draft);
    put(&draft, "acme", 10, 2);
    sign(&draft, "acme", 10);
    holds(&draft);
    draft.parts[0].org.admin_threshold = 1;
    checks(&draft, ERR_SIGNATURE, "does not verify");
    draft.parts[0].org.admin_threshold = 2;
    memset(draft.parts[0].org.admins[2], 9, ED25519_KEY_LEN);
    draft.parts[0].org.admin_count = 3;
    checks(&draft, ERR_SIGNATURE, "does not verify");
    draft.parts[0].org.admin_count = 2;
    holds(&draft);
    draft.parts[0].signatures[1] = draft.parts[0].signatures[0]; /* one admin is not two */
    draft.parts[0].signature_count = 2;
    checks(&draft, ERR_SIGNATURE, "has signed twice");
    genesis_draft_free(&draft);
}

static void sealing_waits_for_every_signature(void **state) {
    (void)state;
    struct genesis_draft draft;
    struct buffer text = BUFFER_INIT;
    begin(&draft);
    assert_int_equal(genesis_draft_seal(&draft, &host_crypto, &text, &why), ERR_INVALID);
    assert_non_null(strstr(why.text, "validators"));
    add(&draft, "globex", 50);
    put(&draft, "acme", 10, 2);
    sign(&draft, "acme", 10);
    sign(&draft, "acme", 10);
    assert_int_equal(genesis_draft_unsigned(genesis_draft_find(&draft, "acme")), 1);
    assert_int_equal(genesis_draft_seal(&draft, &host_crypto, &text, &why), ERR_DENIED);
    assert_string_equal(&why, "organisation acme: 1 of the 2 signatures of its admins is missing (assay genesis sign)");
    assert_int_equal(text.len, 0);
    struct admin stranger = admin_of(50), second = admin_of(11);
    struct genesis_draft_part *acme = genesis_draft_find_admin(&draft, second.key);
    assert_ptr_equal(acme, genesis_draft_find(&draft, "acme"));
    assert_int_equal(genesis_draft_sign(&draft, acme, stranger.key, stranger.secret), ERR_DENIED);
    sign(&draft, "acme", 11);
    assert_int_equal(genesis_draft_seal(&draft, &host_crypto, &text, &why), OK);
    genesis_draft_free(&draft);
    buffer_free(&text);
}

static void two_orders_of_adding_seal_to_the_same_bytes(void **state) {
    (void)state;
    struct genesis_draft one, other;
    struct genesis genesis;
    struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
    make(&one);
    begin(&other);
    add(&other, "acme", 10);
    add(&other, "globex", 90); /* replaced below */
    struct genesis_draft_part part = part_of("globex", 50, 1);
    struct genesis_node kept = part.nodes[0];
    part.nodes[0] = part.nodes[1];
    part.nodes[1] = kept;
    assert_int_equal(genesis_draft_put(&other, &part), OK);
    sign(&other, "globex", 50);
    assert_int_equal(other.part_count, 2);
    assert_int_equal(genesis_draft_seal(&one, &host_crypto, &first, &why), OK);
    assert_int_equal(genesis_draft_seal(&other, &host_crypto, &second, &why), OK);
    assert_true(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    if (genesis_json_parse(buffer_bytes(&first), &genesis, &why) != OK) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(contracts_genesis_check(&genesis, &host_crypto, &why), OK);
    assert_int_equal(genesis.node_count, 4);
    assert_true(memcmp(genesis.nodes[0].key, genesis.nodes[1].key, KEY_LEN) < 0);
    assert_string_equal(genesis.nodes[0].org, "acme");
    assert_false(genesis_draft_is(buffer_bytes(&first)));
    genesis_free(&genesis);
    genesis_draft_free(&one);
    genesis_draft_free(&other);
    buffer_free(&first);
    buffer_free(&second);
}

/* A draft whose only validator has these addresses. */
static void addresses(const char *peer, const char *http, const char *says) {
    struct genesis_draft draft;
    begin(&draft);
    struct genesis_draft_part part = part_of("acme", 10, 1);
    snprintf(part.nodes[0].peer, sizeof part.nodes[0].peer, "%s", peer);
    snprintf(part.nodes[0].http, sizeof part.nodes[0].http, "%s", http);
    assert_int_equal(genesis_draft_put(&draft, &part), OK);
    sign(&draft, "acme", 10);
    if (says != NULL) {
        checks(&draft, ERR_INVALID, says);
    } else {
        holds(&draft);
    }
    genesis_draft_free(&draft);
}

static void addresses_that_nobody_reaches_are_refused_by_name(void **state) {
    (void)state;
    const char *every = "means every address";
    static const char *const good[] = {"10.0.0.1:1", "a.example:65535", "[2001:db8::1]:26600", "127.0.0.1:26600"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        addresses(good[i], "", NULL);
    }
    addresses("0.0.0.0:26600", "", "peer address '0.0.0.0:26600' means every address");
    addresses("0:26600", "", every);
    addresses("[::]:26600", "", every);
    addresses("[::ffff:0.0.0.0]:26600", "", every);
    static const char *const bad[] = {"",      "a",      ":1",    "a:",   "a:0",    "a:65536", "a:1x",
                                      "a b:1", "[::1:2", "::1:2", "[]:1", "[::1]2", "u@a:1",   "a:4294967297"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        addresses(bad[i], "", "is not HOST:PORT");
    }
    addresses("a:1", "https://a.example", NULL);
    addresses("a:1", "https://[2001:db8::1]:443/path", NULL);
    addresses("a:1", "http://0.0.0.0:26601", "HTTP address 'http://0.0.0.0:26601' means every address");
    addresses("a:1", "http://0.0.0.0", every);
    addresses("a:1", "a.example:26601", "is not an http");
    addresses("a:1", "http://a b", "is not an http");
    addresses("a:1", "http://", "is not HOST:PORT");
}

static void parts_that_break_a_rule_are_refused(void **state) {
    (void)state;
    struct genesis_draft draft;
    make(&draft);
    strcpy(draft.parts[1].org.id, "acme");
    strcpy(draft.parts[1].nodes[0].org, "acme");
    strcpy(draft.parts[1].nodes[1].org, "acme");
    checks(&draft, ERR_INVALID, "organisation acme has two parts");
    strcpy(draft.parts[1].org.id, "Globex");
    checks(&draft, ERR_INVALID, "organisation id 'Globex'");
    strcpy(draft.parts[1].org.id, "globex");
    checks(&draft, ERR_INVALID, "belongs to acme");
    genesis_draft_free(&draft);

    make(&draft);
    strcpy(draft.parts[0].nodes[0].peer, "a:1");
    checks(&draft, ERR_INVALID, "a gateway has no peer address");
    draft.parts[0].nodes[0].peer[0] = '\0';
    draft.parts[0].org.admin_threshold = 2;
    checks(&draft, ERR_INVALID, "organisation acme: admin threshold");
    genesis_draft_free(&draft);

    make(&draft); /* across organisations: the admin of one is that of another */
    put(&draft, "ops", 10, 1);
    sign(&draft, "ops", 10);
    checks(&draft, ERR_INVALID, "share an admin key");
    genesis_draft_free(&draft);
}

static void the_list_of_parts_ends_somewhere(void **state) {
    (void)state;
    struct genesis_draft draft;
    begin(&draft);
    for (int i = 0; i < ORGS_MAX; i++) {
        struct genesis_draft_part part = {0};
        snprintf(part.org.id, sizeof part.org.id, "o%d", i);
        assert_int_equal(genesis_draft_put(&draft, &part), OK);
    }
    struct genesis_draft_part over = {.org.id = "over"};
    assert_int_equal(genesis_draft_put(&draft, &over), ERR_FULL);
    strcpy(over.org.id, "o7");
    assert_int_equal(genesis_draft_put(&draft, &over), OK);
    genesis_draft_free(&draft);
}

/* Replaces the first `from` of the good text and expects a refusal that says `says`. */
static void refuses(const char *from, const char *to, const char *says) {
    struct genesis_draft made, read;
    struct buffer text = BUFFER_INIT, changed = BUFFER_INIT;
    make(&made);
    assert_int_equal(genesis_draft_render(&made, &text), OK);
    buffer_u8(&text, 0);
    const char *at = strstr((const char *)text.data, from);
    assert_non_null(at);
    buffer_put(&changed, text.data, (size_t)(at - (const char *)text.data));
    buffer_put(&changed, to, strlen(to));
    buffer_put(&changed, at + strlen(from), strlen(at + strlen(from)));
    assert_int_equal(genesis_draft_parse(buffer_bytes(&changed), &read, &why), ERR_MALFORMED);
    if (strstr(why.text, says) == NULL) {
        fail_msg("'%s' does not say '%s'", why.text, says);
    }
    genesis_draft_free(&made);
    buffer_free(&text);
    buffer_free(&changed);
}

static void unknown_and_missing_members_are_refused_by_name(void **state) {
    (void)state;
    refuses("\"time_ms\"", "\"extra\": 1, \"time_ms\"", "extra is not a known member");
    refuses("\"heartbeat_ms\"", "\"beat\": 1, \"heartbeat_ms\"", "params.beat is not a known member");
    refuses("\"organisation\"", "\"x\": 1, \"organisation\"", "parts[0].x is not a known member");
    refuses("\"admins\"", "\"x\": 1, \"admins\"", "parts[0].organisation.x is not a known member");
    refuses("\"link_key\"", "\"x\": 1, \"link_key\"", "parts[0].nodes[0].x is not a known member");
    refuses("\"signature\"", "\"x\": 1, \"signature\"", "parts[0].signatures[0].x is not a known member");
    refuses("\"signatures\"", "\"signatres\"", "parts[0].signatures is missing");
    refuses("\"parts\"", "\"classes\": [], \"parts\"", "classes is not a known member");
    refuses("draft-1", "draft-2", "format must be one of");
    refuses("\"signature\": \"", "\"signature\": \"00", "64 bytes in hex");
    struct genesis_draft read;
    assert_int_equal(genesis_draft_parse(bytes_str("{}"), &read, &why), ERR_MALFORMED);
    assert_int_equal(genesis_draft_parse(bytes_str(""), &read, &why), ERR_MALFORMED);
    assert_false(genesis_draft_is(bytes_str("")));
    assert_false(genesis_draft_is(bytes_str("[]")));
    assert_false(genesis_draft_is(bytes_str("{\"format\": 1}")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draft_comes_back_as_it_was),
        cmocka_unit_test(the_signed_bytes_are_those_of_the_manual),
        cmocka_unit_test(every_byte_of_a_signature_counts),
        cmocka_unit_test(whatever_is_changed_after_signing_is_refused),
        cmocka_unit_test(admins_that_are_added_or_lowered_later_are_refused),
        cmocka_unit_test(sealing_waits_for_every_signature),
        cmocka_unit_test(two_orders_of_adding_seal_to_the_same_bytes),
        cmocka_unit_test(addresses_that_nobody_reaches_are_refused_by_name),
        cmocka_unit_test(parts_that_break_a_rule_are_refused),
        cmocka_unit_test(the_list_of_parts_ends_somewhere),
        cmocka_unit_test(unknown_and_missing_members_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
