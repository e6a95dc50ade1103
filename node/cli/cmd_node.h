/* assay node VERB, a file each (cmd_node_VERB.c): the upkeep of a node's own store. argv[0] is the verb; the result is
 * the exit status. */
#ifndef ASSAY_NODE_CLI_CMD_NODE_H
#define ASSAY_NODE_CLI_CMD_NODE_H

#include "node/cli/args.h"
#include "node/home/daemon_home.h"

int cmd_node_verify(int argc, char **argv);
int cmd_node_backup(int argc, char **argv);
int cmd_node_compact(int argc, char **argv);
int cmd_node_prune(int argc, char **argv);
int cmd_node_recover(int argc, char **argv);
int cmd_node_join(int argc, char **argv);
int cmd_node_export(int argc, char **argv);

/* Where the home of a verb is, an option of its table. */
#define CMD_NODE_HOME(path)                                                                                            \
    { "home", ARGS_NEEDED, &(path), "HOME", "the node's folder", 0, 0 }

/* Takes a verb's arguments, and looks at the home that one of its options has put into `*path`. False as
 * cmd_node_begin, also after --help. */
bool cmd_node_take(const struct args_spec *spec, int argc, char **argv, const char *const *path,
                   struct args_operands *operands, struct daemon_home *out, int *out_status);
/* Looks at the home that a verb works on. False: it has been told why not, and `*out_status` is the exit status. */
bool cmd_node_begin(const char *verb, const char *path, struct daemon_home *out, int *out_status);
/* Closes it. 0, or for an error, which is told, the exit status. */
int cmd_node_end(const char *verb, struct daemon_home *home, enum err e, const struct why *why);

/* One line that is written over and over on a terminal, and nothing when stderr is none. `total` 0: not known. */
void cmd_node_progress(void *arg, const char *part, uint64_t done, uint64_t total);
/* Ends that line. */
void cmd_node_progress_end(void);

#endif
