consensus_SRCS :=
consensus_PROTOS :=
consensus_TESTS :=
