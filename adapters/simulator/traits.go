package simulator

import (
	"fmt"
	"strings"
	"time"
)

// marked is a text that must never leave a gateway. (A profile of the memory has names of
// functions in it, so this one is not called what is searched for.)
func marked(about string) string { return "CANARY-" + about }

// A naming is a name, the local part of a mail address made of it, and the trait that it shows.
type naming struct{ trait, given, family, local string }

// strangeNames are names that break code which takes names to be two words of ASCII.
func strangeNames() []naming {
	return []naming{
		{"script:cyrillic", "Юлия", "Щербакова", "yulia.shcherbakova"},
		{"script:greek", "Ελένη", "Παπαδοπούλου", "eleni.papadopoulou"},
		{"script:arabic", "محمد", "العلي", "mohammed.alali"},
		{"script:hebrew", "נועה", "לוי", "noa.levi"},
		{"script:han", "小明", "王", "xiaoming.wang"},
		{"script:han-extension-b", "太郎", "𠮷野", "taro.yoshino"}, // outside the basic plane: a surrogate pair in UTF-16
		{"script:hangul", "서연", "김", "seoyeon.kim"},
		{"script:devanagari", "प्रिया", "शर्मा", "priya.sharma"},
		{"script:thai", "สมชาย", "ใจดี", "somchai.jaidee"},
		{"script:turkish", "İlkay", "Işık", "ilkay.isik"}, // lower-cases to other letters than English ones
		{"script:vietnamese", "Nguyễn", "Thị Thủy", "nguyen.thuy"},
		{"combining", "Adéb\u1ecd\u0300lá", "\u1ecc\u0300ṣun", "adebola.osun"}, // has no precomposed form
		{"particles", "Ludwig", "van der Grüßen-Ó Súilleabháin", "ludwig.vandergruessen"},
		{"mononym", "Suharto", "", "suharto"},
		{"markup", `<b>Bobby</b> "Tables"`, `O'Brien\ & Söhne`, "bobby.obrien"},
		{"long-name", strings.Repeat("Wolfeschlegelstein", 15), "Hausenbergerdorff", "hubert.wolfe"},
	}
}

// An awkwardness is one way in which what systems hold of a person is not as one would wish.
type awkwardness struct {
	trait, about string
	every        int                 // one in so many of the crowd
	apply        func(d *draft) bool // false: it cannot apply to this person
}

// awkwardnesses in the order in which they apply: who is known where comes first.
func awkwardnesses() []awkwardness {
	var all []awkwardness
	for _, vendor := range Vendors() {
		all = append(all,
			awkwardness{"missing:" + vendor, "unknown to " + vendor, 13, func(d *draft) bool { return d.forget(vendor) }},
			awkwardness{"only:" + vendor, "known to " + vendor + " alone", 61, func(d *draft) bool {
				if d.IDs[vendor] == "" {
					return false
				}
				for _, other := range Vendors() {
					if other != vendor {
						d.forget(other)
					}
				}
				return true
			}})
	}
	for _, vendor := range []string{"kobil", "numium"} {
		all = append(all, awkwardness{"disabled:" + vendor, "disabled in " + vendor + " and not elsewhere", 17, func(d *draft) bool {
			return d.alter(vendor, func(a *Account) { a.Enabled = false })
		}})
	}
	for _, vendor := range []string{"kobil", "csp"} {
		all = append(all, awkwardness{"unverified:" + vendor, vendor + " has not verified the address", 19, func(d *draft) bool {
			return d.alter(vendor, func(a *Account) { a.EmailVerified = false })
		}})
	}
	return append(all, append(differences(), append(absences(), peculiarities()...)...)...)
}

// at is an awkwardness that changes one account.
func at(vendor, trait, about string, every int, change func(d *draft, a *Account)) awkwardness {
	return awkwardness{trait, about, every, func(d *draft) bool {
		return d.alter(vendor, func(a *Account) { change(d, a) })
	}}
}

