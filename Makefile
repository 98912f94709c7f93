# Everything that people and CI run here. `make` alone lists it.
#
#   make run                          the quick start; Ctrl-C ends it
#   make run ONCE=1                   the same, ends by itself; fails if any artifact did not arrive
#   make run LISTEN=127.0.0.1:8081    where landfall listens, if 8080 is taken
#   make run REGISTRY_PORT=5056       where the registry listens, if 5055 is taken
#   make run-kubernetes               the same with resources in a Kubernetes API server; it takes the same settings

.DEFAULT_GOAL := help
.PHONY: help deps nginx kubernetes build run run-kubernetes test check bench layout torture fuzz clean

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# How long each fuzz target runs, in seconds.
FUZZ_SECONDS ?= 60

# No package of Debian has Terraform. Without it, its tests are left out, and `make test` says so.
export LANDFALL_WITHOUT_TERRAFORM ?= $(if $(shell command -v terraform),,1)

# The quick start reads these from its environment.
export ONCE LISTEN REGISTRY_PORT

# What is run besides Rust, as PROGRAM=PACKAGE of Debian and Ubuntu.
#   docker-registry, skopeo: a real registry, and pushes to it
#   openssl: certificates for tests; htpasswd: passwords for tests; curl: what the pages of docs/senders say to try
#   postgres (looked for where Debian keeps it): a real database that several processes share
#   cc: links, and compiles the C parts of SQLite and the TLS library
PROGRAMS := docker-registry=docker-registry skopeo=skopeo openssl=openssl htpasswd=apache2-utils curl=curl cc=gcc

help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

