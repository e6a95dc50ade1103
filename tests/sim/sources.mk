sim_SRCS := $(addprefix tests/sim/sim_,main.c world.c net.c disk.c faults.c oracles.c random.c work.c)
