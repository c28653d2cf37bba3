package normalize

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"pgregory.net/rapid"
)

func forms() []Form {
	return []Form{FormText, FormEmail, FormPhone, FormCountry, FormLanguage, FormTimezone, "unknown"}
}

func TestFormText(t *testing.T) {
	for _, test := range []struct {
		form     Form
		in, want string
	}{
		{FormText, "Jane", "Jane"},
		{FormText, "", ""},
		{FormText, " \t\u00a0 Jane Doe\u2003\r\n", "Jane Doe"},
		{FormText, "Zoe\u0308", "Zo\u00eb"},
		{FormText, "line\nline\ttab\r\nend", "line line tab end"},
		{FormText, "bell\a, escape\x1b[31m, C1\u0085, delete\x7f, nul\x00", "bell, escape[31m, C1, delete, nul"},
		{FormText, "e\x07\u0301", "\u00e9"}, // one character once the other is gone
		{FormText, "bad\xffbyte", "bad\ufffdbyte"},
		{FormText, "👩‍👩‍👧", "👩‍👩‍👧"},
		{FormText, "ÀÉÎ ſ İ ß", "ÀÉÎ ſ İ ß"},
		{"unknown", " Jane ", "Jane"},

		{FormEmail, " John.Smith+tag@Example.COM ", "john.smith+tag@example.com"},
		{FormEmail, "jo@Bücher.Example", "jo@xn--bcher-kva.example"},
		{FormEmail, "jo@xn--bcher-kva.example", "jo@xn--bcher-kva.example"},
		{FormEmail, "jo@faß.example", "jo@xn--fa-hia.example"},
		{FormEmail, "jo@ｅｘａｍｐｌｅ。com", "jo@example.com"},
		{FormEmail, "JO\u0308@example.com", "j\u00f6@example.com"},
		{FormEmail, "H\u0331@example.com", "\u1e96@example.com"}, // composed only in lower case
		{FormEmail, `"a@B"@Example.com`, `"a@b"@example.com`},
		{FormEmail, "jo@Under_Score.example", "jo@under_score.example"},
		{FormEmail, "jo@[192.0.2.1]", "jo@[192.0.2.1]"},
		{FormEmail, "jo@-Bad-.example", "jo@-bad-.example"},
		{FormEmail, "No Address", "no address"},
		{FormEmail, "@", "@"},
		{FormEmail, "adm\u0130n@example.com", "adm\u0130n@example.com"}, // not admin
		{FormEmail, "ſam@example.com", "ſam@example.com"},               // not sam
		{FormEmail, "a\x00b@example.com", "a\x00b@example.com"},         // not ab
		{FormEmail, "jo@" + strings.Repeat("Ü", 300), "jo@" + strings.Repeat("ü", 300)},

		{FormPhone, "+1 (650) 253-0000", "+16502530000"},
		{FormPhone, "+49 (0)30 123456", "+4930123456"},
		{FormPhone, "(+49) 30 123456", "+4930123456"},
		{FormPhone, "＋４９ ３０ １２３４５６", "+4930123456"},
		{FormPhone, "tel:+1-650-253-0000", "+16502530000"},
		{FormPhone, "+39 02 1234567", "+39021234567"}, // Italy keeps its zero
		{FormPhone, "+1 800 FLOWERS", "+18003569377"},
		{FormPhone, "+1 555 555 0100", "+15555550100"},                  // possible, though not assigned
		{FormPhone, "+1 650 253 0000 ext. 5", "+1 650 253 0000 ext. 5"}, // E.164 would lose the extension
		{FormPhone, " 0049 30 123456 ", "0049 30 123456"},
		{FormPhone, "650 253 0000", "650 253 0000"},
		{FormPhone, "call +1 650 253 0000", "call +1 650 253 0000"},
		{FormPhone, "+999 123456", "+999 123456"},
		{FormPhone, "+1", "+1"},
		{FormPhone, "+123456789012345678", "+123456789012345678"},
		{FormPhone, "+44 20 7946 0958 / +49 30 123456", "+44 20 7946 0958 / +49 30 123456"},

		{FormCountry, "de", "DE"},
		{FormCountry, " DEU ", "DE"},
		{FormCountry, "276", "DE"},
		{FormCountry, "040", "AT"},
		{FormCountry, "40", "AT"}, // a number has lost its zero
		{FormCountry, "8", "AL"},
		{FormCountry, "uk", "GB"},
		{FormCountry, "U.K.", "GB"},
		{FormCountry, "United Kingdom of Great Britain and Northern Ireland (the)", "GB"},
		{FormCountry, "UNITED STATES", "US"},
		{FormCountry, "The United States of America", "US"},
		{FormCountry, "U.S.A.", "US"},
		{FormCountry, "Côte d’Ivoire", "CI"},
		{FormCountry, "cote d'ivoire", "CI"},
		{FormCountry, "Bosnia and Herzegovina", "BA"},
		{FormCountry, "Korea (the Republic of)", "KR"},
		{FormCountry, "Korea, Democratic People's Republic of", "KP"},
		{FormCountry, "Tu\u0308rkiye", "TR"},
		{FormCountry, "Timor-Leste", "TL"},
		{FormCountry, "XK", "XK"},
		{FormCountry, "eu", "eu"},
		{FormCountry, "un", "un"},
		{FormCountry, "ZZ", "ZZ"},
		{FormCountry, "001", "001"},
		{FormCountry, "150", "150"},
		{FormCountry, "Atlantis", "Atlantis"},
		{FormCountry, "states of america", "states of america"}, // no part of a name
		{FormCountry, "AD=andorra", "AD=andorra"},
		{FormCountry, "the", "the"},
		{FormCountry, "-", "-"},
		{FormCountry, "", ""},
		{FormCountry, strings.Repeat("x", 200), strings.Repeat("x", 200)},

		{FormLanguage, "EN", "en"},
		{FormLanguage, "en_US", "en-US"},
		{FormLanguage, "EN-us", "en-US"},
		{FormLanguage, "zh_hans_cn", "zh-Hans-CN"},
		{FormLanguage, "en_US.UTF-8", "en-US"},
		{FormLanguage, "de_DE@euro", "de-DE"},
		{FormLanguage, "ca_ES.UTF-8@valencia", "ca-ES"},
		{FormLanguage, "iw", "he"},
		{FormLanguage, "i-klingon", "tlh"},
		{FormLanguage, "de-DE-u-co-phonebk", "de-DE-u-co-phonebk"},
		{FormLanguage, "C.UTF-8", "C.UTF-8"},
		{FormLanguage, "English", "English"},
		{FormLanguage, "en-US,en;q=0.9", "en-US,en;q=0.9"},
		{FormLanguage, "xx-YY", "xx-YY"},
		{FormLanguage, "", ""},
		{FormLanguage, "en" + strings.Repeat("-abcde", 20), "en" + strings.Repeat("-abcde", 20)},

		{FormTimezone, " Europe/Berlin ", "Europe/Berlin"},
		{FormTimezone, "W. Europe Standard Time", "W. Europe Standard Time"},
		{FormTimezone, "../../etc/passwd", "../../etc/passwd"}, // a text, and no file is looked for
	} {
		if got := test.form.Text(test.in); got != test.want {
			t.Errorf("%q as %q is %q, want %q", test.in, test.form, got, test.want)
		}
	}
}

