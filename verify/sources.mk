verify_SRCS :=
verify_PROTOS :=
verify_TESTS :=
