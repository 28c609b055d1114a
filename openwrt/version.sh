#!/bin/sh
# Prints the packages' version, taken from the tag: v1.2.3 is 1.2.3, and the fifth commit after it is 1.2.3_p5~1a2b3c4d,
# which opkg and apk both place between 1.2.3 and 1.2.4. An archive of the sources carries its version in the file VERSION.
cd "$(dirname "$0")" || exit 1
if [ -f VERSION ]; then
	cat VERSION
	exit
fi
if described=$(git describe --tags --long --abbrev=8 --match 'v[0-9]*' 2>/dev/null); then
	tag=${described%-*-g*}
	commits=${described#"$tag"-}
	commits=${commits%-g*}
	version=$(printf '%s' "${tag#v}" | sed 's/-\(alpha\|beta\|rc\)\.*/_\1/')
	[ "$commits" = 0 ] && { echo "$version"; exit; }
	echo "${version}_p$commits~${described##*-g}"
elif count=$(git rev-list --count HEAD 2>/dev/null); then
	echo "0.0.0_p$count~$(git rev-parse --short=8 HEAD)"
else
	echo 0.0.0
fi
