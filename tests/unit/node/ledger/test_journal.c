#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "node/ledger/journal.h"
#include "verify/block_header.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEGMENT 16384

struct fixture {
    char dir[64];
    size_t votes, bodies, certificates;
    uint64_t lowest_view, highest_view;
};

static enum err see_vote(void *arg, const struct consensus_vote *vote) {
    struct fixture *f = arg;
    f->votes++;
    f->lowest_view = vote->subject.view < f->lowest_view ? vote->subject.view : f->lowest_view;
    f->highest_view = vote->subject.view > f->highest_view ? vote->subject.view : f->highest_view;
    return OK;
}

static enum err see_body(void *arg, uint64_t sequence, struct bytes body) {
    (void)sequence;
    struct fixture *f = arg;
    assert_true(body.len > BLOCK_HEADER_LEN);
    f->bodies++;
    return OK;
}

static enum err see_certificate(void *arg, struct bytes certificate) {
    struct fixture *f = arg;
    assert_int_equal(certificate.len, 200);
    f->certificates++;
    return OK;
}

static enum err open_it(struct fixture *f, struct journal **out) {
    const struct journal_config config = {.disk = disk_posix(), .dir = f->dir, .segment_bytes = SEGMENT};
    const struct journal_reader reader = {see_vote, see_body, see_certificate, f};
    f->votes = f->bodies = f->certificates = 0;
    f->lowest_view = UINT64_MAX;
    f->highest_view = 0;
    return journal_open(&config, &reader, out);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/test_journal.XXXXXX");
    *state = f;
    return mkdtemp(f->dir) == NULL ? -1 : 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", f->dir);
    int status = system(command);
    free(f);
    return status;
}

static void write_view(struct journal *journal, uint64_t view) {
    struct consensus_vote vote = {.subject = {.view = view, .kind = VOTE_NOTARIZE}, .signer = 1};
    uint8_t body[BLOCK_HEADER_LEN + 700] = {0};
    uint8_t certificate[200] = {1, VOTE_NOTARIZE};
    struct block_header header = {.view = view, .height = view};
    block_header_encode(&header, body);
    store_u64(certificate + 10, view - 1);
    assert_int_equal(journal_body(journal, 0, view, bytes_of(body, sizeof body)), OK);
    assert_int_equal(journal_certificate(journal, 0, view - 1, bytes_of(certificate, sizeof certificate)), OK);
    assert_int_equal(journal_vote(journal, &vote), OK);
}

static void what_was_synced_comes_back(void **state) {
    struct fixture *f = *state;
    struct journal *journal;
    bool synced;
    assert_int_equal(open_it(f, &journal), OK);
    for (uint64_t v = 1; v <= 40; v++) {
        write_view(journal, v);
        assert_int_equal(journal_sync(journal, &synced), OK);
        assert_true(synced);
    }
    assert_int_equal(journal_sync(journal, &synced), OK);
    assert_false(synced); /* nothing new: no fdatasync */
    journal_close(journal);
    assert_int_equal(open_it(f, &journal), OK);
    assert_int_equal(f->votes, 40);
    assert_int_equal(f->bodies, 40);
    assert_int_equal(f->certificates, 40);
    journal_close(journal);
}

static void discarding_keeps_every_record_of_a_higher_view(void **state) {
    struct fixture *f = *state;
    struct journal *journal;
    assert_int_equal(open_it(f, &journal), OK);
    for (uint64_t v = 1; v <= 1000; v++) { /* more than there are marks */
        write_view(journal, v);
    }
    assert_int_equal(journal_sync(journal, NULL), OK);
    assert_int_equal(journal_discard(journal, 0, 600), OK);
    journal_close(journal);
    assert_int_equal(open_it(f, &journal), OK);
    assert_true(f->lowest_view > 1 && f->lowest_view <= 601);
    assert_int_equal(f->highest_view, 1000);
    assert_int_equal(f->votes, 1000 - f->lowest_view + 1);
    assert_int_equal(journal_discard(journal, 0, UINT64_MAX), OK);
    journal_close(journal);
}

static void damage_in_the_middle_is_corruption(void **state) {
    struct fixture *f = *state;
    struct journal *journal;
    assert_int_equal(open_it(f, &journal), OK);
    for (uint64_t v = 1; v <= 40; v++) {
        write_view(journal, v);
        assert_int_equal(journal_sync(journal, NULL), OK);
    }
    journal_close(journal);
    DIR *dir = opendir(f->dir);
    char path[400] = "";
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strstr(entry->d_name, "vote-0000000000000001") != NULL) {
            (void)snprintf(path, sizeof path, "%s/%s", f->dir, entry->d_name);
        }
    }
    (void)closedir(dir);
    int fd = open(path, O_RDWR);
    uint8_t byte = 0;
    assert_true(fd >= 0 && pread(fd, &byte, 1, 5000) == 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, 5000), 1);
    (void)close(fd);
    assert_int_equal(open_it(f, &journal), ERR_CORRUPT);
    assert_string_not_equal(journal_error(), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_synced_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(discarding_keeps_every_record_of_a_higher_view, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_in_the_middle_is_corruption, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
