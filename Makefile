# Assay. `make help` lists what can be asked for.
# A file belongs to the build by where it stands: FOLDER/**/*.c is of the folder's library, tests/unit/FOLDER/**/test_*.c
# a test program each, tests/lib/*.c what tests share, *_main.c and device/ports/ the programs.

ifeq ($(origin CC),default)
CC := gcc
endif
BUILD   ?= $(if $(SANITIZE),build/$(if $(filter thread,$(SANITIZE)),threads,sanitize),build)
PREFIX  ?= /usr/local
VERSION := 0.1.0
# make V=1 shows whole commands.
Q := $(if $(V),,@)

PACKAGES := libuv lmdb libsodium libcrypto libprotobuf-c nng libmicrohttpd libcurl jansson inih gnutls
# Debian's packages: for building and the demonstration; for the checks as well; for the checks beside real peers.
DEPS := pkg-config libuv1-dev liblmdb-dev libsodium-dev libssl-dev libprotobuf-c-dev protobuf-c-compiler \
    protobuf-compiler libnng-dev libmicrohttpd-dev libgnutls28-dev libcurl4-openssl-dev libjansson-dev libinih-dev python3
DEPS_CHECK := libcmocka-dev python3-pytest python3-pytest-xdist clang libclang-rt-14-dev clang-format clang-tidy \
    spin faketime iproute2 openssl python3-cryptography python3-jsonschema
DEPS_PEERS := python3-cbor2

FOLDERS := base verify store consensus contracts ipfs-lite device node

comma := ,

