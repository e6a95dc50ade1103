/* assay node: the verbs, and the progress line they share. */
#include "node/cli/cmd_node.h"

#include "node/cli/commands.h"

#include <stdio.h>
#include <unistd.h>

static bool drawn;

void cmd_node_progress(void *arg, const char *part, uint64_t done, uint64_t total) {
    (void)arg;
    if (isatty(STDERR_FILENO) == 0) {
        return;
    }
    drawn = true;
    if (total == 0) {
        (void)fprintf(stderr, "\r\033[K%llu %s", (unsigned long long)done, part);
    } else {
        (void)fprintf(stderr, "\r\033[K%llu of %llu %s (%llu%%)", (unsigned long long)done, (unsigned long long)total,
                      part, (unsigned long long)(done >= total ? 100 : done * 100 / total));
    }
}

void cmd_node_progress_end(void) {
    if (drawn) {
        (void)fprintf(stderr, "\r\033[K");
        drawn = false;
    }
}

int cmd_node(int argc, char **argv) {
    static const struct args_verb verbs[] = {
        {"verify", "check a node's whole store", cmd_node_verify},
        {"backup", "copy a node's ledger while it runs", cmd_node_backup},
        {"compact", "shrink a stopped node's store", cmd_node_compact},
        {"prune", "give the bodies of old blocks back to the disk", cmd_node_prune},
        {"recover", "what to do with a validator that refuses to vote", cmd_node_recover},
        {"export", "begin a new chain with the state of one that is lost", cmd_node_export},
        {"join", "get a stopped node's ledger from a snapshot of others", cmd_node_join},
        {NULL, NULL, NULL},
    };
    return args_dispatch("node", verbs, argc, argv);
}

static int fail(const char *verb, enum err e, const struct why *why) {
    return args_fail("%s: %s", verb, why_said(why) ? why->text : err_text(e));
}

bool cmd_node_begin(const char *verb, const char *path, struct daemon_home *out, int *out_status) {
    struct why why = WHY_NONE;
    enum err e = daemon_home_look(path, out, &why);
    if (e != OK) {
        *out_status = fail(verb, e, &why);
    }
    return e == OK;
}

bool cmd_node_take(const struct args_spec *spec, int argc, char **argv, const char *const *path,
                   struct args_operands *operands, struct daemon_home *out, int *out_status) {
    *out_status = args_parse(spec, argc, argv, operands);
    return *out_status == ARGS_GO_ON && cmd_node_begin(argv[0], *path, out, out_status);
}

int cmd_node_end(const char *verb, struct daemon_home *home, enum err e, const struct why *why) {
    daemon_home_close(home);
    return e == OK ? 0 : fail(verb, e, why);
}
