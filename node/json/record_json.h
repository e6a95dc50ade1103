/* Records (base/record.h) as JSON, both ways. The table says what each field looks like; members that a table does not
 * have are for other readers and are passed over; node/json/record_file.h refuses them. */
#ifndef ASSAY_NODE_JSON_RECORD_JSON_H
#define ASSAY_NODE_JSON_RECORD_JSON_H

#include "base/record.h"
#include "base/why.h"

#include <jansson.h>

/* A new object; NULL when memory is out, which whoever takes it may pass on. FIELD_OBJECT and FIELD_ITEMS are shared. */
json_t *record_json(const struct record *record, const void *value);
/* The same for what must not lose a member: NULL when anything of it could not be added. */
json_t *record_json_whole(const struct record *record, const void *value);

/* ERR_MALFORMED: not an object, a member is missing or of another type, and `why` names it. `out` is zeroed first. What
 * is not JSON in itself is copied; texts of FIELD_WORDS and FIELD_BYTES_OF_TEXT, objects and items are borrowed from
 * `object`. FIELD_MADE, FIELD_BYTES, FIELD_ROWS and lists that are maps are not read. */
NODISCARD enum err record_of_json(const struct record *record, const json_t *object, void *out, struct why *why);

/* Name under which the record, or a part of it, shows the member at this offset of its struct; NULL: it does not. */
const char *record_name_at(const struct record *record, size_t at);
/* That member of an object, for whoever needs no more of it: borrowed, NULL when the object has none. */
json_t *record_member(const struct record *record, const json_t *object, size_t at);
/* The same of a member in hex, as `len` bytes. False: the object has none such. */
bool record_hex(const struct record *record, const json_t *object, size_t at, void *out, size_t len);

#endif