# Files of these kinds below these folders, in an order that is the same everywhere.
below = $(sort $(foreach f,$(1),$(wildcard $(addprefix $(f)/,$(2) $(addprefix */,$(2)) $(addprefix */*/,$(2)) $(addprefix */*/*/,$(2))))))

# Everything of ours in C: what is compiled, formatted and checked. PRODUCT is what ships.
SOURCES := $(call below,$(FOLDERS) tests,*.c *.h)
PRODUCT := $(filter-out tests/%,$(filter %.c,$(SOURCES)))
PROTOS  := $(call below,$(FOLDERS),*.proto)
MAINS   := $(filter %_main.c device/ports/%,$(PRODUCT))
PORTS   := $(wildcard device/ports/*/port.mk)
$(foreach f,$(FOLDERS),$(eval $(f)_SRCS := $(filter-out $(MAINS),$(filter $(f)/%,$(PRODUCT)))))
$(foreach f,$(FOLDERS),$(eval $(f)_PROTOS := $(filter $(f)/%,$(PROTOS))))
$(foreach f,$(FOLDERS),$(eval $(f)_TESTS := $(call below,tests/unit/$(f),test_*.c)))
testlib_SRCS := $(wildcard tests/lib/*.c)
sim_SRCS     := $(sort $(wildcard tests/sim/*.c))

# Warnings are errors in what `make check` builds; a newer compiler's may not stop a user's build.
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
    -Wcast-qual -Wwrite-strings -Wvla -Wundef -Wformat=2
STRICT   := $(if $(or $(WERROR),$(SANITIZE)),-Werror)
# With sanitizers -O2 costs a quarter more than -O1 and finds nothing more; at -O1 gcc guesses what snprintf may cut off.
OPTIMIZE ?= $(if $(SANITIZE),-O1,-O2)
HARDEN   := -fPIE -fstack-protector-strong $(if $(filter -O0,$(OPTIMIZE)),,-D_FORTIFY_SOURCE=2)
ifdef SANITIZE
WARNINGS += $(if $(findstring clang,$(CC)),,-Wno-format-truncation)
SANITIZERS := $(if $(filter thread,$(SANITIZE)),thread,address$(comma)undefined)
HARDEN   := -DASSAY_SANITIZED -fPIE -fsanitize=$(SANITIZERS) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDHARDEN := -pie -fsanitize=$(SANITIZERS)
else
LDHARDEN := -pie -Wl,-z,relro,-z,now
endif
CPPFLAGS += -D_GNU_SOURCE -DASSAY_VERSION='"$(VERSION)"' -I. -isystem $(BUILD)/gen
CFLAGS   += -std=c17 -g $(OPTIMIZE) $(WARNINGS) $(HARDEN)
LDFLAGS  += $(LDHARDEN)

LIBS_base      := -lsodium -lcrypto
LIBS_store     := -llmdb
LIBS_contracts := -lprotobuf-c
LIBS_node      := -luv -lnng -lmicrohttpd -lgnutls -lcurl -ljansson -linih -lprotobuf-c -llmdb -lsodium -lcrypto -lpthread

# Which libraries of ours a folder stands on, in link order.
NEEDS_base      := base
NEEDS_verify    := verify base
NEEDS_store     := store verify base
NEEDS_consensus := consensus verify base
NEEDS_contracts := contracts verify base
NEEDS_ipfs-lite := ipfs-lite store verify base
NEEDS_device    := device verify base
NEEDS_node      := node device ipfs-lite contracts consensus store verify base

lib = $(BUILD)/lib/lib$(1).a
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
gen = $(patsubst %.proto,$(BUILD)/gen/%.pb-c.c,$(1))
genobj = $(patsubst %.proto,$(BUILD)/gen/%.pb-c.o,$(1))

PROGRAMS := $(BUILD)/bin/assayd $(BUILD)/bin/assay $(BUILD)/bin/assay-device
GEN_HEADERS := $(patsubst %.proto,$(BUILD)/gen/%.pb-c.h,$(PROTOS))

.PHONY: all help
all: $(PROGRAMS)

help:
	@sed -n 's/^## //p' Makefile

# ---- Compiling ----------------------------------------------------------------------------------------------------

# Objects depend on what they are compiled with, -Werror apart: it changes no object.
$(BUILD)/flags: always
	$(shell mkdir -p $(@D))$(file >$@.now,$(CC) $(CPPFLAGS) $(CFLAGS))
	@if cmp -s $@.now $@; then rm $@.now; else mv $@.now $@; fi
.PHONY: always
always:

# What building needs is looked for once, so that its lack is told as such.
HEADERS := uv.h lmdb.h sodium.h openssl/evp.h protobuf-c/protobuf-c.h nng/nng.h microhttpd.h gnutls/gnutls.h curl/curl.h \
    jansson.h ini.h
$(BUILD)/tools:
	@mkdir -p $(@D)
	@command -v protoc-c >/dev/null || { echo "protoc-c is not installed: run 'make deps'" >&2; exit 1; }
	@for header in $(HEADERS); do echo "#include <$$header>" | $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 || \
	    { echo "the header $$header is not installed: run 'make deps'" >&2; exit 1; }; done
	@touch $@

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(GEN_HEADERS) $(BUILD)/tools
	@mkdir -p $(@D)
	@echo '  CC     $<'
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(STRICT) -MMD -MP -c $< -o $@

$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h: %.proto | $(BUILD)/tools
	@mkdir -p $(BUILD)/gen
	@echo '  PROTO  $<'
	$(Q)protoc-c --c_out=$(BUILD)/gen $<

# Generated code is compiled without our warnings: it isn't ours to change.
$(BUILD)/gen/%.pb-c.o: $(BUILD)/gen/%.pb-c.c $(BUILD)/flags
	$(Q)$(CC) $(CPPFLAGS) -std=c17 -g $(OPTIMIZE) $(HARDEN) -w -c $< -o $@

# verify/ and device/ must stand alone: C99, no hosted library.
$(BUILD)/obj/verify/%.o: CFLAGS := $(subst -std=c17,-std=c99,$(CFLAGS))
$(BUILD)/obj/device/%.o: CFLAGS := $(subst -std=c17,-std=c99,$(CFLAGS))
$(BUILD)/obj/device/ports/%.o: CFLAGS := $(subst -std=c99,-std=c17,$(CFLAGS))

define library
$(call lib,$(1)): $(call obj,$($(1)_SRCS)) $(call genobj,$($(1)_PROTOS))
	@mkdir -p $$(@D)
	@rm -f $$@
	@echo '  AR     $$@'
	$(Q)ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS) testlib,$(eval $(call library,$(f))))

# ---- Programs -----------------------------------------------------------------------------------------------------

node_libs := $(foreach f,$(NEEDS_node),$(call lib,$(f)))

$(BUILD)/bin/assayd $(BUILD)/bin/assay: $(BUILD)/bin/%: $(BUILD)/obj/node/%_main.o $(node_libs)
	@mkdir -p $(@D)
	@echo '  LINK   $@'
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS_node) -o $@

# A port of the device client is a folder with a make file of its own.
include $(PORTS)

# ---- Unit tests: tests/unit/FOLDER/test_MODULE.c, one program each, linked with what the folder may use ----------

define unit_test
$(BUILD)/tests/$(2:tests/unit/%.c=%): $(call obj,$(2)) $(call lib,testlib) $(if $(filter device,$(1)),$(call obj,$(host_lib_SRCS))) $(foreach f,$(NEEDS_$(1)),$(call lib,$(f)))
	@mkdir -p $$(@D)
	@echo '  LINK   $$@'
	$(Q)$$(CC) $$(LDFLAGS) $$^ $$(LIBS_node) -lcmocka -o $$@
UNIT_$(1) += $(BUILD)/tests/$(2:tests/unit/%.c=%)
endef
$(foreach f,$(FOLDERS),$(foreach t,$($(f)_TESTS),$(eval $(call unit_test,$(f),$(t)))))
UNIT_ALL := $(foreach f,$(FOLDERS),$(UNIT_$(f)))

## make                      builds assayd, assay and assay-device into build/bin
## make deps                 installs the Debian packages that building and the demonstration need
## make demo [KEEP=1]        one release from its author to a device, and what is refused on the way
## make deps-check           installs what the checks need as well
## make check                what every change must pass, with sanitizers; under 15 minutes on 2 cores
## make check-long           storms: 10,000 seeds, mutants, 200 kills, long cuts and long fuzzing; hours
## make check-peers          beside other implementations (make deps-peers installs them)
## make check-static         include table, tidiness, documents against code, format, clang-tidy
## make docs-http            docs/http.md, from what nodes say of their API
## make check-e2e            end-to-end tests on real processes (T=pattern picks some; TIER=long, TIER=peers)
## make sim SEEDS=n FIRST=s  deterministic simulator, seeds s to s+n-1
## make sim-mutants          deliberate breaks of the rules, each found by the simulator
## make sim-mutants-random FIRST=s  30 conditions turned round at random, for unit tests and simulator to find
## make model                the voting rules as a Promela model, checked with spin
## make fuzz SECONDS=n       everything built with clang, and every fuzzer for n seconds
## make bench                figures, with their targets
## make install, uninstall   into PREFIX (default /usr/local) under DESTDIR
## make compile_commands.json  how each file is compiled, for editors
## make SANITIZE=1 ...       any of these with AddressSanitizer and UBSan, in build/sanitize
## make check-threads        the links' unit tests with ThreadSanitizer, in build/threads
## make check-churn          10,000 peers that come and go, every other one killed
## make check-levels         builds without warnings at -O0, -Os, -O2 and -O3 with gcc and clang
## make clean
## make check-unit           unit tests of every folder
## make check-unit-FOLDER    unit tests of one folder
.PHONY: unit-build check-unit $(FOLDERS:%=check-unit-%)
unit-build: $(UNIT_ALL)
check-unit: $(UNIT_ALL)
	@tests/check/run-unit $^
$(FOLDERS:%=check-unit-%): check-unit-%: 
	@$(MAKE) --no-print-directory unit-run FOLDER=$*
.PHONY: unit-run
unit-run: $(UNIT_$(FOLDER))
	@tests/check/run-unit $^

.PHONY: $(FOLDERS:%=lib-%) lib-testlib
$(foreach f,$(FOLDERS) testlib,$(eval lib-$(f): $(call lib,$(f))))

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# ---- Dependencies -------------------------------------------------------------------------------------------------

.PHONY: deps deps-check deps-peers
deps:
	@tests/check/deps $(DEPS)
deps-check: deps
	@tests/check/deps $(DEPS_CHECK)
deps-peers: deps-check
	@tests/check/deps $(DEPS_PEERS)

# ---- Simulator ----------------------------------------------------------------------------------------------------

SEEDS ?= 500
FIRST ?= 1

$(BUILD)/bin/sim: $(call obj,$(sim_SRCS)) $(call lib,testlib) $(node_libs)
	@mkdir -p $(@D)
	@echo '  LINK   $@'
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS_node) -o $@

.PHONY: sim
sim: $(BUILD)/bin/sim
	@$(BUILD)/bin/sim $(SEEDS) $(FIRST)

.PHONY: sim-mutants sim-mutants-random
$(foreach f,$(FOLDERS),$(eval unit_libs_$(f) := $(foreach n,$(NEEDS_$(f)),$(call lib,$(n)))))
sim-mutants-random: $(BUILD)/bin/sim $(UNIT_consensus) $(UNIT_node)
	@tests/sim/mutants.py $(BUILD) random $(FIRST)
sim-mutants: $(BUILD)/bin/sim $(UNIT_verify) $(UNIT_contracts) $(UNIT_node)
	@tests/sim/mutants.py $(BUILD)

# ---- Model ---------------------------------------------------------------------------------------------------------

.PHONY: model
model:
	@tests/model/run

# ---- Static checks ------------------------------------------------------------------------------------------------

.PHONY: check-static check-includes check-tidy check-docs check-format check-clang-tidy format
check-static: check-includes check-tidy check-docs check-format check-clang-tidy
check-includes:
	@tests/check/includes.py
check-tidy:
	@tests/check/tidy
check-docs:
	@tests/check/docs.py
check-format:
	@clang-format --dry-run -Werror $(SOURCES) && echo "format: $(words $(SOURCES)) files"
format:
	@clang-format -i $(SOURCES)
# One file a process: clang-tidy 14 forgets what va_start is when it reads several. The analyzer gives up on a function
# after TIDY_NODES steps: the few it doesn't see to the end would double the time.
TIDY_NODES := 50000
check-clang-tidy: $(GEN_HEADERS)
	@printf '%s\n' $(PRODUCT) | xargs -P 2 -I FILE clang-tidy --quiet FILE -- $(CPPFLAGS) -std=c17 \
	    -Xclang -analyzer-config -Xclang max-nodes=$(TIDY_NODES) 2>$(BUILD)/clang-tidy.log \
	    || { grep error: $(BUILD)/clang-tidy.log; exit 1; }
	@echo "clang-tidy: $(words $(PRODUCT)) files"

# ---- End to end ---------------------------------------------------------------------------------------------------

.PHONY: check-e2e
check-e2e: all
	@ASSAY_BIN=$(abspath $(BUILD)/bin) tests/check/run-e2e $(or $(TIER),check) $(if $(T),"$(T)")

# ---- Fuzzers ------------------------------------------------------------------------------------------------------

SECONDS ?= 10
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: fuzz
fuzz:
	@tests/check/run-fuzz $(SECONDS) $(FUZZERS)

# ---- Everything ---------------------------------------------------------------------------------------------------

.PHONY: docs-http
docs-http: all
	@python3 tests/check/http_docs.py

.PHONY: check check-long check-peers check-judges check-threads check-churn
LINKS_TESTS := $(notdir $(basename $(wildcard tests/unit/node/net/test_links*.c)))
check-threads:
	@$(MAKE) --no-print-directory SANITIZE=thread $(LINKS_TESTS:%=build/threads/tests/node/net/%)
	@set -e; for test in $(LINKS_TESTS); do build/threads/tests/node/net/$$test; done
check-churn: $(BUILD)/tests/node/net/test_links_churn
	@CLOSES=10000 $<
check check-long:
	@tests/check/deps --look "make deps-check" $(DEPS) $(DEPS_CHECK)
	@tests/check/run-all $(@:check-%=%)
check-peers:
	@tests/check/deps --look "make deps-peers" $(DEPS) $(DEPS_CHECK) $(DEPS_PEERS)
	@tests/check/run-all peers
check-judges:
	@/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/check

# Without warnings at every level, with both compilers.
.PHONY: check-levels
check-levels:
	@set -e; for level in -O0 -Os -O2 -O3; do for compiler in gcc clang; do \
	    echo "$$compiler $$level"; \
	    $(MAKE) --no-print-directory -s BUILD=build/levels CC=$$compiler OPTIMIZE=$$level WERROR=1 all unit-build build/levels/bin/sim \
	        >build/levels.log 2>&1 || { cat build/levels.log; exit 1; }; \
	done; done

# ---- Demonstration and figures ------------------------------------------------------------------------------------

.PHONY: demo bench
demo:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j2 all
	@KEEP=$(KEEP) ASSAY_BIN=$(abspath $(BUILD)/bin) tests/demo/demo.py
bench: all
	@ASSAY_BIN=$(abspath $(BUILD)/bin) tests/bench/run

# ---- Installing ---------------------------------------------------------------------------------------------------

.PHONY: install uninstall clean
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	sed 's|@PREFIX@|$(PREFIX)|g' node/assayd.service.in > $(DESTDIR)$(PREFIX)/lib/systemd/system/assayd@.service
uninstall:
	rm -f $(PROGRAMS:$(BUILD)/bin/%=$(DESTDIR)$(PREFIX)/bin/%) $(DESTDIR)$(PREFIX)/lib/systemd/system/assayd@.service
clean:
	rm -rf $(BUILD)

# For editors and tools that want to know how a file is compiled. Its newlines come from `file`, which adds one a call.
compile_commands.json: $(GEN_HEADERS) always
	$(file >$@,[)
	$(foreach s,$(filter %.c,$(SOURCES)),$(file >>$@,{"directory": "$(CURDIR)"$(comma) "file": "$s"$(comma) \
	    "command": "$(subst ",\",$(CC) $(CPPFLAGS) $(CFLAGS)) -c $s"}$(if $(filter $s,$(lastword $(filter %.c,$(SOURCES)))),,$(comma))))
	$(file >>$@,])
	@echo "$@: $(words $(filter %.c,$(SOURCES))) files"
