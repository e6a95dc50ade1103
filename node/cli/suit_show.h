/* Shows a SUIT envelope: for people (named as in the specification, indented) or as JSON.
 *
 * Nothing is shown of an envelope that is not well-formed. No key is at hand here, so signatures are shown as
 * unverified; `assay suit verify` checks them.
 */
#ifndef ASSAY_NODE_CLI_SUIT_SHOW_H
#define ASSAY_NODE_CLI_SUIT_SHOW_H

#include "base/bytes.h"
#include "verify/suit.h"

#include <jansson.h>
#include <stdio.h>

/* GOOD, or why nothing was written. `out_digest_holds` tells whether the manifest has the digest the envelope claims.
 */
enum verdict suit_show_text(FILE *out, struct bytes envelope, bool *out_digest_holds);
/* The same as a document that the caller owns; NULL when out of memory. */
enum verdict suit_show_json(struct bytes envelope, json_t **out, bool *out_digest_holds);

#endif
