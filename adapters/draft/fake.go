package draft

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"muster/adapters"
	"muster/normalize"
)

// Fake makes another reply of the same shape: nobody's. The tree is one of
// normalize.ParseJSON, and so is the result; the tree itself is not changed.
//
// One value becomes one and the same fake wherever it stands, also within other
// texts, and two values two. What a value looks like stays: a UUID is a UUID, an
// e-mail address an address, a number has as many digits, an instant its layout.
// Whatever is not known to say nothing of a person (states, roles, permissions,
// languages, time zones, countries) is replaced, under whatever name it stands.
// Secrets become texts that say so.
func Fake(tree any) any {
	f := newFaker()
	f.learn(tree, "")
	return f.tree(tree, "")
}

// conceal takes the secrets out of a reply and leaves the rest as it is.
func conceal(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			if secretName(name) {
				out[name] = concealed(member)
			} else {
				out[name] = conceal(member)
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			out = append(out, conceal(item))
		}
		return out
	default:
		return v
	}
}

// concealed keeps of a secret whether there is one.
func concealed(v any) any {
	if normalize.Absent(v) {
		return v
	}
	if _, isBool := v.(bool); isBool {
		return v
	}
	return "left out"
}

// secretName tells whether a member is called like a secret.
func secretName(name string) bool {
	folded := fold(name)
	return normalize.SecretName(name) || soundsSecret.MatchString(folded)
}

var soundsSecret = regexp.MustCompile(`passwd|passphrase|passcode|apikey|privatekey|accesskey|recoverycode|backupcode|securityanswer|^(pwd|pin|otp|cvv|salt|hash|jwt|cookie|sessionid|secq|totpseed)$`)

// faker remembers what it made of each value.
type faker struct {
	known  map[string]string // by the value, in lower case
	taken  map[string]bool   // fakes in use
	counts map[string]int    // of fakes by their form
	kept   map[string]string // what became of a value that is no person's
}

func newFaker() *faker {
	return &faker{known: map[string]string{}, taken: map[string]bool{}, counts: map[string]int{}, kept: map[string]string{}}
}

// learn gives the values by which a person is called their fakes first, so that
// they are found within other texts: names before logins before addresses, which
// are made of them.
func (f *faker) learn(tree any, name string) {
	for _, words := range []func(word, v string){f.learnName, f.learnLogin, f.learnMail} {
		visit(tree, name, func(name, v string) { words(fold(name), v) })
	}
}

// visit shows every text of a tree with the name that it stands under, but for secrets.
func visit(v any, name string, show func(name, v string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range slices.Sorted(maps.Keys(v)) {
			if !secretName(member) {
				visit(v[member], member, show)
			}
		}
	case []any:
		for _, item := range v {
			visit(item, name, show)
		}
	case string:
		show(name, v)
	}
}

func (f *faker) learnName(word, v string) {
	switch {
	case mailbox.MatchString(v):
	case givenWords.MatchString(word):
		f.remember(v, "given", given)
	case familyWords.MatchString(word):
		f.remember(v, "family", family)
	}
}

func (f *faker) learnLogin(word, v string) {
	if loginWords.MatchString(word) && !mailbox.MatchString(v) && !uuidWithin.MatchString(v) && !digitsOnly.MatchString(v) {
		f.remember(v, "login", func(n int) string { return loginLike(v, n) })
	}
}

func (f *faker) learnMail(_, v string) {
	if mailbox.MatchString(v) {
		f.email(v)
	}
}

