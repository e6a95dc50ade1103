sim_SRCS := $(addprefix tests/sim/sim_,main.c apart.c world.c node.c net.c disk.c names.c store.c power.c crypto.c options.c faults.c byzantine.c forge.c lies.c ledger.c params.c expect.c foes.c \
    oracles.c votes.c shrink.c scenarios.c random.c work.c counters.c upkeep.c snapshots.c sources.c)
