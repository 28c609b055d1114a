#!/bin/sh
# Prints how much flash the router's program takes on each kind of processor: as it is linked, and without what only tracebacks
# need, which is what goes onto a router. Fails where mipsle takes more than the limit.
#
# usage: size.sh COMMAND...    the command builds the program when -o FILE PACKAGE is appended
set -eu
limit=1440 # KiB
dir=build/size; mkdir -p $dir

bytes() { stat -c %s "$1"; }
# flash FILE: prints its size in KiB in a router's file system.
flash() {
	rm -f $dir/image
	mksquashfs "$1" $dir/image -comp xz -b 256k -nopad -quiet -no-progress >/dev/null
	echo $((($(bytes $dir/image) + 1023) / 1024))
}

go build -o $dir/sstp-symbols ./src/cmd/sstp-symbols
printf '%-10s %9s  %9s  %-s\n' target file squashfs 'as it is linked'
for target in mips mipsle arm/5 arm/7 arm64 amd64 riscv64; do
	arch=${target%/*} version=${target#"${target%/*}"}
	env GOARCH="$arch" GOMIPS=softfloat GOARM="${version#/}" GOAMD64=v1 GOARM64=v8.0 GORISCV64=rva20u64 "$@" -o $dir/linked ./src/cmd/sstp
	$dir/sstp-symbols clear $dir/linked $dir/cleared
	size=$(flash $dir/cleared)
	printf '%-10s %5d KiB  %5d KiB  %5d KiB\n' "$arch${version:+v${version#/}}" $(($(bytes $dir/cleared) / 1024)) "$size" "$(flash $dir/linked)"
	if [ "$arch" = mipsle ] && [ "$size" -gt "$limit" ]; then
		echo "mipsle is over its budget of $limit KiB"
		exit 1
	fi
done

if [ "$(id -u)" != 0 ]; then
	echo "skipped: measuring the resident memory needs root"
	exit 0
fi
result=0
go test -count=1 -tags namespaces -run TestResidentMemory -v ./src/integration/namespaces >$dir/memory || result=$?
grep -E '^(resident|---|FAIL|ok|    )' $dir/memory
exit $result
