#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/world.h"

#include "contracts/author/author.h"

/* The stranger as a new author of acme; every part can be spoilt. */
struct form {
    Assay__AuthorRegister args;
    struct author_key key;
    uint8_t delegation[DELEGATION_MAX];
};

static void fill(const struct world *w, struct form *f, enum person root) {
    assay__author_register__init(&f->args);
    f->key = world_key(w, STRANGER);
    size_t len = world_delegate(w, root, &f->key, w->vendor_id, w->class_id, UINT64_MAX, f->delegation);
    f->args.org = (char *)(uintptr_t) "acme";
    f->args.key_type = AUTHOR_ED25519;
    f->args.key = world_bytes(f->key.key, KEY_LEN);
    f->args.delegation = world_bytes(f->delegation, len);
}

static enum code reg(struct world *w, const struct form *f) {
    return world_run(w, "author", "register", &f->args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2, STRANGER));
}

static struct author_record stored(const struct world *w) {
    struct author_record record = {0};
    bool found = false;
    assert_int_equal(author_get(&w->state, w->public_key[STRANGER], &record, &found), OK);
    assert_true(found);
    return record;
}

static void an_author_is_admitted_by_admins_and_its_own_signature(void **state) {
    (void)state;
    struct world w;
    struct form f;
    world_open(&w, 1);
    fill(&w, &f, ACME_ROOT);
    assert_int_equal(world_run(&w, "author", "register", &f.args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     CODE_AUTHOR_NO_POSSESSION);
    assert_int_equal(world_run(&w, "author", "register", &f.args.base, PEOPLE_OF(ACME_ADMIN_1, STRANGER)),
                     CODE_ADMIN_THRESHOLD);
    assert_int_equal(world_run(&w, "author", "register", &f.args.base, PEOPLE_OF(GLOBEX_ADMIN, STRANGER)),
                     CODE_NOT_AUTHORIZED);
    assert_int_equal(reg(&w, &f), CODE_OK);
    assert_string_equal(stored(&w).org, "acme");
    assert_int_equal(stored(&w).expires_ms, w.now_ms + AUTHOR_LIFETIME_DEFAULT_MS);
    world_close(&w);
}

static void a_lifetime_lies_ahead_and_is_bounded(void **state) {
    (void)state;
    struct world w;
    struct form f;
    world_open(&w, 1);
    fill(&w, &f, ACME_ROOT);
    f.args.expires_ms = w.now_ms;
    assert_int_equal(reg(&w, &f), CODE_AUTHOR_LIFETIME);
    f.args.expires_ms = w.now_ms + AUTHOR_LIFETIME_MAX_MS + 1;
    assert_int_equal(reg(&w, &f), CODE_AUTHOR_LIFETIME);
    f.args.expires_ms = w.now_ms + AUTHOR_LIFETIME_MAX_MS;
    assert_int_equal(reg(&w, &f), CODE_OK);
    f.args.expires_ms = w.now_ms + 1;
    assert_int_equal(reg(&w, &f), CODE_OK); /* again, with another lifetime */
    struct author_record author;
    enum code code;
    assert_int_equal(author_judge(&w.state, w.public_key[STRANGER], w.now_ms, &author, &code), OK);
    assert_int_equal(code, CODE_OK);
    assert_int_equal(author_judge(&w.state, w.public_key[STRANGER], w.now_ms + 1, &author, &code), OK);
    assert_int_equal(code, CODE_AUTHOR_EXPIRED);
    assert_int_equal(author_judge(&w.state, w.public_key[GATEWAY_1], w.now_ms, &author, &code), OK);
    assert_int_equal(code, CODE_AUTHOR_UNKNOWN);
    world_close(&w);
}

static void the_delegation_must_be_the_root_keys_for_this_chain_and_key(void **state) {
    (void)state;
    struct world w;
    struct form f;
    world_open(&w, 1);
    fill(&w, &f, GLOBEX_ROOT);
    assert_int_equal(reg(&w, &f), CODE_DELEGATION_INVALID);
    fill(&w, &f, ACME_ROOT);
    f.args.delegation.len--;
    assert_int_equal(reg(&w, &f), CODE_DELEGATION_INVALID);
    f.args.delegation.len = 3;
    assert_int_equal(reg(&w, &f), CODE_DELEGATION_INVALID);
    fill(&w, &f, ACME_ROOT);
    f.delegation[DELEGATION_HEAD_LEN] ^= 1; /* class id */
    assert_int_equal(reg(&w, &f), CODE_CLASS_UNKNOWN);
    fill(&w, &f, ACME_ROOT);
    struct author_key other = world_key(&w, AUTHOR_1);
    (void)world_delegate(&w, ACME_ROOT, &other, w.vendor_id, w.class_id, UINT64_MAX, f.delegation);
    assert_int_equal(reg(&w, &f), CODE_DELEGATION_INVALID);
    w.chain_id[0] ^= 1;
    (void)world_delegate(&w, ACME_ROOT, &f.key, w.vendor_id, w.class_id, UINT64_MAX, f.delegation);
    w.chain_id[0] ^= 1;
    assert_int_equal(reg(&w, &f), CODE_DELEGATION_INVALID);
    (void)world_delegate(&w, ACME_ROOT, &f.key, w.globex_vendor_id, w.class_id, UINT64_MAX, f.delegation);
    assert_int_equal(reg(&w, &f), CODE_DELEGATION_INVALID);
    world_close(&w);
}

static void a_delegation_that_ends_below_the_sequence_does_not_cover_it(void **state) {
    (void)state;
    struct world w;
    struct form f;
    struct draft d;
    world_open(&w, 1);
    struct author_key key = world_key(&w, AUTHOR_1);
    fill(&w, &f, ACME_ROOT);
    f.args.key = world_bytes(key.key, KEY_LEN);
    (void)world_delegate(&w, ACME_ROOT, &key, w.vendor_id, w.class_id, 5, f.delegation);
    assert_int_equal(world_run(&w, "author", "register", &f.args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2, AUTHOR_1)),
                     CODE_OK);
    draft_init(&w, &d, 6);
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(&w, &d), CODE_DELEGATION_NOT_COVERING);
    draft_init(&w, &d, 5);
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(&w, &d), CODE_OK);
    world_close(&w);
}

