package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// unhurried writes lines to where somebody may not take them: nobody who writes waits.
// What does not fit meanwhile is dropped, and told once there is somebody again.
type unhurried struct {
	lines   chan line
	dropped atomic.Int64
}

// line is one to be written; or, with an end, the word that all before it have been.
type line struct {
	text []byte
	end  chan<- struct{}
}

// newUnhurried writes for as long as the process lives.
func newUnhurried(out io.Writer) *unhurried {
	const waiting = 4096 // some 300 bytes each
	u := &unhurried{lines: make(chan line, waiting)}
	go u.run(out)
	return u
}

func (u *unhurried) run(out io.Writer) {
	for l := range u.lines {
		if n := u.dropped.Swap(0); n > 0 {
			_, _ = fmt.Fprintf(out, `{"time":%q,"level":"WARN","msg":"nobody has taken the log, and lines of it are lost","lines":%d}`+"\n", time.Now().Format(time.RFC3339Nano), n)
		}
		if l.end != nil {
			close(l.end)
			continue
		}
		_, _ = out.Write(l.text) // there is nobody to tell
	}
}

// Write takes a line. It never fails.
func (u *unhurried) Write(text []byte) (int, error) {
	select {
	case u.lines <- line{text: append([]byte(nil), text...)}: // the logger uses its memory again
	default:
		u.dropped.Add(1)
	}
	return len(text), nil
}

// flush waits until all lines so far are written, at most so long.
func (u *unhurried) flush(atMost time.Duration) {
	over := time.NewTimer(atMost)
	defer over.Stop()
	end := make(chan struct{})
	select {
	case u.lines <- line{end: end}:
	case <-over.C:
		return
	}
	select {
	case <-end:
	case <-over.C:
	}
}