var (
	mailbox    = regexp.MustCompile(`^[^\s@<>"]+@[^\s@<>"]+$`)
	mailWithin = regexp.MustCompile(`[^\s@<>"'(),;:=/?&]+@[\pL\pN-]+(\.[\pL\pN-]+)*`)
	uuidWithin = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
	digitsOnly = regexp.MustCompile(`^[0-9]+$`)
	webAddress = regexp.MustCompile(`^(?i:(https?|ftp|ldaps?|tel|mailto|data|urn)):`)
	phoneLike  = regexp.MustCompile(`^(tel:)?[+(]?[0-9][0-9 ()./x-]{5,}$`)

	givenWords  = regexp.MustCompile(`^(user|legal|preferred|contact|invitor)?(givenname|firstname|fname|forename|middlename|first|given|middle|nickname|nick|knownas)s?$`)
	familyWords = regexp.MustCompile(`^(user|legal|preferred|contact|invitor|second)?(familyname|lastname|lname|surname|last|family|sn|maidenname)s?$`)
	loginWords  = regexp.MustCompile(`^(user|account|preferred)?(username|login|loginname|upn|userprincipalname|samaccountname|acct|handle|screenname)$`)
	phoneWords  = regexp.MustCompile(`phone|mobile|^tel|fax|cell`)
	birthWords  = regexp.MustCompile(`birth|dob|hire|death`)
	fullWords   = regexp.MustCompile(`^(displayname|fullname|realname|cn|commonname|formatted|name|realnamenormalized|displaynamenormalized|userdisplayname|manager|managername|supervisor)$`)
)

// keptWords are members whose values are a system's and no person's.
var keptWords = regexp.MustCompile(`^(status|state|type|kind|usertype|accounttype|scopes?|locale|lang|language|preferredlanguage|timezone|tz|zoneinfo|country|countrycode|currency|schemas?|via|channel|visibility|membershiptype|signintype|resourcetype|.*errorcode|code|.*roles?|.*rolenames?|.*permissions?|.*privileges?|authorities|entitlements)$`)

// kept tells whether a value under one of these names is of the kind that the name
// says.
func kept(word, v string) bool {
	switch {
	case !keptWords.MatchString(word) && word != "role" || len(v) > 64:
		return false
	case languageWords.MatchString(word):
		return languageForm.MatchString(v)
	case zoneWords.MatchString(word):
		return zoneName.MatchString(v) || v == "UTC"
	case strings.HasPrefix(word, "country"):
		return len(normalize.FormCountry.Text(v)) == 2
	case word == "code":
		return !strings.ContainsFunc(v, func(r rune) bool { return unicode.IsDigit(r) || unicode.IsSpace(r) })
	default:
		return !strings.ContainsFunc(v, unicode.IsSpace) || keptParents.MatchString(word)
	}
}

var (
	languageWords = regexp.MustCompile(`locale|lang`)
	languageForm  = regexp.MustCompile(`^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}([.@][A-Za-z0-9-]{2,10})?$`)
	zoneWords     = regexp.MustCompile(`^(timezone|tz|zoneinfo)$`)
)

// keptParents are objects whose name or value is one of those.
var keptParents = regexp.MustCompile(`(roles?|permissions?|privileges|authorities|entitlements|errors?)$`)

// keptUnder are the members of such an object that say which it is.
var keptUnder = regexp.MustCompile(`^(name|value|displayname|display|key|code|description|title|label)$`)

// thingWord are further objects that have names and are nobody.
var thingWord = regexp.MustCompile(`^(plan|team|location|office|building|site|project|application|app|service|servicesdef|product|device|license)s?$`)

// countWords are numbers of a system's.
var countWords = regexp.MustCompile(`^(status|statuscode|count|total.*|page.*|.*perpage|startindex|limit|offset|subsystem|version)$`)

func (f *faker) tree(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		return f.object(v, name)
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			out = append(out, f.tree(item, name))
		}
		return out
	case string:
		return f.text(v, name)
	case normalize.Number:
		return f.number(v, fold(name))
	default:
		return v
	}
}

func (f *faker) object(v map[string]any, name string) any {
	out := make(map[string]any, len(v))
	under := keptParents.MatchString(fold(name))
	thing := organizationWord.MatchString(fold(name)) || groupWord.MatchString(fold(name)) || departmentWord.MatchString(fold(name)) || thingWord.MatchString(fold(name))
	for _, member := range slices.Sorted(maps.Keys(v)) {
		value, key := v[member], member
		if _, keyed := keyedBy(v); isValueName(member) || keyed {
			key = f.text(member, "key")
		}
		for out[key] != nil {
			key += "2"
		}
		called := member
		if under && keptUnder.MatchString(fold(member)) {
			called = "role" // what a role is called is kept as a role is
		} else if thing && keptUnder.MatchString(fold(member)) && !uuidWithin.MatchString(fmt.Sprint(value)) {
			called = name // what an organization is called is nobody's name
		}
		if phoneWords.MatchString(fold(name)) && (fold(member) == "number" || fold(member) == "value") {
			called = name
		}
		if secretName(member) {
			out[key] = concealed(value)
		} else {
			out[key] = f.tree(value, called)
		}
	}
	return out
}

