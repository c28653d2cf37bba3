package draft

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"muster/adapters"
	"muster/normalize"
)

// found is where the person stands in a reply.
type found struct {
	path   []string // of the record, or of the list of hits that it is in
	record map[string]any
	hits   int  // how many there are in the list; 0 for no list
	index  int  // which of them it is
	pick   pick // which of them it is
	around []envelope
}

// envelope is an object on the way to the record.
type envelope struct {
	path   []string
	object map[string]any
	next   string // the member that leads on
}

// pick names one of several hits.
type pick struct {
	path  string // from the hit
	names []string
	value string
}

// parsePick reads PATH=VALUE.
func parsePick(text string) (pick, error) {
	path, value, ok := strings.Cut(text, "=")
	if _, err := normalize.ParsePath(path); !ok || err != nil || value == "" {
		return pick{}, fmt.Errorf("what to pick is not understood: write PATH=VALUE, a path within a hit and what stands there, for example email=jane.doe@acme.example")
	}
	return pick{path: path, value: value}, nil
}

// findRecord looks for the object that describes the person. wanted are texts
// that may say which of several hits it is.
func findRecord(body any, chosen pick, wanted []string) (found, error) {
	var f found
	at := body
	for depth := 0; ; depth++ {
		items, isList := at.([]any)
		if isList {
			items = slices.DeleteFunc(slices.Clone(items), normalize.Absent)
			hit, err := f.choose(items, chosen, wanted)
			if err != nil {
				return found{}, err
			}
			f.hits, f.record = len(items), hit
			for i := range items {
				if reflect.DeepEqual(items[i], any(hit)) {
					f.index = i
				}
			}
			return f, nil
		}
		object, isObject := at.(map[string]any)
		if !isObject || len(object) == 0 {
			return found{}, fmt.Errorf("the sample's record%s is %s: an object that describes a person is needed", atPath(f.path), formOf(at))
		}
		if name, keyed := keyedBy(object); keyed {
			f.around = append(f.around, envelope{slices.Clone(f.path), object, name})
			f.path, f.hits, f.record = append(f.path, everyName), 1, object[name].(map[string]any) //nolint:forcetypeassert // as keyedBy has found
			return f, nil
		}
		next, leads := onward(object)
		if !leads || depth >= 6 {
			f.record = object
			return f, nil
		}
		f.around = append(f.around, envelope{slices.Clone(f.path), object, next})
		f.path = append(f.path, next)
		at = object[next]
	}
}

// everyName stands in a path for whatever a member is called. No member is called
// so: JSON is UTF-8.
const everyName = "\xff*"

// keyedBy tells whether an object holds one record under a name of its own, which is
// a value: a number, an address or a GUID.
func keyedBy(object map[string]any) (name string, keyed bool) {
	for name, v := range object {
		inner, isObject := v.(map[string]any)
		return name, len(object) == 1 && isObject && len(inner) > 0 && isKey(name)
	}
	return "", false
}

// isKey tells whether what a single record stands under is a value.
func isKey(name string) bool { return isValueName(name) || adapters.Fits("int", name) }

// in is the record at the same place of a reply that has the same shape.
func (f *found) in(body any) any {
	for _, name := range f.path {
		object, _ := body.(map[string]any)
		if name == everyName {
			for _, only := range object {
				return only
			}
		}
		body = object[name]
	}
	if items, isList := body.([]any); isList && f.hits > 0 {
		items = slices.DeleteFunc(slices.Clone(items), normalize.Absent)
		if f.index < len(items) {
			return items[f.index]
		}
	}
	return body
}

// choose finds the person among hits.
func (f *found) choose(items []any, chosen pick, wanted []string) (map[string]any, error) {
	var objects []map[string]any
	for _, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("the sample's list%s holds %s: objects that describe a person are needed", atPath(f.path), formOf(item))
		}
		objects = append(objects, object)
	}
	switch {
	case len(objects) == 0:
		return nil, fmt.Errorf("the sample's list%s is empty: a reply that found somebody is needed", atPath(f.path))
	case chosen.path != "":
		return f.chosen(objects, chosen)
	case len(objects) == 1:
		return objects[0], nil
	}
	var hits []map[string]any
	for _, object := range objects {
		if name, value := saysOneOf(object, wanted, nil); name != nil {
			hits = append(hits, object)
			f.pick = pick{path: pathText(name...), names: name, value: value}
		}
	}
	if len(hits) != 1 {
		f.pick = pick{}
		return nil, fmt.Errorf("the sample has %d hits%s, and one person is wanted: say which with --pick PATH=VALUE, for example --pick %s=…", len(objects), atPath(f.path), likelyKey(objects[0]))
	}
	return hits[0], nil
}

