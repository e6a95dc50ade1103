#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/world.h"

#include "contracts/firmware/firmware.h"

struct wanted {
    uint64_t sequence;
    struct release_record *out;
    bool found;
};

static enum err match_sequence(void *arg, const struct release_record *release) {
    struct wanted *wanted = arg;
    if (release->sequence == wanted->sequence) {
        *wanted->out = *release;
        wanted->found = true;
    }
    return OK;
}

/* The release of a class with this sequence, from the class's list. */
static enum err of_sequence(const struct state *state, const uint8_t class_id[UUID_BYTES], uint64_t sequence,
                            struct release_record *out, bool *out_found) {
    struct wanted wanted = {.sequence = sequence, .out = out};
    enum err e = release_list(state, class_id, NULL, STATE_PAGE_MAX, match_sequence, &wanted);
    *out_found = wanted.found;
    return e;
}

static struct class_record latest_of(const struct world *w) {
    struct class_record record = {0};
    bool found = false;
    assert_int_equal(release_latest(&w->state, w->class_id, &record, &found), OK);
    assert_true(found);
    return record;
}

/* Registers sequence `n`, all in order but for the number. */
static enum code try_sequence(struct world *w, uint64_t n) {
    struct draft d;
    draft_init(w, &d, n);
    draft_sign(w, &d, PEOPLE_OF(AUTHOR_1));
    return world_register(w, &d);
}

static void a_signed_release_becomes_the_latest(void **state) {
    (void)state;
    struct world w;
    struct draft d;
    world_open(&w, 1);
    assert_false(latest_of(&w).has_release);
    draft_init(&w, &d, 7);
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_2));
    d.args.notes = (char *)(uintptr_t) "first";
    assert_int_equal(world_register(&w, &d), CODE_OK);
    Assay__ReleaseResult *r = assay__release_result__unpack(NULL, w.answer.result.len, w.answer.result.data);
    assert_int_equal(r->sequence, 7);
    assert_int_equal(r->state, RELEASE_RELEASED);
    assert_int_equal(r->signers, 2); /* author 2 signed the envelope, author 1 the transaction */

    struct release_record record;
    struct class_record latest = latest_of(&w);
    bool found = false;
    uint8_t id[HASH_LEN];
    assert_int_equal(release_get(&w.state, r->release_id.data, &record, &found), OK);
    assert_true(found);
    release_id(&record, id);
    assert_memory_equal(id, r->release_id.data, HASH_LEN);
    assert_string_equal(record.notes, "first");
    assert_string_equal(record.version, "1.2.0");
    assert_memory_equal(record.tx_id, w.tx_id, HASH_LEN);
    assert_true(latest.has_release);
    assert_int_equal(latest.sequence, 7);
    assert_int_equal(latest.highest_released, 7);
    assert_memory_equal(latest.release_id, id, HASH_LEN);
    assert_memory_equal(latest.image_digest, d.suit.image_digest, HASH_LEN);
    assert_memory_equal(latest.image_cid, d.cid, CID_BINARY_LEN);
    assert_memory_equal(latest.manifest_digest, record.manifest_digest, HASH_LEN);
    assert_int_equal(latest.time_ms, w.now_ms);

    struct buffer envelope = BUFFER_INIT;
    assert_int_equal(release_envelope(&w.state, id, &envelope, &found), OK);
    assert_true(found && bytes_equal(buffer_bytes(&envelope), bytes_of(d.envelope, d.envelope_len)));
    assert_int_equal(of_sequence(&w.state, w.class_id, 7, &record, &found), OK);
    assert_true(found);
    assert_int_equal(of_sequence(&w.state, w.class_id, 8, &record, &found), OK);
    assert_false(found);
    buffer_free(&envelope);
    assay__release_result__free_unpacked(r, NULL);
    world_close(&w);
}

