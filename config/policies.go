package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"muster/config/document"
	"muster/gateway"
	"muster/gateway/httpapi/bearer"
	"muster/normalize"
)

// policy is one item under `policies`.
type policy struct {
	gateway.Policy
	node       *document.Node
	show, hide fields
	tests      []policyTest
}

// fields are members of the profile, and the words that name them.
type fields struct {
	selection normalize.Selection
	words     []*document.Node
}

// policyTest is a case: what all policies together must show to a caller of a person,
// and what they must hide.
type policyTest struct {
	node         *document.Node
	name         string
	caller       gateway.Caller
	ids          map[string][]string // of the person, by kind; the strongest first
	shows, hides fields
}

func policyType() document.Type[policy] {
	form := document.Object(policyKeys).Called("policy", "some members of the profile, and who is shown them")
	return document.Type[policy]{Form: form, Read: func(into *policy, n *document.Node) {
		into.node = n
		document.Decode(n, into, policyKeys())
		into.Shows = into.show.selection.Minus(into.hide.selection)
		if len(into.show.words) > 0 && !into.show.selection.Empty() && into.Shows.Empty() {
			n.Field("hide").Errorf("this policy hides all that it shows").Suggest("a policy takes nothing away from others: what none shows is hidden")
		}
	}}
}

func policyKeys() []document.Key[policy] {
	return []document.Key[policy]{
		document.Of("name", "what people call it", document.Text(), func(p *policy) *string { return &p.Name }),
		document.Of("for", "whom it is for; all that is written must hold", forType(), func(p *policy) *gateway.Policy { return &p.Policy }).Must(),
		document.Of("show", "members of the profile, or \"*\" for all: userName, name.givenName, attributes.SOURCE, attributes.SOURCE.NAME", fieldsType(), func(p *policy) *fields { return &p.show }).Must(),
		document.Of("hide", "of those, what this policy does not show", fieldsType(), func(p *policy) *fields { return &p.hide }),
		document.Of("tests", "what all policies together show to a caller; a file in which one fails is refused", document.Items(policyTestType()), func(p *policy) *[]policyTest { return &p.tests }),
	}
}

func forType() document.Type[gateway.Policy] {
	return document.Object(forKeys).With(func(p gateway.Policy, n *document.Node) {
		if n.Kind() == document.Mapping && len(n.Fields()) == 0 {
			n.Errorf("it is not said whom this policy is for").Suggest("write scopes, claims or cel; to show it to everybody who may ask, write {cel: \"true\"}")
		}
	})
}

func forKeys() []document.Key[gateway.Policy] {
	claims := tokenConditions("claim conditions", new(normalize.Compiler), "http", "header", "cel").With(func(c normalize.Condition, n *document.Node) {
		if n.Kind() == document.Mapping && len(n.Fields()) == 0 {
			n.Errorf("no claim is named").Suggest("for example {org.role: admin}")
		}
	}).Like("{email_verified: true, groups: [staff, hr]}")
	scopes := namesType("a scope", "profile.basic").With(oneWordEach)
	return []document.Key[gateway.Policy]{
		document.Of("scopes", "the caller has it, or all of a list", scopes, func(p *gateway.Policy) *[]string { return &p.Scopes }),
		document.Of("claims", "conditions that the token's claims meet", claims, func(p *gateway.Policy) *normalize.Condition { return &p.Claims }),
		document.Of("cel", "an expression that is true of who asks and, if it wants, of who is asked for", normalize.PredicateType(gateway.PolicyVariables()...).Like("caller.subject == target.id.oid"), func(p *gateway.Policy) *normalize.Predicate { return &p.CEL }),
	}
}

