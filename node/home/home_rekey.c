#include "node/home/home_rekey.h"

#include "base/file.h"
#include "node/host/host_crypto.h"
#include "node/host/keyfile.h"
#include "node/ledger/chain_store.h"
#include "node/ledger/journal.h"
#include "store/home_lock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_BLOCKS_LOOKED_AT 10000u /* from the head down, for one that the journal forgot */

/* ---- The journal ------------------------------------------------------------------------------------------------- */

static enum err count_vote(void *arg, const struct consensus_vote *vote) {
    struct home_journal *j = arg;
    *(vote->subject.kind == VOTE_PROPOSE ? &j->proposals : &j->votes) += 1;
    if (vote->subject.epoch > j->epoch) {
        j->epoch = vote->subject.epoch;
        j->view = 0;
    }
    if (vote->subject.epoch == j->epoch && vote->subject.view > j->view) {
        j->view = vote->subject.view;
    }
    return OK;
}

static enum err count_body(void *arg, uint64_t sequence, struct bytes body) {
    struct home_journal *j = arg;
    (void)sequence;
    (void)body;
    j->bodies++;
    return OK;
}

static enum err count_certificate(void *arg, struct bytes certificate) {
    struct home_journal *j = arg;
    (void)certificate;
    j->certificates++;
    return OK;
}

static enum err read_records(const struct daemon_home *home, struct home_journal *out) {
    char dir[CONFIG_PATH_MAX];
    struct journal *journal = NULL;
    struct stat st;
    enum err e = home_path(home, "journal", dir);
    if (e != OK) {
        return e;
    }
    if (stat(dir, &st) != 0) {
        out->state = HOME_JOURNAL_MISSING;
        return errno == ENOENT ? OK : err_from_errno(errno);
    }
    const struct journal_config config = {
        .disk = disk_posix_look(), .dir = dir, .segment_bytes = HOME_JOURNAL_SEGMENT_BYTES};
    const struct journal_reader reader = {
        .vote = count_vote, .body = count_body, .certificate = count_certificate, .arg = out};
    e = journal_open(&config, &reader, &journal);
    journal_close(journal);
    if (e == ERR_CORRUPT) {
        out->state = HOME_JOURNAL_DAMAGED;
        why_set(&out->detail, "%s", journal_error());
        return OK;
    }
    if (e == OK && out->votes + out->proposals + out->bodies + out->certificates == 0) {
        out->state = HOME_JOURNAL_MISSING;
    }
    return e;
}

/* Is the block one that this key proposed? */
static bool is_ours(struct kv_view *view, const struct block_header *header, const uint8_t *key,
                    struct chain_epoch *epoch) {
    if (epoch->count == 0 || epoch->number != header->epoch) {
        if (chain_epoch_get(&host_crypto, view, header->epoch, epoch) != OK) {
            epoch->count = 0;
            return false;
        }
    }
    return header->proposer < epoch->count && memcmp(epoch->keys[header->proposer], key, KEY_LEN) == 0;
}

/* A final block of ours in a view above everything the journal knows was proposed by a life that it has forgotten. */
static enum err compare_with_blocks(struct kv_view *view, const struct chain_store_head *head, const uint8_t *key,
                                    struct home_journal *out) {
    struct chain_epoch epoch = {0};
    uint64_t height = head->header.height;
    for (unsigned i = 0; i < OWN_BLOCKS_LOOKED_AT && height > 0; i++, height--) {
        struct block_entry entry;
        enum err e = block_entry_get(view, height, &entry, NULL);
        if (e != OK) {
            return e == ERR_NOTFOUND ? OK : e;
        }
        const struct block_header *h = &entry.header;
        if (h->epoch < out->epoch || (h->epoch == out->epoch && h->view <= out->view)) {
            return OK; /* from here down the journal knows, or has given back */
        }
        if (is_ours(view, h, key, &epoch)) {
            out->state = HOME_JOURNAL_BEHIND;
            out->forgotten_height = height;
            return OK;
        }
    }
    return OK;
}

enum err home_journal_read(const struct daemon_home *home, const uint8_t *key, struct home_journal *out,
                           struct why *why) {
    struct home_lock *lock = NULL;
    struct home_journal journal = {0};
    struct home_look look = {0};
    struct why unseen = WHY_NONE;
    *why = WHY_NONE;
    enum err e = home_chain_lock(home, &lock, why);
    if (e != OK) {
        return e;
    }
    e = read_records(home, &journal);
    if (e != OK) {
        why_set(why, "the vote journal cannot be read: %s", journal_error()[0] != '\0' ? journal_error() : err_text(e));
    }
    if (e == OK && key != NULL && (journal.state == HOME_JOURNAL_SOUND || journal.state == HOME_JOURNAL_MISSING) &&
        home_look_open(home, &look, &unseen) == OK) {
        e = compare_with_blocks(look.view, &look.head, key, &journal);
        if (e != OK) {
            why_set(why, "the index of blocks cannot be read: %s", err_text(e));
        }
    }
    home_look_close(&look);
    home_lock_release(lock);
    if (e == OK) {
        *out = journal;
    }
    return e;
}

