/* Records (base/record.h) as JSON Schema (2020-12, as OpenAPI 3.1 has it). */
#ifndef ASSAY_NODE_JSON_RECORD_SCHEMA_H
#define ASSAY_NODE_JSON_RECORD_SCHEMA_H

#include "base/record.h"

#include <jansson.h>

/* {"$ref": "#/components/schemas/NAME"}; the record and all that it is made of are put into `schemas` under their names
 * unless they are there. */
json_t *record_schema(const struct record *record, json_t *schemas);

#endif
