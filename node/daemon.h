/* assayd: reads a home folder and runs the role it finds there, in the foreground, until SIGTERM or SIGINT. */
#ifndef ASSAY_NODE_DAEMON_H
#define ASSAY_NODE_DAEMON_H

#include "node/host/config.h"

#define DAEMON_WHY_MAX 512
/* Beside genesis.json, where a chain takes over from another (contracts/genesis/genesis_inherit.h). */
#define DAEMON_INHERITED_NAME "predecessor.records"
#define DAEMON_INHERITED_MAX (1024u << 20)

/* What every role starts from. Secrets are wiped by daemon_home_close. */
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

/* Puts one line into `out_why`, cut where it is too long. */
void daemon_explain(char out_why[DAEMON_WHY_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Configuration and genesis, each refused by name when wrong; no keys, which only a running node needs. */
NODISCARD enum err daemon_home_look(const char *path, struct daemon_home *out, char out_why[DAEMON_WHY_MAX]);
/* The same and the keys. */
NODISCARD enum err daemon_home_open(const char *path, struct daemon_home *out, char out_why[DAEMON_WHY_MAX]);
void daemon_home_close(struct daemon_home *home);

/* The process's exit status (node/host/exit_status.h); what went wrong has been logged. */
int daemon_run(const char *path);

/* The roles. `why` says what failed. Both return OK after a clean stop. */
NODISCARD enum err validator_run(struct daemon_home *home, char why[DAEMON_WHY_MAX]);
NODISCARD enum err gateway_run(struct daemon_home *home, char why[DAEMON_WHY_MAX]);

#endif
