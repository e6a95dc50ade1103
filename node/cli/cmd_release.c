/* assay release publish|latest|show|list|approve|revoke|floor. */
#include "node/answers/page.h"
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"
#include "node/cli/out_file.h"
#include "node/cli/publish.h"
#include "node/cli/txcmd.h"

#include "base/file.h"
#include "contracts/firmware/firmware.pb-c.h"

#include <stdio.h>
#include <string.h>

#define PROOF_MAX (4u * 1024u * 1024u)

/* ---- publish ---- */

static int release_publish(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct publish_request p = {0};
    const char *class = NULL;
    const struct args_option options[] = {
        TXCMD_OPTIONS(o),
        {"class", ARGS_TEXT, &class, "CLASS", "vendor domain and class, such as acme.example/thermostat", 0, 0},
        {"version", ARGS_TEXT, &p.version, "TEXT", "version for people, such as 1.2.0", 0, 0},
        {"sequence", ARGS_NUMBER, &p.sequence, "N", "sequence number (default: one above the highest)", 1, INT64_MAX},
        {"sbom", ARGS_TEXT, &p.sbom, "FILE", "CycloneDX document to bind to the release", 0, 0},
        {"notes", ARGS_TEXT, &p.notes, "TEXT", "release notes", 0, 0},
        {"description", ARGS_TEXT, &p.description, "TEXT", "update description inside the manifest", 0, 0},
        {"envelope", ARGS_TEXT, &p.envelope, "FILE", "SUIT envelope made and signed elsewhere", 0, 0},
        {0},
    };
    const struct args_spec spec = {
        "release publish --key FILE --class CLASS --version TEXT IMAGE [options]",
        "Adds the image to the node's store, builds and signs the SUIT envelope and registers the release.\n"
        "Every --key signs the envelope and the transaction.",
        options, 1, 1};
    struct args_operands operands;
    json_t *answer = NULL;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (class == NULL || p.version == NULL) {
        return args_wrong("a release needs --class and --version");
    }
    status = names_class(class, &p.class);
    if (status != ARGS_GO_ON) {
        return status;
    }
    p.class_text = class;
    p.image = operands.item[0];
    struct txcmd tx;
    status = txcmd_open(&o, &tx);
    if (status == ARGS_GO_ON) {
        status = publish(&tx, &p, &answer);
        txcmd_close(&tx);
    }
    return status == ARGS_GO_ON ? txcmd_print(&o, answer) : status;
}

/* ---- Looking ---- */

static int save_proof(struct client *client, const char *path, const char *file) {
    struct buffer proof = BUFFER_INIT;
    enum err e = client_get_bytes(client, path, "application/octet-stream", PROOF_MAX, &proof);
    int status = ARGS_GO_ON;
    if (e != OK) {
        status = args_fail("%s", client_why(client));
    } else {
        status = out_file_write(file, buffer_bytes(&proof));
    }
    buffer_free(&proof);
    return status;
}

static int show_latest(const struct txcmd_options *o, const char *class, const char *proof) {
    struct client *client = NULL;
    struct buffer path = BUFFER_INIT, proof_path = BUFFER_INIT;
    json_t *answer = NULL;
    int status = txcmd_client(o, &client);
    if (status != ARGS_GO_ON) {
        return status;
    }
    buffer_words(&path, "/v1/releases/latest");
    names_class_query(class, &path);
    buffer_put(&proof_path, path.data, path.len);
    buffer_words(&proof_path, "&proof=1");
    if (buffer_text(&path) == NULL || buffer_text(&proof_path) == NULL) {
        status = args_fail("out of memory");
    } else if (proof != NULL) {
        status = save_proof(client, buffer_text(&proof_path), proof);
    }
    if (status == ARGS_GO_ON) {
        status = client_get_json(client, buffer_text(&path), &answer) == OK ? txcmd_print(o, answer)
                                                                            : args_fail("%s", client_why(client));
    }
    buffer_free(&path);
    buffer_free(&proof_path);
    client_free(client);
    return status;
}

static int release_latest(int argc, char **argv) {
    struct txcmd_options o = {0};
    const char *class = NULL;
    const char *proof = NULL;
    const struct args_option options[] = {
        CLIENT_OPTIONS(o),
        {"class", ARGS_TEXT, &class, "CLASS", "such as acme.example/thermostat", 0, 0},
        {"proof", ARGS_TEXT, &proof, "FILE", "save the proof there ('assay proof verify' checks it)", 0, 0},
        {0},
    };
    const struct args_spec spec = {"release latest --class CLASS [options]", "What devices of a class should run now.",
                                   options, 0, 0};
    struct args_operands operands;
    struct class_name name;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (class == NULL) {
        return args_wrong("of which class? give --class VENDOR_DOMAIN/CLASS");
    }
    status = names_class(class, &name);
    return status == ARGS_GO_ON ? show_latest(&o, class, proof) : status;
}

