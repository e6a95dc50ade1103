# The daemon and the tools, a list a subfolder.
NODE_PARTS := ledger net http cli gateway
include $(NODE_PARTS:%=node/%/sources.mk)

node_SRCS := node/host_crypto.c $(foreach p,$(NODE_PARTS),$(node_$(p)_SRCS))
node_PROTOS := $(foreach p,$(NODE_PARTS),$(node_$(p)_PROTOS))
node_TESTS := $(foreach p,$(NODE_PARTS),$(node_$(p)_TESTS))
