node_ledger_SRCS := $(addprefix node/ledger/,block.c mempool.c stage_times.c state_view.c operation.c execute.c chain.c chain_candidates.c chain_epoch.c chain_execute.c chain_final.c chain_view.c \
    chain_verify.c submit.c journal.c peer_codec.c replica.c replica_blocks.c replica_catchup.c \
    replica_effects.c replica_open.c replica_restore.c replica_room.c)
node_ledger_PROTOS := node/ledger/peer.proto
node_ledger_TESTS := tests/unit/node/test_mempool.c
node_ledger_TESTS += $(addprefix tests/unit/node/,test_journal.c test_peer_codec.c test_replica.c test_epochs.c)
node_ledger_TESTS += $(addprefix tests/unit/node/test_,block.c execute.c execute_due.c operation.c chain.c chain_candidates.c chain_view.c chain_verify.c submit.c)
node_ledger_SRCS += $(addprefix node/ledger/,chain_store.c chain_prune.c chain_verify_state.c)
node_ledger_TESTS += tests/unit/node/test_chain_prune.c
node_ledger_TESTS += tests/unit/node/test_stage_times.c
node_ledger_SRCS += node/ledger/chain_install.c
