#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "contracts/governance/governance.pb-c.h"
#include "contracts/governance/governance_params.h"
#include "contracts/kernel/table.h"
#include "node/cli/names.h"
#include "node/cli/tx_file.h"

#include <string.h>

static uint8_t secret[ED25519_SECRET_LEN], public_key[ED25519_KEY_LEN];
static const uint8_t chain[CHAIN_ID_LEN] = {1}, absent[1][ED25519_KEY_LEN] = {{7}};

static char acme[] = "acme", initech[] = "initech", no_text[] = "\xff"; /* the library takes no constants */

static int make_key(void **state) {
    (void)state;
    static const uint8_t seed[ED25519_SEED_LEN] = {5};
    ed25519_from_seed(seed, public_key, secret);
    return 0;
}

/* What people are shown of a call; the file's transaction has one more signer who has not signed. */
static json_t *shown(const char *contract, const char *method, struct bytes args) {
    const uint8_t(*keys[1])[ED25519_SECRET_LEN] = {(const uint8_t(*)[ED25519_SECRET_LEN])(uintptr_t)secret};
    const struct transaction_draft draft = {.chain_id = chain,
                                            .expiry_ms = 1764000000000,
                                            .contract = contract,
                                            .method = method,
                                            .args = args,
                                            .cosigners = absent,
                                            .cosigner_count = 1};
    struct buffer envelope = BUFFER_INIT;
    struct transaction tx;
    assert_int_equal(transaction_build(&draft, keys, 1, &envelope), OK);
    assert_int_equal(transaction_decode(buffer_bytes(&envelope), &tx, NULL), OK);
    assert_int_equal(tx_file_unsigned(&tx), 1);
    json_t *json = tx_file_describe(&tx);
    assert_non_null(json);
    buffer_free(&envelope);
    return json;
}

static json_t *shown_message(const char *method, const ProtobufCMessage *args) {
    struct buffer packed = BUFFER_INIT;
    assert_int_equal(names_pack(args, &packed), OK);
    json_t *json = shown("governance", method, buffer_bytes(&packed));
    buffer_free(&packed);
    return json;
}

static const char *text_of(const json_t *json, const char *name) {
    const char *text = json_string_value(json_object_get(json, name));
    assert_non_null(text);
    return text;
}

static void a_vote_is_told_in_words(void **state) {
    (void)state;
    uint8_t proposal[HASH_LEN] = {0xab};
    Assay__CastVote vote;
    assay__cast_vote__init(&vote);
    vote.org = acme;
    vote.proposal_id = names_binary(proposal, sizeof proposal);
    vote.choice = 2;
    json_t *json = shown_message("vote", &vote.base);
    assert_string_equal(text_of(json, "does"), "vote on a proposal");
    assert_string_equal(text_of(json, "contract"), "governance");
    assert_string_equal(text_of(json, "method"), "vote");
    assert_string_equal(text_of(json, "expires"), "2025-11-24T16:00:00Z");
    const json_t *arguments = json_object_get(json, "arguments");
    assert_string_equal(text_of(arguments, "org"), "acme");
    assert_string_equal(text_of(arguments, "choice"), "no");
    assert_int_equal(strncmp(text_of(arguments, "proposal_id"), "ab00", 4), 0);
    const json_t *signers = json_object_get(json, "signers");
    assert_int_equal(json_array_size(signers), 2);
    assert_true(json_is_true(json_object_get(json_array_get(signers, 0), "signed")));
    assert_true(json_is_false(json_object_get(json_array_get(signers, 1), "signed")));
    json_decref(json);
}

static void of_a_proposal_the_change_that_is_given_is_shown(void **state) {
    (void)state;
    Assay__ParamSetting setting, *settings[1] = {&setting};
    assay__param_setting__init(&setting);
    Assay__SetParams params;
    assay__set_params__init(&params);
    Assay__Propose propose;
    assay__propose__init(&propose);
    setting.param = 1;
    setting.value = 250;
    params.n_settings = 1;
    params.settings = settings;
    propose.org = acme;
    propose.change_case = ASSAY__PROPOSE__CHANGE_SET_PARAMS;
    propose.set_params = &params;
    json_t *json = shown_message("propose", &propose.base);
    const json_t *arguments = json_object_get(json, "arguments");
    const json_t *change = json_object_get(arguments, "set_params");
    const json_t *first = json_array_get(json_object_get(change, "settings"), 0);
    assert_string_equal(text_of(first, "param"), governance_param_name(1));
    assert_int_equal(json_integer_value(json_object_get(first, "value")), 250);
    assert_null(json_object_get(arguments, "admit_org"));
    json_decref(json);

    uint8_t admins[2][ED25519_KEY_LEN] = {{1}, {2}};
    ProtobufCBinaryData list[2] = {names_binary(admins[0], ED25519_KEY_LEN), names_binary(admins[1], ED25519_KEY_LEN)};
    Assay__AdmitOrg admit;
    assay__admit_org__init(&admit);
    admit.id = initech;
    admit.name = initech;
    admit.kind = 2;
    admit.n_admins = 2;
    admit.admins = list;
    propose.change_case = ASSAY__PROPOSE__CHANGE_ADMIT_ORG;
    propose.admit_org = &admit;
    json = shown_message("propose", &propose.base);
    change = json_object_get(json_object_get(json, "arguments"), "admit_org");
    assert_string_equal(text_of(change, "kind"), "broker");
    const json_t *second = json_array_get(json_object_get(change, "admins"), 1);
    assert_int_equal(strncmp(json_string_value(second), "0200", 4), 0);
    json_decref(json);
}

static void what_cannot_be_read_is_shown_as_it_is(void **state) {
    (void)state;
    json_t *json = shown("governance", "vote", bytes_of("\xff\xff", 2));
    assert_string_equal(text_of(json_object_get(json, "arguments"), "not_readable"), "ffff");
    json_decref(json);
    json = shown("governance", "nosuch", bytes_of("a", 1));
    assert_string_equal(text_of(json, "does"), "something that this version does not know");
    assert_string_equal(text_of(json_object_get(json, "arguments"), "not_readable"), "61");
    json_decref(json);
    /* Numbers that have no word stay numbers, a text that is none is still shown. */
    Assay__CastVote vote;
    assay__cast_vote__init(&vote);
    vote.choice = 9;
    vote.org = no_text;
    json = shown_message("vote", &vote.base);
    assert_string_equal(text_of(json_object_get(json_object_get(json, "arguments"), "org"), "not_text"), "ff");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "arguments"), "choice")), 9);
    json_decref(json);
}

/* No method is signed blindly: each has words, and arguments that can be shown. */
static void every_method_can_be_shown(void **state) {
    (void)state;
    for (const struct contract *c = contracts_table; c->name != NULL; c++) {
        for (const struct method *m = c->methods; m->name != NULL; m++) {
            json_t *json = shown(c->name, m->name, bytes_of("", 0));
            assert_true(strlen(text_of(json, "does")) > 8);
            const json_t *arguments = json_object_get(json, "arguments");
            assert_true(json_is_object(arguments));
            assert_null(json_object_get(arguments, "not_readable"));
            json_decref(json);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vote_is_told_in_words),
        cmocka_unit_test(of_a_proposal_the_change_that_is_given_is_shown),
        cmocka_unit_test(what_cannot_be_read_is_shown_as_it_is),
        cmocka_unit_test(every_method_can_be_shown),
    };
    return cmocka_run_group_tests(tests, make_key, NULL);
}
