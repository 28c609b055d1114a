# make test    everything that can be tested on this machine     make demo    see a tunnel at work
# make build   sstp and sstp-lab into build/                     make size    flash and memory of the router's binary
# make interop the same scenarios against a server of your own   make bench   ratios against what else there is, in one run
# make packages what routers install, into build/packages        make bench-micro   Go benchmarks of each stage
# make bench-trips   where the time of a ping through an idle tunnel goes, program by program
# make test-mips, test-arm   a router under qemu-system: all ciphers, Go's and the kernel's TLS, instructions by byte and part
# make test-ktls    the tunnel's tests under a kernel with TLS, in qemu-system-x86_64
# make bench-core   throughput on one emulated x86 core whose clock counts instructions, beside what else there is
# make test-openwrt ROOTFS=...   the router's scenarios and the web interface with the real netifd, rpcd and LuCI
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
LDFLAGS      = -s -w -X main.version=$(VERSION)
include openwrt/gcflags.mk
GO_BUILD     = CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' $(SSTP_GCFLAGS)
# Packages whose tests need neither a network namespace nor a program of this machine: they run on emulated processors too.
PORTABLE     = fault sstp ppp auth offload config ucifile transport tun datapath hostnet ubus control netifd session lab
DEBIAN       = qemu-user iperf3 iproute2 iputils-ping squashfs-tools procps busybox-static dbus libglib2.0-bin
SIZE_LIMIT_KIB = 1600

.PHONY: build setup check unit web emulated namespaces some-packages test size demo interop bench bench-trips bench-core bench-micro \
	test-openwrt packages test-packages release openwrt-check test-mips test-arm test-ktls clean

build:
	@mkdir -p build && echo "building the programs into build/, version $(VERSION)"
	@$(GO_BUILD) -o build/ ./src/cmd/...

# Installs what is missing, where this machine has apt and we may use it.
setup:
	@missing=; for p in $(DEBIAN); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then echo "not on Debian: install yourself, if missing:$$missing"; exit 0; fi; \
	as=; [ "$$(id -u)" = 0 ] || as="sudo -n"; \
	$$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as apt-get install -y -qq $$missing >/dev/null \
	|| echo "could not install:$$missing; what needs them says so"

check:
	@test -z "$$(gofmt -l src)" || { echo "gofmt wants to change:"; gofmt -l src; exit 1; }
	go vet ./src/...
	go run $(STATICCHECK) ./src/...

unit:
	go test -race ./src/...

# The web interface's parts, lint rules, and pages in a browser against a stand-in for LuCI.
web:
	@sh luci/tests/run

# The same tests on the routers' processors, big-endian MIPS first.
emulated:
	@command -v qemu-mips >/dev/null || { echo "skipped: qemu-user is not installed"; exit 0; }; set -e; \
	for a in mips mipsle arm; do echo "== $$a"; \
	GOARCH=$$a GOMIPS=softfloat GOARM=7 CGO_ENABLED=0 go test -short -exec qemu-$${a%le}$$([ $$a = mipsle ] && echo el) $(PORTABLE:%=./src/%); done

namespaces: build
	@if [ "$$(id -u)" != 0 ]; then echo "skipped: the tests in network namespaces need root"; else go test -count=1 -tags namespaces ./src/integration/...; fi

size: build
	@mkdir -p build/size; set -e; printf '%-10s %9s %9s\n' target file squashfs; \
	for t in mips/softfloat mipsle/softfloat arm/5 arm/7 arm64/v8.0 amd64/v1 riscv64/rva20u64; do a=$${t%/*}; \
	env GOARCH=$$a GOMIPS=softfloat GOARM=$$([ $$a = arm ] && echo $${t#*/} || echo 7) $(GO_BUILD) -o build/size/sstp ./src/cmd/sstp; \
	rm -f build/size/s; mksquashfs build/size/sstp build/size/s -comp xz -b 256k -nopad -quiet -no-progress >/dev/null; \
	k=$$(( ($$(stat -c %s build/size/s) + 1023) / 1024 )); printf '%-10s %5d KiB %5d KiB\n' $$a$$([ $$a = arm ] && echo v$${t#*/}) $$(( $$(stat -c %s build/size/sstp) / 1024 )) $$k; \
	if [ $$a = mipsle ] && [ $$k -gt $(SIZE_LIMIT_KIB) ]; then echo "mipsle is over its budget of $(SIZE_LIMIT_KIB) KiB"; exit 1; fi; done
	@if [ "$$(id -u)" != 0 ]; then echo "skipped: measuring the resident memory needs root"; else \
	go test -count=1 -tags namespaces -run TestResidentMemory -v ./src/integration | grep -E '^(resident|---|FAIL|ok|    )'; fi

# The packages of one router and one PC.
some-packages:
	@$(MAKE) -s test-packages PACKAGES='-arch mips_24kc,x86_64' SHORT=-short

test: setup check unit web emulated size some-packages namespaces
	@echo "all tests passed"

demo: setup build
	@sh src/integration/demo.sh

interop: setup build
	@go run ./src/integration/interop

bench: setup build
	@go run ./src/integration/bench

bench-trips: setup build
	@go run ./src/integration/bench -trips

# Takes an OpenWrt x86-64 root file system: a folder, or the rootfs.tar.gz of a release.
test-openwrt: build
	@go run ./src/integration/openwrt -rootfs "$(ROOTFS)"
	@test -z "$(ROOTFS)" || go run ./src/integration/openwrt -rootfs "$(ROOTFS)" --serve -- luci/tests/router

# Kernels and programs come from Debian into build/emulated; only the emulator is installed.
test-mips: DEBIAN = qemu-system-mips
test-arm:  DEBIAN = qemu-system-arm
test-ktls: DEBIAN = qemu-system-x86
bench-core: DEBIAN = qemu-system-x86 iproute2 iputils-ping wireguard-go wireguard-tools openvpn sstp-client
test-ktls bench-core: build
test-mips test-arm test-ktls bench-core: setup
	@go run ./src/integration/emulated -gcflags '$(SSTP_GCFLAGS)' $(PARTS:%=-parts %) $(patsubst arm,arm arm64,$(patsubst ktls,pc,$(patsubst bench-%,%,$(@:test-%=%))))

packages release:
	@go run ./src/integration/packages -gcflags '$(SSTP_GCFLAGS)' $(if $(filter release,$@),-release) $(PACKAGES)

# With real opkg, apk and dbus-daemon where they are; go test alone says nothing of what it skips.
test-packages: packages
	@go test -count=1 -v $(SHORT) -tags packages ./src/integration/packages ./src/cmd/sstp-dbus >build/test-packages.log 2>&1 \
	|| { grep -v '^=== ' build/test-packages.log; exit 1; }
	@awk -f src/integration/skipped.awk build/test-packages.log

openwrt-check:
	@test -f '$(TOPDIR)/include/package.mk' || { echo "give an OpenWrt build tree or SDK that has fetched the packages feed: make openwrt-check TOPDIR=/path/to/openwrt"; exit 1; }
	@TOPDIR='$(abspath $(TOPDIR))' go test -count=1 -v -tags openwrt -run OpenWrt ./src/integration/packages

bench-micro:
	go test -run '^$$' -bench . -benchmem $(PORTABLE:%=./src/%)

clean:
	rm -rf build
