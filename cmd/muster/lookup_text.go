package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"muster/adapters"
	"muster/gateway"
	"muster/normalize"
)

// text is the answer for people: the profile, a line for each source, and where it
// is asked for how it came about.
func (l *lookup) text() string {
	var b strings.Builder
	if l.answer.Data != nil {
		l.writeProfile(&b, l.answer.Data)
		b.WriteByte('\n')
	}
	l.writeSources(&b)
	if len(l.answer.IncompleteFields) > 0 {
		fmt.Fprintf(&b, "\n%s %s\n", l.paint.in(yellow, "could be incomplete:"), strings.Join(l.answer.IncompleteFields, ", "))
	}
	if l.explain {
		l.writeExplanation(&b)
	}
	return b.String()
}

const memberWidth = 18

func (l *lookup) writeProfile(b *strings.Builder, p *normalize.Profile) {
	v := reflect.ValueOf(*p)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		for _, line := range lines(v.Field(i)) {
			fmt.Fprintf(b, "%s %s\n", l.paint.in(bold, fmt.Sprintf("%-*s", memberWidth, name)), safe(line))
			name = ""
		}
	}
}

// lines are a member's value for people: one line, or one for each item.
func lines(v reflect.Value) []string {
	var all []string
	switch value := v.Interface().(type) {
	case map[string]map[string][]string:
		for _, source := range slices.Sorted(maps.Keys(value)) {
			for _, name := range slices.Sorted(maps.Keys(value[source])) {
				all = append(all, source+"."+name+": "+strings.Join(value[source][name], ", "))
			}
		}
		return all
	case map[string][]string:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			all = append(all, name+": "+strings.Join(value[name], ", "))
		}
		return all
	}
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			all = append(all, phrase(v.Index(i)))
		}
		return all
	}
	if v.Kind() != reflect.Bool && v.IsZero() {
		return nil
	}
	return []string{phrase(v)}
}

// phrase is a value on one line. Of an object its value comes first, then what is
// said of it.
func phrase(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Time:
		return value.Format(time.RFC3339)
	case []string:
		if len(value) == 0 {
			return "none"
		}
		return strings.Join(value, " ")
	case normalize.Identifier: // as it is written on the command line
		value.Value, value.Kind = value.Kind+":"+value.Value, ""
		return object(reflect.ValueOf(value))
	}
	switch v.Kind() {
	case reflect.Pointer:
		return phrase(v.Elem())
	case reflect.Struct:
		return object(v)
	default:
		return fmt.Sprint(v.Interface())
	}
}

func object(v reflect.Value) string {
	head, tail := "", ""
	var said []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		field := v.Field(i)
		switch {
		case field.IsZero():
		case name == "value":
			head = phrase(field)
		case name == "source" || name == "sources":
			tail = "  (" + strings.Join(strings.Fields(phrase(field)), ", ") + ")"
		case field.Kind() == reflect.Bool:
			said = append(said, name)
		case field.Kind() == reflect.Pointer && field.Elem().Kind() == reflect.Bool:
			if !field.Elem().Bool() {
				name = "not " + name
			}
			said = append(said, name)
		default:
			said = append(said, name+" "+phrase(field))
		}
	}
	text := strings.Join(said, ", ")
	if head != "" && text != "" {
		head += "  "
	}
	return head + text + tail
}

// writeSources writes a line for each source: how it went.
func (l *lookup) writeSources(b *strings.Builder) {
	rows := [][]string{{"SOURCE", "OUTCOME", "KIND", "FROM", "TIME", "AGE", ""}}
	for i, s := range l.answer.Sources {
		took, age := "", ""
		if s.Took != nil {
			took, age = fmt.Sprintf("%d ms", *s.Took), fmt.Sprintf("%d s", *s.Age)
		}
		kind, remark := l.kind(i), l.remark(s)
		rows = append(rows, []string{s.Source, string(s.Outcome), kind, s.From, took, age, remark})
	}
	widths := columns(rows)
	for i, row := range rows {
		var line strings.Builder
		for j, cell := range row {
			padded := fmt.Sprintf("%-*s  ", widths[j], cell)
			switch {
			case i == 0:
				padded = l.paint.in(dim, padded)
			case j == 1:
				padded = l.paint.in(outcomeStyle(gateway.Outcome(cell)), padded)
			}
			line.WriteString(padded)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// columns are the widths of a table's columns.
func columns(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for j, cell := range row {
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func outcomeStyle(o gateway.Outcome) string {
	switch o {
	case gateway.OK:
		return green
	case gateway.Failed:
		return red
	case gateway.Partial, gateway.Unlinked:
		return yellow
	default:
		return dim
	}
}

// kind is that of a source's failure, "" where it has none.
func (l *lookup) kind(i int) string {
	for _, child := range l.answer.ChildErrors {
		if child.Source == l.answer.Sources[i].Source {
			return child.Kind
		}
	}
	// An optional source is no child error.
	if fault := l.recorders[i].Fault(); fault != nil && fault.Kind != adapters.NotFound {
		return fault.Kind.String()
	}
	return ""
}

// remark is what else there is to say of a source.
func (l *lookup) remark(s gateway.SourceResult) string {
	var said []string
	if len(s.Needs) > 0 {
		said = append(said, "needs "+strings.Join(s.Needs, " and "))
	}
	for _, child := range l.answer.ChildErrors {
		if child.Source == s.Source {
			said = append(said, safe(strings.TrimSpace(child.Error+" "+child.Reason+" "+child.Resolution)))
		}
	}
	for _, note := range s.Notes {
		said = append(said, "left out: "+safe(note))
	}
	return strings.Join(said, "; ")
}
