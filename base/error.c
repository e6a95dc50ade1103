#include "base/error.h"

#include <errno.h>
#include <stddef.h>

static const char *const names[] = {
#define ERR_NAME(name, text) #name,
    ERR_LIST(ERR_NAME)
#undef ERR_NAME
};

static const char *const texts[] = {
#define ERR_TEXT(name, text) text,
    ERR_LIST(ERR_TEXT)
#undef ERR_TEXT
};

static const size_t count = sizeof names / sizeof names[0];

const char *err_name(enum err code) {
    return (size_t)code < count ? names[code] : "ERR_UNKNOWN";
}

const char *err_text(enum err code) {
    return (size_t)code < count ? texts[code] : "unknown error";
}

enum err err_from_errno(int number) {
    switch (number) {
    case 0:
        return OK;
    case ENOSPC:
    case EDQUOT:
        return ERR_NOSPACE;
    case ENOENT:
        return ERR_NOTFOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EISDIR:
    case ENXIO:
        return ERR_NOFILE;
    case ENOMEM:
        return ERR_NOMEM;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case EAGAIN:
    case EBUSY:
        return ERR_BUSY;
    case EFBIG:
        return ERR_TOOLARGE;
    default:
        return ERR_IO;
    }
}
