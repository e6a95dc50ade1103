node_cli_SRCS :=
node_cli_PROTOS :=
node_cli_TESTS :=
