#include "tests/lib/api_fixture.h"

/* ---- The ledger thread ------------------------------------------------------------------------------------------ */

static void api_note_final(void *arg, const struct block *block) {
    struct api_fixture *f = arg;
    submit_block_final(f->submit, block);
    events_block_final(f->events, block);
}

static void api_make_block(struct api_fixture *f) {
    uint8_t hash[HASH_LEN];
    struct buffer certificate = BUFFER_INIT;
    struct chain_fixture *l = &f->ledger;
    fixture_build(l, chain_head(l->chain)->hash, hash);
    fixture_certify(l, hash, chain_header(l->chain, hash)->view, VOTE_FINALIZE, 3, &certificate);
    if (chain_finalize(l->chain, hash, buffer_bytes(&certificate), api_note_final, f) != OK) {
        abort();
    }
    buffer_free(&certificate);
}

static enum err api_admit(void *ctx, const struct transaction *tx) {
    struct api_fixture *f = ctx;
    if (f->admit_answer != OK) {
        return f->admit_answer;
    }
    enum err e = mempool_add(f->ledger.pool, tx);
    if (e == OK) {
        (void)uv_async_send(&f->wish);
    }
    return e;
}

static void api_on_wish(uv_async_t *handle) {
    struct api_fixture *f = (struct api_fixture *)handle->data;
    (void)pthread_mutex_lock(&f->lock);
    size_t blocks = f->wanted_blocks;
    bool stop = f->stop;
    (void)pthread_mutex_unlock(&f->lock);
    for (; blocks > 0; blocks--) {
        fixture_pool_devices(&f->ledger, f->devices_in_each);
        api_make_block(f);
    }
    if (!f->hold && mempool_count(f->ledger.pool) > 0) {
        api_make_block(f);
    }
    (void)pthread_mutex_lock(&f->lock);
    f->wanted_blocks = 0;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
    if (stop) {
        submit_free(f->submit);
        uv_close((uv_handle_t *)&f->wish, NULL);
    }
}

static void *api_run(void *arg) {
    struct api_fixture *f = (struct api_fixture *)arg;
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    return NULL;
}

