package normalize

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// Form names the conversion that brings a text into the canonical form of a
// member. The members of Profile carry theirs in the struct tag `form`.
type Form string

// The forms. None of them guesses: a text that a form does not understand stays
// what it is, as FormText would have it.
const (
	FormText     Form = ""         // NFC; no white space around it; tab and newline are a space, other control characters nothing
	FormEmail    Form = "email"    // NFC, lower case, the domain in ASCII (IDNA); dots and +tags stay
	FormPhone    Form = "phone"    // E.164, where it is an international number of a possible length without an extension
	FormCountry  Form = "country"  // ISO 3166-1 alpha-2, from alpha-2, alpha-3, the numeric code or an English name
	FormLanguage Form = "language" // BCP 47, from that or a POSIX locale
	FormTimezone Form = "timezone" // a name of the IANA database is canonical already; no other is known to be one
)

// Text brings a text into its form. It is idempotent, and valid UTF-8 comes out
// whatever went in.
func (f Form) Text(s string) string {
	switch f {
	case FormEmail:
		return canonicalEmail(s)
	case FormPhone:
		return canonicalPhone(canonicalText(s))
	case FormCountry:
		return canonicalCountry(canonicalText(s))
	case FormLanguage:
		return canonicalLanguage(canonicalText(s))
	default:
		return canonicalText(s)
	}
}

func canonicalText(s string) string {
	if plainASCII(s) {
		return s
	}
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case unicode.IsControl(r):
			return -1
		default:
			return r
		}
	}, s)
	return strings.TrimSpace(norm.NFC.String(clean))
}

// plainASCII tells whether a text is in its form already, as most are: printable
// ASCII with no white space around it.
func plainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}

// canonicalEmail drops no character from within an address: two that differ in a
// control character are two, and only one of them is proved to be somebody's.
func canonicalEmail(s string) string {
	if plainASCII(s) && !strings.Contains(s, "xn--") && !strings.Contains(s, "XN--") && !strings.Contains(s, "Xn--") && !strings.Contains(s, "xN--") {
		return strings.ToLower(s) // IDNA leaves such a domain as it is, or refuses it, which leaves it too
	}
	lower := strings.Map(lowerRune, norm.NFC.String(s))
	address := strings.TrimSpace(norm.NFC.String(lower)) // ẖ is one character, H̱ is two
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address
	}
	domain := address[at+1:]
	if utf8.RuneCountInString(domain) > maxDomain {
		return address
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return address
	}
	return address[:at+1] + ascii
}

// isMailbox tells whether a text has the form of an address: something on both
// sides of an @, and no space.
func isMailbox(text string) bool {
	at := strings.LastIndexByte(text, '@')
	return at > 0 && at < len(text)-1 && !strings.ContainsFunc(text, unicode.IsSpace)
}

// maxDomain is how long a domain may be (RFC 1035, section 2.3.4). Punycode
// takes quadratic time, so a longer one is not worth looking at.
const maxDomain = 253

// lowerRune is unicode.ToLower but for characters that would become ASCII: to
// take İ for i is to let the owner of one mailbox pass for that of another.
func lowerRune(r rune) rune {
	if lower := unicode.ToLower(r); r <= unicode.MaxASCII || lower > unicode.MaxASCII {
		return lower
	}
	return r
}

// canonicalPhone goes by the possible length of a number and not by whether it
// is assigned: what is assigned changes faster than a table in a binary.
func canonicalPhone(s string) string {
	if !internationalNumber.MatchString(s) {
		return s
	}
	number, err := phonenumbers.Parse(s, "ZZ") // an unknown region: nothing but the number says where it is
	if err != nil || number.GetExtension() != "" || !phonenumbers.IsPossibleNumber(number) {
		return s
	}
	return phonenumbers.Format(number, phonenumbers.E164)
}

// A number that begins with 00 or a trunk prefix is dialled differently from
// place to place.
var internationalNumber = regexp.MustCompile(`^(?i:tel:)?\(?[+＋]`)

func canonicalLanguage(s string) string {
	posix := s
	if end := strings.IndexAny(s, ".@"); end >= 0 {
		posix = s[:end] // en_US.UTF-8, de_DE@euro
	}
	if len(posix) > maxLanguage {
		return s
	}
	tag, err := language.Parse(posix)
	if err != nil {
		return s
	}
	return tag.String()
}

// maxLanguage is longer than any language tag in use (RFC 5646, section 4.4.1).
const maxLanguage = 100

func canonicalCountry(s string) string {
	if code, ok := countryByCode(s); ok {
		return code
	}
	if code, ok := countryByName(s); ok {
		return code
	}
	return s
}

