#include "verify/suit_walk.h"

#include "verify/suit_labels.h"

#include <string.h>

const uint8_t suit_severable_labels[SUIT_SEVERABLES] = {SUIT_MANIFEST_RESOLUTION, SUIT_MANIFEST_PAYLOAD_FETCH,
                                                        SUIT_MANIFEST_CANDIDATE, SUIT_MANIFEST_INSTALL,
                                                        SUIT_MANIFEST_TEXT};

/* The format as a table: what stands under each label. */
static const struct {
    int16_t label;
    uint8_t space;
    uint8_t kind;
} rules[] = {
#define SUIT_RULE_ROW(space, id, label, kind, name) {(label), SUIT_SPACE_##space, SUIT_KIND_##kind},
    SUIT_LABEL_LIST(SUIT_RULE_ROW)
#undef SUIT_RULE_ROW
};

/* An open container. Its items lie in `rest`, which for one in a byte string is that string's and else what is left of
 * the container around it. */
struct frame {
    struct bytes rest;
    struct bytes key; /* what it stands under, for its end event */
    struct bytes last_key;
    int64_t label;
    uint32_t left; /* pairs of a map or sequence, elements of a list */
    uint8_t space;
    uint8_t kind;
    bool wrapped;
    bool shared; /* within the shared sequence */
};

struct walk {
    const struct suit_visitor *visitor;
    uint8_t base; /* depth of the lowest frame in the manifest */
    uint8_t depth;
    struct frame frames[SUIT_DEPTH_MAX];
};

/* Where a value stands: the key it was found under. */
struct place {
    enum suit_space space;
    int64_t label;
    struct bytes key;
};

static struct suit_event event_at(const struct walk *w, const struct place *place, enum suit_event_kind kind) {
    struct suit_event event;
    memset(&event, 0, sizeof event);
    event.kind = kind;
    event.space = place->space;
    event.label = place->label;
    event.key = place->key;
    event.depth = (uint8_t)(w->base + w->depth);
    return event;
}

static enum verdict emit(const struct walk *w, const struct suit_event *event) {
    return w->visitor->event(w->visitor->ctx, event);
}

static enum suit_event_kind begin_event(enum suit_kind kind) {
    switch (kind) {
    case SUIT_KIND_COMPONENTS:
    case SUIT_KIND_TRY_EACH:
        return SUIT_EVENT_LIST;
    case SUIT_KIND_SEQUENCE:
    case SUIT_KIND_SHARED_SEQUENCE:
        return SUIT_EVENT_SEQUENCE;
    default:
        return SUIT_EVENT_MAP;
    }
}

/* Opens a container: takes its head from `r`, tells the visitor, and makes it the innermost frame. */
static enum verdict open_container(struct walk *w, const struct place *place, enum suit_kind kind, bool wrapped,
                                   struct cbor_reader *r) {
    enum suit_event_kind begins = begin_event(kind);
    struct cbor_reader inner = *r;
    uint32_t left = 0;
    enum verdict v = GOOD;
    if (w->depth == SUIT_DEPTH_MAX) {
        return BAD_LIMIT;
    }
    if (wrapped) {
        v = cbor_bytes(r, &inner.rest);
    }
    if (v == GOOD) {
        v = begins == SUIT_EVENT_MAP ? cbor_map(&inner, &left) : cbor_array(&inner, &left);
    }
    if (v == GOOD && begins == SUIT_EVENT_SEQUENCE) {
        v = left % 2 == 0 ? GOOD : BAD_ENCODING;
        left /= 2;
    }
    if (v == GOOD && kind == SUIT_KIND_COMPONENTS && (left == 0 || left > SUIT_COMPONENTS_MAX)) {
        v = BAD_LIMIT;
    }
    if (v != GOOD) {
        return v;
    }
    struct suit_event event = event_at(w, place, begins);
    bool shared = kind == SUIT_KIND_SHARED_SEQUENCE || (w->depth > 0 && w->frames[w->depth - 1].shared);
    struct frame *frame = &w->frames[w->depth++];
    memset(frame, 0, sizeof *frame);
    frame->rest = inner.rest;
    frame->key = place->key;
    frame->label = place->label;
    frame->left = left;
    frame->space = (uint8_t)place->space;
    frame->kind = (uint8_t)kind;
    frame->wrapped = wrapped;
    frame->shared = shared;
    return emit(w, &event);
}

/* Ends the innermost container. One without a byte string of its own hands back what follows it. */
static enum verdict close_container(struct walk *w) {
    struct frame *frame = &w->frames[w->depth - 1];
    if (frame->wrapped) {
        if (frame->rest.len > 0) {
            return BAD_TRAILING;
        }
    } else {
        w->frames[w->depth - 2].rest = frame->rest;
    }
    const struct place place = {(enum suit_space)frame->space, frame->label, frame->key};
    w->depth--;
    struct suit_event event = event_at(w, &place, SUIT_EVENT_END);
    return emit(w, &event);
}

