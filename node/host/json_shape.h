/* Strict reading of JSON into checked structures: members are taken by name and type, what is left over is refused.
 *
 * The first thing wrong is remembered with its place ("nodes[2].link_key must be 32 bytes in hex") and every later call
 * does nothing, so that a reader is straight-line code that looks at `result` once. Taking removes a member from its
 * object; shape_end refuses what nobody took.
 */
#ifndef ASSAY_NODE_HOST_JSON_SHAPE_H
#define ASSAY_NODE_HOST_JSON_SHAPE_H

#include "base/bytes.h"
#include "base/why.h"

#include <jansson.h>
#include <stdio.h>

#define SHAPE_PATH_MAX 128

struct shape {
    enum err result;           /* OK, ERR_MALFORMED or ERR_NOMEM */
    struct why *why;           /* the caller's */
    char path[SHAPE_PATH_MAX]; /* of the object being read, "" for the outermost */
};

struct shape_choice {
    const char *name;
    int value;
};

void shape_init(struct shape *s, struct why *why);
/* Parses a text of at most `limit` bytes into one object; repeated members are refused. */
NODISCARD enum err shape_load(struct shape *s, struct bytes text, size_t limit, json_t **out);

void shape_text(struct shape *s, json_t *from, const char *name, char *out, size_t out_size);
void shape_hex(struct shape *s, json_t *from, const char *name, uint8_t *out, size_t len);
void shape_blob(struct shape *s, json_t *from, const char *name, uint8_t *out, size_t max, size_t *out_len);
void shape_hex_list(struct shape *s, json_t *from, const char *name, uint8_t *out, size_t len, size_t max,
                    uint8_t *out_count);
void shape_u64(struct shape *s, json_t *from, const char *name, uint64_t min, uint64_t max, uint64_t *out);
void shape_u32(struct shape *s, json_t *from, const char *name, uint64_t min, uint64_t max, uint32_t *out);
void shape_u8(struct shape *s, json_t *from, const char *name, uint64_t min, uint64_t max, uint8_t *out);
void shape_bool(struct shape *s, json_t *from, const char *name, bool *out);
/* The list of choices ends with a NULL name. */
void shape_choice(struct shape *s, json_t *from, const char *name, const struct shape_choice *choices, int *out);
/* The caller releases it (json_decref); NULL when something is wrong. */
json_t *shape_object(struct shape *s, json_t *from, const char *name);

/* Arrays of objects: into the caller's memory, or (records) a zeroed heap array that the caller frees, also on failure.
 */
void shape_array(struct shape *s, json_t *from, const char *name, void (*take)(struct shape *, json_t *, void *),
                 void *out, size_t size, size_t max, size_t *out_count);
void *shape_records(struct shape *s, json_t *from, const char *name, void (*take)(struct shape *, json_t *, void *),
                    size_t size, size_t max, size_t *out_count);

/* Path of what is read next, for messages. */
void shape_enter(struct shape *s, const char *name);
void shape_leave(struct shape *s);
/* Refuses members that nobody took. */
void shape_end(struct shape *s, json_t *from);

#endif
