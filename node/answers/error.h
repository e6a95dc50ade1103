/* An answer that is an error: {"error": {"code", "message", "hint"}}. */
#ifndef ASSAY_NODE_ANSWERS_ERROR_H
#define ASSAY_NODE_ANSWERS_ERROR_H

#include "base/record.h"

struct error_body {
    const char *code;    /* a name in capitals, for programs */
    const char *message; /* what went wrong */
    const char *hint;    /* what to do */
};

struct error_answer {
    struct error_body error;
};
extern const struct record error_answer_shape;

#endif
