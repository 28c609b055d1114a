package logs

import (
	"fmt"
	"sync"
	"time"

	"sstp/src/config"
)

// maxQueuedLines is how many lines of a log wait for one who does not take them. A line has at most MaxLine characters.
const maxQueuedLines = 100

// FlushLimit bounds the wait for a log's last lines at the end of the program.
const FlushLimit = 500 * time.Millisecond

// logLine is one line of a log.
type logLine struct {
	at    time.Time
	level config.LogLevel
	what  string // a state or the level, where the log shows it
	text  string
}

// lineQueue decouples those who log from a reader that may hang: logd that is stopped, or a pipe that nobody empties. Its own
// goroutine writes the lines, so that add never blocks. When the queue is full, further lines are lost until it has drained;
// then one line says how many.
type lineQueue struct {
	write func(logLine) // may block

	mu       sync.Mutex
	lines    []logLine
	lost     int
	lastLost time.Time
	idle     chan struct{} // closed when the writing goroutine ends; nil: none runs
}

// add queues a line, or counts it as lost. It never blocks.
func (q *lineQueue) add(line logLine) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lost > 0 || len(q.lines) >= maxQueuedLines {
		q.lost++
		q.lastLost = line.at
		return
	}
	q.lines = append(q.lines, line)
	if q.idle == nil {
		q.idle = make(chan struct{})
		go q.drain(q.idle)
	}
}

// drain writes lines until none is left.
func (q *lineQueue) drain(idle chan struct{}) {
	defer close(idle)
	for {
		line, ok := q.next()
		if !ok {
			return
		}
		q.write(line)
	}
}

// next takes the oldest line out of the queue. It reports whether there was one.
func (q *lineQueue) next() (line logLine, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case len(q.lines) > 0:
		line = q.lines[0]
		q.lines = q.lines[1:]
		return line, true
	case q.lost > 0:
		text := fmt.Sprintf("%d lines lost: the log did not take them in time", q.lost)
		q.lost = 0
		return logLine{at: q.lastLost, level: config.LogWarn, what: levelNames[config.LogWarn], text: text}, true
	}
	q.lines, q.idle = nil, nil
	return line, false
}

// Flush waits until all lines are written, at most for limit. It reports whether they are.
func (q *lineQueue) Flush(limit time.Duration) bool {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	if idle == nil {
		return true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-idle:
		return true
	case <-timer.C:
		return false
	}
}