// fieldsType is a member of the profile or several.
func fieldsType() document.Type[fields] {
	form := document.OneOrMoreOf(document.Matching("a member of the profile", normalize.SelectionPattern()).Like("userName"))
	return document.Type[fields]{Form: form, Read: func(into *fields, n *document.Node) {
		items := n.OneOrMore()
		if n.Kind() == document.List && len(items) == 0 {
			n.Errorf("the list is empty").Suggest("name members of the profile, or \"*\" for all")
		}
		for _, item := range items {
			if item.Kind() != document.Scalar {
				item.Text() // which reports it
				continue
			}
			one, err := normalize.NewSelection([]string{item.Text()})
			if unknown := (*normalize.UnknownMemberError)(nil); errors.As(err, &unknown) {
				document.UnknownName(item, "member", unknown.Known)
				continue
			}
			into.selection = into.selection.Union(one)
			into.words = append(into.words, item)
		}
	}}
}

func policyTestType() document.Type[policyTest] {
	form := document.Object(policyTestKeys).Called("policy test", "a caller, perhaps the person asked for, and what the policies make of it")
	return document.Type[policyTest]{Form: form, Read: func(into *policyTest, n *document.Node) {
		into.node = n
		document.Decode(n, into, policyTestKeys())
		if n.Kind() == document.Mapping && n.Field("shows") == nil && n.Field("hides") == nil {
			n.Errorf("this test states nothing").Suggest("write shows, hides or both")
		}
	}}
}

func policyTestKeys() []document.Key[policyTest] {
	return []document.Key[policyTest]{
		document.Of("name", "what people call it", document.Text(), func(t *policyTest) *string { return &t.name }),
		document.Of("caller", "who asks", document.Object(testCallerKeys), func(t *policyTest) *gateway.Caller { return &t.caller }).Must(),
		document.Of("target", "who is asked for, as a lookup would prove them to be; without it, somebody else", document.Object(testTargetKeys), func(t *policyTest) *policyTest { return t }),
		document.Of("shows", "members that are shown, as a whole", fieldsType(), func(t *policyTest) *fields { return &t.shows }),
		document.Of("hides", "members of which nothing is shown", fieldsType(), func(t *policyTest) *fields { return &t.hides }),
	}
}

func testCallerKeys() []document.Key[gateway.Caller] {
	texts := document.NamesOf(document.AnyValue("text"))
	return []document.Key[gateway.Caller]{
		document.Of("issuer", "whose token it is", document.Text(), func(c *gateway.Caller) *string { return &c.Issuer }),
		{Name: "certificate", About: "the name in the certificate that they come with in place of a token; it is their subject too", Form: document.Object(certificateKeys).Form, Read: func(c *gateway.Caller, n *document.Node) {
			var read certificate
			if certificateType().Read(&read, n); read.name().Text != "" {
				c.Certificate, c.Subject = map[string]string{string(read.name().Kind): read.name().Text}, read.name().Text
			}
		}},
		document.Of("subject", "who it is", document.Text(), func(c *gateway.Caller) *string { return &c.Subject }),
		document.Of("scopes", "what they may", document.Texts(), func(c *gateway.Caller) *[]string { return &c.Scopes }),
		document.Of("tenants", "that they may ask for", document.Texts(), func(c *gateway.Caller) *[]string { return &c.Tenants }),
		{Name: "claims", About: "what the token says besides", Form: document.NamesOf(document.AnyOf("anything that JSON can hold")).Like("{org: {role: admin}}"), Read: func(c *gateway.Caller, n *document.Node) {
			if n.Kind() != document.Mapping {
				n.Fields() // which reports it
				return
			}
			text, err := n.JSON()
			if err == nil {
				var tree any
				tree, err = normalize.ParseJSON(text)
				c.Claims, _ = tree.(map[string]any)
			}
			if err != nil {
				n.Errorf("this cannot be written as JSON: %v", err)
			}
		}},
		{Name: "user", About: "what they are called themselves, by kind of identifier", Form: texts.Like("{email: jane@acme.example}"), Read: func(c *gateway.Caller, n *document.Node) {
			c.Self = map[string]string{}
			for _, f := range n.Fields() {
				c.Self[f.Key.Text()] = f.Value.Text()
			}
		}},
	}
}

