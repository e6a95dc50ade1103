device_SRCS := device/protocol.c device/state.c device/talk.c device/evidence.c device/download.c device/machine.c \
    device/device.c device/step.c
device_PROTOS :=
device_TESTS := $(foreach m,update power_cut protocol state host_home,tests/unit/device/test_$(m).c)
# The host port: everything of assay-device but its main file, so that tests can link it.
device_host_lib_SRCS := device/ports/host/host_flash.c device/ports/host/host_secure.c device/ports/host/host_link.c \
    device/ports/host/host_genesis.c device/ports/host/host_home.c device/ports/host/host_run.c \
    device/ports/host/host_cut.c
device_host_SRCS := $(device_host_lib_SRCS) device/ports/host/main.c
