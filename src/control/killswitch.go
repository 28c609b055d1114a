package control

import (
	"sstp/src/blobmsg"
	"sstp/src/killswitch"
)

// KillSwitchFields writes down what is there of a tunnel's kill switch.
func KillSwitchFields(s *killswitch.Status) (t blobmsg.Fields) {
	t.AddFlag("on", s.On)
	t.AddFlag("complete", s.Complete())
	t.AddTexts("zones", s.Zones)
	t.AddTexts("except", s.Except)
	t.AddFlag("router", s.Router)
	t.AddFlag("names", s.Names)
	var problems []blobmsg.Fields
	for _, p := range s.Problems {
		var f blobmsg.Fields
		f.AddText("key", p.Key)
		f.AddTexts("args", p.Args)
		f.AddText("text", p.Text)
		problems = append(problems, f)
	}
	t.AddTables("problems", problems)
	return t
}

// ParseKillSwitch reads what KillSwitchFields wrote, nil where it is not there.
func ParseKillSwitch(f blobmsg.Fields) *killswitch.Status {
	if f == nil {
		return nil
	}
	s := &killswitch.Status{}
	s.On, _ = f.Flag("on")
	s.Zones, s.Except = f.Texts("zones"), f.Texts("except")
	s.Router, _ = f.Flag("router")
	s.Names, _ = f.Flag("names")
	for _, p := range f.Tables("problems") {
		s.Problems = append(s.Problems, &killswitch.Problem{Key: p.Text("key"), Args: p.Texts("args"), Text: p.Text("text")})
	}
	return s
}
