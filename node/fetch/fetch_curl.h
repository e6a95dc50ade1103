/* What struct fetch_options says, said to libcurl: the one place for all who hold a handle. Inside node/fetch/ only. */
#ifndef ASSAY_NODE_FETCH_FETCH_CURL_H
#define ASSAY_NODE_FETCH_FETCH_CURL_H

#include "node/fetch/fetch_options.h"

#include <curl/curl.h>
#include <stdbool.h>

/* All fail for want of memory alone. The handle has been reset, which leaves nothing that an earlier call was given. */

/* Bytes of the head, and of trailers, that one answer may have: libcurl keeps them all. */
#define FETCH_HEAD_MAX (64u * 1024u)
struct fetch_curl_head {
    size_t bytes; /* of the answer under way */
};

/* How the other node is reached: http and https alone, no redirects, no compression, no signals; certificates, proxy,
 * patience with connecting. An answer whose head or trailers are over FETCH_HEAD_MAX is broken off; `head` lives as
 * long as the transfer. */
bool fetch_curl_set(const struct fetch_options *options, CURL *curl, struct fetch_curl_head *head);
/* Ends a transfer that moves too little for too long. */
bool fetch_curl_set_stall(const struct fetch_options *options, CURL *curl);

/* Adds a line to `*list`, which the caller frees (curl_slist_free_all) whatever comes of it; none when `value` is NULL,
 * and with "" libcurl leaves out what it would send by itself. False also for a line longer than 2 KiB. */
bool fetch_curl_header(struct curl_slist **list, const char *name, const char *value);
/* The options' token, if there is one. */
bool fetch_curl_token(const struct fetch_options *options, struct curl_slist **list);

#endif