func countryByCode(s string) (string, bool) {
	if len(s) < 4 && strings.Trim(s, "0123456789") == "" {
		s = strings.Repeat("0", 3-len(s)) + s // a JSON number has lost its zeros
	}
	if len(s) != 2 && len(s) != 3 {
		return "", false
	}
	region, err := language.ParseRegion(s)
	if err != nil {
		return "", false
	}
	region = region.Canonicalize() // UK is GB
	if !region.IsCountry() || region.M49() == 0 || region.ISO3() == "ZZZ" {
		return "", false // a continent, an alliance, or reserved
	}
	return region.String(), true
}

func countryByName(s string) (string, bool) {
	if len(s) > maxCountryName {
		return "", false
	}
	code, ok := countries()[foldName(s)]
	return code, ok
}

// countries are the codes by the folded names: to look for a name in the text of all
// of them took longer than to read a reply.
var countries = sync.OnceValue(func() map[string]string { //nolint:gochecknoglobals // made once, of a constant, and never changed
	codes := map[string]string{}
	for _, entry := range strings.FieldsFunc(countryNames, func(r rune) bool { return r == ';' || unicode.IsSpace(r) && r != ' ' }) {
		if code, name, ok := strings.Cut(strings.TrimSpace(entry), "="); ok {
			if _, first := codes[name]; !first {
				codes[name] = code
			}
		}
	}
	return codes
})

const maxCountryName = 100

// foldName reduces a name to its lower-case letters without accents, one space
// between words, without "the" and "and".
func foldName(s string) string {
	var words []string
	for _, word := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune("'’.", r)
	}) {
		word = strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) {
				return r
			}
			return -1
		}, norm.NFD.String(word))
		if word != "" && word != "the" && word != "and" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// Absent tells whether a JSON value says nothing: null, "", [], {}, and a list
// of nothing but such.
func Absent(v any) bool {
	switch value := v.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case map[string]any:
		return len(value) == 0
	case []any:
		for _, item := range value {
			if !Absent(item) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// ScalarText returns the text of a scalar: a number in the digits it was written
// in, a boolean as true or false. ok is false for anything else, null included.
func ScalarText(v any) (text string, ok bool) {
	switch value := v.(type) {
	case string:
		return value, true
	case Number:
		return string(value), true
	case bool:
		return strconv.FormatBool(value), true
	default:
		return "", false
	}
}

// CanonicalID brings an identifier of a kind into the form in which it is sent
// and kept. White space around it never counts. An e-mail address is as FormEmail
// has it, a username NFC, a GUID under oid lower case; of any other kind only its
// system knows which spellings are one, so it stays as it is.
func CanonicalID(kind, value string) string {
	value = strings.TrimSpace(value)
	switch {
	case kind == "email":
		return canonicalEmail(value)
	case kind == "username":
		return strings.TrimSpace(norm.NFC.String(value))
	case kind == "oid" && guid.MatchString(value):
		return strings.ToLower(value)
	default:
		return value
	}
}

var guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// SameID tells whether two identifiers of a kind are one: equal in their
// canonical form, e-mail addresses and usernames in any case.
func SameID(kind, a, b string) bool {
	a, b = CanonicalID(kind, a), CanonicalID(kind, b)
	if a == b {
		return true
	}
	return (kind == "email" || kind == "username") &&
		!strings.Contains(a, longS) && !strings.Contains(b, longS) && strings.EqualFold(a, b)
}

// longS is the one letter that folds to ASCII and is still there in NFC. Like İ
// above it must not make two people one.
const longS = "ſ"

// ParseInstant reads a text as an instant, in UTC: RFC 3339, and what of ISO 8601
// systems send besides: without an offset (UTC), without seconds, an offset
// without a colon or without minutes, a space for the T, or a date alone (its
// first moment). A result that RFC 3339 could not write again is none.
func ParseInstant(text string) (at time.Time, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) > maxInstant {
		return time.Time{}, false
	}
	text = strings.ToUpper(text) // RFC 3339, section 5.6: t and z may be lower case
	if day := len(time.DateOnly); len(text) > day && text[day] == ' ' {
		text = text[:day] + "T" + text[day+1:]
	}
	for _, layout := range [...]string{
		time.RFC3339,
		"2006-01-02T15:04:05",
		"2006-01-02T15:04:05Z0700",
		"2006-01-02T15:04:05Z07",
		time.DateOnly,
		"2006-01-02T15:04Z07:00",
		"2006-01-02T15:04",
		"2006-01-02T15:04Z0700",
		"2006-01-02T15:04Z07",
	} {
		// A fraction of the seconds is understood by each layout that has seconds.
		if at, err := time.Parse(layout, text); err == nil {
			return writable(at)
		}
	}
	return time.Time{}, false
}

const maxInstant = 64

// writable is the instant in UTC, if RFC 3339 has four digits for its year.
func writable(at time.Time) (time.Time, bool) {
	at = at.UTC()
	if at.Year() < 0 || at.Year() > 9999 {
		return time.Time{}, false
	}
	return at, true
}

// Epoch is the unit of a number that counts from 1970-01-01T00:00:00Z.
type Epoch string

// The units.
const (
	EpochSeconds Epoch = "epoch_s"
	EpochMillis  Epoch = "epoch_ms"
)

// Errors of Epoch.Time.
var (
	errNotNumber = errors.New("not a number in decimal digits")
	errNotYear   = errors.New("an instant outside the years 0 to 9999")
)

// Time is the instant that a count stands for, in UTC, exact to the nanosecond;
// further digits are cut. A count of 0 is how systems say never: present is false
// and the error nil. The error, for what is no number or lies outside the years 0
// to 9999, holds none of the digits.
func (e Epoch) Time(count Number) (at time.Time, present bool, err error) {
	if n, err := strconv.ParseInt(string(count), 10, 64); err == nil && n > 0 && n < maxCount && count[0] != '+' {
		if e == EpochMillis {
			return time.UnixMilli(n).UTC(), true, nil
		}
		return time.Unix(n, 0).UTC(), true, nil
	}
	parts := decimal.FindStringSubmatch(string(count))
	if parts == nil {
		return time.Time{}, false, errNotNumber
	}
	whole, fraction := parts[2], parts[3]
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return time.Time{}, false, nil
	}
	exponent := 0
	if parts[4] != "" {
		if exponent, err = strconv.Atoi(parts[4]); err != nil || max(exponent, -exponent) > maxExponent {
			return time.Time{}, false, errNotYear
		}
	}
	if e == EpochMillis {
		exponent -= 3
	}
	// The count in seconds is 0.digits times ten to the power of point.
	point := len(digits) - len(fraction) + exponent
	switch {
	case point > len("253402300799"): // the last second of 9999
		return time.Time{}, false, errNotYear
	case point <= -9: // less than a nanosecond
		return time.Time{}, false, nil
	case point < 0:
		digits, point = strings.Repeat("0", -point)+digits, 0
	}
	digits += strings.Repeat("0", point+9)
	seconds, _ := strconv.ParseInt("0"+digits[:point], 10, 64)
	nanos, _ := strconv.ParseInt(digits[point:point+9], 10, 64)
	if parts[1] != "" {
		seconds, nanos = -seconds, -nanos
	}
	at, ok := writable(time.Unix(seconds, nanos))
	if !ok {
		return time.Time{}, false, errNotYear
	}
	return at, !at.IsZero(), nil
}