// Whatever language or display know as a country has its code and its name.
func TestFormCountryKnowsAll(t *testing.T) {
	names := display.English.Regions()
	countries := 0
	for _, region := range language.Supported.Regions() {
		if !region.IsCountry() || region.M49() == 0 || region.ISO3() == "ZZZ" || region.Canonicalize() != region {
			continue
		}
		code, name := region.String(), names.Name(region)
		for _, text := range []string{code, strings.ToLower(code), region.ISO3()} {
			if got := FormCountry.Text(text); got != code {
				t.Errorf("%s is %s, want %s", text, got, code)
			}
		}
		if name == "" {
			continue // no longer a country
		}
		countries++
		for _, text := range []string{name, strings.ToUpper(name), "The " + strings.ReplaceAll(name, "&", "and")} {
			if got := FormCountry.Text(text); got != code {
				t.Errorf("%s is %s, want %s", text, got, code)
			}
		}
	}
	if countries != 250 { // the 249 of ISO 3166-1, and Kosovo
		t.Errorf("%d countries, want 250", countries)
	}
}

func TestCountryNamesAreFolded(t *testing.T) {
	seen := map[string]bool{}
	for _, entry := range strings.Split(strings.ReplaceAll(strings.TrimSpace(countryNames), "; ", ";\n"), "\n") {
		code, name, ok := strings.Cut(strings.TrimSuffix(entry, ";"), "=")
		switch {
		case !ok || !strings.HasSuffix(entry, ";"):
			t.Errorf("%q is no entry", entry)
		case FormCountry.Text(code) != code || len(code) != 2:
			t.Errorf("%s: no such country", code)
		case foldName(name) != name:
			t.Errorf("%q will never be found: it folds to %q", name, foldName(name))
		case seen[name]:
			t.Errorf("%q is there twice", name)
		case FormCountry.Text(name) != code:
			t.Errorf("%q is %s, want %s", name, FormCountry.Text(name), code)
		}
		seen[name] = true
	}
}

