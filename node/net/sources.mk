node_net_SRCS :=
node_net_PROTOS :=
node_net_TESTS :=
