#include "node/fetch/client.h"

#include "base/why.h"
#include "node/answers/error.h"
#include "node/answers/login.h"
#include "node/answers/status.h"
#include "node/fetch/fetch_curl.h"
#include "node/http/auth.h"
#include "node/json/record_json.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALL_TIMEOUT_MS 30000
/* An upload is waited for while the node writes it down, longer than a fetch that may ask another node. */
#define UPLOAD_MIN_RATE 1u
#define UPLOAD_STALL_MS 60000u
#define URL_MAX 256
#define PROGRESS_WIDTH 30

struct client {
    CURL *curl;
    char url[URL_MAX]; /* without a trailing '/' */
    struct fetch_options http;
    struct fetch_curl_head head;
    long timeout_ms;
    char token[AUTH_TOKEN_MAX]; /* of a login, borrowed by `http` */
    struct why why;
    char code[64];
    long status;
};

/* One call: what is sent and where the answer goes. */
struct http_call {
    const char *path;
    const char *content_type, *accept; /* NULL: none */
    struct bytes body;
    bool post;
    int upload_fd; /* -1: none; else the body */
    uint64_t upload_size;
    int download_fd; /* -1: the answer goes to memory */
    uint64_t limit;
    bool stalls_only; /* no limit on the whole time */
    bool progress;
    /* the answer */
    struct client *client;
    struct buffer answer;
    uint64_t received;
    enum err write_error;
    unsigned shown_percent;
};

enum err client_start(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? OK : ERR_UNSUPPORTED;
}

enum err client_new(const struct client_config *config, struct client **out) {
    size_t len = strlen(config->url);
    while (len > 0 && config->url[len - 1] == '/') {
        len--;
    }
    bool good = strncmp(config->url, "http://", 7) == 0 || strncmp(config->url, "https://", 8) == 0;
    if (!good || len >= URL_MAX) {
        return ERR_CONFIG;
    }
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return ERR_NOMEM;
    }
    memcpy(client->url, config->url, len);
    client->http = config->http;
    client->http.min_rate = config->http.min_rate != 0 ? config->http.min_rate : UPLOAD_MIN_RATE;
    client->http.stall_ms = config->http.stall_ms != 0 ? config->http.stall_ms : UPLOAD_STALL_MS;
    client->timeout_ms = config->timeout_ms != 0 ? (long)config->timeout_ms : CALL_TIMEOUT_MS;
    client->curl = curl_easy_init();
    if (client->curl == NULL) {
        client_free(client);
        return ERR_NOMEM;
    }
    *out = client;
    return OK;
}

void client_free(struct client *client) {
    if (client != NULL) {
        curl_easy_cleanup(client->curl);
        secure_wipe(client->token, sizeof client->token);
        free(client);
    }
}

const char *client_url(const struct client *client) {
    return client->url;
}

const char *client_why(const struct client *client) {
    return client->why.text;
}

long client_status(const struct client *client) {
    return client->status;
}

const char *client_error_code(const struct client *client) {
    return client->code;
}

static void say(struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct client *client, const char *format, ...) {
    va_list args;
    va_start(args, format);
    why_vset(&client->why, format, args);
    va_end(args);
    /* What a node sends never steers the terminal, nor looks like another line. */
    text_make_line(client->why.text);
}

/* ---- libcurl's calls ---- */

static enum err write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR) {
            return err_from_errno(errno);
        }
        size_t done = n > 0 ? (size_t)n : 0;
        data += done;
        len -= done;
    }
    return OK;
}

static size_t take_answer(char *data, size_t size, size_t count, void *ctx) {
    struct http_call *call = ctx;
    size_t len = size * count;
    long status = 0;
    (void)curl_easy_getinfo(call->client->curl, CURLINFO_RESPONSE_CODE, &status);
    bool refused = status < 200 || status > 299;
    /* A refusal's text goes to memory whatever was asked for. */
    uint64_t limit = refused ? CLIENT_JSON_MAX : call->limit;
    if (len > limit - call->received) {
        call->write_error = ERR_TOOLARGE;
        return 0;
    }
    call->received += len;
    if (call->download_fd >= 0 && !refused) {
        call->write_error = write_all(call->download_fd, data, len);
    } else {
        buffer_put(&call->answer, data, len);
        call->write_error = buffer_ok(&call->answer);
    }
    return call->write_error == OK ? len : 0;
}

