/* Every noun of `assay`, a file each (cmd_NOUN.c). argv[0] is the noun; the result is the exit status. */
#ifndef ASSAY_NODE_CLI_COMMANDS_H
#define ASSAY_NODE_CLI_COMMANDS_H

int cmd_author(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_blob(int argc, char **argv);
int cmd_block(int argc, char **argv);
int cmd_checkpoint(int argc, char **argv);
int cmd_cid(int argc, char **argv);
int cmd_class(int argc, char **argv);
int cmd_genesis(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_member(int argc, char **argv);
int cmd_proposal(int argc, char **argv);
int cmd_device(int argc, char **argv);
int cmd_down(int argc, char **argv);
int cmd_key(int argc, char **argv);
int cmd_node(int argc, char **argv);
int cmd_org(int argc, char **argv);
int cmd_proof(int argc, char **argv);
int cmd_release(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_suit(int argc, char **argv);
int cmd_testnet(int argc, char **argv);
int cmd_tx(int argc, char **argv);
int cmd_up(int argc, char **argv);
int cmd_update(int argc, char **argv);

/* Runs `assay`'s command line: leading options, noun, the rest. */
int commands_main(int argc, char **argv);

#endif
