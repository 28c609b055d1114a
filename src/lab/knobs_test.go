package lab

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestEachMisbehaviourStandsInTheTableOnce(t *testing.T) {
	var m Misbehaviour
	fields := map[any]string{}
	v := reflect.ValueOf(&m).Elem()
	for i := range v.NumField() {
		fields[v.Field(i).Addr().Interface()] = v.Type().Field(i).Name
	}
	names := map[string]bool{}
	for _, k := range Knobs() {
		f := k.field(&m)
		if _, ok := fields[f]; !ok {
			t.Errorf("%s: its field has another entry already", k.Name)
		}
		delete(fields, f)
		if names[k.Name] || k.Help == "" || strings.ToLower(k.Name) != k.Name {
			t.Errorf("%s: the name must be in lower case, unique and explained", k.Name)
		}
		names[k.Name] = true
	}
	for _, name := range fields {
		t.Errorf("field %s cannot be switched on from the command line", name)
	}
}

func TestParseMisbehaviour(t *testing.T) {
	m, err := ParseMisbehaviour("nak, first=2,ipcp-delay=10s,ack-mask=0x80,offer-only=pap,http-redirect=https://x/")
	if err != nil {
		t.Fatal(err)
	}
	if !m.Nak || m.First != 2 || m.IPCPDelay != 10*time.Second || *m.AckMask != 0x80 || m.OfferOnly != "pap" || m.HTTPRedirect != "https://x/" {
		t.Errorf("got %+v", m)
	}
	for _, bad := range []string{"nonsense", "nak=1", "first", "first=x", "ipcp-delay=10", "ack-mask=256", "offer-only=peap"} {
		if _, err := ParseMisbehaviour(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