static void sequences_rise_by_bounded_jumps(void **state) {
    (void)state;
    struct world w;
    const uint64_t jump = FIRMWARE_SEQUENCE_JUMP_MAX;
    world_open(&w, 1);
    assert_int_equal(try_sequence(&w, 0), CODE_RELEASE_SEQUENCE_TOO_LOW);
    assert_int_equal(try_sequence(&w, UINT64_MAX), CODE_RELEASE_SEQUENCE_TOO_FAR);
    assert_int_equal(try_sequence(&w, jump + 1), CODE_RELEASE_SEQUENCE_TOO_FAR);
    assert_int_equal(try_sequence(&w, jump), CODE_OK);
    assert_int_equal(try_sequence(&w, jump), CODE_RELEASE_SEQUENCE_TOO_LOW);
    assert_int_equal(try_sequence(&w, jump - 1), CODE_RELEASE_SEQUENCE_TOO_LOW);
    assert_int_equal(try_sequence(&w, 2 * jump + 1), CODE_RELEASE_SEQUENCE_TOO_FAR);
    assert_int_equal(try_sequence(&w, 2 * jump), CODE_OK);
    assert_int_equal(try_sequence(&w, 2 * jump + 1), CODE_OK);
    world_close(&w);
}

static void revoking_the_latest_brings_the_one_before_back(void **state) {
    (void)state;
    struct world w;
    uint8_t one[HASH_LEN], two[HASH_LEN], three[HASH_LEN];
    world_open(&w, 1);
    world_release(&w, 1, one);
    world_release(&w, 2, two);
    world_release(&w, 3, three);
    assert_int_equal(world_revoke(&w, two), CODE_OK);
    assert_int_equal(latest_of(&w).sequence, 3);
    assert_int_equal(latest_of(&w).highest_revoked, 2);
    assert_int_equal(world_revoke(&w, three), CODE_OK);
    assert_int_equal(latest_of(&w).sequence, 1);
    assert_memory_equal(latest_of(&w).release_id, one, HASH_LEN);
    assert_int_equal(latest_of(&w).highest_revoked, 3);
    /* Revoked sequences stay used. */
    assert_int_equal(try_sequence(&w, 3), CODE_RELEASE_SEQUENCE_TOO_LOW);
    assert_int_equal(world_revoke(&w, three), CODE_RELEASE_REVOKED);
    assert_int_equal(world_revoke(&w, one), CODE_OK);
    assert_false(latest_of(&w).has_release);
    assert_true(bytes_is_zero(latest_of(&w).release_id, HASH_LEN));
    assert_int_equal(latest_of(&w).highest_released, 3);
    world_close(&w);
}

