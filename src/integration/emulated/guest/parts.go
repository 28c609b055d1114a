package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"sstp/src/transport"
)

// ofParts is what the figures of the data path's parts are of.
const ofParts = "parts"

// benchmarks runs those of each stage of the data path. Where nothing else runs, their nanoseconds are instructions; the
// least of three runs has the fewest of the kernel's and of the runtime's own affairs in it.
func benchmarks() error {
	for _, r := range []struct{ program, which, times string }{
		{"offload", "Split/TCP4|Merge/TCP4", "300x"},
		{"offload", "Sum/64|Sum/1400", "10000x"},
		{"datapath", "Send|Cut", "5000x"},
		{"tun", "Read/call|Read/offload|Write/call|Write/offload", "200x"},
		{"transport", "Write|Read", "40x"},
	} {
		cmd := exec.Command("/bin/"+r.program+".test", "-test.run", "^$", "-test.bench", r.which, "-test.benchtime", r.times, "-test.count", "3")
		cmd.Env = append(os.Environ(), "SSTP_TEST_KTLS=1", "GOGC=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("the benchmarks of %s: %w\n%s", r.program, err, out)
		}
		least := map[string]float64{}
		for line := range strings.Lines(string(out)) { // BenchmarkWrite/plain/72   40   20833 ns/op ...
			f := strings.Fields(line)
			if len(f) < 4 || f[3] != "ns/op" {
				continue
			}
			name := strings.TrimPrefix(f[0], "Benchmark")
			if n, err := strconv.ParseFloat(f[2], 64); err == nil && (least[name] == 0 || n < least[name]) {
				least[name] = n
			}
		}
		for _, name := range slices.Sorted(maps.Keys(least)) {
			result(ofParts, r.program+"/"+name, least[name])
		}
		note("measured the parts in package %s", r.program)
	}
	return nil
}

// datagrams measures the whole client with small packets, one by one and many at a time, there and back.
func (b *bed) datagrams() error {
	server, err := b.serve("1.3", "CHACHA20_POLY1305")
	if err != nil {
		return err
	}
	defer server.End()
	for _, path := range []string{transport.PathGo, transport.PathKernel} {
		if err := b.datagramsOn(path); err != nil {
			return fmt.Errorf("the path %s: %w", path, err)
		}
	}
	return nil
}

func (b *bed) datagramsOn(path string) error {
	p, _, _, err := b.up(path)
	if err != nil {
		return err
	}
	defer p.End()
	mirror, err := b.there("serving", "/init", "echo", inside+":7")
	if err != nil {
		return err
	}
	defer mirror.End()
	const size, warm, count = 64, 64, 640
	for _, window := range []int{1, 64} {
		var used [2]time.Duration
		for i, n := range []int{warm, warm + count} {
			begun, err := clientTime(p.Pid())
			if err != nil {
				return err
			}
			if _, err := b.here("", "datagrams", inside+":7", strconv.Itoa(size), strconv.Itoa(n), strconv.Itoa(window)); err != nil {
				return fmt.Errorf("%w\n%s", err, p.Output())
			}
			ended, err := clientTime(p.Pid())
			if err != nil {
				return err
			}
			used[i] = ended - begun
		}
		result(ofParts, fmt.Sprintf("whole/%s/%dx%d", path, window, size), int64(used[1]-used[0])/count)
	}
	note("sent datagrams there and back on the path %s", path)
	return nil
}

// headers of IPv4 and UDP.
const udpHeaders = 28

// echo sends datagrams back.
func echo(addr string) error {
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	for b := make([]byte, 2048); ; {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return err
		}
		if _, err := c.WriteTo(b[:n], from); err != nil {
			return err
		}
	}
}

// datagrams sends packets of a size to such a server, as many at once as window says, and waits for all of them to come
// back before the next ones.
func datagrams(addr string, size, count, window int) error {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patient))
	b := make([]byte, size-udpHeaders)
	for count > 0 {
		n := min(window, count)
		for range n {
			if _, err := c.Write(b); err != nil {
				return err
			}
		}
		for range n {
			if got, err := c.Read(b); err != nil || got != len(b) {
				return errors.Join(err, fmt.Errorf("%d bytes of %d", got, len(b)))
			}
		}
		count -= n
	}
	return nil
}
