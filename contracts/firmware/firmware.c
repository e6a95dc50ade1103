#include "contracts/firmware/firmware.h"

#include "contracts/author/class_authority.h"
#include "contracts/firmware/firmware.pb-c.h"
#include "contracts/firmware/release_check.h"
#include "contracts/governance/governance.h"
#include "contracts/kernel/due_work.h"
#include "contracts/kernel/method.h"

#include <inttypes.h>
#include <string.h>

/* ---- define_class ------------------------------------------------------------------------------------------- */

/* Takes over the arguments' lists; refuses what does not fit the arrays. */
static bool class_lists_fit(const Assay__DefineClass *args, struct genesis_class *def, struct answer *answer) {
    if (args->n_authors > GENESIS_CLASS_AUTHORS_MAX || args->n_slots > GENESIS_SLOTS_MAX ||
        args->required_signers > GENESIS_CLASS_AUTHORS_MAX) {
        (void)!refuse(answer, CODE_CLASS_INVALID, "at most 16 authors and 8 component slots");
        return false;
    }
    def->required_signers = (uint8_t)args->required_signers;
    def->author_count = (uint8_t)args->n_authors;
    for (size_t i = 0; i < args->n_authors; i++) {
        if (refuse_length(answer, args->authors[i], HASH_LEN, "authors")) {
            return false;
        }
        memcpy(def->authors[i], args->authors[i].data, HASH_LEN);
    }
    def->slot_count = (uint8_t)args->n_slots;
    for (size_t i = 0; i < args->n_slots; i++) {
        if (args->slots[i]->component > UINT8_MAX) {
            (void)!refuse(answer, CODE_CLASS_INVALID, "a component is one byte, not %u", args->slots[i]->component);
            return false;
        }
        def->slots[i].component = (uint8_t)args->slots[i]->component;
        def->slots[i].max_size = args->slots[i]->max_size;
    }
    return true;
}

static enum err define_class(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__DefineClass *args = (const Assay__DefineClass *)(const void *)message;
    struct genesis_class def = {.min_hardware_revision = args->min_hardware_revision};
    if (refuse_text(answer, args->vendor_domain, GENESIS_TEXT_MAX, TEXT_NAME, "vendor_domain") ||
        refuse_text(answer, args->class_name, GENESIS_TEXT_MAX, TEXT_NAME, "class_name") ||
        refuse_length(answer, args->root_key, KEY_LEN, "root_key") || !class_lists_fit(args, &def, answer)) {
        return OK;
    }
    memcpy(def.vendor_domain, args->vendor_domain, strlen(args->vendor_domain) + 1);
    memcpy(def.class_name, args->class_name, strlen(args->class_name) + 1);
    memcpy(def.root_key, args->root_key.data, KEY_LEN);
    struct org_record org;
    enum code code;
    enum err e = org_authorizes(call, args->org, &org, &code);
    if (e != OK || code != CODE_OK) {
        return e != OK ? e : refuse(answer, code, "admins of organisation %.32s must sign", args->org);
    }
    if (org.org.kind != ORG_VENDOR) {
        return refuse(answer, CODE_ORG_WRONG_KIND, "%s is no vendor", org.org.id);
    }
    memcpy(def.org, org.org.id, sizeof def.org);
    const char *flaw = class_definition_flaw(&def);
    if (flaw != NULL) {
        return refuse(answer, CODE_CLASS_INVALID, "%s", flaw);
    }
    struct class_definition class;
    bool found = false;
    class_ids(def.vendor_domain, def.class_name, class.vendor_id, class.class_id);
    struct record_key key = class_definition_key(class.class_id);
    e = state_has(&call->state, &key, &found);
    if (e != OK || found) {
        return e != OK ? e : refuse(answer, CODE_CLASS_EXISTS, "defined before");
    }
    e = class_definition_put(call, &def, &class);
    if (e != OK) {
        return e;
    }
    Assay__DefineClassResult result = ASSAY__DEFINE_CLASS_RESULT__INIT;
    result.vendor_id = pb_of(class.vendor_id, UUID_BYTES);
    result.class_id = pb_of(class.class_id, UUID_BYTES);
    return answer_with(answer, &result.base);
}