// texts draws what people and systems write, and what they should not.
func texts() *rapid.Generator[string] {
	part := rapid.SampledFrom([]string{
		"jane", "JANE", "@", ".", "+", "example.com", "BÜCHER", "xn--", "xn--a", " ", "\t", "\n", "\x00", "\u0085", "\u00a0", "\ufeff", "\u200b", "\xff",
		"e\u0301", "\u0301", "\u0331", "H", "K", "ſ", "İ", "ı", "ß", "ẞ", "Σ", "ς", "Å", "。", "＠", "１", "+49", "+1", "650", "253", "0000", "00", "(0)", "tel:", ";ext=5", "ext",
		"en", "_", "-", "US", "Latn", "x", "u", "co", "phonebk", "t", "i-klingon", "de_DE", ".UTF-8", "@euro", "und", "sgn", "zh", "cmn", "DD", "BU", "276", "4", "GBR",
		"the ", "and ", "United", "States", "korea", "=", ";", "'", "\u00ad", "\u0660",
	})
	return rapid.OneOf(
		rapid.Map(rapid.SliceOfN(part, 0, 8), func(parts []string) string { return strings.Join(parts, "") }),
		rapid.String(),
		rapid.StringMatching(`\+[1-9][0-9 ()-]{3,16}`),
		rapid.StringMatching(`[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{1,8}){0,3}`),
		rapid.StringMatching(`[a-zA-ZéßİKſ.]{1,8}@([a-zA-Zéß0-9_-]{1,6}\.){1,3}[a-zA-Z]{2}`),
	)
}

func checkForm(t interface{ Fatalf(string, ...any) }, form Form, text string) {
	once := form.Text(text)
	if twice := form.Text(once); twice != once {
		t.Fatalf("%q as %q is %q, and that is %q", text, form, once, twice)
	}
	if !utf8.ValidString(once) {
		t.Fatalf("%q as %q is %q", text, form, once)
	}
	if strings.TrimSpace(once) != once {
		t.Fatalf("%q as %q is %q", text, form, once)
	}
}

func TestFormsAreIdempotent(t *testing.T) {
	for _, form := range forms() {
		t.Run(string(form), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { checkForm(t, form, texts().Draw(t, "text")) })
		})
	}
}

