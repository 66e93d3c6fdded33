# The menu. Meson builds; this only says what can be had. `make help` lists it.
#
#   PREFIX, DESTDIR   for make install          BUILD_TYPE   debugoptimized, release, debug
#   SEED              for make sim              FUZZ_SECONDS for make fuzz, a target

PREFIX ?= /usr/local
DESTDIR ?=
BUILD_TYPE ?= debugoptimized
SEED ?= 1
FUZZ_SECONDS ?= 30

export DESTDIR

.PHONY: build demo test interop bench sim fuzz fmt tidy install clean help

build: ## build build/posthorn
	@tools/install-packages build
	@test -f build/build.ninja || meson setup build -Dtests=false -Db_lto=true --buildtype=$(BUILD_TYPE) --prefix=$(PREFIX) >/dev/null
	@ninja -C build src/posthorn
	@ln -sf src/posthorn build/posthorn

demo: build ## see it work: a server, a receiver, 14 events as files, under a minute
	@tools/demo

test: ## every test; the last line is the sum
	@tools/install-packages test
	@tools/test

interop: ## generators, clients and receivers of other languages; at most 12 minutes
	@tools/install-packages interop
	@tools/interop

bench: ## throughput, latency, CPU and memory: a table, and build-bench/bench.json
	@tools/install-packages test
	@node bench/run.mjs

sim: ## the simulator with one seed: make sim SEED=n
	@tools/install-packages test
	@test -f build-test/build.ninja || meson setup build-test -Dwerror=true >/dev/null
	@ninja -C build-test tests/sim/sim
	@build-test/tests/sim/sim --seed $(SEED) --trace

fuzz: ## each fuzz target for FUZZ_SECONDS (30)
	@tools/install-packages test
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz

fmt: ## format every C file
	@tools/sources | xargs clang-format -i

tidy: ## clang-tidy over src and lib
	@tools/install-packages test
	@tools/tidy

install: build ## into DESTDIR and PREFIX: program, library, header, man pages, systemd unit
	@meson configure build -Dprefix=$(PREFIX)
	@ninja -C build
	@meson install -C build --no-rebuild

clean: ## remove what was built
	@rm -rf build build-test build-asan build-tsan build-fuzz build-bench build-interop

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