static size_t give_file(char *out, size_t size, size_t count, void *ctx) {
    struct http_call *call = ctx;
    for (;;) {
        ssize_t n = read(call->upload_fd, out, size * count);
        if (n >= 0) {
            return (size_t)n;
        }
        if (errno != EINTR) {
            call->write_error = err_from_errno(errno);
            return CURL_READFUNC_ABORT;
        }
    }
}

/* libcurl sends the start of the file again when a kept connection turns out to be closed. */
static int rewind_file(void *ctx, curl_off_t offset, int origin) {
    struct http_call *call = ctx;
    return lseek(call->upload_fd, (off_t)offset, origin) >= 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static int show_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up) {
    struct http_call *call = ctx;
    curl_off_t total = up_total > 0 ? up_total : down_total;
    curl_off_t done = up_total > 0 ? up : down;
    if (total <= 0) {
        return 0;
    }
    unsigned percent = (unsigned)(done * 100 / total);
    if (percent != call->shown_percent) {
        char bar[PROGRESS_WIDTH + 1];
        for (unsigned i = 0; i < PROGRESS_WIDTH; i++) {
            bar[i] = i < percent * PROGRESS_WIDTH / 100 ? '#' : '.';
        }
        bar[PROGRESS_WIDTH] = '\0';
        (void)fprintf(stderr, "\r%s %3u %%%s", bar, percent, percent == 100 ? "\n" : "");
        call->shown_percent = percent;
    }
    return 0;
}

/* ---- One call ---- */

static struct curl_slist *make_headers(const struct client *client, const struct http_call *call) {
    struct curl_slist *list = NULL;
    /* Only an upload waits for the node's consent before it sends its body. */
    bool good = fetch_curl_header(&list, "Content-Type", call->content_type) &&
                fetch_curl_header(&list, "Accept", call->accept) &&
                fetch_curl_header(&list, "Expect", call->upload_fd >= 0 ? NULL : "") &&
                fetch_curl_token(&client->http, &list);
    if (!good) {
        curl_slist_free_all(list);
        return NULL;
    }
    return list;
}

#define SET(option, value) (void)curl_easy_setopt(curl, option, value)

static bool prepare(struct client *client, struct http_call *call, const char *url, struct curl_slist *headers) {
    CURL *curl = client->curl;
    curl_easy_reset(curl);
    if (!fetch_curl_set(&client->http, curl, &client->head) ||
        (call->stalls_only && !fetch_curl_set_stall(&client->http, curl)) ||
        curl_easy_setopt(curl, CURLOPT_URL, url) != CURLE_OK) {
        return false;
    }
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_WRITEFUNCTION, take_answer);
    SET(CURLOPT_WRITEDATA, call);
    if (!call->stalls_only) {
        SET(CURLOPT_TIMEOUT_MS, client->timeout_ms);
    }
    if (call->post) {
        SET(CURLOPT_POST, 1L);
        if (call->upload_fd >= 0) {
            SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->upload_size);
            SET(CURLOPT_READFUNCTION, give_file);
            SET(CURLOPT_READDATA, call);
            SET(CURLOPT_SEEKFUNCTION, rewind_file);
            SET(CURLOPT_SEEKDATA, call);
        } else {
            SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
            SET(CURLOPT_POSTFIELDS, call->body.len > 0 ? (const void *)call->body.data : "");
        }
    }
    if (call->progress && isatty(STDERR_FILENO)) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, show_progress);
        SET(CURLOPT_XFERINFODATA, call);
    }
    return true;
}

