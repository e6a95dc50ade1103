#include "node/validator_http.h"

#include "base/clock.h"
#include "contracts/author.h"
#include "contracts/governance.h"
#include "node/host_crypto.h"
#include "node/http/auth.h"
#include "node/http/events.h"
#include "node/http/ipfs_routes.h"
#include "node/ledger/execute.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* ---- Who may log in ---------------------------------------------------------------------------------------------- */

struct admin_search {
    const uint8_t *key;
    char *out_org;
    bool found;
    char last[GENESIS_ID_MAX + 1];
    size_t seen; /* organisations of this page */
};

static enum err match_admin(void *arg, const struct org_record *record) {
    struct admin_search *search = arg;
    search->seen++;
    (void)snprintf(search->last, sizeof search->last, "%s", record->org.id);
    for (size_t i = 0; i < record->org.admin_count && !search->found; i++) {
        if (memcmp(record->org.admins[i], search->key, ED25519_KEY_LEN) == 0) {
            search->found = true;
            (void)snprintf(search->out_org, GENESIS_ID_MAX + 1, "%s", record->org.id);
        }
    }
    return OK;
}

/* Looks through all organisations, a page at a time. */
static enum err find_admin(const struct state *state, struct admin_search *search) {
    enum err e = OK;
    bool more = true;
    for (bool first = true; e == OK && more && !search->found; first = false) {
        char after[GENESIS_ID_MAX + 1];
        memcpy(after, search->last, sizeof after);
        search->seen = 0;
        e = org_list(state, first ? NULL : after, STATE_PAGE_MAX, match_admin, search);
        more = search->seen == STATE_PAGE_MAX;
    }
    return e;
}

/* A registered, unexpired author, or an admin of any organisation. */
static bool lookup_member(void *ctx, const uint8_t key[ED25519_KEY_LEN], char out_org[GENESIS_ID_MAX + 1]) {
    struct chain *chain = ctx;
    struct chain_view view;
    if (chain_view_open(chain, &view) != OK) {
        return false;
    }
    struct state state = state_of_view(view.kv);
    struct author_record author;
    struct admin_search search = {.key = key, .out_org = out_org};
    enum code code = CODE_AUTHOR_UNKNOWN;
    enum err e = author_judge(&state, key, clock_wall_ms(), &author, &code);
    if (e == OK && code == CODE_OK) {
        (void)snprintf(out_org, GENESIS_ID_MAX + 1, "%s", author.org);
        search.found = true;
    } else if (e == OK) {
        e = find_admin(&state, &search);
    }
    chain_view_close(&view);
    return e == OK && search.found;
}

/* ---- Where it is served ------------------------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof v6);
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

bool validator_http_is_loopback(const char *listen) {
    char host[HTTP_LISTEN_MAX];
    const char *colon = strrchr(listen, ':');
    size_t len = colon != NULL ? (size_t)(colon - listen) : 0;
    const char *start = listen;
    if (len == 0 || len >= sizeof host) { /* no host means every address */
        return false;
    }
    if (len > 2 && start[0] == '[' && start[len - 1] == ']') {
        start++;
        len -= 2;
    }
    memcpy(host, start, len);
    host[len] = '\0';
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return false;
    }
    bool all = true;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        all = all && is_loopback(at->ai_addr);
    }
    freeaddrinfo(found);
    return all;
}

static void fill_config(const struct config *config, struct http_config *out) {
    http_config_default(out);
    out->listen = config->http.listen;
    out->tls_cert = config->http.tls_cert;
    out->tls_key = config->http.tls_key;
    out->max_connections = (uint32_t)config->http.max_connections;
    out->max_connections_per_ip = (uint32_t)config->http.max_connections_per_ip;
    out->threads = (uint32_t)config->http.threads;
    out->header_timeout_ms = (uint32_t)config->http.header_timeout_ms;
    out->idle_timeout_ms = (uint32_t)config->http.idle_timeout_ms;
    out->max_streams = (uint32_t)config->http.max_streams;
    out->rate_per_second = (uint32_t)config->http.rate_per_second;
}

static enum err add_routes(const struct validator_http_parts *parts, struct validator_http *http) {
    enum err e = api_routes(&http->api, http->server);
    if (e == OK) {
        e = auth_routes(http->auth, http->server);
    }
    if (e == OK) {
        e = events_routes(parts->events, http->server);
    }
    return e == OK ? ipfs_routes_add(http->server, parts->repo) : e;
}

enum err validator_http_open(const struct validator_http_parts *parts, struct validator_http *out,
                             char why[DAEMON_WHY_MAX]) {
    const struct config *config = &parts->home->config;
    struct http_config settings;
    char text[200] = "";
    *out = (struct validator_http){0};
    if (config->http.tls_cert[0] == '\0' && !validator_http_is_loopback(config->http.listen)) {
        daemon_explain(why,
                       "http.listen: %s can be reached from the network and there is no TLS; set http.tls_cert and "
                       "http.tls_key, or listen on 127.0.0.1",
                       config->http.listen);
        return ERR_CONFIG;
    }
    fill_config(config, &settings);
    const struct auth_config auth = {.chain_id = chain_id(parts->chain),
                                     .node_secret = parts->home->secret,
                                     .lookup = lookup_member,
                                     .lookup_ctx = parts->chain};
    enum err e = http_server_new(&settings, &out->server);
    if (e == OK) {
        e = auth_new(&auth, &out->auth);
    }
    out->api = (struct api){.chain = parts->chain,
                            .submit = parts->submit,
                            .status = parts->board,
                            .repo = parts->repo,
                            .auth = out->auth,
                            .events = parts->events,
                            .config = config,
                            .genesis = &parts->home->genesis,
                            .crypto = &host_crypto,
                            .node_secret = (const uint8_t(*)[ED25519_SECRET_LEN]) & parts->home->secret,
                            .started_mono_ms = clock_mono_ms()};
    memcpy(out->api.node_key, parts->home->key, sizeof out->api.node_key);
    if (e == OK) {
        e = add_routes(parts, out);
    }
    if (e == OK) {
        e = http_server_start(out->server, text);
    }
    if (e != OK) {
        daemon_explain(why, "http.listen %s: %s", config->http.listen, text[0] != '\0' ? text : err_text(e));
    }
    return e;
}

void validator_http_url(const struct validator_http *http, char out[HTTP_LISTEN_MAX + 16]) {
    (void)snprintf(out, HTTP_LISTEN_MAX + 16, "%s://%s", http_server_has_tls(http->server) ? "https" : "http",
                   http_server_address(http->server));
}

void validator_http_stop(struct validator_http *http) {
    if (http->server != NULL) {
        http_server_stop(http->server);
    }
}

void validator_http_close(struct validator_http *http) {
    http_server_free(http->server);
    auth_free(http->auth);
    *http = (struct validator_http){0};
}