// isValueName tells whether an object is a dictionary: its names are values.
func isValueName(name string) bool {
	return mailbox.MatchString(name) && !strings.HasPrefix(name, "@") || uuidWithin.MatchString(name) || longDigits.MatchString(name)
}

var longDigits = regexp.MustCompile(`[0-9]{5,}`)

// value is the fake of a value that was met in the tree before, or of one that
// looks like it.
func (f *faker) value(v string) string { return f.text(v, "id") }

// text makes the fake of a text that stands under a name.
func (f *faker) text(v, name string) string {
	word := fold(name)
	if known, ok := f.known[strings.ToLower(v)]; ok && !isStateWord(v) {
		return known
	}
	switch {
	case strings.TrimSpace(v) == "" || isStateWord(v):
		return v
	case mailbox.MatchString(v):
		return f.email(v)
	case digitsOnly.MatchString(v) && plausibleEpoch(normalize.Number(v)) != "" && sinceWords.MatchString(word):
		return f.remember(v, "epoch"+string(plausibleEpoch(normalize.Number(v))), func(n int) string { return epoch(v, n) })
	case instantShape.MatchString(v):
		return f.remember(v, "instant"+strconv.FormatBool(birthWords.MatchString(word)), func(n int) string { return instant(v, word, n) })
	case uuidWithin.MatchString(v):
		return f.within(v)
	case webAddress.MatchString(v) || strings.HasPrefix(v, "/") || strings.HasPrefix(v, "../"):
		return f.remember(v, "address", func(n int) string { return address(v, n) })
	case phoneWords.MatchString(word) && phoneLike.MatchString(v):
		return f.remember(v, "phone", func(n int) string { return phone(v, n) })
	case messageWords.MatchString(word):
		return message(f.within(v))
	case kept(word, v):
		if _, before := f.kept[v]; !before { // names that are met later change nothing of it
			f.kept[v] = f.within(v)
		}
		return f.kept[v]
	case fullWords.MatchString(word):
		return f.full(v)
	case adapters.Fits("int", v):
		return f.remember(v, "number"+strconv.Itoa(len(v)), func(n int) string { return numberOf(len(v), n) })
	case strings.ContainsFunc(v, unicode.IsDigit) && !strings.ContainsFunc(v, unicode.IsSpace):
		return f.remember(v, "opaque", func(n int) string { return opaque(v, n) })
	default:
		return f.remember(v, "text "+word, func(n int) string {
			made := called(name, n)
			if !strings.ContainsFunc(v, unicode.IsSpace) { // one word, which may be part of an address
				made = strings.ReplaceAll(made, " ", "-")
			}
			if strings.ToLower(v) == v {
				made = strings.ToLower(made)
			}
			return made
		})
	}
}

// remember returns the fake of a value, made anew for the n-th of its form until
// it is nobody else's.
func (f *faker) remember(v, form string, make func(n int) string) string {
	key := strings.ToLower(v)
	if known, ok := f.known[key]; ok {
		return known
	}
	fake := ""
	for range maxTries {
		fake = make(f.counts[form])
		f.counts[form]++
		if !f.taken[fake] && !strings.EqualFold(fake, v) {
			break
		}
	}
	f.known[key], f.taken[fake] = fake, true
	return fake
}

// maxTries bounds the search for a fake that is nobody else's: there are but nine
// numbers of one digit.
const maxTries = 20

