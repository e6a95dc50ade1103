#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/api/ipfs_response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE 262145u

static char dir[64];
static struct repo *repo;
static struct repo_image image;
static char root[CID_TEXT_SIZE];
static char leaf[CID_TEXT_SIZE];
static uint8_t data[SIZE];

static int set_up(void **state) {
    (void)state;
    struct repo_import *import;
    struct repo_block block;
    (void)snprintf(dir, sizeof dir, "/tmp/test-ipfs-response-XXXXXX");
    assert_non_null(mkdtemp(dir));
    struct repo_config config = {.dir = dir};
    assert_int_equal(repo_open(&config, &repo), OK);
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)(i * 7 + i / 256);
    }
    assert_int_equal(repo_import_begin(repo, unixfs_profile_named("kubo"), &import), OK);
    assert_int_equal(repo_import_write(import, data, SIZE), OK);
    assert_int_equal(repo_import_end(import, &image), OK);
    cid_format(&image.root, root);
    struct cid first = cid_of_block(CID_RAW, bytes_of(data, 262144));
    cid_format(&first, leaf);
    assert_int_equal(repo_find(repo, &first, &block), OK);
    repo_block_close(&block);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    char command[128];
    repo_close(repo);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static const char *header(const struct ipfs_response *r, const char *name) {
    for (size_t i = 0; i < r->header_count; i++) {
        if (strcmp(r->headers[i].name, name) == 0) {
            return r->headers[i].value;
        }
    }
    return NULL;
}

static void assert_body(const struct ipfs_response *r, size_t first, size_t len) {
    uint8_t *got = malloc(len + 1);
    assert_non_null(got);
    assert_int_equal(r->size, len);
    assert_true(r->fd >= 0);
    assert_int_equal(pread(r->fd, got, len, (off_t)r->offset), (ssize_t)len);
    assert_memory_equal(got, data + first, len);
    free(got);
}

static void a_plain_get_gives_the_file(void **state) {
    (void)state;
    struct ipfs_request request = {.cid = root, .accept = "text/html, */*;q=0.8"};
    struct ipfs_response r;
    char expected[256];
    ipfs_respond(repo, &request, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.content_type, "application/octet-stream");
    assert_string_equal(header(&r, "Accept-Ranges"), "bytes");
    assert_string_equal(header(&r, "Cache-Control"), "public, max-age=29030400, immutable");
    assert_string_equal(header(&r, "X-Ipfs-Roots"), root);
    (void)snprintf(expected, sizeof expected, "/ipfs/%s", root);
    assert_string_equal(header(&r, "X-Ipfs-Path"), expected);
    (void)snprintf(expected, sizeof expected, "\"%s\"", root);
    assert_string_equal(header(&r, "ETag"), expected);
    (void)snprintf(expected, sizeof expected, "attachment; filename=\"%s.bin\"", root);
    assert_string_equal(header(&r, "Content-Disposition"), expected);
    assert_body(&r, 0, SIZE);
    ipfs_response_close(&r);
}

static void raw_gives_one_block_by_query_or_by_accept(void **state) {
    (void)state;
    struct ipfs_request by_query = {.cid = root, .format = "raw", .accept = "*/*"};
    struct ipfs_request by_accept = {.cid = leaf, .accept = "Application/VND.ipld.raw; q=1"};
    struct ipfs_response r;
    char expected[256];
    ipfs_respond(repo, &by_query, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.content_type, "application/vnd.ipld.raw");
    assert_true(r.fd < 0);
    assert_int_equal(r.size, r.bytes.len);
    assert_true(cid_matches(&image.root, r.bytes));
    (void)snprintf(expected, sizeof expected, "\"%s.raw\"", root);
    assert_string_equal(header(&r, "ETag"), expected);
    assert_null(header(&r, "Accept-Ranges"));
    ipfs_response_close(&r);
    ipfs_respond(repo, &by_accept, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.content_type, "application/vnd.ipld.raw");
    assert_body(&r, 0, 262144);
    ipfs_response_close(&r);
}

struct range_case {
    const char *range;
    unsigned status;
    size_t first;
    size_t len;
    const char *content_range;
};

