device_SRCS :=
device_PROTOS :=
device_TESTS :=
# The host port: everything of assay-device but its main file, so that tests can link it.
device_host_lib_SRCS :=
device_host_SRCS := $(device_host_lib_SRCS)
