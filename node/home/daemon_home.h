/* A node's folder: its configuration, the genesis it names, its keys. What every role starts from, and what the command
 * line looks at. */
#ifndef ASSAY_NODE_HOME_DAEMON_HOME_H
#define ASSAY_NODE_HOME_DAEMON_HOME_H

#include "base/why.h"
#include "contracts/genesis/genesis.h"
#include "node/host/config.h"

/* Beside genesis.json, where a chain takes over from another (contracts/governance/genesis_inherit.h). */
#define INHERITED_NAME "predecessor.records"
#define INHERITED_MAX (1024u << 20)

/* Secrets are wiped by daemon_home_close. */
struct daemon_home {
    char path[CONFIG_PATH_MAX];
    struct config config;
    struct genesis genesis;
    uint8_t key[ED25519_KEY_LEN];
    uint8_t secret[ED25519_SECRET_LEN];
    uint8_t link_secret[32];
    size_t peer_descriptors; /* with so many open in the process no more are accepted */
    size_t peer_connections; /* at most so many are accepted of peers; 0: as many as the members there are need */
};

/* Configuration and genesis, each refused by name when wrong; no keys, which only a running node needs. */
NODISCARD enum err daemon_home_look(const char *path, struct daemon_home *out, struct why *out_why);
/* The same and the keys. */
NODISCARD enum err daemon_home_open(const char *path, struct daemon_home *out, struct why *out_why);
void daemon_home_close(struct daemon_home *home);

/* Reads the configuration anew (SIGHUP) and takes over what a running node may; each key that changed is told in the log,
 * taken or not. False: it can't be read or breaks a rule, which is told, and nothing has changed. */
bool daemon_home_reload(struct daemon_home *home);

#endif
