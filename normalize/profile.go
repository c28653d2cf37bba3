package normalize

import "time"

// Profile is one person in the canonical form: the names of SCIM 2.0 core and
// enterprise (RFC 7643), and what the systems know beyond them.
//
// A member that nobody gave is its zero value and is left out of the JSON form.
// An unknown boolean is nil, never false. The `form` tag names the conversion
// that a text value passes on its way in (see Form); the JSON name is the name
// by which definitions, callers and policies speak of the member; `about` says to
// who writes a definition what belongs there.
type Profile struct {
	// ID is stable and opaque; never derived from an e-mail address.
	ID string `json:"id,omitempty" form:"-"`

	UserName    string `json:"userName,omitempty" about:"the name to sign in with"`
	DisplayName string `json:"displayName,omitempty" about:"the name to show"`
	NickName    string `json:"nickName,omitempty" about:"the casual name"`
	Title       string `json:"title,omitempty" about:"the title of the job"`
	UserType    string `json:"userType,omitempty" about:"the relation to the organization, such as Employee"`

	// Name is nil when no part of it is known. Its parts come from one source.
	Name *Name `json:"name,omitempty" about:"the parts of the name"`

	Emails       []Email   `json:"emails,omitempty" about:"e-mail addresses"`
	PhoneNumbers []Phone   `json:"phoneNumbers,omitempty" about:"telephone numbers"`
	Addresses    []Address `json:"addresses,omitempty" about:"postal addresses"`

	Locale            string `json:"locale,omitempty" form:"language" about:"language and region for formats, BCP 47"`
	PreferredLanguage string `json:"preferredLanguage,omitempty" form:"language" about:"language to speak, BCP 47"`
	Timezone          string `json:"timezone,omitempty" form:"timezone" about:"time zone, IANA"`

	// Active is nil when no source knows; see Rules.Authority.
	Active *bool `json:"active,omitempty" about:"whether the account may be used"`

	Organizations  []Organization `json:"organizations,omitempty" about:"organizations that the person belongs to"`
	Department     string         `json:"department,omitempty" about:"department"`
	Organization   string         `json:"organization,omitempty" about:"name of the organization"`
	EmployeeNumber string         `json:"employeeNumber,omitempty" about:"number given by the organization"`
	Manager        string         `json:"manager,omitempty" about:"the manager, as the source calls them"`

	Groups []Group `json:"groups,omitempty" about:"groups"`
	Roles  []Role  `json:"roles,omitempty" about:"roles granted"`

	URLs   []Link `json:"urls,omitempty" about:"pages on the web"`
	Photos []Link `json:"photos,omitempty" about:"addresses of photos"`

	// Identifiers is what each system calls this person. Sources give them
	// under `ids`, never under `profile`.
	Identifiers []Identifier `json:"identifiers,omitempty" form:"-"`

	RequiredActions []string `json:"requiredActions,omitempty" about:"what the person has yet to do"`

	CreatedAt   time.Time `json:"createdAt,omitzero" about:"when the account was made"`
	UpdatedAt   time.Time `json:"updatedAt,omitzero" about:"when it was last changed"`
	LastLoginAt time.Time `json:"lastLoginAt,omitzero" about:"when the person last signed in"`

	// Attributes is what definitions chose to carry besides, by source and name.
	Attributes map[string]map[string][]string `json:"attributes,omitempty" form:"-"`
}

// Name is a person's name; all parts come from the same source.
type Name struct {
	GivenName       string `json:"givenName,omitempty" about:"given name"`
	FamilyName      string `json:"familyName,omitempty" about:"family name"`
	MiddleName      string `json:"middleName,omitempty" about:"middle name"`
	HonorificPrefix string `json:"honorificPrefix,omitempty" about:"title before the name"`
	Formatted       string `json:"formatted,omitempty" about:"the whole name, as it is shown"`
}

