node_cli_SRCS :=
node_cli_PROTOS :=
node_cli_TESTS :=
node_cli_SRCS += node/cli/cmd_cid.c node/cli/cmd_blob.c
node_cli_SRCS += node/cli/cmd_suit.c node/cli/suit_show.c node/cli/suit_key.c
node_cli_TESTS += tests/unit/node/test_suit_show.c
node_cli_SRCS += $(addprefix node/cli/cmd_node,.c _verify.c _backup.c _compact.c _prune.c _recover.c _join.c _export.c)
node_cli_SRCS += $(addprefix node/cli/,args.c client.c txcmd.c out_file.c names.c commands.c publish.c cmd_ledger.c cmd_key.c \
    cmd_testnet.c cmd_up.c cmd_release.c cmd_class.c cmd_author.c cmd_device.c cmd_update.c cmd_proof.c cmd_checkpoint.c moment.c cmd_init.c cmd_member.c cmd_proposal.c cmd_bench.c bench_tx.c bench_get.c)
node_cli_TESTS += $(addprefix tests/unit/node/test_,args.c testnet.c moment.c)
node_cli_SRCS += node/cli/cmd_genesis.c node/cli/cmd_genesis_check.c
