node_gateway_SRCS := $(addprefix node/gateway/,light.c light_ask.c light_trust.c proven.c shared_blob.c fleet.c catalog.c images.c statement_queue.c \
    uplink.c source_watch.c follow_class.c follow.c device_answer.c device_api.c gateway_api.c gateway.c)
node_gateway_PROTOS :=
node_gateway_TESTS := $(addprefix tests/unit/node/test_gateway_,light.c fleet.c statements.c)
