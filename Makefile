# The front door. The build itself is Meson's: see meson.build.
JOBS   ?= $(shell nproc)
PREFIX ?= /usr/local
BUILD  ?= build

.PHONY: all setup demo check lint bench fuzz install format help clean
.DEFAULT_GOAL := all

all: $(BUILD)/tain           ## build build/tain; says what is missing, installs nothing

# Found out anew each time, and quickly: what is there is not touched.
setup:                       ## install what building needs (as root; else only say it)
	@tools/setup build

demo: setup                  ## install what is missing, build, and show tain at work: no server needed
	@$(MAKE) --no-print-directory all
	@$(BUILD)/tain demo

check:                       ## install what is missing and run every test; LANES="unit lint" for some of them
	@tools/setup check
	@tools/check --jobs $(JOBS) $(LANES)

lint:                        ## layers, banned functions, sizes, READMEs
	@tools/lint

bench: setup                 ## compare with the limits and with other programs
	@$(MAKE) --no-print-directory all
	@bench/run

fuzz:                        ## fuzz each parser longer: SECONDS_EACH=600
	@tools/setup check
	@tools/check --jobs $(JOBS) --fuzz-seconds $(or $(SECONDS_EACH),600) fuzz

install: all                 ## install to PREFIX (default /usr/local); DESTDIR for packagers
	@meson configure $(BUILD) --prefix=$(abspath $(PREFIX)) >/dev/null
	@meson install -C $(BUILD) --quiet
	@echo "installed: $(DESTDIR)$(abspath $(PREFIX))/bin/tain"

format:                      ## clang-format the C files changed since the last commit
	@git diff --name-only --diff-filter=d HEAD -- '*.c' '*.h' | xargs -r clang-format-14 -i

clean:                       ## remove what was built; third_party/ stays
	rm -rf build build-*

help:                        ## this list
	@awk -F '##' '/^[a-z]+:.*##/ { sub(/:.*/, "", $$1); printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: $(BUILD)/tain
$(BUILD)/tain:
	@tools/setup build --no-install
	@[ -e $(BUILD)/build.ninja ] || $(MAKE) --no-print-directory $(BUILD)/build.ninja
	@ninja -C $(BUILD) -j $(JOBS)
	@[ -e $@ ] || ln -s src/cli/tain $@

$(BUILD)/build.ninja:
	@meson setup $(BUILD) -Dtests=disabled >$(BUILD).setup.log 2>&1 || { cat $(BUILD).setup.log; rm -rf $(BUILD); exit 1; }
	@mv $(BUILD).setup.log $(BUILD)/
