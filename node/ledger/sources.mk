node_ledger_SRCS := node/ledger/block.c node/ledger/mempool.c node/ledger/execute.c node/ledger/chain.c \
    node/ledger/chain_execute.c node/ledger/chain_final.c node/ledger/chain_view.c node/ledger/chain_verify.c \
    node/ledger/submit.c
node_ledger_PROTOS :=
node_ledger_TESTS := tests/unit/node/test_mempool.c