/* The error envelope in one line. */
static enum err explain_refusal(struct client *client, const struct http_call *call) {
    json_error_t bad;
    const char *text = call->answer.data != NULL ? (const char *)call->answer.data : "";
    json_t *answer = json_loadb(text, call->answer.len, 0, &bad);
    struct error_answer said;
    struct why why;
    if (record_of_json(&error_answer_shape, answer, &said, &why) == OK) {
        const struct error_body *error = &said.error;
        (void)snprintf(client->code, sizeof client->code, "%.63s", error->code);
        say(client, "%s: %s%s%s", error->code, error->message, error->hint[0] != '\0' ? "; " : "", error->hint);
    } else {
        say(client, "%s answered status %ld; is it an assay node's HTTP address?", client->url, client->status);
    }
    json_decref(answer);
    switch (client->status) {
    case 404:
        return ERR_NOTFOUND;
    case 401:
    case 403:
        return ERR_DENIED;
    case 429:
    case 503:
        return ERR_BUSY;
    case 413:
        return ERR_TOOLARGE;
    default:
        return ERR_INVALID;
    }
}

static const char *advice(CURLcode code) {
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return "; is the node up, and is --node right?";
    case CURLE_OPERATION_TIMEDOUT:
        return "; the node may be busy, try again";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "; give --ca-file with the certificate to trust";
    default:
        return "";
    }
}

static enum err explain_transport(struct client *client, const struct http_call *call, CURLcode code) {
    if (call->write_error != OK) {
        say(client, "%s%s: %s", client->url, call->path, err_text(call->write_error));
        return call->write_error;
    }
    say(client, "no answer from %s: %s%s", client->url, curl_easy_strerror(code), advice(code));
    return code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_NETWORK;
}

static enum err perform(struct client *client, struct http_call *call) {
    char url[URL_MAX + 2048];
    client->why = WHY_NONE;
    client->code[0] = '\0';
    client->status = 0;
    call->client = client;
    int n = snprintf(url, sizeof url, "%s%s", client->url, call->path);
    struct curl_slist *headers = make_headers(client, call);
    if (n < 0 || (size_t)n >= sizeof url || headers == NULL || !prepare(client, call, url, headers)) {
        curl_slist_free_all(headers);
        say(client, "the request is too long or memory is out");
        return ERR_TOOLARGE;
    }
    CURLcode code = curl_easy_perform(client->curl);
    (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &client->status);
    curl_slist_free_all(headers);
    /* A node that refuses an upload answers before it has read everything. */
    bool answered = client->status >= 400 && call->answer.len > 0;
    if (code != CURLE_OK && !answered) {
        client->status = 0;
        return explain_transport(client, call, code);
    }
    return client->status >= 200 && client->status <= 299 ? OK : explain_refusal(client, call);
}

static enum err perform_json(struct client *client, struct http_call *call, json_t **out) {
    call->limit = CLIENT_JSON_MAX;
    enum err e = perform(client, call);
    if (e == OK) {
        json_error_t bad;
        const char *text = call->answer.data != NULL ? (const char *)call->answer.data : "";
        json_t *json = json_loadb(text, call->answer.len, JSON_REJECT_DUPLICATES, &bad);
        if (json == NULL) {
            say(client, "%s%s did not answer with JSON: %s", client->url, call->path, bad.text);
            e = ERR_MALFORMED;
        } else {
            *out = json;
        }
    }
    buffer_free(&call->answer);
    return e;
}

/* ---- Calls by shape ---- */

enum err client_get_json(struct client *client, const char *path, json_t **out) {
    struct http_call call = {.path = path, .accept = "application/json", .upload_fd = -1, .download_fd = -1};
    return perform_json(client, &call, out);
}

enum err client_post_bytes(struct client *client, const char *path, const char *content_type, struct bytes body,
                           json_t **out) {
    struct http_call call = {.path = path,
                             .content_type = content_type,
                             .accept = "application/json",
                             .body = body,
                             .post = true,
                             .upload_fd = -1,
                             .download_fd = -1};
    return perform_json(client, &call, out);
}

static enum err post_json(struct client *client, const char *path, const json_t *body, json_t **out) {
    char *text = json_dumps(body, JSON_COMPACT);
    if (text == NULL) {
        say(client, "out of memory");
        return ERR_NOMEM;
    }
    enum err e = client_post_bytes(client, path, "application/json", bytes_str(text), out);
    free(text);
    return e;
}

