# make test    everything that can be tested on this machine     make demo    see a tunnel at work
# make build   sstp and sstp-lab into build/                     make size    flash and memory of the router's binary
# make interop the same scenarios against a server of your own   make bench-micro  Go benchmarks of each stage
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
LDFLAGS      = -s -w -X main.version=$(VERSION)
# Inlining makes the router's binary a tenth larger. It pays only where bytes are moved and enciphered, and in the curves of
# the handshake: everywhere else it is off. The last pattern that matches a package counts.
HOT          = internal/poll internal/sync sync/... syscall internal/bytealg internal/abi internal/runtime/atomic internal/runtime/sys \
	golang.org/x/sys/unix crypto/cipher crypto/subtle vendor/golang.org/x/crypto/... crypto/internal/fips140deps/... \
	$(addprefix crypto/internal/fips140/,aes/... alias subtle sha256 sha512 hmac nistec/... edwards25519/field bigmod mlkem) \
	$(addprefix sstp/src/,datapath tun offload sstp ppp)
GO_BUILD     = CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -gcflags=all=-l $(HOT:%=-gcflags=%=)
# Packages whose tests need neither a network namespace nor a program of this machine: they run on emulated processors too.
PORTABLE     = fault sstp ppp auth offload config ucifile transport tun datapath hostnet ubus session lab
DEBIAN       = qemu-user iperf3 iproute2 iputils-ping squashfs-tools procps
SIZE_LIMIT_KIB = 1600

.PHONY: build setup check unit emulated namespaces test size demo interop bench-micro clean

build:
	@mkdir -p build && echo "building build/sstp and build/sstp-lab, version $(VERSION)"
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

test: setup check unit emulated size namespaces
	@echo "all tests passed"

demo: setup build
	@sh src/integration/demo.sh

interop: setup build
	@go run ./src/integration/interop

bench-micro:
	go test -run '^$$' -bench . -benchmem $(PORTABLE:%=./src/%)

clean:
	rm -rf build
