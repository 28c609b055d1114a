package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/logs"
	"sstp/src/text"
	"sstp/src/transport/trust"
	"sstp/src/tunnels"
)

// statusRows is how a status is laid out for people: a label and, behind "=", pieces between semicolons. Each piece names one
// field in braces, and is left out where the field is not there.
const statusRows = `
={explanation}
next try=in {next_retry_ms}
server={server};, {server_address};, by {uplink};, through the proxy {proxy}
TLS={tls.version};, {tls.cipher};, by {tls.path}; ({tls.path_reason})
certificate={tls.subject};, {tls.verified_by};, valid until {tls.not_after}
login={auth};, binding {crypto_binding}
address={ipv4.address};, server {ipv4.peer}
name server={ipv4.dns}
IPv6 link={ipv6.address};, server {ipv6.peer}
device={device};, MTU {mtu}
round trip={rtt_ms.last} ms; ({rtt_ms.min}; to {rtt_ms.max};, {rtt_ms.avg} on average)
received={counters.rx_bytes};, {counters.rx_packets} packets;, {counters.rx_dropped} dropped
sent={counters.tx_bytes};, {counters.tx_packets} packets;, {counters.tx_dropped} dropped
reconnects={reconnects}
last error={last_error.code};, {last_error.time};: {last_error.message}
hint={last_error.hint}
try={hint}`

// answer is what is known of a tunnel, for people.
type answer struct{ *tunnels.Answer }

// state returns the tunnel's state for people, with a warning if the tunnel is up and traffic bypasses it.
func (a answer) state() string {
	state := a.Fields.Text("state")
	internet := a.Fields.Table("reach").Table("internet")
	if ok, looked := internet.Flag("ok"); !a.Up() || ok || !looked {
		return state
	}
	if by := internet.Texts("args"); len(by) > 0 {
		return state + ", but Internet goes by " + text.Show(by[0], logs.MaxLine)
	}
	return state + ", but Internet cannot be reached"
}

// headline returns the state of a tunnel in one line.
func (a answer) headline() string {
	line := a.Name + ": " + a.state()
	switch {
	case a.Up():
		line += ", " + a.Fields.Table("ipv4").Text("address")
	default:
		if code := a.Fields.Table("last_error").Text("code"); code != "" {
			line += ", " + code
		}
	}
	return line
}

// print prints all that is known of a tunnel, for people.
func (a answer) print(w io.Writer, now time.Time) {
	title := a.Name + ": " + a.state()
	if s, ok := a.Fields.Number("uptime_s"); ok {
		title += " for " + span(time.Duration(s)*time.Second)
	} else if at, ok := a.Fields.Number("since"); ok {
		title += " for " + span(now.Sub(time.Unix(at, 0)))
	}
	fmt.Fprintln(w, title)
	a.printReach(w)
	for _, row := range strings.Split(statusRows[1:], "\n") {
		label, pieces, _ := strings.Cut(row, "=")
		switch {
		case label == "hint" && a.Up(): // it worked since
			continue
		case (label == "received" || label == "sent") && a.Fields.Text("device") == "": // nothing, by nothing
			continue
		}
		text := ""
		for _, piece := range strings.Split(pieces, ";") {
			before, rest, _ := strings.Cut(piece, "{")
			path, after, _ := strings.Cut(rest, "}")
			if value := fieldText(a.Fields, path, now); value != "" {
				text += before + value + after
			}
		}
		if text = strings.TrimPrefix(text, ", "); text != "" {
			printRow(w, label, text)
		}
	}
	a.printKillSwitch(w)
	for _, warned := range a.Fields.Tables("options_warned") {
		printRow(w, "warning", "option "+warned.Text("option")+": "+warned.Text("text"))
	}
	for _, text := range a.Fields.Texts("address_warnings") {
		printRow(w, "warning", text)
	}
}

// printReach prints where traffic goes.
func (a answer) printReach(w io.Writer) {
	for _, label := range [...]string{"Internet", "IPv6", "Names", "Firewall"} {
		finding := a.Fields.Table("reach").Table(strings.ToLower(label))
		text := finding.Text("text")
		if text == "" {
			continue
		}
		if ok, _ := finding.Flag("ok"); !ok {
			text = "WARNING: " + text
		}
		printRow(w, label+":", text)
	}
}

func printRow(w io.Writer, label, value string) {
	fmt.Fprintf(w, "  %-12s%s\n", label, text.Show(value, logs.MaxLine))
}

// fieldText returns a field for people, "" if it is missing or not worth showing.
func fieldText(f blobmsg.Fields, path string, now time.Time) string {
	v := f.At(path)
	n, number := v.Num()
	str, _ := v.Str()
	name := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case v.Type() == blobmsg.TypeUnspec:
		return ""
	case name == "next_retry_ms":
		return span(time.Duration(n) * time.Millisecond)
	case name == "verified_by":
		return string(trust.VerifiedText(str))
	case name == "not_after":
		return time.Unix(n, 0).UTC().Format(time.DateOnly)
	case name == "time":
		return span(now.Sub(time.Unix(n, 0))) + " ago"
	case name == "rx_bytes", name == "tx_bytes":
		return bytesText(uint64(n))
	case number && n == 0 && name == "reconnects":
		return ""
	case number:
		return strconv.FormatInt(n, 10)
	case v.Type() == blobmsg.TypeDouble:
		d, _ := v.Float()
		return strconv.FormatFloat(d, 'f', 1, 64)
	}
	return strings.Join(v.Texts(), ", ")
}

// span returns a duration for people, in its two largest units.
func span(d time.Duration) string {
	s := max(int64((d+time.Second/2)/time.Second), 0)
	units := "d h min s"
	sizes := [...]int64{86400, 3600, 60, 1}
	text := ""
	for _, size := range sizes {
		unit, rest, _ := strings.Cut(units, " ")
		units = rest
		if n := s / size; n > 0 || size == 1 && text == "" {
			if text != "" {
				return text + " " + strconv.FormatInt(n, 10) + " " + unit
			}
			text = strconv.FormatInt(n, 10) + " " + unit
			s %= size
		} else if text != "" {
			return text
		}
	}
	return text
}

// printKillSwitch prints the kill switch of a status.
func (a answer) printKillSwitch(w io.Writer) {
	st := a.Fields.Table("killswitch")
	if on, _ := st.Flag("on"); on {
		text := "on for " + strings.Join(st.Texts("zones"), ", ")
		if router, _ := st.Flag("router"); router {
			text += " and the router itself"
		}
		if except := st.Texts("except"); except != nil {
			text += ", except " + strings.Join(except, ", ")
		}
		printRow(w, "kill switch", text)
	}
	for _, p := range st.Tables("problems") {
		printRow(w, "warning", "kill switch: "+p.Text("text"))
	}
}