enum err client_get_bytes(struct client *client, const char *path, const char *accept, size_t limit,
                          struct buffer *out) {
    struct http_call call = {.path = path, .accept = accept, .upload_fd = -1, .download_fd = -1, .limit = limit};
    enum err e = perform(client, &call);
    if (e == OK) {
        buffer_put(out, call.answer.data, call.answer.len);
        e = buffer_ok(out);
    }
    buffer_free(&call.answer);
    return e;
}

enum err client_upload_file(struct client *client, const char *path, const char *file, bool progress, json_t **out) {
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        enum err e = fd < 0 ? err_from_errno(errno) : ERR_UNSUPPORTED;
        say(client, "%s: %s", file, fd < 0 ? err_text(e) : "not a regular file");
        if (fd >= 0) {
            (void)close(fd);
        }
        return e;
    }
    struct http_call call = {.path = path,
                             .content_type = "application/octet-stream",
                             .accept = "application/json",
                             .post = true,
                             .upload_fd = fd,
                             .upload_size = (uint64_t)st.st_size,
                             .download_fd = -1,
                             .stalls_only = true,
                             .progress = progress};
    enum err e = perform_json(client, &call, out);
    (void)close(fd);
    return e;
}

void client_escape(const char *text, struct buffer *out) {
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;
        char code[4];
        (void)snprintf(code, sizeof code, "%%%02X", c);
        buffer_put(out, plain ? p : code, plain ? 1 : 3);
    }
}

/* ---- Logging in ---- */

/* An answer as the record it should be. */
static enum err take(struct client *client, const struct record *shape, const json_t *answer, void *out) {
    struct why why = WHY_NONE;
    enum err e = record_of_json(shape, answer, out, &why);
    if (e != OK) {
        say(client, "%s answered with something else: %s; is it an assay node?", client->url, why.text);
    }
    return e;
}

/* Posts one record and reads another; texts in it are borrowed from `*out_answer`, which the caller releases. */
static enum err exchange(struct client *client, const char *path, const struct record *asked, const void *question,
                         const struct record *given, void *out, json_t **out_answer) {
    json_t *body = record_json(asked, question);
    enum err e = post_json(client, path, body, out_answer);
    json_decref(body);
    return e == OK ? take(client, given, *out_answer, out) : e;
}

/* Later calls carry it. */
static enum err set_token(struct client *client, const char *token) {
    if (strlen(token) >= AUTH_TOKEN_MAX) {
        say(client, "the token is too long");
        return ERR_TOOLARGE;
    }
    (void)snprintf(client->token, sizeof client->token, "%s", token);
    client->http.token = client->token;
    return OK;
}

enum err client_login(struct client *client, const uint8_t secret[ED25519_SECRET_LEN]) {
    struct node_status node;
    struct challenge_request who;
    struct challenge_answer challenge;
    struct token_request signed_challenge;
    struct token_answer token;
    uint8_t text[AUTH_SIGNED_LEN];
    json_t *answer = NULL;
    enum err e = client_get_json(client, "/v1/status", &answer);
    e = e == OK ? take(client, &node_status_shape, answer, &node) : e;
    json_decref(answer);
    answer = NULL;
    memcpy(who.key, secret + ED25519_SEED_LEN, ED25519_KEY_LEN);
    if (e == OK) {
        e = exchange(client, "/v1/auth/challenge", &challenge_request_shape, &who, &challenge_answer_shape, &challenge,
                     &answer);
        json_decref(answer);
        answer = NULL;
    }
    if (e != OK) {
        return e;
    }
    auth_signed_bytes(node.chain_id, node.node_id, challenge.challenge, text);
    memcpy(signed_challenge.key, who.key, ED25519_KEY_LEN);
    memcpy(signed_challenge.challenge, challenge.challenge, LOGIN_CHALLENGE_LEN);
    ed25519_sign(secret, text, sizeof text, signed_challenge.signature);
    e = exchange(client, "/v1/auth/token", &token_request_shape, &signed_challenge, &token_answer_shape, &token,
                 &answer);
    e = e == OK ? set_token(client, token.token) : e;
    json_decref(answer);
    return e;
}
