node_net_SRCS := node/net/noise.c node/net/session.c node/net/frame.c node/net/sendq.c node/net/wire.c node/net/name.c node/net/dial.c \
    node/net/door.c node/net/link_peer.c node/net/links_receive.c node/net/links.c
node_net_PROTOS :=
node_net_TESTS := $(addprefix tests/unit/node/test_,noise.c session.c frame.c sendq.c links.c links_churn.c links_flood.c budget.c links_hand.c)
node_net_SRCS += node/net/blob_fetch.c
node_net_TESTS += tests/unit/node/test_blob_fetch.c
