#include "node/daemon.h"

#include "base/file.h"
#include "contracts/genesis/genesis_inherit.h"
#include "node/fetch/client.h"
#include "node/genesis/genesis_json.h"
#include "node/host/descriptors.h"
#include "node/host/exit_status.h"
#include "node/host/host_crypto.h"
#include "node/host/keyfile.h"
#include "node/host/log.h"
#include "node/net/links.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void daemon_explain(char out_why[DAEMON_WHY_MAX], const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(out_why, DAEMON_WHY_MAX, format, args);
    va_end(args);
}

static enum err load_keys(struct daemon_home *home, char why[DAEMON_WHY_MAX]) {
    struct keyfile key;
    char text[KEYFILE_WHY_MAX];
    const struct bytes no_passphrase = bytes_of(NULL, 0);
    enum err e = keyfile_load(home->config.node.key_file, KEYFILE_ED25519, no_passphrase, &key, text);
    if (e == OK) {
        memcpy(home->key, key.public_key, sizeof home->key);
        memcpy(home->secret, key.secret, sizeof home->secret);
        keyfile_wipe(&key);
        e = keyfile_load(home->config.node.link_key_file, KEYFILE_X25519, no_passphrase, &key, text);
    }
    if (e == OK) {
        memcpy(home->link_secret, key.secret, sizeof home->link_secret);
        keyfile_wipe(&key);
    } else {
        daemon_explain(why, "%s", text);
    }
    return e;
}

static enum err load_genesis(struct daemon_home *home, char why[DAEMON_WHY_MAX]) {
    char text[GENESIS_JSON_WHY_MAX];
    enum err e = genesis_json_load(home->config.node.genesis, &home->genesis, text);
    if (e != OK) {
        daemon_explain(why, "%s: %s", home->config.node.genesis, text);
        return e;
    }
    e = genesis_check(&home->genesis, &host_crypto, text);
    if (e != OK) {
        daemon_explain(why, "%s: %s", home->config.node.genesis, text);
    }
    return e;
}

/* The records that the chain took over lie beside genesis.json; a gateway, which holds no state, does without. */
static enum err load_inherited(struct daemon_home *home, char why[DAEMON_WHY_MAX]) {
    struct genesis *genesis = &home->genesis;
    if (!genesis->predecessor.named || home->config.node.role == NODE_GATEWAY) {
        return OK;
    }
    char path[CONFIG_PATH_MAX];
    const char *slash = strrchr(home->config.node.genesis, '/');
    int dir = slash != NULL ? (int)(slash - home->config.node.genesis) : 0;
    int n = snprintf(path, sizeof path, "%.*s%s%s", dir, home->config.node.genesis, slash != NULL ? "/" : "",
                     DAEMON_INHERITED_NAME);
    enum err e =
        n > 0 && (size_t)n < sizeof path ? file_read(path, DAEMON_INHERITED_MAX, &genesis->inherited) : ERR_TOOLARGE;
    if (e == OK) {
        e = genesis_inherit_check(&genesis->predecessor, buffer_bytes(&genesis->inherited));
    }
    if (e != OK) {
        daemon_explain(why, "%s: %s", path,
                       e == ERR_MISMATCH ? "not the file that genesis.json names as its predecessor's records"
                                         : err_text(e));
    }
    return e;
}

enum err daemon_home_look(const char *path, struct daemon_home *out, char out_why[DAEMON_WHY_MAX]) {
    memset(out, 0, sizeof *out);
    char text[CONFIG_WHY_MAX];
    if (strlen(path) >= sizeof out->path) {
        daemon_explain(out_why, "the home's path is too long");
        return ERR_TOOLARGE;
    }
    memcpy(out->path, path, strlen(path) + 1);
    enum err e = config_load_home(path, &out->config, text);
    if (e != OK) {
        daemon_explain(out_why, "%s", text);
        return e;
    }
    e = load_genesis(out, out_why);
    if (e == OK) {
        e = load_inherited(out, out_why);
    }
    if (e != OK) {
        daemon_home_close(out);
    }
    return e;
}

enum err daemon_home_open(const char *path, struct daemon_home *out, char out_why[DAEMON_WHY_MAX]) {
    enum err e = daemon_home_look(path, out, out_why);
    if (e != OK) {
        return e;
    }
    e = load_keys(out, out_why);
    if (e != OK) {
        daemon_home_close(out);
    }
    return e;
}

void daemon_home_close(struct daemon_home *home) {
    secure_wipe(home->secret, sizeof home->secret);
    secure_wipe(home->link_secret, sizeof home->link_secret);
    genesis_free(&home->genesis);
}

/* Connections get no descriptors that storage may need. */
static enum err settle_descriptors(struct daemon_home *home, char why[DAEMON_WHY_MAX]) {
    bool has_peers = home->config.node.role != NODE_GATEWAY;
    const struct descriptors_share wanted = {.has_peers = has_peers,
                                             .http = home->config.http.max_connections,
                                             .door = has_peers ? LINKS_CONNECTIONS(LINKS_MEMBERS_MAX) : 0};
    struct descriptors_share share = wanted;
    uint64_t limit = descriptors_limit();
    if (descriptors_fit(limit, &share) != OK) {
        daemon_explain(why, "the process may have %llu descriptors and needs %llu; raise LimitNOFILE or ulimit -n",
                       (unsigned long long)limit, (unsigned long long)descriptors_least(has_peers));
        return ERR_CONFIG;
    }
    if (share.http != wanted.http || share.door < wanted.door) {
        log_event(LOG_WARN, "descriptors.few", log_number("limit", limit),
                  log_number("needed", descriptors_needed(&wanted)), log_number("http_connections", share.http),
                  log_number("peer_connections", share.door),
                  log_text("hint", "raise LimitNOFILE (ulimit -n) or lower http.max_connections"));
    }
    home->config.http.max_connections = share.http;
    home->peer_connections = share.door;
    home->peer_descriptors = descriptors_ceiling(limit, share.http);
    return OK;
}

int daemon_run(const char *path) {
    struct daemon_home home;
    char why[DAEMON_WHY_MAX] = "";
    enum exit_status_part part = EXIT_STATUS_HOME;
    (void)signal(SIGPIPE, SIG_IGN);
    enum err e = crypto_start();
    if (e == OK) {
        e = client_start();
    }
    if (e == OK) {
        e = daemon_home_open(path, &home, why);
    }
    if (e == OK) {
        part = EXIT_STATUS_NODE;
        log_setup(home.config.log.format, home.config.log.level);
        e = settle_descriptors(&home, why);
        if (e == OK) {
            e = home.config.node.role == NODE_GATEWAY ? gateway_run(&home, why) : validator_run(&home, why);
        }
        daemon_home_close(&home);
    }
    enum exit_status status = exit_status_of(e, part);
    if (e != OK) {
        log_event(LOG_ERROR, "node.failed", log_text("why", why[0] != '\0' ? why : err_text(e)), log_text("home", path),
                  log_number("status", status), log_text("means", exit_status_text(status)));
    }
    return (int)status;
}
