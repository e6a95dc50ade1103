/* What a node answers to GET or HEAD /ipfs/{cid}: the trustless gateway of IPFS, decided apart from any HTTP library.
 *
 * `format=raw` or `Accept: application/vnd.ipld.raw` asks for one block; anything else for the bytes of the file under
 * the CID, which may be asked for in part (Range). Content under a CID never changes, so answers may be kept for ever.
 * Nothing is fetched from elsewhere: what is not here is 404.
 */
#ifndef ASSAY_NODE_API_IPFS_RESPONSE_H
#define ASSAY_NODE_API_IPFS_RESPONSE_H

#include "ipfs-lite/repo.h"

/* The facts of a request; NULL for what it doesn't have. Only `cid` is needed. */
struct ipfs_request {
    const char *cid;
    const char *format;   /* query argument */
    const char *filename; /* query argument: a name to save under */
    const char *accept;
    const char *range;
    const char *if_range;
    const char *if_none_match;
};

#define IPFS_HEADERS_MAX 10
#define IPFS_VALUE_SIZE 192

struct ipfs_header {
    const char *name;
    char value[IPFS_VALUE_SIZE];
};

/* Content-Length and the body follow from fd, offset and size; HEAD leaves the body out. The server puts
 * X-Content-Type-Options: nosniff on every answer by itself. */
struct ipfs_response {
    unsigned status;
    const char *content_type;
    struct ipfs_header headers[IPFS_HEADERS_MAX];
    size_t header_count;
    int fd; /* -1: the body is `bytes` */
    uint64_t offset;
    uint64_t size;
    struct bytes bytes; /* on the heap, may be empty */
    const char *error;  /* for status 400 and above: a name, and words for people */
    const char *why;
};

/* Never fails: faults are answers too (500). Close the response afterwards. */
void ipfs_respond(struct repo *repo, const struct ipfs_request *request, struct ipfs_response *out);
void ipfs_response_close(struct ipfs_response *response);

#endif
