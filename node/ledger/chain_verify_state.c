/* The tables' entries, the state tree and the flat values of a store that is being verified. */
#include "node/ledger/chain_verify.h"

#include "store/tree.h"
#include "verify/state_proof.h"

#include <stdlib.h>
#include <string.h>

#define PROGRESS_EVERY 4096u

static void tell(const struct chain_verify_input *input, const char *part, uint64_t done, uint64_t total) {
    if (input->progress != NULL && (done % PROGRESS_EVERY == 0 || done == total)) {
        input->progress(input->arg, part, done, total);
    }
}

/* ---- Entries ----------------------------------------------------------------------------------------------------- */

/* Calls back with every entry of a table, in key order. */
static enum err each_entry(struct kv_view *view, enum kv_table table,
                           enum err (*each)(void *arg, struct bytes key, struct bytes value), void *arg) {
    uint8_t from[KV_KEY_MAX + 1];
    size_t from_len = 0;
    for (;;) {
        struct bytes key, value;
        enum err e = kv_seek(view, table, bytes_of(from, from_len), &key, &value);
        if (e != OK) {
            return e == ERR_NOTFOUND ? OK : e;
        }
        /* A damaged page may give any key: the walk goes up or ends. */
        if (key.len == 0 || key.len > KV_KEY_MAX ||
            (from_len > 0 && bytes_compare(key, bytes_of(from, from_len)) < 0)) {
            return ERR_CORRUPT;
        }
        memcpy(from, key.data, key.len);
        from[key.len] = 0;
        from_len = key.len + 1;
        e = each(arg, bytes_of(from, key.len), value);
        if (e != OK) {
            return e;
        }
    }
}

struct counting {
    const struct chain_verify_input *input;
    struct chain_verify_report *report;
};

static enum err count_entry(void *arg, struct bytes key, struct bytes value) {
    struct counting *c = arg;
    (void)key;
    (void)value;
    c->report->entries++;
    tell(c->input, "entries", c->report->entries, 0);
    return OK;
}

enum err chain_verify_tables(const struct chain_verify_input *input, struct chain_verify_report *report) {
    struct counting c = {input, report};
    enum err e = OK;
    for (int table = 0; table < KV_TABLES && e == OK; table++) {
        e = each_entry(input->view, (enum kv_table)table, count_entry, &c);
    }
    if (e == ERR_CORRUPT) {
        const char *detail = kv_lmdb_error();
        e = chain_verify_wrong(report, "store: %s", detail[0] != '\0' ? detail : "an entry is damaged");
    }
    return e;
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

struct walk {
    const struct chain_verify_input *input;
    const struct chain_store_head *head;
    struct chain_verify_report *report;
    uint64_t values;
    uint8_t (*work)[33];
    struct buffer path;
};

static enum err count_leaf(void *arg, const uint8_t key[SHA256_LEN], const uint8_t value_hash[SHA256_LEN]) {
    struct walk *w = arg;
    (void)key;
    (void)value_hash;
    w->report->leaves++;
    tell(w->input, "leaves", w->report->leaves, 0);
    return OK;
}

/* Does the flat value's hash stand in the leaf that the tree has for its key? */
static enum err check_value(void *arg, struct bytes key, struct bytes value) {
    struct walk *w = arg;
    uint8_t hashed[SHA256_LEN], value_hash[SHA256_LEN];
    bool present = false;
    sha256(key.data, key.len, hashed);
    sha256(value.data, value.len, value_hash);
    buffer_reset(&w->path);
    enum err e = tree_prove(w->input->view, w->head->root, hashed, &w->path, &present);
    if (e != OK) {
        return e;
    }
    struct bytes_input from = {{w->path.data, w->path.len}};
    struct input in = input_of_bytes(&from);
    enum state_path_end end = PATH_EMPTY;
    enum verdict v = state_path_verify(w->input->crypto, w->head->root.hash, hashed, value_hash, &in, w->work,
                                       STATE_PATH_STEPS_MAX, &end);
    w->values++;
    tell(w->input, "values", w->values, w->report->leaves);
    if (!present || v != GOOD || end != PATH_PRESENT) {
        char hex[2 * SHA256_LEN + 1], text[64 + 1];
        size_t shown = key.len < sizeof text / 2 ? key.len : sizeof text / 2;
        hex_encode(hashed, sizeof hashed, hex);
        hex_encode(key.data, shown, text);
        return chain_verify_wrong(w->report, "state: the value of key %s%s does not match its leaf %s", text,
                                  shown < key.len ? "..." : "", hex);
    }
    return OK;
}

static enum err check_tree(struct walk *w) {
    uint64_t bad_id = 0;
    if (memcmp(w->head->root.hash, w->head->header.state_root, HASH_LEN) != 0) {
        return chain_verify_wrong(w->report, "state: the tree's root is not the state root of block %llu",
                                  (unsigned long long)w->head->header.height);
    }
    enum err e = tree_check(w->input->crypto, w->input->view, w->head->root, count_leaf, w, &bad_id);
    return e == ERR_CORRUPT ? chain_verify_wrong(w->report, "state: tree node %llu is missing or damaged",
                                                 (unsigned long long)bad_id)
                            : e;
}

enum err chain_verify_state(const struct chain_verify_input *input, const struct chain_store_head *head,
                            struct chain_verify_report *report) {
    struct walk w = {.input = input, .head = head, .report = report, .path = BUFFER_INIT};
    w.work = malloc(STATE_PATH_STEPS_MAX * sizeof *w.work);
    enum err e = w.work != NULL ? check_tree(&w) : ERR_NOMEM;
    if (e == OK) {
        e = each_entry(input->view, KV_STATE, check_value, &w);
    }
    if (e == OK && w.values != report->leaves) {
        e = chain_verify_wrong(report, "state: %llu values but %llu leaves", (unsigned long long)w.values,
                               (unsigned long long)report->leaves);
    }
    if (e == ERR_CORRUPT && !why_said(&report->wrong)) {
        e = chain_verify_wrong(report, "state: %s", kv_lmdb_error());
    }
    free(w.work);
    buffer_free(&w.path);
    return e;
}
