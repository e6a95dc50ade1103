/* A record described once.
 *
 * A table names each field of a struct: what it is called, what it means, how it is kept. From the one table come the
 * record's bytes in state (here), its JSON both ways and its schema (node/json/record_json.h), and its table in the
 * documents. Whoever renames a field does it in one place.
 *
 * Bytes are in canonical order: the stored fields one after the other as the table has them, integers big-endian.
 */
#ifndef ASSAY_BASE_RECORD_H
#define ASSAY_BASE_RECORD_H

#include "base/buffer.h"

/* Types of fields, the member that each stands for, its bytes, and its JSON:
 *
 *   VERSION         none; `max` is the version       1                            not shown
 *   NUMBER          unsigned, 1, 2, 4 or 8 bytes     as the member                number, at most FIELD_NUMBER_MAX
 *   DECIMAL         uint64_t that its sender is      8                            text of decimal digits, since not
 *                   free to choose                                                every reader has integers so large
 *   BOOL            bool                             1                            true, false
 *   NAME            enum, an index of `names`        1                            its name
 *   KIND            enum, an index of `kinds`        1, and the fields of         the kind's name, and its fields
 *                                                    kinds[value]                 among ours
 *   TEXT            char array with terminator       length (2), bytes            text
 *   HEX             uint8_t array                    as the member                hex
 *   CID             uint8_t array, a binary CIDv1    as the member                CID as text
 *   BLOB            uint8_t array and its length     length (as counted), bytes   hex
 *   LIST            array and its length             length (as counted),         array
 *                                                    elements
 *   PART            struct                           the part's fields            its fields among ours
 *   RECORD          struct                           the record's fields          object
 * and these, which are never kept in state:
 *   MADE            none: `make` writes it                                        text; null when it is empty,
 *                                                                                 which only an optional one is
 *   WORDS           const char *, not NULL                                        text
 *   BYTES           struct bytes                                                  hex
 *   BYTES_OF_TEXT   struct bytes                                                  text
 *   OBJECT, ITEMS   void *, the JSON itself                                       object, array of objects
 *   ROWS            pointer to structs on the heap,                               array of objects
 *                   and how many
 */
enum field_type {
    FIELD_VERSION,
    FIELD_NUMBER,
    FIELD_DECIMAL,
    FIELD_BOOL,
    FIELD_NAME,
    FIELD_KIND,
    FIELD_TEXT,
    FIELD_HEX,
    FIELD_CID,
    FIELD_BLOB,
    FIELD_LIST,
    FIELD_PART,
    FIELD_RECORD,
    FIELD_MADE,
    FIELD_WORDS,
    FIELD_BYTES,
    FIELD_BYTES_OF_TEXT,
    FIELD_OBJECT,
    FIELD_ITEMS,
    FIELD_ROWS,
};

enum field_use {
    FIELD_KEPT_AND_SHOWN,
    FIELD_KEPT,  /* in the bytes alone; needs no name */
    FIELD_SHOWN, /* in JSON alone */
};

#define FIELD_NUMBER_MAX ((UINT64_C(1) << 53) - 1) /* what every reader of JSON has as an exact integer */

struct record;

struct field {
    const char *name;
    const char *about; /* one sentence for people */
    enum field_type type;
    enum field_use use;
    uint32_t at;         /* offset of the member */
    uint32_t size;       /* of the member; in a list, of one element */
    uint32_t min;        /* number: least value */
    uint32_t max;        /* list: most elements; blob: most bytes; number: greatest value, 0: what the member holds */
    uint32_t count_at;   /* list, rows, blob: where the length is, an unsigned of `count_size` bytes */
    uint32_t count_size; /* also how many bytes the length takes */
    uint32_t if_at;      /* where the bool is that says whether there is a value; used when `is_optional` */
    bool is_optional;    /* JSON: null without a value. A stored one begins with its length in one byte: 0 without */
    bool is_map;         /* list of records with two shown fields, name and value: in JSON {name: value, ...} */
    bool is_omitted;     /* JSON: left out without a value, instead of null */
    const struct record
        *of; /* part, record, object, items, rows, list; a list without it is of byte strings of `size` */
    const char *const *names;
    const struct record *kinds; /* each describes the whole struct; one without fields' table is no kind */
    uint32_t name_count;        /* of names, of kinds */
    void (*make)(const void *record, struct buffer *out);
    const char *pattern; /* made: what it looks like, as a regular expression */
};

struct record {
    const char *name; /* of the schema: "Update" */
    const char *about;
    const struct field *fields;
    size_t count;
    size_t size;                         /* of the struct */
    bool (*is_sound)(const void *value); /* what the types of its fields can't say; NULL: nothing */
};

/* For rows of a table: where the member stands in its struct. */
#define MEMBER(type, member) .at = offsetof(type, member), .size = sizeof(((type *)0)->member)
/* A list or blob with the member that counts it. */
#define COUNTED(type, member, counter)                                                                                 \
    .at = offsetof(type, member), .size = sizeof(((type *)0)->member[0]),                                              \
    .max = sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]), .count_at = offsetof(type, counter),          \
    .count_size = sizeof(((type *)0)->counter)
/* Rows, at most so many, with the member that counts them. */
#define ROWS(type, member, counter, most)                                                                              \
    .at = offsetof(type, member), .size = sizeof(*((type *)0)->member), .max = (most),                                 \
    .count_at = offsetof(type, counter), .count_size = sizeof(((type *)0)->counter)
/* A field that has a value only while the bool is true. */
#define IF(type, member) .is_optional = true, .if_at = offsetof(type, member)
#define NAMES(list) .names = (list), .name_count = sizeof(list) / sizeof((list)[0])
#define KINDS(list) .kinds = (list), .name_count = sizeof(list) / sizeof((list)[0])
#define RECORD_OF(type, table) .fields = (table), .count = sizeof(table) / sizeof((table)[0]), .size = sizeof(type)

/* Appends the stored fields. */
void record_encode(const struct record *record, const void *value, struct buffer *out);
/* ERR_CORRUPT when the bytes are not exactly one record: too short, too long, a version or a name that does not exist, a
 * list or text over its limit, a bool that is neither 0 nor 1. `out` is zeroed first, and after a failure. */
NODISCARD enum err record_decode(const struct record *record, struct bytes value, void *out);

/* For those who walk a table: an unsigned member of 1, 2, 4 or 8 bytes. */
uint64_t field_number(const void *value, uint32_t at, uint32_t size);
void field_set_number(void *value, uint32_t at, uint32_t size, uint64_t number);
/* Has the field a value in this record? */
bool field_is_there(const struct field *field, const void *value);
/* Name of a FIELD_NAME's or FIELD_KIND's value; NULL when it has none. */
const char *field_name_of(const struct field *field, const void *value);

#endif