func (f *faker) email(v string) string {
	v = strings.TrimSpace(v)
	local, domain, _ := strings.Cut(v, "@")
	if known, ok := f.known[strings.ToLower(v)]; ok {
		return known
	}
	where := f.remember(domain, "domain", func(n int) string { return domainName(n) })
	who := f.known[strings.ToLower(local)]
	if who == "" || strings.Contains(who, "@") {
		who = f.remember(local, "local", func(n int) string { return loginLike(local, n) })
	}
	who = strings.ToLower(strings.ReplaceAll(who, " ", "."))
	f.known[strings.ToLower(v)] = who + "@" + where
	return who + "@" + where
}

// full is a name made of several: its known parts are replaced, and all of it
// where there are none.
func (f *faker) full(v string) string {
	if replaced := f.replaceWords(v); replaced != v {
		kept := wordAlone.FindAllString(replaced, -1)
		if !slices.ContainsFunc(kept, func(part string) bool { return !f.taken[part] && strings.Contains(v, part) }) {
			f.known[strings.ToLower(v)] = replaced
			return replaced
		}
	}
	return f.remember(v, "full", func(n int) string {
		if strings.ContainsRune(strings.TrimSpace(v), ' ') {
			return given(n+f.counts["given"]) + " " + family(n+f.counts["family"]) // another person than the one whose names are known
		}
		return loginLike(v, n+f.counts["login"])
	})
}

// within replaces what is known of a person, and what looks like an identifier,
// inside a text.
func (f *faker) within(v string) string {
	v = mailWithin.ReplaceAllStringFunc(v, f.email)
	v = uuidWithin.ReplaceAllStringFunc(v, func(id string) string {
		return f.remember(id, "uuid", func(n int) string { return uuid(id, n) })
	})
	return f.replaceWords(v)
}

// replaceWords replaces known values that stand in a text as words.
func (f *faker) replaceWords(v string) string {
	replace := func(word string) string {
		if known, ok := f.known[strings.ToLower(word)]; ok && len(word) > 1 && !isStateWord(word) && !strings.Contains(known, "@") {
			return known
		}
		return word
	}
	return wordWithin.ReplaceAllStringFunc(v, func(word string) string {
		if replaced := replace(word); replaced != word {
			return replaced
		}
		return wordAlone.ReplaceAllStringFunc(word, replace)
	})
}

var wordAlone = regexp.MustCompile(`[\pL\pM\pN]+`)

var wordWithin = regexp.MustCompile(`[\pL\pM\pN]+(?:[._'-][\pL\pM\pN]+)*`)

func (f *faker) number(v normalize.Number, word string) normalize.Number {
	digits := string(v)
	known := f.known[digits]
	switch {
	case len(digits) > 1 && digitsOnly.MatchString(known): // of an identifier, whatever it is called here
		return normalize.Number(known)
	case len(digits) == 1 && !strings.HasSuffix(word, "id"), countWords.MatchString(word):
		return v // a flag or a small count
	case plausibleEpoch(v) != "" && sinceWords.MatchString(word):
		return normalize.Number(f.remember(digits, "epoch"+string(plausibleEpoch(v)), func(n int) string { return epoch(digits, n) }))
	case digitsOnly.MatchString(digits):
		return normalize.Number(f.remember(digits, "number"+strconv.Itoa(len(digits)), func(n int) string { return numberOf(len(digits), n) }))
	default: // signs, fractions and powers stay
		return normalize.Number(otherDigits.ReplaceAllString(digits, "1"))
	}
}

var otherDigits = regexp.MustCompile(`[0-9]`)

// The fakes. Each is of the shape of what it replaces; n counts them.

func nth(names string, n int) string {
	all := strings.Fields(names)
	if n < len(all) {
		return all[n]
	}
	return all[n%len(all)] + strconv.Itoa(n/len(all)+1)
}

func given(n int) string { return nth("Jane John Alex Robin Sam Kim Chris Pat Lee Max", n) }
func family(n int) string {
	return nth("Doe Roe Poe Moe Bloggs Public Sample Muster Example Nobody", n)
}
func login(n int) string { return strings.ToLower(given(n) + "." + family(n)) }

