#include "node/api/ipfs_response.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define TYPE_RAW "application/vnd.ipld.raw"
#define TYPE_FILE "application/octet-stream"
#define IMMUTABLE "public, max-age=29030400, immutable"
#define FILENAME_MAX_LEN 100
/* The empty identity block: clients ask for it to see whether somebody speaks this protocol at all. */
#define PROBE_CID "bafkqaaa"

enum wanted { WANT_FILE, WANT_BLOCK, WANT_OTHER };

static void add_header(struct ipfs_response *r, const char *name, const char *value) {
    ASSERT(r->header_count < IPFS_HEADERS_MAX);
    struct ipfs_header *header = &r->headers[r->header_count++];
    header->name = name;
    (void)snprintf(header->value, sizeof header->value, "%s", value);
}

static void refuse(struct ipfs_response *r, unsigned status, const char *error, const char *why) {
    r->status = status;
    r->error = error;
    r->why = why;
}

/* Is there a parameter q=0 in what follows an item: not acceptable (RFC 9110 section 12.4.2)? */
static bool is_refused(const char *at, size_t len) {
    for (size_t i = 0; i + 2 < len; i++) {
        bool begins = at[i] == ';' || at[i] == ' ' || at[i] == '\t';
        if (begins && (at[i + 1] == 'q' || at[i + 1] == 'Q') && at[i + 2] == '=') {
            size_t value = i + 3 + strspn(at + i + 3, "0.");
            return value > i + 3 && (value >= len || strchr("; \t", at[value]) != NULL);
        }
    }
    return false;
}

/* Cuts the next item of a comma-separated list out of `*at`, without spaces around it and without parameters. Items that
 * are refused by q=0 are passed over. */
static bool next_item(const char **at, struct bytes *out) {
    for (;;) {
        *at += strspn(*at, " \t,");
        if (**at == '\0') {
            return false;
        }
        const char *start = *at;
        size_t len = strcspn(start, ",");
        size_t item = strcspn(start, ",; \t");
        *at += len;
        if (!is_refused(start + item, len - item)) {
            *out = bytes_of(start, item);
            return true;
        }
    }
}

static bool is_text(struct bytes item, const char *text) {
    return item.len == strlen(text) && strncasecmp((const char *)item.data, text, item.len) == 0;
}

/* The query argument wins over the header. A block asked for anywhere in Accept is sent as a block: only clients that
 * can verify blocks name that type. */
static enum wanted wanted_form(const struct ipfs_request *request) {
    if (request->format != NULL) {
        return strcmp(request->format, "raw") == 0 ? WANT_BLOCK : WANT_OTHER;
    }
    if (request->accept == NULL || request->accept[0] == '\0') {
        return WANT_FILE;
    }
    enum wanted wanted = WANT_OTHER;
    const char *at = request->accept;
    struct bytes item;
    while (next_item(&at, &item)) {
        if (is_text(item, TYPE_RAW)) {
            return WANT_BLOCK;
        }
        if (is_text(item, "*/*") || is_text(item, "application/*") || is_text(item, TYPE_FILE)) {
            wanted = WANT_FILE;
        }
    }
    return wanted;
}

static bool etag_listed(const char *list, const char *etag) {
    struct bytes item;
    while (next_item(&list, &item)) {
        if (item.len > 2 && memcmp(item.data, "W/", 2) == 0) {
            item = bytes_of(item.data + 2, item.len - 2);
        }
        if (is_text(item, "*") || bytes_equal(item, bytes_str(etag))) {
            return true;
        }
    }
    return false;
}

