#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "tests/lib/image_generator.h"
#include "ipfs-lite/repo.h"
#include "ipfs-lite/repo_partial.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

static char dir[64];

static int make_dir(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/test-repo-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int drop_dir(void **state) {
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static struct repo *open_repo(const char *name) {
    char path[128];
    struct repo *repo;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    struct repo_config config = {.dir = path};
    assert_int_equal(repo_open(&config, &repo), OK);
    return repo;
}

/* The generator's bytes from `seed` on. */
static enum err import_image(struct repo *repo, const struct unixfs_profile *profile, uint64_t seed, uint64_t size,
                             struct repo_image *out) {
    uint8_t piece[65536];
    struct repo_import *import;
    enum err e = repo_import_begin(repo, profile, &import);
    for (uint64_t at = 0; e == OK && at < size;) {
        size_t n = size - at < sizeof piece ? (size_t)(size - at) : sizeof piece;
        generate(seed + at, piece, n);
        e = repo_import_write(import, piece, n);
        if (e != OK) {
            repo_import_abort(import);
        }
        at += n;
    }
    return e == OK ? repo_import_end(import, out) : e;
}

static void assert_contents(struct repo *repo, const struct cid *root, uint64_t seed, uint64_t size) {
    uint8_t found[65536];
    uint8_t expected[65536];
    struct repo_block block;
    assert_int_equal(repo_find(repo, root, &block), OK);
    assert_int_equal(block.offset, 0);
    assert_int_equal(block.size, size);
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < sizeof found ? (size_t)(size - at) : sizeof found;
        assert_int_equal(pread(block.fd, found, n, (off_t)at), (ssize_t)n);
        generate(seed + at, expected, n);
        assert_memory_equal(found, expected, n);
        at += n;
    }
    repo_block_close(&block);
}

static void image_path(char out[256], const char *name, const struct cid *root, const char *suffix) {
    char text[CID_TEXT_SIZE];
    cid_format(root, text);
    (void)snprintf(out, 256, "%s/%s/images/%s%s", dir, name, text, suffix);
}

static void images_come_out_as_they_went_in_also_after_reopening(void **state) {
    (void)state;
    static const uint64_t sizes[] = {0, 1, 262145, 45 * MIB};
    struct repo_image images[8];
    struct repo *repo = open_repo("a");
    for (size_t i = 0; i < 8; i++) {
        const struct unixfs_profile *profile = i % 2 == 0 ? &unixfs_v1_2025 : unixfs_profile_named("kubo");
        assert_int_equal(import_image(repo, profile, 0, sizes[i / 2], &images[i]), OK);
    }
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    print_message("max RSS after importing 45 MiB twice: %ld KiB\n", usage.ru_maxrss);
    repo_close(repo);
    repo = open_repo("a");
    for (size_t i = 0; i < 8; i++) {
        struct repo_image image;
        assert_int_equal(repo_stat(repo, &images[i].root, &image), OK);
        assert_memory_equal(image.sha256, images[i].sha256, SHA256_LEN);
        assert_memory_equal(image.tree_root, images[i].tree_root, SHA256_LEN);
        assert_contents(repo, &images[i].root, 0, sizes[i / 2]);
    }
    repo_close(repo);
}

/* Walks down from the root: everything the tree names can be found, and hashes to its name. */
static void check_tree(struct repo *repo, const struct cid *cid, uint64_t *leaves) {
    struct repo_block block;
    assert_int_equal(repo_find(repo, cid, &block), OK);
    if (block.is_leaf) {
        uint8_t *data = malloc((size_t)block.size + 1);
        assert_non_null(data);
        assert_int_equal(pread(block.fd, data, (size_t)block.size, (off_t)block.offset), (ssize_t)block.size);
        assert_true(cid_matches(cid, bytes_of(data, (size_t)block.size)));
        free(data);
        (*leaves)++;
    } else {
        struct unixfs_node *node = malloc(sizeof *node);
        assert_non_null(node);
        assert_true(cid_matches(cid, block.node));
        assert_int_equal(unixfs_decode(block.node, node), OK);
        assert_int_equal(node->size, block.size);
        for (size_t i = 0; i < node->count; i++) {
            check_tree(repo, &node->links[i].cid, leaves);
        }
        free(node);
    }
    repo_block_close(&block);
}

static void every_block_of_an_image_is_found_by_its_cid(void **state) {
    (void)state;
    struct repo *repo = open_repo("b");
    struct repo_image image;
    uint64_t leaves = 0;
    assert_int_equal(import_image(repo, unixfs_profile_named("kubo"), 7, 45 * MIB, &image), OK);
    check_tree(repo, &image.root, &leaves);
    assert_int_equal(leaves, 180);
    assert_int_equal(image.blocks, 183);
    struct cid other = cid_of_block(CID_RAW, bytes_str("not here"));
    struct repo_block block;
    assert_int_equal(repo_find(repo, &other, &block), ERR_NOTFOUND);
    repo_close(repo);
}

static void removing_one_image_leaves_what_others_share(void **state) {
    (void)state;
    struct repo *repo = open_repo("c");
    struct repo_image small;
    struct repo_image large;
    struct repo_image same;
    assert_int_equal(import_image(repo, &unixfs_v1_2025, 0, MIB, &small), OK);
    assert_int_equal(import_image(repo, &unixfs_v1_2025, 0, 2 * MIB + 5, &large), OK);
    assert_int_equal(import_image(repo, &unixfs_v1_2025, 0, MIB, &same), OK);
    struct repo_stats stats;
    repo_stats(repo, &stats);
    assert_int_equal(stats.images, 2);
    assert_int_equal(stats.bytes, 3 * MIB + 5);
    assert_int_equal(stats.reserved, 0);
    assert_int_equal(repo_remove(repo, &small.root), OK);
    assert_int_equal(repo_remove(repo, &small.root), ERR_NOTFOUND);
    struct repo_image gone;
    struct repo_block leaf;
    assert_int_equal(repo_stat(repo, &small.root, &gone), ERR_NOTFOUND);
    /* Its only block is also the first leaf of the larger image. */
    assert_int_equal(repo_find(repo, &small.root, &leaf), OK);
    repo_block_close(&leaf);
    assert_int_equal(repo_remove(repo, &large.root), OK);
    assert_int_equal(repo_find(repo, &small.root, &leaf), ERR_NOTFOUND);
    repo_close(repo);
}

static void lists_images_page_by_page(void **state) {
    (void)state;
    struct repo *repo = open_repo("d");
    struct repo_image image;
    for (uint64_t i = 0; i < 25; i++) {
        assert_int_equal(import_image(repo, unixfs_profile_named("kubo"), i * 100, 100 + i, &image), OK);
    }
    struct repo_image page[4];
    struct cid after;
    size_t total = 0;
    const struct cid *cursor = NULL;
    for (size_t n; (n = repo_list(repo, cursor, page, 4)) > 0; cursor = &after) {
        for (size_t i = 0; i < n; i++) {
            assert_true((cursor == NULL && i == 0) || memcmp(after.digest, page[i].root.digest, SHA256_LEN) < 0);
            after = page[i].root;
        }
        total += n;
    }
    assert_int_equal(total, 25);
    repo_close(repo);
}

static void limits_refuse_and_leave_nothing_behind(void **state) {
    (void)state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/limits", dir);
    struct repo_config config = {path, 2 * MIB, 3 * MIB};
    struct repo *repo;
    struct repo_image image;
    struct repo_stats stats;
    assert_int_equal(repo_open(&config, &repo), OK);
    assert_int_equal(import_image(repo, unixfs_profile_named("kubo"), 0, 2 * MIB + 1, &image), ERR_TOOLARGE);
    assert_int_equal(import_image(repo, unixfs_profile_named("kubo"), 0, 2 * MIB, &image), OK);
    assert_int_equal(import_image(repo, unixfs_profile_named("kubo"), 9, MIB + 1, &image), ERR_NOSPACE);
    assert_int_equal(import_image(repo, unixfs_profile_named("kubo"), 9, MIB, &image), OK);
    repo_stats(repo, &stats);
    assert_int_equal(stats.bytes, 3 * MIB);
    assert_int_equal(stats.reserved, 0);
    struct repo *second;
    assert_int_equal(repo_open(&config, &second), ERR_BUSY);
    repo_close(repo);
    char command[256];
    (void)snprintf(command, sizeof command, "test -z \"$(ls -A %s/tmp)\"", path);
    assert_int_equal(system(command), 0);
}

static void flip_byte(const char *path, off_t at) {
    uint8_t b;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &b, 1, at), 1);
    b ^= 0x10;
    assert_int_equal(pwrite(fd, &b, 1, at), 1);
    assert_int_equal(close(fd), 0);
}

