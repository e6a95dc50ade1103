#include "node/http/server.h"

#include "base/clock.h"
#include "base/ed25519.h"
#include "base/file.h"
#include "node/http/certificate.h"
#include "node/http/http_internal.h"
#include "node/http/ratelimit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTEN_BACKLOG 512
#define TLS_FILE_MAX (256 * 1024)
#define BODY_BUFFER (48 * 1024) /* beside the head, in a connection's memory: the size of a body's pieces */
#define DRAIN_MS 1000
#define SPARE_CONNECTIONS 64 /* those sent away and not closed yet */

/* The library's TLS: 1.2 and 1.3, no suite without forward secrecy, none that encrypts and authenticates apart. */
#define TLS_PRIORITIES                                                                                                 \
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:"     \
    "-MAC-ALL:+AEAD"

void http_config_default(struct http_config *out) {
    *out = (struct http_config){.listen = "127.0.0.1:0",
                                .max_connections = 200,
                                .max_connections_per_ip = 64,
                                .threads = 4,
                                .header_max_bytes = 16 * 1024,
                                .header_timeout_ms = 10000,
                                .body_min_rate = 1024,
                                .idle_timeout_ms = 30000,
                                .max_streams = 64,
                                .max_streams_per_ip = 16};
}

static enum err copy_texts(const struct http_config *config, struct http_server *server) {
    bool has_cert = config->tls_cert != NULL && config->tls_cert[0] != '\0';
    bool has_key = config->tls_key != NULL && config->tls_key[0] != '\0';
    if (has_cert != has_key || config->listen == NULL || strlen(config->listen) >= sizeof server->listen) {
        return ERR_CONFIG;
    }
    memcpy(server->listen, config->listen, strlen(config->listen) + 1);
    if (has_cert) {
        server->tls_cert = strdup(config->tls_cert);
        server->tls_key = strdup(config->tls_key);
        if (server->tls_cert == NULL || server->tls_key == NULL) {
            return ERR_NOMEM;
        }
    }
    return OK;
}

enum err http_server_new(const struct http_config *config, struct http_server **out) {
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return ERR_NOMEM;
    }
    server->listen_fd = -1;
    (void)pthread_mutex_init(&server->tls_lock, NULL);
    server->config = *config;
    struct connections_limits limits = {.total = config->max_connections,
                                        .per_address = config->max_connections_per_ip,
                                        .header_timeout_ms = config->header_timeout_ms,
                                        .idle_timeout_ms = config->idle_timeout_ms,
                                        .body_min_rate = config->body_min_rate};
    enum err e = copy_texts(config, server);
    if (e == OK) {
        e = connections_new(&limits, &server->connections);
    }
    if (e == OK) {
        e = waiting_new(config->max_streams, config->max_streams_per_ip, &server->waiting);
    }
    if (e == OK && config->rate_per_second > 0) {
        e = ratelimit_new(config->rate_per_second, &server->ratelimit);
    }
    if (e != OK) {
        http_server_free(server);
        return e;
    }
    *out = server;
    return OK;
}

enum err http_server_route(struct http_server *server, const struct http_route *route) {
    return router_add(&server->router, route);
}

/* ---- The library's calls ---- */

static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection) {
    return request_new(ctx, connection, uri);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *len, void **request) {
    (void)ctx;
    (void)connection;
    (void)url;
    (void)version;
    return *request != NULL ? request_step(*request, method, data, len) : MHD_NO;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode why) {
    struct http_server *server = ctx;
    (void)connection;
    (void)why;
    if (*request != NULL) {
        struct connection *c = ((struct http_request *)*request)->connection;
        request_free(*request);
        connections_state(server->connections, c, CONNECTION_HEAD, clock_mono_ms());
        *request = NULL;
    }
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    struct http_server *server = ctx;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        connections_remove(server->connections, *socket_context);
        *socket_context = NULL;
        return;
    }
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    *socket_context = connections_add(server->connections, fd, address, clock_mono_ms());
}

