package main

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// message is an entry of a .po file, with the escapes of the file.
type message struct {
	context, id, plural string
	hasContext          bool
	translations        []string
}

// lmoEntry is an entry of a .lmo file's index.
type lmoEntry struct{ key, plurals, offset, length uint32 }

// compileLMO translates a .po file into LuCI's binary catalogue, byte for byte as po2lmo of luci-base does: the
// translations one after the other, padded to four bytes; the index, sorted by the hash of what is translated; and the index's
// offset. It returns nil where there is no translation.
func compileLMO(po string) ([]byte, error) {
	messages, err := parsePO(po)
	if err != nil {
		return nil, err
	}
	var text []byte
	var index []lmoEntry
	add := func(key, plurals uint32, translation string) {
		index = append(index, lmoEntry{key, plurals, uint32(len(text)), uint32(len(translation))})
		text = append(text, translation...)
		text = append(text, make([]byte, -len(translation)&3)...)
	}
	for _, m := range messages {
		if m.id == "" {
			if rule := pluralForms(m); rule != "" {
				add(0, 0, rule)
			}
			continue
		}
		if len(m.translations) == 0 || m.translations[0] == "" {
			continue
		}
		for i, translation := range m.translations {
			// A translation that is its own key is what LuCI shows without it.
			if key := hash(m.key(i)); translation != "" && key != hash(translation) {
				add(key, uint32(len(m.translations)), translation)
			}
		}
	}
	if len(text) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(index, func(a, b lmoEntry) int { return int(int64(a.key) - int64(b.key)) })
	end := uint32(len(text))
	for _, e := range index {
		for _, n := range []uint32{e.key, e.plurals, e.offset, e.length} {
			text = binary.BigEndian.AppendUint32(text, n)
		}
	}
	return binary.BigEndian.AppendUint32(text, end), nil
}

// key returns the text that is hashed: context, 1, text, and for plurals 2 and the form's number.
func (m message) key(form int) string {
	key := m.id
	if m.hasContext {
		key = m.context + "\x01" + key
	}
	if m.plural != "" {
		key += fmt.Sprintf("\x02%d", form)
	}
	return key
}

// pluralForms returns the rule for plurals from a catalogue's header.
func pluralForms(m message) string {
	if len(m.translations) == 0 {
		return ""
	}
	for line := range strings.SplitSeq(m.translations[0], `\n`) {
		const name = "plural-forms: "
		if len(line) >= len(name) && strings.EqualFold(line[:len(name)], name) {
			return line[len(name):]
		}
	}
	return ""
}

// parsePO reads the entries of a .po file.
func parsePO(po string) ([]message, error) {
	var messages []message
	var m message
	var target *string
	flush := func() {
		if m.id != "" || len(m.translations) > 0 && m.translations[0] != "" {
			messages = append(messages, m)
		}
		m = message{}
	}
	number := 0
	for line := range strings.Lines(po) {
		number++
		line = strings.TrimRight(line, "\r\n")
		keyword, rest, _ := strings.Cut(line, `"`)
		quoted := strings.Contains(line, `"`) && !strings.HasPrefix(line, "#")
		switch keyword = strings.TrimSpace(keyword); {
		case !quoted:
			continue
		case keyword == "msgctxt":
			flush()
			m.hasContext, target = true, &m.context
		case keyword == "msgid":
			if len(m.translations) > 0 {
				flush()
			}
			target = &m.id
		case keyword == "msgid_plural":
			target = &m.plural
		case keyword == "msgstr" || keyword == fmt.Sprintf("msgstr[%d]", len(m.translations)):
			m.translations = append(m.translations, "")
			target = &m.translations[len(m.translations)-1]
		case keyword != "" || target == nil:
			return nil, fmt.Errorf("line %d is not understood: %s", number, line)
		}
		piece, closed := strings.CutSuffix(rest, `"`)
		if !closed {
			return nil, fmt.Errorf("line %d has no closing quote: %s", number, line)
		}
		*target += strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(piece)
	}
	flush()
	return messages, nil
}

// hash is Paul Hsieh's SuperFastHash, started with the length.
func hash(s string) uint32 {
	if s == "" {
		return 0
	}
	pair := func(i int) uint32 { return uint32(s[i]) | uint32(s[i+1])<<8 }
	signed := func(i int) uint32 { return uint32(int32(int8(s[i]))) }
	h := uint32(len(s))
	for ; len(s) >= 4; s = s[4:] {
		h += pair(0)
		h = h<<16 ^ (pair(2)<<11 ^ h)
		h += h >> 11
	}
	switch len(s) {
	case 3:
		h += pair(0)
		h ^= h << 16
		h ^= signed(2) << 18
		h += h >> 11
	case 2:
		h += pair(0)
		h ^= h << 11
		h += h >> 17
	case 1:
		h += signed(0)
		h ^= h << 10
		h += h >> 1
	}
	h ^= h << 3
	h += h >> 5
	h ^= h << 4
	h += h >> 17
	h ^= h << 25
	h += h >> 6
	return h
}
