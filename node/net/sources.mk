node_net_SRCS := node/net/noise.c node/net/session.c node/net/frame.c node/net/sendq.c node/net/socket_close.c node/net/outbox.c \
    node/net/inbox.c node/net/link_peer.c node/net/links_receive.c node/net/links.c
node_net_PROTOS :=
node_net_TESTS := $(addprefix tests/unit/node/test_,noise.c session.c frame.c sendq.c socket_close.c links.c)
node_net_SRCS += node/net/blob_fetch.c
node_net_TESTS += tests/unit/node/test_blob_fetch.c
