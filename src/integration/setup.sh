#!/bin/sh
# Installs the named Debian packages that are missing, where this machine has apt and this user may use it. Programs that need a
# package that could not be installed say so themselves.
set -eu
missing=
for package; do dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"; done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "this is not Debian: install these yourself:$missing"
	exit 0
fi
as=; [ "$(id -u)" = 0 ] || as="sudo -n"
# shellcheck disable=SC2086 # words on purpose
$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as apt-get install -y -qq $missing >/dev/null ||
	echo "could not install:$missing"