static void a_lost_or_damaged_index_is_made_again(void **state) {
    (void)state;
    struct repo *repo = open_repo("e");
    struct repo_image image;
    char path[256];
    assert_int_equal(import_image(repo, unixfs_profile_named("kubo"), 1, 3 * MIB, &image), OK);
    repo_close(repo);
    image_path(path, "e", &image.root, ".index");
    for (int round = 0; round < 3; round++) {
        if (round == 0) {
            assert_int_equal(unlink(path), 0);
        } else if (round == 1) {
            flip_byte(path, 300);
        } else {
            assert_int_equal(truncate(path, 200), 0);
        }
        repo = open_repo("e");
        uint64_t leaves = 0;
        check_tree(repo, &image.root, &leaves);
        assert_int_equal(leaves, 12);
        repo_close(repo);
    }
}

static void note_damage(void *arg, const struct cid *root, enum err why) {
    assert_int_equal(why, ERR_CORRUPT);
    *(struct cid *)arg = *root;
}

static void verify_names_the_damaged_image_and_serves_it_no_more(void **state) {
    (void)state;
    struct repo *repo = open_repo("f");
    struct repo_image good;
    struct repo_image bad;
    struct repo_image cut;
    uint64_t damaged = 9;
    char path[256];
    assert_int_equal(import_image(repo, &unixfs_v1_2025, 0, 3 * MIB, &good), OK);
    assert_int_equal(import_image(repo, &unixfs_v1_2025, 5, 3 * MIB, &bad), OK);
    assert_int_equal(import_image(repo, &unixfs_v1_2025, 6, 3 * MIB, &cut), OK);
    assert_int_equal(repo_verify(repo, NULL, NULL, &damaged), OK);
    assert_int_equal(damaged, 0);
    image_path(path, "f", &bad.root, "");
    flip_byte(path, 2000000);
    struct cid named;
    assert_int_equal(repo_verify(repo, note_damage, &named, &damaged), OK);
    assert_int_equal(damaged, 1);
    assert_true(cid_equal(&named, &bad.root));
    struct repo_block block;
    assert_int_equal(repo_find(repo, &bad.root, &block), ERR_NOTFOUND);
    assert_contents(repo, &good.root, 0, 3 * MIB);
    repo_close(repo);
    /* A file of the wrong length is noticed without reading it. */
    image_path(path, "f", &cut.root, "");
    assert_int_equal(truncate(path, (off_t)(3 * MIB - 1)), 0);
    repo = open_repo("f");
    struct repo_stats stats;
    repo_stats(repo, &stats);
    assert_int_equal(stats.images, 1);
    assert_int_equal(stats.quarantined, 1);
    repo_close(repo);
}

