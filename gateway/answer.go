package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"muster/adapters"
	"muster/normalize"
)

// Answer is the multi-status document (contract.md, after seed 000): one shape
// for a full answer, a partial one and a refusal.
type Answer struct {
	// Status is the HTTP status that says how it went.
	Status int `json:"-"`

	OperationID string `json:"operationId"`
	Complete    *bool  `json:"complete,omitempty"` // nil where there is no data

	Error       string       `json:"error,omitempty"`
	Reason      string       `json:"reason,omitempty"`
	Resolution  string       `json:"resolution,omitempty"`
	ChildErrors []ChildError `json:"childErrors,omitzero"`

	// IncompleteFields are the members that a failed source could have changed.
	IncompleteFields []string       `json:"incompleteFields,omitzero"`
	Sources          []SourceResult `json:"sources"`

	Data       *normalize.Profile   `json:"data,omitempty"`
	Provenance normalize.Provenance `json:"provenance,omitempty"`
	Explain    *Explanation         `json:"explain,omitempty"`

	// MaxAge is the shortest remaining freshness of what was used; Age the
	// longest time since an upstream said any of it; Hit tells that no upstream
	// was asked; RetryAfter when asking again may help, 0 for never.
	MaxAge, Age, RetryAfter time.Duration `json:"-"`
	Hit                     bool          `json:"-"`

	conflicts []normalize.Conflict // for the metric, whatever is shown

	// ETag is the opaque tag of what the answer says, without quotes; "" where
	// there is no data.
	ETag string `json:"-"`
}

// ChildError is what is wrong with one source. Its texts are the gateway's own,
// but for the children of a source that answered in part.
type ChildError struct {
	Source      string  `json:"source"`
	Kind        string  `json:"kind"`
	StatusCode  int     `json:"statusCode"`
	OperationID string  `json:"operationId"`
	Error       string  `json:"error"`
	Reason      string  `json:"reason"`
	Resolution  string  `json:"resolution"`
	RetryAfter  int     `json:"retryAfter,omitempty"` // seconds
	ModelID     *string `json:"modelId"`
}