static void ranges_are_answered_as_the_rfc_says(void **state) {
    (void)state;
    static const struct range_case cases[] = {
        {"bytes=0-0", 206, 0, 1, "bytes 0-0/262145"},
        {"bytes=5-9", 206, 5, 5, "bytes 5-9/262145"},
        {"bytes=262100-", 206, 262100, 45, "bytes 262100-262144/262145"},
        {"bytes=262144-999999999999", 206, 262144, 1, "bytes 262144-262144/262145"},
        {"bytes=0-18446744073709551615", 206, 0, SIZE, "bytes 0-262144/262145"},
        {"bytes=-1", 206, 262144, 1, "bytes 262144-262144/262145"},
        {"bytes=-300000", 206, 0, SIZE, "bytes 0-262144/262145"},
        {"bytes=262145-", 416, 0, 0, "bytes */262145"},
        {"bytes=-0", 416, 0, 0, "bytes */262145"},
        {"bytes=9-5", 200, 0, SIZE, NULL},
        {"bytes=0-1,4-5", 200, 0, SIZE, NULL},
        {"bytes=99999999999999999999-", 200, 0, SIZE, NULL},
        {"pages=0-1", 200, 0, SIZE, NULL},
        {"bytes=-", 200, 0, SIZE, NULL},
        {"bytes=x", 200, 0, SIZE, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ipfs_request request = {.cid = root, .range = cases[i].range};
        struct ipfs_response r;
        ipfs_respond(repo, &request, &r);
        assert_int_equal(r.status, cases[i].status);
        if (cases[i].content_range == NULL) {
            assert_null(header(&r, "Content-Range"));
        } else {
            assert_string_equal(header(&r, "Content-Range"), cases[i].content_range);
        }
        if (r.status < 400) {
            assert_body(&r, cases[i].first, cases[i].len);
        }
        ipfs_response_close(&r);
    }
}

static void if_range_with_another_etag_gives_the_whole(void **state) {
    (void)state;
    char etag[80];
    struct ipfs_response r;
    (void)snprintf(etag, sizeof etag, "\"%s\"", root);
    struct ipfs_request request = {.cid = root, .range = "bytes=0-0", .if_range = etag};
    ipfs_respond(repo, &request, &r);
    assert_int_equal(r.status, 206);
    ipfs_response_close(&r);
    request.if_range = "\"other\"";
    ipfs_respond(repo, &request, &r);
    assert_int_equal(r.status, 200);
    ipfs_response_close(&r);
}

/* An item with q=0 is what the client does not take. */
static void what_is_refused_by_q_0_is_not_sent(void **state) {
    (void)state;
    static const struct {
        const char *accept, *type; /* NULL: 406 */
    } cases[] = {{"application/vnd.ipld.raw;q=0, */*", "application/octet-stream"},
                 {"application/vnd.ipld.raw; q=0.000, application/octet-stream", "application/octet-stream"},
                 {"application/vnd.ipld.raw;q=0.1, */*", "application/vnd.ipld.raw"},
                 {"application/vnd.ipld.raw;q=0", NULL},
                 {"*/*;Q=0", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ipfs_response r;
        const struct ipfs_request request = {.cid = leaf, .accept = cases[i].accept};
        ipfs_respond(repo, &request, &r);
        assert_int_equal(r.status, cases[i].type != NULL ? 200 : 406);
        if (cases[i].type != NULL) {
            assert_string_equal(r.content_type, cases[i].type);
        }
        ipfs_response_close(&r);
    }
}

static void a_known_etag_gives_304(void **state) {
    (void)state;
    char list[160];
    struct ipfs_response r;
    (void)snprintf(list, sizeof list, "\"x\", W/\"%s\"", root);
    struct ipfs_request request = {.cid = root, .if_none_match = list};
    ipfs_respond(repo, &request, &r);
    assert_int_equal(r.status, 304);
    assert_true(r.size > 0); /* caches take it for the content's length */
    assert_non_null(header(&r, "ETag"));
    request.format = "raw";
    ipfs_response_close(&r);
    ipfs_respond(repo, &request, &r);
    assert_int_equal(r.status, 200);
    ipfs_response_close(&r);
    request.if_none_match = "*";
    ipfs_respond(repo, &request, &r);
    assert_int_equal(r.status, 304);
    ipfs_response_close(&r);
}

static void refusals_have_their_own_status(void **state) {
    (void)state;
    static const struct {
        struct ipfs_request request;
        unsigned status;
    } cases[] = {
        {{.cid = "nonsense"}, 400},
        {{.cid = ""}, 400},
        {{.cid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"}, 404},
        {{.cid = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"}, 404},
        {{.cid = root, .format = "tar"}, 406},
        {{.cid = root, .accept = "application/json, text/html"}, 406},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ipfs_response r;
        ipfs_respond(repo, &cases[i].request, &r);
        assert_int_equal(r.status, cases[i].status);
        assert_non_null(r.error);
        ipfs_response_close(&r);
    }
}

static void the_probe_is_answered_with_nothing(void **state) {
    (void)state;
    struct ipfs_request request = {.cid = "bafkqaaa", .format = "raw"};
    struct ipfs_response r;
    ipfs_respond(repo, &request, &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.size, 0);
    assert_string_equal(r.content_type, "application/vnd.ipld.raw");
    ipfs_response_close(&r);
}

static void file_names_are_taken_only_when_harmless(void **state) {
    (void)state;
    struct ipfs_request request = {.cid = root, .filename = "thermostat-1.2.bin"};
    struct ipfs_response r;
    ipfs_respond(repo, &request, &r);
    assert_string_equal(header(&r, "Content-Disposition"), "attachment; filename=\"thermostat-1.2.bin\"");
    ipfs_response_close(&r);
    request.filename = "a\"\r\nSet-Cookie: x";
    ipfs_respond(repo, &request, &r);
    assert_null(strstr(header(&r, "Content-Disposition"), "Cookie"));
    ipfs_response_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_get_gives_the_file),
        cmocka_unit_test(raw_gives_one_block_by_query_or_by_accept),
        cmocka_unit_test(ranges_are_answered_as_the_rfc_says),
        cmocka_unit_test(if_range_with_another_etag_gives_the_whole),
        cmocka_unit_test(what_is_refused_by_q_0_is_not_sent),
        cmocka_unit_test(a_known_etag_gives_304),
        cmocka_unit_test(refusals_have_their_own_status),
        cmocka_unit_test(the_probe_is_answered_with_nothing),
        cmocka_unit_test(file_names_are_taken_only_when_harmless),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
