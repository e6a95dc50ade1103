#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/voter.h"

static void what_is_put_together_is_a_certificate_to_the_verifier(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    uint8_t bytes[CERTIFICATE_MAX];
    size_t len = voter_certificate(f, 9, VOTE_FINALIZE, 0xa1, 0xb, bytes);
    assert_int_equal(len, certificates_len(4, 3));
    struct bytes_input span = {.rest = {bytes, len}};
    struct input in = input_of_bytes(&span);
    struct vote_subject subject;
    assert_int_equal(certificate_verify(&voter_crypto, f->chain_id, &f->config.validators, &in, &subject), GOOD);
    assert_int_equal(subject.view, 9);
    struct certificate_parts parts;
    assert_int_equal(certificates_parse(bytes_of(bytes, len), 4, &parts), OK);
    assert_int_equal(parts.signers, 3);
    assert_true(certificates_has(&parts, 0) && certificates_has(&parts, 1) && !certificates_has(&parts, 2));
    voter_end(f);
}

static void malformed_certificates_are_refused(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    uint8_t bytes[CERTIFICATE_MAX];
    struct certificate_parts parts;
    size_t len = voter_certificate(f, 9, VOTE_NOTARIZE, 0xa1, 0xb, bytes);
    for (size_t short_len = 0; short_len < len; short_len++) {
        assert_int_not_equal(certificates_parse(bytes_of(bytes, short_len), 4, &parts), OK);
    }
    assert_int_equal(certificates_parse(bytes_of(bytes, len + 1), 4, &parts), ERR_MALFORMED);
    assert_int_equal(certificates_parse(bytes_of(bytes, len), 5, &parts), ERR_MISMATCH);
    bytes[CERTIFICATE_HEAD_LEN] |= 0x10; /* a signer that does not exist */
    assert_int_equal(certificates_parse(bytes_of(bytes, len), 4, &parts), ERR_MALFORMED);
    len = voter_certificate(f, 9, VOTE_NOTARIZE, 0xa1, 0x3, bytes);
    assert_int_equal(certificates_parse(bytes_of(bytes, len), 4, &parts), ERR_MALFORMED); /* no quorum */
    len = voter_certificate(f, 9, VOTE_NOTARIZE, 0xa1, 0xb, bytes);
    bytes[1] = VOTE_PROPOSE;
    assert_int_equal(certificates_parse(bytes_of(bytes, len), 4, &parts), ERR_MALFORMED);
    bytes[1] = VOTE_NULLIFY; /* with a block */
    assert_int_equal(certificates_parse(bytes_of(bytes, len), 4, &parts), ERR_MALFORMED);
    voter_end(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_together_is_a_certificate_to_the_verifier),
        cmocka_unit_test(malformed_certificates_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