static enum verdict take_number(struct cbor_reader *r, enum suit_kind kind, struct suit_event *event) {
    event->kind = SUIT_EVENT_NUMBER;
    enum verdict v = cbor_uint(r, &event->number);
    if (v == GOOD && kind == SUIT_KIND_VERSION && event->number != 1) {
        v = BAD_VERSION;
    }
    if (v == GOOD && kind == SUIT_KIND_POLICY && event->number > 15) {
        v = BAD_UNSUPPORTED;
    }
    return v;
}

/* How long a byte string of the kind must be; those that may have any length keep theirs. */
static size_t wanted_len(enum suit_kind kind, size_t len) {
    switch (kind) {
    case SUIT_KIND_UUID:
        return UUID_BYTES;
    case SUIT_KIND_HASH:
        return HASH_LEN;
    default:
        return len;
    }
}

static enum verdict take_bytes(struct cbor_reader *r, enum suit_kind kind, struct suit_event *event) {
    event->kind = SUIT_EVENT_BYTES;
    enum verdict v = cbor_bytes(r, &event->bytes);
    return v == GOOD && event->bytes.len != wanted_len(kind, event->bytes.len) ? BAD_UNSUPPORTED : v;
}

static enum verdict take_text(struct cbor_reader *r, enum suit_kind kind, struct suit_event *event) {
    event->kind = SUIT_EVENT_TEXT;
    enum verdict v = cbor_text(r, &event->bytes);
    size_t limit = kind == SUIT_KIND_URI ? SUIT_URI_MAX : SUIT_TEXT_MAX;
    return v == GOOD && event->bytes.len > limit ? BAD_LIMIT : v;
}

enum verdict suit_take_digest(struct cbor_reader *r, struct bytes *out) {
    uint32_t items;
    int64_t algorithm;
    enum verdict v = cbor_array(r, &items);
    if (v == GOOD && items != 2) {
        v = BAD_ENCODING;
    }
    if (v == GOOD) {
        v = cbor_int(r, &algorithm);
    }
    if (v == GOOD && algorithm != COSE_SHA256) {
        v = BAD_UNSUPPORTED;
    }
    if (v == GOOD) {
        v = cbor_bytes(r, out);
    }
    return v == GOOD && out->len != HASH_LEN ? BAD_ENCODING : v;
}

static enum verdict take_digest(struct cbor_reader *r, bool wrapped, struct suit_event *event) {
    struct cbor_reader inner;
    event->kind = SUIT_EVENT_DIGEST;
    if (!wrapped) {
        return suit_take_digest(r, &event->bytes);
    }
    enum verdict v = cbor_bytes(r, &inner.rest);
    if (v == GOOD) {
        v = suit_take_digest(&inner, &event->bytes);
    }
    return v == GOOD ? cbor_end(&inner) : v;
}

/* An array of at least one byte string; the event gets its encoding. */
static enum verdict take_component(struct cbor_reader *r, struct suit_event *event) {
    struct cbor_reader segments = *r;
    struct bytes segment;
    uint32_t left;
    enum verdict v = cbor_array(&segments, &left);
    if (v == GOOD && left == 0) {
        v = BAD_ENCODING;
    }
    for (; v == GOOD && left > 0; left--) {
        v = cbor_bytes(&segments, &segment);
    }
    event->kind = SUIT_EVENT_COMPONENT;
    return v == GOOD ? cbor_item(r, &event->bytes) : v;
}

/* One index, true for all components, or a list of indices. Whether they exist is the visitor's to judge. */
static enum verdict take_index(struct cbor_reader *r, struct suit_event *event) {
    enum cbor_major major;
    enum verdict v = cbor_peek(r, &major);
    if (v != GOOD) {
        return v;
    }
    if (major == CBOR_UINT) {
        return take_number(r, SUIT_KIND_NUMBER, event);
    }
    struct cbor_reader items = *r;
    uint64_t index;
    uint32_t left = 0;
    bool all = true;
    v = major == CBOR_SIMPLE ? cbor_bool(&items, &all) : cbor_array(&items, &left);
    if (v == GOOD && (!all || (major == CBOR_ARRAY && left == 0))) {
        v = BAD_ENCODING;
    }
    for (; v == GOOD && left > 0; left--) {
        v = cbor_uint(&items, &index);
    }
    event->kind = SUIT_EVENT_ITEM;
    return v == GOOD ? cbor_item(r, &event->bytes) : v;
}

static enum verdict take_bool(struct cbor_reader *r, struct suit_event *event) {
    struct cbor_reader item = *r;
    bool ignored;
    enum verdict v = cbor_bool(&item, &ignored);
    event->kind = SUIT_EVENT_ITEM;
    return v == GOOD ? cbor_item(r, &event->bytes) : v;
}

