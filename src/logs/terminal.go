package logs

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"sstp/src/config"
)

// Terminal writes the log of a tunnel that runs in the foreground: a line for each state, and what the log level lets
// through. It loses lines rather than wait for a pipe that nobody empties.
type Terminal struct {
	lineQueue
	w     io.Writer
	level atomic.Int32
}

// NewTerminal returns a log that writes lines of at most that level to w.
func NewTerminal(w io.Writer, level config.LogLevel) *Terminal {
	l := &Terminal{w: w}
	l.lineQueue.write = l.write
	l.SetLevel(level)
	return l
}

var levelNames = [...]string{"error", "warning", "info", "debug", "trace"}

// Logf writes a line if the level lets it through. It never blocks.
func (l *Terminal) Logf(level config.LogLevel, format string, args ...any) {
	if int32(level) > l.level.Load() {
		return
	}
	l.Line(levelNames[min(int(level), len(levelNames)-1)], fmt.Sprintf(format, args...))
}

// SetLevel changes the level.
func (l *Terminal) SetLevel(level config.LogLevel) { l.level.Store(int32(level)) }

// Line writes a line whatever the level is: what is a state, for example.
func (l *Terminal) Line(what, text string) {
	l.add(logLine{at: time.Now(), what: what, text: strings.ReplaceAll(text, "\n", " ")})
}

func (l *Terminal) write(line logLine) {
	fmt.Fprintf(l.w, "%s %-10s %s\n", line.at.Format("15:04:05.000"), line.what, line.text)
}
