#!/bin/sh
# Says who publishes the project, and where: writes openwrt/project.mk, and changes the module's path in go.mod and in all
# Go sources.
#
# usage: project.sh MODULE URL MAINTAINER    such as: project.sh example.org/sstp https://example.org/sstp 'A. Name <a@example.org>'
set -eu
[ $# = 3 ] || { sed -n 's/^# usage: //p' "$0" >&2; exit 2; }
cd "$(dirname "$0")/../.."
module=$1 url=$2 maintainer=$3
case $module$url in *[!A-Za-z0-9._~:/-]*) echo "error: a module's path and an address have no other characters than A-Z a-z 0-9 . _ ~ : / -" >&2; exit 2 ;; esac

old=$(go list -m)
go mod edit -module "$module"
git ls-files 'src/*.go' | xargs sed -i -E "s,(\"|[^A-Za-z0-9_./-]|\\\\n|\\\\t)$old/src,\\1$module/src,g"
gofmt -w src # the order of imports follows their paths
cat >openwrt/project.mk <<END
# Who publishes this, and where: \`sh src/release/project.sh\` changes it, here and in the Go sources.
SSTP_MODULE:=$module
SSTP_URL:=$url
SSTP_MAINTAINER:=$maintainer
END
