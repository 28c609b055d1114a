package ucifile

import (
	"strconv"
	"strings"
)

// In libuci's grammar there is more than go-uci understands, and some of it go-uci misreads without an error. The guard
// accepts the part of the grammar that both read alike, which is all that uci itself writes unless a value holds an
// apostrophe or a line break:
//
//	config TYPE [NAME]
//	    option NAME VALUE
//	    list NAME VALUE
//
// A value is bare, or in single or double quotation marks, on one line. A # outside of quotation marks begins a comment.
// The guard refuses every other line, those that libuci itself refuses included.

// form is the outline of a file.
type form struct {
	lines   int               // read so far
	types   map[string]string // of the named sections
	options map[optionID]keyword
	items   map[item]bool // of lists
}

// optionID names an option of a wanted section.
type optionID struct{ section, name string }

// item is one value of a list.
type item struct {
	optionID
	value string
}

// examine goes through a file. wanted chooses the sections whose options are to be read; the guard asks more of them. On a
// problem, form.lines is the number of its line.
func examine(text string, wanted func(typ, name string) bool) (f *form, p *problem) {
	f = &form{types: map[string]string{}, options: map[optionID]keyword{}, items: map[item]bool{}}
	section, isWanted := "", false
	for more := true; more && p == nil; {
		f.lines++
		var line string
		line, text, more = strings.Cut(text, "\n")
		var s statement
		s, p = scanLine(line, !more)
		switch {
		case p != nil || s.keyword == kwNone:
		case s.keyword == kwConfig:
			section, isWanted = s.value, wanted(s.name, s.value)
			if section == "" {
				section = "@" + strconv.Itoa(f.lines) // anonymous: a section of its own
			}
			if typ, again := f.types[section]; again && typ != s.name {
				p = &problem{"section " + section + " is already there with another type", hintSyntax}
			}
			f.types[section] = s.name
		case section == "":
			p = &problem{s.keyword.String() + " " + s.name + " stands before the first section", hintSyntax}
		case isWanted:
			p = f.add(section, s)
		}
	}
	return f, p
}

// add notes an option of a wanted section. It refuses what go-uci misreads although each line by itself is plain.
func (f *form) add(section string, s statement) *problem {
	id := optionID{section, s.name}
	it := item{id, s.value}
	kind, again := f.options[id]
	switch {
	case s.escapes:
		return &problem{"the value of " + s.name + " has a backslash that stands for something else",
			"Write the value in single quotation marks, in which a backslash is a backslash."}
	case again && kind != s.keyword:
		return &problem{s.name + " stands as option and as list", "Keep the lines of one kind."}
	case s.keyword == kwList && f.items[it]:
		return &problem{"list " + s.name + " has the same value twice", "Remove one of the lines."}
	}
	f.options[id] = s.keyword
	f.items[it] = s.keyword == kwList
	return nil
}

// keyword is the first word of a line.
type keyword uint8

const (
	kwNone keyword = iota // a blank line or a comment
	kwConfig
	kwOption
	kwList
)

// statement is one line.
type statement struct {
	keyword keyword
	name    string // the section's type, or the option's name
	value   string // the section's name, or the text of the option's value
	escapes bool   // value has escapes, which libuci resolves and go-uci keeps
}

// problem is a reason not to use a line.
type problem struct {
	what string // continues "file, line 7: "
	hint string
}

// The ways out. uci commit alone writes nothing where no change is pending, so the file goes through export and import.
const (
	hintRewrite = "Let uci write the file anew in its plain form: uci export network | uci import network. The file is read only where neither netifd nor ubus gives the options."
	hintValue   = "Change the value on this line, or let the tunnel run under netifd, which gives the options without this file."
	hintSyntax  = "Correct the line; netifd does not read a file with such a line either."
)

func refuse(what, hint string) (statement, *problem) {
	return statement{}, &problem{what: what, hint: hint}
}

// scanLine reads one line. final is true for a last line without a line end.
func scanLine(line string, final bool) (statement, *problem) {
	if strings.IndexByte(line, 0) >= 0 {
		return refuse("a zero byte is not allowed", hintSyntax)
	}
	rest := trimBlanks(line)
	if rest == "" || rest[0] == '#' {
		return statement{}, nil
	}
	if strings.HasSuffix(line, "\r") {
		return refuse("the line ends as in DOS and Windows, with a carriage return", hintRewrite)
	}
	var s statement
	word, rest := cutWord(rest)
	switch word {
	case "config":
		s.keyword = kwConfig
	case "option":
		s.keyword = kwOption
	case "list":
		s.keyword = kwList
	case "package", "p":
		return refuse("the keyword package is not understood here", hintRewrite)
	case "c", "o", "l":
		return refuse("the keyword is abbreviated", hintRewrite)
	default:
		if strings.IndexByte("\f\v\r", word[0]) >= 0 {
			return refuse("the line begins with a control character", hintRewrite)
		}
		return refuse("the line does not begin with config, option or list", hintSyntax)
	}
	rest = trimBlanks(rest)
	s.name, rest = cutWord(rest)
	if p := checkName(s); p != nil {
		return statement{}, p
	}
	rest = trimBlanks(rest)
	if rest == "" || rest[0] == '#' {
		switch {
		case s.keyword != kwConfig:
			return refuse(s.keyword.String()+" "+s.name+" has no value", "Remove the line: an option without a value is one that is not set.")
		case rest != "":
			return refuse("a comment follows config "+s.name, "Put the comment on a line of its own.")
		}
		return s, nil
	}
	bare := rest[0] != '\'' && rest[0] != '"'
	p := s.cutValue(&rest)
	if p == nil && final && bare && s.keyword != kwConfig && rest == "" {
		p = &problem{"the file ends without a line end", hintRewrite}
	}
	if p == nil {
		p = s.checkRest(rest)
	}
	if p != nil {
		return statement{}, p
	}
	return s, nil
}

