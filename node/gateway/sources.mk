node_gateway_SRCS := node/gateway/light.c node/gateway/outbox.c node/gateway/fleet.c node/gateway/follow.c node/gateway/serve.c \
    node/gateway/gateway.c
node_gateway_PROTOS :=
node_gateway_TESTS :=
