#include "device/ports/host/host_genesis.h"

#include "device/ports/host/host_json.h"
#include "device/ports/host/host_secure.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>

#define NAME_MAX_LEN 64

/* UUID version 5 (RFC 9562): SHA-1 of the namespace and the name. */
static bool uuid_5(const uint8_t space[UUID_BYTES], const char *name, size_t len, uint8_t out[UUID_BYTES]) {
    uint8_t text[UUID_BYTES + 256], digest[EVP_MAX_MD_SIZE];
    if (len > 256) {
        return false;
    }
    memcpy(text, space, UUID_BYTES);
    memcpy(text + UUID_BYTES, name, len);
    if (EVP_Digest(text, UUID_BYTES + len, digest, NULL, EVP_sha1(), NULL) != 1) {
        return false;
    }
    memcpy(out, digest, UUID_BYTES);
    out[6] = (uint8_t)((out[6] & 0x0f) | 0x50);
    out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
    return true;
}

/* RFC 9124: the vendor's from its domain, the class's from its name within the vendor's. */
static bool class_ids(const char *class_name, struct host_genesis *out) {
    static const uint8_t dns[UUID_BYTES] = {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
                                            0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};
    const char *slash = strchr(class_name, '/');
    return slash != NULL && slash > class_name && slash[1] != '\0' &&
           uuid_5(dns, class_name, (size_t)(slash - class_name), out->vendor_id) &&
           uuid_5(out->vendor_id, slash + 1, strlen(slash + 1), out->class_id);
}

static bool take_validators(const json_t *root, struct host_genesis *out) {
    size_t i;
    json_t *node;
    json_array_foreach(json_object_get(root, "nodes"), i, node) {
        const char *role = json_string_value(json_object_get(node, "role"));
        if (role == NULL || strcmp(role, "validator") != 0) {
            continue;
        }
        if (out->validator_count == VALIDATORS_MAX ||
            !host_json_hex(node, "key", out->validators[out->validator_count], KEY_LEN)) {
            return false;
        }
        out->validator_count++;
    }
    return out->validator_count > 0;
}

/* contracts/genesis/genesis.h has the layout. */
static bool take_chain_id(const json_t *root, struct host_genesis *out) {
    uint8_t fixed[1 + 8 + 32 + HASH_LEN + 1];
    uint64_t time_ms;
    const char *name = json_string_value(json_object_get(root, "name"));
    const struct validator_set set = {(const uint8_t(*)[KEY_LEN])out->validators, out->validator_count};
    if (name == NULL || strlen(name) > NAME_MAX_LEN || !host_json_number(root, "time_ms", INT64_MAX, &time_ms) ||
        !host_json_hex(root, "salt", fixed + 9, 32)) {
        return false;
    }
    fixed[0] = 1;
    store_u64(fixed + 1, time_ms);
    validators_hash(&host_port_crypto, &set, fixed + 41);
    fixed[73] = (uint8_t)strlen(name);
    const struct bytes parts[] = {
        {(const uint8_t *)TAG_GENESIS, TAG_LEN}, {fixed, sizeof fixed}, {(const uint8_t *)name, strlen(name)}};
    hash_parts(&host_port_crypto, parts, 3, out->chain_id);
    return true;
}

static bool is_class(const json_t *class_json, const char *class_name) {
    const char *domain = json_string_value(json_object_get(class_json, "vendor_domain"));
    const char *name = json_string_value(json_object_get(class_json, "class_name"));
    size_t len = domain != NULL ? strlen(domain) : 0;
    return domain != NULL && name != NULL && strncmp(class_name, domain, len) == 0 && class_name[len] == '/' &&
           strcmp(class_name + len + 1, name) == 0;
}

static bool take_class(const json_t *root, const char *class_name, struct host_genesis *out, bool *out_found) {
    size_t i;
    json_t *class_json;
    json_array_foreach(json_object_get(root, "classes"), i, class_json) {
        uint64_t component, revision;
        if (!is_class(class_json, class_name)) {
            continue;
        }
        const json_t *slot = json_array_get(json_object_get(class_json, "slots"), 0);
        *out_found = true;
        if (!host_json_hex(class_json, "root_key", out->root_key, KEY_LEN) ||
            !host_json_number(class_json, "min_hardware_revision", UINT32_MAX, &revision) ||
            !host_json_number(slot, "component", UINT8_MAX, &component) ||
            !host_json_number(slot, "max_size", INT64_MAX, &out->slot_size)) {
            return false;
        }
        out->component = (uint8_t)component;
        out->min_hardware_revision = (uint32_t)revision;
        return true;
    }
    *out_found = false;
    return true;
}

bool host_genesis_read(const char *path, const char *class_name, struct host_genesis *out, struct why *why) {
    struct host_genesis genesis = {0};
    json_error_t error;
    bool found = false, good = false;
    if (!class_ids(class_name, &genesis)) {
        return why_not(why, "class \"%s\" is not of the form VENDOR_DOMAIN/CLASS", class_name);
    }
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return why_not(why, "genesis %s cannot be read: %s", path, error.text);
    }
    const char *format = json_string_value(json_object_get(root, "format"));
    if (format == NULL || strcmp(format, "assay-genesis-1") != 0) {
        why_set(why, "%s is not of the format assay-genesis-1", path);
    } else if (!take_validators(root, &genesis) || !take_chain_id(root, &genesis) ||
               !take_class(root, class_name, &genesis, &found)) {
        why_set(why, "%s: name, time, salt, validators or class are not in order", path);
    } else if (!found) {
        why_set(why, "%s defines no class %s", path, class_name);
    } else {
        *out = genesis;
        good = true;
    }
    json_decref(root);
    return good;
}
