/* The tables that genesis.json and the draft of one (node/genesis/genesis_draft.h) share: what both begin with, and what an
 * organisation and a node look like in both. Written in genesis_json.c; nobody else includes this.
 */
#ifndef ASSAY_NODE_GENESIS_GENESIS_JSON_RECORDS_H
#define ASSAY_NODE_GENESIS_GENESIS_JSON_RECORDS_H

#include "contracts/genesis/genesis.h"
#include "node/json/record_file.h"

extern const struct record genesis_json_params; /* struct genesis_params */
extern const struct record genesis_json_org;    /* struct genesis_org */
extern const struct record genesis_json_node;   /* struct genesis_node */

/* The first rows of a file's table: what it says it is, which `format` makes, and the head of the chain. */
#define GENESIS_JSON_HEAD(type, format)                                                                                \
    {"format", "What this file is.", FIELD_MADE, .make = (format)},                                                    \
        {"name", "Of the chain.", FIELD_TEXT, MEMBER(type, name)},                                                     \
        {"time_ms", "Of the genesis block.", FIELD_NUMBER, MEMBER(type, time_ms)},                                     \
        {"salt", "Makes the chain's id its own.", FIELD_HEX, MEMBER(type, salt)}, {                                    \
        "params", "What the chain begins with.", FIELD_RECORD, MEMBER(type, params), .of = &genesis_json_params        \
    }

#endif