static void only_the_owners_admins_revoke_and_say_why(void **state) {
    (void)state;
    struct world w;
    uint8_t id[HASH_LEN];
    Assay__RevokeRelease args;
    world_open(&w, 1);
    world_release(&w, 1, id);
    assay__revoke_release__init(&args);
    args.release_id = world_bytes(id, HASH_LEN);
    assert_int_equal(world_run(&w, "firmware", "revoke", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     CODE_BAD_ARGUMENTS);
    args.reason = (char *)(uintptr_t) "because";
    assert_int_equal(world_run(&w, "firmware", "revoke", &args.base, PEOPLE_OF(AUTHOR_1)), CODE_NOT_AUTHORIZED);
    assert_int_equal(world_run(&w, "firmware", "revoke", &args.base, PEOPLE_OF(GLOBEX_ADMIN)), CODE_NOT_AUTHORIZED);
    assert_int_equal(world_run(&w, "firmware", "revoke", &args.base, PEOPLE_OF(ACME_ADMIN_2)), CODE_ADMIN_THRESHOLD);
    args.reason = (char *)(uintptr_t) "bell \a";
    assert_int_equal(world_run(&w, "firmware", "revoke", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     CODE_TEXT_NOT_CLEAN);
    args.reason = (char *)(uintptr_t) "because";
    id[0] ^= 1;
    assert_int_equal(world_run(&w, "firmware", "revoke", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     CODE_RELEASE_UNKNOWN);
    world_close(&w);
}

static enum code raise_floor(struct world *w, uint64_t floor) {
    Assay__SetMinimumSequence args = ASSAY__SET_MINIMUM_SEQUENCE__INIT;
    args.class_id = world_bytes(w->class_id, UUID_BYTES);
    args.sequence = floor;
    return world_run(w, "firmware", "set_minimum_sequence", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2));
}

static void the_floor_rises_never_falls_and_hides_what_is_below(void **state) {
    (void)state;
    struct world w;
    uint8_t one[HASH_LEN], five[HASH_LEN];
    world_open(&w, 1);
    world_release(&w, 1, one);
    world_release(&w, 5, five);
    assert_int_equal(raise_floor(&w, 0), CODE_FLOOR_MUST_RISE);
    assert_int_equal(raise_floor(&w, 7), CODE_FLOOR_TOO_FAR);
    assert_int_equal(raise_floor(&w, UINT64_MAX), CODE_FLOOR_TOO_FAR);
    assert_int_equal(raise_floor(&w, 5), CODE_OK);
    assert_int_equal(latest_of(&w).floor, 5);
    assert_int_equal(latest_of(&w).sequence, 5);
    assert_int_equal(raise_floor(&w, 5), CODE_FLOOR_MUST_RISE);
    assert_int_equal(raise_floor(&w, 4), CODE_FLOOR_MUST_RISE);
    assert_int_equal(world_revoke(&w, five), CODE_OK);
    assert_false(latest_of(&w).has_release); /* release 1 is below the floor */
    assert_int_equal(raise_floor(&w, 6), CODE_OK);
    assert_int_equal(try_sequence(&w, 6), CODE_OK);
    assert_int_equal(latest_of(&w).sequence, 6);
    world_close(&w);
}

static void signatures_must_be_of_authors_who_may_sign(void **state) {
    (void)state;
    struct world w;
    struct draft d;
    world_open(&w, 1);
    draft_init(&w, &d, 1);
    draft_sign(&w, &d, PEOPLE_OF(STRANGER));
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_NOT_SIGNED_BY_AUTHOR);
    draft_sign(&w, &d, NULL, 0);
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_NOT_SIGNED_BY_AUTHOR);

    /* The lifetime ends at its very millisecond. */
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_SHORT));
    w.now_ms = WORLD_START_MS + SHORT_LIFE_MS;
    assert_int_equal(world_register(&w, &d), CODE_AUTHOR_EXPIRED);
    w.now_ms--;
    assert_int_equal(world_register(&w, &d), CODE_OK);

    Assay__AuthorRevoke revoke;
    assay__author_revoke__init(&revoke);
    revoke.author_id = world_bytes(w.public_key[AUTHOR_2], HASH_LEN);
    assert_int_equal(world_run(&w, "author", "revoke", &revoke.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)), CODE_OK);
    draft_init(&w, &d, 2);
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_2));
    assert_int_equal(world_register(&w, &d), CODE_AUTHOR_REVOKED);
    /* One good signature beside a revoked one is enough for a class that asks for one. */
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_2, AUTHOR_3));
    assert_int_equal(world_register(&w, &d), CODE_OK);
    world_close(&w);
}

static void who_may_register(void **state) {
    (void)state;
    struct world w;
    struct draft d;
    world_open(&w, 1);
    draft_init(&w, &d, 1);
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_run(&w, "firmware", "register", &d.args.base, PEOPLE_OF(GATEWAY_1)), CODE_NOT_AUTHORIZED);
    assert_int_equal(world_run(&w, "firmware", "register", &d.args.base, PEOPLE_OF(STRANGER)), CODE_UNKNOWN_SENDER);
    assert_int_equal(world_run(&w, "firmware", "register", &d.args.base, PEOPLE_OF(ACME_ADMIN_1)),
                     CODE_ADMIN_THRESHOLD);
    assert_int_equal(world_run(&w, "firmware", "register", &d.args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     CODE_OK);
    world_close(&w);
}

