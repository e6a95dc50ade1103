#include "node/genesis/testnet.h"

#include "base/clock.h"
#include "base/file.h"
#include "contracts/contracts.h"
#include "node/genesis/genesis_json.h"
#include "node/host/config.h"
#include "node/host/host_crypto.h"
#include "node/host/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_LEN 512
#define CONNECTIONS 512 /* tests and load generators all come from the loopback address */

/* A network being laid out. */
struct layout {
    const struct testnet_plan *plan;
    struct genesis genesis;
    struct why *why;
    struct keyfile root, device;
    struct keyfile authors[TESTNET_AUTHORS];
    const char *vendor; /* the first one */
    char domain[GENESIS_TEXT_MAX + 1];
};

void testnet_plan_default(struct testnet_plan *out) {
    static const char *const orgs[] = {"vendor:acme", "vendor:globex", "broker:mirror", "operator:ops"};
    *out = (struct testnet_plan){.validators = 4, .gateways = 1, .base_port = 26600, .policy = 1};
    for (size_t i = 0; i < sizeof orgs / sizeof orgs[0]; i++) {
        (void)testnet_plan_add_org(out, orgs[i]);
    }
}

bool testnet_plan_add_org(struct testnet_plan *plan, const char *text) {
    const char *colon = strchr(text, ':');
    enum org_kind kind;
    if (colon == NULL || !org_kind_of(bytes_of(text, (size_t)(colon - text)), &kind) ||
        !genesis_org_id_is_clean(colon + 1) || plan->org_count == TESTNET_ORGS_MAX) {
        return false;
    }
    for (size_t i = 0; i < plan->org_count; i++) {
        if (strcmp(plan->orgs[i].id, colon + 1) == 0) {
            return false;
        }
    }
    plan->orgs[plan->org_count].kind = kind;
    memcpy(plan->orgs[plan->org_count++].id, colon + 1, strlen(colon + 1) + 1);
    return true;
}

/* ---- Small helpers ---- */

static enum err fail(struct layout *l, enum err e, const char *what) {
    why_set(l->why, "%.200s: %s", what, err_text(e));
    return e;
}

static enum err path_of(struct layout *l, const char *a, const char *b, char out[PATH_LEN]) {
    int n = snprintf(out, PATH_LEN, "%s/%s%s%s", l->plan->dir, a, b[0] != '\0' ? "/" : "", b);
    return n > 0 && n < PATH_LEN ? OK : fail(l, ERR_TOOLARGE, "the folder's name");
}

static enum err save_key(struct layout *l, const char *folder, const char *name, const struct keyfile *key) {
    char path[PATH_LEN];
    enum err e = path_of(l, folder, name, path);
    if (e == OK) {
        e = keyfile_write(path, key, bytes_of(NULL, 0));
        e = e == OK ? OK : fail(l, e, path);
    }
    return e;
}

/* The n-th organisation of a kind, the last of that kind when there are fewer, the very first when there is none. */
static const char *org_of_kind(const struct testnet_plan *plan, enum org_kind kind, size_t n) {
    const char *found = plan->orgs[0].id;
    size_t seen = 0;
    for (size_t i = 0; i < plan->org_count; i++) {
        if (plan->orgs[i].kind == kind && seen++ <= n) {
            found = plan->orgs[i].id;
        }
    }
    return found;
}

static const char *owner_of_node(const struct testnet_plan *plan, size_t index) {
    bool validator = index < plan->validators;
    if (validator && index < 2) {
        return org_of_kind(plan, ORG_VENDOR, index);
    }
    return org_of_kind(plan, validator && index == 2 ? ORG_BROKER : ORG_OPERATOR, 0);
}

static void name_of_node(const struct testnet_plan *plan, size_t index, char out[32]) {
    bool validator = index < plan->validators;
    (void)snprintf(out, 32, "%s%zu", validator ? "validator" : "gateway", validator ? index : index - plan->validators);
}

static unsigned peer_port(const struct testnet_plan *plan, size_t index) {
    return (unsigned)plan->base_port + TESTNET_PORT_STEP * (unsigned)index;
}

/* ---- Records of the genesis, with the keys they need ---- */

