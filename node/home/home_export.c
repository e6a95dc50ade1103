#include "node/home/home_export.h"

#include "base/file.h"
#include "contracts/contracts.h"
#include "contracts/governance/genesis_inherit.h"
#include "contracts/governance/governance.h"
#include "node/genesis/genesis_json.h"
#include "node/host/host_crypto.h"
#include "node/ledger/chain_verify.h"
#include "node/ledger/execute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SALT_TAG "assay.successor\0\0\0\0\0\0\0\0"

struct exporting {
    const struct daemon_home *home;
    const struct home_export_wish *wish;
    struct chain_view view;
    struct state state; /* of the view */
    struct genesis genesis;
    struct buffer records;
    uint64_t record_count;
    struct why *why;
};

static enum err say(const struct exporting *x, enum err e, const char *what, const char *detail) {
    if (e != OK && !why_said(x->why)) {
        why_set(x->why, "%s: %s", what, detail != NULL && detail[0] != '\0' ? detail : err_text(e));
    }
    return e;
}

/* ---- Records ----------------------------------------------------------------------------------------------------- */

/* Goes over the flat values of the state; counts them, or writes them too. */
static enum err walk_records(struct exporting *x, bool write) {
    uint8_t from[KV_KEY_MAX + 1];
    size_t from_len = 0;
    uint64_t count = 0;
    for (;;) {
        struct bytes key, value;
        enum err e = kv_seek(x->view.kv, KV_STATE, bytes_of(from, from_len), &key, &value);
        if (e == ERR_NOTFOUND) {
            break;
        }
        if (e != OK) {
            return e;
        }
        memcpy(from, key.data, key.len);
        from[key.len] = 0;
        from_len = key.len + 1;
        count++;
        if (write) {
            genesis_inherit_put(bytes_of(from, key.len), value, &x->records);
            e = buffer_ok(&x->records);
        }
        if (e != OK || x->records.len > INHERITED_MAX) {
            return e != OK ? e : ERR_TOOLARGE;
        }
    }
    x->record_count = count;
    return OK;
}

/* Nobody wants to begin with damaged records: tree and flat values are checked as `assay node verify` does. */
static enum err check_state(struct exporting *x) {
    const struct chain_verify_input input = {.crypto = &host_crypto, .view = x->view.kv};
    struct chain_verify_report report = {0};
    struct chain_store_head head;
    enum err e = chain_store_head(&host_crypto, x->view.kv, &head);
    if (e == OK) {
        e = chain_verify_state(&input, &head, &report);
    }
    return say(x, e, "state", report.wrong.text);
}

static enum err collect_records(struct exporting *x) {
    struct genesis_predecessor *from = &x->genesis.predecessor;
    const struct chain_head *head = &x->view.head;
    from->named = true;
    from->height = head->header.height;
    memcpy(from->chain_id, head->header.chain_id, CHAIN_ID_LEN);
    memcpy(from->block_hash, head->hash, HASH_LEN);
    memcpy(from->state_root, head->header.state_root, HASH_LEN);
    enum err e = walk_records(x, false);
    if (e == OK) {
        genesis_inherit_begin(from, x->record_count, &x->records);
        e = walk_records(x, true);
    }
    if (e == OK) {
        sha256(x->records.data, x->records.len, from->records_hash);
    }
    return say(x, e, "records", kv_lmdb_error());
}

/* ---- The new genesis --------------------------------------------------------------------------------------------- */

static void *grow(void *items, size_t count, size_t len) {
    /* By powers of two, starting with one. */
    if ((count & (count - 1)) != 0) {
        return items;
    }
    return realloc(items, (count == 0 ? 1 : 2 * count) * len);
}

struct org_page {
    struct exporting *x;
    char last[GENESIS_ID_MAX + 1];
    size_t seen;
};

static enum err take_org(void *arg, const struct org_record *record) {
    struct org_page *page = arg;
    struct genesis *g = &page->x->genesis;
    struct genesis_org *grown = grow(g->orgs, g->org_count, sizeof *grown);
    if (grown == NULL) {
        return ERR_NOMEM;
    }
    g->orgs = grown;
    g->orgs[g->org_count++] = record->org;
    memcpy(page->last, record->org.id, sizeof page->last);
    page->seen++;
    return OK;
}

static enum err take_orgs(struct exporting *x) {
    struct org_page page = {.x = x};
    enum err e = OK;
    do {
        page.seen = 0;
        e = org_list(&x->state, page.last[0] != '\0' ? page.last : NULL, STATE_PAGE_MAX, take_org, &page);
    } while (e == OK && page.seen == STATE_PAGE_MAX);
    return say(x, e, "organisations", NULL);
}

static enum err add_node(struct exporting *x, const struct genesis_node *node, enum node_role role) {
    struct genesis *g = &x->genesis;
    struct genesis_node *grown = grow(g->nodes, g->node_count, sizeof *grown);
    if (grown == NULL) {
        return ERR_NOMEM;
    }
    g->nodes = grown;
    g->nodes[g->node_count] = *node;
    g->nodes[g->node_count++].role = role;
    return OK;
}

