#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "base/why.h"
#include "node/http/connections.h"
#include "node/http/ratelimit.h"
#include "node/http/server.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_MAX 1000

/* ---- A server with one route of each sort ---- */

struct fixture {
    struct http_server *server;
    uint16_t port;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct http_deferred *deferred;
    struct http_stream *stream;
    uint64_t sink_bytes;
    unsigned reading, spent; /* requests under way; blocks read for one */
    bool may_end;
    struct http_budget left;
    int abandoned;
};

static void show(void *ctx, struct http_request *request) {
    const char *a = http_query(request, "a");
    (void)ctx;
    http_respond(request, http_json(200, json_pack("{s:s, s:s}", "name", http_param(request, "name"), "a",
                                                   a != NULL ? a : "-")));
}

static void show_latest(void *ctx, struct http_request *request) {
    (void)ctx;
    http_respond(request, http_bytes(200, "text/plain", bytes_str("latest")));
}

static void show_rest(void *ctx, struct http_request *request) {
    (void)ctx;
    http_respond(request, http_bytes(200, "text/plain", bytes_str(http_param(request, "rest"))));
}

static void echo(void *ctx, struct http_request *request) {
    (void)ctx;
    http_respond(request, http_bytes(200, "application/octet-stream", http_body(request)));
}

static void forget(void *ctx, struct http_request *request) {
    (void)ctx;
    (void)request;
}

static void file(void *ctx, struct http_request *request) {
    (void)ctx;
    char name[] = "/tmp/assay-test-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    (void)unlink(name);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    http_respond(request, http_file(request, fd, 10, "application/octet-stream"));
}

static void defer(void *ctx, struct http_request *request) {
    struct fixture *f = ctx;
    struct http_deferred *d =
        http_defer(request, http_number(request, "timeout_ms"), http_error(504, "LATE", "wait longer", "not yet"));
    (void)pthread_mutex_lock(&f->lock);
    f->deferred = d;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
}

/* Completed before the handler returns. */
static void at_once(void *ctx, struct http_request *request) {
    (void)ctx;
    struct http_deferred *d = http_defer(request, 1000, NULL);
    assert_true(http_complete(d, http_bytes(200, "text/plain", bytes_str("now"))));
}

static void events(void *ctx, struct http_request *request) {
    struct fixture *f = ctx;
    (void)pthread_mutex_lock(&f->lock);
    f->stream = http_stream_open(request, NULL, NULL);
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
}

/* One that reads much: it goes on until the test lets it. */
static void read_long(void *ctx, struct http_request *request) {
    struct fixture *f = ctx;
    (void)pthread_mutex_lock(&f->lock);
    f->reading++;
    (void)pthread_cond_broadcast(&f->changed);
    while (!f->may_end) {
        (void)pthread_cond_wait(&f->changed, &f->lock);
    }
    f->reading--;
    (void)pthread_mutex_unlock(&f->lock);
    http_respond(request, http_bytes(200, "text/plain", bytes_str("read")));
}

static void spend(void *ctx, struct http_request *request) {
    struct fixture *f = ctx;
    f->spent = 0;
    while (http_spend(request, (struct http_budget){.bytes = 10, .blocks = 1})) {
        f->spent++;
    }
    f->left = http_left(request);
    http_respond(request, http_bytes(200, "text/plain", bytes_str("as far as it went")));
}

static bool sink_begin(void *ctx, struct http_request *request) {
    struct fixture *f = ctx;
    if (http_header(request, "X-Refuse") != NULL) {
        http_respond(request, http_error(401, "NOT_LOGGED_IN", "log in", "no"));
        return false;
    }
    f->sink_bytes = 0;
    return true;
}

static bool sink_data(void *ctx, struct http_request *request, struct bytes piece) {
    struct fixture *f = ctx;
    f->sink_bytes += piece.len;
    if (memchr(piece.data, '!', piece.len) != NULL) {
        http_respond(request, http_error(400, "BAD_PIECE", "leave it out", "no '!'"));
        return false;
    }
    return true;
}

static void sink_abandon(void *ctx, struct http_request *request) {
    struct fixture *f = ctx;
    (void)request;
    (void)__atomic_add_fetch(&f->abandoned, 1, __ATOMIC_SEQ_CST);
}

static void sink_done(void *ctx, struct http_request *request) {
    struct fixture *f = ctx;
    http_respond(request, http_json(200, json_pack("{s:I}", "bytes", (json_int_t)f->sink_bytes)));
}

static const struct http_sink sink = {sink_begin, sink_data, sink_abandon};

