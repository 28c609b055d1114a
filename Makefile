# make test    everything that can be tested on this machine     make demo    see a tunnel at work
# make build   sstp and sstp-lab into build/                     make size    flash and memory of the router's binary
# make packages, make release   what routers install             make interop, make bench...   the rest: README, Development
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
include openwrt/gcflags.mk
GO_BUILD     = CGO_ENABLED=0 go build -trimpath -overlay build/overlay/overlay.json -ldflags '-s -w -X main.version=$(VERSION)' $(SSTP_GCFLAGS)
# Packages whose tests need neither a network namespace nor a program of this machine.
PORTABLE     = $(addprefix ./src/,fault blobmsg text httphead sstp ppp auth offload config ucifile transport/... tun datapath hostnet ubus status logs uci control netifd session firewall machine lab)
EMULATED     = go run ./src/integration/emulated -gcflags '$(SSTP_GCFLAGS)' $(PARTS:%=-parts %)
.PHONY: build setup check unit web emulated namespaces size some-packages test demo interop bench bench-core bench-micro \
	test-openwrt test-mips test-arm test-ktls packages release test-packages openwrt-check clean

build:
	@echo "building the programs into build/, version $(VERSION)"
	@go run ./src/cmd/sstp-overlay build/overlay
	@$(GO_BUILD) -o build/ ./src/cmd/sstp-lab ./src/cmd/sstp-symbols
	@$(GO_BUILD) -o build/symbols/ ./src/cmd/sstp ./src/cmd/sstp-dbus
	@build/sstp-symbols clear build/symbols/sstp build/symbols/sstp-dbus build/
setup:
	@sh src/integration/setup.sh qemu-user iperf3 iproute2 iputils-ping squashfs-tools procps busybox-static dbus libglib2.0-bin
check:
	@test -z "$$(gofmt -l src)" || { echo "gofmt wants to change:"; gofmt -l src; exit 1; }
	go mod tidy -diff
	go vet ./src/...
	go run $(STATICCHECK) ./src/...
unit:
	go test -race ./src/...
web:
	@sh luci/tests/run
emulated:
	@sh src/integration/testprocessors.sh $(PORTABLE)
namespaces: build
	@sh src/integration/testnamespaces.sh
size: build
	@sh src/integration/size.sh env $(GO_BUILD)
some-packages:
	@$(MAKE) -s test-packages PACKAGES='-arch mips_24kc,x86_64' TESTFLAGS=-short
test: setup check unit web emulated size some-packages namespaces
	@echo "all tests passed"

demo: setup build
	@sh src/integration/demo.sh
interop bench: setup build
	@go run ./src/integration/$@
bench-micro:
	go test -run '^$$' -bench . -benchmem $(PORTABLE)
test-openwrt: build
	@go run ./src/integration/openwrt -rootfs "$(ROOTFS)"
	@test -z "$(ROOTFS)" || go run ./src/integration/openwrt -rootfs "$(ROOTFS)" --serve -- luci/tests/router

test-mips:
	@$(EMULATED) mips
test-arm:
	@$(EMULATED) arm arm64
test-ktls: build
	@$(EMULATED) pc
bench-core: build
	@$(EMULATED) core

packages release:
	@go run ./src/release -gcflags '$(SSTP_GCFLAGS)' $(if $(filter release,$@),-release) $(PACKAGES)
test-packages: packages
	@sh src/release/testpackages.sh $(TESTFLAGS)
openwrt-check:
	@TOPDIR='$(abspath $(TOPDIR))' go test -count=1 -v -tags openwrt -run OpenWrt ./src/release
clean:
	rm -rf build
