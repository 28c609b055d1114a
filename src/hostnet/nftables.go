package hostnet

import (
	"strings"

	"golang.org/x/sys/unix"
)

// Numbers of include/uapi/linux/netfilter/nf_tables.h and of libnftnl's udata.h.
const (
	nftGetRule   = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETRULE
	nftNewRule   = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWRULE
	nfgenLen     = 4 // struct nfgenmsg: family, version, resource
	nftInet      = 1 // NFPROTO_INET
	nftTable     = 1 // NFTA_RULE_TABLE
	nftUserdata  = 7 // NFTA_RULE_USERDATA
	udataComment = 0 // NFTNL_UDATA_RULE_COMMENT
)

// RuleComments returns the comments of all rules in an nftables table of family inet, none if the table does not exist. A comment
// of several rules is returned several times.
func RuleComments(table string) (comments []string, err error) {
	request := begin(nil, nftGetRule, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, seq, []byte{nftInet, 0, 0, 0})
	request = appendAttr(request, nftTable, append([]byte(table), 0))
	err = exchangeBy(unix.NETLINK_NETFILTER, request, func(m message) (bool, error) {
		if m.Type != nftNewRule {
			return false, nil
		}
		of, comment, err := nftComment(m.Payload)
		if comment != "" && of == table {
			comments = append(comments, comment)
		}
		return false, err
	})
	return comments, err
}

// nftComment reads the table and the comment of a rule.
func nftComment(payload []byte) (table, comment string, err error) {
	if len(payload) < nfgenLen {
		return "", "", errShort
	}
	for rest := payload[nfgenLen:]; len(rest) > 0; {
		typ, value, next, err := cutAttr(rest)
		if err != nil {
			return "", "", err
		}
		switch typ {
		case nftTable:
			table = text(value)
		case nftUserdata:
			// A type, a length and as many bytes, again and again.
			for len(value) >= 2 && len(value) >= 2+int(value[1]) {
				n := 2 + int(value[1])
				if value[0] == udataComment {
					comment = text(value[2:n])
				}
				value = value[n:]
			}
		}
		rest = next
	}
	return table, comment, nil
}

// text returns the text of a value that ends with a zero byte.
func text(value []byte) string {
	s, _, _ := strings.Cut(string(value), "\x00")
	return s
}