// maxCount is in the year 9999 as seconds: what lies below needs no closer look.
const maxCount = 253402300799

// decimal is a JSON number, or the same in a text with zeros before it.
var decimal = regexp.MustCompile(`^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$`)

// maxExponent is far beyond any instant and keeps sums of digits within an int.
const maxExponent = 1 << 30

// countryNames are English names as CLDR and ISO 3166-1 have them, and a few that
// people write, folded as foldName does.
const countryNames = `
AD=andorra; AE=united arab emirates; AE=uae; AF=afghanistan; AG=antigua barbuda; AI=anguilla; AL=albania; AM=armenia; AO=angola; AQ=antarctica;
AR=argentina; AS=american samoa; AT=austria; AU=australia; AW=aruba; AX=aland islands; AZ=azerbaijan; BA=bosnia herzegovina; BB=barbados;
BD=bangladesh; BE=belgium; BF=burkina faso; BG=bulgaria; BH=bahrain; BI=burundi; BJ=benin; BL=st barthelemy; BL=saint barthelemy; BM=bermuda;
BN=brunei; BN=brunei darussalam; BO=bolivia; BO=bolivia plurinational state of; BQ=caribbean netherlands; BQ=bonaire sint eustatius saba; BR=brazil;
BS=bahamas; BT=bhutan; BV=bouvet island; BW=botswana; BY=belarus; BZ=belize; CA=canada; CC=cocos keeling islands; CD=congo kinshasa;
CD=congo democratic republic of; CD=democratic republic of congo; CF=central african republic; CG=congo brazzaville; CG=congo; CG=republic of congo;
CH=switzerland; CI=cote divoire; CI=ivory coast; CK=cook islands; CL=chile; CM=cameroon; CN=china; CO=colombia; CR=costa rica; CU=cuba; CV=cape verde;
CV=cabo verde; CW=curacao; CX=christmas island; CY=cyprus; CZ=czechia; CZ=czech republic; DE=germany; DJ=djibouti; DK=denmark; DM=dominica;
DO=dominican republic; DZ=algeria; EC=ecuador; EE=estonia; EG=egypt; EH=western sahara; ER=eritrea; ES=spain; ET=ethiopia; FI=finland; FJ=fiji;
FK=falkland islands; FK=falkland islands malvinas; FM=micronesia; FM=micronesia federated states of; FO=faroe islands; FR=france; GA=gabon;
GB=united kingdom; GB=great britain; GB=united kingdom of great britain northern ireland; GB=uk; GD=grenada; GE=georgia; GF=french guiana;
GG=guernsey; GH=ghana; GI=gibraltar; GL=greenland; GM=gambia; GN=guinea; GP=guadeloupe; GQ=equatorial guinea; GR=greece;
GS=south georgia south sandwich islands; GT=guatemala; GU=guam; GW=guinea bissau; GY=guyana; HK=hong kong sar china; HK=hong kong;
HM=heard mcdonald islands; HM=heard island mcdonald islands; HN=honduras; HR=croatia; HT=haiti; HU=hungary; ID=indonesia; IE=ireland; IL=israel;
IM=isle of man; IN=india; IO=british indian ocean territory; IQ=iraq; IR=iran; IR=iran islamic republic of; IS=iceland; IT=italy; JE=jersey;
JM=jamaica; JO=jordan; JP=japan; KE=kenya; KG=kyrgyzstan; KH=cambodia; KI=kiribati; KM=comoros; KN=st kitts nevis; KN=saint kitts nevis;
KP=north korea; KP=korea democratic peoples republic of; KR=south korea; KR=korea republic of; KR=republic of korea; KW=kuwait; KY=cayman islands;
KZ=kazakhstan; LA=laos; LA=lao peoples democratic republic; LB=lebanon; LC=st lucia; LC=saint lucia; LI=liechtenstein; LK=sri lanka; LR=liberia;
LS=lesotho; LT=lithuania; LU=luxembourg; LV=latvia; LY=libya; MA=morocco; MC=monaco; MD=moldova; MD=moldova republic of; ME=montenegro; MF=st martin;
MF=saint martin; MF=saint martin french part; MG=madagascar; MH=marshall islands; MK=macedonia; MK=north macedonia; ML=mali; MM=myanmar burma;
MM=myanmar; MM=burma; MN=mongolia; MO=macau sar china; MO=macao; MO=macau; MO=macao sar china; MP=northern mariana islands; MQ=martinique;
MR=mauritania; MS=montserrat; MT=malta; MU=mauritius; MV=maldives; MW=malawi; MX=mexico; MY=malaysia; MZ=mozambique; NA=namibia; NC=new caledonia;
NE=niger; NF=norfolk island; NG=nigeria; NI=nicaragua; NL=netherlands; NL=netherlands kingdom of; NL=holland; NO=norway; NP=nepal; NR=nauru; NU=niue;
NZ=new zealand; OM=oman; PA=panama; PE=peru; PF=french polynesia; PG=papua new guinea; PH=philippines; PK=pakistan; PL=poland; PM=st pierre miquelon;
PM=saint pierre miquelon; PN=pitcairn islands; PN=pitcairn; PR=puerto rico; PS=palestinian territories; PS=palestine; PS=palestine state of;
PT=portugal; PW=palau; PY=paraguay; QA=qatar; RE=reunion; RO=romania; RS=serbia; RU=russia; RU=russian federation; RW=rwanda; SA=saudi arabia;
SB=solomon islands; SC=seychelles; SD=sudan; SE=sweden; SG=singapore; SH=st helena; SH=saint helena;
SH=saint helena ascension island tristan da cunha; SI=slovenia; SJ=svalbard jan mayen; SK=slovakia; SL=sierra leone; SM=san marino; SN=senegal;
SO=somalia; SR=suriname; SS=south sudan; ST=sao tome principe; SV=el salvador; SX=sint maarten; SX=sint maarten dutch part; SY=syria;
SY=syrian arab republic; SZ=swaziland; SZ=eswatini; TC=turks caicos islands; TD=chad; TF=french southern territories; TG=togo; TH=thailand;
TJ=tajikistan; TK=tokelau; TL=timor leste; TM=turkmenistan; TN=tunisia; TO=tonga; TR=turkey; TR=turkiye; TT=trinidad tobago; TV=tuvalu; TW=taiwan;
TW=taiwan province of china; TZ=tanzania; TZ=tanzania united republic of; UA=ukraine; UG=uganda; UM=us outlying islands;
UM=united states minor outlying islands; US=united states; US=united states of america; US=usa; US=us; UY=uruguay; UZ=uzbekistan; VA=vatican city;
VA=holy see; VC=st vincent grenadines; VC=saint vincent grenadines; VE=venezuela; VE=venezuela bolivarian republic of; VG=british virgin islands;
VG=virgin islands british; VI=us virgin islands; VI=virgin islands us; VN=vietnam; VN=viet nam; VU=vanuatu; WF=wallis futuna; WS=samoa; XK=kosovo;
YE=yemen; YT=mayotte; ZA=south africa; ZM=zambia; ZW=zimbabwe;
`