struct importer_thread {
    struct repo *repo;
    uint64_t seed;
    enum err result;
};

static void *import_some(void *arg) {
    struct importer_thread *t = arg;
    struct repo_image image;
    t->result = OK;
    for (uint64_t i = 0; i < 10 && t->result == OK; i++) {
        /* Every other image is the same in all threads. */
        uint64_t seed = i % 2 == 0 ? i : t->seed * 1000 + i;
        t->result = import_image(t->repo, unixfs_profile_named("kubo"), seed, 600000, &image);
        if (t->result == OK) {
            struct repo_block block;
            t->result = repo_find(t->repo, &image.root, &block);
            if (t->result == OK) {
                repo_block_close(&block);
            }
        }
    }
    return NULL;
}

static void imports_run_side_by_side(void **state) {
    (void)state;
    struct repo *repo = open_repo("g");
    struct importer_thread threads[4];
    pthread_t ids[4];
    for (uint64_t i = 0; i < 4; i++) {
        threads[i] = (struct importer_thread){repo, i + 1, ERR_INVALID};
        assert_int_equal(pthread_create(&ids[i], NULL, import_some, &threads[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(ids[i], NULL), 0);
        assert_int_equal(threads[i].result, OK);
    }
    struct repo_stats stats;
    uint64_t damaged;
    repo_stats(repo, &stats);
    assert_int_equal(stats.images, 25);
    assert_int_equal(repo_verify(repo, NULL, NULL, &damaged), OK);
    assert_int_equal(damaged, 0);
    repo_close(repo);
}

static void a_killed_import_leaves_whole_images_or_none(void **state) {
    (void)state;
    unsigned seed = (unsigned)clock_wall_ms();
    print_message("seed %u\n", seed);
    uint64_t seen = 0;
    /* On a busy machine a child may not get to its first image: then there are more. */
    for (int round = 0; round < 25 || (seen == 0 && round < 2000); round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            char path[128];
            struct repo *repo;
            struct repo_image image;
            (void)snprintf(path, sizeof path, "%s/killed", dir);
            struct repo_config config = {.dir = path};
            if (repo_open(&config, &repo) != OK) {
                _exit(3);
            }
            for (uint64_t i = 0;; i++) {
                if (import_image(repo, unixfs_profile_named("kubo"), (uint64_t)round * 100 + i, 300000, &image) != OK) {
                    _exit(4);
                }
            }
        }
        /* Where the kill falls is the point of the test: any moment will do. */
        (void)usleep((useconds_t)(rand_r(&seed) % 30000));
        int status;
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        struct repo *repo = open_repo("killed");
        struct repo_stats stats;
        uint64_t damaged = 1;
        assert_int_equal(repo_verify(repo, NULL, NULL, &damaged), OK);
        assert_int_equal(damaged, 0);
        repo_stats(repo, &stats);
        assert_int_equal(stats.quarantined, 0);
        assert_true(stats.images >= seen);
        seen = stats.images;
        repo_close(repo);
    }
    assert_true(seen > 0);
}

/* ---- Partial images ------------------------------------------------------------------------------------------- */

/* Serves wants from another repository, as a peer would. */
static enum err answer(struct repo *from, struct repo_partial *partial, const struct repo_want *want) {
    struct repo_block block;
    assert_int_equal(repo_find(from, &want->cid, &block), OK);
    enum err e;
    if (block.is_leaf) {
        uint8_t *data = malloc((size_t)block.size + 1);
        assert_non_null(data);
        assert_int_equal(pread(block.fd, data, (size_t)block.size, (off_t)block.offset), (ssize_t)block.size);
        e = repo_partial_put(partial, want, bytes_of(data, (size_t)block.size));
        free(data);
    } else {
        e = repo_partial_put(partial, want, block.node);
    }
    repo_block_close(&block);
    return e;
}

static void a_partial_image_goes_on_where_it_stopped(void **state) {
    (void)state;
    struct repo *from = open_repo("from");
    struct repo *to = open_repo("to");
    struct repo_image image;
    struct repo_image got;
    struct repo_want want;
    size_t asked = 0;
    assert_int_equal(import_image(from, unixfs_profile_named("kubo"), 3, 45 * MIB, &image), OK);
    for (;;) {
        struct repo_partial *partial;
        assert_int_equal(repo_partial_open(to, &image.root, 0, &partial), OK);
        size_t now = 0;
        while (now < 50 && repo_partial_next(partial, &want)) {
            assert_int_equal(answer(from, partial, &want), OK);
            now++;
            asked++;
        }
        if (repo_partial_is_whole(partial)) {
            assert_int_equal(repo_partial_finish(partial, image.sha256, &got), OK);
            break;
        }
        repo_partial_close(partial);
        repo_close(to);
        to = open_repo("to");
    }
    assert_int_equal(asked, 183); /* no block twice */
    assert_contents(to, &image.root, 3, 45 * MIB);
    struct repo_partial *again;
    assert_int_equal(repo_partial_open(to, &image.root, 0, &again), ERR_EXISTS);
    struct repo_stats stats;
    repo_stats(to, &stats);
    assert_int_equal(stats.reserved, 0);
    repo_close(to);
    repo_close(from);
}

static void nodes_that_arrive_out_of_order_hide_no_leaves(void **state) {
    (void)state;
    struct repo *from = open_repo("from2");
    struct repo *to = open_repo("to2");
    struct repo_image image;
    struct repo_partial *partial;
    struct repo_want root;
    struct repo_want first;
    struct repo_want second;
    struct repo_want want;
    assert_int_equal(import_image(from, unixfs_profile_named("kubo"), 3, 45 * MIB, &image), OK);
    assert_int_equal(repo_partial_open(to, &image.root, 0, &partial), OK);
    assert_true(repo_partial_next(partial, &root));
    assert_int_equal(answer(from, partial, &root), OK);
    assert_true(repo_partial_next(partial, &first));
    assert_true(repo_partial_next(partial, &second));
    assert_int_equal(answer(from, partial, &second), OK);
    while (repo_partial_next(partial, &want)) {
        assert_int_equal(answer(from, partial, &want), OK);
    }
    assert_false(repo_partial_is_whole(partial));
    repo_partial_give_back(partial, &first);
    while (repo_partial_next(partial, &want)) {
        assert_int_equal(answer(from, partial, &want), OK);
    }
    assert_true(repo_partial_is_whole(partial));
    assert_int_equal(repo_partial_finish(partial, NULL, &image), OK);
    repo_close(to);
    repo_close(from);
}

static void wrong_blocks_are_never_kept(void **state) {
    (void)state;
    struct repo *from = open_repo("from3");
    struct repo *to = open_repo("to3");
    struct repo_image image;
    struct repo_image single;
    struct repo_partial *partial;
    struct repo_want want;
    static const uint8_t junk[1000] = {1, 2, 3};
    assert_int_equal(import_image(from, unixfs_profile_named("kubo"), 3, MIB, &image), OK);
    assert_int_equal(import_image(from, unixfs_profile_named("kubo"), 3, 100, &single), OK);
    assert_int_equal(repo_partial_open(to, &image.root, 0, &partial), OK);
    assert_true(repo_partial_next(partial, &want));
    assert_int_equal(repo_partial_put(partial, &want, bytes_of(junk, sizeof junk)), ERR_MISMATCH);
    assert_int_equal(answer(from, partial, &want), OK);
    assert_true(repo_partial_next(partial, &want));
    assert_int_equal(repo_partial_put(partial, &want, bytes_of(junk, sizeof junk)), ERR_MISMATCH);
    struct repo_partial *second;
    assert_int_equal(repo_partial_open(to, &image.root, 0, &second), ERR_BUSY);
    /* A damaged leaf on the disk is noticed when the fetch goes on. */
    assert_int_equal(answer(from, partial, &want), OK);
    repo_partial_close(partial);
    char path[256];
    char text[CID_TEXT_SIZE];
    cid_format(&image.root, text);
    (void)snprintf(path, sizeof path, "%s/to3/partial/%s.data", dir, text);
    flip_byte(path, 100);
    assert_int_equal(repo_partial_open(to, &image.root, 0, &partial), OK);
    struct repo_partial_progress progress;
    repo_partial_progress(partial, &progress);
    assert_int_equal(progress.total, MIB);
    assert_int_equal(progress.resumed, 0);
    repo_partial_discard(partial);
    /* The root says more than is wanted. */
    assert_int_equal(repo_partial_open(to, &image.root, MIB - 1, &partial), OK);
    assert_true(repo_partial_next(partial, &want));
    assert_int_equal(answer(from, partial, &want), ERR_TOOLARGE);
    repo_partial_discard(partial);
    /* The right CID, another digest than the release says. */
    assert_int_equal(repo_partial_open(to, &single.root, 0, &partial), OK);
    assert_true(repo_partial_next(partial, &want));
    assert_int_equal(answer(from, partial, &want), OK);
    assert_int_equal(repo_partial_finish(partial, image.sha256, &single), ERR_MISMATCH);
    repo_close(to);
    repo_close(from);
}

static void leaves_of_other_images_here_are_copied(void **state) {
    (void)state;
    struct repo *from = open_repo("from4");
    struct repo *to = open_repo("to4");
    struct repo_image image;
    struct repo_image old;
    struct repo_partial *partial;
    struct repo_want want;
    assert_int_equal(import_image(from, unixfs_profile_named("kubo"), 3, 2 * MIB + 100, &image), OK);
    assert_int_equal(import_image(to, unixfs_profile_named("kubo"), 3, 2 * MIB, &old), OK);
    assert_int_equal(repo_partial_open(to, &image.root, 0, &partial), OK);
    size_t asked = 0;
    while (repo_partial_next(partial, &want)) {
        assert_int_equal(answer(from, partial, &want), OK);
        asked++;
    }
    struct repo_partial_progress progress;
    repo_partial_progress(partial, &progress);
    assert_int_equal(asked, 2);
    assert_int_equal(progress.copied, 2 * MIB);
    assert_int_equal(repo_partial_finish(partial, NULL, &image), OK);
    repo_close(to);
    repo_close(from);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_come_out_as_they_went_in_also_after_reopening),
        cmocka_unit_test(every_block_of_an_image_is_found_by_its_cid),
        cmocka_unit_test(removing_one_image_leaves_what_others_share),
        cmocka_unit_test(lists_images_page_by_page),
        cmocka_unit_test(limits_refuse_and_leave_nothing_behind),
        cmocka_unit_test(a_lost_or_damaged_index_is_made_again),
        cmocka_unit_test(verify_names_the_damaged_image_and_serves_it_no_more),
        cmocka_unit_test(imports_run_side_by_side),
        cmocka_unit_test(a_killed_import_leaves_whole_images_or_none),
        cmocka_unit_test(a_partial_image_goes_on_where_it_stopped),
        cmocka_unit_test(nodes_that_arrive_out_of_order_hide_no_leaves),
        cmocka_unit_test(wrong_blocks_are_never_kept),
        cmocka_unit_test(leaves_of_other_images_here_are_copied),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
