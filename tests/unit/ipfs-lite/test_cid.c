#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipfs-lite/cid.h"

#include <string.h>

static const char hello_v1[] = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
static const char empty_v0[] = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH";

static void formats_the_cid_that_ipfs_gives_a_raw_block(void **state) {
    (void)state;
    struct cid cid = cid_of_block(CID_RAW, bytes_str("hello world"));
    char text[CID_TEXT_SIZE];
    cid_format(&cid, text);
    assert_string_equal(text, hello_v1);
}

static void reads_its_own_text_back(void **state) {
    (void)state;
    struct cid cid = cid_of_block(CID_DAG_PB, bytes_str("anything"));
    struct cid back;
    char text[CID_TEXT_SIZE];
    cid_format(&cid, text);
    assert_int_equal(cid_parse(text, &back), OK);
    assert_true(cid_equal(&cid, &back));
    assert_true(cid_matches(&back, bytes_str("anything")));
    assert_false(cid_matches(&back, bytes_str("anythinG")));
}

static void reads_version_0_as_the_dag_pb_block_it_names(void **state) {
    (void)state;
    static const uint8_t block[] = {0x0a, 0x04, 0x08, 0x02, 0x18, 0x00};
    struct cid cid;
    assert_int_equal(cid_parse(empty_v0, &cid), OK);
    assert_int_equal(cid.codec, CID_DAG_PB);
    assert_true(cid_matches(&cid, bytes_of(block, sizeof block)));
}

static void refuses_other_spellings_of_a_cid(void **state) {
    (void)state;
    struct cid cid = {.codec = 7};
    char text[128];
    memcpy(text, hello_v1, sizeof hello_v1);
    text[1] = 'A';
    assert_int_equal(cid_parse(text, &cid), ERR_MALFORMED);
    memcpy(text, hello_v1, sizeof hello_v1);
    text[58] = 'f'; /* sets padding bits */
    assert_int_equal(cid_parse(text, &cid), ERR_MALFORMED);
    memcpy(text, hello_v1, sizeof hello_v1);
    memcpy(text + 59, "a", 2);
    assert_int_equal(cid_parse(text, &cid), ERR_MALFORMED);
    text[58] = '\0';
    assert_int_equal(cid_parse(text, &cid), ERR_MALFORMED);
    assert_int_equal(cid_parse("", &cid), ERR_MALFORMED);
    assert_int_equal(cid_parse("z", &cid), ERR_MALFORMED);
    assert_int_equal(cid_parse("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQ0", &cid), ERR_MALFORMED);
    assert_int_equal(cid_parse("Qmzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", &cid), ERR_UNSUPPORTED);
    assert_int_equal(cid.codec, 7);
}

static void refuses_other_versions_codecs_and_hashes(void **state) {
    (void)state;
    struct cid cid = cid_of_block(CID_RAW, bytes_str("x"));
    struct cid out = {.codec = 7};
    uint8_t binary[CID_LEN];
    static const size_t places[] = {0, 1, 2, 3};
    for (size_t i = 0; i < 4; i++) {
        cid_encode(&cid, binary);
        binary[places[i]] ^= 0x08;
        assert_int_equal(cid_decode(bytes_of(binary, sizeof binary), &out), ERR_UNSUPPORTED);
    }
    cid_encode(&cid, binary);
    assert_int_equal(cid_decode(bytes_of(binary, CID_LEN - 1), &out), ERR_MALFORMED);
    assert_int_equal(out.codec, 7);
    assert_int_equal(cid_decode(bytes_of(binary, CID_LEN), &out), OK);
    assert_true(cid_equal(&cid, &out));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_the_cid_that_ipfs_gives_a_raw_block),
        cmocka_unit_test(reads_its_own_text_back),
        cmocka_unit_test(reads_version_0_as_the_dag_pb_block_it_names),
        cmocka_unit_test(refuses_other_spellings_of_a_cid),
        cmocka_unit_test(refuses_other_versions_codecs_and_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
