#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "node/host/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct why why;

static enum err parse(const char *text, struct config *out) {
    why = WHY_NONE;
    return config_parse(bytes_str(text), out, &why);
}

static void refuses(const char *text, const char *says) {
    struct config config;
    assert_int_equal(parse(text, &config), ERR_CONFIG);
    if (strstr(why.text, says) == NULL) {
        fail_msg("'%s' does not say '%s'", why.text, says);
    }
}

static void every_default_is_a_good_value(void **state) {
    (void)state;
    struct config standard;
    struct config read;
    struct buffer text = BUFFER_INIT;
    config_default(&standard);
    assert_int_equal(standard.http.max_connections, 200);
    assert_int_equal(standard.http.max_connections_per_ip, 64);
    assert_int_equal(standard.node.role, NODE_VALIDATOR);
    assert_string_equal(standard.node.key_file, "node.key");
    assert_int_equal(config_render(&standard, &text), OK);
    assert_int_equal(config_parse(buffer_bytes(&text), &read, &why), OK);
    assert_memory_equal(&standard, &read, sizeof read);
    buffer_free(&text);
}

/* Nothing is cut, so that no end of a line, or of a comment, becomes a setting. */
static void lines_may_be_long(void **state) {
    (void)state;
    struct config config;
    char text[8 * 256 + 1000] = "[gateway]\n# ";
    memset(text + strlen(text), 'c', 300);
    strcat(text, " freshness_ms = 1\nsources = ");
    for (int i = 0; i < CONFIG_SOURCES_MAX; i++) {
        char url[CONFIG_URL_MAX];
        (void)snprintf(url, sizeof url, "%shttp://%0200d.example:26601", i > 0 ? "," : "", i);
        strcat(text, url);
    }
    strcat(text, "\n");
    assert_int_equal(parse(text, &config), OK);
    assert_int_equal(config.gateway.sources.count, CONFIG_SOURCES_MAX);
    assert_int_equal(config.gateway.freshness_ms, 60000);
}

static void a_line_that_is_none_is_named_by_its_number(void **state) {
    (void)state;
    struct config config;
    refuses("# one\n\n[log\nlevel = warn\n", "line 3 is neither");
    refuses("[log]\nlevel = warn\nformat\n", "line 3 is neither");
    refuses("[log]\n  level = warn\n\tlevel = info\n", "log.level is given twice");
    assert_int_equal(parse("\xef\xbb\xbf[log]\r\n  level = warn\r\n  format = json\r\n", &config), OK);
    assert_int_equal(config.log.level, LOG_WARN);
    assert_int_equal(config.log.format, LOG_JSON);
}

static void every_key_has_a_comment(void **state) {
    (void)state;
    struct config standard;
    struct buffer text = BUFFER_INIT;
    config_default(&standard);
    assert_int_equal(config_render(&standard, &text), OK);
    buffer_u8(&text, 0);
    bool commented = false;
    char *rest = NULL;
    for (char *line = strtok_r((char *)text.data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        bool is_key = strstr(line, " = ") != NULL && line[0] != '#';
        assert_true(!is_key || commented);
        commented = line[0] == '#';
    }
    buffer_free(&text);
}

static void values_are_read(void **state) {
    (void)state;
    struct config c;
    assert_int_equal(parse("; a comment\n[node]\nrole = gateway\norg = acme\n[http]\nthreads = 7\n[log]\nformat=json\n"
                           "[gateway]\nsources = http://a:1, https://b:2\n",
                           &c),
                     OK);
    assert_int_equal(c.node.role, NODE_GATEWAY);
    assert_int_equal(c.http.threads, 7);
    assert_int_equal(c.log.format, LOG_JSON);
    assert_int_equal(c.gateway.sources.count, 2);
    assert_string_equal(c.gateway.sources.url[1], "https://b:2");
}

static void an_unknown_key_names_the_nearest(void **state) {
    (void)state;
    refuses("[http]\nlistn = x\n", "did you mean http.listen?");
    refuses("[htp]\nlisten = x\n", "did you mean http.listen?");
    refuses("[mempool]\nmax_cuont = 1\n", "mempool.max_count");
    refuses("[zzzzzz]\nqqqqqqqq = 1\n", "unknown key zzzzzz.qqqqqqqq");
}

static void bad_values_are_refused_by_name(void **state) {
    (void)state;
    refuses("[http]\nthreads = 0\n", "http.threads must be a number from 1 to 64");
    refuses("[http]\nthreads = -1\n", "http.threads");
    refuses("[http]\nthreads = 3x\n", "http.threads");
    refuses("[http]\nthreads = 99999999999999999999\n", "http.threads");
    refuses("[http]\nthreads =\n", "http.threads");
    refuses("[node]\nrole = king\n", "validator, observer, gateway");
    refuses("[node]\norg = abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\n", "node.org");
    refuses("[node]\norg = a\n[node]\norg = b\n", "given twice");
    refuses("[gateway]\nsources = ftp://x\n", "gateway.sources");
    refuses("nonsense\n", "line 1");
    refuses("[http]\ntls_cert = a.pem\n", "go together");
    refuses("[node]\nrole = gateway\n", "gateway.sources is empty");
    refuses("[http]\nmax_connections = 10\n", "max_connections_per_ip");
}

static void a_refused_file_changes_nothing(void **state) {
    (void)state;
    struct config c;
    memset(&c, 0x5a, sizeof c);
    struct config before = c;
    assert_int_equal(parse("[http]\nthreads = 2\nnope = 1\n", &c), ERR_CONFIG);
    assert_memory_equal(&c, &before, sizeof c);
}

static void a_home_resolves_its_paths(void **state) {
    (void)state;
    char dir[] = "/tmp/assay-config-XXXXXX";
    char path[CONFIG_PATH_MAX];
    struct config c;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(config_load_home(dir, &c, &why), ERR_NOTFOUND);
    assert_non_null(strstr(why.text, "assay.conf"));
    (void)snprintf(path, sizeof path, "%s/assay.conf", dir);
    config_default(&c);
    assert_int_equal(config_write(&c, path), OK);
    assert_int_equal(config_load_home(dir, &c, &why), OK);
    assert_int_equal(strncmp(c.node.key_file, dir, strlen(dir)), 0);
    assert_string_equal(c.http.tls_cert, "");
    assert_int_equal(config_resolve(dir, "/etc/x", path), OK);
    assert_string_equal(path, "/etc/x");
    (void)snprintf(path, sizeof path, "%s/assay.conf", dir);
    (void)unlink(path);
    (void)rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_a_good_value),
        cmocka_unit_test(lines_may_be_long),
        cmocka_unit_test(a_line_that_is_none_is_named_by_its_number),
        cmocka_unit_test(every_key_has_a_comment),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(an_unknown_key_names_the_nearest),
        cmocka_unit_test(bad_values_are_refused_by_name),
        cmocka_unit_test(a_refused_file_changes_nothing),
        cmocka_unit_test(a_home_resolves_its_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
