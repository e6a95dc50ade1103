#include "device/ports/host/host_link.h"

#include "device/core/protocol.h"

#include <stdio.h>
#include <string.h>

struct receiver {
    uint8_t *out;
    size_t capacity;
    size_t len;
    bool overflow;
};

static size_t receive(char *data, size_t size, size_t count, void *ctx) {
    struct receiver *to = ctx;
    size_t len = size * count;
    if (len > to->capacity - to->len) {
        to->overflow = true;
        return 0;
    }
    memcpy(to->out + to->len, data, len);
    to->len += len;
    return len;
}

/* Lines of the head and trailers, all of which libcurl keeps. */
static size_t receive_head(char *data, size_t size, size_t count, void *ctx) {
    struct host_link *link = ctx;
    (void)data;
    link->head_bytes += size * count;
    return link->head_bytes <= HOST_LINK_HEAD_MAX ? size * count : 0; /* less than there is ends the exchange */
}

static const char *what_failed(CURLcode code, const struct receiver *to, const char *detail) {
    if (to->overflow) {
        return "answer longer than asked for";
    }
    return detail[0] != '\0' ? detail : curl_easy_strerror(code);
}

static bool exchange(void *ctx, const uint8_t *request, size_t len, uint8_t *answer, size_t capacity, size_t *out_len) {
    struct host_link *link = ctx;
    struct receiver to = {answer, capacity, 0, false};
    long status = 0;
    char *type = NULL;
    char error[CURL_ERROR_SIZE] = "";
    link->exchanges++;
    link->head_bytes = 0;
    (void)curl_easy_setopt(link->curl, CURLOPT_POSTFIELDS, request);
    (void)curl_easy_setopt(link->curl, CURLOPT_POSTFIELDSIZE, (long)len);
    (void)curl_easy_setopt(link->curl, CURLOPT_WRITEDATA, &to);
    (void)curl_easy_setopt(link->curl, CURLOPT_ERRORBUFFER, error);
    CURLcode code = curl_easy_perform(link->curl);
    (void)curl_easy_setopt(link->curl, CURLOPT_ERRORBUFFER, NULL);
    (void)curl_easy_setopt(link->curl, CURLOPT_POSTFIELDS, NULL);
    if (code != CURLE_OK) {
        why_set(&link->why, "%s", what_failed(code, &to, error));
        return false;
    }
    (void)curl_easy_getinfo(link->curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(link->curl, CURLINFO_CONTENT_TYPE, &type);
    if (status != 200 || type == NULL || strcmp(type, PROTOCOL_CONTENT_TYPE) != 0) {
        why_set(&link->why, "it answered HTTP status %ld, not the device protocol", status);
        return false;
    }
    *out_len = to.len;
    return true;
}

bool host_link_open(struct host_link *link, const char *gateway) {
    size_t len = strlen(gateway);
    *link = (struct host_link){.seam = {exchange, link}};
    while (len > 0 && gateway[len - 1] == '/') {
        len--;
    }
    int n = snprintf(link->url, sizeof link->url, "%.*s%s", (int)len, gateway, PROTOCOL_PATH);
    if (n < 0 || (size_t)n >= sizeof link->url ||
        (strncmp(gateway, "http://", 7) != 0 && strncmp(gateway, "https://", 8) != 0)) {
        return false;
    }
    link->curl = curl_easy_init();
    link->headers = curl_slist_append(NULL, "Content-Type: " PROTOCOL_CONTENT_TYPE);
    if (link->curl == NULL || link->headers == NULL) {
        return false;
    }
    return curl_easy_setopt(link->curl, CURLOPT_URL, link->url) == CURLE_OK &&
           curl_easy_setopt(link->curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(link->curl, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(link->curl, CURLOPT_HTTPHEADER, link->headers) == CURLE_OK &&
           curl_easy_setopt(link->curl, CURLOPT_TIMEOUT_MS, HOST_LINK_TIMEOUT_MS) == CURLE_OK &&
           curl_easy_setopt(link->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(link->curl, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK &&
           curl_easy_setopt(link->curl, CURLOPT_HEADERFUNCTION, receive_head) == CURLE_OK &&
           curl_easy_setopt(link->curl, CURLOPT_HEADERDATA, link) == CURLE_OK &&
           curl_easy_setopt(link->curl, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK;
}

void host_link_close(struct host_link *link) {
    curl_slist_free_all(link->headers);
    link->headers = NULL;
    if (link->curl != NULL) {
        curl_easy_cleanup(link->curl);
    }
    link->curl = NULL;
}
