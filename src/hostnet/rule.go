package hostnet

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// rule is a policy routing rule of ours. It looks up the packets that match it in a private table; packets for which the table
// has no route go on to the next rule.
type rule struct {
	out      string     // device that the socket is bound to; "" for any
	from, to netip.Addr // invalid for any
	ipv6     bool
	table    uint32
}

// The layout of struct fib_rule_hdr of linux/fib_rules.h, and the one action that our rules have.
const (
	ruleHeaderLen = 12
	actionToTable = 1 // FR_ACT_TO_TBL
)

// add adds the rule. It is no error if the rule is already there.
func (r rule) add() error {
	err := exchange(r.request(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL), nil)
	if isErrno(err, unix.EEXIST) {
		return nil
	}
	return err
}

// remove deletes the rule. It is no error if the rule is already gone.
func (r rule) remove() error {
	err := exchange(r.request(unix.RTM_DELRULE, 0), nil)
	if isErrno(err, unix.ENOENT) || isErrno(err, unix.EAFNOSUPPORT) {
		return nil
	}
	return err
}

func (r rule) request(typ, flags uint16) []byte {
	fixed := make([]byte, ruleHeaderLen)
	fixed[0] = unix.AF_INET
	if r.ipv6 {
		fixed[0] = unix.AF_INET6
	}
	if r.to.IsValid() {
		fixed[1] = byte(r.to.BitLen())
	}
	if r.from.IsValid() {
		fixed[2] = byte(r.from.BitLen())
	}
	fixed[7] = actionToTable
	request := begin(nil, typ, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK, seq, fixed)
	request = appendAttr32(request, unix.FRA_PRIORITY, wayPriority)
	request = appendAttr32(request, unix.FRA_TABLE, r.table)
	request = appendAttr(request, unix.FRA_PROTOCOL, []byte{wayProtocol})
	if r.out != "" {
		request = appendAttr(request, unix.FRA_OIFNAME, append([]byte(r.out), 0))
	}
	if r.to.IsValid() {
		request = appendAttr(request, unix.FRA_DST, r.to.AsSlice())
	}
	if r.from.IsValid() {
		request = appendAttr(request, unix.FRA_SRC, r.from.AsSlice())
	}
	return request
}

// ruleTable returns the table of a rule in the payload of RTM_NEWRULE.
func ruleTable(b []byte) (table uint32, err error) {
	if len(b) < ruleHeaderLen {
		return 0, errShort
	}
	table = uint32(b[4])
	for rest := b[ruleHeaderLen:]; len(rest) > 0; {
		typ, value, next, err := cutAttr(rest)
		if err != nil {
			return 0, err
		}
		if typ == unix.FRA_TABLE && len(value) == 4 {
			table = native.Uint32(value)
		}
		rest = next
	}
	return table, nil
}

// entryTable returns the table of a route in the payload of RTM_NEWROUTE.
func entryTable(b []byte) (table uint32, err error) {
	e, err := parseEntry(b)
	return e.table, err
}

// flushTable removes all rules that lead to a table, and then all routes of the table, in both families.
func flushTable(table uint32) error {
	var first error
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		rule, route := make([]byte, ruleHeaderLen), make([]byte, unix.SizeofRtMsg)
		rule[0], route[0] = family, family
		for _, err := range []error{
			flush(unix.RTM_GETRULE, unix.RTM_NEWRULE, unix.RTM_DELRULE, rule, table, ruleTable),
			flush(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, unix.RTM_DELROUTE, route, table, entryTable),
		} {
			if first == nil && !isErrno(err, unix.EOPNOTSUPP) && !isErrno(err, unix.EAFNOSUPPORT) {
				first = err
			}
		}
	}
	return first
}

// flush lists rules or routes and deletes those of a table. The payload that describes an entry is also the request that deletes
// it.
func flush(get, is, del uint16, fixed []byte, table uint32, tableOf func(b []byte) (uint32, error)) error {
	var found [][]byte
	err := dump(get, is, fixed, func() { found = nil }, func(b []byte) error {
		t, err := tableOf(b)
		if err == nil && t == table {
			found = append(found, append([]byte(nil), b...))
		}
		return err
	})
	for _, payload := range found {
		gone := exchange(begin(nil, del, unix.NLM_F_REQUEST|unix.NLM_F_ACK, seq, payload), nil)
		if err == nil && !isErrno(gone, unix.ENOENT) && !isErrno(gone, unix.ESRCH) {
			err = gone
		}
	}
	return err
}