/* Spoils a draft after signing or before, and names the code that must come of it. */
static void every_claim_must_agree_with_the_manifest(void **state) {
    (void)state;
    struct world w;
    struct draft d;
    uint8_t other[HASH_LEN] = {1}, cid[CID_BINARY_LEN];
    char text[RELEASE_NOTES_MAX + 2];
    world_open(&w, 1);
    draft_init(&w, &d, 1);
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    const Assay__RegisterRelease good = d.args;

    d.args.class_id = world_bytes(other, UUID_BYTES);
    assert_int_equal(world_register(&w, &d), CODE_CLASS_UNKNOWN);
    d.args = good;
    d.args.image_digest = world_bytes(other, HASH_LEN);
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_DIGEST_MISMATCH);
    d.args = good;
    d.args.image_size++;
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_SIZE_MISMATCH);
    d.args = good;
    memcpy(cid, d.cid, sizeof cid);
    cid[35] ^= 1; /* a raw CID of another image */
    d.args.image_cid = world_bytes(cid, sizeof cid);
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_CID_INVALID);
    cid[1] = 0x71; /* not a codec of images */
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_CID_INVALID);
    d.args = good;
    d.args.sbom_cid = world_bytes(cid, sizeof cid);
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_CID_INVALID);
    d.args = good;
    d.args.image_cid.len--;
    assert_int_equal(world_register(&w, &d), CODE_BAD_ARGUMENTS);
    d.args = good;
    d.args.version = (char *)(uintptr_t) "";
    assert_int_equal(world_register(&w, &d), CODE_BAD_ARGUMENTS);
    const char *const forged[] = {"1.\xff", "1.0\nstate: revoked", "1.0\xc2\x85", "1.\xe2\x80\xae-", "1.\xc3\xbc"};
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        d.args.version = (char *)(uintptr_t)forged[i];
        assert_int_equal(world_register(&w, &d), CODE_TEXT_NOT_CLEAN);
        assert_string_equal(w.answer.detail, "version: at most 64 bytes of printable ASCII");
    }
    d.args = good;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    d.args.notes = text;
    assert_int_equal(world_register(&w, &d), CODE_TEXT_TOO_LONG);
    text[RELEASE_NOTES_MAX] = '\0';
    cid[1] = 0x70;
    d.args.sbom_cid = world_bytes(cid, sizeof cid);
    assert_int_equal(world_register(&w, &d), CODE_OK);
    world_close(&w);
}

static void the_manifest_must_be_for_the_class(void **state) {
    (void)state;
    struct world w;
    struct draft d;
    world_open(&w, 1);
    draft_init(&w, &d, 1);
    memcpy(d.suit.vendor_id, w.globex_vendor_id, UUID_BYTES);
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_WRONG_VENDOR);
    draft_init(&w, &d, 1);
    memcpy(d.suit.class_id, w.globex_class_id, UUID_BYTES);
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_WRONG_CLASS);
    draft_init(&w, &d, 1);
    d.component = 1;
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_COMPONENT_UNKNOWN);
    draft_init(&w, &d, 1);
    d.suit.image_size = SLOT_SIZE + 1;
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_TOO_BIG_FOR_SLOT);
    d.suit.image_size = SLOT_SIZE;
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(&w, &d), CODE_OK);
    draft_init(&w, &d, 2);
    d.suit.description = world_text("bell \a");
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(&w, &d), CODE_TEXT_NOT_CLEAN);
    world_close(&w);
}

static void a_spoilt_envelope_never_registers(void **state) {
    (void)state;
    struct world w;
    struct draft d;
    world_open(&w, 1);
    draft_init(&w, &d, 1);
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    struct memory_state before = memory_clone(&w.memory);
    for (size_t i = 0; i < d.envelope_len; i++) {
        d.envelope[i] ^= 0x20;
        enum code code = world_register(&w, &d);
        assert_true(code == CODE_RELEASE_ENVELOPE_INVALID || code == CODE_RELEASE_NOT_SIGNED_BY_AUTHOR);
        d.envelope[i] ^= 0x20;
    }
    for (size_t len = 0; len < d.envelope_len; len++) {
        d.args.envelope.len = len;
        assert_int_equal(world_register(&w, &d), CODE_RELEASE_ENVELOPE_INVALID);
    }
    assert_true(memory_equal(&before, &w.memory));
    memory_free(&before);
    world_close(&w);
}

static void dependencies_exist_and_are_not_revoked(void **state) {
    (void)state;
    struct world w;
    struct draft d;
    struct release_record record;
    uint8_t base[HASH_LEN], needs[1][HASH_LEN] = {{1}};
    bool found = false;
    world_open(&w, 1);
    world_release(&w, 1, base);
    assert_int_equal(release_get(&w.state, base, &record, &found), OK);
    draft_init(&w, &d, 2);
    d.suit.dependencies = (const uint8_t(*)[HASH_LEN])(uintptr_t)needs;
    d.suit.dependency_count = 1;
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_DEPENDENCY_UNKNOWN);
    memcpy(needs[0], record.manifest_digest, HASH_LEN);
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(&w, &d), CODE_OK);
    assert_int_equal(world_revoke(&w, base), CODE_OK);
    draft_init(&w, &d, 3);
    d.suit.dependencies = (const uint8_t(*)[HASH_LEN])(uintptr_t)needs;
    d.suit.dependency_count = 1;
    draft_sign(&w, &d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_DEPENDENCY_REVOKED);
    world_close(&w);
}