// loginLike keeps whether a name has a dot, or what it has for one.
func loginLike(like string, n int) string {
	for _, between := range []string{".", "_", "-"} {
		if strings.Contains(like, between) {
			return strings.ReplaceAll(login(n), ".", between)
		}
	}
	return strings.ReplaceAll(login(n), ".", "")
}

func domainName(n int) string { return nth("acme globex initech umbrella hooli", n) + ".example" }

func uuid(like string, n int) string {
	id := fmt.Sprintf("00000000-0000-4000-8000-%012x", n+1)
	if strings.ToUpper(like) == like {
		return strings.ToUpper(id)
	}
	return id
}

func numberOf(digits, n int) string {
	fake := "1" + fmt.Sprintf("%0*d", digits-1, n+1)
	if digits == 1 {
		fake = strconv.Itoa(n%9 + 1)
	}
	return fake[:min(len(fake), max(1, digits))]
}

// opaque keeps which characters are letters and digits, and nothing else of them.
func opaque(like string, n int) string {
	count := fmt.Sprintf("%0*d", len(like), n+1)
	var b strings.Builder
	for i, r := range like {
		switch {
		case unicode.IsDigit(r):
			b.WriteByte(count[i])
		case unicode.IsUpper(r):
			b.WriteRune('A' + rune((n+i)%26)) //nolint:gosec // less than 26
		case unicode.IsLetter(r):
			b.WriteRune('a' + rune((n+i)%26)) //nolint:gosec // less than 26
		case strings.ContainsRune("-_.:/|=+", r):
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	return b.String()
}

// phone keeps the length and the beginning of a number with its country.
func phone(like string, n int) string {
	total := len(otherDigits.FindAllString(like, -1))
	count, at := fmt.Sprintf("%02d", n%100), 0
	return otherDigits.ReplaceAllStringFunc(like, func(digit string) string {
		at++
		switch {
		case at <= 2 && strings.Contains(like, "+"):
			return digit
		case at > total-2:
			return count[at-total+1 : at-total+2]
		default:
			return "5"
		}
	})
}

func address(like string, n int) string {
	switch {
	case strings.HasPrefix(strings.ToLower(like), "http://"):
		return "http://www.acme.example/" + strconv.Itoa(n+1)
	case strings.HasPrefix(like, "/"), strings.HasPrefix(like, "../"):
		return "/" + strconv.Itoa(n+1)
	default:
		scheme, _, _ := strings.Cut(like, ":")
		if strings.HasPrefix(strings.ToLower(like), "urn:") && strings.Contains(like, "schemas") {
			return like
		}
		return strings.ToLower(scheme) + "://www.acme.example/" + strconv.Itoa(n+1)
	}
}

var instantShape = regexp.MustCompile(`^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d+)?)? ?([Zz]|[+-]\d\d(:?\d\d)?)?)?$`)

// instant keeps the layout, and in it the place of every digit.
func instant(like, word string, n int) string {
	year := "2026"
	if birthWords.MatchString(word) {
		year = "1990"
	}
	made := fmt.Sprintf("%s-%02d-%02dT%02d:%02d:%02d", year, 1+n/28%12, 1+n%28, 3, 4, 5)
	if len(like) <= len("2006-01-02") {
		return made[:len(like)]
	}
	made = made[:10] + like[10:11] + made[11:]
	if len(like) == 16 || like[16] != ':' { // no seconds
		return made[:16] + like[16:]
	}
	return made + zone(like[19:])
}

// zone keeps what stands behind the seconds, with the fraction emptied.
func zone(rest string) string {
	fraction := fractionDigits.FindString(rest)
	return otherDigits.ReplaceAllString(fraction, "0") + rest[len(fraction):]
}

var fractionDigits = regexp.MustCompile(`^[.,][0-9]+`)

func epoch(like string, n int) string {
	made := strconv.Itoa(1767323045 + n*86400)
	if plausibleEpoch(normalize.Number(like)) == normalize.EpochMillis {
		made += "000"
	}
	return made
}

// called makes a text of the name that it stands under.
func called(name string, n int) string {
	var words []string
	for _, word := range wordsOf(name) {
		if longDigits.MatchString(word) {
			continue
		}
		words = append(words, strings.ToUpper(word[:1])+word[1:])
	}
	return cmp.Or(strings.Join(words, " "), "Text") + " " + strconv.Itoa(n+1)
}

// wordsOf takes a member's name apart, ASCII letters and digits alone.
func wordsOf(name string) []string {
	if at := strings.LastIndexAny(name, "/:"); at >= 0 {
		name = name[at+1:]
	}
	return nameWord.FindAllString(name, 6)
}

var nameWord = regexp.MustCompile(`[A-Z]?[a-z0-9]+|[A-Z]+`)

var messageWords = regexp.MustCompile(`^(message|msg|.*errormessage|error|reason|detail|details|info|hint|resolution|errorsummary|.*errordescription|description|title)$`)

// message keeps the words of which the messages of systems are made, and nothing else.
func message(v string) string {
	var b strings.Builder
	dropped := false
	for _, part := range messagePart.FindAllString(v, -1) {
		if wordWithin.MatchString(part) && !isMessageWord(part) {
			if !dropped {
				b.WriteRune('…')
			}
			dropped = true
			continue
		}
		if strings.TrimSpace(part) != "" {
			dropped = false
		}
		if strings.TrimSpace(part) == "" && dropped {
			continue
		}
		b.WriteString(part)
	}
	return strings.TrimSpace(spaceless.ReplaceAllString(b.String(), "… "))
}

var (
	messagePart = regexp.MustCompile(`[\pL\pM\pN]+(?:[._'-][\pL\pM\pN]+)*|[^\pL\pM\pN]+`)
	spaceless   = regexp.MustCompile(`…\b`)
)

func isMessageWord(word string) bool {
	word = strings.ToLower(word)
	return isCode.MatchString(word) && slices.Contains(strings.FieldsFunc(word, func(r rune) bool { return r == '_' || r == '.' || r == '-' }), "not") ||
		slices.Contains(strings.Fields(`a access account accounts an and api are argument authentication authorization bad be because been
		body by can cannot caused client could data denied description did directory do does error example exceeded exist exists
		expired failed failure fetched field fields for forbidden found from group groups has have id identifier in info information
		internal invalid is isn't it its limit later length lookup malformed message missing more must name no not null number occurred of
		ok on one only or organization param parameter parameters password path perform permission permissions please possible query
		rate reason request requested required resolution resource response retry role roles search server service session solution some
		status success successful successfully system tenant than that the this timeout to token too try unauthorized unavailable
		unknown user username users valid validation value was were when while with without wrong you your`), word)
}

var isCode = regexp.MustCompile(`^[a-z]+([._-][a-z]+)+$`)

// isStateWord tells whether a text is a word for a state, which is nobody's name.
func isStateWord(v string) bool {
	_, known := stateOf(v)
	return known || slices.Contains(strings.Fields("success ok succeeded failure pending unknown none verified unverified confirmed user member person employee contractor staff guest work home mobile other primary email sms phone"), strings.ToLower(v))
}

var sinceWords = regexp.MustCompile(`created|updated|modified|login|logon|signin|expir|until|since|date|time|stamp|seen|changed|at$|on$`)

// plausibleEpoch is the unit in which a number is an instant from 1990 to 2100, ""
// where it is none. It is for a person to confirm.
func plausibleEpoch(n normalize.Number) normalize.Epoch {
	if !digitsOnly.MatchString(string(n)) || len(n) > 13 {
		return ""
	}
	count, err := strconv.ParseInt(string(n), 10, 64)
	switch const1990, const2100 := int64(631152000), int64(4102444800); {
	case err != nil:
		return ""
	case const1990 <= count && count < const2100:
		return normalize.EpochSeconds
	case const1990*1000 <= count && count < const2100*1000:
		return normalize.EpochMillis
	default:
		return ""
	}
}

// fold is a member's name as synonyms are compared: the letters and digits of its
// last part, in lower case. Claims are called by addresses and URNs.
func fold(name string) string {
	if at := strings.LastIndexAny(name, "/:"); at >= 0 && at < len(name)-1 {
		name = name[at+1:]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}
