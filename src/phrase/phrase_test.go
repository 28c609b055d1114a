package phrase

import "testing"

func TestArgumentsFillAFormatInTheirOrder(t *testing.T) {
	for _, c := range []struct {
		format Format
		args   []string
		want   string
	}{
		{"It is up.", nil, "It is up."},
		{"%s on %s", []string{"10.0.0.1", "sstp-vpn"}, "10.0.0.1 on sstp-vpn"},
		{"The server says: %s.", []string{"%s %d %"}, "The server says: %s %d %."},
		{"%s, %s", []string{"%s", "b"}, "%s, b"},
		{"one %s", []string{"gap", "too many"}, "one gap"},
		{"two %s %s", []string{"gaps"}, "two gaps %s"},
	} {
		if got := Of(c.format, c.args...); got.Text != c.want || got.Key != c.format {
			t.Errorf("%q with %q: %+v, want %q", c.format, c.args, got, c.want)
		}
	}
	if p := Foreign("100 %s"); p.Text != "100 %s" || p.Key != "" {
		t.Errorf("a text of somebody else: %+v", p)
	}
}
