package transport

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strconv"
	"testing"

	"sstp/src/config"
	"sstp/src/lab"
	"sstp/src/transport/testkit"
)

// BenchmarkWrite is the way of a write into the socket, without TLS and on both paths of it. What arrives is taken out and
// not looked at while the time stands still.
func BenchmarkWrite(b *testing.B) {
	onEachPath(b, func(b *testing.B, ours, _ io.ReadWriter, theirs net.Conn, size int) {
		record, sink := make([]byte, size), make([]byte, 128<<10)
		at := min(64<<10/size, 64) // so many records hold the sockets' buffers with ease
		b.StopTimer()
		b.ResetTimer()
		for done := 0; done < b.N; {
			n := min(b.N-done, at)
			b.StartTimer()
			for range n {
				if n, err := ours.Write(record); n != size || err != nil {
					b.Fatal(n, err)
				}
			}
			b.StopTimer()
			done += n
			for n *= size; n > 0; { // or more: the records' own bytes
				got, err := theirs.Read(sink)
				if err != nil {
					b.Fatal(err)
				}
				n -= got
			}
		}
	})
}

// BenchmarkRead is the way back, of one record at a time that is there: of more, crypto/tls takes as many as it has room
// for out of the socket at once.
func BenchmarkRead(b *testing.B) {
	onEachPath(b, func(b *testing.B, ours, session io.ReadWriter, _ net.Conn, size int) {
		record := make([]byte, size)
		b.StopTimer()
		b.ResetTimer()
		for range b.N {
			if _, err := session.Write(record); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			n, err := ours.Read(record)
			b.StopTimer()
			if n != size || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}

// onEachPath runs f with connections of ours, and the server's end with and without its TLS, for records of one small packet
// and of eleven large ones with their headers.
func onEachPath(b *testing.B, f func(b *testing.B, ours, session io.ReadWriter, theirs net.Conn, size int)) {
	b.Run("plain", func(b *testing.B) {
		ours, theirs := rawPair(b)
		inSizes(b, func(b *testing.B, size int) { f(b, ours, theirs, theirs, size) })
	})
	for _, c := range []struct{ name, suite string }{{"ChaCha20", "CHACHA20"}, {"AES128", "AES_128_GCM"}} {
		for _, path := range []string{PathGo, PathKernel} {
			b.Run(path+"/"+c.name, func(b *testing.B) {
				lab.OnlySuite13(c.suite)
				ours, session, theirs := tlsPair(b, path)
				inSizes(b, func(b *testing.B, size int) { f(b, ours, session, theirs, size) })
			})
		}
	}
}

func inSizes(b *testing.B, f func(b *testing.B, size int)) {
	for _, size := range []int{1 * 72, 11 * 1408} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			f(b, size)
		})
	}
}

// tlsPair returns a connection on a path and the server's end of it, with and without TLS.
func tlsPair(b *testing.B, path string) (ours, session io.ReadWriter, theirs net.Conn) {
	cfg := testkit.Over13(b)
	cfg.DynamicRecordSizingDisabled = true
	var server *tls.Conn
	open, over := make(chan error, 1), make(chan struct{})
	o := unverified(testkit.Listen(b, func(conn net.Conn) {
		server, theirs = tls.Server(conn, cfg), conn
		_, err := testkit.ReadHead(server)
		if err == nil {
			_, err = io.WriteString(server, testkit.OKHead)
		}
		open <- err
		<-over
	}))
	b.Cleanup(func() { close(over) })
	dial := o.DialTCP
	o.DialTCP = func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
		conn, err := dial(ctx, a)
		if err != nil {
			return nil, err
		}
		return NewRawConn(conn.(*net.TCPConn))
	}
	if path == PathKernel {
		o.KTLS = config.On
	}
	conn, err := Connect(b.Context(), o, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	if info := conn.Info(); info.Path != path {
		b.Skip(info.PathReason)
	}
	if err := <-open; err != nil {
		b.Fatal(err)
	}
	return conn, server, theirs
}