// differences are those in which systems contradict each other or write the same differently.
func differences() []awkwardness {
	return []awkwardness{
		at("csp", "surname-differs", "CSP has another surname, as before a marriage", 11, func(_ *draft, a *Account) { a.FamilyName += "-Quinn" }),
		at("itwin", "email-case", "iTwin writes the address in mixed case", 7, func(d *draft, a *Account) { a.Email = mixedCase(a.Email) }),
		{"email-differs", "Numium has an older address", 23, func(d *draft) bool {
			return len(d.Accounts) > 1 && d.alter("numium", func(a *Account) { a.Email = "old." + a.Email })
		}},
		{"decomposed", "CSP sends the name decomposed (NFD), the others composed", 29, func(d *draft) bool {
			if d.strange || d.Accounts["csp"].Account == "" {
				return false
			}
			d.GivenName = "Zoë"
			for vendor := range d.Accounts {
				d.alter(vendor, func(a *Account) { a.GivenName = "Zoë" })
			}
			return d.alter("csp", func(a *Account) { a.GivenName = "Zoe\u0308" })
		}},
		at("csp", "idn-email", "CSP sends a second address under an internationalized domain", 31, func(d *draft, a *Account) {
			a.AlternativeEmail = fmt.Sprintf("u%d@bücher.example", d.number)
		}),
		at("csp", "csp-username-qualified", "CSP's user name is the whole address", 9, func(_ *draft, a *Account) { a.Username = a.Account }),
		at("csp", "country-lower-case", "the country code is in lower case", 27, func(_ *draft, a *Account) { a.Country = strings.ToLower(a.Country) }),
		at("csp", "phone-local", "the telephone number has no country code", 21, func(d *draft, a *Account) { a.Phone = fmt.Sprintf("(0171) 55-%04d", d.IntN(10000)) }),
		at("aveva", "two-emails", "AVEVA sends two addresses", 25, func(d *draft, a *Account) { a.AlternativeEmail = "alias." + a.Email }),
		{"odd-username", "KOBIL's user name needs every escape there is", 33, func(d *draft) bool {
			if d.Accounts["kobil"].Username == "" {
				return false
			}
			d.IDs["username"] = fmt.Sprintf("søren o'dell+%d@%s", d.number, d.tenant.Name)
			for vendor := range d.Accounts {
				d.alter(vendor, func(a *Account) { a.Username = d.IDs["username"] })
			}
			return true
		}},
	}
}

// absences are the many ways of saying nothing.
func absences() []awkwardness {
	return []awkwardness{
		at("kobil", "null-names", "KOBIL sends [null] for both names", 15, func(_ *draft, a *Account) { a.GivenName, a.FamilyName = "", "" }),
		{"null-email", "KOBIL sends [null] and Numium null for the address", 35, func(d *draft) bool {
			if d.IDs["csp"] == "" && d.IDs["aveva"] == "" { // nobody would know it
				return false
			}
			kobil := d.alter("kobil", func(a *Account) { a.Email = "" })
			return d.alter("numium", func(a *Account) { a.Email = "" }) || kobil
		}},
		at("aveva", "null-information", "AVEVA's UserInformation is null", 37, func(_ *draft, a *Account) { a.Empty = true }),
		at("numium", "null-roles", "Numium's roles are null", 39, func(_ *draft, a *Account) { a.Roles = nil }),
		at("csp", "no-profile", "CSP has no address, telephone, locale", 41, func(_ *draft, a *Account) {
			a.Street, a.City, a.State, a.Zip, a.Country, a.Phone, a.Locale, a.Language = "", "", "", "", "", "", "", ""
		}),
		at("numium", "permissions-unknown", "Numium does not tell what its roles permit", 16, func(_ *draft, a *Account) {
			for i := range a.Roles {
				a.Roles[i].Permissions = nil
			}
		}),
		at("numium", "permissions-none", "a role of Numium's permits nothing", 43, func(_ *draft, a *Account) {
			a.Roles = []Role{{Name: "Guest", Display: "May do nothing yet.", Permissions: []string{}}}
		}),
	}
}

