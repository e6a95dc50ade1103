/* assay init: a new node's home, with keys of its own. */
#include "base/file.h"
#include "contracts/contracts.h"
#include "contracts/governance/genesis_inherit.h"
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/genesis/genesis_json.h"
#include "node/home/daemon_home.h"
#include "node/host/config.h"
#include "node/host/host_crypto.h"
#include "node/host/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GENESIS_FILE_MAX (64u << 20)

struct wish {
    const char *home;
    const char *role;
    const char *org;
    const char *peer;
    const char *http;
    const char *genesis;
    struct args_list sources;
    bool json;
};

static int check_home(const char *home) {
    DIR *dir = opendir(home);
    bool empty = true;
    if (dir == NULL) {
        return errno == ENOENT ? ARGS_GO_ON : args_fail("%s: %s", home, strerror(errno));
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    }
    (void)closedir(dir);
    return empty ? ARGS_GO_ON : args_fail("%s exists and is not empty; choose another folder", home);
}

static int path_in(const char *home, const char *name, char out[CONFIG_PATH_MAX]) {
    int n = snprintf(out, CONFIG_PATH_MAX, "%s/%s", home, name);
    return n > 0 && n < CONFIG_PATH_MAX ? ARGS_GO_ON : args_fail("the home's path is too long");
}

static int save_key(const char *home, const char *name, enum keyfile_type type, struct keyfile *out) {
    char path[CONFIG_PATH_MAX];
    int status = path_in(home, name, path);
    if (status != ARGS_GO_ON) {
        return status;
    }
    keyfile_generate(type, out);
    enum err e = keyfile_write(path, out, bytes_of(NULL, 0));
    return e == OK ? ARGS_GO_ON : args_fail("%s: %s", path, err_text(e));
}

/* The genesis every node of the chain has: checked before it is copied. */
static int copy_genesis(const struct wish *w) {
    struct why why = WHY_NONE;
    char path[CONFIG_PATH_MAX];
    struct buffer text = BUFFER_INIT;
    struct genesis genesis;
    if (w->genesis == NULL) {
        return ARGS_GO_ON;
    }
    enum err e = genesis_json_load(w->genesis, &genesis, &why);
    if (e == OK) {
        e = contracts_genesis_check(&genesis, &host_crypto, &why);
        genesis_free(&genesis);
    }
    if (e != OK) {
        return args_fail("%s: %s", w->genesis, why.text);
    }
    int status = path_in(w->home, "genesis.json", path);
    e = status == ARGS_GO_ON ? file_read(w->genesis, GENESIS_FILE_MAX, &text) : OK;
    if (e == OK && status == ARGS_GO_ON) {
        e = file_write_atomic(path, buffer_bytes(&text), 0644);
    }
    buffer_free(&text);
    return e == OK ? status : args_fail("%s: %s", path, err_text(e));
}

/* What the chain took over from another lies beside its genesis.json, and comes along: every node but a gateway needs it.
 */
static int copy_inherited(const struct wish *w, enum node_role role) {
    char from[CONFIG_PATH_MAX], to[CONFIG_PATH_MAX];
    struct genesis genesis;
    struct why why = WHY_NONE;
    if (w->genesis == NULL || genesis_json_load(w->genesis, &genesis, &why) != OK) {
        return ARGS_GO_ON; /* copy_genesis has judged it */
    }
    bool needed = genesis.predecessor.named && role != NODE_GATEWAY;
    const struct genesis_predecessor predecessor = genesis.predecessor;
    genesis_free(&genesis);
    if (!needed) {
        return ARGS_GO_ON;
    }
    const char *slash = strrchr(w->genesis, '/');
    int dir = slash != NULL ? (int)(slash - w->genesis) + 1 : 0;
    int n = snprintf(from, sizeof from, "%.*s%s", dir, w->genesis, INHERITED_NAME);
    int status = n > 0 && (size_t)n < sizeof from ? path_in(w->home, INHERITED_NAME, to)
                                                  : args_fail("the path of %s is too long", INHERITED_NAME);
    if (status != ARGS_GO_ON) {
        return status;
    }
    struct buffer records = BUFFER_INIT;
    enum err e = file_read(from, INHERITED_MAX, &records);
    if (e == OK) {
        e = genesis_inherit_check(&predecessor, buffer_bytes(&records));
    }
    if (e == OK) {
        e = file_write_atomic(to, buffer_bytes(&records), 0644);
    }
    buffer_free(&records);
    if (e == OK) {
        return ARGS_GO_ON;
    }
    return args_fail(
        "%s: %s; this genesis continues an earlier chain, and needs the file of that name that `assay node "
        "export` wrote beside it",
        from, e == ERR_MISMATCH ? "not the records that genesis.json names" : err_text(e));
}

