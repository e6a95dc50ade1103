#include "node/full/validator_http.h"

#include "base/clock.h"
#include "contracts/author/author.h"
#include "contracts/governance/governance.h"
#include "node/api/events.h"
#include "node/api/ipfs_routes.h"
#include "node/api/uploads.h"
#include "node/host/host_crypto.h"
#include "node/http/auth.h"
#include "node/http/listen.h"
#include "node/http/ratelimit.h"
#include "node/ledger/execute.h"
#include "node/ledger/ledger_time.h"

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
    uint64_t now_ms = ledger_time_now(clock_wall_ms(), view.head.header.time_ms);
    enum err e = author_judge(&state, key, now_ms, &author, &code);
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

enum err validator_http_open(const struct validator_http_parts *parts, struct validator_http *out, struct why *why) {
    const struct config *config = &parts->home->config;
    struct http_config settings;
    struct why text = WHY_NONE;
    *out = (struct validator_http){0};
    if (!listen_settings(config, &settings, why)) {
        return ERR_CONFIG;
    }
    const struct auth_config auth = {.chain_id = chain_id(parts->chain),
                                     .node_secret = parts->home->secret,
                                     .lookup = lookup_member,
                                     .lookup_ctx = parts->chain};
    enum err e = http_server_new(&settings, &out->server);
    if (e == OK) {
        e = auth_new(&auth, &out->auth);
    }
    if (e == OK) {
        e = uploads_new(&out->uploads);
    }
    if (e == OK) {
        e = ratelimit_new(API_STATEMENTS_PER_SECOND, &out->statements);
    }
    out->api = (struct api){.chain = parts->chain,
                            .submit = parts->submit,
                            .status = parts->board,
                            .repo = parts->repo,
                            .auth = out->auth,
                            .events = parts->events,
                            .snapshots = parts->snapshots,
                            .config = config,
                            .crypto = &host_crypto,
                            .node_secret = (const uint8_t(*)[ED25519_SECRET_LEN]) & parts->home->secret,
                            .uploads = out->uploads,
                            .statements = out->statements,
                            .started_mono_ms = clock_mono_ms()};
    memcpy(out->api.node_key, parts->home->key, sizeof out->api.node_key);
    if (e == OK) {
        e = add_routes(parts, out);
    }
    if (e == OK) {
        e = http_server_start(out->server, &text);
    }
    if (e != OK) {
        why_set(why, "http.listen %s: %s", config->http.listen, why_said(&text) ? text.text : err_text(e));
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
    ratelimit_free(http->statements);
    uploads_free(http->uploads);
    *http = (struct validator_http){0};
}