static void a_key_must_be_of_its_type(void **state) {
    (void)state;
    struct world w;
    struct form f;
    uint8_t zeros[P256_KEY_LEN] = {0};
    world_open(&w, 1);
    fill(&w, &f, ACME_ROOT);
    f.args.key_type = 3;
    assert_int_equal(reg(&w, &f), CODE_AUTHOR_KEY_INVALID);
    f.args.key_type = AUTHOR_P256;
    assert_int_equal(reg(&w, &f), CODE_AUTHOR_KEY_INVALID);
    f.args.key = world_bytes(zeros, sizeof zeros);
    assert_int_equal(reg(&w, &f), CODE_AUTHOR_KEY_INVALID);
    f.args.key_type = AUTHOR_ED25519;
    f.args.key = world_bytes(zeros, KEY_LEN);
    assert_int_equal(reg(&w, &f), CODE_AUTHOR_KEY_INVALID);
    world_close(&w);
}

static void a_p256_author_proves_possession_by_a_signature_of_its_own(void **state) {
    (void)state;
    struct world w;
    struct form f;
    uint8_t text[POSSESSION_TEXT_LEN], signature[SIG_LEN];
    world_open(&w, 1);
    fill(&w, &f, ACME_ROOT);
    f.key = (struct author_key){.type = AUTHOR_P256};
    EVP_PKEY *pair = p256_new(f.key.key);
    (void)world_delegate(&w, ACME_ROOT, &f.key, w.vendor_id, w.class_id, UINT64_MAX, f.delegation);
    f.args.key_type = AUTHOR_P256;
    f.args.key = world_bytes(f.key.key, P256_KEY_LEN);
    assert_int_equal(reg(&w, &f), CODE_AUTHOR_NO_POSSESSION);
    memcpy(text, TAG_POSSESSION, TAG_LEN);
    memcpy(text + TAG_LEN, w.chain_id, CHAIN_ID_LEN);
    memcpy(text + TAG_LEN + CHAIN_ID_LEN, f.key.key, P256_KEY_LEN);
    text[TAG_LEN] ^= 1; /* for another chain */
    p256_sign(pair, text, sizeof text, signature);
    f.args.possession = world_bytes(signature, SIG_LEN);
    assert_int_equal(reg(&w, &f), CODE_AUTHOR_NO_POSSESSION);
    text[TAG_LEN] ^= 1;
    p256_sign(pair, text, sizeof text, signature);
    assert_int_equal(reg(&w, &f), CODE_OK);
    uint8_t id[HASH_LEN];
    struct author_record record;
    bool found = false;
    author_id(&f.key, id);
    assert_int_equal(author_get(&w.state, id, &record, &found), OK);
    assert_true(found && record.key.type == AUTHOR_P256);
    EVP_PKEY_free(pair);
    world_close(&w);
}

