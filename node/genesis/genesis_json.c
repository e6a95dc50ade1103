#include "node/genesis/genesis_json.h"

#include "base/file.h"
#include "node/genesis/genesis_json_records.h"

#include <string.h>

static const struct field params_fields[] = {
    {"heartbeat_ms", "An idle chain makes a block this often; 0: never.", FIELD_NUMBER,
     MEMBER(struct genesis_params, heartbeat_ms)},
    {"max_block_txs", "Most transactions of a block.", FIELD_NUMBER, MEMBER(struct genesis_params, max_block_txs),
     .min = 1, .max = LIMIT_BLOCK_TXS},
    {"max_block_bytes", "Most bytes of a block.", FIELD_NUMBER, MEMBER(struct genesis_params, max_block_bytes),
     .min = LIMIT_TX_BYTES, .max = LIMIT_BLOCK_BYTES},
    {"tx_max_lifetime_ms", "How far ahead a transaction's expiry may be.", FIELD_NUMBER,
     MEMBER(struct genesis_params, tx_max_lifetime_ms), .min = 1000, .max = LIMIT_TX_LIFETIME_MS},
    {"vote_threshold_percent", "Share of the organisations that a proposal needs.", FIELD_NUMBER,
     MEMBER(struct genesis_params, vote_threshold_percent), .min = 51, .max = 100},
    {"protocol_version", "The rules in force.", FIELD_NUMBER, MEMBER(struct genesis_params, protocol_version),
     .min = 1},
};
const struct record genesis_json_params = {"GenesisParams", "What the chain begins with.",
                                           RECORD_OF(struct genesis_params, params_fields)};

static const struct field org_fields[] = {
    {"id", "Short name, the same for ever.", FIELD_TEXT, MEMBER(struct genesis_org, id)},
    {"name", "As people call it.", FIELD_TEXT, MEMBER(struct genesis_org, name)},
    {"kind", "What it does in the consortium.", FIELD_NAME, MEMBER(struct genesis_org, kind), NAMES(org_kind_names)},
    {"admins", "Signing keys of its admins.", FIELD_LIST, COUNTED(struct genesis_org, admins, admin_count)},
    {"admin_threshold", "How many of the admins must sign to speak for it.", FIELD_NUMBER,
     MEMBER(struct genesis_org, admin_threshold), .min = 1, .max = GENESIS_ADMINS_MAX},
};
const struct record genesis_json_org = {"GenesisOrganisation", "A founding member.",
                                        RECORD_OF(struct genesis_org, org_fields)};

static const struct field node_fields[] = {
    {"key", "Its signing key.", FIELD_HEX, MEMBER(struct genesis_node, key)},
    {"link_key", "X25519 key of its links.", FIELD_HEX, MEMBER(struct genesis_node, link_key)},
    {"org", "Whose it is.", FIELD_TEXT, MEMBER(struct genesis_node, org)},
    {"role", "What it is.", FIELD_NAME, MEMBER(struct genesis_node, role), NAMES(node_role_names)},
    {"peer", "HOST:PORT for other nodes; empty for a gateway.", FIELD_TEXT, MEMBER(struct genesis_node, peer)},
    {"http", "Base URL of its API; empty when it serves nobody.", FIELD_TEXT, MEMBER(struct genesis_node, http)},
};
const struct record genesis_json_node = {"GenesisNode", "A machine of an organisation.",
                                         RECORD_OF(struct genesis_node, node_fields)};

static const struct field slot_fields[] = {
    {"component", "SUIT component identifier.", FIELD_NUMBER, MEMBER(struct genesis_slot, component)},
    {"max_size", "Most bytes of an image.", FIELD_NUMBER, MEMBER(struct genesis_slot, max_size), .min = 1},
};
static const struct record slot_shape = {"GenesisSlot", "Where an image goes.",
                                         RECORD_OF(struct genesis_slot, slot_fields)};