static int release_show(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), {0}};
    const struct args_spec spec = {"release show ID [options]", "One release.", options, 1, 1};
    struct args_operands operands;
    uint8_t id[HASH_LEN];
    char path[128];
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = names_hex("release", operands.item[0], id, sizeof id);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    (void)snprintf(path, sizeof path, "/v1/releases/%s", operands.item[0]);
    return txcmd_show(&o, path);
}

static int release_list(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct txcmd_list list = {0};
    const char *class = NULL;
    const struct args_option options[] = {
        CLIENT_OPTIONS(o), LIST_OPTIONS(list), {"class", ARGS_TEXT, &class, "CLASS", "only of this class", 0, 0}, {0}};
    const struct args_spec spec = {"release list [--class CLASS] [options]", "Releases.", options, 0, 0};
    struct args_operands operands;
    struct buffer path = BUFFER_INIT;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    buffer_words(&path, "/v1/releases");
    if (class != NULL) {
        names_class_query(class, &path);
    }
    status = txcmd_show_list(&o, &list, buffer_text(&path), &releases_page);
    buffer_free(&path);
    return status;
}

/* ---- Transactions about a release ---- */

/* The arguments of a verb whose one operand is a release's id. */
static int take_id(const struct args_spec *spec, int argc, char **argv, uint8_t out[HASH_LEN]) {
    struct args_operands operands;
    int status = args_parse(spec, argc, argv, &operands);
    return status == ARGS_GO_ON ? names_hex("release", operands.item[0], out, HASH_LEN) : status;
}

static int release_approve(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {TXCMD_OPTIONS(o), {0}};
    const struct args_spec spec = {"release approve ID --key FILE [options]",
                                   "One more author signs a pending release.", options, 1, 1};
    uint8_t id[HASH_LEN];
    int status = take_id(&spec, argc, argv, id);
    if (status != ARGS_GO_ON) {
        return status;
    }
    Assay__ApproveRelease message;
    assay__approve_release__init(&message);
    message.release_id = names_binary(id, sizeof id);
    return txcmd_message(&o, "firmware", "approve", &message.base);
}

static int release_revoke(int argc, char **argv) {
    struct txcmd_options o = {0};
    const char *reason = "";
    const struct args_option options[] = {
        TXCMD_OPTIONS(o), {"reason", ARGS_TEXT, &reason, "TEXT", "why, for everybody to read", 0, 0}, {0}};
    const struct args_spec spec = {"release revoke ID --key FILE [--reason TEXT]",
                                   "The release must not be installed any more.", options, 1, 1};
    uint8_t id[HASH_LEN];
    int status = take_id(&spec, argc, argv, id);
    if (status != ARGS_GO_ON) {
        return status;
    }
    Assay__RevokeRelease message;
    assay__revoke_release__init(&message);
    message.release_id = names_binary(id, sizeof id);
    message.reason = names_text(reason);
    return txcmd_message(&o, "firmware", "revoke", &message.base);
}

static int release_floor(int argc, char **argv) {
    struct txcmd_options o = {0};
    const char *class = NULL;
    uint64_t sequence = 0;
    const struct args_option options[] = {
        TXCMD_OPTIONS(o),
        {"class", ARGS_TEXT, &class, "CLASS", "such as acme.example/thermostat", 0, 0},
        {"sequence", ARGS_NUMBER, &sequence, "N", "releases below may not be installed", 1, INT64_MAX},
        {0},
    };
    const struct args_spec spec = {"release floor --class CLASS --sequence N --key FILE",
                                   "Raises the class's anti-rollback floor; it never falls.", options, 0, 0};
    struct args_operands operands;
    struct class_name name;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (class == NULL || sequence == 0) {
        return args_wrong("release floor needs --class and --sequence");
    }
    status = names_class(class, &name);
    if (status != ARGS_GO_ON) {
        return status;
    }
    Assay__SetMinimumSequence message;
    assay__set_minimum_sequence__init(&message);
    message.class_id = names_binary(name.class_id, sizeof name.class_id);
    message.sequence = sequence;
    return txcmd_message(&o, "firmware", "set_minimum_sequence", &message.base);
}

int cmd_release(int argc, char **argv) {
    static const struct args_verb verbs[] = {
        {"publish", "add an image, sign and register it", release_publish},
        {"latest", "what a class should run now", release_latest},
        {"show", "one release", release_show},
        {"list", "releases", release_list},
        {"approve", "sign a pending release", release_approve},
        {"revoke", "forbid a release", release_revoke},
        {"floor", "raise the anti-rollback floor", release_floor},
        {NULL, NULL, NULL},
    };
    return args_dispatch("release", verbs, argc, argv);
}
