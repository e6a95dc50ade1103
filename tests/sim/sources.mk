sim_SRCS :=