// Email is an address, compared without regard to case. Verified is true only
// where a source says so of this very address, nil where none says anything.
type Email struct {
	Value    string   `json:"value" form:"email" about:"the address"`
	Type     string   `json:"type,omitempty" about:"what it is for, such as work"`
	Primary  bool     `json:"primary,omitempty" about:"whether it is the preferred one"`
	Verified *bool    `json:"verified,omitempty" about:"whether the source has proved it"`
	Sources  []string `json:"sources,omitempty" form:"-"`
}

// Phone is a telephone number, in E.164 where it parses.
type Phone struct {
	Value   string   `json:"value" form:"phone" about:"the number; E.164 where it parses"`
	Type    string   `json:"type,omitempty" about:"what it is for, such as mobile"`
	Sources []string `json:"sources,omitempty" form:"-"`
}

// Address is a postal address; Country is ISO 3166-1 alpha-2.
type Address struct {
	StreetAddress string   `json:"streetAddress,omitempty" about:"street and number"`
	Locality      string   `json:"locality,omitempty" about:"town"`
	Region        string   `json:"region,omitempty" about:"state or region"`
	PostalCode    string   `json:"postalCode,omitempty" about:"postal code"`
	Country       string   `json:"country,omitempty" form:"country" about:"country, ISO 3166-1 alpha-2"`
	Type          string   `json:"type,omitempty" about:"what it is for, such as work"`
	Sources       []string `json:"sources,omitempty" form:"-"`
}

// Organization is one that the person belongs to.
type Organization struct {
	Value   string   `json:"value" about:"what the source calls it"`
	Display string   `json:"display,omitempty" about:"the name to show"`
	Sources []string `json:"sources,omitempty" form:"-"`
}

// Group is a group as one source names it; like-named groups of two sources stay two.
type Group struct {
	Value   string `json:"value" about:"what the source calls it"`
	Display string `json:"display,omitempty" about:"the name to show"`
	Source  string `json:"source,omitempty" form:"-"`
}

// Role is a role as one source grants it; like-named roles of two sources stay
// two. Permissions is nil when unknown and empty when there are none. Expired
// stands where ExpiresAt stands.
type Role struct {
	Value       string    `json:"value" about:"what the source calls it"`
	Display     string    `json:"display,omitempty" about:"the name to show"`
	Type        string    `json:"type,omitempty" about:"what sort of role it is"`
	Scope       string    `json:"scope,omitempty" about:"what it holds for"`
	Permissions []string  `json:"permissions,omitzero" about:"what it allows"`
	ExpiresAt   time.Time `json:"expiresAt,omitzero" about:"when it ends"`
	Expired     *bool     `json:"expired,omitempty" form:"-"`
	Source      string    `json:"source,omitempty" form:"-"`
}

// Link is an address on the web: a page or a photo.
type Link struct {
	Value   string   `json:"value" about:"the address"`
	Type    string   `json:"type,omitempty" about:"what it shows"`
	Sources []string `json:"sources,omitempty" form:"-"`
}

// Identifier is what one system calls the person. Verified is nil where the
// source says nothing about it.
type Identifier struct {
	Kind     string `json:"kind"`
	Value    string `json:"value"`
	Source   string `json:"source,omitempty"`
	Verified *bool  `json:"verified,omitempty"`
}

// Expire sets Expired on every role that has an expiry, as of now. It writes to
// the Roles it is called on: call it on a profile of your own, as Merge returns.
func (p *Profile) Expire(now time.Time) {
	for i := range p.Roles {
		if role := &p.Roles[i]; !role.ExpiresAt.IsZero() {
			expired := !now.Before(role.ExpiresAt)
			role.Expired = &expired
		}
	}
}

// Record is one source's part of a person: what its definition mapped, before
// any merging. Its lists carry no source names yet. A Record is shared through
// the cache and never written to once made.
type Record struct {
	Profile    Profile
	Attributes map[string][]string // by name; Merge files them under the source
	IDs        []Identifier        // yielded; Kind "self" is the source's own
	AsOf       time.Time           // when the upstream said so
}

// Self is the kind under which a source yields its own identifier. Outside of
// the source it is called by the source's name.
const Self = "self"