/* ---- New keys ---------------------------------------------------------------------------------------------------- */

static enum err say(enum err e, const char *what, struct why *why) {
    if (e != OK && !why_said(why)) {
        why_set(why, "%s: %s", what, err_text(e));
    }
    return e;
}

/* Renames `path` to `path`.WORD-<time>; `out` is "" when there was nothing. */
static enum err put_aside(const char *path, const char *word, uint64_t now_s, char out[CONFIG_PATH_MAX],
                          struct why *why) {
    struct stat st;
    int n = snprintf(out, CONFIG_PATH_MAX, "%s.%s-%llu", path, word, (unsigned long long)now_s);
    enum err e = n > 0 && n < CONFIG_PATH_MAX ? OK : ERR_TOOLARGE;
    if (e == OK && lstat(path, &st) != 0) {
        out[0] = '\0';
        return errno == ENOENT ? OK : say(err_from_errno(errno), path, why);
    }
    if (e == OK && lstat(out, &st) == 0) {
        e = ERR_EXISTS;
    }
    if (e == OK && rename(path, out) != 0) {
        e = err_from_errno(errno);
    }
    return say(e, path, why);
}

static enum err replace_key(const char *path, enum keyfile_type type, uint64_t now_s, uint8_t out_key[32],
                            char out_old[CONFIG_PATH_MAX], struct why *why) {
    struct keyfile key;
    enum err e = put_aside(path, "retired", now_s, out_old, why);
    if (e != OK) {
        return e;
    }
    keyfile_generate(type, &key);
    e = say(keyfile_write(path, &key, bytes_of(NULL, 0)), path, why);
    if (e == OK) {
        memcpy(out_key, key.public_key, sizeof key.public_key);
    }
    keyfile_wipe(&key);
    return e;
}

/* Only the role changes: the file's own paths stay as they stand there. */
static enum err become_observer(const struct daemon_home *home, struct why *why) {
    struct why text = WHY_NONE;
    char path[CONFIG_PATH_MAX];
    struct buffer conf = BUFFER_INIT;
    struct config config;
    enum err e = config_resolve(home->path, "assay.conf", path);
    if (e == OK) {
        e = file_read(path, CONFIG_FILE_MAX, &conf);
    }
    if (e == OK) {
        e = config_parse(buffer_bytes(&conf), &config, &text);
    }
    if (e == OK) {
        config.node.role = NODE_OBSERVER;
        e = config_write(&config, path);
    }
    buffer_free(&conf);
    return say(e, "assay.conf", why);
}

enum err home_rekey(const struct daemon_home *home, uint64_t now_s, struct home_rekey_report *out, struct why *why) {
    struct home_lock *lock = NULL;
    struct home_rekey_report report = {0};
    struct keyfile old;
    struct why text = WHY_NONE;
    char journal[CONFIG_PATH_MAX], old_link[CONFIG_PATH_MAX];
    const struct config *config = &home->config;
    *why = WHY_NONE;
    enum err e = home_chain_lock(home, &lock, why);
    if (e != OK) {
        return e;
    }
    if (keyfile_load(config->node.key_file, KEYFILE_ED25519, bytes_of(NULL, 0), &old, &text) == OK) {
        memcpy(report.old_key, old.public_key, sizeof report.old_key);
        keyfile_wipe(&old);
    }
    e = replace_key(config->node.key_file, KEYFILE_ED25519, now_s, report.new_key, report.old_key_file, why);
    if (e == OK) {
        e = replace_key(config->node.link_key_file, KEYFILE_X25519, now_s, report.new_link_key, old_link, why);
    }
    if (e == OK) {
        e = say(dir_sync(home->path), home->path, why);
    }
    if (e == OK) {
        e = say(home_path(home, "journal", journal), "journal", why);
    }
    if (e == OK) {
        e = put_aside(journal, "damaged", now_s, report.journal, why);
    }
    if (e == OK) {
        e = become_observer(home, why);
    }
    home_lock_release(lock);
    if (e == OK) {
        *out = report;
    }
    return e;
}