/* ---- register and approve ------------------------------------------------------------------------------------- */

static enum err answer_release(struct answer *answer, const struct class_definition *class,
                               const struct release_record *release) {
    Assay__ReleaseResult result = ASSAY__RELEASE_RESULT__INIT;
    result.release_id = pb_of(release->id, HASH_LEN);
    result.sequence = release->sequence;
    result.state = release->state;
    result.signers = release->signer_count;
    result.required_signers = class->def.required_signers;
    return answer_with(answer, &result.base);
}

/* Loads a class and refuses signers who may not act for it. */
static enum err load_class(const struct call *call, const uint8_t class_id[UUID_BYTES], bool authors,
                           struct class_definition *out, struct answer *answer) {
    bool found = false;
    enum code code;
    enum err e = class_definition_get(&call->state, class_id, out, &found);
    if (e != OK || !found) {
        return e != OK ? e : refuse(answer, CODE_CLASS_UNKNOWN, "define the class first");
    }
    e = class_authorizes(call, out, authors, &code);
    if (e != OK || code == CODE_OK) {
        return e;
    }
    return refuse(answer, code, "%sadmins of organisation %s must sign", authors ? "an author of the class or " : "",
                  out->def.org);
}

static bool refuse_claim(const Assay__RegisterRelease *args, struct answer *answer) {
    return refuse_length(answer, args->class_id, UUID_BYTES, "class_id") ||
           refuse_length(answer, args->image_cid, CID_BINARY_LEN, "image_cid") ||
           refuse_length(answer, args->image_digest, HASH_LEN, "image_digest") ||
           refuse_length(answer, args->image_tree_root, HASH_LEN, "image_tree_root") ||
           (args->sbom_cid.len != 0 && refuse_length(answer, args->sbom_cid, CID_BINARY_LEN, "sbom_cid")) ||
           refuse_text(answer, args->version, RELEASE_VERSION_MAX, TEXT_VERSION, "version") ||
           refuse_text(answer, args->notes, RELEASE_NOTES_MAX, TEXT_PROSE, "notes");
}

