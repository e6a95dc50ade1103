sim_SRCS := $(addprefix tests/sim/sim_,main.c apart.c world.c node.c net.c crypto.c options.c random.c shrink.c counters.c \
    disk.c names.c store.c power.c faults.c upkeep.c snapshots.c sources.c work.c params.c \
    byzantine.c forge.c lies.c epochs.c foes.c swarms.c scenarios.c oracles.c votes.c ledger.c expect.c)
