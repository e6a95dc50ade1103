#include "node/home/home_chain.h"

#include "base/file.h"
#include "node/home/home_join.h"
#include "node/host/host_crypto.h"
#include "store/home_lock.h"

#include <stdio.h>

enum err home_path(const struct daemon_home *home, const char *name, char out[CONFIG_PATH_MAX]) {
    int n = snprintf(out, CONFIG_PATH_MAX, "%s/data%s%s", home->path, name[0] != '\0' ? "/" : "", name);
    return n > 0 && n < CONFIG_PATH_MAX ? OK : ERR_TOOLARGE;
}

enum err home_chain_lock(const struct daemon_home *home, struct home_lock **out, struct why *why) {
    char dir[CONFIG_PATH_MAX];
    enum err e = home_path(home, "", dir);
    if (e == OK) {
        e = dir_make(dir);
    }
    if (e == OK) {
        e = home_lock_take(dir, out);
    }
    long holder = 0;
    if (e == ERR_BUSY && home_lock_holder(dir, &holder) == OK) {
        why_set(why, "%s: another node runs on this home (process %ld); stop it first", dir, holder);
    } else if (e != OK) {
        why_set(why, "%s/lock: %s", dir, err_text(e));
    }
    return e;
}

enum err home_chain_open(const struct daemon_home *home, struct mempool *mempool, struct home_chain *out,
                         struct why *why) {
    char dir[CONFIG_PATH_MAX], state[CONFIG_PATH_MAX];
    *out = (struct home_chain){0};
    enum err e = home_path(home, "", dir);
    if (e == OK) {
        e = home_path(home, "state", state);
    }
    if (e == OK) {
        e = home_chain_lock(home, &out->lock, why);
    }
    if (e == OK) {
        e = home_join_finish(home, why);
    }
    if (e == OK) {
        e = dir_make(state);
    }
    struct chain_config config = {.disk = disk_posix(),
                                  .dir = dir,
                                  .genesis = &home->genesis,
                                  .crypto = &host_crypto,
                                  .mempool = mempool,
                                  .segment_bytes = home->config.ledger.log_segment_bytes,
                                  .version_keep_ms = home->config.ledger.version_keep_ms,
                                  .checkpoint_bytes = home->config.ledger.checkpoint_bytes};
    if (e == OK) {
        e = kv_lmdb_open(state, HOME_MAP_BYTES, &config.backend);
    }
    if (e == OK) {
        e = chain_open(&config, &out->chain);
    }
    if (e != OK && !why_said(why)) {
        const char *detail = out->chain != NULL ? chain_error(out->chain) : "";
        const char *place = kv_lmdb_error(); /* table and key, where the state store is what is damaged */
        why_set(why, "ledger: %s%s%s", detail[0] != '\0' ? detail : err_text(e), place[0] != '\0' ? ": " : "", place);
    }
    if (e != OK) {
        home_chain_close(out);
    }
    return e;
}

void home_chain_close(struct home_chain *chain) {
    chain_close(chain->chain);
    home_lock_release(chain->lock);
    *chain = (struct home_chain){0};
}
