#include "verify/suit_labels.h"

/* Apart from the walk, so that a device that prints nothing carries no names. */
static const struct {
    int16_t label;
    uint8_t space;
    const char *name;
} names[] = {
#define SUIT_NAME_ROW(space, id, label, kind, name) {(label), SUIT_SPACE_##space, (name)},
    SUIT_LABEL_LIST(SUIT_NAME_ROW)
#undef SUIT_NAME_ROW
};

const char *suit_label_name(enum suit_space space, int64_t label) {
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].space == (uint8_t)space && names[i].label == label) {
            return names[i].name;
        }
    }
    return NULL;
}
