# Who publishes this, and where: `sh src/release/project.sh` changes it, here and in the Go sources.
SSTP_MODULE:=sstp
SSTP_URL:=
SSTP_MAINTAINER:=The developers of the SSTP client
