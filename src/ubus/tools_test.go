package ubus_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// The ubus tool of OpenWrt, where it is installed, is the judge of our JSON and of the fake ubusd.
func TestTheUbusToolUnderstandsUsAndTheFakeUbusd(t *testing.T) {
	tool, err := exec.LookPath("ubus")
	if err != nil {
		t.Skip("needs the program ubus")
	}
	onEachBus(t, func(t *testing.T, b *bus) {
		if b.path == "" {
			return // the tool cannot enter a bubble
		}
		run := func(args ...string) (string, int) {
			t.Helper()
			out, err := exec.Command(tool, append([]string{"-s", b.path}, args...)...).CombinedOutput()
			var failed *exec.ExitError
			if err != nil && !errors.As(err, &failed) {
				t.Fatal(err)
			}
			code := 0
			if failed != nil {
				code = failed.ExitCode()
			}
			return strings.TrimSpace(string(out)), code
		}
		received := make(chan blobmsg.Fields, 1)
		heard := make(chan string, 9)
		b.client(t, func(c *ubus.Client) {
			c.Publish(&ubus.Object{Path: "sstp.test", Methods: []ubus.Method{
				{Name: "echo", Args: []ubus.Arg{{Name: "n", Type: blobmsg.TypeInt32}, {Name: "on", Type: blobmsg.TypeBool}, {Name: "any"}},
					Handler: func(_ context.Context, r *ubus.Request) (blobmsg.Fields, error) {
						received <- r.Args
						return r.Args, nil
					}},
				method("refuse", func(context.Context, *ubus.Request) (blobmsg.Fields, error) { return nil, ubus.StatusPermissionDenied }),
			}})
			c.Listen("sstp*", func(event string, data blobmsg.Fields) { heard <- event + asJSON(data) })
		})
		for _, text := range []string{
			`{"a":1,"b":-1,"c":2147483647,"d":2147483648,"e":-2147483649,"f":9223372036854775807,"g":99999999999999999999}`,
			`{"d":1.5,"e":1e3,"f":-0.0000004,"g":123456789.125,"h":1e300}`,
			`{"t":true,"f":false,"n":null,"s":"","u":"grüß \u00fc \ud83d\ude00 \" \\ \/ \b\f\n\r\t \u0001"}`,
			`{"list":[1,"x",[],{},[[{"y":[null,true,2.5]}]]],"table":{"k":{"k":{"k":1}}},"twice":1,"twice":2}`,
		} {
			out, code := run("-S", "call", "sstp.test", "echo", text)
			if code != 0 {
				t.Fatalf("%s: %d, %s", text, code, out)
			}
			args := <-received
			v, err := blobmsg.ParseJSON([]byte(text))
			if err != nil || !reflect.DeepEqual(v.Fields(), args) {
				t.Errorf("%s: the tool sends %s, we read %s, %v", text, asJSON(args), asJSON(v.Fields()), err)
			}
			if want := string(blobmsg.AppendJSON(nil, v)); out != want {
				t.Errorf("%s: the tool writes\n%s, we write\n%s", text, out, want)
			}
		}
		if out, code := run("-S", "call", "sstp.test", "refuse"); code != 6 {
			t.Errorf("refuse: %d, %s", code, out)
		}
		if out, code := run("-S", "call", "sstp.test", "none"); code != 3 {
			t.Errorf("none: %d, %s", code, out)
		}
		if out, code := run("-S", "call", "sstp.none", "none"); code != 4 {
			t.Errorf("none: %d, %s", code, out)
		}
		if out, code := run("-v", "list", "sstp.*"); code != 0 || !strings.Contains(out, "\t\"echo\":{\"n\":\"Integer\",\"on\":\"Boolean\",\"any\":\"(unknown)\"}\n\t\"refuse\":{}") {
			t.Errorf("list: %d, %s", code, out)
		}
		if out, code := run("send", "sstp", `{"state":"up"}`); code != 0 {
			t.Errorf("send: %d, %s", code, out)
		}
		if got := <-heard; got != `sstp{"state":"up"}` {
			t.Errorf("heard %s", got)
		}
		if out, code := run("wait_for", "-t", "1", "sstp.test"); code != 0 {
			t.Errorf("wait_for: %d, %s", code, out)
		}
	})
}

func TestFileDescriptorsThatArriveAreClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ubus.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := ubus.New(ubus.Options{Socket: path})
	run(t, c)
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello := ubus.AppendMessage(nil, ubus.Message{Type: ubus.MessageHello, Peer: 5000})
	if _, _, err := conn.WriteMsgUnix(hello, syscall.UnixRights(int(w.Fd())), nil); err != nil {
		t.Fatal(err)
	}
	w.Close()
	// The pipe ends when nobody has its other side any more.
	if b, err := io.ReadAll(r); len(b) != 0 || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}
