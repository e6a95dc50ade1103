/* assay author list|show|register|revoke. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"
#include "node/cli/txcmd.h"

#include "contracts/author/author.h"
#include "contracts/author/author.pb-c.h"
#include "node/answers/page.h"
#include "verify/delegation.h"

#include <string.h>

static int cmd_author_list(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct txcmd_list list = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), LIST_OPTIONS(list), {0}};
    const struct args_spec spec = {"author list [options]", "Authors.", options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    return status == ARGS_GO_ON ? txcmd_show_list(&o, &list, "/v1/authors", &authors_page) : status;
}

static int cmd_author_show(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), {0}};
    const struct args_spec spec = {"author show KEY [options]", "One author, by public key or key file.", options, 1,
                                   1};
    struct args_operands operands;
    struct client *client = NULL;
    uint8_t key[ED25519_KEY_LEN];
    char hex[2 * ED25519_KEY_LEN + 1];
    char path[160];
    json_t *answer = NULL;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = names_public_key("author", operands.item[0], key);
    }
    if (status == ARGS_GO_ON) {
        status = txcmd_client(&o, &client);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    hex_encode(key, sizeof key, hex);
    /* The list is ordered by id: one page that begins just before this one has it. */
    for (size_t i = sizeof key; i > 0 && key[i - 1]-- == 0; i--) {
    }
    char before[2 * ED25519_KEY_LEN + 1];
    hex_encode(key, sizeof key, before);
    (void)snprintf(path, sizeof path, "/v1/authors?limit=1&after=%s", before);
    status = client_get_json(client, path, &answer) == OK
                 ? txcmd_print_item(&o, answer, &authors_page, offsetof(struct author_record, id), hex, "author")
                 : args_fail("%s", client_why(client));
    json_decref(answer);
    client_free(client);
    return status;
}

/* ---- register ---- */

struct registration {
    char *org;
    const char *root_file, *author_file, *passphrase_file;
    struct args_list classes;
    uint64_t last_sequence, expires_ms;
};

/* The root key vouches for the author's key for these classes of one vendor. */
static int make_delegation(const struct registration *r, const struct txcmd *tx, const uint8_t author[ED25519_KEY_LEN],
                           uint8_t out[DELEGATION_MAX], size_t *out_len) {
    struct delegation d = {.author.type = AUTHOR_ED25519, .last_sequence = r->last_sequence};
    struct keyfile root;
    uint8_t text[TAG_LEN + DELEGATION_MAX];
    memcpy(d.chain_id, tx->chain_id, CHAIN_ID_LEN);
    memcpy(d.author.key, author, ED25519_KEY_LEN);
    for (size_t i = 0; i < r->classes.count; i++) {
        struct class_name name;
        int status = names_class(r->classes.item[i], &name);
        if (status != ARGS_GO_ON) {
            return status;
        }
        if (d.class_count == DELEGATION_CLASSES_MAX ||
            (d.class_count > 0 && memcmp(d.vendor_id, name.vendor_id, UUID_BYTES) != 0)) {
            return args_wrong("--class: at most %d classes of one vendor", DELEGATION_CLASSES_MAX);
        }
        memcpy(d.vendor_id, name.vendor_id, UUID_BYTES);
        memcpy(d.classes[d.class_count++], name.class_id, UUID_BYTES);
    }
    int loaded = names_load_key(r->root_file, KEYFILE_ED25519, r->passphrase_file, &root);
    if (loaded != ARGS_GO_ON) {
        return loaded;
    }
    size_t len = delegation_encode(&d, out);
    memcpy(text, TAG_DELEGATION, TAG_LEN);
    memcpy(text + TAG_LEN, out, len);
    ed25519_sign(root.secret, text, TAG_LEN + len, out + len);
    keyfile_wipe(&root);
    *out_len = len + SIG_LEN;
    return ARGS_GO_ON;
}

