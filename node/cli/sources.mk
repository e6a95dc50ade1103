node_cli_SRCS :=
node_cli_PROTOS :=
node_cli_TESTS :=
node_cli_SRCS += node/cli/cmd_cid.c node/cli/cmd_blob.c
node_cli_SRCS += node/cli/cmd_suit.c node/cli/suit_show.c node/cli/suit_key.c
node_cli_TESTS += tests/unit/node/test_suit_show.c
node_cli_SRCS += node/cli/cmd_node.c
