/* The device protocol over HTTP(S): POST to the gateway (libcurl). One link a thread. */
#ifndef ASSAY_DEVICE_HOST_LINK_H
#define ASSAY_DEVICE_HOST_LINK_H

#include "base/why.h"
#include "device/core/seam.h"

#include <curl/curl.h>

#define HOST_LINK_TIMEOUT_MS 10000L
#define HOST_LINK_HEAD_MAX (64u * 1024u) /* bytes of head and trailers of one answer */

struct host_link {
    struct device_transport seam;
    CURL *curl;
    struct curl_slist *headers;
    char url[1024];
    struct why why; /* of the last exchange that failed */
    unsigned long exchanges;
    size_t head_bytes; /* of the answer under way */
};

/* `gateway` is its base URL, http or https. False when it is not one or libcurl can't start; host_link_close anyway. */
bool host_link_open(struct host_link *link, const char *gateway);
void host_link_close(struct host_link *link);

#endif
