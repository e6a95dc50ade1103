/* What the files of `assay genesis` share. */
#ifndef ASSAY_NODE_CLI_CMD_GENESIS_H
#define ASSAY_NODE_CLI_CMD_GENESIS_H

#include "node/genesis/genesis_draft.h"

/* ARGS_GO_ON, or the exit status, explained. The caller frees `*out` (genesis_draft_free). */
int cmd_genesis_load(const char *path, struct genesis_draft *out);
/* Refuses a file that exists already: neither a draft nor a genesis is overwritten with a new one. */
int cmd_genesis_refuse_existing(const char *path);

/* cmd_genesis_check.c */
int cmd_genesis_check(int argc, char **argv);
int cmd_genesis_seal(int argc, char **argv);

#endif