// SourceResult is how it went with one source.
type SourceResult struct {
	Source  string   `json:"source"`
	Outcome Outcome  `json:"outcome"`
	From    string   `json:"from,omitempty"`
	Age     *int     `json:"age,omitempty"`  // seconds
	Took    *int64   `json:"took,omitempty"` // milliseconds
	Needs   []string `json:"needs,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	Wave    int      `json:"-"` // in which it was asked, from 1; 0 when it was not
}

// sourceFault is one failure with the source it is of.
type sourceFault struct {
	source *Source
	*adapters.Fault
}

// assemble makes the document of the slots.
func assemble(l *Live, q Query, a asked, parts []normalize.Part, slots []slot, now time.Time) Answer {
	answer := Answer{OperationID: q.OperationID, Sources: results(slots)}
	faults := failures(slots)
	record := a.known || slices.ContainsFunc(slots, func(s slot) bool { return s.outcome == OK || s.outcome == Partial })

	required := slices.DeleteFunc(slices.Clone(faults), func(f sourceFault) bool { return !f.source.Required || stoodIn(slots, f.source) })
	switch {
	case len(required) > 0:
		answer.refuse(required, "A required source did not answer.")
	case record:
		answer.fill(l, q, a, parts, slots, now)
	case len(faults) > 0:
		answer.refuse(faults, "No source answered.")
		if q.Want.OnlyIfCached { // to come back later helps nobody
			answer.Resolution = "Ask without only-if-cached."
		}
	case knowsNobody(slots, false):
		answer.unknown()
	case optionalFault(slots) != nil: // an optional source counts where nothing else was asked
		answer.refuse(optionalFault(slots), "No source answered.")
	case knowsNobody(slots, true):
		answer.unknown()
	default:
		answer.say(http.StatusFailedDependency, "Nothing could be asked.", unaskable(slots), "Look the person up by an identifier that a source accepts; /v1/providers lists them.")
	}
	answer.ChildErrors = childErrors(q.OperationID, slots)
	if answer.Data != nil {
		answer.finish(q, slots, faults)
	}
	return answer
}

// stoodIn tells that the source failed now, and that what it said before stands in.
func stoodIn(slots []slot, source *Source) bool {
	return slices.ContainsFunc(slots, func(s slot) bool { return s.source == source && s.outcome != Failed })
}

// knowsNobody tells that a source answered that it knows no such person.
func knowsNobody(slots []slot, optional bool) bool {
	return slices.ContainsFunc(slots, func(s slot) bool { return s.outcome == Absent && s.source.Optional == optional })
}

func optionalFault(slots []slot) []sourceFault {
	var faults []sourceFault
	for i := range slots {
		if slots[i].source.Optional && slots[i].outcome == Failed {
			faults = append(faults, sourceFault{slots[i].source, slots[i].fault})
		}
	}
	return faults
}

// failures are the faults of the sources that count.
func failures(slots []slot) []sourceFault {
	var faults []sourceFault
	for i := range slots {
		if s := &slots[i]; s.fault != nil && !s.source.Optional {
			faults = append(faults, sourceFault{s.source, s.fault})
		}
	}
	return faults
}

func results(slots []slot) []SourceResult {
	all := make([]SourceResult, len(slots))
	for i := range slots {
		s := &slots[i]
		all[i] = SourceResult{Source: s.source.Name, Outcome: s.outcome, From: s.from, Needs: s.needs, Notes: s.reply.Notes, Wave: s.wave}
		if s.from != "" {
			age, took := int(s.age.Seconds()), s.took.Milliseconds()
			all[i].Age, all[i].Took = &age, &took
		}
	}
	return all
}

func (a *Answer) say(status int, title, reason, resolution string) {
	a.Status, a.Error, a.Reason, a.Resolution = status, title, reason, resolution
}

func (a *Answer) unknown() {
	a.say(http.StatusNotFound, "User not found.", "No source that could be asked knows this person.", "Check the identifier.")
}

// refuse answers with nothing but what went wrong; the status is the faults'.
func (a *Answer) refuse(faults []sourceFault, title string) {
	a.RetryAfter = retryAfter(faults)
	status := statusOf(faults)
	resolution := "Ask an operator: asking again will not help."
	if status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout || status == http.StatusTooManyRequests {
		a.RetryAfter = max(a.RetryAfter, time.Second)
		resolution = fmt.Sprintf("Retry after %s.", seconds(a.RetryAfter))
	} else {
		a.RetryAfter = 0
	}
	a.say(status, title, "Failed: "+list(faults)+".", resolution)
}

// statusOf is the status of an answer that has no record: contract.md, "Status".
func statusOf(faults []sourceFault) int {
	all := func(kind adapters.Kind) bool {
		return !slices.ContainsFunc(faults, func(f sourceFault) bool { return f.Kind != kind })
	}
	switch {
	case all(adapters.RateLimited):
		return http.StatusTooManyRequests
	case all(adapters.Timeout):
		return http.StatusGatewayTimeout
	case slices.ContainsFunc(faults, func(f sourceFault) bool { return f.Kind.Traits().MayPass }):
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadGateway
	}
}

// retryAfter is the soonest that asking again may help any of them.
func retryAfter(faults []sourceFault) time.Duration {
	var soonest time.Duration
	for _, f := range faults {
		if f.RetryAfter > 0 && (soonest == 0 || f.RetryAfter < soonest) {
			soonest = f.RetryAfter
		}
	}
	return soonest
}

// fill merges what the sources said into the answer's data.
func (a *Answer) fill(l *Live, q Query, asked asked, parts []normalize.Part, slots []slot, now time.Time) {
	profile, provenance := normalize.Merge(l.Rules, parts, now)
	profile.ID = asked.id
	a.conflicts = provenance.Conflicts()
	lacking := map[string][]string{}
	for i := range slots {
		if s := &slots[i]; !s.source.Optional && (s.outcome == Failed || s.outcome == Partial) {
			lacking[s.source.Name] = asked.wanted(s.source)
		}
	}
	incomplete := l.Rules.IncompleteFields(provenance, lacking)
	if asked.fields != nil {
		profile = asked.fields.Keep(profile)
		if q.Provenance {
			provenance = asked.fields.KeepProvenance(provenance)
		}
		incomplete = slices.DeleteFunc(incomplete, func(member string) bool { return !asked.fields.Needs(member) })
	}
	a.Data, a.IncompleteFields = &profile, append([]string{}, incomplete...)
	if q.Provenance {
		a.Provenance = provenance
	}
}

// strict turns a partial answer into the error that RFC 7240's handling=strict
// asks for: the status is that of its child errors.
func (a Answer) strict(slots []slot) Answer {
	faults := failures(slots)
	for i := range slots {
		for _, child := range slots[i].children() {
			faults = append(faults, sourceFault{slots[i].source, child})
		}
	}
	refusal := Answer{Explain: a.Explain, OperationID: a.OperationID, ChildErrors: a.ChildErrors, Sources: a.Sources}
	refusal.refuse(faults, "The answer would be partial.")
	return refusal
}

// finish decides between 200 and 207 and what may be kept of the answer.
func (a *Answer) finish(q Query, slots []slot, faults []sourceFault) {
	complete := len(a.ChildErrors) == 0
	a.Complete = &complete
	a.Status = http.StatusOK
	if complete {
		a.ChildErrors, a.IncompleteFields = nil, nil
	} else {
		a.Status = http.StatusMultiStatus
		a.describePartial(slots, faults)
	}
	a.Hit, a.MaxAge = true, time.Duration(math.MaxInt64)
	for i := range slots {
		s := &slots[i]
		if s.from == "" {
			continue
		}
		a.Hit = a.Hit && (s.from == fromCache || s.from == fromStale)
		a.Age = max(a.Age, s.age)
		a.MaxAge = min(a.MaxAge, s.fresh)
	}
	if a.MaxAge == math.MaxInt64 { // nothing of it may be told of any source
		a.Hit, a.MaxAge = false, 0
	}
	a.ETag = a.tag(q)
}

// describePartial says how much is missing, and from whom.
func (a *Answer) describePartial(slots []slot, faults []sourceFault) {
	concerned := 0
	var inPart []string
	for i := range slots {
		if slots[i].outcome != Skipped {
			concerned++
		}
		if slots[i].outcome == Partial && !slots[i].source.Optional {
			inPart = append(inPart, slots[i].source.Name)
		}
	}
	var reasons []string
	if len(faults) > 0 {
		a.Error = "Some sources did not answer."
		reasons = append(reasons, fmt.Sprintf("%d of %d sources failed: %s.", len(faults), concerned, list(faults)))
	}
	if len(inPart) > 0 {
		if a.Error == "" {
			a.Error = "Some sources answered in part."
		}
		reasons = append(reasons, fmt.Sprintf("%d of %d sources answered in part: %s.", len(inPart), concerned, strings.Join(inPart, ", ")))
	}
	a.Reason = strings.Join(reasons, " ")
	a.RetryAfter = retryAfter(faults)
	a.Resolution = "What the other sources know is under data."
	if a.RetryAfter > 0 {
		a.Resolution = fmt.Sprintf("Retry after %s; what the other sources know is under data.", seconds(a.RetryAfter))
	}
}

// tag covers what the answer says and what was asked to be shown, but nothing
// that differs from one asking to the next.
func (a *Answer) tag(q Query) string {
	kinds := make([]string, 0, len(a.ChildErrors))
	for _, child := range a.ChildErrors {
		kinds = append(kinds, child.Source+" "+child.Kind)
	}
	content, err := json.Marshal(struct {
		Status           int
		Data             *normalize.Profile
		IncompleteFields []string
		Kinds            []string
		Fields, Sources  []string
		Provenance       normalize.Provenance
		Explain          bool
	}{a.Status, a.Data, a.IncompleteFields, kinds, q.Fields, q.Sources, ageless(a.Provenance), q.Explain})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16])
}

// ageless is a copy without the ages, which differ from one asking to the next.
func ageless(p normalize.Provenance) normalize.Provenance {
	timeless := maps.Clone(p)
	forget := func(claims []normalize.Claim) []normalize.Claim {
		claims = slices.Clone(claims)
		for i := range claims {
			claims[i].Age = 0
		}
		return claims
	}
	for member, d := range timeless {
		if d.Winner != nil {
			d.Winner = &forget([]normalize.Claim{*d.Winner})[0]
		}
		timeless[member] = normalize.Decision{Winner: d.Winner, Agreeing: forget(d.Agreeing), Losing: forget(d.Losing)}
	}
	return timeless
}

// childErrors are what is wrong with each source that counts, in their order: why
// it failed, then what it said of its own partial failures.
func childErrors(operationID string, slots []slot) []ChildError {
	all := []ChildError{}
	for i := range slots {
		s := &slots[i]
		if s.source.Optional {
			continue
		}
		if s.fault != nil {
			child := failedChild(operationID, sourceFault{s.source, s.fault})
			if s.fault.Kind == adapters.Unresolved && len(s.needs) > 0 {
				child.Reason = fmt.Sprintf("It waited for the identifier %s, and the source that would have given it failed.", strings.Join(s.needs, ", "))
			}
			all = append(all, child)
		}
		for _, child := range s.children() {
			all = append(all, partialChild(operationID, sourceFault{s.source, child}))
		}
	}
	return all
}

// failedChild shows why a source failed, in the words of the kind of its failure.
func failedChild(operationID string, f sourceFault) ChildError {
	traits := f.Kind.Traits()
	child := ChildError{
		Source: f.source.Name, Kind: traits.Name, StatusCode: traits.StatusCode,
		OperationID: operationOf(f.Detail.Ref, operationID),
		Error:       traits.Error, Reason: traits.Reason, Resolution: traits.Resolution,
	}
	if f.RetryAfter > 0 && traits.MayPass {
		child.RetryAfter = int(math.Ceil(f.RetryAfter.Seconds()))
		child.Resolution = fmt.Sprintf("Retry after %s.", seconds(f.RetryAfter))
	}
	return child
}

// partialChild shows a child of a partial answer in the words that its
// definition means to be shown (contract.md, "Children of a partial answer").
func partialChild(operationID string, f sourceFault) ChildError {
	traits := f.Kind.Traits()
	or := func(text, otherwise string) string {
		if text = shown(text); text == "" {
			return otherwise
		}
		return text
	}
	child := ChildError{
		Source: f.source.Name, Kind: traits.Name, StatusCode: traits.StatusCode,
		OperationID: or(f.Detail.Ref, operationID),
		Error:       or(f.Detail.Code, traits.Error), Reason: or(f.Detail.Message, traits.Reason), Resolution: or(f.Detail.Hint, traits.Resolution),
	}
	if f.Detail.Status >= 400 && f.Detail.Status <= 599 {
		child.StatusCode = f.Detail.Status
	}
	if subject := shown(f.Detail.Subject); subject != "" {
		child.ModelID = &subject
	}
	return child
}

// maxShown is how much of an upstream's text a caller is shown, in characters.
const maxShown = 256

// shown is an upstream's text as a caller may see it: cut, and without control characters.
func shown(text string) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text))
	if runes := []rune(text); len(runes) > maxShown {
		return string(runes[:maxShown])
	}
	return text
}

// operationOf is the upstream's operation id where it is one: a short word, so
// that nothing else of its reply passes for it.
func operationOf(ref, otherwise string) string {
	const maxRef = 128
	plain := func(r rune) bool {
		return r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-._:|/", r))
	}
	if ref == "" || len(ref) > maxRef || strings.ContainsFunc(ref, func(r rune) bool { return !plain(r) }) {
		return otherwise
	}
	return ref
}

func list(faults []sourceFault) string {
	named := make([]string, len(faults))
	for i, f := range faults {
		named[i] = fmt.Sprintf("%s (%s)", f.source.Name, f.Kind)
	}
	return strings.Join(named, ", ")
}

func seconds(d time.Duration) string {
	if n := int(math.Ceil(d.Seconds())); n != 1 {
		return fmt.Sprintf("%d seconds", n)
	}
	return "1 second"
}

// unaskable says why no source was asked.
func unaskable(slots []slot) string {
	if slices.ContainsFunc(slots, func(s slot) bool { return s.outcome == Unlinked }) {
		return "No source can be reached from the identifier given."
	}
	return "No source of this tenant gives what was asked for."
}
