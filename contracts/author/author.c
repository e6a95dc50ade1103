#include "contracts/author/author.h"

#include "contracts/author/author.pb-c.h"
#include "contracts/class/class_definition.h"
#include "contracts/governance/governance.h"
#include "contracts/kernel/method.h"

#include <stdlib.h>
#include <string.h>

#define CONTRACT "author"

bool author_key_parse(uint32_t type, struct bytes key, struct author_key *out) {
    struct author_key parsed = {0};
    if (type == AUTHOR_ED25519 && key.len == KEY_LEN && !bytes_is_zero(key.data, key.len)) {
        parsed.type = AUTHOR_ED25519;
    } else if (type == AUTHOR_P256 && key.len == P256_KEY_LEN && key.data[0] == 0x04) {
        parsed.type = AUTHOR_P256;
    } else {
        return false;
    }
    memcpy(parsed.key, key.data, key.len);
    *out = parsed;
    return true;
}

void author_id(const struct author_key *key, uint8_t out[HASH_LEN]) {
    if (key->type == AUTHOR_P256) {
        sha256(key->key, P256_KEY_LEN, out);
    } else {
        memcpy(out, key->key, KEY_LEN);
    }
}

/* What a P-256 author signs to prove possession of the key. */
static void possession_text(const uint8_t chain_id[CHAIN_ID_LEN], const uint8_t point[P256_KEY_LEN],
                            uint8_t out[POSSESSION_TEXT_LEN]) {
    memcpy(out, TAG_POSSESSION, TAG_LEN);
    memcpy(out + TAG_LEN, chain_id, CHAIN_ID_LEN);
    memcpy(out + TAG_LEN + CHAIN_ID_LEN, point, P256_KEY_LEN);
}

struct record_key author_record_key(const uint8_t id[HASH_LEN]) {
    return record_key(CONTRACT, "author/", bytes_of(id, HASH_LEN));
}

static const char *const key_types[AUTHOR_P256 + 1] = {[AUTHOR_ED25519] = "ed25519", [AUTHOR_P256] = "p256"};

static size_t key_len(const struct author_key *key) {
    return key->type == AUTHOR_P256 ? P256_KEY_LEN : KEY_LEN;
}

static void key_as_hex(const void *value, struct buffer *out) {
    const struct author_key *key = value;
    char text[2 * P256_KEY_LEN + 1];
    hex_encode(key->key, key_len(key), text);
    buffer_put(out, text, 2 * key_len(key));
}

static const struct field key_fields[] = {
    {"key_type", "Of the signing key.", FIELD_NAME, MEMBER(struct author_key, type), NAMES(key_types)},
    {NULL, NULL, FIELD_HEX, FIELD_KEPT, MEMBER(struct author_key, key)},
    {"key", "The signing key: 32 bytes for Ed25519, the uncompressed point for P-256.", FIELD_MADE, FIELD_SHOWN,
     .make = key_as_hex, .pattern = "^([0-9a-f]{64}|04[0-9a-f]{128})$"},
};
const struct record author_key_shape = {"SigningKey", "A public key and its type.",
                                        RECORD_OF(struct author_key, key_fields)};

static const struct field author_fields[] = {
    STAMP(struct author_record),
    {"id", "Its key; of a P-256 key the SHA-256.", FIELD_HEX, MEMBER(struct author_record, id)},
    AUTHOR_KEY(struct author_record, key, "The key it signs releases with."),
    {"organisation", "Whose author it is.", FIELD_TEXT, MEMBER(struct author_record, org)},
    {"expires_ms", "From this block time on it signs nothing more; 0: never.", FIELD_NUMBER,
     MEMBER(struct author_record, expires_ms)},
    {"revoked", "Its organisation has taken its right to sign.", FIELD_BOOL, MEMBER(struct author_record, revoked)},
    {"reason", "Why it was revoked.", FIELD_TEXT, MEMBER(struct author_record, reason)},
    {"delegation", "What the vendor's root key signed for it (CBOR).", FIELD_BLOB,
     COUNTED(struct author_record, delegation, delegation_len)},
};
const struct record author_shape = {"Author", "Who may sign releases.", RECORD_OF(struct author_record, author_fields)};

static enum err author_put(const struct call *call, const struct author_record *record, const char *action,
                           const char *detail) {
    struct record_key key = author_record_key(record->id);
    enum err e = state_write(&call->state, &key, &author_shape, record);
    return e == OK ? state_history(&call->state, &key, action, detail) : e;
}

