node_http_SRCS :=
node_http_PROTOS :=
node_http_TESTS :=