/* Paths and queries are decoded by the router, which knows where a segment ends. */
static size_t keep_encoded(void *ctx, struct MHD_Connection *connection, char *text) {
    (void)ctx;
    (void)connection;
    return strlen(text);
}

/* ---- Start ---- */

/* "host:port" into an address; ERR_CONFIG. */
static enum err parse_listen(const char *listen, struct sockaddr_storage *out, socklen_t *out_len) {
    char host[HTTP_LISTEN_MAX];
    const char *colon = strrchr(listen, ':');
    if (colon == NULL || strlen(listen) >= sizeof host) {
        return ERR_CONFIG;
    }
    const char *start = listen;
    size_t len = (size_t)(colon - listen);
    if (len >= 2 && start[0] == '[' && start[len - 1] == ']') {
        start++;
        len -= 2;
    }
    memcpy(host, start, len);
    host[len] = '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(len > 0 ? host : NULL, colon + 1, &hints, &found) != 0) {
        return ERR_CONFIG;
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *out_len = found->ai_addrlen;
    freeaddrinfo(found);
    return OK;
}

static void write_address(int fd, char out[HTTP_LISTEN_MAX]) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    char host[INET6_ADDRSTRLEN] = "";
    char port[8] = "";
    (void)getsockname(fd, (struct sockaddr *)&address, &len);
    (void)getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(out, HTTP_LISTEN_MAX, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* What `http.listen` is to blame for is told apart from what else failed. */
static enum err err_of_listening(int number) {
    switch (number) {
    case EADDRINUSE:
        return ERR_BUSY;
    case EADDRNOTAVAIL:
        return ERR_CONFIG;
    default:
        return err_from_errno(number);
    }
}

static enum err open_listener(struct http_server *server, struct why *out_why) {
    struct sockaddr_storage address;
    socklen_t len = 0;
    if (parse_listen(server->listen, &address, &len) != OK) {
        why_set(out_why, "%.100s is not an address and port", server->listen);
        return ERR_CONFIG;
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        int number = errno;
        why_set(out_why, "%.100s: %s", server->listen, strerror(number));
        if (fd >= 0) {
            (void)close(fd);
        }
        return err_of_listening(number);
    }
    server->listen_fd = fd;
    write_address(fd, server->address);
    return OK;
}

static void *keep(void *ctx) {
    struct http_server *server = ctx;
    uint64_t swept_ms = clock_mono_ms();
    uint64_t next_ms = swept_ms;
    while (waiting_sleep(server->waiting, next_ms)) {
        uint64_t now_ms = clock_mono_ms();
        next_ms = waiting_tick(server->waiting, now_ms);
        if (now_ms - swept_ms >= 1000) {
            connections_sweep(server->connections, now_ms);
            swept_ms = now_ms;
        }
    }
    return NULL;
}

struct tls_files {
    struct buffer cert, key;
};

/* The chain is kept, to be looked at; the key goes to the library alone. */
static void keep_chain(struct http_server *server, struct tls_files *tls) {
    (void)pthread_mutex_lock(&server->tls_lock);
    struct buffer old = server->tls_chain;
    server->tls_chain = tls->cert;
    tls->cert = old;
    (void)pthread_mutex_unlock(&server->tls_lock);
}

static void tls_files_free(struct tls_files *tls) {
    if (tls->key.data != NULL) {
        secure_wipe(tls->key.data, tls->key.cap);
    }
    buffer_free(&tls->cert);
    buffer_free(&tls->key);
}

static enum err read_tls(const struct http_server *server, struct tls_files *out, struct why *out_why) {
    const char *path = server->tls_cert;
    enum err e = file_read(path, TLS_FILE_MAX, &out->cert);
    if (e == OK) {
        path = server->tls_key;
        e = file_read_secret(path, TLS_FILE_MAX, &out->key);
    }
    buffer_u8(&out->cert, 0);
    buffer_u8(&out->key, 0);
    if (e == OK && (buffer_ok(&out->cert) != OK || buffer_ok(&out->key) != OK)) {
        e = ERR_NOMEM;
    }
    if (e != OK) {
        why_set(out_why, "%.120s: %s%s", path, err_text(e), e == ERR_MODE ? "; chmod 600 it" : "");
        tls_files_free(out);
        return ERR_CONFIG;
    }
    return OK;
}

static struct MHD_Daemon *start_daemon(struct http_server *server, const struct tls_files *tls) {
    const struct http_config *config = &server->config;
    unsigned threads = config->threads > 1 ? config->threads : 0;
    unsigned idle_s = config->idle_timeout_ms < 1000 ? 1 : config->idle_timeout_ms / 1000;
    struct MHD_OptionItem options[12];
    size_t n = 0;
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, server->listen_fd, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)idle_s, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                           (intptr_t)(config->header_max_bytes + BODY_BUFFER), NULL};
    /* Ours are the limits that count; the library's stand above them and would stop it from accepting at all. It
     * divides its own by its threads, and one of them may get every connection. */
    options[n++] = (struct MHD_OptionItem){
        MHD_OPTION_CONNECTION_LIMIT,
        (intptr_t)(config->max_connections + SPARE_CONNECTIONS) * (threads > 0 ? (intptr_t)threads : 1), NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL};
    if (threads > 0) {
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL};
    }
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME;
    if (tls != NULL) {
        flags |= MHD_USE_TLS;
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, tls->cert.data};
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key.data};
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES};
    }
    options[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_URI_LOG_CALLBACK, on_uri,
                            server, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_ARRAY, options,
                            MHD_OPTION_END);
}

