package netkit

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table is rows of cells; the first row is the head. It prints as Markdown that a terminal shows aligned.
type Table [][]string

// Row adds a row. It may have fewer cells than the head.
func (t *Table) Row(cells ...string) { *t = append(*t, cells) }

// Print writes the table and an empty line. The first left columns are aligned to the left, the others to the right.
func (t Table) Print(w io.Writer, left int) {
	width := make([]int, len(t[0]))
	for _, row := range t {
		for i, c := range row {
			width[i] = max(width[i], 3, utf8.RuneCountInString(c))
		}
	}
	for n, row := range t {
		for i, most := range width {
			c := ""
			if i < len(row) {
				c = row[i]
			}
			space := strings.Repeat(" ", most-utf8.RuneCountInString(c))
			if i < left {
				fmt.Fprint(w, "| ", c, space, " ")
			} else {
				fmt.Fprint(w, "| ", space, c, " ")
			}
		}
		fmt.Fprintln(w, "|")
		if n > 0 {
			continue
		}
		for i, most := range width {
			if i < left {
				fmt.Fprint(w, "|", strings.Repeat("-", most+2))
			} else {
				fmt.Fprint(w, "|", strings.Repeat("-", most+1), ":")
			}
		}
		fmt.Fprintln(w, "|")
	}
	fmt.Fprintln(w)
}
