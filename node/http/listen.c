#include "node/http/listen.h"

#include "node/host/log.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

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

/* Does every address that `listen` ("host:port") names belong to this machine alone? */
static bool names_loopback(const char *listen) {
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

bool listen_settings(const struct config *config, struct http_config *out, struct why *why) {
    if (config->http.tls_cert[0] == '\0' && !names_loopback(config->http.listen)) {
        why_set(why,
                "http.listen: %s can be reached from the network and there is no TLS; set http.tls_cert and "
                "http.tls_key, or listen on 127.0.0.1",
                config->http.listen);
        return false;
    }
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
    out->max_streams_per_ip = (uint32_t)config->http.max_streams_per_ip;
    out->rate_per_second = (uint32_t)config->http.rate_per_second;
    return true;
}

void listen_reload(const struct config *config, struct http_server *server) {
    struct http_config settings;
    struct why why = WHY_NONE;
    if (!listen_settings(config, &settings, &why)) {
        return; /* it was so when it started, too */
    }
    http_server_limit(server, &settings);
    if (!http_server_has_tls(server)) {
        return;
    }
    enum err e = http_server_renew_tls(server, &why);
    if (e == OK) {
        log_event(LOG_INFO, "tls.renewed", log_text("certificate", config->http.tls_cert));
    } else {
        log_event(LOG_ERROR, "tls.refused", log_text("why", why_said(&why) ? why.text : err_text(e)));
    }
}