static enum verdict take_leaf(struct cbor_reader *r, enum suit_kind kind, struct suit_event *event) {
    switch (kind) {
    case SUIT_KIND_VERSION:
    case SUIT_KIND_NUMBER:
    case SUIT_KIND_POLICY:
        return take_number(r, kind, event);
    case SUIT_KIND_BYTES:
    case SUIT_KIND_UUID:
    case SUIT_KIND_HASH:
        return take_bytes(r, kind, event);
    case SUIT_KIND_TEXT:
    case SUIT_KIND_URI:
        return take_text(r, kind, event);
    case SUIT_KIND_COMPONENT:
        return take_component(r, event);
    case SUIT_KIND_INDEX:
        return take_index(r, event);
    case SUIT_KIND_BOOL:
        return take_bool(r, event);
    default:
        return take_digest(r, kind == SUIT_KIND_WRAPPED_DIGEST, event);
    }
}

static enum verdict take_and_emit(struct walk *w, const struct place *place, enum suit_kind kind,
                                  struct cbor_reader *r) {
    struct suit_event event = event_at(w, place, SUIT_EVENT_ITEM);
    enum verdict v = take_leaf(r, kind, &event);
    return v == GOOD ? emit(w, &event) : v;
}

/* Elements that give either the thing itself, in a byte string, or something else: a severable one its digest, the last
 * alternative of a try-each null. */
static enum verdict take_choice(struct walk *w, const struct place *place, enum suit_kind kind, struct cbor_reader *r) {
    enum cbor_major major;
    enum verdict v = cbor_peek(r, &major);
    if (v != GOOD) {
        return v;
    }
    if (major == CBOR_BYTES) {
        return open_container(w, place, kind == SUIT_KIND_SEVERABLE_TEXT ? kind : SUIT_KIND_SEQUENCE, true, r);
    }
    if (kind != SUIT_KIND_ALTERNATIVE) {
        return take_and_emit(w, place, SUIT_KIND_SEVERABLE, r);
    }
    struct suit_event event = event_at(w, place, SUIT_EVENT_ITEM);
    struct cbor_reader item = *r;
    v = cbor_null(&item);
    if (v == GOOD && w->frames[w->depth - 1].left > 0) {
        v = BAD_ENCODING;
    }
    if (v == GOOD) {
        v = cbor_item(r, &event.bytes);
    }
    return v == GOOD ? emit(w, &event) : v;
}

static enum verdict take_value(struct walk *w, const struct place *place, enum suit_kind kind, struct cbor_reader *r) {
    switch (kind) {
    case SUIT_KIND_COMMON:
    case SUIT_KIND_SEQUENCE:
    case SUIT_KIND_SHARED_SEQUENCE:
        return open_container(w, place, kind, true, r);
    case SUIT_KIND_MANIFEST:
    case SUIT_KIND_COMPONENTS:
    case SUIT_KIND_DEPENDENCIES:
    case SUIT_KIND_DEPENDENCY:
    case SUIT_KIND_PARAMETERS:
    case SUIT_KIND_TRY_EACH:
    case SUIT_KIND_LANGUAGE:
    case SUIT_KIND_COMPONENT_TEXT:
        return open_container(w, place, kind, false, r);
    case SUIT_KIND_SEVERABLE:
    case SUIT_KIND_SEVERABLE_TEXT:
    case SUIT_KIND_ALTERNATIVE:
        return take_choice(w, place, kind, r);
    default:
        return take_and_emit(w, place, kind, r);
    }
}

/* Commands that act, and so may not stand in the sequence all others begin with. */
static bool acts(int64_t command) {
    switch (command) {
    case SUIT_COMMAND_PROCESS_DEPENDENCY:
    case SUIT_COMMAND_WRITE:
    case SUIT_COMMAND_FETCH:
    case SUIT_COMMAND_COPY:
    case SUIT_COMMAND_INVOKE:
    case SUIT_COMMAND_SWAP:
    case SUIT_COMMAND_UNLINK:
        return true;
    default:
        return false;
    }
}

static enum verdict find_rule(enum suit_space space, int64_t label, enum suit_kind *out) {
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].space == (uint8_t)space && rules[i].label == label) {
            *out = (enum suit_kind)rules[i].kind;
            return GOOD;
        }
    }
    return BAD_UNSUPPORTED;
}