static void add_routes(struct fixture *f) {
    static const struct http_argument late[] = {
        {"timeout_ms", "how long to wait", HTTP_NUMBER, .least = 1, .most = 60000, .fallback = 50}, {0}};
    const struct http_route routes[] = {
        {HTTP_GET, "/things/{name}", show, .ctx = f},
        {HTTP_GET, "/things/latest", show_latest, .ctx = f},
        {HTTP_GET, "/tree/{rest*}", show_rest, .ctx = f},
        {HTTP_POST, "/echo", echo, .ctx = f, .body_max = BODY_MAX},
        {HTTP_GET, "/forget", forget, .ctx = f},
        {HTTP_GET, "/file", file, .ctx = f},
        {HTTP_GET, "/defer", defer, f, HTTP_BUDGET(1000, 0, 0), .summary = "Answers late", .arguments = late,
         .media = "text/plain"},
        {HTTP_GET, "/at-once", at_once, .ctx = f},
        {HTTP_GET, "/events", events, .ctx = f},
        {HTTP_GET, "/long", read_long, .ctx = f, .is_long = true},
        {HTTP_GET, "/spend", spend, f, HTTP_BUDGET(1000, 2, 1), .summary = "Reads blocks", .media = "text/plain"},
        {HTTP_POST, "/upload", sink_done, .ctx = f, .body_max = 100 * 1000 * 1000, .sink = &sink},
    };
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        assert_int_equal(http_server_route(f->server, &routes[i]), OK);
    }
    assert_int_equal(http_server_route(f->server, &routes[0]), ERR_EXISTS);
    struct http_route bad = {HTTP_GET, "/a/{rest*}/b", show, .ctx = f};
    assert_int_equal(http_server_route(f->server, &bad), ERR_RANGE);
    struct http_route boundless = {HTTP_GET, "/boundless", show, f, .summary = "May cost anything"};
    assert_int_equal(http_server_route(f->server, &boundless), ERR_RANGE);
}

static void open_fixture(struct fixture *f, const struct http_config *config) {
    struct why why = WHY_NONE;
    memset(f, 0, sizeof *f);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->changed, NULL);
    assert_int_equal(http_server_new(config, &f->server), OK);
    add_routes(f);
    assert_int_equal(http_server_start(f->server, &why), OK);
    f->port = (uint16_t)atoi(strrchr(http_server_address(f->server), ':') + 1);
    assert_int_not_equal(f->port, 0);
}

static void open_default(struct fixture *f) {
    struct http_config config;
    http_config_default(&config);
    open_fixture(f, &config);
}

static void close_fixture(struct fixture *f) {
    http_server_free(f->server);
    (void)pthread_mutex_destroy(&f->lock);
    (void)pthread_cond_destroy(&f->changed);
}

/* ---- A small client over raw sockets ---- */

static int dial(const struct fixture *f) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(f->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 60};
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Everything up to the end of the connection. */
static size_t hear(int fd, char *out, size_t max) {
    size_t len = 0;
    ssize_t n;
    while (len < max - 1 && (n = recv(fd, out + len, max - 1 - len, 0)) > 0) {
        len += (size_t)n;
    }
    out[len] = '\0';
    return len;
}

/* One request on a connection of its own; gives the status, and the whole answer in `out`. */
static int ask(const struct fixture *f, const char *head, const char *body, char *out, size_t max) {
    char text[4096];
    int fd = dial(f);
    (void)snprintf(text, sizeof text, "%s\r\nHost: x\r\nConnection: close\r\n\r\n%s", head, body);
    say(fd, text);
    size_t len = hear(fd, out, max);
    (void)close(fd);
    return len > 12 ? atoi(out + 9) : 0;
}