func testTargetKeys() []document.Key[policyTest] {
	form := document.NamesOf(document.OneOrMoreOf(document.AnyValue("text"))).Like("{oid: 7d1f2c0a}")
	return []document.Key[policyTest]{{Name: "id", About: "identifiers by kind; of several the first is target.id.KIND, and all are target.ids.KIND", Form: form, Read: func(t *policyTest, n *document.Node) {
		t.ids = map[string][]string{}
		for _, f := range n.Fields() {
			t.ids[f.Key.Text()] = f.Value.Texts()
		}
	}}}
}

// bindPolicies looks for the sources that policies name.
func (f *File) bindPolicies() {
	for _, p := range f.dynamic.policies {
		if p.Name == "" {
			p.Name = "the policy at " + p.node.Position()
		}
		words := slices.Concat(p.show.words, p.hide.words)
		for _, t := range p.tests {
			words = append(words, slices.Concat(t.shows.words, t.hides.words)...)
		}
		for _, word := range words {
			parts := strings.SplitN(word.Text(), ".", 3)
			if len(parts) < 2 || parts[0] != "attributes" || f.unnamed {
				continue
			}
			if known := f.sourceNames(); !slices.Contains(known, parts[1]) {
				word.ErrorfAt(len("attributes."), len(parts[1]), "unknown source %q", parts[1]).SuggestKnown(parts[1], known)
			}
		}
	}
	if f.dynamic.callers != nil && f.dynamic.policies == nil {
		f.Notes = append(f.Notes, "no `policies` are written: whoever comes is shown nothing")
	}
}

// policies are those of the file; nil where whoever reaches the listeners sees
// everything.
func (f *File) policies() *gateway.Policies {
	if f.dynamic.callers == nil && f.dynamic.policies == nil {
		return nil
	}
	all := &gateway.Policies{Known: f.dynamic.callers != nil}
	for _, p := range f.dynamic.policies {
		all.All = append(all.All, p.Policy)
	}
	return all
}

// PolicyResult is what came of one case of the policies.
type PolicyResult struct {
	Policy   string // under which it is written
	Name     string
	Position string // file:line:column
	// Problems are the members of which the case states something else, at their words.
	Problems []*document.Problem
}

// testPolicies runs the cases of all policies. What fails is a mistake of the file: it
// would show to somebody what was not meant for them.
func (f *File) testPolicies() []PolicyResult {
	policies := f.policies()
	var results []PolicyResult
	for _, p := range f.dynamic.policies {
		for i := range p.tests {
			t := &p.tests[i]
			r := PolicyResult{Policy: p.Name, Name: t.name, Position: t.node.Position()}
			if r.Name == "" {
				r.Name = fmt.Sprintf("test %d", i+1)
			}
			shown, by := policies.Shown(&t.caller, t.ids)
			for _, word := range t.shows.words {
				if lacks := selectionAt(word).Minus(shown); !lacks.Empty() {
					r.Problems = append(r.Problems, word.Errorf("%q is not shown to this caller, or not all of it", word.Text()).Suggest("%s", holding(by)))
				}
			}
			for _, word := range t.hides.words {
				one := selectionAt(word)
				if one.Intersect(shown).Empty() {
					continue
				}
				guilty := slices.DeleteFunc(slices.Clone(by), func(p *gateway.Policy) bool { return one.Intersect(p.Shows).Empty() })
				r.Problems = append(r.Problems, word.Errorf("%q is shown to this caller, or some of it", word.Text()).Suggest("%s", holding(guilty)))
			}
			results = append(results, r)
		}
	}
	return results
}

// selectionAt is what a word names that has been read already.
func selectionAt(word *document.Node) normalize.Selection {
	one, err := normalize.NewSelection([]string{word.Text()})
	if err != nil {
		return normalize.Selection{}
	}
	return one
}

