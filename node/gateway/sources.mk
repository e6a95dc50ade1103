node_gateway_SRCS :=
node_gateway_PROTOS :=
node_gateway_TESTS :=