enum err http_server_start(struct http_server *server, struct why *out_why) {
    struct tls_files tls = {BUFFER_INIT, BUFFER_INIT};
    bool has_tls = server->tls_cert != NULL;
    enum err e = has_tls ? read_tls(server, &tls, out_why) : OK;
    if (e != OK) {
        return e;
    }
    e = workers_new(server->config.threads, request_work, request_drop, &server->workers);
    if (e == OK) {
        e = open_listener(server, out_why);
    }
    if (e == OK) {
        server->daemon = start_daemon(server, has_tls ? &tls : NULL);
        if (server->daemon == NULL) {
            why_set(out_why, "the HTTP library did not start%s",
                    has_tls ? "; check http.tls_cert and http.tls_key" : "");
            e = has_tls ? ERR_CONFIG : ERR_IO;
        }
    }
    if (e == OK && has_tls) {
        keep_chain(server, &tls);
    }
    tls_files_free(&tls);
    if (e == OK && pthread_create(&server->keeper, NULL, keep, server) != 0) {
        why_set(out_why, "no more threads");
        e = ERR_IO;
    }
    server->keeper_runs = e == OK;
    if (e != OK) {
        http_server_stop(server);
    }
    return e;
}

/* ---- While it runs ---- */

void http_server_limit(struct http_server *server, const struct http_config *config) {
    connections_limit(server->connections, config->max_connections_per_ip, config->header_timeout_ms);
    waiting_limit(server->waiting, config->max_streams, config->max_streams_per_ip);
}

/* Those whose last connection has gone end; a free place, or NULL. */
static struct MHD_Daemon **end_idle(struct http_server *server) {
    struct MHD_Daemon **place = NULL;
    for (size_t i = 0; i < TLS_GENERATIONS; i++) {
        struct MHD_Daemon **ending = &server->ending[i];
        const union MHD_DaemonInfo *info =
            *ending != NULL ? MHD_get_daemon_info(*ending, MHD_DAEMON_INFO_CURRENT_CONNECTIONS) : NULL;
        if (info != NULL && info->num_connections == 0) {
            MHD_stop_daemon(*ending);
            *ending = NULL;
        }
        place = *ending == NULL ? ending : place;
    }
    return place;
}

