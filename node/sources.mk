# The daemon and the tools, a list a subfolder.
NODE_PARTS := ledger net http cli gateway
include $(NODE_PARTS:%=node/%/sources.mk)

node_SRCS := node/host_crypto.c node/config.c node/keyfile.c node/log.c node/notify.c node/json_shape.c \
    node/genesis_json.c node/testnet.c node/status.c node/daemon.c node/peers.c node/evidence_tx.c node/validator.c node/vitals.c node/validator_http.c node/gossip_check.c node/checkpoint_file.c node/home_chain.c node/home_look.c node/home_backup.c node/home_trim.c node/home_rekey.c node/home_export.c node/statement_tx.c \
    $(foreach p,$(NODE_PARTS),$(node_$(p)_SRCS))
node_PROTOS := $(foreach p,$(NODE_PARTS),$(node_$(p)_PROTOS))
node_TESTS := $(foreach p,$(NODE_PARTS),$(node_$(p)_TESTS))
node_TESTS += $(addprefix tests/unit/node/test_,config.c keyfile.c log.c genesis_json.c formats.c)
node_TESTS += $(addprefix tests/unit/node/test_,gossip_check.c listen.c evidence_tx.c)
node_SRCS += $(addprefix node/snapshot,_window.c _bodies.c _verify.c _make.c s.c _http.c _fetch.c _install.c _join.c _place.c _home.c _start.c)
node_TESTS += tests/unit/node/test_snapshot.c
node_SRCS += node/alarms.c node/status_facts.c node/ledger_time.c
node_TESTS += $(addprefix tests/unit/node/test_,alarms.c metrics.c ledger_time.c)
node_SRCS += node/genesis_draft.c node/genesis_draft_json.c
node_TESTS += tests/unit/node/test_genesis_draft.c
node_SRCS += node/exit_status.c
node_TESTS += tests/unit/node/test_exit_status.c
node_SRCS += node/descriptors.c
node_TESTS += tests/unit/node/test_descriptors.c