func TestCanonicalID(t *testing.T) {
	for _, test := range []struct{ kind, in, want string }{
		{"email", " Jane@EXAMPLE.com ", "jane@example.com"},
		{"username", " Jane\u0308 ", "Jan\u00eb"},
		{"oid", " D3B07384-D9A1-4655-A08E-DF5F4F6D7D19", "d3b07384-d9a1-4655-a08e-df5f4f6d7d19"},
		{"oid", "{D3B07384-D9A1-4655-A08E-DF5F4F6D7D19}", "{D3B07384-D9A1-4655-A08E-DF5F4F6D7D19}"},
		{"oid", "NOT-A-GUID", "NOT-A-GUID"},
		{"crm", " Crm.Example:1F0C\n", "Crm.Example:1F0C"},
		{"crm", "e\u0301", "e\u0301"},
		{"crm", "a\x00b", "a\x00b"},
		{"username", "a\x00b", "a\x00b"},
		{"self", "0042", "0042"},
		{"self", "  ", ""},
	} {
		if got := CanonicalID(test.kind, test.in); got != test.want {
			t.Errorf("%s %q is %q, want %q", test.kind, test.in, got, test.want)
		}
	}
}

func TestSameID(t *testing.T) {
	for _, test := range []struct {
		kind, a, b string
		want       bool
	}{
		{"email", "Jane@Example.com", "jane@example.COM ", true},
		{"email", "jo@bücher.example", "jo@XN--BCHER-KVA.example", true},
		{"email", "jane@example.com", "jane+tag@example.com", false},
		{"email", "sam@example.com", "ſam@example.com", false},
		{"email", "ſam@example.com", "ſam@example.com", true},
		{"email", "admin@example.com", "adm\u0130n@example.com", false},
		{"email", "admin@example.com", "adm\u0131n@example.com", false},
		{"email", "ab@example.com", "a\x00b@example.com", false},
		{"username", "Jane", "jANE", true},
		{"username", "ΝΊΚΟΣ", "νίκος", true},
		{"username", "zoe\u0308", "ZO\u00cb", true},
		{"username", "jess", "jeſſ", false},
		{"username", "istanbul", "\u0130stanbul", false},
		{"username", "jane", "joan", false},
		{"oid", "D3B07384-D9A1-4655-A08E-DF5F4F6D7D19", "d3b07384-d9a1-4655-a08e-df5f4f6d7d19", true},
		{"crm", "ABC", "abc", false},
		{"crm", " ABC", "ABC", true},
		{"erp", "042", "42", false},
	} {
		if got := SameID(test.kind, test.a, test.b); got != test.want {
			t.Errorf("%s %q and %q: %t, want %t", test.kind, test.a, test.b, got, test.want)
		}
	}
}

func checkIDs(t interface{ Fatalf(string, ...any) }, kind, a, b string) {
	once := CanonicalID(kind, a)
	if twice := CanonicalID(kind, once); twice != once {
		t.Fatalf("%s %q is %q, and that is %q", kind, a, once, twice)
	}
	if !SameID(kind, a, a) || !SameID(kind, a, once) {
		t.Fatalf("%s %q is not itself", kind, a)
	}
	if SameID(kind, a, b) != SameID(kind, b, a) {
		t.Fatalf("%s: %q is %q, but not the other way round", kind, a, b)
	}
}

func TestIDsAreEqualBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := texts().Draw(t, "a")
		b := rapid.OneOf(texts(), rapid.SampledFrom([]string{a, strings.ToUpper(a), strings.ToLower(a), " " + a})).Draw(t, "b")
		checkIDs(t, rapid.SampledFrom([]string{"email", "username", "oid", "crm"}).Draw(t, "kind"), a, b)
	})
}

