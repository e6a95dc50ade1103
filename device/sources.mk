device_SRCS := device/protocol.c device/state.c device/talk.c device/evidence.c device/download.c device/machine.c \
    device/device.c device/step.c
device_PROTOS :=
device_TESTS :=
# The host port: everything of assay-device but its main file, so that tests can link it.
device_host_lib_SRCS :=
device_host_SRCS := $(device_host_lib_SRCS)