func (f *found) chosen(objects []map[string]any, chosen pick) (map[string]any, error) {
	path, err := normalize.ParsePath(chosen.path)
	if err != nil {
		return nil, err
	}
	var hits []map[string]any
	for _, object := range objects {
		for v := range path.Values(normalize.At(object)) {
			if text, ok := normalize.ScalarText(v); ok && strings.EqualFold(text, chosen.value) {
				hits = append(hits, object)
				break
			}
		}
	}
	if len(hits) != 1 {
		return nil, fmt.Errorf("%d of %d hits%s have at %s what was asked for with --pick, and one is needed", len(hits), len(objects), atPath(f.path), chosen.path)
	}
	f.pick = chosen
	return hits[0], nil
}

// saysOneOf finds a member of an object, or of an object in it, that is one of
// the texts.
func saysOneOf(object map[string]any, wanted []string, under []string) (names []string, value string) {
	for _, name := range sortedKeys(object) {
		switch v := object[name].(type) {
		case map[string]any:
			if len(under) < 2 {
				if names, value = saysOneOf(v, wanted, append(slices.Clone(under), name)); names != nil {
					return names, value
				}
			}
		default:
			if text, ok := normalize.ScalarText(v); ok && len(text) > 1 && slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, text) }) {
				return append(slices.Clone(under), name), text
			}
		}
	}
	return nil, ""
}

// likelyKey is a member by which one would tell hits apart.
func likelyKey(object map[string]any) string {
	for _, word := range strings.Fields("email mail username login id") {
		for _, name := range sortedKeys(object) {
			if fold(name) == word {
				return pathText(name)
			}
		}
	}
	return "PATH"
}

// onward tells whether an object is an envelope, and which member leads on to the
// person. It is one when nothing of a person is said in it and something is within.
func onward(object map[string]any) (next string, leads bool) {
	own := evidence(object)
	if own >= 2 {
		return "", false
	}
	best, score, nested, beside := "", 0, 0, false
	for _, name := range sortedKeys(object) {
		if noStep(name) {
			continue
		}
		weight := 0
		switch v := object[name].(type) {
		case map[string]any:
			nested++
			weight = deepEvidence(v, 0)
		case []any:
			weight = listEvidence(v, 0)
		default:
			continue
		}
		word := fold(name)
		if roleWord.MatchString(word) || groupWord.MatchString(word) || organizationWord.MatchString(word) {
			beside = beside || !normalize.Absent(object[name])
			continue
		}
		if foreignWord.MatchString(word) {
			weight = 0
		}
		if envelopeWord.MatchString(word) {
			weight *= 2
		}
		if weight > score {
			best, score = name, weight
		}
	}
	switch {
	case best == "" && own == 0 && nested == 1 && !beside: // nothing is known of it, but there is only one way
		for name, v := range object {
			if inner, isObject := v.(map[string]any); isObject && len(inner) > 0 && !noStep(name) {
				return name, true
			}
		}
		return "", false
	case best == "", score <= own, beside:
		return "", false
	case own > 0 && !envelopeWord.MatchString(fold(best)):
		return "", false // {"id": …, "attributes": {…}}: both are the person's
	default:
		return best, true
	}
}

// noStep tells that no path leads through a member: it is called by a value, and
// another person's otherwise, or it is a secret.
func noStep(name string) bool { return isValueName(name) || secretName(name) }

// evidence counts what an object itself says of a person.
func evidence(object map[string]any) int {
	sum := 0
	for name, v := range object {
		word := fold(name)
		_, isObject := v.(map[string]any)
		switch {
		case isObject && word != "name":
		case personWord.MatchString(word):
			sum += 2
		case idWord.MatchString(word), word == "name":
			sum++
		}
	}
	return sum
}

func deepEvidence(object map[string]any, depth int) int {
	sum := evidence(object)
	if depth > 3 {
		return sum
	}
	for name, v := range object {
		if foreignWord.MatchString(fold(name)) {
			continue
		}
		switch v := v.(type) {
		case map[string]any:
			sum += deepEvidence(v, depth+1)
		case []any:
			sum += listEvidence(v, depth+1)
		}
	}
	return sum
}

