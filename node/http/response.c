#include "node/http/http_internal.h"

#include "node/answers/error.h"
#include "node/json/record_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Wraps the library's response; destroys it when our own memory is out. */
static struct http_response *wrap(unsigned status, const char *content_type, struct MHD_Response *mhd) {
    if (mhd == NULL) {
        return NULL;
    }
    struct http_response *response = malloc(sizeof *response);
    if (response == NULL) {
        MHD_destroy_response(mhd);
        return NULL;
    }
    *response = (struct http_response){.mhd = mhd, .status = status};
    if (content_type != NULL) {
        http_response_header(response, "Content-Type", content_type);
    }
    http_response_header(response, "X-Content-Type-Options", "nosniff");
    return response;
}

static struct http_response *sized(struct http_response *response, size_t size) {
    if (response != NULL) {
        response->size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
    }
    return response;
}

struct http_response *http_json(unsigned status, json_t *consumed) {
    char *text = consumed != NULL ? json_dumps(consumed, JSON_COMPACT) : NULL;
    json_decref(consumed);
    if (text == NULL) {
        return NULL;
    }
    size_t len = strlen(text);
    struct MHD_Response *mhd = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (mhd == NULL) {
        free(text);
    }
    return sized(wrap(status, "application/json", mhd), len);
}

struct http_response *http_bytes(unsigned status, const char *content_type, struct bytes copied) {
    void *copy = malloc(copied.len > 0 ? copied.len : 1);
    if (copy == NULL) {
        return NULL;
    }
    if (copied.len > 0) {
        memcpy(copy, copied.data, copied.len);
    }
    struct MHD_Response *mhd = MHD_create_response_from_buffer(copied.len, copy, MHD_RESPMEM_MUST_FREE);
    if (mhd == NULL) {
        free(copy);
    }
    return sized(wrap(status, content_type, mhd), copied.len);
}

struct http_response *http_static(unsigned status, const char *content_type, struct bytes data) {
    /* The library's parameter is not const, but persistent buffers are only read. */
    void *borrowed = (void *)(uintptr_t)data.data;
    return wrap(status, content_type, MHD_create_response_from_buffer(data.len, borrowed, MHD_RESPMEM_PERSISTENT));
}

struct http_response *http_error(unsigned status, const char *code, const char *hint, const char *format, ...) {
    char message[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    bool is_text = text_is_clean(bytes_str(message)); /* it may quote what was sent, and be cut within a character */
    const struct error_answer answer = {{code, is_text ? message : "the request is refused", hint}};
    return http_json(status, record_json(&error_answer_shape, &answer));
}

struct http_response *http_file_part(unsigned status, const char *content_type, int fd, uint64_t offset, uint64_t len) {
    struct MHD_Response *mhd = MHD_create_response_from_fd_at_offset64(len, fd, offset);
    if (mhd == NULL) {
        (void)close(fd);
    }
    return wrap(status, content_type, mhd);
}

enum range { RANGE_ALL, RANGE_PART, RANGE_OUTSIDE };

/* RFC 9110 section 14: anything that is not one byte range is ignored, and the whole is sent. */
static enum range parse_range(const char *text, uint64_t size, uint64_t *out_first, uint64_t *out_len) {
    if (text == NULL || strncmp(text, "bytes=", 6) != 0) {
        return RANGE_ALL;
    }
    const char *at = text + 6;
    uint64_t first = 0;
    uint64_t last = 0;
    bool has_first = text_take_number(&at, &first);
    if (*at != '-') {
        return RANGE_ALL;
    }
    at++;
    bool has_last = text_take_number(&at, &last);
    if (*at != '\0' || (!has_first && !has_last) || (has_first && has_last && last < first)) {
        return RANGE_ALL;
    }
    if (!has_first) {
        if (last == 0 || size == 0) {
            return RANGE_OUTSIDE;
        }
        *out_len = last < size ? last : size;
        *out_first = size - *out_len;
        return RANGE_PART;
    }
    if (first >= size) {
        return RANGE_OUTSIDE;
    }
    last = has_last && last < size - 1 ? last : size - 1;
    *out_first = first;
    *out_len = last - first + 1;
    return RANGE_PART;
}

struct http_response *http_file(const struct http_request *request, int fd, uint64_t size, const char *content_type) {
    uint64_t first = 0;
    uint64_t len = size;
    char text[96];
    struct http_response *response;
    switch (parse_range(http_header(request, "Range"), size, &first, &len)) {
    case RANGE_OUTSIDE:
        (void)close(fd);
        response =
            http_error(416, "RANGE_OUTSIDE", "ask for bytes within the size", "the file has %" PRIu64 " bytes", size);
        (void)snprintf(text, sizeof text, "bytes */%" PRIu64, size);
        http_response_header(response, "Content-Range", text);
        return response;
    case RANGE_PART:
        response = http_file_part(206, content_type, fd, first, len);
        (void)snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first, first + len - 1, size);
        http_response_header(response, "Content-Range", text);
        break;
    case RANGE_ALL:
    default:
        response = http_file_part(200, content_type, fd, 0, size);
        break;
    }
    http_response_header(response, "Accept-Ranges", "bytes");
    return response;
}

void http_response_header(struct http_response *response, const char *name, const char *value) {
    if (response != NULL) {
        (void)MHD_add_response_header(response->mhd, name, value);
    }
}

void http_response_free(struct http_response *response) {
    if (response != NULL) {
        MHD_destroy_response(response->mhd);
        free(response);
    }
}
