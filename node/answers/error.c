#include "node/answers/error.h"

static const struct field body_fields[] = {
    {"code", "A name in capitals, for programs.", FIELD_WORDS, MEMBER(struct error_body, code)},
    {"message", "What went wrong, for people.", FIELD_WORDS, MEMBER(struct error_body, message)},
    {"hint", "What to do about it.", FIELD_WORDS, MEMBER(struct error_body, hint)},
};
static const struct record body_shape = {"ErrorBody", "What, why and what to do.",
                                         RECORD_OF(struct error_body, body_fields)};

static const struct field answer_fields[] = {
    {"error", "What, why and what to do.", FIELD_RECORD, MEMBER(struct error_answer, error), .of = &body_shape},
};
const struct record error_answer_shape = {"Error", "An answer that is an error.",
                                          RECORD_OF(struct error_answer, answer_fields)};
