contracts_SRCS := contracts/transaction.c contracts/code.c contracts/state.c contracts/method.c \
    contracts/dispatch.c contracts/due_queue.c contracts/due_work.c contracts/genesis.c contracts/genesis_check.c \
    contracts/genesis_inherit.c contracts/governance.c contracts/governance_records.c \
    contracts/governance_params.c contracts/governance_nodes.c contracts/governance_change.c \
    contracts/governance_apply.c contracts/governance_proposal.c contracts/governance_vote.c \
    contracts/governance_evidence.c contracts/governance_methods.c contracts/author.c \
    contracts/class_definition.c contracts/device.c contracts/release.c contracts/release_check.c \
    contracts/firmware.c contracts/update.c contracts/update_answers.c contracts/update_push.c \
    contracts/update_statement.c
contracts_PROTOS := contracts/proto/author.proto contracts/proto/governance.proto \
    contracts/proto/firmware.proto contracts/proto/device.proto contracts/proto/update.proto
contracts_TESTS := tests/unit/contracts/test_transaction.c tests/unit/contracts/test_dispatch.c \
    tests/unit/contracts/test_genesis.c tests/unit/contracts/test_author.c \
    tests/unit/contracts/test_firmware.c tests/unit/contracts/test_device.c tests/unit/contracts/test_update.c \
    tests/unit/contracts/test_governance.c tests/unit/contracts/test_governance_nodes.c \
    tests/unit/contracts/test_governance_vote.c tests/unit/contracts/test_governance_change.c \
    tests/unit/contracts/test_genesis_inherit.c tests/unit/contracts/test_due_queue.c \
    tests/unit/contracts/test_governance_recount.c \
    tests/unit/contracts/test_governance_evidence.c tests/unit/contracts/test_governance_walk.c
