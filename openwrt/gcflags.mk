# How the programs are compiled, here and in OpenWrt's build system.
#
# Inlining makes the router's binary a tenth larger. It pays only where bytes are moved and enciphered, and in the curves of
# the handshake: everywhere else it is off. The last pattern that matches a package counts. A function is inlined where both
# its own package and the caller's are hot: the ciphers need encoding/binary and math/bits, and the arithmetic of the
# NIST curves (nistec/fiat) would grow by 30 KiB with math/bits in it.
include $(dir $(lastword $(MAKEFILE_LIST)))project.mk
SSTP_HOT = internal/poll internal/sync sync/... syscall internal/bytealg internal/abi internal/runtime/atomic internal/runtime/sys \
	encoding/binary math/bits golang.org/x/sys/unix crypto/cipher crypto/subtle vendor/golang.org/x/crypto/... crypto/internal/fips140deps/... \
	$(addprefix crypto/internal/fips140/,aes/... alias subtle sha256 sha512 hmac nistec edwards25519/field) \
	$(addprefix $(SSTP_MODULE)/src/,datapath tun offload sstp ppp)
SSTP_GCFLAGS = -gcflags=all=-l $(SSTP_HOT:%=-gcflags=%=)