func TestParseInstant(t *testing.T) {
	at := func(nanos int) time.Time { return time.Date(2020, 3, 25, 4, 36, 40, nanos, time.UTC) }
	minute := time.Date(2020, 3, 25, 4, 36, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2020-03-25T04:36:40Z":            at(0),
		" 2020-03-25t04:36:40z\n":         at(0),
		"2020-03-25T04:36:40.4210000Z":    at(421_000_000),
		"2020-03-25T04:36:40.123456789Z":  at(123_456_789),
		"2020-03-25T04:36:40.1234567899Z": at(123_456_789),
		"2020-03-25T04:36:40,5Z":          at(500_000_000),
		"2020-03-25T06:36:40+02:00":       at(0),
		"2020-03-25T06:36:40.5+0200":      at(500_000_000),
		"2020-03-25T04:36:40+0000":        at(0),
		"2020-03-24T23:36:40-05":          at(0),
		"2020-03-25T04:36:40":             at(0),
		"2020-03-25T04:36:40.421":         at(421_000_000),
		"2020-03-25 04:36:40":             at(0),
		"2020-03-25 04:36:40.5Z":          at(500_000_000),
		"2020-03-25 10:06:40+05:30":       at(0),
		"2020-03-25T04:36Z":               minute,
		"2020-03-25T04:36":                minute,
		"2020-03-25T06:36+02:00":          minute,
		"2020-03-25T06:36+0200":           minute,
		"2020-03-25T06:36+02":             minute,
		"2020-03-25":                      time.Date(2020, 3, 25, 0, 0, 0, 0, time.UTC),
		"0001-01-01T00:00:00Z":            {}, // how .NET says never
		"9999-12-31T23:59:59.9999999Z":    time.Date(9999, 12, 31, 23, 59, 59, 999_999_900, time.UTC),
		"2024-02-29":                      time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
	} {
		got, ok := ParseInstant(text)
		if !ok || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q is %v, %t, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", " ", "yesterday", "1585110000", "20200325", "2020", "2020-03", "03/25/2020", "25.03.2020", "2020-3-5", "04:36:40",
		"2020-02-30", "2021-02-29", "2020-13-01", "2020-03-25T25:00:00Z", "2020-03-25T04:36:60Z", "2020-03-25T04:36:40+25:00",
		"2020-03-25T04:36:40Z rubbish", "2020-03-25T", "2020-03-25_04:36:40", "2020-03-25T04:36:40 UTC", "+2020-03-25T04:36:40Z",
		"9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00", "2020-03-25T04:36:40." + strings.Repeat("1", 100) + "Z",
	} {
		if got, ok := ParseInstant(text); ok {
			t.Errorf("%q is %v, want none", text, got)
		}
	}
}

func TestParseInstantReadsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// From 0000-01-02 to 9999-12-30, so that no offset leads out of the years.
		want := time.Unix(rapid.Int64Range(-62167132800, 253402127999).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos"))
		zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "offset"))
		layout := rapid.SampledFrom([]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02 15:04:05.999999999Z07:00"}).Draw(t, "layout")
		if got, ok := ParseInstant(want.In(zone).Format(layout)); !ok || !got.Equal(want) {
			t.Fatalf("%s is %v, %t", want.In(zone).Format(layout), got, ok)
		}
	})
}