enum err http_server_renew_tls(struct http_server *server, struct why *out_why) {
    struct tls_files tls = {BUFFER_INIT, BUFFER_INIT};
    if (server->tls_cert == NULL) {
        return OK;
    }
    struct MHD_Daemon **place = end_idle(server);
    if (place == NULL) {
        why_set(out_why, "connections under the last %d certificates are still open; try again later", TLS_GENERATIONS);
        return ERR_BUSY;
    }
    enum err e = read_tls(server, &tls, out_why);
    struct MHD_Daemon *fresh = e == OK ? start_daemon(server, &tls) : NULL;
    if (e == OK && fresh == NULL) {
        why_set(out_why, "the HTTP library takes no such certificate and key; check http.tls_cert and http.tls_key");
        e = ERR_CONFIG;
    }
    if (e == OK) { /* both take connections for a moment: none is lost */
        (void)MHD_quiesce_daemon(server->daemon);
        *place = server->daemon;
        server->daemon = fresh;
        keep_chain(server, &tls);
    }
    tls_files_free(&tls);
    return e;
}

bool http_server_tls_warning(struct http_server *server, const char *host, uint64_t now_ms, struct why *out) {
    bool any = false;
    (void)pthread_mutex_lock(&server->tls_lock);
    if (server->tls_chain.len > 0) {
        any = certificate_warning(buffer_bytes(&server->tls_chain), host, now_ms, out);
    }
    (void)pthread_mutex_unlock(&server->tls_lock);
    return any;
}

const char *http_server_address(const struct http_server *server) {
    return server->address;
}

bool http_server_has_tls(const struct http_server *server) {
    return server->tls_cert != NULL;
}

void http_server_stats(struct http_server *server, struct http_stats *out) {
    struct connections_stats connections;
    connections_stats(server->connections, &connections);
    *out = (struct http_stats){.connections = connections.open,
                               .evicted = connections.evicted,
                               .refused = connections.refused,
                               .timed_out = connections.timed_out,
                               .requests = __atomic_load_n(&server->requests, __ATOMIC_RELAXED),
                               .rate_limited = __atomic_load_n(&server->rate_limited, __ATOMIC_RELAXED)};
    waiting_stats(server->waiting, &out->streams, &out->deferred);
}

struct http_budget http_server_most(struct http_server *server, enum http_method method, const char *path) {
    const struct router *router = &server->router;
    for (size_t i = 0; i < router->count; i++) {
        if (router->routes[i].method == method && strcmp(router->routes[i].path, path) == 0) {
            return router->most[i];
        }
    }
    return (struct http_budget){0};
}

/* ---- Stop ---- */

void http_server_stop(struct http_server *server) {
    if (server == NULL) {
        return;
    }
    if (server->daemon != NULL) {
        (void)MHD_quiesce_daemon(server->daemon);
    }
    waiting_stop(server->waiting);
    if (server->workers != NULL) {
        workers_stop(server->workers);
    }
    if (server->daemon != NULL) {
        connections_drain(server->connections, DRAIN_MS);
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
    }
    for (size_t i = 0; i < TLS_GENERATIONS; i++) {
        if (server->ending[i] != NULL) {
            MHD_stop_daemon(server->ending[i]);
            server->ending[i] = NULL;
        }
    }
    if (server->keeper_runs) {
        (void)pthread_join(server->keeper, NULL);
        server->keeper_runs = false;
    }
    if (server->listen_fd >= 0) {
        (void)close(server->listen_fd);
        server->listen_fd = -1;
    }
}

void http_server_free(struct http_server *server) {
    if (server == NULL) {
        return;
    }
    if (server->waiting != NULL) {
        http_server_stop(server);
        waiting_release(server->waiting);
    }
    workers_free(server->workers);
    connections_free(server->connections);
    ratelimit_free(server->ratelimit);
    buffer_free(&server->tls_chain);
    (void)pthread_mutex_destroy(&server->tls_lock);
    free(server->tls_cert);
    free(server->tls_key);
    free(server);
}
