#!/bin/sh
# Tests the packages that were built, with the real opkg, apk and dbus-daemon where they are installed, and prints what was
# skipped. The arguments are those of go test.
set -eu
log=build/test-packages.log
if ! go test -count=1 -v "$@" -tags packages ./src/release ./src/cmd/sstp-dbus >$log 2>&1; then
	grep -v '^=== ' $log
	exit 1
fi
awk -f src/release/skipped.awk $log