func TestEpoch(t *testing.T) {
	for _, test := range []struct {
		unit  Epoch
		count Number
		want  time.Time
	}{
		{EpochSeconds, "1585110000", time.Unix(1585110000, 0)},
		{EpochMillis, "1585110000421", time.Unix(1585110000, 421e6)},
		{EpochSeconds, "1585110000.421", time.Unix(1585110000, 421e6)},
		{EpochMillis, "1585110000421.5", time.Unix(1585110000, 421.5e6)},
		{EpochSeconds, "1.585110e9", time.Unix(1585110000, 0)},
		{EpochSeconds, "15851100E+2", time.Unix(1585110000, 0)},
		{EpochSeconds, "15851100004210000e-7", time.Unix(1585110000, 421e6)},
		{EpochSeconds, "0001585110000", time.Unix(1585110000, 0)},
		{EpochSeconds, "1", time.Unix(1, 0)},
		{EpochMillis, "1", time.Unix(0, 1e6)},
		{EpochMillis, "-1", time.Unix(0, -1e6)},
		{EpochSeconds, "-1585110000.5", time.Unix(-1585110001, 5e8)},
		{EpochSeconds, "0.000000001", time.Unix(0, 1)},
		{EpochSeconds, "0.0000000019", time.Unix(0, 1)},
		{EpochSeconds, "253402300799", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{EpochMillis, "253402300799999", time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)},
		{EpochSeconds, "-62167219200", time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		got, present, err := test.unit.Time(test.count)
		if err != nil || !present || !got.Equal(test.want) || got.Location() != time.UTC {
			t.Errorf("%s %s: %v, %t, %v, want %v", test.unit, test.count, got, present, err, test.want)
		}
	}
	for _, count := range []Number{"0", "-0", "0.000", "000", "0e999999999999999999999", "0.0000000009", "1e-30", "1e-1000000", "-62135596800"} {
		if got, present, err := EpochSeconds.Time(count); present || err != nil || !got.IsZero() {
			t.Errorf("%s: %v, %t, %v, want absence", count, got, present, err)
		}
	}
	for count, want := range map[Number]error{
		"253402300800": errNotYear, "1585110000421": errNotYear, "9223372036854775808": errNotYear, "-62167219201": errNotYear,
		"1e13": errNotYear, "1e400": errNotYear, "1e99999999999999999999": errNotYear, "1e-2000000000": errNotYear, "1e2147483647": errNotYear,
		"": errNotNumber, " 1": errNotNumber, "+1": errNotNumber, "0x1": errNotNumber, "1.": errNotNumber, ".5": errNotNumber, "1e": errNotNumber,
		"1_000": errNotNumber, "NaN": errNotNumber, "Infinity": errNotNumber, "true": errNotNumber, "2020-03-25": errNotNumber, "١": errNotNumber, "1\n": errNotNumber,
	} {
		if got, present, err := EpochSeconds.Time(count); !errors.Is(err, want) || present || !got.IsZero() {
			t.Errorf("%q: %v, %t, %v, want %v", count, got, present, err, want)
		}
	}
}

func TestEpochIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		millis := rapid.Int64Range(-62135596799999, 253402300799999).Filter(func(n int64) bool { return n != 0 }).Draw(t, "millis")
		want := time.UnixMilli(millis)
		if got, present, err := EpochMillis.Time(Number(strconv.FormatInt(millis, 10))); err != nil || !present || !got.Equal(want) {
			t.Fatalf("%d ms: %v, %t, %v", millis, got, present, err)
		}
		exponent := rapid.IntRange(-20, 20).Draw(t, "exponent")
		seconds := strconv.FormatInt(millis, 10) + "e" + strconv.Itoa(exponent)
		got, present, err := EpochSeconds.Time(Number(seconds))
		if approximately := float64(millis) * math.Pow10(exponent); math.Abs(approximately) > 1 && math.Abs(approximately) < 6e10 {
			if difference := math.Abs(float64(got.UnixNano())/1e9 - approximately); !present && difference > 1 || err != nil {
				t.Fatalf("%s s: %v, %t, %v", seconds, got, present, err)
			}
		}
		if exponent == -3 && (!present || !got.Equal(want)) {
			t.Fatalf("%s s: %v, want %v", seconds, got, want)
		}
	})
}

func TestScalarText(t *testing.T) {
	for _, test := range []struct {
		value any
		want  string
		ok    bool
	}{
		{"", "", true},
		{" text ", " text ", true},
		{Number("9007199254740993"), "9007199254740993", true},
		{Number("1E3"), "1E3", true},
		{Number("-0"), "-0", true},
		{Number("1.0"), "1.0", true},
		{true, "true", true},
		{false, "false", true},
		{nil, "", false},
		{[]any{"a"}, "", false},
		{map[string]any{}, "", false},
		{Ambiguous{}, "", false},
		{1.5, "", false}, // no JSON value is a float64 here
	} {
		if got, ok := ScalarText(test.value); got != test.want || ok != test.ok {
			t.Errorf("%v: %q, %t, want %q, %t", test.value, got, ok, test.want, test.ok)
		}
	}
}