static void wait_for(struct fixture *f, void **what) {
    (void)pthread_mutex_lock(&f->lock);
    while (*what == NULL) {
        (void)pthread_cond_wait(&f->changed, &f->lock);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

#define ASK(f, head, body) ask(f, head, body, answer, sizeof answer)

/* ---- Routing and requests ---- */

/* Who fails before there is a server closes what there is all the same. */
static void without_a_server_there_is_nothing_to_stop(void **state) {
    (void)state;
    http_server_stop(NULL);
    http_server_free(NULL);
}

static void paths_and_queries_are_decoded_and_matched(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    open_default(&f);
    assert_int_equal(ASK(&f, "GET /things/a%2Fb?a=1%202+3 HTTP/1.1", ""), 200);
    assert_non_null(strstr(answer, "\"name\":\"a/b\""));
    assert_non_null(strstr(answer, "\"a\":\"1 2 3\""));
    assert_int_equal(ASK(&f, "GET /things/latest HTTP/1.1", ""), 200);
    assert_non_null(strstr(answer, "\r\n\r\nlatest"));
    assert_int_equal(ASK(&f, "GET /tree/x/y/z%20 HTTP/1.1", ""), 200);
    assert_non_null(strstr(answer, "x/y/z "));
    assert_int_equal(ASK(&f, "HEAD /things/latest HTTP/1.1", ""), 200);
    assert_null(strstr(answer, "\r\n\r\nlatest"));
    close_fixture(&f);
}

static void wrong_requests_get_named_errors(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    open_default(&f);
    assert_int_equal(ASK(&f, "GET /nowhere HTTP/1.1", ""), 404);
    assert_non_null(strstr(answer, "{\"error\":{\"code\":\"NO_SUCH_PATH\""));
    assert_int_equal(ASK(&f, "DELETE /things/a HTTP/1.1", ""), 405);
    assert_non_null(strstr(answer, "Allow: GET, HEAD"));
    assert_int_equal(ASK(&f, "BREW /things/a HTTP/1.1", ""), 405);
    assert_int_equal(ASK(&f, "BREW /nowhere HTTP/1.1", ""), 404);
    assert_int_equal(ASK(&f, "GET /things/%00 HTTP/1.1", ""), 400);
    assert_int_equal(ASK(&f, "GET /things/%zz HTTP/1.1", ""), 400);
    assert_int_equal(ASK(&f, "GET /things/a?x=%ff HTTP/1.1", ""), 400);
    assert_int_equal(ASK(&f, "GET /defer?timeout_ms=-1 HTTP/1.1", ""), 400);
    assert_int_equal(ASK(&f, "GET /forget HTTP/1.1", ""), 500);
    close_fixture(&f);
}

static void bodies_and_heads_have_limits(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    open_default(&f);
    assert_int_equal(ASK(&f, "POST /echo HTTP/1.1\r\nContent-Length: 5", "hello"), 200);
    assert_non_null(strstr(answer, "\r\n\r\nhello"));
    assert_int_equal(ASK(&f, "POST /echo HTTP/1.1\r\nContent-Length: 1001", ""), 413);
    assert_int_equal(ASK(&f, "GET /things/a HTTP/1.1\r\nContent-Length: 5", "hello"), 413);
    /* Chunked: the size is known only as it comes. */
    char body[2000];
    int n = snprintf(body, sizeof body, "5dc\r\n%01500d\r\n0\r\n\r\n", 1);
    assert_true(n > 0);
    assert_int_equal(ASK(&f, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked", body), 413);
    char *head = malloc(40000);
    assert_non_null(head);
    n = snprintf(head, 40000, "GET /things/a HTTP/1.1\r\nHost: x\r\nX-Long: %030000d\r\n\r\n", 1);
    int fd = dial(&f);
    assert_int_equal(send(fd, head, (size_t)n, MSG_NOSIGNAL), n);
    (void)hear(fd, answer, sizeof answer);
    assert_int_equal(atoi(answer + 9), 431);
    (void)close(fd);
    free(head);
    close_fixture(&f);
}

static void a_sink_sees_every_byte_and_may_refuse(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    open_default(&f);
    int fd = dial(&f);
    say(fd, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\nConnection: close\r\n\r\n");
    char *piece = calloc(1, 3000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(send(fd, piece, 3000, MSG_NOSIGNAL), 3000);
    }
    (void)hear(fd, answer, sizeof answer);
    (void)close(fd);
    free(piece);
    assert_non_null(strstr(answer, "\"bytes\":3000000"));
    assert_int_equal(ASK(&f, "POST /upload HTTP/1.1\r\nX-Refuse: 1\r\nContent-Length: 3", "abc"), 401);
    assert_int_equal(f.abandoned, 0);
    assert_int_equal(ASK(&f, "POST /upload HTTP/1.1\r\nContent-Length: 3", "a!c"), 400);
    assert_int_equal(f.abandoned, 1);
    /* The client goes away in the middle. */
    fd = dial(&f);
    say(fd, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    (void)close(fd);
    for (int i = 0; i < 500 && __atomic_load_n(&f.abandoned, __ATOMIC_SEQ_CST) < 2; i++) {
        (void)usleep(10000); /* until the server has read the head and noticed that nobody is there any more */
    }
    http_server_stop(f.server);
    assert_int_equal(f.abandoned, 2);
    close_fixture(&f);
}

static void files_are_served_in_ranges(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    open_default(&f);
    assert_int_equal(ASK(&f, "GET /file HTTP/1.1", ""), 200);
    assert_non_null(strstr(answer, "\r\n\r\n0123456789"));
    assert_int_equal(ASK(&f, "GET /file HTTP/1.1\r\nRange: bytes=2-4", ""), 206);
    assert_non_null(strstr(answer, "Content-Range: bytes 2-4/10"));
    assert_non_null(strstr(answer, "\r\n\r\n234"));
    assert_int_equal(ASK(&f, "GET /file HTTP/1.1\r\nRange: bytes=-3", ""), 206);
    assert_non_null(strstr(answer, "\r\n\r\n789"));
    assert_int_equal(ASK(&f, "GET /file HTTP/1.1\r\nRange: bytes=7-99", ""), 206);
    assert_non_null(strstr(answer, "bytes 7-9/10"));
    assert_int_equal(ASK(&f, "GET /file HTTP/1.1\r\nRange: bytes=10-", ""), 416);
    assert_non_null(strstr(answer, "bytes */10"));
    /* Not one range of bytes: ignored, as RFC 9110 says. */
    assert_int_equal(ASK(&f, "GET /file HTTP/1.1\r\nRange: bytes=0-1,3-4", ""), 200);
    assert_int_equal(ASK(&f, "GET /file HTTP/1.1\r\nRange: bytes=99999999999999999999-", ""), 200);
    close_fixture(&f);
}

/* ---- Answering later ---- */

static void a_deferred_answer_comes_from_another_thread(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    open_default(&f);
    int fd = dial(&f);
    say(fd, "GET /defer?timeout_ms=20000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    wait_for(&f, (void **)&f.deferred);
    assert_true(http_complete(f.deferred, http_bytes(200, "text/plain", bytes_str("later"))));
    (void)hear(fd, answer, sizeof answer);
    assert_non_null(strstr(answer, "\r\n\r\nlater"));
    (void)close(fd);
    assert_int_equal(ASK(&f, "GET /at-once HTTP/1.1", ""), 200);
    assert_non_null(strstr(answer, "\r\n\r\nnow"));
    close_fixture(&f);
}

static void a_deferred_answer_times_out_once(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    open_default(&f);
    assert_int_equal(ASK(&f, "GET /defer?timeout_ms=50 HTTP/1.1", ""), 504);
    assert_non_null(strstr(answer, "LATE"));
    assert_false(http_complete(f.deferred, http_bytes(200, "text/plain", bytes_str("too late"))));
    close_fixture(&f);
}

static void stopping_answers_those_who_wait(void **state) {
    (void)state;
    enum { WAITERS = 20 };
    struct fixture f;
    char answer[8192];
    int fds[WAITERS];
    struct http_deferred *handles[WAITERS];
    open_default(&f);
    for (int i = 0; i < WAITERS; i++) {
        fds[i] = dial(&f);
        f.deferred = NULL;
        say(fds[i], "GET /defer?timeout_ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n");
        wait_for(&f, (void **)&f.deferred);
        handles[i] = f.deferred;
    }
    uint64_t start_ms = clock_mono_ms();
    http_server_stop(f.server);
    assert_true(clock_mono_ms() - start_ms < 30000); /* those who wait would have waited 60 s */
    for (int i = 0; i < WAITERS; i++) {
        (void)hear(fds[i], answer, sizeof answer);
        assert_int_equal(atoi(answer + 9), 503);
        (void)close(fds[i]);
    }
    http_server_free(f.server);
    /* The handles outlive the server. */
    for (int i = 0; i < WAITERS; i++) {
        assert_false(http_complete(handles[i], NULL));
    }
}

static void a_client_that_left_while_waiting_does_no_harm(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    open_default(&f);
    int fd = dial(&f);
    say(fd, "GET /defer?timeout_ms=20000 HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&f, (void **)&f.deferred);
    (void)close(fd);
    (void)http_complete(f.deferred, http_bytes(200, "text/plain", bytes_str("nobody")));
    assert_int_equal(ASK(&f, "GET /things/latest HTTP/1.1", ""), 200);
    close_fixture(&f);
}

/* ---- Event streams ---- */

/* Reads until `needle` has come. */
static void hear_until(int fd, const char *needle) {
    char text[8192] = "";
    size_t len = 0;
    while (strstr(text, needle) == NULL) {
        ssize_t n = recv(fd, text + len, sizeof text - 1 - len, 0);
        assert_true(n > 0);
        len += (size_t)n;
        text[len] = '\0';
    }
}

static void events_reach_the_client_as_they_happen(void **state) {
    (void)state;
    struct fixture f;
    open_default(&f);
    int fd = dial(&f);
    say(fd, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&f, (void **)&f.stream);
    hear_until(fd, "text/event-stream");
    assert_true(http_stream_send(f.stream, "7", "block", "{\"a\":1}\n{\"b\":2}"));
    hear_until(fd, "id: 7\nevent: block\ndata: {\"a\":1}\ndata: {\"b\":2}\n\n");
    assert_true(http_stream_send(f.stream, NULL, NULL, "again"));
    hear_until(fd, "data: again\n\n");
    http_stream_close(f.stream);
    hear_until(fd, "0\r\n\r\n");
    (void)close(fd);
    close_fixture(&f);
}

static void a_stream_that_nobody_reads_gets_no_more_and_is_not_given_up(void **state) {
    (void)state;
    struct fixture f;
    open_default(&f);
    int fd = dial(&f);
    say(fd, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&f, (void **)&f.stream);
    char *text = malloc(64 * 1024);
    assert_non_null(text);
    memset(text, 'x', 64 * 1024 - 1);
    text[64 * 1024 - 1] = '\0';
    size_t sent = 0;
    for (int i = 0; i < 2000 && http_stream_send(f.stream, NULL, NULL, text); i++) {
        sent++;
    }
    assert_true(sent > 0 && sent < 2000);
    assert_false(http_stream_has_room(f.stream));
    assert_false(http_stream_over(f.stream));
    size_t heard = 0;
    while (heard < sent * (64 * 1024 + 6)) { /* nothing of it is lost, and once it has been read there is room again */
        ssize_t n = recv(fd, text, 64 * 1024, 0);
        assert_true(n > 0);
        heard += (size_t)n;
    }
    assert_true(http_stream_has_room(f.stream));
    http_stream_close(f.stream);
    free(text);
    (void)close(fd);
    close_fixture(&f);
}

static void one_address_has_its_share_of_streams(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    struct http_config config;
    struct http_stream *streams[3];
    int fds[3];
    http_config_default(&config);
    config.max_streams_per_ip = 3;
    open_fixture(&f, &config);
    for (size_t i = 0; i < 3; i++) {
        f.stream = NULL;
        fds[i] = dial(&f);
        say(fds[i], "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
        wait_for(&f, (void **)&f.stream);
        streams[i] = f.stream;
    }
    assert_int_equal(ASK(&f, "GET /events HTTP/1.1", ""), 503);
    for (size_t i = 0; i < 3; i++) {
        http_stream_close(streams[i]);
        (void)close(fds[i]);
    }
    close_fixture(&f);
}

/* Every thread for what reads much is taken, and more waits: what is short is answered as ever. */
static void short_requests_do_not_wait_for_long_ones(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    int fds[24];
    open_default(&f);
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        fds[i] = dial(&f);
        say(fds[i], "GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    (void)pthread_mutex_lock(&f.lock);
    while (f.reading < 4) { /* as many as there are threads for them */
        (void)pthread_cond_wait(&f.changed, &f.lock);
    }
    (void)pthread_mutex_unlock(&f.lock);
    for (int i = 0; i < 20; i++) { /* on each of the library's threads */
        assert_int_equal(ASK(&f, "GET /things/latest HTTP/1.1", ""), 200);
    }
    (void)pthread_mutex_lock(&f.lock);
    f.may_end = true;
    (void)pthread_cond_broadcast(&f.changed);
    (void)pthread_mutex_unlock(&f.lock);
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        hear_until(fds[i], "read");
        (void)close(fds[i]);
    }
    close_fixture(&f);
}

/* One address may have 64 waiting beside those under way; what comes on top is told to come back. */
static void long_requests_that_wait_are_bounded(void **state) {
    (void)state;
    struct fixture f;
    struct http_config config;
    int fds[80];
    size_t refused = 0;
    http_config_default(&config);
    config.max_connections_per_ip = 100;
    open_fixture(&f, &config);
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        fds[i] = dial(&f);
        say(fds[i], "GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    while (refused < 80 - 64 - 4) { /* they are answered while the others wait */
        refused = 0;
        for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
            char text[64];
            refused += recv(fds[i], text, sizeof text, MSG_PEEK | MSG_DONTWAIT) > 0;
        }
    }
    (void)pthread_mutex_lock(&f.lock);
    f.may_end = true;
    (void)pthread_cond_broadcast(&f.changed);
    (void)pthread_mutex_unlock(&f.lock);
    size_t answered = 0;
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        char text[16] = "";
        assert_true(recv(fds[i], text, 12, MSG_WAITALL) == 12);
        answered += strcmp(text, "HTTP/1.1 200") == 0;
        (void)close(fds[i]);
    }
    assert_in_range(answered, 64, 64 + 4);
    close_fixture(&f);
}

static void a_budget_ends(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    open_default(&f);
    assert_int_equal(ASK(&f, "GET /spend HTTP/1.1", ""), 200);
    assert_int_equal(f.spent, 2);
    assert_int_equal(f.left.blocks, 0);
    assert_int_equal(f.left.bytes, 970);
    const struct http_budget most = http_server_most(f.server, HTTP_GET, "/spend");
    assert_int_equal(most.blocks, 3); /* the one that was too many was booked, and not read */
    assert_int_equal(most.bytes, 30 + strlen("as far as it went"));
    close_fixture(&f);
}

/* What a client began to send and will never end is given up as soon as the client is gone, not when it would be too
 * slow. */
static void a_cut_upload_is_noticed_at_once(void **state) {
    (void)state;
    struct fixture f;
    static char piece[100000];
    struct http_stats stats;
    open_default(&f);
    uint64_t began_ms = clock_mono_ms();
    for (int i = 0; i < 40; i++) {
        int fd = dial(&f);
        say(fd, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
        assert_true(send(fd, piece, sizeof piece, MSG_NOSIGNAL) > 0);
        if (i % 2 == 0) {
            (void)shutdown(fd, SHUT_WR);
        }
        (void)close(fd);
    }
    do {
        http_server_stats(f.server, &stats);
    } while (stats.connections > 0 || __atomic_load_n(&f.abandoned, __ATOMIC_SEQ_CST) < 40);
    assert_true(clock_mono_ms() - began_ms < 20000); /* they would be cut off as idle after 30 s */
    close_fixture(&f);
}

/* A client that takes a byte now and then holds a place, and is cut off. */
static void who_takes_an_answer_too_slowly_is_cut_off(void **state) {
    (void)state;
    const struct connections_limits limits = {.total = 4, .per_address = 4, .body_min_rate = 1024};
    struct connections *table;
    struct connections_stats stats;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    int server = accept(listener, NULL, NULL);
    assert_int_equal(connections_new(&limits, &table), OK);
    struct connection *c = connections_add(table, server, (struct sockaddr *)&at, 1000);
    connections_state(table, c, CONNECTION_SERVED, 1000);
    for (uint64_t now = 2000; now < 100000; now += 1000) { /* nothing is sent: it may rest as long as it likes */
        connections_sweep(table, now);
    }
    char block[65536] = {0};
    while (send(server, block, sizeof block, MSG_DONTWAIT) > 0) { /* until the kernel takes no more */
    }
    for (uint64_t now = 100000; now <= 100000 + 3 * CONNECTIONS_PACE_MS; now += 1000) {
        char some[4096];
        (void)!recv(client, some, now < 100000 + CONNECTIONS_PACE_MS ? sizeof some : 30, MSG_DONTWAIT);
        connections_sweep(table, now);
        connections_stats(table, &stats);
        assert_true(now > 100000 + CONNECTIONS_PACE_MS || stats.timed_out == 0); /* quick at first */
    }
    assert_int_equal(stats.timed_out, 1);
    connections_remove(table, c);
    connections_free(table);
    (void)close(client);
    (void)close(server);
    (void)close(listener);
}

static void streams_are_counted_and_end_when_the_server_stops(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    struct http_config config;
    http_config_default(&config);
    config.max_streams = 1;
    open_fixture(&f, &config);
    int fd = dial(&f);
    say(fd, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&f, (void **)&f.stream);
    struct http_stream *first = f.stream;
    hear_until(fd, "text/event-stream");
    assert_int_equal(ASK(&f, "GET /events HTTP/1.1", ""), 503);
    assert_null(f.stream);
    http_server_stop(f.server);
    assert_false(http_stream_send(first, NULL, NULL, "x"));
    http_server_free(f.server);
    http_stream_close(first);
    (void)close(fd);
}

/* ---- Strangers ---- */

static void half_open_connections_do_not_stop_service(void **state) {
    (void)state;
    enum { FLOOD = 300 };
    struct fixture f;
    char answer[8192];
    int fds[FLOOD];
    open_default(&f);
    for (int i = 0; i < FLOOD; i++) {
        fds[i] = dial(&f);
        say(fds[i], "GET /things/a HTTP/1.1\r\nHost");
        if (i % 50 == 49) {
            assert_int_equal(ASK(&f, "GET /things/latest HTTP/1.1", ""), 200);
        }
    }
    uint64_t start_ms = clock_mono_ms();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ASK(&f, "GET /things/latest HTTP/1.1", ""), 200);
    }
    assert_true(clock_mono_ms() - start_ms < 10000); /* not until the slow heads have had their time */
    struct http_stats stats;
    http_server_stats(f.server, &stats);
    assert_true(stats.connections <= 64);
    assert_true(stats.evicted >= FLOOD - 64);
    for (int i = 0; i < FLOOD; i++) {
        (void)close(fds[i]);
    }
    close_fixture(&f);
}

static void a_slow_head_is_cut_off(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    struct http_config config;
    http_config_default(&config);
    config.header_timeout_ms = 300;
    open_fixture(&f, &config);
    int fd = dial(&f);
    say(fd, "GET /things/a HTTP/1.1\r\nHost");
    uint64_t start_ms = clock_mono_ms();
    assert_int_equal(hear(fd, answer, sizeof answer), 0);
    assert_true(clock_mono_ms() - start_ms < 9000); /* the time that other heads have is 10 s */
    (void)close(fd);
    close_fixture(&f);
}

static void waiting_requests_are_not_evicted(void **state) {
    (void)state;
    struct fixture f;
    char answer[8192];
    struct http_config config;
    http_config_default(&config);
    config.max_connections = 8;
    config.max_connections_per_ip = 8;
    open_fixture(&f, &config);
    int waiting = dial(&f);
    say(waiting, "GET /defer?timeout_ms=20000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    wait_for(&f, (void **)&f.deferred);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(ASK(&f, "GET /things/latest HTTP/1.1", ""), 200);
    }
    int idle[20];
    for (int i = 0; i < 20; i++) {
        idle[i] = dial(&f);
    }
    assert_int_equal(ASK(&f, "GET /things/latest HTTP/1.1", ""), 200);
    assert_true(http_complete(f.deferred, http_bytes(200, "text/plain", bytes_str("still here"))));
    (void)hear(waiting, answer, sizeof answer);
    assert_non_null(strstr(answer, "still here"));
    (void)close(waiting);
    for (int i = 0; i < 20; i++) {
        (void)close(idle[i]);
    }
    close_fixture(&f);
}

static void slow_bodies_are_found_by_their_pace(void **state) {
    (void)state;
    struct connections *table = NULL;
    struct connections_limits limits = {
        .total = 10, .per_address = 10, .header_timeout_ms = 1000, .idle_timeout_ms = 1000, .body_min_rate = 1000};
    assert_int_equal(connections_new(&limits, &table), OK);
    struct sockaddr_in a = {.sin_family = AF_INET};
    struct connection *slow = connections_add(table, -1, (struct sockaddr *)&a, 0);
    struct connection *quick = connections_add(table, -1, (struct sockaddr *)&a, 0);
    connections_state(table, slow, CONNECTION_BODY, 0);
    connections_state(table, quick, CONNECTION_BODY, 0);
    connections_progress(table, slow, 5000, 9000);
    connections_progress(table, quick, 50000, 9000);
    connections_sweep(table, 9999);
    assert_false(slow->leaving);
    connections_sweep(table, 11000);
    assert_true(slow->leaving);
    assert_false(quick->leaving);
    connections_remove(table, slow);
    connections_remove(table, quick);
    connections_free(table);
}

static void the_oldest_of_the_fullest_address_gives_way(void **state) {
    (void)state;
    struct connections *table = NULL;
    struct connections_limits limits = {.total = 4, .per_address = 2, .header_timeout_ms = 1000};
    assert_int_equal(connections_new(&limits, &table), OK);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = 1};
    struct sockaddr_in b = {.sin_family = AF_INET, .sin_addr.s_addr = 2};
    struct connection *a1 = connections_add(table, -1, (struct sockaddr *)&a, 1);
    struct connection *a2 = connections_add(table, -1, (struct sockaddr *)&a, 2);
    struct connection *b1 = connections_add(table, -1, (struct sockaddr *)&b, 0);
    struct connection *a3 = connections_add(table, -1, (struct sockaddr *)&a, 3);
    assert_non_null(a3);
    assert_true(a1->leaving);
    assert_false(b1->leaving);
    connections_state(table, a2, CONNECTION_SERVED, 4);
    connections_state(table, a3, CONNECTION_SERVED, 4);
    assert_null(connections_add(table, -1, (struct sockaddr *)&a, 5));
    connections_remove(table, a1);
    connections_remove(table, a2);
    connections_remove(table, a3);
    connections_remove(table, b1);
    connections_free(table);
}

static void ipv6_neighbours_count_as_one_address(void **state) {
    (void)state;
    struct sockaddr_in6 a = {.sin6_family = AF_INET6};
    struct sockaddr_in6 b = a;
    assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:2::1", &a.sin6_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:2:ffff::9", &b.sin6_addr), 1);
    struct connection_address x = connections_address((struct sockaddr *)&a);
    struct connection_address y = connections_address((struct sockaddr *)&b);
    assert_memory_equal(x.bytes, y.bytes, sizeof x.bytes);
}

static void an_address_has_a_rate(void **state) {
    (void)state;
    struct ratelimit *limit = NULL;
    assert_int_equal(ratelimit_new(10, &limit), OK);
    int given = 0;
    for (int i = 0; i < 100; i++) {
        given += ratelimit_take(limit, "a", 1, 1000);
    }
    assert_int_equal(given, 20);
    assert_true(ratelimit_take(limit, "b", 1, 1000));
    assert_true(ratelimit_take(limit, "a", 1, 1100));
    assert_false(ratelimit_take(limit, "a", 1, 1100));
    ratelimit_free(limit);
}

/* ---- TLS ---- */

static void write_file(const char *path, const char *command) {
    char line[1024];
    (void)snprintf(line, sizeof line, "%s >%s 2>/dev/null", command, path);
    assert_int_equal(system(line), 0);
}

static size_t ignore(char *data, size_t size, size_t count, void *ctx) {
    (void)data;
    (void)ctx;
    return size * count;
}

static void tls_serves_and_refuses_open_key_files(void **state) {
    (void)state;
    char dir[] = "/tmp/assay-tls-XXXXXX";
    char cert[64];
    char key[64];
    char command[512];
    struct why why = WHY_NONE;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    (void)snprintf(key, sizeof key, "%s/key.pem", dir);
    (void)snprintf(
        command, sizeof command,
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost "
        "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s",
        key, cert);
    if (system("command -v openssl >/dev/null") != 0) {
        print_message("skipped: there is no openssl command\n");
        skip();
    }
    write_file("/dev/null", command);
    assert_int_equal(chmod(key, 0600), 0);
    struct http_config config;
    http_config_default(&config);
    config.tls_cert = cert;
    config.tls_key = key;
    struct fixture f;
    open_fixture(&f, &config);
    assert_true(http_server_has_tls(f.server));
    char url[128];
    (void)snprintf(url, sizeof url, "https://%s/things/latest", http_server_address(f.server));
    CURL *curl = curl_easy_init();
    long status = 0;
    assert_int_equal(curl_easy_setopt(curl, CURLOPT_URL, url), CURLE_OK);
    assert_int_equal(curl_easy_setopt(curl, CURLOPT_CAINFO, cert), CURLE_OK);
    assert_int_equal(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore), CURLE_OK);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    assert_int_equal(curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status), CURLE_OK);
    assert_int_equal(status, 200);
    curl_easy_cleanup(curl);
    close_fixture(&f);
    assert_int_equal(chmod(key, 0644), 0);
    struct http_server *server = NULL;
    assert_int_equal(http_server_new(&config, &server), OK);
    assert_int_equal(http_server_start(server, &why), ERR_CONFIG);
    assert_non_null(strstr(why.text, "chmod 600"));
    http_server_free(server);
    (void)unlink(cert);
    (void)unlink(key);
    (void)rmdir(dir);
}

static void an_address_in_use_is_said_so(void **state) {
    (void)state;
    struct fixture f;
    struct why why = WHY_NONE;
    open_default(&f);
    struct http_config config;
    http_config_default(&config);
    config.listen = http_server_address(f.server);
    struct http_server *server = NULL;
    assert_int_equal(http_server_new(&config, &server), OK);
    assert_int_equal(http_server_start(server, &why), ERR_BUSY);
    assert_non_null(strstr(why.text, "in use"));
    http_server_free(server);
    config.listen = "nonsense";
    assert_int_equal(http_server_new(&config, &server), OK);
    assert_int_equal(http_server_start(server, &why), ERR_CONFIG);
    http_server_free(server);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_server_there_is_nothing_to_stop),
        cmocka_unit_test(paths_and_queries_are_decoded_and_matched),
        cmocka_unit_test(wrong_requests_get_named_errors),
        cmocka_unit_test(bodies_and_heads_have_limits),
        cmocka_unit_test(a_sink_sees_every_byte_and_may_refuse),
        cmocka_unit_test(files_are_served_in_ranges),
        cmocka_unit_test(a_deferred_answer_comes_from_another_thread),
        cmocka_unit_test(a_deferred_answer_times_out_once),
        cmocka_unit_test(stopping_answers_those_who_wait),
        cmocka_unit_test(a_client_that_left_while_waiting_does_no_harm),
        cmocka_unit_test(events_reach_the_client_as_they_happen),
        cmocka_unit_test(a_stream_that_nobody_reads_gets_no_more_and_is_not_given_up),
        cmocka_unit_test(one_address_has_its_share_of_streams),
        cmocka_unit_test(short_requests_do_not_wait_for_long_ones),
        cmocka_unit_test(long_requests_that_wait_are_bounded),
        cmocka_unit_test(a_budget_ends),
        cmocka_unit_test(a_cut_upload_is_noticed_at_once),
        cmocka_unit_test(who_takes_an_answer_too_slowly_is_cut_off),
        cmocka_unit_test(streams_are_counted_and_end_when_the_server_stops),
        cmocka_unit_test(half_open_connections_do_not_stop_service),
        cmocka_unit_test(a_slow_head_is_cut_off),
        cmocka_unit_test(waiting_requests_are_not_evicted),
        cmocka_unit_test(slow_bodies_are_found_by_their_pace),
        cmocka_unit_test(the_oldest_of_the_fullest_address_gives_way),
        cmocka_unit_test(ipv6_neighbours_count_as_one_address),
        cmocka_unit_test(an_address_has_a_rate),
        cmocka_unit_test(tls_serves_and_refuses_open_key_files),
        cmocka_unit_test(an_address_in_use_is_said_so),
    };
    if (crypto_start() != OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