// String returns the keyword as it is written.
func (k keyword) String() string {
	switch k {
	case kwConfig:
		return "config"
	case kwOption:
		return "option"
	case kwList:
		return "list"
	}
	return ""
}

// checkName checks the word behind the keyword: a section's type may have a hyphen, an option's name may not.
func checkName(s statement) *problem {
	what := s.keyword.String()
	switch {
	case s.name == "" || s.name[0] == '#':
		return &problem{what + " stands without a name", hintSyntax}
	case strings.ContainsAny(s.name, `'"\`):
		return &problem{"the word behind " + what + " is quoted", hintRewrite}
	case s.keyword == kwConfig && !isName(strings.ReplaceAll(s.name, "-", "_")):
		return &problem{"the section's type has characters besides letters, digits, _ and -", "Move this section to another file."}
	case s.keyword != kwConfig && !isName(s.name):
		return &problem{"the name of an " + what + " may have letters, digits and _ only", hintSyntax}
	}
	return nil
}

// cutValue takes the value off rest.
func (s *statement) cutValue(rest *string) *problem {
	of := "the value of " + s.name
	text := *rest
	quotation := text[0]
	if quotation != '\'' && quotation != '"' {
		return s.cutBare(rest)
	}
	text = text[1:]
	end := strings.IndexByte(text, quotation)
	if quotation == '"' {
		end = closingDouble(text)
	}
	if end < 0 {
		return &problem{of + " does not end on the line on which it begins", hintValue}
	}
	s.value, *rest = text[:end], text[end+1:]
	backslashes := len(s.value) - len(strings.TrimRight(s.value, `\`))
	switch {
	case quotation == '\'' && backslashes%2 == 1:
		// go-uci takes the closing quotation mark for a part of the value.
		return &problem{of + " ends in a backslash", hintValue}
	case s.value == "" && s.keyword != kwConfig:
		return &problem{of + " is empty", "Remove the line: an option without a value is one that is not set."}
	}
	s.escapes = quotation == '"' && strings.IndexByte(s.value, '\\') >= 0
	return s.checkSection()
}

// checkSection checks the name of a section.
func (s *statement) checkSection() *problem {
	switch {
	case s.keyword != kwConfig || isName(s.value):
		return nil
	case s.value == "":
		return &problem{"the section's name is empty", "Remove the quotation marks."}
	}
	return &problem{"the section's name may have letters, digits and _ only", hintSyntax}
}

// closingDouble finds the end of a text in double quotation marks, in which a backslash protects the next character.
func closingDouble(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// cutBare takes a value without quotation marks off rest.
func (s *statement) cutBare(rest *string) *problem {
	of := "the value of " + s.name
	text := *rest
	end := 0
	for end < len(text) && text[end] != ' ' && text[end] != '\t' && text[end] != '#' {
		switch c := text[end]; {
		case c == '\'' || c == '"':
			return &problem{of + " has a quotation mark in its middle", hintRewrite}
		case c == ';':
			return &problem{of + " has a semicolon outside of quotation marks", hintRewrite}
		case c == '\r' || c == '\v' || c == '\f':
			return &problem{of + " has a control character outside of quotation marks", hintRewrite}
		case c == '\\':
			s.escapes = true
			if end++; end == len(text) {
				return &problem{of + " does not end on the line on which it begins", hintRewrite}
			}
		}
		end++
	}
	s.value, *rest = text[:end], text[end:]
	return s.checkSection()
}

// checkRest checks what follows the value: nothing, or a comment.
func (s *statement) checkRest(rest string) *problem {
	if rest == "" || rest[0] == '#' {
		return nil
	}
	if rest[0] != ' ' && rest[0] != '\t' {
		if rest[0] == ';' {
			return &problem{"a semicolon separates two statements", hintRewrite}
		}
		return &problem{"the value of " + s.name + " goes on behind its closing quotation mark", hintValue}
	}
	rest = trimBlanks(rest)
	switch {
	case rest == "" || rest[0] == '#':
		return nil
	case rest[0] == ';':
		return &problem{"a semicolon separates two statements", hintRewrite}
	}
	return &problem{"the line has more words than " + s.keyword.String() + " takes", hintSyntax}
}

func trimBlanks(s string) string { return strings.TrimLeft(s, " \t") }

// cutWord takes a word up to a blank off s.
func cutWord(s string) (word, rest string) {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// isName reports whether libuci takes s as the name of a section or an option.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}
