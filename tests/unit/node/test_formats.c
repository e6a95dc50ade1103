/* The worked examples of docs/formats.md, made by the code. The bytes come from an independent program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/merkle.h"
#include "base/uuid.h"
#include "contracts/firmware/release.h"
#include "contracts/genesis/genesis.h"
#include "contracts/kernel/transaction.h"
#include "device/core/protocol.h"
#include "ipfs-lite/image_tree.h"
#include "node/host/host_crypto.h"
#include "verify/state_proof.h"

#include <string.h>

#define CHAIN "c42c20f9a3531de571039314f0060e80e79b7f9777319dd6b61354a3ada9e791"
#define SIGNER "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737"
#define DEVICE "17cb79fb2b4120f2b1ec65e4198d6e08b28e813feb01e4a400839b85e18080ce"
#define IMAGE_DIGEST "6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
#define TX_ID "24526d3c690d7b0a0b28ac80b4c12274aef1bdb958f5870b731ae8e81ab1ea91"
#define ZEROS_33 "000000000000000000000000000000000000000000000000000000000000000000"

static void expect(const void *data, size_t len, const char *hex) {
    char text[1024];
    assert_true(2 * len < sizeof text);
    hex_encode(data, len, text);
    assert_string_equal(text, hex);
}

static void unhex(const char *hex, void *out, size_t len) {
    assert_int_equal(hex_decode(hex, out, len), OK);
}

static void keys_of(uint8_t fill, uint8_t key[ED25519_KEY_LEN], uint8_t secret[ED25519_SECRET_LEN]) {
    uint8_t seed[ED25519_SEED_LEN];
    memset(seed, fill, sizeof seed);
    ed25519_from_seed(seed, key, secret);
}

static void the_chain_id_names_the_first_validators(void **state) {
    (void)state;
    struct genesis_node node = {.role = NODE_VALIDATOR};
    struct genesis genesis = {.name = "example", .time_ms = 1700000000000, .nodes = &node, .node_count = 1};
    uint8_t id[CHAIN_ID_LEN];
    memset(genesis.salt, 0x5a, sizeof genesis.salt);
    unhex("30c2b488b4f1b8b4d281ee9c3153aa76c8566793d89738325cac474003650340", node.key, sizeof node.key);
    genesis_chain_id(&genesis, &host_crypto, id);
    expect(id, sizeof id, CHAIN);
}

static void a_transaction_and_the_root_of_a_block_of_it(void **state) {
    (void)state;
    static const uint8_t args[] = {0x0a, 0x01, 0x61};
    uint8_t chain[CHAIN_ID_LEN], key[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN], leaf[1][SHA256_LEN],
        root[SHA256_LEN];
    unhex(CHAIN, chain, sizeof chain);
    keys_of(0x11, key, secret);
    const struct transaction_draft draft = {.chain_id = chain,
                                            .expiry_ms = 1700000600000,
                                            .salt = {1, 2, 3, 4, 5, 6, 7, 8},
                                            .contract = "firmware",
                                            .method = "revoke",
                                            .args = bytes_of(args, sizeof args)};
    const uint8_t(*secrets[1])[ED25519_SECRET_LEN] = {(const uint8_t(*)[ED25519_SECRET_LEN])(uintptr_t)secret};
    struct buffer envelope = BUFFER_INIT;
    struct transaction tx;
    assert_int_equal(transaction_build(&draft, secrets, 1, &envelope), OK);
    expect(envelope.data, envelope.len,
           "0100000069"
           "01" CHAIN "01" SIGNER "0000018bcfee8fc0"
           "0102030405060708"
           "086669726d77617265067265766f6b65000000030a0161"
           "af5aefee90957f7c98957be5b47e1f6e9cad6e61a0cdfb922b6939a86786b114"
           "8bea251fbf5473b9505ae62d75618ec7994789506a9439dcf4a518b668afd407");
    assert_int_equal(transaction_decode(buffer_bytes(&envelope), &tx, NULL), OK);
    expect(tx.id, sizeof tx.id, TX_ID);
    merkle_leaf(buffer_bytes(&envelope), leaf[0]);
    merkle_root(leaf, 1, root);
    expect(root, sizeof root, "f6a393afb474ad46752567cce03a80da6447d97fdc00881835c07c84cef57829");
    buffer_free(&envelope);
}

static void a_delegation(void **state) {
    (void)state;
    static const char head[] = "01" CHAIN "0637e301e05d505b8267486f5677de9b01" SIGNER ZEROS_33 "0000010000000000"
                               "0122b26a04ecb550ba9086100cf171669f";
    static const char signature[] = "6b34f068359b16f88fc5356f911c200b4da898cff5d2066dcef266d7523a3ff6"
                                    "74d77c214e5a5e82de6d9533dfbe1950a5fd47b1ae6599ede19a66f72c7f5b02";
    uint8_t root[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN], bytes[DELEGATION_MAX], message[TAG_LEN + DELEGATION_MAX];
    uint8_t class_id[UUID_LEN];
    struct delegation d = {.author.type = AUTHOR_ED25519, .last_sequence = UINT64_C(1) << 40, .class_count = 1}, back;
    unhex(CHAIN, d.chain_id, sizeof d.chain_id);
    unhex(SIGNER, d.author.key, ED25519_KEY_LEN);
    uuid_vendor(bytes_str("acme.example"), d.vendor_id);
    uuid_class(d.vendor_id, bytes_str("thermostat"), class_id);
    memcpy(d.classes[0], class_id, sizeof class_id);
    size_t len = delegation_encode(&d, bytes);
    expect(bytes, len, head);
    keys_of(0x22, root, secret);
    memcpy(message, TAG_DELEGATION, TAG_LEN);
    memcpy(message + TAG_LEN, bytes, len);
    ed25519_sign(secret, message, TAG_LEN + len, bytes + len);
    expect(bytes + len, SIG_LEN, signature);
    assert_int_equal(delegation_verify(&host_crypto, root, bytes_of(bytes, len + SIG_LEN), &back), GOOD);
}

static void a_statement_and_its_signature(void **state) {
    (void)state;
    uint8_t device[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN], message[STATEMENT_SIGNED_LEN], signature[SIG_LEN];
    struct statement s = {.counter = 7, .kind = STATEMENT_VERIFY};
    keys_of(0x33, device, secret);
    expect(device, sizeof device, DEVICE);
    unhex(CHAIN, s.chain_id, sizeof s.chain_id);
    memcpy(s.device_id, device, sizeof s.device_id);
    memset(s.update_id, 0x66, sizeof s.update_id);
    memset(s.nonce, 0x44, sizeof s.nonce);
    unhex(IMAGE_DIGEST, s.digest, sizeof s.digest);
    statement_encode(&s, message);
    expect(message + TAG_LEN, STATEMENT_LEN,
           "01" CHAIN DEVICE "6666666666666666666666666666666666666666666666666666666666666666"
           "0000000000000007"
           "02"
           "00"
           "0000" IMAGE_DIGEST "0000000000000000"
           "44444444444444444444444444444444");
    ed25519_sign(secret, message, sizeof message, signature);
    expect(signature, sizeof signature,
           "29230524003cdad3add4d83186edb9067f363b863b05f2428332fb59ddc60a62"
           "aea7f1ca7516cc2565e7e94388aaf736405f79703bcce3b366673781e8169007");
}

static void a_release_and_the_key_of_its_class_record(void **state) {
    (void)state;
    struct release_record release = {.image_size = 5};
    uint8_t id[HASH_LEN], vendor[UUID_LEN], user_key[CLASS_RECORD_KEY_LEN], key[HASH_LEN];
    struct image_tree tree;
    uuid_vendor(bytes_str("acme.example"), vendor);
    uuid_class(vendor, bytes_str("thermostat"), release.class_id);
    memset(release.manifest_digest, 0x77, sizeof release.manifest_digest);
    unhex(IMAGE_DIGEST, release.image_digest, sizeof release.image_digest);
    unhex("01551220" IMAGE_DIGEST, release.image_cid, sizeof release.image_cid);
    image_tree_init(&tree);
    image_tree_update(&tree, "image", 5);
    image_tree_final(&tree, release.image_tree_root);
    expect(release.image_tree_root, HASH_LEN, "aef125b402dd6bc3c56ca97f451ffa23c80e70fb819cbb4fc3d0c35eacbbd071");
    release_id(&release, id);
    expect(id, sizeof id, "49803f14eb6965b7eb08d7ff0e3d058a29d5f70eb359c461edacbd2d83889c3d");
    class_record_key(release.class_id, user_key);
    state_key(&host_crypto, bytes_of("firmware", 8), bytes_of(user_key, sizeof user_key), key);
    expect(key, sizeof key, "6df80fcc477b2b1a7e6da05ecc7aa59b49ef90e1fe4efd0a6d12a42eb0fdb921");
}

static void a_devices_question(void **state) {
    (void)state;
    struct protocol_request request = {.operation = PROTOCOL_CHECK,
                                       .check = {.running_sequence = 41, .epoch = 0, .height = 1000}};
    uint8_t bytes[PROTOCOL_REQUEST_MAX];
    size_t len = 0;
    unhex(DEVICE, request.device_id, sizeof request.device_id);
    assert_int_equal(protocol_request_encode(&request, bytes, sizeof bytes, &len), GOOD);
    expect(bytes, len,
           "a6000101020258"
           "20" DEVICE "0318290400051903e8");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_id_names_the_first_validators),
        cmocka_unit_test(a_transaction_and_the_root_of_a_block_of_it),
        cmocka_unit_test(a_delegation),
        cmocka_unit_test(a_statement_and_its_signature),
        cmocka_unit_test(a_release_and_the_key_of_its_class_record),
        cmocka_unit_test(a_devices_question),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
