package killswitch

import "strings"

// Problem is a reason why the switch cannot be turned on, or a defect of one that is on. Key is stable and meant for
// translation, Args fill in the translation, and Text is the English sentence.
type Problem struct {
	Key  string
	Args []string
	Text string
}

// Error returns the sentence.
func (p *Problem) Error() string { return p.Text }

// texts holds the sentence of each key; %1 and %2 stand for the arguments.
var texts = map[string]string{
	// Why the switch cannot be turned on.
	"no_tunnel":             "There is no interface %1 with option proto 'sstp'.",
	"no_firewall":           "The firewall has no zones: without a firewall there is no kill switch.",
	"no_lan":                "No firewall zone has the network lan: name the zones whose networks are to be kept in.",
	"no_zone":               "There is no firewall zone %1. The zones are: %2.",
	"no_uplink_zone":        "No firewall zone leads to the internet: there is nothing that the kill switch could close.",
	"zone_is_uplink":        "Zone %1 leads to the internet itself: choose zones of local networks.",
	"zone_taken":            "The kill switch of %2 has zone %1 already: turn that one off first, or choose another zone.",
	"tunnel_in_uplink_zone": "The tunnel %1 is in zone %2, which leads to the internet without it: take %1 out of zone %2 first.",
	"tunnel_in_chosen_zone": "The tunnel %1 is in zone %2 itself: take %1 out of zone %2 first.",
	"bad_except":            "The exception %1 is neither an address or subnet of IPv4 or IPv6 nor a MAC address.",
	"no_nft":                "The program nft is missing: the firewall (fw4) cannot load any rule.",
	"no_fw":                 "There is no firewall on this machine (neither fw4 nor fw3).",

	// What is wrong with one that is on.
	"missing":         "The section %1 of the configuration is missing.",
	"changed":         "Option %2 of the section %1 of the configuration was changed.",
	"extra":           "The section %1 of the configuration does not belong to the kill switch as it should be now.",
	"order":           "The rule %1 comes before those of the kill switch and may let something out.",
	"names_uplink":    "The name servers of %1 are used again: option peerdns or dns was changed.",
	"not_loaded":      "The firewall does not run: no rule of the kill switch is loaded.",
	"rule_not_loaded": "The firewall has not loaded the rule %1.",
	"leftover":        "Sections of the kill switch are left, such as %1, but not its record.",
	"zone_shared":     "Zone %1 also holds %2: what may use the tunnel may leave that way too.",
	"zone_no_masq":    "Zone %1 does not masquerade (option masq): connections that are open go on by the uplink when the tunnel is down.",
	"zone_no_masq6":   "Zone %1 does not masquerade IPv6 (option masq6): connections by IPv6 that are open go on by the uplink when the tunnel is down.",
	"forward_accept":  "The firewall forwards what no rule refuses (option forward of its defaults is ACCEPT): until it has loaded a new uplink, traffic may leave there.",
}

// NewProblem returns the problem of a key, with its sentence.
func NewProblem(key string, args ...string) *Problem {
	text := texts[key]
	for i, arg := range args {
		text = strings.ReplaceAll(text, "%"+string(rune('1'+i)), arg)
	}
	return &Problem{Key: key, Args: args, Text: text}
}
