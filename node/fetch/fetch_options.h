/* How other nodes are reached over HTTP(S): the same for every user of node/fetch/. */
#ifndef ASSAY_NODE_FETCH_FETCH_OPTIONS_H
#define ASSAY_NODE_FETCH_FETCH_OPTIONS_H

#include <stdint.h>

/* 0 and NULL mean the default in brackets. Texts are borrowed for as long as what was made with them lives. */
struct fetch_options {
    const char *ca_file;         /* PEM, for https [the system's] */
    const char *proxy;           /* URL [what the environment says, as libcurl reads it] */
    const char *token;           /* sent as bearer token [none] */
    uint32_t connect_timeout_ms; /* [5000] */
    uint32_t min_rate;           /* bytes a second; a transfer below it for stall_ms is ended [1024] */
    uint32_t stall_ms;           /* [10000] */
};

#endif
