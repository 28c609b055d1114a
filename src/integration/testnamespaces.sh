#!/bin/sh
# Runs the programs of build/ in network namespaces, which needs root.
if [ "$(id -u)" != 0 ]; then
	echo "skipped: the tests in network namespaces need root"
	exit 0
fi
exec go test -count=1 -tags namespaces ./src/integration/...
