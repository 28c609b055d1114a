package netkit

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestTransfersAreChecked(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go ServeTransfers(l)
	for _, d := range Directions {
		for _, n := range []int64{0, 1, patternLen, 3*patternLen + 7} {
			if _, err := Transfer(l.Addr().String(), d, n, 10*time.Second); err != nil {
				t.Errorf("%s, %d bytes: %v", d, n, err)
			}
		}
	}
}

func TestOtherBytesThanThoseSentAreFound(t *testing.T) {
	const n = 2*patternLen + 100
	var sent strings.Builder
	sendPattern(&sent, n)
	good := sent.String()
	for name, got := range map[string]string{
		"one bit":           good[:n-1] + string(good[n-1]^1),
		"a packet lost":     good[:1400] + good[2800:],
		"a packet repeated": good[:1400] + good[:n-1400],
		"packets swapped":   good[1400:2800] + good[:1400] + good[2800:],
		"the end":           good[:n-1],
	} {
		if checkPattern(strings.NewReader(got), n) == nil {
			t.Errorf("%s: taken for what was sent", name)
		}
	}
	if err := checkPattern(strings.NewReader(good), n); err != nil {
		t.Error(err)
	}
}

func TestAnUploadThatArrivesDamagedIsNotConfirmed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go ServeTransfers(l)
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write(AppendOrder(nil, Up, 3))
	c.Write([]byte("bad"))
	if answer, _ := io.ReadAll(c); len(answer) > 0 {
		t.Errorf("the server says %q", answer)
	}
}

func TestTheProcessorTimeOfAProcess(t *testing.T) {
	for stat, want := range map[string]int{
		"42 (qemu) S 1 42 42 0 -1 4194560 446 0 0 0 160 12 0 0 20":     172,
		"42 (a name) 1 2) S 1 42 42 0 -1 4194560 446 0 0 0 7 3 0 0 20": 10,
	} {
		if got, err := statTicks(stat); got != want || err != nil {
			t.Errorf("%q: %d, %v, want %d", stat, got, err, want)
		}
	}
	if _, err := statTicks(""); err == nil {
		t.Error("an empty line is one of /proc/PID/stat")
	}
	if m, err := MemoryOf(os.Getpid()); err != nil || m.Resident == 0 || m.Anonymous > m.Resident || m.Peak < m.Resident {
		t.Errorf("this process has %+v, %v", m, err)
	}
}

func TestATableIsMarkdown(t *testing.T) {
	var table Table
	table.Row("what", "Mbit/s")
	table.Row("sstp", "1234.5")
	table.Row("added, µs")
	var out strings.Builder
	table.Print(&out, 1)
	want := "" +
		"| what      | Mbit/s |\n" +
		"|-----------|-------:|\n" +
		"| sstp      | 1234.5 |\n" +
		"| added, µs |        |\n\n"
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", &out, want)
	}
}
