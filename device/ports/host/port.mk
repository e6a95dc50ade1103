# The device client on a computer, with files as flash: build/bin/assay-device. All but its main file is linked into the
# unit tests of device/ as well.
host_SRCS     := $(sort $(wildcard device/ports/host/*.c))
host_lib_SRCS := $(filter-out %/main.c,$(host_SRCS))

$(BUILD)/bin/assay-device: $(call obj,$(host_SRCS)) $(call lib,device) $(call lib,verify) $(call lib,base)
	@mkdir -p $(@D)
	@echo '  LINK   $@'
	$(Q)$(CC) $(LDFLAGS) $^ -lcurl -ljansson -lsodium -lcrypto -o $@
