/* assay blob add|get|stat|ls: images in a node's store.
 *
 * `get` believes no node: it fetches block by block, each checked against the CID before it is kept, and goes on where
 * an earlier try stopped.
 */
#include "node/answers/page.h"
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/txcmd.h"

#include "base/file.h"
#include "node/fetch/blob_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- add ------------------------------------------------------------------------------------------------------- */

static int log_in(struct client *client, const struct txcmd_options *options) {
    struct buffer passphrase = BUFFER_INIT;
    struct keyfile key;
    struct why why = WHY_NONE;
    enum err e = OK;
    if (options->passphrase_file != NULL) {
        e = keyfile_read_passphrase(options->passphrase_file, &passphrase, &why);
    }
    if (e == OK) {
        e = keyfile_load(options->keys.item[0], KEYFILE_ED25519, buffer_bytes(&passphrase), &key, &why);
    }
    if (passphrase.len > 0) {
        secure_wipe(passphrase.data, passphrase.len);
    }
    buffer_free(&passphrase);
    if (e != OK) {
        return args_fail("%s", why.text);
    }
    e = client_login(client, key.secret);
    keyfile_wipe(&key);
    return e == OK ? ARGS_GO_ON : args_fail("%s", client_why(client));
}

static int blob_add(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {
        CLIENT_OPTIONS(o),
        {"key", ARGS_REPEAT, &o.keys, "FILE", "author or admin key of the node's organisation", 0, 0},
        {"passphrase-file", ARGS_TEXT, &o.passphrase_file, "FILE", "passphrase of an encrypted key", 0, 0},
        {0},
    };
    const struct args_spec spec = {"blob add FILE --key FILE [options]", "Puts a file into a node's store.", options, 1,
                                   1};
    struct args_operands operands;
    struct client *client = NULL;
    json_t *answer = NULL;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (o.keys.count != 1) {
        return args_wrong("blob add needs one --key FILE, an author's or admin's of the node's organisation");
    }
    status = txcmd_client(&o, &client);
    if (status == ARGS_GO_ON) {
        status = log_in(client, &o);
    }
    if (status == ARGS_GO_ON) {
        enum err e = client_upload_file(client, "/v1/blobs", operands.item[0], true, &answer);
        status = e == OK ? txcmd_print(&o, answer) : args_fail("%s", client_why(client));
    }
    client_free(client);
    return status;
}

/* ---- get ------------------------------------------------------------------------------------------------------- */

static bool show_progress(void *arg, const struct blob_fetch_progress *p) {
    bool *on_terminal = arg;
    if (*on_terminal && p->total > 0) {
        (void)fprintf(stderr, "\r%3" PRIu64 " %%  %" PRIu64 " of %" PRIu64 " bytes", p->have * 100 / p->total, p->have,
                      p->total);
    }
    return true;
}

static enum err copy_out(int from, uint64_t size, int to) {
    uint8_t chunk[64 * 1024];
    for (uint64_t at = 0; at < size;) {
        size_t want = size - at < sizeof chunk ? (size_t)(size - at) : sizeof chunk;
        ssize_t got = pread(from, chunk, want, (off_t)at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got == 0 ? ERR_CORRUPT : err_from_errno(errno);
        }
        for (ssize_t done = 0; done < got;) {
            ssize_t n = write(to, chunk + done, (size_t)(got - done));
            if (n < 0 && errno != EINTR) {
                return err_from_errno(errno);
            }
            done += n < 0 ? 0 : n;
        }
        at += (uint64_t)got;
    }
    return OK;
}

/* Hands the verified image to the user: a file appears whole or not at all. */
static enum err deliver(struct repo *repo, const struct cid *root, const char *path) {
    struct repo_block image;
    struct file_out out = {.fd = STDOUT_FILENO};
    enum err e = repo_find(repo, root, &image);
    if (e != OK) {
        return e;
    }
    e = path != NULL ? file_out_begin(&out, path, 0666) : OK;
    if (e == OK) {
        e = copy_out(image.fd, image.size, out.fd);
        e = path != NULL ? file_out_end(&out, e) : e;
    }
    repo_block_close(&image);
    return e;
}

