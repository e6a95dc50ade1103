#include "node/home/daemon_home.h"

#include "base/file.h"
#include "contracts/contracts.h"
#include "contracts/governance/genesis_inherit.h"
#include "node/genesis/genesis_json.h"
#include "node/host/host_crypto.h"
#include "node/host/keyfile.h"
#include "node/host/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static enum err load_keys(struct daemon_home *home, struct why *why) {
    struct keyfile key;
    struct why text = WHY_NONE;
    const struct bytes no_passphrase = bytes_of(NULL, 0);
    enum err e = keyfile_load(home->config.node.key_file, KEYFILE_ED25519, no_passphrase, &key, &text);
    if (e == OK) {
        memcpy(home->key, key.public_key, sizeof home->key);
        memcpy(home->secret, key.secret, sizeof home->secret);
        keyfile_wipe(&key);
        e = keyfile_load(home->config.node.link_key_file, KEYFILE_X25519, no_passphrase, &key, &text);
    }
    if (e == OK) {
        memcpy(home->link_secret, key.secret, sizeof home->link_secret);
        keyfile_wipe(&key);
    } else {
        why_set(why, "%s", text.text);
    }
    return e;
}

static enum err load_genesis(struct daemon_home *home, struct why *why) {
    struct why text = WHY_NONE;
    enum err e = genesis_json_load(home->config.node.genesis, &home->genesis, &text);
    if (e != OK) {
        why_set(why, "%s: %s", home->config.node.genesis, text.text);
        return e;
    }
    e = contracts_genesis_check(&home->genesis, &host_crypto, &text);
    if (e != OK) {
        why_set(why, "%s: %s", home->config.node.genesis, text.text);
    }
    return e;
}

/* The records that the chain took over lie beside genesis.json; a gateway, which holds no state, does without. */
static enum err load_inherited(struct daemon_home *home, struct why *why) {
    struct genesis *genesis = &home->genesis;
    if (!genesis->predecessor.named || home->config.node.role == NODE_GATEWAY) {
        return OK;
    }
    char path[CONFIG_PATH_MAX];
    const char *slash = strrchr(home->config.node.genesis, '/');
    int dir = slash != NULL ? (int)(slash - home->config.node.genesis) : 0;
    int n = snprintf(path, sizeof path, "%.*s%s%s", dir, home->config.node.genesis, slash != NULL ? "/" : "",
                     INHERITED_NAME);
    enum err e = n > 0 && (size_t)n < sizeof path ? file_read(path, INHERITED_MAX, &genesis->inherited) : ERR_TOOLARGE;
    if (e == OK) {
        e = genesis_inherit_check(&genesis->predecessor, buffer_bytes(&genesis->inherited));
    }
    if (e != OK) {
        why_set(why, "%s: %s", path,
                e == ERR_MISMATCH ? "not the file that genesis.json names as its predecessor's records"
                                  : "missing or unreadable; this chain continues an earlier one: copy the file that "
                                    "`assay node export` wrote beside genesis.json");
    }
    return e;
}

enum err daemon_home_look(const char *path, struct daemon_home *out, struct why *out_why) {
    memset(out, 0, sizeof *out);
    struct why text = WHY_NONE;
    if (strlen(path) >= sizeof out->path) {
        why_set(out_why, "the home's path is too long");
        return ERR_TOOLARGE;
    }
    memcpy(out->path, path, strlen(path) + 1);
    enum err e = config_load_home(path, &out->config, &text);
    if (e != OK) {
        why_set(out_why, "%s", text.text);
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

/* Who else may write there decides what this node is, or whom it votes for. */
static void warn_of_modes(const struct daemon_home *home) {
    static const char *const names[] = {"", "/assay.conf", "/data", "/data/journal"};
    char path[CONFIG_PATH_MAX + 16];
    struct stat st;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", home->path, names[i]);
        if (stat(path, &st) == 0 && (st.st_mode & 022) != 0) {
            log_event(LOG_WARN, "mode.wide", log_text("path", path),
                      log_text("why", "its group or others may write there; chmod go-w it"));
        }
    }
}

enum err daemon_home_open(const char *path, struct daemon_home *out, struct why *out_why) {
    enum err e = daemon_home_look(path, out, out_why);
    if (e != OK) {
        return e;
    }
    e = load_keys(out, out_why);
    if (e != OK) {
        daemon_home_close(out);
    }
    warn_of_modes(out);
    return e;
}

void daemon_home_close(struct daemon_home *home) {
    secure_wipe(home->secret, sizeof home->secret);
    secure_wipe(home->link_secret, sizeof home->link_secret);
    genesis_free(&home->genesis);
}

/* ---- Anew -------------------------------------------------------------------------------------------------------- */

static void tell_change(const char *section, const char *name, bool taken) {
    char key[64];
    (void)snprintf(key, sizeof key, "%s.%s", section, name);
    log_event(taken ? LOG_INFO : LOG_WARN, taken ? "config.taken" : "config.waits", log_text("key", key),
              log_text("for", taken ? "now" : "the next start"));
}

bool daemon_home_reload(struct daemon_home *home) {
    struct why why = WHY_NONE;
    struct config *next = malloc(sizeof *next);
    enum err e = next != NULL ? config_load_home(home->path, next, &why) : ERR_NOMEM;
    if (e == OK) {
        config_adopt(&home->config, next, tell_change);
        log_setup(home->config.log.format, home->config.log.level);
        e = log_open(home->config.log.file);
        if (e != OK) {
            why_set(&why, "log.file %s: %s", home->config.log.file, err_text(e));
        }
    }
    free(next);
    if (e != OK) {
        log_event(LOG_ERROR, "config.refused", log_text("why", why_said(&why) ? why.text : err_text(e)));
    } else {
        log_event(LOG_INFO, "config.read", log_text("home", home->path));
    }
    return e == OK;
}