static const struct field class_fields[] = {
    {"vendor_domain", "The vendor's id is made of it.", FIELD_TEXT, MEMBER(struct genesis_class, vendor_domain)},
    {"class_name", "With the domain it makes the class's id.", FIELD_TEXT, MEMBER(struct genesis_class, class_name)},
    {"org", "The organisation whose class it is.", FIELD_TEXT, MEMBER(struct genesis_class, org)},
    {"root_key", "Delegations of authors are checked against it.", FIELD_HEX, MEMBER(struct genesis_class, root_key)},
    {"min_hardware_revision", "Devices of an older one are none of it.", FIELD_NUMBER,
     MEMBER(struct genesis_class, min_hardware_revision)},
    {"required_signers", "How many authors a release needs.", FIELD_NUMBER,
     MEMBER(struct genesis_class, required_signers), .min = 1, .max = GENESIS_CLASS_AUTHORS_MAX},
    {"authors", "Ids of those who may sign.", FIELD_LIST, COUNTED(struct genesis_class, authors, author_count)},
    {"slots", "Of its devices.", FIELD_LIST, COUNTED(struct genesis_class, slots, slot_count), .of = &slot_shape},
};
static const struct record class_shape = {"GenesisClass", "Devices of one make.",
                                          RECORD_OF(struct genesis_class, class_fields)};

/* A public key and its type; the length is the type's. `kinds` is an array of this for the struct and its member. */
#define KEY_OF(type, member, len)                                                                                      \
    {                                                                                                                  \
        { "key", "The signing key.", FIELD_HEX, .at = offsetof(type, member), .size = (len) }                          \
    }
#define KEY_KINDS(type, ed25519, p256)                                                                                 \
    {                                                                                                                  \
        [AUTHOR_ED25519] = {"ed25519", "32 bytes.", RECORD_OF(type, ed25519)},                                         \
        [AUTHOR_P256] = {"p256", "The uncompressed point.", RECORD_OF(type, p256)},                                    \
    }

static const struct field author_ed25519[] = KEY_OF(struct genesis_author, key.key, ED25519_KEY_LEN);
static const struct field author_p256[] = KEY_OF(struct genesis_author, key.key, P256_KEY_LEN);
static const struct record author_keys[] = KEY_KINDS(struct genesis_author, author_ed25519, author_p256);

static const struct field author_fields[] = {
    {"key_type", "Of the signing key.", FIELD_KIND, MEMBER(struct genesis_author, key.type), KINDS(author_keys)},
    {"org", "Whose author it is.", FIELD_TEXT, MEMBER(struct genesis_author, org)},
    {"expires_ms", "From this block time on it signs nothing more; 0: never.", FIELD_NUMBER,
     MEMBER(struct genesis_author, expires_ms)},
    {"delegation", "The root key's word for it.", FIELD_BLOB,
     COUNTED(struct genesis_author, delegation, delegation_len)},
};
static const struct record author_shape = {"GenesisAuthor", "Who signs releases.",
                                           RECORD_OF(struct genesis_author, author_fields)};

static const struct field device_ed25519[] = KEY_OF(struct genesis_device, key, ED25519_KEY_LEN);
static const struct field device_p256[] = KEY_OF(struct genesis_device, key, P256_KEY_LEN);
static const struct record device_keys[] = KEY_KINDS(struct genesis_device, device_ed25519, device_p256);

