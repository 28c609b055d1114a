package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"sstp/src/blobmsg"
	"sstp/src/control"
	"sstp/src/status"
)

func fields(s status.Status) blobmsg.Fields { return control.StatusFields(&s, time.Now()) }

func TestEveryPropertyHasTheTypeItIsDescribedWith(t *testing.T) {
	for _, st := range []status.Status{{}, upStatus} {
		for name, v := range values(fields(st)) {
			for _, p := range properties {
				if p.name == name && v.Signature().String() != p.signature {
					t.Errorf("property %s is %s, described as %s", name, v.Signature(), p.signature)
				}
			}
		}
	}
}

func TestTablesOfUbusBecomeDictionaries(t *testing.T) {
	d := variants(blobmsg.Fields{
		blobmsg.F("text", blobmsg.String("a\xffb")), blobmsg.F("number", blobmsg.Int64(1<<40)), blobmsg.F("small", blobmsg.Int(7)), blobmsg.F("yes", blobmsg.Bool(true)),
		blobmsg.F("ms", blobmsg.Double(1.5)), blobmsg.F("list", blobmsg.Array(blobmsg.String("x"), blobmsg.Int(1))), blobmsg.F("table", blobmsg.Tab(blobmsg.F("in", blobmsg.Int(1)))),
		blobmsg.F("small", blobmsg.Int(8)),
	})
	for name, want := range map[string]any{"text": "a?b", "number": int64(1 << 40), "small": int64(7), "yes": true, "ms": 1.5} {
		if got := d[name].Value(); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if list := d["list"].Value().([]dbus.Variant); len(list) != 2 || list[1].Value() != int64(1) {
		t.Errorf("list is %v", list)
	}
	if inner := d["table"].Value().(map[string]dbus.Variant); inner["in"].Value() != int64(1) {
		t.Errorf("table is %v", inner)
	}
}

func TestOnlyWhatIsNotLiveIsToldOfAsAChange(t *testing.T) {
	before, after := upStatus, upStatus
	after.Counters.RxBytes++
	after.RTT.Last++
	if told := changed(values(fields(before)), values(fields(after))); len(told) != 0 {
		t.Errorf("counters are told of: %v", told)
	}
	after.Server = "other.example.org:443"
	if told := changed(values(fields(before)), values(fields(after))); len(told) != 1 || told["Server"].Value() != after.Server {
		t.Errorf("a new server is told of as %v", told)
	}
}

func TestTunnelsHavePathsThatDBusAllows(t *testing.T) {
	for name, want := range map[string]dbus.ObjectPath{
		"vpn": "/org/openwrt/sstp/tunnel/vpn", "my_vpn": "/org/openwrt/sstp/tunnel/my_5fvpn", "a-b": "/org/openwrt/sstp/tunnel/a_2db",
	} {
		if got := tunnelPath(name); got != want || !got.IsValid() {
			t.Errorf("path of %s is %s, want %s", name, got, want)
		}
	}
}

func TestWrongArgumentsAreAnsweredWithAHint(t *testing.T) {
	var out, errors bytes.Buffer
	if code := run([]string{"--nonsense"}, &out, &errors); code != 2 || !bytes.Contains(errors.Bytes(), []byte("hint:")) {
		t.Errorf("exit code %d, %s", code, errors.String())
	}
	if code := run([]string{"version"}, &out, &errors); code != 0 || out.String() != "sstp-dbus development\n" {
		t.Errorf("version: exit code %d, %s", code, out.String())
	}
	errors.Reset()
	if code := run([]string{"--address", "unix:path=/nowhere"}, &out, &errors); code != 1 || !bytes.Contains(errors.Bytes(), []byte("D-Bus cannot be reached")) {
		t.Errorf("without a bus: exit code %d, %s", code, errors.String())
	}
}