func TestAbsent(t *testing.T) {
	for text, want := range map[string]bool{
		`null`: true, `""`: true, `[]`: true, `{}`: true, `[null]`: true, `["",[],{},[null]]`: true,
		`false`: false, `0`: false, `" "`: false, `[0]`: false, `[null,false]`: false, `{"a":null}`: false, `[[{"a":null}]]`: false,
	} {
		if got := Absent(mustParse(t, text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	if Absent(Ambiguous{}) {
		t.Error("an ambiguous member passes for absent")
	}
}

func FuzzConvert(f *testing.F) {
	for _, seed := range [][2]string{
		{"Jane@Bücher.example", "jane@xn--bcher-kva.example"},
		{"+49 (0)30 123456", "tel:+1-650-253-0000;ext=5"},
		{"en_US.UTF-8", "zh-cmn-Hans-x-a"},
		{"The United Kingdom", "840"},
		{"2020-03-25T04:36:40.4210000Z", "2020-03-25 04:36+0000"},
		{"1.585110e9", "-0.000001"},
		{"D3B07384-D9A1-4655-A08E-DF5F4F6D7D19", "\xff\u0130ſK"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, form := range forms() {
			checkForm(t, form, a)
		}
		for _, kind := range []string{"email", "username", "oid", "crm"} {
			checkIDs(t, kind, a, b)
		}
		at, ok := ParseInstant(a)
		checkInstant(t, a, at, ok)
		for _, unit := range []Epoch{EpochSeconds, EpochMillis} {
			at, present, err := unit.Time(Number(a))
			if present && err != nil {
				t.Fatalf("%q: present, and %v", a, err)
			}
			checkInstant(t, a, at, present)
		}
	})
}

// checkInstant asks that an instant can be written and read again.
func checkInstant(t *testing.T, text string, at time.Time, ok bool) {
	t.Helper()
	if !ok {
		if !at.IsZero() {
			t.Fatalf("%q is none, and %v", text, at)
		}
		return
	}
	written, err := json.Marshal(at)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if again, ok := ParseInstant(strings.Trim(string(written), `"`)); !ok || !again.Equal(at) {
		t.Fatalf("%q is written as %s and read as %v", text, written, again)
	}
}

// A misspelt form would quietly be FormText.
func TestFormsOfProfileAreKnown(t *testing.T) {
	used := map[Form]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range typ.NumField() {
			if form := typ.Field(i).Tag.Get("form"); form != "-" {
				used[Form(form)] = true
				walk(typ.Field(i).Type)
			}
		}
	}
	walk(reflect.TypeFor[Profile]())
	want := map[Form]bool{FormText: true, FormEmail: true, FormPhone: true, FormCountry: true, FormLanguage: true, FormTimezone: true}
	if diff := cmp.Diff(want, used); diff != "" {
		t.Errorf("-known +used by Profile:\n%s", diff)
	}
}

func BenchmarkForm(b *testing.B) {
	for form, text := range map[Form]string{
		FormText: "Casey Taylor", FormEmail: "Casey.Taylor@example.com", FormPhone: "+1 650 253 0000", FormCountry: "Zimbabwe", FormLanguage: "en_US",
	} {
		b.Run(string(form), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				form.Text(text)
			}
		})
	}
}

// TestEmailTheShortWay: what an address of plain ASCII becomes without looking
// closer is what it becomes by looking.
func TestEmailTheShortWay(t *testing.T) {
	t.Parallel()
	label := rapid.StringMatching(`[A-Za-z0-9_.+-]{0,12}|-a-|xN--[a-z0-9-]{0,8}|[a-z]{64}|a--b|\.|[ !~#]`)
	rapid.Check(t, func(r *rapid.T) {
		address := "a" + strings.Join(rapid.SliceOfN(label, 0, 5).Draw(r, "local"), "") + "@" + strings.Join(rapid.SliceOfN(label, 0, 5).Draw(r, "domain"), ".")
		if short, long := FormEmail.Text(address), FormEmail.Text("\u200b"+address); "\u200b"+short != long {
			r.Fatalf("%q is %q, and %q the long way", address, short, long)
		}
	})
}
