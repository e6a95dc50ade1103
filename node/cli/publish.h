/* Publishing a release through a node: upload, envelope, signatures, registration. */
#ifndef ASSAY_NODE_CLI_PUBLISH_H
#define ASSAY_NODE_CLI_PUBLISH_H

#include "node/cli/names.h"
#include "node/cli/txcmd.h"

/* Texts may be NULL where the command line left them out. */
struct publish_request {
    struct class_name class;
    const char *class_text;
    const char *image; /* file */
    const char *version;
    uint64_t sequence; /* 0: one above the highest released */
    const char *sbom;  /* file */
    char *notes;
    const char *description;
    const char *envelope; /* file; NULL: built and signed here with the keys of `tx` */
};

/* ARGS_GO_ON with the answer (release_id, cid, sequence, version, size, sha256, tx_id, height, result), or the exit
 * status. */
int publish(struct txcmd *tx, const struct publish_request *request, json_t **out);

#endif
