consensus_SRCS := $(addprefix consensus/,certificates.c consensus.c pace.c restart.c rules.c views.c)
consensus_PROTOS :=
consensus_TESTS := $(addprefix tests/unit/consensus/test_,certificates.c rules.c pace.c restart.c epoch.c late_votes.c)
