package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// sstp up on a Linux machine that is no router: it is on a cable of its own to the internet.
const (
	plainAddress  = "198.51.101.2"
	plainGateway  = "198.51.101.1"
	plainAddress6 = "2001:db8:3::2"
	plainGateway6 = "2001:db8:3::1"
)

// plainMachine makes the machine's network.
func (w *world) plainMachine() *space {
	s, err := newSpace("plain")
	w.must(err)
	w.must(join(end{w.internet, "plain", []string{plainGateway + "/24", plainGateway6 + "/64"}},
		end{s, "eth0", []string{plainAddress + "/24", plainAddress6 + "/64"}}))
	w.plainRoutes(s)
	return s
}

// plainRoutes lays the machine's default routes, as its DHCP client does whenever the cable is put in.
func (w *world) plainRoutes(s *space) {
	for _, args := range [][]string{
		{"ip", "-6", "addr", "replace", plainAddress6 + "/64", "dev", "eth0", "nodad"}, // the kernel forgets it without a cable
		{"ip", "route", "replace", "default", "via", plainGateway, "dev", "eth0"},
		{"ip", "-6", "route", "replace", "default", "via", plainGateway6, "dev", "eth0"},
	} {
		_, err := s.run(args...)
		w.must(err)
	}
}

// upHeldForever: once sstp up has been up, with option hold 'forever', none of the machine's IPv4 traffic leaves by another way
// until it is ended. Before, and afterwards, each kind leaves.
func upHeldForever(w *world) {
	machine := w.plainMachine()
	w.serveVPN("--user", "plain:simple")
	p := w.newProof(machine, "")
	p.leavesAll(p.during("before sstp up", func() { time.Sleep(dwell) }))
	config := w.file("plain/network", "config interface 'plain'\n\toption proto sstp\n\toption server "+serverAddress+"\n\toption server_name "+
		serverName+"\n\toption username plain\n\toption password simple\n\toption ca_cert "+
		w.file("plain-ca.pem", string(w.certificate.RootPEM()))+"\n\toption hold forever\n\toption keepalive '2 1'\n")
	command := []string{"env", "SSTP_SOCKETS=" + w.kit.Dir, "UBUS_SOCKET=" + w.kit.Dir + "/none", filepath.Join(w.job.Build, "sstp")}
	var client interface {
		Signal(syscall.Signal) error
		Output() string
	}
	w.must(machine.do(func() error {
		process, err := w.kit.Here.Start(append(command, "up", "plain", "--config", filepath.Dir(config))...)
		client = process
		return err
	}))
	up := func(n int) {
		w.until(90*time.Second, fmt.Sprintf("up, call %d", n), func() string {
			if have := strings.Count(client.Output(), " on sstp-plain, MTU"); have < n {
				return fmt.Sprintf("%d calls:\n%s", have, client.Output())
			}
			return ""
		})
		w.reaches(machine, insideAddress, upLimit)
	}
	up(1)
	time.Sleep(time.Second) // TCP connections of before end
	six := []string{"tcp6", "udp6", "icmp6"}
	calls := 1
	for _, e := range []event{
		{"up", func() { time.Sleep(dwell) }},
		{"cut", func() { w.must(w.lab.Signal(cut)); calls++; up(calls) }},
		{"silent", func() { w.must(w.lab.Signal(silence)); calls++; up(calls) }},
		{"SIGHUP, another address of the same peer", func() { w.must(client.Signal(syscall.SIGHUP)); calls++; up(calls) }},
		{"lost", func() {
			w.killServer()
			time.Sleep(10 * time.Second)
			w.serveVPN("--user", "plain:simple")
			calls++
			up(calls)
		}},
		{"the cable out for two seconds", func() {
			w.plug("plain", false)
			time.Sleep(2 * time.Second)
			w.plug("plain", true)
			_, err := w.internet.run("ip", "-6", "addr", "replace", plainGateway6+"/64", "dev", "plain", "nodad")
			w.must(err)
			w.plainRoutes(machine)
			time.Sleep(time.Second)
			w.reaches(machine, insideAddress, upLimit)
		}},
		{"lost for longer than the default hold", func() {
			w.killServer()
			time.Sleep(35 * time.Second)
		}},
	} {
		p.leaks(p.during(e.name, e.do), six...)
	}
	w.must(client.Signal(syscall.SIGTERM))
	p.leavesAll(p.during("after sstp up has ended", func() { time.Sleep(2 * dwell) }))
	p.tell("sstp up, hold forever")
	w.say("%s", client.Output())
}