/* The validators come first and in their order, since a validator's index is its place. */
static enum err take_validators(struct exporting *x) {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t count = 0;
    const struct home_export_wish *wish = x->wish;
    enum err e = governance_validators(&x->state, keys, &count);
    if (e == OK && wish->validator_count > 0) {
        count = (uint16_t)wish->validator_count;
        memcpy(keys, wish->validators, (size_t)count * KEY_LEN);
    }
    for (uint16_t i = 0; i < count && e == OK; i++) {
        struct node_record record;
        bool found = false;
        e = node_get(&x->state, keys[i], &record, &found);
        if (e == OK && !found) {
            char hex[2 * KEY_LEN + 1];
            hex_encode(keys[i], KEY_LEN, hex);
            return say(x, ERR_NOTFOUND, hex, "is no node of the ledger; name the signing keys of nodes it knows");
        }
        e = e == OK ? add_node(x, &record.node, NODE_VALIDATOR) : e;
    }
    return say(x, e, "validators", NULL);
}

struct node_page {
    struct exporting *x;
    uint8_t last[KEY_LEN];
    size_t seen;
};

static enum err take_other(void *arg, const struct node_record *record) {
    struct node_page *page = arg;
    const struct genesis *g = &page->x->genesis;
    memcpy(page->last, record->node.key, KEY_LEN);
    page->seen++;
    bool taken = record->node.role == NODE_VALIDATOR;
    for (size_t i = 0; i < g->node_count && !taken; i++) {
        taken = g->nodes[i].role == NODE_VALIDATOR && memcmp(g->nodes[i].key, record->node.key, KEY_LEN) == 0;
    }
    return taken ? OK : add_node(page->x, &record->node, record->node.role);
}

static enum err take_others(struct exporting *x) {
    struct node_page page = {.x = x};
    bool begun = false;
    enum err e = OK;
    do {
        page.seen = 0;
        e = node_list(&x->state, begun ? page.last : NULL, STATE_PAGE_MAX, take_other, &page);
        begun = true;
    } while (e == OK && page.seen == STATE_PAGE_MAX);
    return say(x, e, "nodes", NULL);
}

static enum err take_rest(struct exporting *x) {
    struct params_record params;
    bool found = false;
    struct genesis *g = &x->genesis;
    enum err e = params_get(&x->state, &params, &found);
    if (e != OK || !found) {
        return say(x, e != OK ? e : ERR_CORRUPT, "parameters", NULL);
    }
    g->params = params.params;
    uint64_t head_ms = x->view.head.header.time_ms, begin_ms = x->wish->begin_ms;
    if (begin_ms > head_ms) {
        return say(x, ERR_RANGE, "the beginning", "it must not be after the last block's time");
    }
    g->time_ms = begin_ms != 0 ? begin_ms : head_ms;
    memcpy(g->name, x->home->genesis.name, sizeof g->name);
    /* Nobody chooses it, and no other chain has it. */
    uint8_t text[sizeof SALT_TAG - 1 + HASH_LEN];
    memcpy(text, SALT_TAG, sizeof SALT_TAG - 1);
    memcpy(text + sizeof SALT_TAG - 1, x->view.head.hash, HASH_LEN);
    sha256(text, sizeof text, g->salt);
    return OK;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

static enum err write_file(const struct exporting *x, const char *dir, const char *name, struct bytes data) {
    char path[CONFIG_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    enum err e = n > 0 && (size_t)n < sizeof path ? file_write_atomic(path, data, 0644) : ERR_TOOLARGE;
    return say(x, e, name, NULL);
}

static enum err write_all(struct exporting *x, const char *dir) {
    struct buffer text = BUFFER_INIT;
    struct why flaw = WHY_NONE;
    enum err e = say(x, contracts_genesis_check(&x->genesis, &host_crypto, &flaw), "the new genesis", flaw.text);
    if (e == OK) {
        e = say(x, genesis_inherit_check(&x->genesis.predecessor, buffer_bytes(&x->records)), "records", NULL);
    }
    if (e == OK) {
        e = say(x, genesis_json_render(&x->genesis, &text), "genesis.json", NULL);
    }
    if (e == OK) {
        e = say(x, dir_make_new(dir), dir, NULL);
    }
    if (e == OK) {
        e = write_file(x, dir, INHERITED_NAME, buffer_bytes(&x->records));
    }
    if (e == OK) {
        e = write_file(x, dir, "genesis.json", buffer_bytes(&text));
    }
    buffer_free(&text);
    return e;
}

enum err home_export(const struct daemon_home *home, const char *dir, const struct home_export_wish *wish,
                     struct home_export_report *out, struct why *why) {
    struct exporting x = {.home = home, .wish = wish, .records = BUFFER_INIT, .why = why};
    struct home_chain store;
    *why = WHY_NONE;
    enum err e = home_chain_open(home, NULL, &store, why);
    if (e != OK) {
        return e;
    }
    e = say(&x, chain_view_open(store.chain, &x.view), "ledger", NULL);
    if (e == OK) {
        x.state = state_of_view(x.view.kv);
        enum err (*const steps[])(struct exporting *) = {check_state,     collect_records, take_orgs,
                                                         take_validators, take_others,     take_rest};
        for (size_t i = 0; i < sizeof steps / sizeof steps[0] && e == OK; i++) {
            e = steps[i](&x);
        }
        if (e == OK) {
            e = write_all(&x, dir);
        }
        chain_view_close(&x.view);
    }
    if (e == OK) {
        uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
        *out = (struct home_export_report){.from = x.genesis.predecessor,
                                           .begin_ms = x.genesis.time_ms,
                                           .records = x.record_count,
                                           .validators = genesis_validators(&x.genesis, keys)};
        genesis_chain_id(&x.genesis, &host_crypto, out->chain_id);
    }
    buffer_free(&x.records);
    genesis_free(&x.genesis);
    home_chain_close(&store);
    return e;
}
