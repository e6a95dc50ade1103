#include "node/fetch/fetch_curl.h"

#include <stdio.h>

#define CONNECT_TIMEOUT_MS 5000u
#define MIN_RATE 1024u
#define STALL_MS 10000u
#define HEADER_MAX (2048 + 64) /* with a token */

static long or_default(uint32_t value, uint32_t otherwise) {
    return (long)(value != 0 ? value : otherwise);
}

/* A line of the head, or of the trailers. */
static size_t take_head(char *data, size_t size, size_t count, void *arg) {
    struct fetch_curl_head *head = arg;
    (void)data;
    head->bytes += size * count;
    return head->bytes <= FETCH_HEAD_MAX ? size * count : 0; /* less than there is ends the transfer */
}

bool fetch_curl_set(const struct fetch_options *options, CURL *curl, struct fetch_curl_head *head) {
    *head = (struct fetch_curl_head){0};
    long connect_ms = or_default(options->connect_timeout_ms, CONNECT_TIMEOUT_MS);
    return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_head) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERDATA, head) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK &&
           (options->ca_file == NULL || curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file) == CURLE_OK) &&
           (options->proxy == NULL || curl_easy_setopt(curl, CURLOPT_PROXY, options->proxy) == CURLE_OK);
}

bool fetch_curl_set_stall(const struct fetch_options *options, CURL *curl) {
    long stall_ms = or_default(options->stall_ms, STALL_MS), min_rate = or_default(options->min_rate, MIN_RATE);
    return curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, min_rate) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (stall_ms + 999) / 1000) == CURLE_OK;
}

bool fetch_curl_header(struct curl_slist **list, const char *name, const char *value) {
    char line[HEADER_MAX];
    if (value == NULL) {
        return true;
    }
    int n = snprintf(line, sizeof line, "%s:%s%s", name, value[0] != '\0' ? " " : "", value);
    struct curl_slist *grown = n > 0 && (size_t)n < sizeof line ? curl_slist_append(*list, line) : NULL;
    *list = grown != NULL ? grown : *list;
    return grown != NULL;
}

bool fetch_curl_token(const struct fetch_options *options, struct curl_slist **list) {
    char value[HEADER_MAX];
    if (options->token == NULL) {
        return true;
    }
    int n = snprintf(value, sizeof value, "Bearer %s", options->token);
    return n > 0 && (size_t)n < sizeof value && fetch_curl_header(list, "Authorization", value);
}