enum err author_get(const struct state *state, const uint8_t id[HASH_LEN], struct author_record *out, bool *out_found) {
    struct record_key key = author_record_key(id);
    return state_read(state, &key, &author_shape, out, out_found);
}

struct author_visit {
    enum err (*each)(void *arg, const struct author_record *author);
    void *arg;
};

static enum err visit_author(void *arg, struct bytes rest, struct bytes value) {
    const struct author_visit *visit = arg;
    struct author_record record;
    (void)rest;
    enum err e = record_decode(&author_shape, value, &record);
    return e == OK ? visit->each(visit->arg, &record) : e;
}

enum err author_list(const struct state *state, const uint8_t *after, size_t limit,
                     enum err (*each)(void *arg, const struct author_record *author), void *arg) {
    struct record_key prefix = record_key(CONTRACT, "author/", bytes_of(NULL, 0));
    struct author_visit visit = {each, arg};
    return state_each(state, &prefix, bytes_of(after, after == NULL ? 0 : HASH_LEN), limit, visit_author, &visit);
}

enum err author_judge(const struct state *state, const uint8_t id[HASH_LEN], uint64_t time_ms,
                      struct author_record *out, enum code *out_code) {
    bool found = false;
    enum err e = author_get(state, id, out, &found);
    if (e != OK) {
        return e;
    }
    if (!found) {
        *out_code = CODE_AUTHOR_UNKNOWN;
    } else if (out->revoked) {
        *out_code = CODE_AUTHOR_REVOKED;
    } else if (out->expires_ms != 0 && time_ms >= out->expires_ms) {
        *out_code = CODE_AUTHOR_EXPIRED;
    } else {
        struct org_record org;
        e = org_get(state, out->org, &org, &found);
        *out_code = found ? CODE_OK : CODE_ORG_UNKNOWN; /* who has left the consortium speaks for nobody */
    }
    return e;
}

/* ---- Methods ------------------------------------------------------------------------------------------------ */

static bool possession_proven(const struct call *call, const struct author_key *key, ProtobufCBinaryData signature) {
    if (key->type == AUTHOR_ED25519) {
        return signature.len == 0 && call_signed_by(call, key->key);
    }
    uint8_t text[POSSESSION_TEXT_LEN];
    possession_text(call->chain_id, key->key, text);
    return signature.len == SIG_LEN && call->crypto->p256_verify != NULL &&
           call->crypto->p256_verify(key->key, text, sizeof text, signature.data);
}

/* The first class a delegation names tells whose root key must have signed it; every other class must have the same. */
static enum err judge_delegation(const struct call *call, const struct author_key *key, struct bytes encoded,
                                 struct answer *answer) {
    struct class_definition class;
    bool found = false;
    if (encoded.len < DELEGATION_HEAD_LEN + UUID_BYTES || encoded.len > DELEGATION_MAX) {
        return refuse(answer, CODE_DELEGATION_INVALID, "delegation is %zu bytes long", encoded.len);
    }
    enum err e = class_definition_get(&call->state, encoded.data + DELEGATION_HEAD_LEN, &class, &found);
    if (e != OK) {
        return e;
    }
    if (!found) {
        return refuse(answer, CODE_CLASS_UNKNOWN, "delegation names a class that is not defined");
    }
    struct delegation d;
    enum verdict v = delegation_verify(call->crypto, class.def.root_key, encoded, &d);
    if (v != GOOD) {
        return refuse(answer, CODE_DELEGATION_INVALID, "%s", verdict_text(v));
    }
    if (memcmp(d.chain_id, call->chain_id, CHAIN_ID_LEN) != 0) {
        return refuse(answer, CODE_DELEGATION_INVALID, "delegation is for another chain");
    }
    if (d.author.type != key->type || memcmp(d.author.key, key->key, P256_KEY_LEN) != 0) {
        return refuse(answer, CODE_DELEGATION_INVALID, "delegation is for another key");
    }
    for (size_t i = 0; i < d.class_count; i++) {
        struct class_definition other;
        e = class_definition_get(&call->state, d.classes[i], &other, &found);
        if (e != OK) {
            return e;
        }
        if (!found) {
            return refuse(answer, CODE_CLASS_UNKNOWN, "delegation names a class that is not defined");
        }
        if (memcmp(other.def.root_key, class.def.root_key, KEY_LEN) != 0 ||
            memcmp(other.vendor_id, d.vendor_id, UUID_BYTES) != 0) {
            return refuse(answer, CODE_DELEGATION_INVALID, "class %s is of another vendor", other.def.class_name);
        }
    }
    return OK;
}