static enum err register_release(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__RegisterRelease *args = (const Assay__RegisterRelease *)(const void *)message;
    struct class_definition class;
    if (refuse_claim(args, answer)) {
        return OK;
    }
    if (args->version[0] == '\0') {
        return refuse(answer, CODE_BAD_ARGUMENTS, "version is missing");
    }
    enum err e = load_class(call, args->class_id.data, true, &class, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    const struct release_claim claim = {
        .envelope = bytes_of_pb(args->envelope),
        .image_digest = args->image_digest.data,
        .image_size = args->image_size,
        .image_cid = args->image_cid.data,
        .image_tree_root = args->image_tree_root.data,
        .sbom_cid = args->sbom_cid.len == 0 ? NULL : args->sbom_cid.data,
    };
    struct release_record release = {.stamp = record_stamp_new(call), .state = RELEASE_RELEASED};
    e = release_check(call, &class, &claim, &release, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    struct release_record before;
    bool found = false;
    e = release_get(&call->state, release.id, &before, &found);
    if (e != OK || (found && before.state != RELEASE_EXPIRED)) {
        return e != OK ? e : refuse(answer, CODE_RELEASE_EXISTS, "it is %s", release_state_name(before.state));
    }
    memcpy(release.tx_id, call->tx_id, HASH_LEN);
    memcpy(release.sender, call->signers[0], ED25519_KEY_LEN);
    memcpy(release.version, args->version, strlen(args->version) + 1);
    memcpy(release.notes, args->notes, strlen(args->notes) + 1);
    if (release.signer_count < class.def.required_signers) {
        release.state = RELEASE_PENDING;
        release.pending_until_ms = call->time_ms + FIRMWARE_PENDING_MS;
        e = due_queue_add(call, release.pending_until_ms, DUE_PENDING_RELEASE, bytes_of(release.id, HASH_LEN));
    }
    e = e == OK ? release_add(call, &release, claim.envelope) : e;
    if (e == OK && release.state == RELEASE_RELEASED) {
        e = release_enter(call, &release);
    }
    return e == OK ? answer_release(answer, &class, &release) : e;
}

/* Adds the transaction's signers who are authors of the class and may sign; drops earlier ones who no longer may. */
static enum err count_approvals(const struct call *call, const struct class_definition *class,
                                struct release_record *release, struct answer *answer) {
    uint8_t signers[GENESIS_CLASS_AUTHORS_MAX][HASH_LEN];
    size_t count = 0, fresh = 0;
    enum code refusal = CODE_NOT_AUTHORIZED;
    for (size_t i = 0; i < class->def.author_count; i++) {
        const uint8_t *id = class->def.authors[i];
        struct author_key key = {0};
        enum code code;
        bool before = false;
        enum err e = release_check_author(call, class, id, release->sequence, &key, &code);
        if (e != OK) {
            return e;
        }
        for (size_t j = 0; j < release->signer_count; j++) {
            before = before || memcmp(release->signers[j], id, HASH_LEN) == 0;
        }
        bool now = key.type == AUTHOR_ED25519 && call_signed_by(call, key.key);
        if (code == CODE_OK && (before || now)) {
            memcpy(signers[count++], id, HASH_LEN);
            fresh += !before;
        }
        if (now && (code != CODE_OK || before)) {
            refusal = code != CODE_OK ? code : CODE_RELEASE_ALREADY_APPROVED;
        }
    }
    if (fresh == 0) {
        return refuse(answer, refusal, "an author of the class who has not signed yet must sign");
    }
    memcpy(release->signers, signers, count * HASH_LEN);
    release->signer_count = (uint8_t)count;
    return OK;
}

static enum err load_release(const struct call *call, ProtobufCBinaryData id, struct release_record *out,
                             struct answer *answer) {
    bool found = false;
    if (refuse_length(answer, id, HASH_LEN, "release_id")) {
        return OK;
    }
    enum err e = release_get(&call->state, id.data, out, &found);
    return e != OK || found ? e : refuse(answer, CODE_RELEASE_UNKNOWN, "no such release");
}

static enum err approve(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__ApproveRelease *args = (const Assay__ApproveRelease *)(const void *)message;
    struct release_record release = {0};
    struct class_definition class;
    bool found = false;
    enum err e = load_release(call, args->release_id, &release, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    e = class_definition_get(&call->state, release.class_id, &class, &found);
    if (e != OK || !found) {
        return e != OK ? e : ERR_CORRUPT;
    }
    bool over = release.state == RELEASE_PENDING && call->time_ms >= release.pending_until_ms;
    if (release.state == RELEASE_EXPIRED || over) {
        return refuse(answer, CODE_RELEASE_EXPIRED, "it was pending until %" PRIu64, release.pending_until_ms);
    }
    if (release.state != RELEASE_PENDING) {
        return refuse(answer, CODE_RELEASE_NOT_PENDING, "it is %s", release_state_name(release.state));
    }
    e = count_approvals(call, &class, &release, answer);
    e = e == OK && answer->code == CODE_OK ? release_check_sequence(call, release.class_id, release.sequence, answer)
                                           : e;
    e = e == OK && answer->code == CODE_OK ? release_check_dependencies(call, &release, answer) : e;
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    bool enough = release.signer_count >= class.def.required_signers;
    if (enough) {
        release.state = RELEASE_RELEASED;
    }
    record_stamp_touch(&release.stamp, call);
    e = release_put(call, &release, enough ? "release" : "approve", release.version);
    if (e == OK && enough) {
        e = release_enter(call, &release);
    }
    return e == OK ? answer_release(answer, &class, &release) : e;
}

/* Due: a pending release whose time is over becomes expired if it is still pending. */
static enum err pending_due(const struct call *call, struct bytes subject) {
    struct release_record release = {0};
    bool found = false;
    if (subject.len != HASH_LEN) {
        return ERR_CORRUPT;
    }
    enum err e = release_get(&call->state, subject.data, &release, &found);
    /* It may have been released, revoked, or registered again with a later end since. */
    if (e != OK || !found || release.state != RELEASE_PENDING || call->time_ms < release.pending_until_ms) {
        return e;
    }
    release.state = RELEASE_EXPIRED;
    record_stamp_touch(&release.stamp, call);
    return release_put(call, &release, "expire", "");
}

/* ---- revoke and set_minimum_sequence ---------------------------------------------------------------------------- */

static enum err answer_latest(struct answer *answer, const struct class_record *latest) {
    Assay__LatestResult result = ASSAY__LATEST_RESULT__INIT;
    result.class_id = pb_of(latest->class_id, UUID_BYTES);
    result.latest_sequence = latest->sequence;
    result.floor = latest->floor;
    return answer_with(answer, &result.base);
}

static enum err load_latest(const struct call *call, const uint8_t class_id[UUID_BYTES], struct class_record *out) {
    bool found = false;
    enum err e = release_latest(&call->state, class_id, out, &found);
    return e == OK && !found ? ERR_CORRUPT : e;
}

static enum err revoke(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__RevokeRelease *args = (const Assay__RevokeRelease *)(const void *)message;
    struct release_record release = {0};
    struct class_definition class;
    struct class_record latest;
    if (refuse_text(answer, args->reason, RELEASE_REASON_MAX, TEXT_PROSE, "reason")) {
        return OK;
    }
    if (args->reason[0] == '\0') {
        return refuse(answer, CODE_BAD_ARGUMENTS, "reason is missing");
    }
    enum err e = load_release(call, args->release_id, &release, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    e = load_class(call, release.class_id, false, &class, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    if (release.state == RELEASE_REVOKED) {
        return refuse(answer, CODE_RELEASE_REVOKED, "revoked before");
    }
    if (release.state == RELEASE_EXPIRED) {
        return refuse(answer, CODE_RELEASE_EXPIRED, "it was never released");
    }
    bool was_released = release.state == RELEASE_RELEASED;
    release.state = RELEASE_REVOKED;
    memcpy(release.reason, args->reason, strlen(args->reason) + 1);
    record_stamp_touch(&release.stamp, call);
    e = release_put(call, &release, "revoke", release.reason);
    if (e == OK) {
        e = was_released ? release_withdraw(call, &release, &latest) : load_latest(call, release.class_id, &latest);
    }
    return e == OK ? answer_latest(answer, &latest) : e;
}

static enum err set_minimum_sequence(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__SetMinimumSequence *args = (const Assay__SetMinimumSequence *)(const void *)message;
    struct class_definition class;
    struct class_record latest;
    if (refuse_length(answer, args->class_id, UUID_BYTES, "class_id")) {
        return OK;
    }
    enum err e = load_class(call, args->class_id.data, false, &class, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    e = load_latest(call, class.class_id, &latest);
    if (e != OK) {
        return e;
    }
    if (args->sequence <= latest.floor) {
        return refuse(answer, CODE_FLOOR_MUST_RISE, "the floor is %" PRIu64, latest.floor);
    }
    if (args->sequence - 1 > latest.highest_released) {
        return refuse(answer, CODE_FLOOR_TOO_FAR, "the highest released sequence is %" PRIu64, latest.highest_released);
    }
    e = release_raise_floor(call, class.class_id, args->sequence, &latest);
    return e == OK ? answer_latest(answer, &latest) : e;
}

const struct method firmware_methods[] = {
    {"define_class", "define a device class, or delegate it anew", &assay__define_class__descriptor, define_class,
     .event = CONTRACT_EVENT_NONE, .args_max = 4 * METHOD_ARGS_MAX},
    {"register", "register a release", &assay__register_release__descriptor, register_release,
     .event = CONTRACT_EVENT_RELEASE, .args_max = LIMIT_TX_BYTES},
    {"approve", "approve a release", &assay__approve_release__descriptor, approve, .event = CONTRACT_EVENT_RELEASE},
    {"revoke", "revoke a release", &assay__revoke_release__descriptor, revoke, .event = CONTRACT_EVENT_REVOCATION},
    {"set_minimum_sequence", "raise the floor below which nothing is installed",
     &assay__set_minimum_sequence__descriptor, set_minimum_sequence, .event = CONTRACT_EVENT_FLOOR},
    {.name = NULL},
};

static enum err release_refused(const struct call *call, struct bytes subject) {
    struct record_key key = release_key(subject.data);
    return due_note_refused(call, &key);
}

const struct due_handler firmware_due[] = {{DUE_PENDING_RELEASE, pending_due, release_refused}, {.kind = 0}};