static enum code approve(struct world *w, const uint8_t id[HASH_LEN], int who) {
    Assay__ApproveRelease args = ASSAY__APPROVE_RELEASE__INIT;
    args.release_id = world_bytes(id, HASH_LEN);
    return world_run(w, "firmware", "approve", &args.base, PEOPLE_OF(who));
}

/* A world whose class asks for two signers, with sequence 1 pending: author 1 alone has signed. */
static void open_pending(struct world *w, uint8_t out_id[HASH_LEN], struct draft *d) {
    world_open(w, 2);
    draft_init(w, d, 1);
    draft_sign(w, d, PEOPLE_OF(AUTHOR_1));
    assert_int_equal(world_register(w, d), CODE_OK);
    struct release_record record;
    bool found = false;
    assert_int_equal(of_sequence(&w->state, w->class_id, 1, &record, &found), OK);
    assert_true(found);
    assert_int_equal(record.state, RELEASE_PENDING);
    memcpy(out_id, record.id, HASH_LEN);
    assert_false(latest_of(w).has_release);
    assert_int_equal(latest_of(w).highest_released, 0);
}

static void a_pending_release_is_released_by_a_second_author(void **state) {
    (void)state;
    struct world w;
    struct draft d;
    uint8_t id[HASH_LEN], unknown[HASH_LEN] = {1};
    open_pending(&w, id, &d);
    assert_int_equal(world_register(&w, &d), CODE_RELEASE_EXISTS);
    assert_int_equal(approve(&w, unknown, AUTHOR_2), CODE_RELEASE_UNKNOWN);
    assert_int_equal(approve(&w, id, AUTHOR_1), CODE_RELEASE_ALREADY_APPROVED);
    assert_int_equal(approve(&w, id, GATEWAY_1), CODE_NOT_AUTHORIZED);
    Assay__UpdatePush push = ASSAY__UPDATE_PUSH__INIT;
    push.release_id = world_bytes(id, HASH_LEN);
    push.class_id = world_bytes(w.class_id, UUID_BYTES);
    assert_int_equal(world_run(&w, "update", "push", &push.base, PEOPLE_OF(AUTHOR_1)), CODE_RELEASE_PENDING);
    assert_int_equal(approve(&w, id, AUTHOR_2), CODE_OK);
    assert_int_equal(latest_of(&w).sequence, 1);
    assert_int_equal(approve(&w, id, AUTHOR_3), CODE_RELEASE_NOT_PENDING);
    world_close(&w);
}

static void an_approval_counts_only_authors_who_still_may(void **state) {
    (void)state;
    struct world w;
    struct draft d;
    uint8_t id[HASH_LEN];
    open_pending(&w, id, &d);
    Assay__AuthorRevoke revoke;
    assay__author_revoke__init(&revoke);
    revoke.author_id = world_bytes(w.public_key[AUTHOR_1], HASH_LEN);
    assert_int_equal(world_run(&w, "author", "revoke", &revoke.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)), CODE_OK);
    assert_int_equal(approve(&w, id, AUTHOR_1), CODE_AUTHOR_REVOKED);
    assert_int_equal(approve(&w, id, AUTHOR_2), CODE_OK);
    assert_false(latest_of(&w).has_release); /* author 1 does not count any more */
    assert_int_equal(approve(&w, id, AUTHOR_3), CODE_OK);
    assert_true(latest_of(&w).has_release);
    world_close(&w);
}

static void a_pending_release_that_was_overtaken_stays_behind(void **state) {
    (void)state;
    struct world w;
    struct draft d, two;
    uint8_t id[HASH_LEN];
    open_pending(&w, id, &d);
    draft_init(&w, &two, 2);
    draft_sign(&w, &two, PEOPLE_OF(AUTHOR_1, AUTHOR_2));
    assert_int_equal(world_register(&w, &two), CODE_OK);
    assert_int_equal(latest_of(&w).sequence, 2);
    assert_int_equal(approve(&w, id, AUTHOR_2), CODE_RELEASE_SEQUENCE_TOO_LOW);
    world_close(&w);
}

