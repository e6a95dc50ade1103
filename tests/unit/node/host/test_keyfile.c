#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "node/host/keyfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/assay-keyfile-XXXXXX";
static char path[128];
static struct why why;

static const struct bytes none = {NULL, 0};

static int open_dir(void **state) {
    (void)state;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/a.key", dir);
    return 0;
}

static int close_dir(void **state) {
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static void put(const char *text, mode_t mode) {
    assert_int_equal(file_write_atomic(path, bytes_str(text), mode), OK);
    assert_int_equal(chmod(path, mode), 0);
}

static void a_key_comes_back_as_it_was(void **state) {
    (void)state;
    struct keyfile made;
    struct keyfile read;
    struct stat st;
    keyfile_generate(KEYFILE_ED25519, &made);
    assert_int_equal(keyfile_write(path, &made, none), OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(keyfile_load(path, KEYFILE_ED25519, none, &read, &why), OK);
    assert_memory_equal(&made, &read, sizeof read);
    assert_int_equal(keyfile_write(path, &made, none), ERR_EXISTS);
    assert_int_equal(keyfile_load(path, KEYFILE_X25519, none, &read, &why), ERR_MISMATCH);
}

/* RFC 8032 section 7.1 test 1 and RFC 7748 section 6.1. */
static void known_seeds_give_known_public_keys(void **state) {
    (void)state;
    struct keyfile key;
    uint8_t want[ED25519_KEY_LEN];
    put("assay-key-1 ed25519 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n", 0600);
    assert_int_equal(keyfile_load(path, KEYFILE_ED25519, none, &key, &why), OK);
    assert_int_equal(hex_decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", want, 32), OK);
    assert_memory_equal(key.public_key, want, sizeof want);
    put("assay-key-1 x25519 77076d0a7318a57d3c16c17251b26645df4f92ebf0bb0099cdf85aefb0b6dfb5\n# link\n", 0600);
    assert_int_equal(hex_decode("77076d0a7318a57d3c16c17251b26645", want, 16), OK);
    assert_int_equal(keyfile_load(path, KEYFILE_X25519, none, &key, &why), OK);
    assert_memory_equal(key.secret, want, 16);
}

static void an_open_file_is_refused(void **state) {
    (void)state;
    struct keyfile key;
    put("assay-key-1 ed25519 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n", 0640);
    assert_int_equal(keyfile_load(path, KEYFILE_ED25519, none, &key, &why), ERR_MODE);
    assert_non_null(strstr(why.text, "chmod 600"));
}

static void other_texts_are_no_keys(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "\n",
        "assay-key-1\n",
        "assay-key-1 ed25519\n",
        "assay-key-1 ed25519 00\n",
        "assay-key-2 ed25519 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n",
        "assay-key-1 rsa 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n",
        "assay-key-1 ed25519 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60 x\n",
        "assay-key-1 ed25519 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\nmore\n",
        "assay-key-1 ed25519-box 00\n"};
    struct keyfile key;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put(texts[i], 0600);
        assert_int_equal(keyfile_load(path, KEYFILE_ED25519, none, &key, &why), ERR_MALFORMED);
    }
}

/* Whatever else a command was told to write to, it is never in the place of a key. */
static void a_key_is_known_by_its_first_word(void **state) {
    (void)state;
    struct keyfile key;
    assert_false(keyfile_looks_like_one(path));
    keyfile_generate(KEYFILE_X25519, &key);
    assert_int_equal(keyfile_write(path, &key, none), OK);
    assert_true(keyfile_looks_like_one(path));
    keyfile_wipe(&key);
    put("assay-key", 0600);
    assert_false(keyfile_looks_like_one(path));
    put("ASPB", 0644);
    assert_false(keyfile_looks_like_one(path));
}

static void a_passphrase_locks_the_key(void **state) {
    (void)state;
    struct keyfile made;
    struct keyfile read;
    keyfile_generate(KEYFILE_ED25519, &made);
    assert_int_equal(keyfile_write(path, &made, bytes_str("correct horse")), OK);
    assert_int_equal(keyfile_load(path, KEYFILE_ED25519, none, &read, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "--passphrase-file"));
    assert_int_equal(keyfile_load(path, KEYFILE_ED25519, bytes_str("wrong"), &read, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "wrong passphrase"));
    assert_int_equal(keyfile_load(path, KEYFILE_ED25519, bytes_str("correct horse"), &read, &why), OK);
    assert_memory_equal(&made, &read, sizeof read);
}

static void a_passphrase_is_the_first_line_of_a_private_file(void **state) {
    (void)state;
    struct buffer out = BUFFER_INIT;
    put("open sesame\nsecond\n", 0600);
    assert_int_equal(keyfile_read_passphrase(path, &out, &why), OK);
    assert_true(bytes_equal(buffer_bytes(&out), bytes_str("open sesame")));
    put("open sesame\n", 0644);
    assert_int_equal(keyfile_read_passphrase(path, &out, &why), ERR_MODE);
    put("\n", 0600);
    assert_int_equal(keyfile_read_passphrase(path, &out, &why), ERR_MALFORMED);
    buffer_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_comes_back_as_it_was, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(known_seeds_give_known_public_keys, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(an_open_file_is_refused, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(other_texts_are_no_keys, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(a_key_is_known_by_its_first_word, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(a_passphrase_locks_the_key, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(a_passphrase_is_the_first_line_of_a_private_file, open_dir, close_dir),
    };
    if (crypto_start() != OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
