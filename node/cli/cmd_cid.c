/* assay cid FILE: the CID an image will have, without any node. */
#include "node/cli/args.h"
#include "node/cli/commands.h"

#include "ipfs-lite/importer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum err import_fd(int fd, const struct unixfs_profile *profile, struct importer_result *out) {
    static uint8_t chunk[128 * 1024];
    struct importer *imp;
    const struct importer_sink sink = {NULL, NULL, NULL};
    enum err e = importer_new(profile, sink, &imp);
    if (e != OK) {
        return e;
    }
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            e = n == 0 ? OK : err_from_errno(errno);
            break;
        }
        e = importer_write(imp, chunk, (size_t)n);
        if (e != OK) {
            break;
        }
    }
    if (e == OK) {
        e = importer_end(imp, out);
    }
    importer_free(imp);
    return e;
}

static int print_result(const struct importer_result *result, const struct unixfs_profile *profile, bool json) {
    char cid[CID_TEXT_SIZE];
    char digest[2 * SHA256_LEN + 1];
    char tree_root[2 * SHA256_LEN + 1];
    cid_format(&result->root, cid);
    hex_encode(result->sha256, SHA256_LEN, digest);
    hex_encode(result->tree_root, SHA256_LEN, tree_root);
    if (json) {
        return args_print_json(json_pack("{s:s, s:I, s:s, s:s, s:s}", "cid", cid, "size", (json_int_t)result->size,
                                         "sha256", digest, "tree_root", tree_root, "profile", profile->name));
    }
    (void)printf("%s\n", cid);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int cmd_cid(int argc, char **argv) {
    const char *profile_name = unixfs_v1_2025.name;
    bool json = false;
    const struct args_option options[] = {
        {"profile", ARGS_TEXT, &profile_name, "NAME", "unixfs-v1-2025 (default) or kubo", 0, 0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {"cid FILE [options]", "Computes the CID of a file, as IPFS does. Needs no node.",
                                   options, 1, 1};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    const struct unixfs_profile *profile = unixfs_profile_named(profile_name);
    if (profile == NULL) {
        return args_wrong("no profile is called \"%s\"; there are unixfs-v1-2025 and kubo", profile_name);
    }
    const char *path = operands.item[0];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return args_fail("cannot open %s: %s", path, err_text(err_from_errno(errno)));
    }
    struct importer_result result;
    enum err e = import_fd(fd, profile, &result);
    (void)close(fd);
    return e == OK ? print_result(&result, profile, json) : args_fail("cannot read %s: %s", path, err_text(e));
}
