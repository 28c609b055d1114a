module sstp

go 1.26.0

require (
	github.com/digineo/go-uci/v2 v2.0.0-20231120164223-60c14814b8fe
	github.com/godbus/dbus/v5 v5.2.4
	github.com/songgao/water v0.0.0-20200317203138-2b4b6d7c09d8
	golang.org/x/crypto v0.58.0
	golang.org/x/sys v0.49.0
)