/* The repository of a fetch is empty after it; anything left makes rmdir fail and stays for the next try. */
static void remove_fetch_dir(const char *dir) {
    static const char *const names[] = {"images", "tmp", "partial", "quarantine"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (snprintf(path, sizeof path, "%s/%s", dir, names[i]) < PATH_MAX) {
            (void)rmdir(path);
        }
    }
    if (snprintf(path, sizeof path, "%s/lock", dir) < PATH_MAX) {
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

/* Beside the output, so that a second try finds what the first one got; for stdout a throw-away folder. */
static enum err fetch_dir(const char *path, char out[PATH_MAX]) {
    const char *said = getenv("TMPDIR"), *base = said != NULL ? said : "/tmp";
    int n = path != NULL ? snprintf(out, PATH_MAX, "%s.assay-fetch", path)
                         : snprintf(out, PATH_MAX, "%s/assay-fetch-XXXXXX", base);
    if (n < 0 || n >= PATH_MAX) {
        return ERR_TOOLARGE;
    }
    return path != NULL || mkdtemp(out) != NULL ? OK : err_from_errno(errno);
}

static int fetch_image(const struct client *client, const struct txcmd_options *o, const struct cid *root,
                       const char *path) {
    bool on_terminal = isatty(STDERR_FILENO) == 1;
    const struct blob_fetch_options options = {
        .http.ca_file = o->ca_file, .progress = show_progress, .arg = &on_terminal};
    char dir[PATH_MAX];
    struct why why = WHY_NONE;
    struct repo_image image;
    struct repo *repo = NULL;
    enum err e = fetch_dir(path, dir);
    if (e == OK) {
        const struct repo_config config = {.dir = dir};
        e = repo_open(&config, &repo);
    }
    if (e != OK) {
        return args_fail("cannot use %s to fetch into: %s", path == NULL ? "the temporary folder" : dir, err_text(e));
    }
    const char *url = client_url(client);
    e = blob_fetch(repo, root, &url, 1, &options, &image, &why);
    if (on_terminal) {
        (void)fputc('\n', stderr);
    }
    int status = EXIT_SUCCESS;
    if (e != OK) {
        status = args_fail("cannot fetch it: %s", why.text);
    } else {
        e = deliver(repo, root, path);
        if (e != OK) {
            status = args_fail("cannot write %s: %s", path == NULL ? "to stdout" : path, err_text(e));
        }
    }
    if (status == EXIT_SUCCESS && repo_remove(repo, root) != OK) {
        status = args_fail("the image is written, but %s cannot be removed", dir);
    }
    repo_close(repo);
    remove_fetch_dir(dir);
    if (status == EXIT_SUCCESS && o->json && path != NULL) {
        char text[CID_TEXT_SIZE];
        char digest[2 * SHA256_LEN + 1];
        cid_format(root, text);
        hex_encode(image.sha256, SHA256_LEN, digest);
        status = args_print_json(
            json_pack("{s:s, s:I, s:s}", "cid", text, "size", (json_int_t)image.size, "sha256", digest));
    }
    return status;
}

static int blob_get(int argc, char **argv) {
    struct txcmd_options o = {0};
    const char *path = NULL;
    const struct args_option options[] = {
        CLIENT_OPTIONS(o),
        {"output", ARGS_TEXT, &path, "FILE", "write there instead of stdout", 0, 0},
        {0},
    };
    const struct args_spec spec = {"blob get CID [-o FILE] [options]",
                                   "Fetches an image, every block checked against the CID.", options, 1, 1};
    struct args_operands operands;
    struct client *client = NULL;
    struct cid root;
    static char long_name[] = "--output";
    for (int i = 1; i < argc; i++) {
        argv[i] = strcmp(argv[i], "-o") == 0 ? long_name : argv[i]; /* the one short option people expect */
    }
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (cid_parse(operands.item[0], &root) != OK) {
        return args_wrong("\"%s\" is not a CID of SHA-256 with codec raw or dag-pb", operands.item[0]);
    }
    status = txcmd_client(&o, &client);
    if (status == ARGS_GO_ON) {
        status = fetch_image(client, &o, &root, path);
    }
    client_free(client);
    return status;
}

/* ---- stat, ls -------------------------------------------------------------------------------------------------- */

/* The root block says how large the image is, and hashes to the CID. */
static enum err size_of_root(const struct cid *root, struct bytes block, uint64_t *out) {
    if (!cid_matches(root, block)) {
        return ERR_MISMATCH;
    }
    if (root->codec == CID_RAW) {
        *out = block.len;
        return OK;
    }
    struct unixfs_node *node = malloc(sizeof *node);
    enum err e = node == NULL ? ERR_NOMEM : unixfs_decode(block, node);
    if (e == OK) {
        *out = node->size;
    }
    free(node);
    return e;
}

static int blob_stat(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), {0}};
    const struct args_spec spec = {"blob stat CID [options]", "Tells whether a node has an image, and its size.",
                                   options, 1, 1};
    struct args_operands operands;
    struct client *client = NULL;
    struct buffer block = BUFFER_INIT;
    struct cid root;
    char path[CID_TEXT_SIZE + 32];
    char text[CID_TEXT_SIZE];
    uint64_t size = 0;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (cid_parse(operands.item[0], &root) != OK) {
        return args_wrong("\"%s\" is not a CID of SHA-256 with codec raw or dag-pb", operands.item[0]);
    }
    cid_format(&root, text);
    (void)snprintf(path, sizeof path, "/ipfs/%s?format=raw", text);
    status = txcmd_client(&o, &client);
    if (status == ARGS_GO_ON) {
        enum err e = client_get_bytes(client, path, "application/vnd.ipld.raw", DAG_PB_BLOCK_MAX, &block);
        enum err known = e == OK ? size_of_root(&root, buffer_bytes(&block), &size) : OK;
        if (e != OK) {
            status = args_fail("%s", client_why(client));
        } else if (known != OK) {
            status = args_fail("the node's root block is not usable: %s; ask another node", err_text(known));
        } else {
            status = txcmd_print(&o, json_pack("{s:s, s:I}", "cid", text, "size", (json_int_t)size));
        }
    }
    buffer_free(&block);
    client_free(client);
    return status;
}

static int blob_ls(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct txcmd_list list = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), LIST_OPTIONS(list), {0}};
    const struct args_spec spec = {"blob ls [options]", "Lists the images in a node's store.", options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    return status == ARGS_GO_ON ? txcmd_show_list(&o, &list, "/v1/blobs", &blobs_page) : status;
}

int cmd_blob(int argc, char **argv) {
    static const struct args_verb verbs[] = {
        {"add", "put a file into a node's store", blob_add},
        {"get", "fetch an image, every block checked", blob_get},
        {"stat", "does a node have an image, and how large is it", blob_stat},
        {"ls", "list a node's images", blob_ls},
        {0},
    };
    return args_dispatch("blob", verbs, argc, argv);
}
