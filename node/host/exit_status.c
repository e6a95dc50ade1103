#include "node/host/exit_status.h"

#include <stddef.h>

static const struct {
    enum exit_status status;
    const char *text;
} statuses[] = {
#define EXIT_STATUS_ROW(name, status, stays_down, text) {name, text},
    EXIT_STATUS_LIST(EXIT_STATUS_ROW)
#undef EXIT_STATUS_ROW
};

/* What is not here is EXIT_STATUS_FAILED: memory, disk space, a port in use pass by themselves. */
static const struct {
    enum err error;
    enum exit_status home, node;
} errors[] = {
    {OK, EXIT_STATUS_CLEAN, EXIT_STATUS_CLEAN},
    {ERR_CONFIG, EXIT_STATUS_WRONG, EXIT_STATUS_WRONG},
    {ERR_MODE, EXIT_STATUS_WRONG, EXIT_STATUS_WRONG},
    {ERR_NOTFOUND, EXIT_STATUS_WRONG, EXIT_STATUS_FAILED},
    {ERR_EXISTS, EXIT_STATUS_WRONG, EXIT_STATUS_FAILED},
    {ERR_MALFORMED, EXIT_STATUS_WRONG, EXIT_STATUS_FAILED},
    {ERR_TOOLARGE, EXIT_STATUS_WRONG, EXIT_STATUS_FAILED},
    {ERR_RANGE, EXIT_STATUS_WRONG, EXIT_STATUS_FAILED},
    {ERR_SIGNATURE, EXIT_STATUS_WRONG, EXIT_STATUS_FAILED},
    {ERR_DENIED, EXIT_STATUS_WRONG, EXIT_STATUS_FAILED},
    {ERR_INVALID, EXIT_STATUS_WRONG, EXIT_STATUS_FAILED},
    {ERR_DUPLICATE, EXIT_STATUS_WRONG, EXIT_STATUS_FAILED},
    {ERR_MISMATCH, EXIT_STATUS_WRONG, EXIT_STATUS_LOOK},    /* another chain's store, or a changed genesis.json */
    {ERR_UNSUPPORTED, EXIT_STATUS_WRONG, EXIT_STATUS_LOOK}, /* a protocol version or a store of a newer program */
    {ERR_CORRUPT, EXIT_STATUS_WRONG, EXIT_STATUS_LOOK},
    {ERR_DIVERGED, EXIT_STATUS_LOOK, EXIT_STATUS_LOOK},
};

enum exit_status exit_status_of(enum err e, enum exit_status_part part) {
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i].error == e) {
            return part == EXIT_STATUS_HOME ? errors[i].home : errors[i].node;
        }
    }
    return EXIT_STATUS_FAILED;
}

const char *exit_status_text(enum exit_status status) {
    return statuses[status].text;
}
