#include "node/daemon.h"

#include "node/fetch/client.h"
#include "node/full/validator.h"
#include "node/gateway/run/gateway.h"
#include "node/home/daemon_home.h"
#include "node/host/descriptors.h"
#include "node/host/lifecycle.h"
#include "node/host/log.h"
#include "node/net/links.h"

#include <signal.h>

/* Connections get no descriptors that storage may need. */
static enum err settle_descriptors(struct daemon_home *home, struct why *why) {
    bool has_peers = home->config.node.role != NODE_GATEWAY;
    const struct descriptors_share wanted = {.has_peers = has_peers,
                                             .http = home->config.http.max_connections,
                                             .door = has_peers ? LINKS_CONNECTIONS(LINKS_MEMBERS_MAX) : 0};
    struct descriptors_share share = wanted;
    uint64_t limit = descriptors_limit();
    if (descriptors_fit(limit, &share) != OK) {
        why_set(why, "the process may have %llu descriptors and needs %llu; raise LimitNOFILE or ulimit -n",
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
    struct why why = WHY_NONE;
    struct lifecycle life = LIFECYCLE_INIT;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN); /* until it runs, and can read its configuration anew */
    enum err e = crypto_start();
    if (e == OK) {
        e = client_start();
    }
    if (e == OK) {
        e = daemon_home_open(path, &home, &why);
    }
    if (e == OK) {
        lifecycle_move(&life, LIFECYCLE_OPENED);
        log_setup(home.config.log.format, home.config.log.level);
        e = log_open(home.config.log.file);
        if (e != OK) {
            why_set(&why, "log.file %s: %s", home.config.log.file, err_text(e));
            e = ERR_CONFIG;
        }
        e = e == OK ? settle_descriptors(&home, &why) : e;
        if (e == OK) {
            bool is_gateway = home.config.node.role == NODE_GATEWAY;
            e = is_gateway ? gateway_run(&home, &life, &why) : validator_run(&home, &life, &why);
        }
        daemon_home_close(&home);
    }
    if (e != OK) {
        lifecycle_move(&life, LIFECYCLE_FAULT);
    }
    if (!lifecycle_is_over(&life)) {
        lifecycle_move(&life, LIFECYCLE_ENDED);
    }
    enum exit_status status = exit_status_of(e, lifecycle_part(&life));
    if (e != OK) {
        log_event(LOG_ERROR, "node.failed", log_text("why", why_said(&why) ? why.text : err_text(e)),
                  log_text("home", path), log_number("status", status), log_text("means", exit_status_text(status)));
    }
    return (int)status;
}
