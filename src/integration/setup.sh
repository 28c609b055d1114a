#!/bin/sh
# Installs the Debian packages that are named and missing, where this machine has apt and we may use it. What needs a package
# that cannot be installed says so by itself.
set -eu
missing=
for package; do dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"; done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "not on Debian: install yourself, if missing:$missing"
	exit 0
fi
as=; [ "$(id -u)" = 0 ] || as="sudo -n"
# shellcheck disable=SC2086 # words on purpose
$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as apt-get install -y -qq $missing >/dev/null ||
	echo "could not install:$missing; what needs them says so"
