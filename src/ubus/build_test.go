package ubus

import (
	"slices"
	"testing"
)

func TestATableBuiltFieldByFieldIsTheOneBuiltOfValues(t *testing.T) {
	var built Fields
	built.AddText("text", "a")
	built.AddSome("some", "b")
	built.AddSome("none", "")
	built.AddNumber("number", 7)
	built.AddCount("count", 7)
	built.AddFlag("flag", true)
	built.AddDouble("double", 1.5)
	built.AddTable("table", Fields{F("x", Int(1))})
	built.AddTexts("texts", []string{"c", "d"})
	built.AddTexts("no texts", nil)
	built.AddTables("tables", []Fields{{F("y", Int(2))}})
	want := Fields{
		F("text", String("a")), F("some", String("b")), F("number", Int(7)), F("count", Int64(7)), F("flag", Bool(true)),
		F("double", Double(1.5)), F("table", Tab(F("x", Int(1)))), F("texts", Array(String("c"), String("d"))),
		F("no texts", Array()), F("tables", Array(Tab(F("y", Int(2))))),
	}
	if !slices.Equal(AppendFields(nil, built), AppendFields(nil, want)) {
		t.Errorf("built %s, want %s", AppendJSON(nil, Tab(built...)), AppendJSON(nil, Tab(want...)))
	}
	if got := built.Texts("texts"); !slices.Equal(got, []string{"c", "d"}) {
		t.Errorf("the texts are %q", got)
	}
	if got := built.Texts("text"); !slices.Equal(got, []string{"a"}) {
		t.Errorf("one text is the list %q, want of one", got)
	}
	if got := built.Tables("tables"); len(got) != 1 || len(got[0]) != 1 || built.Tables("texts") != nil {
		t.Errorf("the tables are %v", got)
	}
}