static void a_pending_release_expires_by_itself(void **state) {
    (void)state;
    struct world w;
    struct draft d;
    struct release_record record;
    uint8_t id[HASH_LEN];
    bool found = false;
    open_pending(&w, id, &d);
    uint64_t end_ms = w.now_ms + FIRMWARE_PENDING_MS;
    w.now_ms = end_ms;
    assert_int_equal(approve(&w, id, AUTHOR_2), CODE_RELEASE_EXPIRED); /* even before the queue gets to it */
    assert_int_equal(world_block(&w, end_ms), OK);
    assert_int_equal(release_get(&w.state, id, &record, &found), OK);
    assert_int_equal(record.state, RELEASE_EXPIRED);
    assert_int_equal(approve(&w, id, AUTHOR_2), CODE_RELEASE_EXPIRED);
    assert_int_equal(world_revoke(&w, id), CODE_RELEASE_EXPIRED);
    Assay__UpdatePush push = ASSAY__UPDATE_PUSH__INIT;
    push.release_id = world_bytes(id, HASH_LEN);
    push.class_id = world_bytes(w.class_id, UUID_BYTES);
    assert_int_equal(world_run(&w, "update", "push", &push.base, PEOPLE_OF(AUTHOR_1)), CODE_RELEASE_EXPIRED);
    /* Registered again it waits again. */
    assert_int_equal(world_register(&w, &d), CODE_OK);
    assert_int_equal(approve(&w, id, AUTHOR_2), CODE_OK);
    world_close(&w);
}

static void a_pending_release_can_be_withdrawn(void **state) {
    (void)state;
    struct world w;
    struct draft d;
    uint8_t id[HASH_LEN];
    open_pending(&w, id, &d);
    assert_int_equal(world_revoke(&w, id), CODE_OK);
    assert_int_equal(latest_of(&w).highest_revoked, 0);
    assert_int_equal(approve(&w, id, AUTHOR_2), CODE_RELEASE_NOT_PENDING);
    assert_int_equal(world_block(&w, w.now_ms + FIRMWARE_PENDING_MS), OK);
    struct release_record record;
    bool found = false;
    assert_int_equal(release_get(&w.state, id, &record, &found), OK);
    assert_int_equal(record.state, RELEASE_REVOKED);
    world_close(&w);
}

static void define_class_args(const struct world *w, Assay__DefineClass *args, Assay__ComponentSlot *slot,
                              Assay__ComponentSlot **slots, ProtobufCBinaryData *author) {
    assay__define_class__init(args);
    assay__component_slot__init(slot);
    slot->max_size = 5;
    *slots = slot;
    *author = world_bytes(w->public_key[AUTHOR_1], HASH_LEN);
    args->vendor_domain = (char *)(uintptr_t) "acme.example";
    args->class_name = (char *)(uintptr_t) "valve";
    args->org = (char *)(uintptr_t) "acme";
    args->root_key = world_bytes(w->public_key[ACME_ROOT], KEY_LEN);
    args->required_signers = 1;
    args->n_authors = 1;
    args->authors = author;
    args->n_slots = 1;
    args->slots = slots;
}

static enum code define(struct world *w, const Assay__DefineClass *args) {
    return world_run(w, "firmware", "define_class", &args->base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2));
}