static int write_config(const struct wish *w, enum node_role role) {
    struct config config;
    char path[CONFIG_PATH_MAX];
    config_default(&config);
    config.node.role = role;
    (void)snprintf(config.node.org, sizeof config.node.org, "%s", w->org);
    if (w->peer != NULL) {
        (void)snprintf(config.peer.listen, sizeof config.peer.listen, "%s", w->peer);
    }
    if (w->http != NULL) {
        (void)snprintf(config.http.listen, sizeof config.http.listen, "%s", w->http);
    }
    for (size_t i = 0; i < w->sources.count && i < CONFIG_SOURCES_MAX; i++) {
        (void)snprintf(config.gateway.sources.url[i], CONFIG_URL_MAX, "%s", w->sources.item[i]);
        config.gateway.sources.count = i + 1;
    }
    int status = path_in(w->home, "assay.conf", path);
    enum err e = status == ARGS_GO_ON ? config_write(&config, path) : OK;
    return e == OK ? status : args_fail("%s: %s", path, err_text(e));
}

static int describe(const struct wish *w, const struct keyfile *key, const struct keyfile *link) {
    char node_hex[2 * ED25519_KEY_LEN + 1], link_hex[2 * ED25519_KEY_LEN + 1];
    hex_encode(key->public_key, ED25519_KEY_LEN, node_hex);
    hex_encode(link->public_key, ED25519_KEY_LEN, link_hex);
    if (w->json) {
        return args_print_json(json_pack("{s:s, s:s, s:s, s:s, s:s}", "home", w->home, "role", w->role, "org", w->org,
                                         "key", node_hex, "link_key", link_hex));
    }
    printf("%s: home of a new %s of %s\n  node key  %s\n  link key  %s\n", w->home, w->role, w->org, node_hex,
           link_hex);
    if (w->genesis == NULL) {
        printf(
            "next, on a chain's first day: put it into the draft of the genesis (assay genesis add, docs/operations.md "
            "\"A consortium's first day\")\n"
            "next, on a chain that runs: copy its genesis.json into the home, ");
    } else {
        printf("next, on a chain that runs (on its first day it is in the genesis): ");
    }
    printf("put it on the ledger (assay member add, docs/operations.md \"A new node\"), then assayd --home %s\n",
           w->home);
    return 0;
}

static bool is_host_port(const char *text) {
    const char *colon = strrchr(text, ':');
    const char *at = colon != NULL ? colon + 1 : "";
    uint64_t port = 0;
    return colon != NULL && colon > text && strlen(text) < CONFIG_URL_MAX && text_take_number(&at, &port) &&
           *at == '\0' && port <= UINT16_MAX;
}

