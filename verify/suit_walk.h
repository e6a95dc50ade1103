/* A walk through a whole manifest: every element, command, parameter and text as an event, in the order written.
 *
 * The walk is where the format is checked: it knows for every key what may stand there, so a visitor sees only
 * well-formed things. No recursion; the stack holds SUIT_DEPTH_MAX open containers. suit_manifest_parse is one visitor,
 * printing another.
 */
#ifndef ASSAY_VERIFY_SUIT_WALK_H
#define ASSAY_VERIFY_SUIT_WALK_H

#include "verify/suit.h"

#define SUIT_DEPTH_MAX 10

/* What a label is a key of; the numbers of different spaces mean different things. */
enum suit_space {
    SUIT_SPACE_NONE,           /* an element of a list, or the manifest itself */
    SUIT_SPACE_MANIFEST,       /* elements of the manifest */
    SUIT_SPACE_COMMON,         /* elements of common */
    SUIT_SPACE_COMMAND,        /* conditions and directives */
    SUIT_SPACE_PARAMETER,      /* parameters */
    SUIT_SPACE_TEXT,           /* texts of the manifest */
    SUIT_SPACE_COMPONENT_TEXT, /* texts of one component */
    SUIT_SPACE_DEPENDENCY,     /* metadata of a dependency */
    SUIT_SPACE_INDEX,          /* the label is a component's index */
    SUIT_SPACE_KEY, /* the key is not a number: event.key holds its encoding (language, component identifier) */
};

enum suit_event_kind {
    SUIT_EVENT_MAP,       /* a map begins; its pairs follow, then SUIT_EVENT_END */
    SUIT_EVENT_LIST,      /* a list begins */
    SUIT_EVENT_SEQUENCE,  /* a list of commands begins, each an event in SUIT_SPACE_COMMAND */
    SUIT_EVENT_END,       /* the innermost open one ends; space and label are those it began with */
    SUIT_EVENT_NUMBER,    /* number */
    SUIT_EVENT_BYTES,     /* bytes */
    SUIT_EVENT_TEXT,      /* bytes: UTF-8 */
    SUIT_EVENT_DIGEST,    /* bytes; the algorithm is SHA-256 */
    SUIT_EVENT_COMPONENT, /* bytes: the encoded identifier, an array of byte strings */
    SUIT_EVENT_ITEM,      /* bytes: one encoded item: bool, null, or an array of indices */
};

struct suit_event {
    enum suit_event_kind kind;
    enum suit_space space;
    uint8_t depth; /* of the container it stands in; the manifest itself is at 0 */
    int64_t label;
    struct bytes key;
    uint64_t number;
    struct bytes bytes;
};

struct suit_visitor {
    /* Anything but GOOD ends the walk with that verdict. */
    enum verdict (*event)(void *ctx, const struct suit_event *event);
    void *ctx;
};

/* Walks the manifest, then the severed members the envelope carries (as elements of the manifest, at depth 1, after the
 * manifest's own END). Their digests are suit_manifest_parse's to check. */
enum verdict suit_walk(const struct suit_envelope *envelope, const struct suit_visitor *visitor);

/* The specification's name of a label without its "suit-" prefix ("manifest-sequence-number", "image-digest"); NULL for
 * a label the walk refuses. */
const char *suit_label_name(enum suit_space space, int64_t label);

#endif
