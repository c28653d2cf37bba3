package document

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Plain is a file that is no YAML, so that mistakes in it are told as those in
// YAML are.
type Plain struct {
	file     *file
	problems *Problems
}

// ReadPlain takes a file's text by lines. The content may be nil where the file
// itself is the mistake. A file that is no UTF-8 text is reported, and the result
// is nil.
func ReadPlain(name string, content []byte, problems *Problems) *Plain {
	text := strings.TrimPrefix(string(content), byteOrderMark)
	f := &file{name: name, text: text, lines: strings.Split(text, "\n")}
	for i, line := range f.lines {
		f.lines[i] = strings.TrimSuffix(line, "\r")
	}
	p := &Plain{f, problems}
	if at := invalidUTF8([]byte(text)); at >= 0 {
		before := strings.Split(text[:at], "\n")
		p.Errorf(len(before), 1+len(before[len(before)-1]), 1, notUTF8)
		return nil
	}
	return p
}

// Text is the file without a byte order mark.
func (p *Plain) Text() string { return p.file.text }

// Errorf reports a mistake at width bytes from the byte of a line, both from 1.
func (p *Plain) Errorf(line, at, width int, format string, args ...any) *Problem {
	text := p.file.line(line)
	from := min(max(at-1, 0), len(text))
	to := min(from+max(width, 0), len(text))
	return p.problems.add(p.file, line, 1+utf8.RuneCountInString(text[:from]), utf8.RuneCountInString(text[from:to]), fmt.Sprintf(format, args...))
}