/* Sets the end of the lifetime; false when it is not allowed. */
static bool lifetime_of(const struct call *call, uint64_t wanted_ms, uint64_t *out_expires_ms) {
    if (wanted_ms == 0) {
        *out_expires_ms = call->time_ms + AUTHOR_LIFETIME_DEFAULT_MS;
        return true;
    }
    *out_expires_ms = wanted_ms;
    return wanted_ms > call->time_ms && wanted_ms - call->time_ms <= AUTHOR_LIFETIME_MAX_MS;
}

static enum err author_register(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__AuthorRegister *args = (const Assay__AuthorRegister *)(const void *)message;
    struct author_record record = {.stamp = record_stamp_new(call)};
    if (!author_key_parse(args->key_type, bytes_of_pb(args->key), &record.key)) {
        return refuse(answer, CODE_AUTHOR_KEY_INVALID, "type %u, %zu bytes", args->key_type, args->key.len);
    }
    author_id(&record.key, record.id);
    struct org_record org;
    enum code code;
    enum err e = org_authorizes(call, args->org, &org, &code);
    if (e != OK || code != CODE_OK) {
        return e != OK ? e : refuse(answer, code, "admins of organisation %.32s must sign", args->org);
    }
    struct author_record before;
    bool known = false;
    e = author_get(&call->state, record.id, &before, &known);
    if (e != OK) {
        return e;
    }
    if (known && before.revoked) {
        return refuse(answer, CODE_AUTHOR_REVOKED, "a revoked key never comes back");
    }
    if (known && strcmp(before.org, args->org) != 0) {
        return refuse(answer, CODE_AUTHOR_EXISTS, "the key belongs to organisation %s", before.org);
    }
    if (!lifetime_of(call, args->expires_ms, &record.expires_ms)) {
        return refuse(answer, CODE_AUTHOR_LIFETIME, "expires_ms must be ahead of block time, at most 5 years");
    }
    if (!possession_proven(call, &record.key, args->possession)) {
        return refuse(answer, CODE_AUTHOR_NO_POSSESSION, "key type %u", args->key_type);
    }
    e = judge_delegation(call, &record.key, bytes_of_pb(args->delegation), answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    if (known) {
        record.stamp = before.stamp;
        record_stamp_touch(&record.stamp, call);
    }
    memcpy(record.org, org.org.id, sizeof record.org);
    memcpy(record.delegation, args->delegation.data, args->delegation.len);
    record.delegation_len = (uint16_t)args->delegation.len;
    e = author_put(call, &record, known ? "renew" : "register", record.org);
    if (e != OK) {
        return e;
    }
    Assay__AuthorRegisterResult result = ASSAY__AUTHOR_REGISTER_RESULT__INIT;
    result.author_id = pb_of(record.id, HASH_LEN);
    return answer_with(answer, &result.base);
}

static enum err author_revoke(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__AuthorRevoke *args = (const Assay__AuthorRevoke *)(const void *)message;
    if (refuse_length(answer, args->author_id, HASH_LEN, "author_id") ||
        refuse_text(answer, args->reason, AUTHOR_REASON_MAX, TEXT_PROSE, "reason")) {
        return OK;
    }
    struct author_record record;
    bool found = false;
    enum err e = author_get(&call->state, args->author_id.data, &record, &found);
    if (e != OK || !found) {
        return e != OK ? e : refuse(answer, CODE_AUTHOR_UNKNOWN, "no such author");
    }
    enum code code;
    e = org_authorizes(call, record.org, NULL, &code);
    if (e != OK || code != CODE_OK) {
        return e != OK ? e : refuse(answer, code, "admins of organisation %s must sign", record.org);
    }
    if (record.revoked) {
        return refuse(answer, CODE_AUTHOR_REVOKED, "revoked before");
    }
    record.revoked = true;
    memcpy(record.reason, args->reason, strlen(args->reason) + 1);
    record_stamp_touch(&record.stamp, call);
    return author_put(call, &record, "revoke", record.reason);
}

const struct method author_methods[] = {
    {"register", "admit an author key, or renew it", &assay__author_register__descriptor, author_register,
     .event = CONTRACT_EVENT_NONE},
    {"revoke", "revoke an author key", &assay__author_revoke__descriptor, author_revoke, .event = CONTRACT_EVENT_NONE},
    {.name = NULL},
};

/* The delegation's first class tells the root key; the others must have the same one. */
static enum err check_delegation(const struct genesis_checking *c, const struct genesis_author *author,
                                 const char *name) {
    uint8_t chain_id[CHAIN_ID_LEN];
    if (author->delegation_len < DELEGATION_HEAD_LEN + UUID_BYTES || author->delegation_len > DELEGATION_MAX) {
        return genesis_broken(c, "author %s: delegation is %u bytes long", name, author->delegation_len);
    }
    const struct genesis_class *class = genesis_find_class(c->genesis, author->delegation + DELEGATION_HEAD_LEN);
    if (class == NULL) {
        return genesis_broken(c, "author %s: delegation names a class that is not defined", name);
    }
    struct delegation d;
    const struct bytes encoded = {author->delegation, author->delegation_len};
    enum verdict v = delegation_verify(c->crypto, class->root_key, encoded, &d);
    if (v != GOOD) {
        return genesis_broken(c, "author %s: delegation: %s", name, verdict_text(v));
    }
    genesis_chain_id(c->genesis, c->crypto, chain_id);
    if (memcmp(d.chain_id, chain_id, CHAIN_ID_LEN) != 0) {
        return genesis_broken(c, "author %s: delegation is for another chain", name);
    }
    if (d.author.type != author->key.type || memcmp(d.author.key, author->key.key, P256_KEY_LEN) != 0) {
        return genesis_broken(c, "author %s: delegation is for another key", name);
    }
    for (size_t i = 0; i < d.class_count; i++) {
        uint8_t vendor[UUID_BYTES], id[UUID_BYTES];
        const struct genesis_class *other = genesis_find_class(c->genesis, d.classes[i]);
        if (other == NULL) {
            return genesis_broken(c, "author %s: delegation names a class that is not defined", name);
        }
        class_ids(other->vendor_domain, other->class_name, vendor, id);
        if (memcmp(other->root_key, class->root_key, KEY_LEN) != 0 || memcmp(vendor, d.vendor_id, UUID_BYTES) != 0) {
            return genesis_broken(c, "author %s: delegation covers a class of another vendor", name);
        }
    }
    return OK;
}

bool author_key_is_sound(enum author_key_type type, const uint8_t key[P256_KEY_LEN]) {
    struct author_key parsed;
    size_t len = type == AUTHOR_P256 ? P256_KEY_LEN : KEY_LEN;
    return author_key_parse(type, bytes_of(key, len), &parsed) && memcmp(parsed.key, key, P256_KEY_LEN) == 0;
}

enum err author_genesis_check(const struct genesis_checking *c) {
    const struct genesis *g = c->genesis;
    uint8_t(*ids)[HASH_LEN] = malloc((g->author_count + 1) * sizeof *ids);
    if (ids == NULL) {
        return ERR_NOMEM;
    }
    enum err e = OK;
    for (size_t i = 0; i < g->author_count && e == OK; i++) {
        const struct genesis_author *author = &g->authors[i];
        char name[2 * HASH_LEN + 1];
        author_id(&author->key, ids[i]);
        hex_encode(ids[i], HASH_LEN, name);
        if (!author_key_is_sound(author->key.type, author->key.key)) {
            e = genesis_broken(c, "author %s: not a usable key of its type", name);
        } else if (genesis_find_org(g, author->org) == NULL) {
            e = genesis_broken(c, "author %s: no such organisation: %s", name, author->org);
        } else {
            e = check_delegation(c, author, name);
        }
    }
    if (e != OK) {
        free(ids);
        return e;
    }
    return genesis_unique(c, "author", ids, g->author_count);
}

enum err author_genesis(const struct call *call, const struct genesis *genesis) {
    enum err e = OK;
    for (size_t i = 0; i < genesis->author_count && e == OK; i++) {
        const struct genesis_author *from = &genesis->authors[i];
        struct author_record record = {
            .stamp = record_stamp_new(call),
            .key = from->key,
            .expires_ms = from->expires_ms,
            .delegation_len = from->delegation_len,
        };
        author_id(&record.key, record.id);
        memcpy(record.org, from->org, sizeof record.org);
        memcpy(record.delegation, from->delegation, sizeof record.delegation);
        e = author_put(call, &record, "genesis", record.org);
    }
    return e;
}
