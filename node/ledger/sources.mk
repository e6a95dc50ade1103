node_ledger_SRCS :=
node_ledger_PROTOS :=
node_ledger_TESTS :=