static void a_revoked_author_never_comes_back(void **state) {
    (void)state;
    struct world w;
    struct form f;
    Assay__AuthorRevoke args;
    world_open(&w, 1);
    fill(&w, &f, ACME_ROOT);
    assay__author_revoke__init(&args);
    args.author_id = world_bytes(w.public_key[STRANGER], HASH_LEN);
    args.reason = (char *)(uintptr_t) "left";
    assert_int_equal(world_run(&w, "author", "revoke", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     CODE_AUTHOR_UNKNOWN);
    assert_int_equal(reg(&w, &f), CODE_OK);
    assert_int_equal(world_run(&w, "author", "revoke", &args.base, PEOPLE_OF(STRANGER)), CODE_NOT_AUTHORIZED);
    assert_int_equal(world_run(&w, "author", "revoke", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)), CODE_OK);
    assert_true(stored(&w).revoked);
    assert_string_equal(stored(&w).reason, "left");
    assert_int_equal(world_run(&w, "author", "revoke", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     CODE_AUTHOR_REVOKED);
    assert_int_equal(reg(&w, &f), CODE_AUTHOR_REVOKED);
    world_close(&w);
}

static void a_key_belongs_to_one_organisation(void **state) {
    (void)state;
    struct world w;
    struct form f;
    world_open(&w, 1);
    fill(&w, &f, ACME_ROOT);
    assert_int_equal(reg(&w, &f), CODE_OK);
    f.args.org = (char *)(uintptr_t) "globex";
    assert_int_equal(world_run(&w, "author", "register", &f.args.base, PEOPLE_OF(GLOBEX_ADMIN, STRANGER)),
                     CODE_AUTHOR_EXISTS);
    f.args.org = (char *)(uintptr_t) "an-organisation-id-that-is-far-too-long-to-be-one";
    assert_int_equal(reg(&w, &f), CODE_ORG_UNKNOWN);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_author_is_admitted_by_admins_and_its_own_signature),
        cmocka_unit_test(a_lifetime_lies_ahead_and_is_bounded),
        cmocka_unit_test(the_delegation_must_be_the_root_keys_for_this_chain_and_key),
        cmocka_unit_test(a_delegation_that_ends_below_the_sequence_does_not_cover_it),
        cmocka_unit_test(a_key_must_be_of_its_type),
        cmocka_unit_test(a_p256_author_proves_possession_by_a_signature_of_its_own),
        cmocka_unit_test(a_revoked_author_never_comes_back),
        cmocka_unit_test(a_key_belongs_to_one_organisation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