static enum suit_space space_of(enum suit_kind container) {
    switch (container) {
    case SUIT_KIND_MANIFEST:
        return SUIT_SPACE_MANIFEST;
    case SUIT_KIND_COMMON:
        return SUIT_SPACE_COMMON;
    case SUIT_KIND_PARAMETERS:
        return SUIT_SPACE_PARAMETER;
    case SUIT_KIND_LANGUAGE:
        return SUIT_SPACE_TEXT;
    case SUIT_KIND_COMPONENT_TEXT:
        return SUIT_SPACE_COMPONENT_TEXT;
    case SUIT_KIND_DEPENDENCY:
        return SUIT_SPACE_DEPENDENCY;
    case SUIT_KIND_DEPENDENCIES:
        return SUIT_SPACE_INDEX;
    case SUIT_KIND_SEVERABLE_TEXT:
        return SUIT_SPACE_KEY;
    default:
        return SUIT_SPACE_COMMAND;
    }
}

/* Takes the key of a pair: where it is, and what may stand under it. */
static enum verdict take_key(enum suit_kind container, struct cbor_reader *r, struct place *out, enum suit_kind *kind) {
    struct cbor_reader text_key = *r;
    struct suit_event component;
    struct bytes text;
    enum cbor_major major;
    enum verdict v = cbor_peek(r, &major);
    if (v != GOOD) {
        return v;
    }
    out->space = space_of(container);
    if (out->space == SUIT_SPACE_KEY) {
        *kind = SUIT_KIND_LANGUAGE;
        v = cbor_text(&text_key, &text);
        return v == GOOD ? cbor_item(r, &out->key) : v;
    }
    if (out->space == SUIT_SPACE_TEXT && major == CBOR_ARRAY) {
        out->space = SUIT_SPACE_KEY;
        *kind = SUIT_KIND_COMPONENT_TEXT;
        v = take_component(r, &component);
        if (v == GOOD) {
            out->key = component.bytes;
        }
        return v;
    }
    v = cbor_int(r, &out->label);
    if (v == GOOD && out->space == SUIT_SPACE_INDEX) {
        *kind = SUIT_KIND_DEPENDENCY;
        return out->label >= 0 && out->label < SUIT_COMPONENTS_MAX ? GOOD : BAD_LIMIT;
    }
    return v == GOOD ? find_rule(out->space, out->label, kind) : v;
}

/* One pair or element of the innermost container. */
static enum verdict step(struct walk *w) {
    struct frame *frame = &w->frames[w->depth - 1];
    enum suit_kind container = (enum suit_kind)frame->kind, kind;
    struct cbor_reader r = {frame->rest};
    struct place place = {SUIT_SPACE_NONE, 0, {NULL, 0}};
    enum verdict v = GOOD;
    frame->left--;
    if (container == SUIT_KIND_COMPONENTS) {
        kind = SUIT_KIND_COMPONENT;
    } else if (container == SUIT_KIND_TRY_EACH) {
        kind = SUIT_KIND_ALTERNATIVE;
    } else {
        v = take_key(container, &r, &place, &kind);
    }
    if (v == GOOD && begin_event(container) == SUIT_EVENT_MAP) {
        struct bytes key = {frame->rest.data, (size_t)(r.rest.data - frame->rest.data)};
        v = cbor_key_ascends(&frame->last_key, key);
    }
    if (v == GOOD && frame->shared && place.space == SUIT_SPACE_COMMAND && acts(place.label)) {
        v = BAD_UNSUPPORTED;
    }
    if (v == GOOD) {
        v = take_value(w, &place, kind, &r);
    }
    /* A container that was opened in place hands the rest back when it closes. */
    frame->rest = r.rest;
    return v;
}

static enum verdict run(struct walk *w) {
    enum verdict v = GOOD;
    while (v == GOOD && w->depth > 0) {
        v = w->frames[w->depth - 1].left > 0 ? step(w) : close_container(w);
    }
    return v;
}

enum verdict suit_walk(const struct suit_envelope *envelope, const struct suit_visitor *visitor) {
    struct walk w;
    struct cbor_reader r = cbor_reader_of(envelope->manifest_wrapped);
    const struct place root = {SUIT_SPACE_NONE, 0, {NULL, 0}};
    w.visitor = visitor;
    w.base = 0;
    w.depth = 0;
    enum verdict v = open_container(&w, &root, SUIT_KIND_MANIFEST, true, &r);
    if (v == GOOD) {
        v = run(&w);
    }
    w.base = 1;
    for (size_t i = 0; v == GOOD && i < SUIT_SEVERABLES; i++) {
        if (envelope->severed[i].len == 0) {
            continue;
        }
        const struct place place = {SUIT_SPACE_MANIFEST, suit_severable_labels[i], {NULL, 0}};
        r = cbor_reader_of(envelope->severed[i]);
        w.depth = 0;
        v = open_container(&w, &place, i == SUIT_SEVERABLE_TEXT ? SUIT_KIND_SEVERABLE_TEXT : SUIT_KIND_SEQUENCE, true,
                           &r);
        if (v == GOOD) {
            v = run(&w);
        }
    }
    return v;
}
