/* Records (base/record.h) as files: JSON that people write, pass around and sign, so that nothing in it may be passed
 * over. Each member is taken by name and type and must be there, unless its field is omitted without a value; texts are
 * plain, numbers lie from `min` to `max`, and what the table does not have is refused.
 *
 * The first thing wrong is told with its place: "nodes[2].link_key must be 32 bytes in hex".
 *
 * Tables of files may have NUMBER, BOOL, NAME, KIND, TEXT, HEX, BLOB, LIST, ROWS, PART, RECORD, and MADE for what always
 * stands there, such as the format.
 */
#ifndef ASSAY_NODE_JSON_RECORD_FILE_H
#define ASSAY_NODE_JSON_RECORD_FILE_H

#include "base/record.h"
#include "base/why.h"

/* `out` is zeroed first. Rows come from the heap and are the caller's, also after a failure. ERR_MALFORMED, ERR_TOOLARGE
 * (over `limit` bytes), ERR_NOMEM, with words. */
NODISCARD enum err record_file_parse(const struct record *record, struct bytes text, size_t limit, void *out,
                                     struct why *why);
/* Appends indented text, members in the table's order; parses back to the same. ERR_NOMEM, also when a text
 * is none that JSON holds. */
NODISCARD enum err record_file_render(const struct record *record, const void *value, struct buffer *out);

#endif
