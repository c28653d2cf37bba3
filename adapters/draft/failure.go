package draft

import (
	"regexp"
	"slices"
	"strings"
)

// detail is where a reply that tells of a failure says what.
func detail(body any, order map[string]int) (paths yaml, code *shape) {
	root := shapeOf(body, order)
	paths = mapping()
	var all []*shape
	root.walk(func(s *shape) bool {
		if secretName(s.name) {
			return false
		}
		if s.scalar() {
			all = append(all, s)
		}
		return len(s.path) < 4
	})
	var taken []*shape
	take := func(member, words string, test func(*shape) bool) *shape {
		for _, word := range strings.Fields(words) {
			ending, anything := strings.CutPrefix(word, "*")
			for _, s := range all {
				called := s.word == word || anything && strings.HasSuffix(s.word, ending) && s.word != ending
				if called && s.inList == (member == "details") && s.says() && !slices.Contains(taken, s) && test(s) {
					taken = append(taken, s)
					paths.pairs = append(paths.pairs, at(member, text(s.text())))
					return s
				}
			}
		}
		return nil
	}
	textual := func(s *shape) bool { return !s.list && s.every(isTextual) }
	code = take("code", `*errorcode errorcode scimtype code error status type title`, func(s *shape) bool {
		return textual(s) && (!strings.Contains(s.first(), " ") || s.word != "error" && s.word != "status" && s.word != "title")
	})
	take("message", `message errormessage errordescription errorsummary detail description reason msg error title`, textual)
	if code == nil { // a sentence beside another: the shorter name is what it is
		code = take("code", "error title", textual)
		if code != nil {
			last := len(paths.pairs) - 1
			paths.pairs = append([]pair{paths.pairs[last]}, paths.pairs[:last]...)
		}
	}
	take("ref", `requestid operationid traceid correlationid errorid transactionid ref instance`, textual)
	take("hint", `resolution hint help documentationurl moreinfo helpurl`, textual)
	take("subject", `target subject field param parameter modelid`, textual)
	take("details", `message errorsummary description reason detail`, func(s *shape) bool { return s.every(isTextual) })
	if len(paths.pairs) > 0 && paths.pairs[len(paths.pairs)-1].key != "details" {
		for _, s := range all { // a list of texts
			if !s.inList && s.list && s.every(isText) {
				paths.pairs = append(paths.pairs, at("details", text(s.text())))
				break
			}
		}
	}
	return paths, code
}

// notFound tells whether a code says that there is no such person.
func notFound(code string) bool {
	return notFoundCode.MatchString(code)
}

var notFoundCode = regexp.MustCompile(`(?i)^[a-z_.-]*(not_?found|no_?such_?user|unknown_?user|does_?not_?exist)[a-z_.-]*$`)