// peculiarities are the rest: valid, and easily mishandled.
func peculiarities() []awkwardness {
	custom := func(name string, expires func(d *draft) int64) func(*draft, *Account) {
		return func(d *draft, a *Account) {
			a.Roles = append(a.Roles, Role{Name: name, Custom: true, Membership: "NESTED", Resource: "project-7", Expires: expires(d)})
		}
	}
	return []awkwardness{
		{"big-id", "Numium's id is above 2^53 and odd: no float64 holds it", 6, func(d *draft) bool {
			if d.IDs["numium"] == "" {
				return false
			}
			d.IDs["numium"] = fmt.Sprint(1<<53 + 1 + 2*d.number)
			return true
		}},
		at("csp", "role-expired", "a role of CSP's expired some days ago", 8, custom("contractor", func(d *draft) int64 { return d.days(-30 - d.Int64N(300)) })),
		at("csp", "role-expiring", "a role of CSP's expires within two months", 12, custom("on_call", func(d *draft) int64 { return d.days(2 + d.Int64N(50)) })),
		at("csp", "role-far", "a role of CSP's expires at 3609941597, beyond 32 bits", 14, custom("trustee", func(*draft) int64 { return 3609941597 })),
		at("csp", "many-roles", "CSP has more than fifty roles", 47, func(_ *draft, a *Account) {
			for i := range 55 {
				a.Roles = append(a.Roles, Role{Name: fmt.Sprintf("vmc-project-%02d:read", i), Service: "vmc", Display: "VMware Cloud", Membership: "GROUP"})
			}
		}),
		at("kobil", "custom-attributes", "KOBIL has attributes that the customer added", 5, func(d *draft, a *Account) {
			a.Attributes = map[string][]string{
				"department": {pick(d, departments())}, "costCenter": {fmt.Sprint(1000 + d.IntN(9000))},
				"badge": {"blue", "", "green"}, "x.y-z/ß": {"näive"}, "onboarded": {"true"},
			}
		}),
		at("kobil", "top-level-names", "KOBIL sends the names where its table has them", 10, func(_ *draft, a *Account) { a.TopLevelNames = true }),
		at("kobil", "required-actions", "KOBIL wants something done at the next login", 18, func(_ *draft, a *Account) {
			a.RequiredActions = []string{"UPDATE_PASSWORD", "kobil-2fa-required-action"}
		}),
		at("kobil", "admin", "an administrator in KOBIL", 20, func(_ *draft, a *Account) { a.Admin = true }),
		at("csp", "password", "CSP sends a password: a canary", 4, func(d *draft, a *Account) {
			a.Password = marked(fmt.Sprintf("pw-%s-%d", d.Tenant, d.number))
		}),
	}
}

// Trait is one awkwardness that a population has.
type Trait struct{ Name, About string }

// Traits are all that WithTrait finds, in the order of the showcases.
func Traits() []Trait {
	all := []Trait{
		{"showcase", "Casey Taylor of acme: known to all, well-formed"},
		{"disagreeing", "Jordan Rivera of acme: known to all, described differently by each"},
		{"namesake", "Casey Taylor of globex: the user name and Numium id of the one of acme"},
	}
	for _, n := range strangeNames() {
		all = append(all, Trait{n.trait, "a name: " + n.local})
	}
	for _, a := range awkwardnesses() {
		all = append(all, Trait{a.trait, a.about})
	}
	for _, f := range standingFaults() {
		all = append(all, Trait{"fault:" + f.fault.Kind, f.vendor + " always fails so for this person of initech"})
	}
	return all
}

// A standingFault is what one vendor always does for one person.
type standingFault struct {
	vendor string
	fault  Fault
}

func standingFaults() []standingFault {
	return []standingFault{
		{"numium", Fault{Kind: "503"}},
		{"kobil", Fault{Kind: "500"}},
		{"csp", Fault{Kind: "429", RetryAfter: "17"}},
		{"csp", Fault{Kind: "403"}},
		{"aveva", Fault{Kind: "multi-status"}},
		{"aveva", Fault{Kind: "limit-exceeded"}},
		{"numium", Fault{Kind: "failure-in-200"}},
		{"kobil", Fault{Kind: "absent-in-200"}},
		{"aveva", Fault{Kind: "html"}},
		{"csp", Fault{Kind: "truncated"}},
		{"kobil", Fault{Kind: "huge"}},
		{"numium", Fault{Kind: "wrong-person"}},
		{"kobil", Fault{Kind: "reset"}},
		{"numium", Fault{Kind: "latency", Latency: 1500 * time.Millisecond}},
		{"csp", Fault{Kind: "hang"}},
	}
}

// mixedCase writes an address as people do: Casey.Taylor@ACME.example.
func mixedCase(email string) string {
	local, domain, _ := strings.Cut(email, "@")
	words := strings.Split(local, ".")
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	name, rest, _ := strings.Cut(domain, ".")
	return strings.Join(words, ".") + "@" + strings.ToUpper(name) + "." + rest
}
