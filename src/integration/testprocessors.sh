#!/bin/sh
# Runs the tests of some packages on the routers' processors, big-endian MIPS first.
set -eu
if ! command -v qemu-mips >/dev/null; then
	echo "skipped: qemu-user is not installed"
	exit 0
fi
export CGO_ENABLED=0 GOMIPS=softfloat GOARM=7
for processor in mips/qemu-mips mipsle/qemu-mipsel arm/qemu-arm; do
	echo "== ${processor%/*}"
	GOARCH=${processor%/*} go test -short -exec "${processor#*/}" "$@"
done
