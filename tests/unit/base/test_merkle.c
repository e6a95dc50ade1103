#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/merkle.h"

#include <string.h>

/* Computed by an independent Python implementation of RFC 6962's recursion with our tags; items are the bytes 0, 1, ...
 */
static const struct {
    size_t count;
    const char *root;
} expected[] = {
    {0, "0000000000000000000000000000000000000000000000000000000000000000"},
    {1, "f629ec18b1ed9f957442f4854043addaa3f5d516a4bc04e2d7a9b0c378d5ebdc"},
    {2, "dfb843a649c7a219befc5380d65b527f82443837aaa9051eadb32086f9f91b07"},
    {3, "4f85ed4c848b7db398070f1220764c128e8172982efb653034fe2359684f257d"},
    {4, "46151b27d01a43d7c03b1fa366d4050a9b213af8c303fb1cb6fe4b353ef79d9c"},
    {5, "e20fa83f434eff5ec0df8010f6c9d821d42dc1e0e0ccdb7ce173fe160dca3624"},
    {6, "7a92f2ac3d747dba87b70fafff4539171317d0c4c60c7ff3acb630d5c6a671cd"},
    {7, "623ac7820b060bac11c54c5e288d3bcc2558c77d19c249daac27209951d74007"},
    {8, "bd4d6d8570ef4d659cd271ae34ff0f0a20020c12206abd12ab27d5d9d4405f06"},
    {13, "f7572357ca11af638ebd4a1b4f043e5872a6a5c81985874760535472c5e13fae"},
    {100, "81379363ea4fd21c30d1e1cea767c1847c3ed0a7fd63c9afcf69fa3232aab394"},
};

static void roots_agree_with_the_recursive_definition(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        uint8_t leaves[100][SHA256_LEN];
        uint8_t root[SHA256_LEN];
        char hex[2 * SHA256_LEN + 1];
        for (size_t n = 0; n < expected[i].count; n++) {
            uint8_t item = (uint8_t)n;
            merkle_leaf(bytes_of(&item, 1), leaves[n]);
        }
        merkle_root(leaves, expected[i].count, root);
        hex_encode(root, sizeof root, hex);
        assert_string_equal(hex, expected[i].root);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_agree_with_the_recursive_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