static bool is_plain_name(const char *name) {
    size_t len = strlen(name);
    return len > 0 && len <= FILENAME_MAX_LEN && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static void add_common_headers(const struct ipfs_request *request, enum wanted wanted, const char *etag,
                               struct ipfs_response *r) {
    char value[IPFS_VALUE_SIZE];
    add_header(r, "ETag", etag);
    add_header(r, "Cache-Control", IMMUTABLE);
    (void)snprintf(value, sizeof value, "/ipfs/%s", request->cid);
    add_header(r, "X-Ipfs-Path", value);
    add_header(r, "X-Ipfs-Roots", request->cid);
    add_header(r, "Vary", "Accept");
    if (request->filename != NULL && is_plain_name(request->filename)) {
        (void)snprintf(value, sizeof value, "attachment; filename=\"%s\"", request->filename);
    } else {
        (void)snprintf(value, sizeof value, "attachment; filename=\"%s.bin\"", request->cid);
    }
    add_header(r, "Content-Disposition", value);
    r->content_type = wanted == WANT_BLOCK ? TYPE_RAW : TYPE_FILE;
    if (wanted == WANT_FILE) {
        add_header(r, "Accept-Ranges", "bytes");
    }
}

/* ---- Ranges (RFC 9110 section 14) ------------------------------------------------------------------------------ */

enum range { RANGE_NONE, RANGE_PART, RANGE_OUTSIDE };

static bool read_number(const char **at, uint64_t *out) {
    uint64_t v = 0;
    const char *start = *at;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (v > (UINT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *out = v;
    return *at != start;
}

/* One range is honoured; several, another unit or nonsense are ignored, as the RFC allows: the whole is sent. */
static enum range parse_range(const char *text, uint64_t size, uint64_t *first, uint64_t *len) {
    uint64_t from = 0;
    uint64_t to = UINT64_MAX;
    if (text == NULL || strncasecmp(text, "bytes=", 6) != 0) {
        return RANGE_NONE;
    }
    text += 6;
    bool has_from = read_number(&text, &from);
    if (*text != '-') {
        return RANGE_NONE;
    }
    text++;
    bool has_to = read_number(&text, &to);
    if (*text != '\0' || (!has_from && !has_to)) {
        return RANGE_NONE;
    }
    if (!has_from) {
        if (to == 0 || size == 0) {
            return RANGE_OUTSIDE;
        }
        *len = to < size ? to : size;
        *first = size - *len;
        return RANGE_PART;
    }
    to = has_to ? to : UINT64_MAX;
    if (to < from) {
        return RANGE_NONE;
    }
    if (from >= size) {
        return RANGE_OUTSIDE;
    }
    *first = from;
    *len = (to < size ? to + 1 : size) - from;
    return RANGE_PART;
}

static void apply_range(const struct ipfs_request *request, const char *etag, struct ipfs_response *r) {
    char value[IPFS_VALUE_SIZE];
    uint64_t first = 0;
    uint64_t len = 0;
    bool stale = request->if_range != NULL && strcmp(request->if_range, etag) != 0;
    enum range range = stale ? RANGE_NONE : parse_range(request->range, r->size, &first, &len);
    if (range == RANGE_OUTSIDE) {
        (void)snprintf(value, sizeof value, "bytes */%" PRIu64, r->size);
        ipfs_response_close(r);
        r->header_count = 0;
        add_header(r, "Content-Range", value);
        refuse(r, 416, "RANGE_NOT_SATISFIABLE", "the file has no such bytes");
    } else if (range == RANGE_PART) {
        (void)snprintf(value, sizeof value, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first, first + len - 1, r->size);
        add_header(r, "Content-Range", value);
        r->status = 206;
        r->offset += first;
        r->size = len;
    }
}

/* ---- The answer ------------------------------------------------------------------------------------------------ */

static void fill_body(struct repo_block *block, enum wanted wanted, struct ipfs_response *r) {
    if (wanted == WANT_BLOCK && !block->is_leaf) {
        r->bytes = block->node;
        r->size = block->node.len;
        block->node = bytes_of(NULL, 0);
    } else {
        r->fd = block->fd;
        r->offset = block->offset;
        r->size = block->size;
        block->fd = -1;
    }
    repo_block_close(block);
}

void ipfs_respond(struct repo *repo, const struct ipfs_request *request, struct ipfs_response *out) {
    struct cid cid;
    struct repo_block block = {.fd = -1};
    *out = (struct ipfs_response){.status = 200, .fd = -1};
    bool probe = strcmp(request->cid, PROBE_CID) == 0;
    if (!probe && cid_parse(request->cid, &cid) != OK) {
        refuse(out, 400, "CID_MALFORMED", "not a CID of SHA-256 with codec raw or dag-pb");
        return;
    }
    enum wanted wanted = wanted_form(request);
    if (wanted == WANT_OTHER) {
        refuse(out, 406, "FORMAT_NOT_ACCEPTABLE", "only blocks (format=raw) and whole files are served");
        return;
    }
    enum err e = probe ? OK : repo_find(repo, &cid, &block);
    if (e == ERR_NOTFOUND) {
        refuse(out, 404, "BLOB_NOT_FOUND", "this node does not have it");
        return;
    }
    if (e != OK) {
        refuse(out, 500, "INTERNAL", err_text(e));
        return;
    }
    char etag[CID_TEXT_SIZE + 8];
    (void)snprintf(etag, sizeof etag, wanted == WANT_BLOCK ? "\"%s.raw\"" : "\"%s\"", request->cid);
    add_common_headers(request, wanted, etag, out);
    bool has_it = request->if_none_match != NULL && etag_listed(request->if_none_match, etag);
    fill_body(&block, wanted, out);
    if (has_it) {
        out->status = 304;
    } else if (wanted == WANT_FILE) {
        apply_range(request, etag, out);
    }
}

void ipfs_response_close(struct ipfs_response *r) {
    if (r->fd >= 0) {
        (void)close(r->fd);
    }
    free((void *)(uintptr_t)r->bytes.data);
    r->fd = -1;
    r->bytes = bytes_of(NULL, 0);
}
