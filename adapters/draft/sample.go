package draft

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"muster/normalize"
)

// Sample is a reply that a system gave.
type Sample struct {
	Status  int         // HTTP status; 0 where the sample does not tell
	Headers http.Header // those that a test may hold, see keptHeader
	Body    any         // as normalize.ParseJSON returns it
	Dropped []string    // names of headers that no test should hold

	order map[string]int // member names by their first appearance
}

// MaxSample is how many bytes a sample may have. A reply larger than that would
// not be read by the engine either (limits.max_bytes).
const MaxSample = 1 << 20

// maxDepth is how deep a sample may be nested: a definition is for people.
const maxDepth = 32

// ParseSample reads a reply: a JSON text, or a whole HTTP reply as curl -i prints
// it, of which the last one counts (a redirect or a proxy may stand before it).
// Its errors hold no value of the sample.
func ParseSample(content []byte) (Sample, error) {
	if len(content) > MaxSample {
		return Sample{}, fmt.Errorf("the sample has more than %d bytes: no reply of that size is read (limits.max_bytes)", MaxSample)
	}
	s := Sample{}
	body := bytes.TrimPrefix(content, []byte("\ufeff"))
	for statusLine.Match(body) {
		rest, err := s.head(body)
		if err != nil {
			return Sample{}, err
		}
		body = rest
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return Sample{}, errors.New("the sample is empty: a reply with a JSON body is needed")
	}
	tree, err := normalize.ParseJSON(body)
	if err != nil {
		return Sample{}, fmt.Errorf("the sample: %w", err)
	}
	if err := checkTree(tree, 0); err != nil {
		return Sample{}, err
	}
	s.Body, s.order = tree, orderOf(body)
	return s, nil
}

var statusLine = regexp.MustCompile(`^HTTP/[0-9.]+ [1-5][0-9][0-9]( [^\r\n]*)?\r?\n`)

// head takes one status line with its headers off.
func (s *Sample) head(content []byte) ([]byte, error) {
	line := statusLine.Find(content)
	status, err := strconv.Atoi(string(bytes.Fields(line)[1]))
	if err != nil {
		return nil, errors.New("the sample begins like an HTTP reply, and its status is no number")
	}
	headers, body := content[len(line):], []byte(nil)
	if end := headersEnd.FindIndex(headers); end != nil {
		headers, body = headers[:end[1]], headers[end[1]:]
	} else {
		headers = append(slices.Clone(headers), "\r\n\r\n"...)
	}
	parsed, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(headers))).ReadMIMEHeader()
	if err != nil {
		return nil, errors.New("the sample begins like an HTTP reply, and its headers cannot be read")
	}
	s.Status, s.Headers, s.Dropped = status, http.Header{}, nil
	for name, values := range parsed {
		if keptHeader.MatchString(name) {
			s.Headers[name] = values
		} else {
			s.Dropped = append(s.Dropped, name)
		}
	}
	slices.Sort(s.Dropped)
	return body, nil
}

var headersEnd = regexp.MustCompile(`^\r?\n|\r?\n\r?\n`)

// keptHeader is an allow-list: what else systems put there are cookies, and the
// names of people and machines.
var keptHeader = regexp.MustCompile(`(?i)^(content-type|retry-after|(x-)?rate-?limit.*)$`)

// checkTree refuses what no test could hold: it would not say what the reply says.
func checkTree(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("the sample is nested deeper than %d", maxDepth)
	}
	switch v := v.(type) {
	case normalize.Ambiguous:
		return errors.New("the sample says a member twice with different values: nobody can know which of them counts")
	case map[string]any:
		for _, member := range v {
			if err := checkTree(member, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range v {
			if err := checkTree(item, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// orderOf numbers the member names of a JSON text by their first appearance, so
// that what is written can have the order of the reply.
func orderOf(body []byte) map[string]int {
	order := map[string]int{}
	tokens := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))
	for {
		token, err := tokens.ReadToken()
		if err != nil {
			return order
		}
		// The names of an object are its odd tokens.
		if kind, length := tokens.StackIndex(tokens.StackDepth()); token.Kind() == jsontext.KindString && kind == jsontext.KindBeginObject && length%2 == 1 {
			if _, known := order[token.String()]; !known {
				order[strings.Clone(token.String())] = len(order)
			}
		}
	}
}

// namesOf are the names of an object in the order of the reply.
func namesOf(object map[string]any, order map[string]int) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		i, known := order[a]
		j, also := order[b]
		if known && also {
			return i - j
		}
		return strings.Compare(a, b)
	})
	return names
}