static int send_registration(const struct registration *r, struct txcmd *tx, json_t **out) {
    struct keyfile *author = &tx->keys[tx->key_count];
    uint8_t delegation[DELEGATION_MAX];
    size_t delegation_len = 0;
    if (tx->key_count == TXCMD_KEYS_MAX) {
        return args_wrong("one --key fewer: the author signs too");
    }
    int status = names_load_key(r->author_file, KEYFILE_ED25519, r->passphrase_file, author);
    if (status != ARGS_GO_ON) {
        return status;
    }
    tx->key_count++; /* the author proves possession by signing along */
    status = make_delegation(r, tx, author->public_key, delegation, &delegation_len);
    if (status != ARGS_GO_ON) {
        return status;
    }
    Assay__AuthorRegister message;
    assay__author_register__init(&message);
    message.org = r->org;
    message.key_type = AUTHOR_ED25519;
    message.key = names_binary(author->public_key, ED25519_KEY_LEN);
    message.delegation = names_binary(delegation, delegation_len);
    message.expires_ms = r->expires_ms;
    return txcmd_send(tx, "author", "register", &message.base, out);
}

static int cmd_author_register(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct registration r = {.last_sequence = UINT64_MAX};
    const struct args_option options[] = {
        TXCMD_OPTIONS(o),
        {"org", ARGS_TEXT, &r.org, "ID", "the author's organisation", 0, 0},
        {"author", ARGS_TEXT, &r.author_file, "FILE", "the author's key file; it signs along", 0, 0},
        {"root-key", ARGS_TEXT, &r.root_file, "FILE", "the vendor's root key file; it signs the delegation", 0, 0},
        {"class", ARGS_LIST, &r.classes, "CLASS", "what the author may publish for; may be repeated", 0, 0},
        {"last-sequence", ARGS_NUMBER, &r.last_sequence, "N", "the last the author may sign (default: any)", 1,
         UINT64_MAX},
        {"expires-ms", ARGS_NUMBER, &r.expires_ms, "MS", "end of the key's life, ms since 1970 (default: in a year)", 0,
         INT64_MAX},
        {0},
    };
    const struct args_spec spec = {
        "author register --org ID --author FILE --root-key FILE --class CLASS... --key ADMIN",
        "Registers an author: the organisation's admins (--key) and the author sign, the root key vouches.", options, 0,
        0};
    struct args_operands operands;
    struct txcmd tx;
    json_t *answer = NULL;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (r.org == NULL || r.author_file == NULL || r.root_file == NULL || r.classes.count == 0) {
        return args_wrong("author register needs --org, --author, --root-key and at least one --class");
    }
    r.passphrase_file = o.passphrase_file;
    status = txcmd_open(&o, &tx);
    if (status == ARGS_GO_ON) {
        status = send_registration(&r, &tx, &answer);
        txcmd_close(&tx);
    }
    return status == ARGS_GO_ON ? txcmd_print(&o, answer) : status;
}

static int cmd_author_revoke(int argc, char **argv) {
    struct txcmd_options o = {0};
    const char *reason = "";
    const struct args_option options[] = {
        TXCMD_OPTIONS(o), {"reason", ARGS_TEXT, &reason, "TEXT", "why, for everybody to read", 0, 0}, {0}};
    const struct args_spec spec = {"author revoke KEY --key ADMIN [--reason TEXT]",
                                   "The key signs nothing more, for good.", options, 1, 1};
    struct args_operands operands;
    uint8_t id[ED25519_KEY_LEN];
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = names_public_key("author", operands.item[0], id);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    Assay__AuthorRevoke message;
    assay__author_revoke__init(&message);
    message.author_id = names_binary(id, sizeof id);
    message.reason = names_text(reason);
    return txcmd_message(&o, "author", "revoke", &message.base);
}

int cmd_author(int argc, char **argv) {
    static const struct args_verb verbs[] = {{"list", "all of them", cmd_author_list},
                                             {"show", "one", cmd_author_show},
                                             {"register", "admit a key", cmd_author_register},
                                             {"revoke", "end a key, for good", cmd_author_revoke},
                                             {NULL, NULL, NULL}};
    return args_dispatch("author", verbs, argc, argv);
}
