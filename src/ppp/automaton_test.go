package ppp

import (
	"strings"
	"testing"
)

// printed is the table of RFC 1661 section 4.1 as the RFC prints it, both halves.
const printed = `
   Events| Initial   Starting  Closed    Stopped   Closing   Stopping
    Up   |    2     irc,scr/6     -         -         -         -
    Down |    -         -         0       tls/1       0         1
    Open |  tls/1       1     irc,scr/6     3r        5r        5r
    Close|    0       tlf/0       2         2         4         4
     TO+ |    -         -         -         -       str/4     str/5
     TO- |    -         -         -         -       tlf/2     tlf/3
    RCR+ |    -         -       sta/2 irc,scr,sca/8   4         5
    RCR- |    -         -       sta/2 irc,scr,scn/6   4         5
    RCA  |    -         -       sta/2     sta/3       4         5
    RCN  |    -         -       sta/2     sta/3       4         5
    RTR  |    -         -       sta/2     sta/3     sta/4     sta/5
    RTA  |    -         -         2         3       tlf/2     tlf/3
    RUC  |    -         -       scj/2     scj/3     scj/4     scj/5
    RXJ+ |    -         -         2         3         4         5
    RXJ- |    -         -       tlf/2     tlf/3     tlf/2     tlf/3
    RXR  |    -         -         2         3         4         5

   Events| Req-Sent  Ack-Rcvd  Ack-Sent    Opened
    Up   |    -         -         -           -
    Down |    1         1         1         tld/1
    Open |    6         7         8           9r
    Close|irc,str/4 irc,str/4 irc,str/4 tld,irc,str/4
     TO+ |  scr/6     scr/6     scr/8         -
     TO- |  tlf/3p    tlf/3p    tlf/3p        -
    RCR+ |  sca/8   sca,tlu/9   sca/8   tld,scr,sca/8
    RCR- |  scn/6     scn/7     scn/6   tld,scr,scn/6
    RCA  |  irc/7     scr/6x  irc,tlu/9   tld,scr/6x
    RCN  |irc,scr/6   scr/6x  irc,scr/8   tld,scr/6x
    RTR  |  sta/6     sta/6     sta/6   tld,zrc,sta/5
    RTA  |    6         6         8       tld,scr/6
    RUC  |  scj/6     scj/7     scj/8       scj/9
    RXJ+ |    6         6         8           9
    RXJ- |  tlf/3     tlf/3     tlf/3   tld,irc,str/5
    RXR  |    6         7         8         ser/9
`

func TestAutomatonIsTheTableOfRFC1661(t *testing.T) {
	events := []string{"Up", "Down", "Open", "Close", "TO+", "TO-", "RCR+", "RCR-", "RCA", "RCN", "RTR", "RTA", "RUC", "RXJ+", "RXJ-", "RXR"}
	short := map[operation]string{tlu: "tlu", tld: "tld", tls: "tls", tlf: "tlf", irc: "irc", zrc: "zrc", scr: "scr", sca: "sca", scn: "scn", str: "str", sta: "sta", scj: "scj", ser: "ser"}

	cells, column := 0, initial
	var columns []state
	for line := range strings.Lines(printed) {
		name, rest, ok := strings.Cut(line, "|")
		if !ok {
			continue
		}
		name, fields := strings.TrimSpace(name), strings.Fields(rest)
		if name == "Events" {
			columns = nil
			for _, f := range fields {
				if column.String() != f {
					t.Fatalf("column %d is %q, the RFC says %q", column, column, f)
				}
				columns = append(columns, column)
				column++
			}
			continue
		}
		e := event(0)
		for events[e] != name {
			e++
		}
		for i, want := range fields {
			s := columns[i]
			want = strings.TrimRight(want, "prx") // the footnotes
			next, do := step(s, e)
			got := string(rune('0' + next))
			if !automaton[e][s].legal {
				got = "-"
				if next != s || do != nil {
					t.Errorf("%s in %s must change nothing", name, s)
				}
			}
			if len(do) > 0 {
				var names []string
				for _, op := range do {
					names = append(names, short[op])
				}
				got = strings.Join(names, ",") + "/" + got
			}
			if got != want {
				t.Errorf("%s in %s: %s, the RFC says %s", name, s, got, want)
			}
			cells++
		}
	}
	if want := int(numEvents) * int(numStates); cells != want {
		t.Errorf("%d cells compared, want %d", cells, want)
	}
}
