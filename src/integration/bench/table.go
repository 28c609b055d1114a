package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is rows of cells, the first of them the heads. It is Markdown, and laid out for a terminal as well.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

// print writes the table and an empty line. The first left columns begin on the left, the others end on the right.
func (t table) print(w io.Writer, left int) {
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