static void a_class_is_defined_by_a_vendors_admins(void **state) {
    (void)state;
    struct world w;
    Assay__DefineClass args;
    Assay__ComponentSlot slot, *slots;
    ProtobufCBinaryData author;
    struct class_definition class;
    uint8_t vendor[UUID_BYTES], id[UUID_BYTES];
    bool found = false;
    world_open(&w, 1);
    define_class_args(&w, &args, &slot, &slots, &author);
    assert_int_equal(world_run(&w, "firmware", "define_class", &args.base, PEOPLE_OF(AUTHOR_1)), CODE_NOT_AUTHORIZED);
    assert_int_equal(world_run(&w, "firmware", "define_class", &args.base, PEOPLE_OF(ACME_ADMIN_1)),
                     CODE_ADMIN_THRESHOLD);
    args.org = (char *)(uintptr_t) "ops";
    assert_int_equal(world_run(&w, "firmware", "define_class", &args.base, PEOPLE_OF(OPS_ADMIN)), CODE_ORG_WRONG_KIND);
    args.org = (char *)(uintptr_t) "nobody";
    assert_int_equal(define(&w, &args), CODE_ORG_UNKNOWN);
    args.org = (char *)(uintptr_t) "acme";
    args.required_signers = 2;
    assert_int_equal(define(&w, &args), CODE_CLASS_INVALID);
    args.required_signers = 300;
    assert_int_equal(define(&w, &args), CODE_CLASS_INVALID);
    args.required_signers = 1;
    slot.component = 256;
    assert_int_equal(define(&w, &args), CODE_CLASS_INVALID);
    slot.component = 0;
    args.n_slots = 0;
    assert_int_equal(define(&w, &args), CODE_CLASS_INVALID);
    args.n_slots = 1;
    assert_int_equal(define(&w, &args), CODE_OK);
    assert_int_equal(define(&w, &args), CODE_CLASS_EXISTS);
    class_ids("acme.example", "valve", vendor, id);
    assert_int_equal(class_definition_get(&w.state, id, &class, &found), OK);
    assert_true(found);
    assert_string_equal(class.def.class_name, "valve");
    assert_int_equal(class.def.slot_count, 1);
    assert_int_equal(class.def.slots[0].component, 0);
    assert_int_equal(class.def.slots[0].max_size, 5);
    struct class_record latest;
    assert_int_equal(release_latest(&w.state, id, &latest, &found), OK);
    assert_true(found && !latest.has_release);
    world_close(&w);
}

struct seen {
    uint64_t sequences[8];
    size_t count;
    uint8_t cursor[RELEASE_CURSOR_LEN];
};

static enum err see(void *arg, const struct release_record *release) {
    struct seen *seen = arg;
    seen->sequences[seen->count++] = release->sequence;
    release_cursor(release, seen->cursor);
    return OK;
}

static void releases_are_listed_newest_first_and_by_page(void **state) {
    (void)state;
    struct world w;
    uint8_t id[HASH_LEN];
    struct seen seen = {0};
    world_open(&w, 1);
    for (uint64_t n = 1; n <= 5; n++) {
        world_release(&w, n * 300, id);
    }
    assert_int_equal(release_list(&w.state, w.class_id, NULL, 2, see, &seen), OK);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.sequences[0], 1500);
    assert_int_equal(release_list(&w.state, w.class_id, seen.cursor, 10, see, &seen), OK);
    assert_int_equal(seen.count, 5);
    assert_int_equal(seen.sequences[4], 300);
    seen.count = 0;
    assert_int_equal(release_list(&w.state, w.globex_class_id, NULL, 10, see, &seen), OK);
    assert_int_equal(seen.count, 0);
    assert_int_equal(release_list_all(&w.state, NULL, 10, see, &seen), OK);
    assert_int_equal(seen.count, 5);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_release_becomes_the_latest),
        cmocka_unit_test(sequences_rise_by_bounded_jumps),
        cmocka_unit_test(revoking_the_latest_brings_the_one_before_back),
        cmocka_unit_test(only_the_owners_admins_revoke_and_say_why),
        cmocka_unit_test(the_floor_rises_never_falls_and_hides_what_is_below),
        cmocka_unit_test(signatures_must_be_of_authors_who_may_sign),
        cmocka_unit_test(who_may_register),
        cmocka_unit_test(every_claim_must_agree_with_the_manifest),
        cmocka_unit_test(the_manifest_must_be_for_the_class),
        cmocka_unit_test(a_spoilt_envelope_never_registers),
        cmocka_unit_test(dependencies_exist_and_are_not_revoked),
        cmocka_unit_test(a_pending_release_is_released_by_a_second_author),
        cmocka_unit_test(an_approval_counts_only_authors_who_still_may),
        cmocka_unit_test(a_pending_release_that_was_overtaken_stays_behind),
        cmocka_unit_test(a_pending_release_expires_by_itself),
        cmocka_unit_test(a_pending_release_can_be_withdrawn),
        cmocka_unit_test(a_class_is_defined_by_a_vendors_admins),
        cmocka_unit_test(releases_are_listed_newest_first_and_by_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