func listEvidence(items []any, depth int) int {
	for _, item := range items {
		if object, ok := item.(map[string]any); ok {
			return deepEvidence(object, depth)
		}
	}
	return 0
}

var (
	personWord = regexp.MustCompile(`^(user|employee|contact|work|primary)?(e?mail|emails|emailaddress|username|login|loginname|preferredusername|upn|userprincipalname|firstname|givenname|lastname|familyname|surname|fname|lname|fullname|displayname|realname|phone|phonenumber|phonenumbers|mobile|mobilephone|enabled|active|isactive|isenabled|locale|timezone|department|jobtitle|employeenumber|employeeid|emailverified|avatarurl|picture|roles?|groups|createdat|lastlogin|nickname|birthdate|sub|created|manager|address|addresses)$`)
	idWord     = regexp.MustCompile(`^(user|person|member|account|object)?(id|uuid|guid|oid)$`)

	envelopeWord = regexp.MustCompile(`^(data|result|results|value|values|response|payload|body|content|items?|records?|entry|entries|resources?|hits|list|embedded|users?|persons?|people|employees?|members?|me|viewer|identity|identities|userinformation|userinfo)$`)

	// containerWord are objects that group what is said of the person.
	containerWord = regexp.MustCompile(`^(.*profile|traits|attributes|customattributes|properties|fields|claims|user|person|personal|personalinfo|personalinformation|personaldata|contact|contacts|contactinfo|contactdetails|details|userdetails|userdata|userinfo|userinformation|info|account|accountinfo|identity|employee|employment|employmentinfo|work|workinfo|job|jobinfo|position|basic|basicinfo|general|data|settings|preferences|localization|organizational|hr|member|demographics|core|enterprise)$`)

	// foreignWord are objects that say something of somebody or something else.
	foreignWord = regexp.MustCompile(`^(plan|createdby|creator|modifiedby|updatedby|lastmodifiedby|deletedby|author|owner|invitor|inviter|invitedby|invitations?|parent|sponsor|credentials?|_?links|provider|identityprovider|emergencycontacts?|nextofkin|spouse|partner|assistant|dependents?|children|directreports|reports|billing|invoice|subscription|included|pagination|page|paging|errors?|devices?|sessions?|childerrors|innererror|access|office|building)$`)

	roleWord         = regexp.MustCompile(`(roles?|rolenames?|roleassignments?|authorities)$`)
	groupWord        = regexp.MustCompile(`^(memberof|(user)?groups?|groupnames?|groupids?|groupmemberships?|teams?|teamnames?)$`)
	organizationWord = regexp.MustCompile(`^(user)?(organi[sz]ations?|orgs?|orginfo|orgunits|companies|company|tenants?|employers?|workspaces)$`)
)

func atPath(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return " at " + pathText(path...)
}

func formOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case []any:
		return "a list"
	case map[string]any:
		return "an empty object"
	default:
		return "a single value"
	}
}

// success is how the envelope says that all went well, nil where it does not.
// Words and numbers are compared as they stand in the sample.
func success(around []envelope, order map[string]int) (conditions []pair) {
	for _, e := range around {
		for _, name := range namesOf(e.object, order) {
			v, word, path := e.object[name], fold(name), pathText(append(slices.Clone(e.path), name)...)
			words, _ := v.(string)
			number, _ := v.(normalize.Number)
			yes, _ := v.(bool)
			switch {
			case name == e.next:
			case yes && successWord.MatchString(word),
				isStatusName(word) && slices.Contains([]string{"success", "ok", "succeeded", "successful"}, strings.ToLower(words)),
				isStatusName(word) && slices.Contains([]string{"0", "200"}, cmp.Or(string(number), words)):
				value := yaml{scalar: scalarJSON(v)}
				if words != "" {
					value = text(words)
				}
				conditions = append(conditions, at(conditionKey(path), value))
			case (word == "errors" || word == "error") && normalize.Absent(v):
				conditions = append(conditions, at(conditionKey(path), yaml{scalar: "null"}))
			}
		}
	}
	return conditions
}

var successWord = regexp.MustCompile(`^(is|was)?(success|successful|succeeded|ok|valid)$`)

func isStatusName(word string) bool {
	return slices.Contains([]string{"status", "code", "statuscode", "resultcode", "result", "state", "responsecode", "outcome"}, word)
}