static enum err add_orgs(struct layout *l) {
    for (size_t i = 0; i < l->plan->org_count; i++) {
        struct genesis_org *org = &l->genesis.orgs[i];
        struct keyfile admin;
        char name[80];
        keyfile_generate(KEYFILE_ED25519, &admin);
        (void)snprintf(org->id, sizeof org->id, "%s", l->plan->orgs[i].id);
        (void)snprintf(org->name, sizeof org->name, "%s", l->plan->orgs[i].id);
        (void)snprintf(name, sizeof name, "admin-%s.key", org->id);
        org->kind = l->plan->orgs[i].kind;
        memcpy(org->admins[0], admin.public_key, ED25519_KEY_LEN);
        org->admin_count = org->admin_threshold = 1;
        enum err e = save_key(l, "keys", name, &admin);
        keyfile_wipe(&admin);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

static enum err add_node(struct layout *l, size_t index) {
    struct genesis_node *node = &l->genesis.nodes[index];
    struct keyfile key;
    struct keyfile link;
    char home[32];
    char path[PATH_LEN];
    bool validator = index < l->plan->validators;
    name_of_node(l->plan, index, home);
    keyfile_generate(KEYFILE_ED25519, &key);
    keyfile_generate(KEYFILE_X25519, &link);
    memcpy(node->key, key.public_key, sizeof node->key);
    memcpy(node->link_key, link.public_key, sizeof node->link_key);
    (void)snprintf(node->org, sizeof node->org, "%s", owner_of_node(l->plan, index));
    node->role = validator ? NODE_VALIDATOR : NODE_GATEWAY;
    if (validator) {
        (void)snprintf(node->peer, sizeof node->peer, "127.0.0.1:%u", peer_port(l->plan, index));
    }
    (void)snprintf(node->http, sizeof node->http, "http://127.0.0.1:%u", peer_port(l->plan, index) + 1);
    enum err e = path_of(l, home, "data", path);
    if (e == OK) {
        e = dir_make(path);
        e = e == OK ? OK : fail(l, e, path);
    }
    if (e == OK) {
        e = save_key(l, home, "node.key", &key);
    }
    if (e == OK) {
        e = save_key(l, home, "link.key", &link);
    }
    keyfile_wipe(&key);
    keyfile_wipe(&link);
    return e;
}

static enum err make_vendor_keys(struct layout *l) {
    char name[80];
    l->vendor = org_of_kind(l->plan, ORG_VENDOR, 0);
    (void)snprintf(l->domain, sizeof l->domain, "%s.example", l->vendor);
    keyfile_generate(KEYFILE_ED25519, &l->root);
    keyfile_generate(KEYFILE_ED25519, &l->device);
    (void)snprintf(name, sizeof name, "root-%s.key", l->vendor);
    enum err e = save_key(l, "keys", name, &l->root);
    for (size_t i = 0; i < TESTNET_AUTHORS && e == OK; i++) {
        keyfile_generate(KEYFILE_ED25519, &l->authors[i]);
        (void)snprintf(name, sizeof name, "author-%s-%zu.key", l->vendor, i + 1);
        e = save_key(l, "keys", name, &l->authors[i]);
    }
    return e == OK ? save_key(l, "keys", "device-1.key", &l->device) : e;
}

static void add_class(struct layout *l) {
    struct genesis_class *class = &l->genesis.classes[0];
    (void)snprintf(class->vendor_domain, sizeof class->vendor_domain, "%s", l->domain);
    (void)snprintf(class->class_name, sizeof class->class_name, "thermostat");
    (void)snprintf(class->org, sizeof class->org, "%s", l->vendor);
    memcpy(class->root_key, l->root.public_key, sizeof class->root_key);
    class->required_signers = l->plan->policy;
    class->author_count = TESTNET_AUTHORS;
    for (size_t i = 0; i < TESTNET_AUTHORS; i++) {
        memcpy(class->authors[i], l->authors[i].public_key, HASH_LEN);
    }
    class->slot_count = 1;
    class->slots[0] = (struct genesis_slot){.component = 0, .max_size = TESTNET_SLOT_BYTES};
}

/* The root key vouches for the author; the delegation is bound to the chain. */
static void add_author(struct layout *l, size_t index, const uint8_t chain_id[CHAIN_ID_LEN]) {
    struct genesis_author *author = &l->genesis.authors[index];
    struct delegation d = {.last_sequence = UINT64_MAX, .class_count = 1};
    uint8_t text[TAG_LEN + DELEGATION_MAX];
    author->key.type = AUTHOR_ED25519;
    memcpy(author->key.key, l->authors[index].public_key, ED25519_KEY_LEN);
    (void)snprintf(author->org, sizeof author->org, "%s", l->vendor);
    d.author = author->key;
    memcpy(d.chain_id, chain_id, CHAIN_ID_LEN);
    uuid_vendor(bytes_str(l->domain), d.vendor_id);
    uuid_class(d.vendor_id, bytes_str("thermostat"), d.classes[0]);
    size_t len = delegation_encode(&d, author->delegation);
    memcpy(text, TAG_DELEGATION, TAG_LEN);
    memcpy(text + TAG_LEN, author->delegation, len);
    ed25519_sign(l->root.secret, text, TAG_LEN + len, author->delegation + len);
    author->delegation_len = (uint16_t)(len + SIG_LEN);
}

static void add_device(struct layout *l) {
    struct genesis_device *device = &l->genesis.devices[0];
    device->key_type = AUTHOR_ED25519;
    memcpy(device->key, l->device.public_key, ED25519_KEY_LEN);
    (void)snprintf(device->vendor_domain, sizeof device->vendor_domain, "%s", l->domain);
    (void)snprintf(device->class_name, sizeof device->class_name, "thermostat");
    device->hardware_revision = 1;
    memcpy(device->gateway, l->genesis.nodes[l->plan->validators].key, ED25519_KEY_LEN);
    random_fill(device->mac_hmac, sizeof device->mac_hmac);
    device->endorsed = true;
}

/* ---- Files ---- */

static enum err write_home(struct layout *l, size_t index, struct bytes genesis) {
    struct config config;
    char home[32];
    char path[PATH_LEN];
    config_default(&config);
    name_of_node(l->plan, index, home);
    config.node.role = l->genesis.nodes[index].role;
    (void)snprintf(config.node.org, sizeof config.node.org, "%s", l->genesis.nodes[index].org);
    (void)snprintf(config.peer.listen, sizeof config.peer.listen, "127.0.0.1:%u", peer_port(l->plan, index));
    (void)snprintf(config.http.listen, sizeof config.http.listen, "127.0.0.1:%u", peer_port(l->plan, index) + 1);
    config.http.max_connections = config.http.max_connections_per_ip = CONNECTIONS;
    if (config.node.role == NODE_GATEWAY) {
        for (size_t i = 0; i < l->plan->validators && i < CONFIG_SOURCES_MAX; i++) {
            (void)snprintf(config.gateway.sources.url[i], CONFIG_URL_MAX, "%s", l->genesis.nodes[i].http);
            config.gateway.sources.count = i + 1;
        }
    }
    enum err e = path_of(l, home, "assay.conf", path);
    if (e == OK) {
        e = config_write(&config, path);
        e = e == OK ? path_of(l, home, "genesis.json", path) : fail(l, e, path);
    }
    if (e == OK) {
        e = file_write_atomic(path, genesis, 0644);
        e = e == OK ? OK : fail(l, e, path);
    }
    return e;
}

static enum err write_files(struct layout *l) {
    struct buffer text = BUFFER_INIT;
    char path[PATH_LEN];
    struct why why = WHY_NONE;
    enum err e = contracts_genesis_check(&l->genesis, &host_crypto, &why);
    if (e != OK) {
        why_set(l->why, "the plan makes no good genesis: %s", why.text);
        return e;
    }
    e = genesis_json_render(&l->genesis, &text);
    if (e == OK) {
        e = path_of(l, "genesis.json", "", path);
    }
    if (e == OK) {
        e = file_write_atomic(path, buffer_bytes(&text), 0644);
        e = e == OK ? OK : fail(l, e, path);
    }
    for (size_t i = 0; i < l->genesis.node_count && e == OK; i++) {
        e = write_home(l, i, buffer_bytes(&text));
    }
    buffer_free(&text);
    return e;
}

/* ---- The whole ---- */

static enum err check_plan(struct layout *l) {
    const struct testnet_plan *plan = l->plan;
    size_t nodes = plan->validators + plan->gateways;
    const char *wrong = NULL;
    bool has_vendor = false;
    for (size_t i = 0; i < plan->org_count; i++) {
        has_vendor |= plan->orgs[i].kind == ORG_VENDOR;
    }
    if (plan->validators == 0 || plan->validators > LIMIT_VALIDATORS || plan->gateways > TESTNET_GATEWAYS_MAX) {
        wrong = "1 to 100 validators and at most 32 gateways";
    } else if (plan->base_port == 0 || (size_t)plan->base_port + TESTNET_PORT_STEP * nodes > 65535) {
        wrong = "the ports must lie between 1 and 65535";
    } else if (plan->policy == 0 || plan->policy > TESTNET_AUTHORS) {
        wrong = "the policy is 1 to 3 signers";
    } else if (!has_vendor) {
        wrong = "at least one organisation must be a vendor";
    }
    if (wrong != NULL) {
        why_set(l->why, "%s", wrong);
        return ERR_RANGE;
    }
    return OK;
}

static enum err check_dir(struct layout *l) {
    DIR *dir = opendir(l->plan->dir);
    if (dir == NULL) {
        return errno == ENOENT ? OK : fail(l, err_from_errno(errno), l->plan->dir);
    }
    bool empty = true;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    (void)closedir(dir);
    if (!empty) {
        why_set(l->why, "%.150s exists and is not empty; choose another folder", l->plan->dir);
        return ERR_EXISTS;
    }
    return OK;
}

static enum err allocate(struct layout *l) {
    struct genesis *g = &l->genesis;
    g->org_count = l->plan->org_count;
    g->node_count = l->plan->validators + l->plan->gateways;
    g->class_count = 1;
    g->author_count = TESTNET_AUTHORS;
    g->device_count = l->plan->gateways > 0; /* a device needs its gateway */
    g->orgs = calloc(g->org_count, sizeof *g->orgs);
    g->nodes = calloc(g->node_count, sizeof *g->nodes);
    g->classes = calloc(1, sizeof *g->classes);
    g->authors = calloc(g->author_count, sizeof *g->authors);
    g->devices = calloc(1, sizeof *g->devices);
    bool good = g->orgs != NULL && g->nodes != NULL && g->classes != NULL && g->authors != NULL && g->devices != NULL;
    return good ? OK : fail(l, ERR_NOMEM, "the genesis");
}

static enum err lay_out(struct layout *l) {
    char keys[PATH_LEN];
    uint8_t chain_id[CHAIN_ID_LEN];
    enum err e = path_of(l, "keys", "", keys);
    if (e == OK) {
        e = dir_make(keys);
        e = e == OK ? add_orgs(l) : fail(l, e, keys);
    }
    for (size_t i = 0; i < l->genesis.node_count && e == OK; i++) {
        e = add_node(l, i);
    }
    if (e == OK) {
        e = make_vendor_keys(l);
    }
    if (e != OK) {
        return e;
    }
    add_class(l);
    genesis_chain_id(&l->genesis, &host_crypto, chain_id);
    for (size_t i = 0; i < TESTNET_AUTHORS; i++) {
        add_author(l, i, chain_id);
    }
    if (l->genesis.device_count > 0) {
        add_device(l);
    }
    return write_files(l);
}

enum err testnet_write(const struct testnet_plan *plan, struct why *out_why) {
    struct layout *l = calloc(1, sizeof *l);
    if (l == NULL) {
        why_set(out_why, "%s", err_text(ERR_NOMEM));
        return ERR_NOMEM;
    }
    l->plan = plan;
    l->why = out_why;
    enum err e = check_plan(l);
    if (e == OK) {
        e = check_dir(l);
    }
    if (e == OK) {
        e = allocate(l);
    }
    if (e == OK) {
        (void)snprintf(l->genesis.name, sizeof l->genesis.name, "testnet");
        l->genesis.time_ms = clock_wall_ms();
        random_fill(l->genesis.salt, sizeof l->genesis.salt);
        genesis_params_default(&l->genesis.params);
        e = lay_out(l);
    }
    genesis_free(&l->genesis);
    secure_wipe(l, sizeof *l);
    free(l);
    return e;
}