// holding says which policies hold.
func holding(by []*gateway.Policy) string {
	if len(by) == 0 {
		return "no policy holds of them"
	}
	names := make([]string, len(by))
	for i, p := range by {
		names[i] = p.Name
	}
	return "it is decided by " + strings.Join(names, " and ")
}

// TestPolicies reads a gateway's file as Check does, and runs the cases of its policies.
// Its error is the one of Load, less what comes of the cases.
func TestPolicies(path string) ([]PolicyResult, error) {
	file, problems, err := forPolicies(path)
	if err != nil {
		return nil, err
	}
	if file.cases == nil {
		return nil, problems.Err()
	}
	return file.cases, nil
}

// forPolicies reads a gateway's file where neither its secrets nor anybody who could be
// asked need be.
func forPolicies(path string) (*File, *document.Problems, error) {
	files, problems := newFiles(), new(document.Problems)
	content, err := files.read(path)
	if err != nil {
		return nil, nil, unreadable(err)
	}
	root := document.Read(path, content, problems)
	if root == nil {
		return nil, nil, problems.Err()
	}
	return build(root, problems, secrets{elsewhere: new([]string), files: files}), problems, nil
}

// Shown is what policies show to one caller.
type Shown struct {
	Tenants   []string // that the caller may ask for
	Scopes    []string
	Everybody []string // members that are shown of whoever is asked for; "everything", or "emails (in part)"
	Most      []string // those that are, of some people at most
	Target    []string // those that are, of the one who was named
	By        []string // policies that hold of the caller and the one who was named
}

// ShowPolicies reads a gateway's file as Check does, and tells what its policies show to a
// caller: a token, whose signature is not looked at, or the caller of a test as YAML. The
// target are the identifiers by kind, as a lookup would prove them. Its error is the one
// of Load, or is about the caller, under whose name it is told.
func ShowPolicies(path, name string, caller []byte, target map[string][]string) (*Shown, error) {
	file, problems, err := forPolicies(path)
	if err == nil {
		err = problems.Err()
	}
	if err != nil {
		return nil, err
	}
	who, err := file.callerOf(name, caller)
	if err != nil {
		return nil, err
	}
	policies := file.policies()
	if policies == nil { // and no callers
		policies = &gateway.Policies{All: []gateway.Policy{{Name: "no policy", Shows: normalize.Everything()}}}
	}
	everybody, most := policies.Might(who)
	shown := &Shown{Tenants: who.Tenants, Scopes: who.Scopes, Everybody: membersOf(everybody), Most: membersOf(most)}
	of, by := policies.Shown(who, target)
	shown.Target = membersOf(of)
	for _, policy := range by {
		shown.By = append(shown.By, policy.Name)
	}
	return shown, nil
}

// looksLikeToken tells tokens from YAML.
var looksLikeToken = regexp.MustCompile(`^[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]*$`)

func (f *File) callerOf(name string, text []byte) (*gateway.Caller, error) {
	if token := strings.TrimSpace(string(text)); looksLikeToken.MatchString(token) {
		var issuers []bearer.Issuer
		for _, c := range f.dynamic.callers {
			if c.certificate == nil {
				issuers = append(issuers, c.Issuer)
			}
		}
		who, refusal := bearer.Unverified(issuers, token)
		if refusal != nil {
			return nil, fmt.Errorf("%s: %s", name, refusal.Reason)
		}
		return who, nil
	}
	var problems document.Problems
	var who gateway.Caller
	if root := document.Read(name, text, &problems); root != nil {
		document.Decode(root, &who, testCallerKeys())
	}
	return &who, problems.Err()
}

// membersOf names the members of a selection for people.
func membersOf(s normalize.Selection) []string {
	if normalize.Everything().Minus(s).Empty() {
		return []string{"everything"}
	}
	var members []string
	for _, member := range normalize.Members() {
		whole, err := normalize.NewSelection([]string{member})
		switch {
		case err != nil || !s.Needs(member):
		case whole.Minus(s).Empty():
			members = append(members, member)
		default:
			members = append(members, member+" (in part)")
		}
	}
	return members
}
