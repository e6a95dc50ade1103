/* The records that genesis.json and the draft of one (node/genesis/genesis_draft.h) share, one reader and one writer for both.
 * Written in genesis_json.c; nobody else includes this.
 */
#ifndef ASSAY_NODE_GENESIS_GENESIS_JSON_RECORDS_H
#define ASSAY_NODE_GENESIS_GENESIS_JSON_RECORDS_H

#include "contracts/genesis/genesis.h"
#include "node/host/json_shape.h"

/* Takes a record's members from its object and refuses the rest. `record` is a struct genesis_org and a struct
 * genesis_node: the two fit shape_array. */
void genesis_json_take_params(struct shape *s, json_t *from, struct genesis_params *out);
void genesis_json_take_org(struct shape *s, json_t *from, void *record);
void genesis_json_take_node(struct shape *s, json_t *from, void *record);

/* A document being made: a member that could not be added shows here at the end. */
struct genesis_json_render {
    bool failed;
};

/* The record's object, the caller's; NULL when memory ran out. */
json_t *genesis_json_params(struct genesis_json_render *r, const struct genesis_params *params);
json_t *genesis_json_org(struct genesis_json_render *r, const struct genesis_org *org);
json_t *genesis_json_node(struct genesis_json_render *r, const struct genesis_node *node);

#endif
