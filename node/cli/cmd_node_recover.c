/* assay node recover: why a validator does not vote, and the way out. */
#include "node/cli/cmd_node.h"
#include "node/home/home_rekey.h"
#include "node/host/keyfile.h"

#include <stdio.h>
#include <time.h>

static const char *const state_names[] = {
    [HOME_JOURNAL_SOUND] = "sound",
    [HOME_JOURNAL_MISSING] = "missing",
    [HOME_JOURNAL_DAMAGED] = "damaged",
    [HOME_JOURNAL_BEHIND] = "behind",
};

static const char way_out[] =
    "This key must not vote again: what it has said can't be known any more. Do not delete or replace the journal.\n"
    "The node may run meanwhile: it follows without voting. To vote again it needs another key:\n"
    "  1. stop it, and: assay node recover --home %s --new-key\n"
    "  2. run the commands that this prints\n";

static json_t *journal_json(const struct home_journal *j) {
    return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "journal", state_names[j->state], "sound",
                     (int)(j->state == HOME_JOURNAL_SOUND), "votes", (json_int_t)j->votes, "proposals",
                     (json_int_t)j->proposals, "bodies", (json_int_t)j->bodies, "certificates",
                     (json_int_t)j->certificates, "highest_epoch", (json_int_t)j->epoch, "highest_view",
                     (json_int_t)j->view, "detail", j->detail);
}

static void explain(const char *path, const struct home_journal *j) {
    switch (j->state) {
    case HOME_JOURNAL_SOUND:
        printf("the vote journal is sound: %llu votes, %llu proposals, %llu bodies; highest epoch %llu, view %llu\n"
               "If the node refuses to vote all the same, with the alarm old-journal, a peer holds a later vote of it: "
               "an\n"
               "old copy of this home was put back, and the newer one is lost. Then:\n",
               (unsigned long long)j->votes, (unsigned long long)j->proposals, (unsigned long long)j->bodies,
               (unsigned long long)j->epoch, (unsigned long long)j->view);
        break;
    case HOME_JOURNAL_MISSING:
        printf(
            "there is no vote journal, or an empty one. That is right for a node that never voted, and for no other:\n"
            "if this validator has voted before, the journal was lost. Then:\n");
        break;
    case HOME_JOURNAL_DAMAGED:
        printf("the vote journal is damaged: %s\n"
               "The disk lost or changed what it had said was stored; look at it before anything else.\n",
               j->detail.text);
        break;
    case HOME_JOURNAL_BEHIND:
        printf(
            "the vote journal is older than the ledger: block %llu is this validator's own, and the journal does not\n"
            "know it. An old copy of the journal was put back, or a part of it is lost.\n",
            (unsigned long long)j->forgotten_height);
        break;
    }
    printf(way_out, path);
}

static int look_at(const struct daemon_home *home, const char *path, bool json) {
    struct home_journal journal;
    struct keyfile key;
    struct why why = WHY_NONE;
    struct why unseen = WHY_NONE;
    bool has_key = keyfile_load(home->config.node.key_file, KEYFILE_ED25519, bytes_of(NULL, 0), &key, &unseen) == OK;
    enum err e = home_journal_read(home, has_key ? key.public_key : NULL, &journal, &why);
    if (has_key) {
        keyfile_wipe(&key);
    }
    if (e != OK) {
        return args_fail("recover: %s", why_said(&why) ? why.text : err_text(e));
    }
    if (json) {
        if (args_print_json(journal_json(&journal)) != 0) {
            return 1;
        }
    } else {
        explain(path, &journal);
    }
    if (journal.state == HOME_JOURNAL_DAMAGED || journal.state == HOME_JOURNAL_BEHIND) {
        return args_fail("%s: the vote journal is %s; this validator needs a new key (assay node recover --new-key)",
                         path, state_names[journal.state]);
    }
    return 0;
}

static int tell_rekey(const struct daemon_home *home, const struct home_rekey_report *r, bool json) {
    char old_key[2 * ED25519_KEY_LEN + 1], new_key[2 * ED25519_KEY_LEN + 1], link_key[65];
    hex_encode(r->old_key, sizeof r->old_key, old_key);
    hex_encode(r->new_key, sizeof r->new_key, new_key);
    hex_encode(r->new_link_key, sizeof r->new_link_key, link_key);
    if (json) {
        return args_print_json(json_pack("{s:s, s:s, s:s, s:s, s:s}", "old_key", old_key, "new_key", new_key,
                                         "new_link_key", link_key, "old_key_file", r->old_key_file, "journal",
                                         r->journal));
    }
    printf(
        "new keys are in place, role is observer; the old key lies at %s, the journal at %s\n"
        "Now, on the ledger:\n"
        "  1. your organisation registers the node under its new key (signed by your admins and the new key itself):\n"
        "     assay member add %s --org %s --link-key %s \\\n"
        "         --peer HOST:PORT --http URL --key ADMIN.key --key %s\n"
        "  2. start it: it follows and catches up (assay status: catching_up is false)\n"
        "  3. propose that it takes the old key's place, and let the other organisations vote:\n"
        "     assay proposal new replace-validator %s %s --org %s --key ADMIN.key\n"
        "     assay proposal vote ID yes --org ORG --key ADMIN.key\n"
        "  4. when that has passed it votes by itself; set node.role = validator, so that the file says so too\n",
        r->old_key_file[0] != '\0' ? r->old_key_file : "(there was none)",
        r->journal[0] != '\0' ? r->journal : "(there was none)", new_key, home->config.node.org, link_key,
        home->config.node.key_file, old_key, new_key, home->config.node.org);
    return 0;
}

int cmd_node_recover(int argc, char **argv) {
    const char *path = NULL;
    bool json = false, new_key = false;
    const struct args_option options[] = {
        CMD_NODE_HOME(path),
        {"new-key", ARGS_FLAG, &new_key, NULL, "put the keys and the journal aside and make new keys", 0, 0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {
        "node recover --home HOME [--new-key]",
        "Looks at the vote journal of a stopped validator, says what is wrong with it and what to do. Changes nothing, "
        "unless --new-key is given: then it prepares the node to come back under another key.",
        options, 0, 0};
    struct args_operands operands;
    struct daemon_home home;
    int status;
    struct home_rekey_report report;
    struct why why = WHY_NONE;
    if (!cmd_node_take(&spec, argc, argv, &path, &operands, &home, &status)) {
        return status;
    }
    enum err e = new_key ? home_rekey(&home, (uint64_t)time(NULL), &report, &why) : OK;
    if (e == OK) {
        status = new_key ? tell_rekey(&home, &report, json) : look_at(&home, path, json);
    }
    int failed = cmd_node_end("recover", &home, e, &why);
    return failed != 0 ? failed : status;
}
