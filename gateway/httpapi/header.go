package httpapi

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// elements splits a header that is a list (RFC 9110 section 5.6.1), given as all
// of its lines. Separators within quoted strings do not count, and empty elements
// are left out.
func elements(lines []string, separator byte) []string {
	var all []string
	add := func(element string) {
		if element = strings.Trim(element, " \t"); element != "" {
			all = append(all, element)
		}
	}
	for _, line := range lines {
		start, quoted := 0, false
		for i := 0; i < len(line); i++ {
			switch {
			case quoted && line[i] == '\\':
				i++
			case line[i] == '"':
				quoted = !quoted
			case line[i] == separator && !quoted:
				add(line[start:i])
				start = i + 1
			}
		}
		add(line[start:])
	}
	return all
}

// pair splits NAME=VALUE. The name comes in lower case; a value in quotes comes
// without them, and an absent one is "".
func pair(element string) (name, value string) {
	name, value, _ = strings.Cut(element, "=")
	name, value = strings.ToLower(strings.Trim(name, " \t")), strings.Trim(value, " \t")
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = strings.ReplaceAll(value[1:len(value)-1], `\`, "")
	}
	return name, value
}

// deltaSeconds reads a number of seconds (RFC 9111 section 1.2.2): too large a
// number is the largest. What is no such number is 0: who meant a limit and
// wrote it wrong is not given anything old.
func deltaSeconds(text string) time.Duration {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		n = math.MaxInt32
	}
	return time.Duration(n) * time.Second
}

// quality is the weight that an Accept header (RFC 9110 section 12.5.1) gives to
// a media type, and whether it names the type itself. Without the header
// everything is accepted.
func quality(lines []string, mediaType string) (q float64, named bool) {
	ranges := elements(lines, ',')
	if len(ranges) == 0 {
		return 1, false
	}
	kind, _, _ := strings.Cut(mediaType, "/")
	found := 0 // how closely: 3 the type, 2 its kind, 1 anything
	for _, r := range ranges {
		parts := elements([]string{r}, ';')
		if len(parts) == 0 {
			continue
		}
		close := closeness(strings.ToLower(parts[0]), mediaType, kind)
		if close <= found {
			continue
		}
		found, q = close, weight(parts[1:])
	}
	return q, found == 3
}

func closeness(mediaRange, mediaType, kind string) int {
	switch mediaRange {
	case mediaType:
		return 3
	case kind + "/*":
		return 2
	case "*/*":
		return 1
	default:
		return 0
	}
}

// weight is the q among a media range's parameters; 1 where it is absent or wrong.
func weight(parameters []string) float64 {
	for _, parameter := range parameters {
		if name, value := pair(parameter); name == "q" {
			if q, err := strconv.ParseFloat(value, 64); err == nil && q >= 0 && q <= 1 {
				return q
			}
		}
	}
	return 1
}
