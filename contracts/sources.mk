contracts_SRCS := contracts/transaction.c
contracts_PROTOS :=
contracts_TESTS :=
