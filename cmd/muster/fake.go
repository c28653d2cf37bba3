package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"muster/normalize"
)

// fake replaces every text and number in a reply's tree by one of the same form:
// equal ones (texts in any case) by equal ones, so that what belonged together
// still does. True, false, null and the names of members stay.
func fake(tree any) any {
	f := faker{texts: map[string]string{}, counts: map[string]int{}}
	return f.value(tree)
}

type faker struct {
	texts  map[string]string // by what they stand for, in lower case
	counts map[string]int    // of each form
}

func (f *faker) value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		members := make(map[string]any, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) { // the same reply gives the same fakes
			members[name] = f.value(v[name])
		}
		return members
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = f.value(item)
		}
		return items
	case string:
		return f.text(v)
	case normalize.Number:
		return normalize.Number(f.text(string(v))) // the same as where it is a text
	default:
		return v
	}
}

func (f *faker) text(text string) string {
	key := strings.ToLower(text)
	if text == "" {
		return ""
	}
	if known, ok := f.texts[key]; ok {
		return known
	}
	f.texts[key] = f.invent(text)
	return f.texts[key]
}

// next counts the fakes of a form, from 1.
func (f *faker) next(form string) int {
	f.counts[form]++
	return f.counts[form]
}

// The forms of texts that are told apart.
var (
	digitsForm  = regexp.MustCompile(`^-?[0-9]+$`)
	numberForm  = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	uuidForm    = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	emailForm   = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)
	dateForm    = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	linkForm    = regexp.MustCompile(`^https?://`)
	phoneForm   = regexp.MustCompile(`^\+?[0-9][-0-9 ()./]{6,}$`)
	localeForm  = regexp.MustCompile(`^[a-z]{2}[-_][A-Z]{2}$`)
	countryForm = regexp.MustCompile(`^[A-Z]{2}$`)
	zoneForm    = regexp.MustCompile(`^[A-Z][a-z]+/[A-Z][A-Za-z_]+$`)
)

// invent makes a text that reads like another and says nothing.
func (f *faker) invent(text string) string {
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	_, instant := normalize.ParseInstant(text)
	switch {
	case digitsForm.MatchString(text):
		return f.digits(text)
	case numberForm.MatchString(text):
		return fmt.Sprintf("%d.5", f.next("number"))
	case uuidForm.MatchString(text):
		return fmt.Sprintf("00000000-0000-4000-8000-%012d", f.next("uuid"))
	case emailForm.MatchString(text):
		return fmt.Sprintf("person-%d@example.com", f.next("email"))
	case dateForm.MatchString(text):
		return first.AddDate(0, 0, f.next("date")).Format(time.DateOnly)
	case instant:
		return first.Add(time.Duration(f.next("instant")) * time.Hour).Format(time.RFC3339)
	case linkForm.MatchString(text):
		return fmt.Sprintf("https://example.com/%d", f.next("link"))
	case phoneForm.MatchString(text):
		return fmt.Sprintf("+1202555%04d", 100+f.next("phone")%100) // numbers that nobody has
	case localeForm.MatchString(text):
		some := []string{"en?US", "en?GB", "de?DE", "fr?FR", "es?ES", "it?IT", "nl?NL", "sv?SE", "ja?JP", "pt?BR"}
		return strings.Replace(some[f.next("locale")%len(some)], "?", text[2:3], 1)
	case countryForm.MatchString(text):
		some := []string{"US", "GB", "DE", "FR", "ES", "IT", "NL", "SE", "JP", "BR"}
		return some[f.next("country")%len(some)]
	case zoneForm.MatchString(text):
		some := []string{"Europe/Berlin", "Europe/Paris", "Asia/Tokyo", "America/New_York", "America/Chicago"}
		return some[f.next("zone")%len(some)]
	default:
		return fmt.Sprintf("text-%d", f.next("text"))
	}
}

// digits are others, as many: a count of seconds stays one, and a short key short.
func (f *faker) digits(text string) string {
	plain := strings.TrimPrefix(text, "-")
	n := f.next("digits" + fmt.Sprint(len(plain)))
	if len(plain) == 1 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("1%0*d", len(plain)-1, n)
}
