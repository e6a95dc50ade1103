store_SRCS :=
store_PROTOS :=
store_TESTS :=