/* What a node would refuse when it starts is refused here, where it is given. */
static int check_wish(const struct wish *w, enum node_role role) {
    const char *const addresses[][2] = {{"--peer", w->peer}, {"--http", w->http}};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        if (addresses[i][1] != NULL && !is_host_port(addresses[i][1])) {
            return args_wrong("%s '%s' is not HOST:PORT, such as 0.0.0.0:26600", addresses[i][0], addresses[i][1]);
        }
    }
    if (!genesis_org_id_is_clean(w->org)) {
        return args_wrong("--org '%s' is no organisation's id: 1 to %d of a-z, 0-9 and '-'", w->org, GENESIS_ID_MAX);
    }
    if (role == NODE_GATEWAY && w->sources.count == 0) {
        return args_wrong(
            "a gateway needs --source URL, a full node that it asks; several make it independent of each");
    }
    if (w->sources.count > CONFIG_SOURCES_MAX) {
        return args_wrong("--source may be given at most %d times", CONFIG_SOURCES_MAX);
    }
    for (size_t i = 0; i < w->sources.count; i++) {
        const char *url = w->sources.item[i];
        if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) || strlen(url) >= CONFIG_URL_MAX) {
            return args_wrong("--source '%s' is not a base URL, such as https://node.example:26601", url);
        }
    }
    return ARGS_GO_ON;
}

static int make_home(const struct wish *w, enum node_role role) {
    char data[CONFIG_PATH_MAX];
    struct keyfile key = {0}, link = {0};
    int status = check_home(w->home);
    if (status == ARGS_GO_ON) {
        status = path_in(w->home, "data", data);
    }
    if (status == ARGS_GO_ON) {
        enum err e = dir_make(data);
        status = e == OK ? ARGS_GO_ON : args_fail("%s: %s", data, err_text(e));
    }
    if (status == ARGS_GO_ON) {
        status = copy_genesis(w);
    }
    if (status == ARGS_GO_ON) {
        status = copy_inherited(w, role);
    }
    if (status == ARGS_GO_ON) {
        status = save_key(w->home, "node.key", KEYFILE_ED25519, &key);
    }
    if (status == ARGS_GO_ON) {
        status = save_key(w->home, "link.key", KEYFILE_X25519, &link);
    }
    if (status == ARGS_GO_ON) {
        status = write_config(w, role);
    }
    if (status == ARGS_GO_ON) {
        status = describe(w, &key, &link);
    }
    keyfile_wipe(&key);
    keyfile_wipe(&link);
    return status;
}

int cmd_init(int argc, char **argv) {
    struct wish w = {.role = node_role_names[NODE_OBSERVER]};
    const struct args_option options[] = {
        {"home", ARGS_TEXT, &w.home, "HOME", "the folder to make; must be empty or not there", 0, 0},
        {"role", ARGS_TEXT, &w.role, "ROLE", "validator, observer (default) or gateway", 0, 0},
        {"org", ARGS_TEXT, &w.org, "ID", "the organisation it belongs to", 0, 0},
        {"peer", ARGS_TEXT, &w.peer, "HOST:PORT", "where its links listen (default 0.0.0.0:26600)", 0, 0},
        {"http", ARGS_TEXT, &w.http, "HOST:PORT", "where it serves HTTP (default 127.0.0.1:26601)", 0, 0},
        {"genesis", ARGS_TEXT, &w.genesis, "FILE", "the chain's genesis.json, copied into the home", 0, 0},
        {"source", ARGS_LIST, &w.sources, "URL", "full nodes that a gateway asks; may be repeated", 0, 0},
        ARGS_JSON(w.json),
        {0},
    };
    const struct args_spec spec = {"init --home HOME --org ID [options]",
                                   "Makes a new node's home: settings, keys of its own, an empty store.", options, 0,
                                   0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    enum node_role role;
    if (!node_role_of(bytes_str(w.role), &role)) {
        return args_wrong("--role '%s' is none of validator, observer, gateway", w.role);
    }
    if (w.home == NULL || w.org == NULL) {
        return args_wrong("init needs --home and --org");
    }
    status = check_wish(&w, role);
    return status == ARGS_GO_ON ? make_home(&w, role) : status;
}