deps: ## Install what is missing for run and test (Debian, Ubuntu); elsewhere, name it.
	@packages=; programs=; \
	for pair in $(PROGRAMS); do \
	  command -v "$${pair%%=*}" >/dev/null 2>&1 || \
	    { programs="$$programs $${pair%%=*}"; packages="$$packages $${pair#*=}"; }; \
	done; \
	if command -v cc >/dev/null 2>&1 && \
	  ! printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | cc -x c -o /dev/null - 2>/dev/null; then \
	  programs="$$programs C-headers"; packages="$$packages libc6-dev"; \
	fi; \
	case " $$packages " in *" gcc "*) packages="$$packages libc6-dev" ;; esac; \
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || [ -x "$$(pg_config --bindir 2>/dev/null)/postgres" ] || \
	  { programs="$$programs postgres"; packages="$$packages postgresql"; }; \
	if [ -n "$$packages" ]; then \
	  if ! command -v apt-get >/dev/null 2>&1; then \
	    echo "==> missing:$$programs" >&2; \
	    echo "    This is no Debian or Ubuntu: install these programs with your system's packages, then run make again." >&2; \
	    echo "    docker-registry is CNCF Distribution; a binary called registry does, under the name docker-registry." >&2; \
	    exit 1; \
	  fi; \
	  as_root=; \
	  if [ "$$(id -u)" -ne 0 ]; then \
	    command -v sudo >/dev/null 2>&1 || \
	      { echo "==> missing:$$programs; as root: apt-get install --no-install-recommends$$packages" >&2; exit 1; }; \
	    as_root=sudo; \
	  fi; \
	  echo "==> installing what is missing:$$packages"; \
	  case " $$packages " in *" postgresql "*) \
	    conf=/etc/postgresql-common/createcluster.conf; \
	    [ -e $$conf ] || { \
	      echo "    PostgreSQL is for tests alone: $$conf says that no database is made and none started"; \
	      $$as_root mkdir -p $${conf%/*} && echo 'create_main_cluster = false' | $$as_root tee $$conf >/dev/null; }; \
	  esac; \
	  $$as_root apt-get update -qq && \
	    $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$packages || exit 1; \
	fi; \
	if ! command -v $(CARGO) >/dev/null 2>&1 || ! command -v rustc >/dev/null 2>&1; then \
	  echo "==> missing: cargo and rustc; this needs Rust 1.95 or later: see https://rust-lang.org/tools/install" >&2; \
	  exit 1; \
	fi

# The Kubernetes of the tests: an API server, its etcd and kubectl, of the versions in this go.mod.
KUBERNETES := crates/harness/kubernetes
KUBERNETES_BUILT := $(TARGET)/kubernetes/built

kubernetes: ## Build the API server that tests run against, unless KUBEBUILDER_ASSETS names a folder with one.
ifeq ($(KUBEBUILDER_ASSETS),)
kubernetes: $(KUBERNETES_BUILT)
endif

$(KUBERNETES_BUILT): $(KUBERNETES)/go.mod $(KUBERNETES)/go.sum
	@if ! command -v go >/dev/null 2>&1; then \
	  echo "==> missing: go, to build the Kubernetes API server that tests run against" >&2; \
	  echo "    Install Go 1.25 or later (https://go.dev/doc/install), or set KUBEBUILDER_ASSETS to a folder that has" >&2; \
	  echo "    kube-apiserver, etcd and kubectl." >&2; \
	  exit 1; \
	fi
	@echo "==> building kube-apiserver, etcd and kubectl for the tests (about ten minutes the first time, then never again)"
	@mkdir -p $(@D)
	@out="$$(cd $(@D) && pwd)" && cd $(KUBERNETES) && \
	  version="$$(go list -m -f '{{.Version}}' k8s.io/kubernetes)" && \
	  go build -trimpath -ldflags '-s -w' -o "$$out/etcd" go.etcd.io/etcd/server/v3 && \
	  go build -trimpath -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$$version" -o "$$out/" \
	    k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
	@touch $@

build: ## Build landfall and the quick start, optimized.
	@echo "==> building (a few minutes the first time)"
	@$(CARGO) build --release --locked -p landfall -p landfall-harness --bin landfall --bin quickstart

run: deps build ## Show landfall at work: a real registry, pushes, and what became of each. ONCE=1 ends by itself.
	@$(TARGET)/release/quickstart

run-kubernetes: deps kubernetes ## The same on Kubernetes: a real API server, and what kubectl shows. ONCE=1 ends by itself.
	@echo "==> building (a few minutes the first time)"
	@$(CARGO) build --release --locked -p landfall -p landfall-harness --bin landfall --bin kubernetes
	@$(TARGET)/release/kubernetes

test: deps kubernetes ## Run all tests, then each quick start once.
	@if [ -n "$$LANDFALL_WITHOUT_TERRAFORM" ]; then \
	  echo "==> terraform is not installed: deploy/terraform is NOT tested"; \
	fi
	@echo "==> cargo test"
	@$(CARGO) test --workspace --locked
	@echo "==> the quick starts, once each"
	@$(MAKE) --no-print-directory run ONCE=1
	@$(MAKE) --no-print-directory run-kubernetes ONCE=1

check: deps ## Check format, lints, docs, and ARCHITECTURE.md against the code.
	@echo "==> cargo fmt"
	@$(CARGO) fmt --all --check
	@echo "==> cargo clippy"
	@$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@echo "==> cargo doc"
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	@echo "==> the map"
	@$(CARGO) test -p landfall --locked --test it map::

# What landfall is compared with over TLS: an nginx that is there already, or else the one of Debian or Ubuntu.
NGINX ?= $(firstword $(wildcard /usr/sbin/nginx) $(shell command -v nginx) $(TARGET)/nginx/usr/sbin/nginx)
export NGINX

nginx: ## Fetch nginx's package and unpack it below target, unless there is one; nothing is installed and no service starts.
	@if ! $(NGINX) -v >/dev/null 2>&1; then \
	  echo "==> fetching nginx into $(TARGET)/nginx, for make bench alone"; \
	  mkdir -p $(TARGET)/nginx && (cd $(TARGET)/nginx && \
	    for package in nginx nginx-core; do \
	      [ -x usr/sbin/nginx ] || { apt-get download -qq $$package && dpkg -x $${package}_*.deb .; }; \
	    done); \
	fi; \
	$(NGINX) -v >/dev/null 2>&1 || \
	  { echo "==> nginx does not run; install it, or set NGINX to its path:" >&2; $(NGINX) -v; exit 1; }

bench: deps nginx kubernetes ## Measure what ships (profile dist), and print ratios.
	@echo "==> building as for a release (ten minutes or more the first time)"
	@$(CARGO) build --profile dist --locked -p landfall -p landfall-harness --bin landfall --bin bench
	@$(TARGET)/dist/bench

# Where what is laid out is watched: a build of its own, with names, and what callgrind saw of each of its processes.
LAYOUT ?= $(TARGET)/layout
WATCHED := kubernetes

layout: kubernetes ## Note which functions run in the benchmarks, for crates/landfall/layout.ld; installs valgrind if it is missing.
	@$(MAKE) --no-print-directory deps PROGRAMS="$(PROGRAMS) valgrind=valgrind"
	@echo "==> building as for a release, but with names (ten minutes or more the first time)"
	@mkdir -p $(LAYOUT)
	@CARGO_PROFILE_DIST_STRIP=none $(CARGO) rustc --profile dist --locked --target-dir $(LAYOUT) -p landfall --bin landfall -- \
	  -C link-arg=-Wl,--no-demangle -C link-arg=-Wl,-Map=$(abspath $(LAYOUT))/landfall.map
	@CARGO_PROFILE_DIST_STRIP=none $(CARGO) build --profile dist --locked --target-dir $(LAYOUT) -p landfall-harness --bin bench --bin layout
	@for part in $(WATCHED); do \
	  echo "==> the benchmark $$part, under valgrind (minutes; its figures mean nothing)"; \
	  seen="$$(cd $(LAYOUT) && pwd)/$$part"; rm -rf "$$seen"; mkdir "$$seen"; \
	  printf '#!/bin/sh\nexec %s --tool=callgrind --demangle=no --compress-strings=no --log-file=/dev/null --callgrind-out-file=%s %s "$$@"\n' \
	    "$$(command -v valgrind)" "$$seen/%p" "$(abspath $(LAYOUT))/dist/landfall" >$(LAYOUT)/watched; \
	  chmod +x $(LAYOUT)/watched; \
	  $(LAYOUT)/dist/bench --small --binary $(LAYOUT)/watched $$part || exit 1; \
	done
	@$(LAYOUT)/dist/layout $(LAYOUT)/landfall.map $(patsubst %,$(LAYOUT)/%,$(WATCHED)) >$(LAYOUT)/layout.ld
	@cp $(LAYOUT)/layout.ld crates/landfall/layout.ld
	@echo "==> crates/landfall/layout.ld: $$(grep -c '(.text' crates/landfall/layout.ld) parts"

torture: deps ## Kill landfall 1,000 times in the middle of its work and look for what is lost.
	@LANDFALL_KILLS=1000 $(CARGO) test --release --locked -p landfall --test it kill -- --nocapture

fuzz: ## Run each fuzz target for FUZZ_SECONDS (60), from the fixtures; installs cargo-fuzz if it is missing.
	@$(MAKE) --no-print-directory deps PROGRAMS="$(PROGRAMS) c++=g++"
	@$(CARGO) fuzz --version >/dev/null 2>&1 || \
	  { echo "==> installing cargo-fuzz (once)"; $(CARGO) install --locked cargo-fuzz; }
	@CARGO=$(CARGO) fuzz/run.sh $(FUZZ_SECONDS)

clean: ## Remove what was built, and what the quick start left.
	@rm -rf .quickstart
	@$(CARGO) clean