static const struct field device_fields[] = {
    {"key_type", "Of the signing key.", FIELD_KIND, MEMBER(struct genesis_device, key_type), KINDS(device_keys)},
    {"vendor_domain", "Of its class.", FIELD_TEXT, MEMBER(struct genesis_device, vendor_domain)},
    {"class_name", "Of its class.", FIELD_TEXT, MEMBER(struct genesis_device, class_name)},
    {"hardware_revision", "Of the machine.", FIELD_NUMBER, MEMBER(struct genesis_device, hardware_revision)},
    {"running_sequence", "Of the release it runs.", FIELD_NUMBER, MEMBER(struct genesis_device, running_sequence)},
    {"gateway", "Signing key of the gateway it comes under.", FIELD_HEX, MEMBER(struct genesis_device, gateway)},
    {"mac_hmac", "Its hardware address, keyed.", FIELD_HEX, MEMBER(struct genesis_device, mac_hmac)},
    {"endorsed", "Has the vendor vouched for its key?", FIELD_BOOL, MEMBER(struct genesis_device, endorsed)},
};
static const struct record device_shape = {"GenesisDevice", "A device.",
                                           RECORD_OF(struct genesis_device, device_fields)};

static const struct field predecessor_fields[] = {
    {"chain_id", "Of the chain that was lost.", FIELD_HEX, MEMBER(struct genesis_predecessor, chain_id)},
    {"height", "Of its last final block.", FIELD_NUMBER, MEMBER(struct genesis_predecessor, height)},
    {"block_hash", "Of that block.", FIELD_HEX, MEMBER(struct genesis_predecessor, block_hash)},
    {"state_root", "After that block.", FIELD_HEX, MEMBER(struct genesis_predecessor, state_root)},
    {"records_hash", "SHA-256 of the file of its records.", FIELD_HEX,
     MEMBER(struct genesis_predecessor, records_hash)},
};
static const struct record predecessor_shape = {"GenesisPredecessor", "The chain that this one takes over from.",
                                                RECORD_OF(struct genesis_predecessor, predecessor_fields)};

static void format(const void *genesis, struct buffer *out) {
    (void)genesis;
    buffer_words(out, "assay-genesis-1");
}

#define MANY(member, counter) ROWS(struct genesis, member, counter, GENESIS_JSON_RECORDS_MAX)

static const struct field genesis_fields[] = {
    GENESIS_JSON_HEAD(struct genesis, format),
    {"organisations", "The consortium.", FIELD_ROWS, MANY(orgs, org_count), .of = &genesis_json_org},
    {"nodes", "Their machines; the validators in this order.", FIELD_ROWS, MANY(nodes, node_count),
     .of = &genesis_json_node},
    {"classes", "Of devices.", FIELD_ROWS, MANY(classes, class_count), .of = &class_shape},
    {"authors", "Who sign releases.", FIELD_ROWS, MANY(authors, author_count), .of = &author_shape},
    {"devices", "Known from the start.", FIELD_ROWS, MANY(devices, device_count), .of = &device_shape},
    /* Few chains take over from another. */
    {"predecessor", "The chain that this one takes over from.", FIELD_RECORD, MEMBER(struct genesis, predecessor),
     .of = &predecessor_shape, IF(struct genesis, predecessor.named), .is_omitted = true},
};
static const struct record genesis_shape = {"Genesis", "What a chain starts from.",
                                            RECORD_OF(struct genesis, genesis_fields)};

enum err genesis_json_parse(struct bytes text, struct genesis *out, struct why *out_why) {
    struct genesis genesis;
    enum err e = record_file_parse(&genesis_shape, text, GENESIS_JSON_MAX, &genesis, out_why);
    if (e != OK) {
        genesis_free(&genesis);
        return e;
    }
    *out = genesis;
    return OK;
}

enum err genesis_json_load(const char *path, struct genesis *out, struct why *out_why) {
    struct buffer text = BUFFER_INIT;
    enum err e = file_read(path, GENESIS_JSON_MAX, &text);
    if (e != OK) {
        why_set(out_why, "%.150s: %s", path, err_text(e));
    } else {
        e = genesis_json_parse(buffer_bytes(&text), out, out_why);
    }
    buffer_free(&text);
    return e;
}

enum err genesis_json_render(const struct genesis *genesis, struct buffer *out) {
    return record_file_render(&genesis_shape, genesis, out);
}
