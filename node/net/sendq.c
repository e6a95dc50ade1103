#include "node/net/sendq.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct sendq_item {
    struct sendq_item *before, *after;
    struct parcel *parcel;
    struct frame_source source;
};

struct parcel *parcel_new(unsigned kind, struct bytes message) {
    struct parcel *p = malloc(sizeof *p + message.len);
    ASSERT(kind < SENDQ_KINDS);
    if (p != NULL) {
        p->refs = 1;
        p->kind = kind;
        p->len = message.len;
        memcpy(p->data, message.data, message.len);
    }
    return p;
}

void parcel_release(struct parcel *parcel) {
    if (parcel != NULL && --parcel->refs == 0) {
        free(parcel);
    }
}

static void release(struct sendq *q, struct sendq_item *item) {
    q->bytes -= item->parcel->len;
    q->messages--;
    parcel_release(item->parcel);
    free(item);
}

static void drop_first(struct sendq *q, struct sendq_list *list) {
    struct sendq_item *item = list->first;
    list->first = item->after;
    if (list->first == NULL) {
        list->last = NULL;
    } else {
        list->first->before = NULL;
    }
    release(q, item);
}

static void drop_last(struct sendq *q, struct sendq_list *list) {
    struct sendq_item *item = list->last;
    list->last = item->before;
    if (list->last == NULL) {
        list->first = NULL;
    } else {
        list->last->after = NULL;
    }
    release(q, item);
}

static bool has_room(const struct sendq *q, size_t len) {
    return q->messages < q->max_messages && len <= q->max_bytes && q->bytes <= q->max_bytes - len;
}

/* Would there be room for the message if everything of less value went? */
static bool can_make_room(const struct sendq *q, enum frame_class class, size_t len) {
    size_t bytes = q->bytes;
    size_t messages = q->messages;
    for (size_t c = (size_t) class + 1; c < FRAME_CLASSES; c++) {
        for (const struct sendq_item *i = q->list[c].first; i != NULL; i = i->after) {
            bytes -= i->parcel->len;
            messages--;
        }
    }
    return messages < q->max_messages && len <= q->max_bytes && bytes <= q->max_bytes - len;
}

enum err sendq_push(struct sendq *q, enum frame_class class, struct parcel *parcel) {
    if (!has_room(q, parcel->len) && !can_make_room(q, class, parcel->len)) {
        q->dropped[class]++;
        return ERR_FULL;
    }
    struct sendq_item *item = calloc(1, sizeof *item);
    if (item == NULL) {
        q->dropped[class]++;
        return ERR_NOMEM;
    }
    for (size_t c = FRAME_CLASSES - 1; !has_room(q, parcel->len); c--) {
        ASSERT(c > (size_t) class);
        while (q->list[c].last != NULL && !has_room(q, parcel->len)) {
            q->dropped[c]++;
            drop_last(q, &q->list[c]);
        }
    }
    parcel->refs++;
    item->parcel = parcel;
    item->source = (struct frame_source){
        .class = class, .id = q->next_id++, .message = bytes_of(parcel->data, parcel->len), .sent = 0};
    struct sendq_list *list = &q->list[class];
    item->before = list->last;
    if (list->last == NULL) {
        list->first = item;
    } else {
        list->last->after = item;
    }
    list->last = item;
    q->bytes += parcel->len;
    q->messages++;
    return OK;
}

size_t sendq_fill(struct sendq *q, uint8_t *out, size_t room, struct sendq_sent *sent) {
    size_t used = 0;
    for (size_t c = 0; c < FRAME_CLASSES; c++) {
        struct sendq_item *item;
        while ((item = q->list[c].first) != NULL) {
            size_t n = frame_put(&item->source, out + used, room - used, used == 0);
            if (n == 0) {
                return used;
            }
            used += n;
            sent->bytes[item->parcel->kind] += n;
            if (item->source.sent < item->parcel->len) {
                return used;
            }
            drop_first(q, &q->list[c]);
            sent->messages++;
        }
    }
    return used;
}

size_t sendq_need(const struct sendq *q) {
    return q->bytes + q->messages * FRAME_PART_HEADER;
}

bool sendq_only(const struct sendq *q, enum frame_class class) {
    for (size_t c = 0; c < FRAME_CLASSES; c++) {
        if ((q->list[c].first != NULL) != (c == (size_t) class)) {
            return false;
        }
    }
    return true;
}

void sendq_clear(struct sendq *q) {
    for (size_t c = 0; c < FRAME_CLASSES; c++) {
        while (q->list[c].first != NULL) {
            q->dropped[c]++;
            drop_first(q, &q->list[c]);
        }
    }
}