void api_blocks(struct api_fixture *f, size_t blocks, size_t devices) {
    (void)pthread_mutex_lock(&f->lock);
    f->wanted_blocks = blocks;
    f->devices_in_each = devices;
    (void)uv_async_send(&f->wish);
    while (f->wanted_blocks > 0) {
        (void)pthread_cond_wait(&f->changed, &f->lock);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

static bool api_lookup(void *ctx, const uint8_t key[ED25519_KEY_LEN], char out_org[GENESIS_ID_MAX + 1]) {
    struct api_fixture *f = (struct api_fixture *)ctx;
    (void)key;
    if (f->member_org != NULL) {
        (void)snprintf(out_org, GENESIS_ID_MAX + 1, "%s", f->member_org);
    }
    return f->member_org != NULL;
}

static void api_must(enum err e, const char *what) {
    if (e != OK) {
        fprintf(stderr, "%s: %s\n", what, err_name(e));
        abort();
    }
}

void api_open(struct api_fixture *f) {
    struct http_config http;
    struct why why = WHY_NONE;
    memset(f, 0, sizeof *f);
    fixture_open(&f->ledger);
    f->ledger.time_ms = clock_wall_ms() - 3600000; /* the API judges expiry by the clock as well */
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->changed, NULL);
    status_board_init(&f->board);
    (void)uv_loop_init(&f->loop);
    (void)uv_async_init(&f->loop, &f->wish, api_on_wish);
    f->wish.data = f;
    const struct submit_config submit = {
        .loop = &f->loop, .chain = f->ledger.chain, .max_queued = 16, .max_waiting = 16, .admit = api_admit, .ctx = f};
    api_must(submit_new(&submit, &f->submit), "submit");
    api_must(events_new(f->ledger.chain, &f->events), "events");
    const struct auth_config auth = {.chain_id = f->ledger.world.chain_id,
                                     .node_secret = f->ledger.validator_secrets[0],
                                     .lookup = api_lookup,
                                     .lookup_ctx = f};
    api_must(auth_new(&auth, &f->auth), "auth");
    http_config_default(&http);
    http.listen = "127.0.0.1:0";
    api_must(http_server_new(&http, &f->server), "server");
    f->config.node.role = NODE_VALIDATOR;
    f->api = (struct api){.chain = f->ledger.chain,
                          .submit = f->submit,
                          .status = &f->board,
                          .auth = f->auth,
                          .config = &f->config,
                          .crypto = &host_crypto,
                          .node_secret = (const uint8_t(*)[ED25519_SECRET_LEN]) & f->ledger.validator_secrets[0],
                          .started_mono_ms = clock_mono_ms()};
    api_must(api_routes(&f->api, f->server), "routes");
    api_must(auth_routes(f->auth, f->server), "auth routes");
    api_must(events_routes(f->events, f->server), "events routes");
    api_must(http_server_start(f->server, &why), why.text);
    f->port = (uint16_t)atoi(strrchr(http_server_address(f->server), ':') + 1);
    (void)pthread_create(&f->thread, NULL, api_run, f);
}

void api_close(struct api_fixture *f) {
    http_server_stop(f->server);
    (void)pthread_mutex_lock(&f->lock);
    f->stop = true;
    (void)uv_async_send(&f->wish);
    (void)pthread_mutex_unlock(&f->lock);
    (void)pthread_join(f->thread, NULL);
    (void)uv_loop_close(&f->loop);
    http_server_free(f->server);
    events_free(f->events);
    auth_free(f->auth);
    status_board_close(&f->board);
    (void)pthread_mutex_destroy(&f->lock);
    (void)pthread_cond_destroy(&f->changed);
    fixture_close(&f->ledger);
}

int api_dial(const struct api_fixture *f) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(f->port)};
    struct timeval limit = {.tv_sec = 60};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        abort();
    }
    return fd;
}

int api_ask(const struct api_fixture *f, const char *method, const char *path, const char *headers, struct bytes body,
            struct api_answer *out) {
    struct buffer text = BUFFER_INIT;
    char head[4096], piece[8192];
    int fd = api_dial(f);
    ssize_t n =
        snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n",
                 method, path, body.len, headers);
    buffer_put(&text, head, (size_t)n);
    buffer_put(&text, body.data, body.len);
    if (send(fd, text.data, text.len, MSG_NOSIGNAL) != (ssize_t)text.len) {
        abort();
    }
    buffer_reset(&out->all);
    while ((n = recv(fd, piece, sizeof piece, 0)) > 0) {
        buffer_put(&out->all, piece, (size_t)n);
    }
    (void)close(fd);
    buffer_free(&text);
    buffer_u8(&out->all, 0);
    const char *start = (const char *)out->all.data;
    const char *end = strstr(start, "\r\n\r\n");
    out->status = out->all.len > 12 ? atoi(start + 9) : 0;
    out->body = end == NULL ? bytes_of(NULL, 0)
                            : bytes_of((const uint8_t *)end + 4, out->all.len - 1 - (size_t)(end + 4 - start));
    return out->status;
}

int api_get(const struct api_fixture *f, const char *path, struct api_answer *out) {
    return api_ask(f, "GET", path, "", bytes_of(NULL, 0), out);
}

json_t *api_json(const struct api_answer *answer) {
    return json_loadb((const char *)answer->body.data, answer->body.len, 0, NULL);
}

const char *api_code(const struct api_answer *answer) {
    static char code[64];
    json_t *json = api_json(answer);
    const char *text = json_string_value(json_object_get(json_object_get(json, "error"), "code"));
    (void)snprintf(code, sizeof code, "%s", text != NULL ? text : "");
    json_decref(json);
    return code;
}
