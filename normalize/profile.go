package normalize

import "time"

// Profile is one person in the canonical form: the names of SCIM 2.0 core and
// enterprise (RFC 7643), and what the systems know beyond them.
//
// A member that nobody gave is its zero value and is left out of the JSON form.
// An unknown boolean is nil, never false. The `form` tag names the conversion
// that a text value passes on its way in (see Form); the JSON name is the name
// by which definitions, callers and policies speak of the member.
type Profile struct {
	// ID is stable and opaque; never derived from an e-mail address.
	ID string `json:"id,omitempty" form:"-"`

	UserName    string `json:"userName,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
	NickName    string `json:"nickName,omitempty"`
	Title       string `json:"title,omitempty"`
	UserType    string `json:"userType,omitempty"`

	// Name is nil when no part of it is known. Its parts come from one source.
	Name *Name `json:"name,omitempty"`

	Emails       []Email   `json:"emails,omitempty"`
	PhoneNumbers []Phone   `json:"phoneNumbers,omitempty"`
	Addresses    []Address `json:"addresses,omitempty"`

	Locale            string `json:"locale,omitempty" form:"language"`            // BCP 47
	PreferredLanguage string `json:"preferredLanguage,omitempty" form:"language"` // BCP 47
	Timezone          string `json:"timezone,omitempty" form:"timezone"`          // IANA

	// Active is nil when no source knows; see Rules.Authority.
	Active *bool `json:"active,omitempty"`

	Organizations  []Organization `json:"organizations,omitempty"`
	Department     string         `json:"department,omitempty"`
	Organization   string         `json:"organization,omitempty"`
	EmployeeNumber string         `json:"employeeNumber,omitempty"`
	Manager        string         `json:"manager,omitempty"`

	Groups []Group `json:"groups,omitempty"`
	Roles  []Role  `json:"roles,omitempty"`

	URLs   []Link `json:"urls,omitempty"`
	Photos []Link `json:"photos,omitempty"`

	// Identifiers is what each system calls this person. Sources give them
	// under `ids`, never under `profile`.
	Identifiers []Identifier `json:"identifiers,omitempty" form:"-"`

	RequiredActions []string `json:"requiredActions,omitempty"`

	CreatedAt   time.Time `json:"createdAt,omitzero"`
	UpdatedAt   time.Time `json:"updatedAt,omitzero"`
	LastLoginAt time.Time `json:"lastLoginAt,omitzero"`

	// Attributes is what definitions chose to carry besides, by source and name.
	Attributes map[string]map[string][]string `json:"attributes,omitempty" form:"-"`
}

// Name is a person's name; all parts come from the same source.
type Name struct {
	GivenName       string `json:"givenName,omitempty"`
	FamilyName      string `json:"familyName,omitempty"`
	MiddleName      string `json:"middleName,omitempty"`
	HonorificPrefix string `json:"honorificPrefix,omitempty"`
	Formatted       string `json:"formatted,omitempty"`
}

// Email is an address, compared without regard to case. Verified is true only
// where a source says so of this very address, nil where none says anything.
type Email struct {
	Value    string   `json:"value" form:"email"`
	Type     string   `json:"type,omitempty"`
	Primary  bool     `json:"primary,omitempty"`
	Verified *bool    `json:"verified,omitempty"`
	Sources  []string `json:"sources,omitempty" form:"-"`
}

// Phone is a telephone number, in E.164 where it parses.
type Phone struct {
	Value   string   `json:"value" form:"phone"`
	Type    string   `json:"type,omitempty"`
	Sources []string `json:"sources,omitempty" form:"-"`
}

// Address is a postal address; Country is ISO 3166-1 alpha-2.
type Address struct {
	StreetAddress string   `json:"streetAddress,omitempty"`
	Locality      string   `json:"locality,omitempty"`
	Region        string   `json:"region,omitempty"`
	PostalCode    string   `json:"postalCode,omitempty"`
	Country       string   `json:"country,omitempty" form:"country"`
	Type          string   `json:"type,omitempty"`
	Sources       []string `json:"sources,omitempty" form:"-"`
}

// Organization is one that the person belongs to.
type Organization struct {
	Value   string   `json:"value"`
	Display string   `json:"display,omitempty"`
	Sources []string `json:"sources,omitempty" form:"-"`
}

// Group is a group as one source names it; like-named groups of two sources stay two.
type Group struct {
	Value   string `json:"value"`
	Display string `json:"display,omitempty"`
	Source  string `json:"source,omitempty" form:"-"`
}

// Role is a role as one source grants it; like-named roles of two sources stay
// two. Permissions is nil when unknown and empty when there are none. Expired
// stands where ExpiresAt stands.
type Role struct {
	Value       string    `json:"value"`
	Display     string    `json:"display,omitempty"`
	Type        string    `json:"type,omitempty"`
	Scope       string    `json:"scope,omitempty"`
	Permissions []string  `json:"permissions,omitzero"`
	ExpiresAt   time.Time `json:"expiresAt,omitzero"`
	Expired     *bool     `json:"expired,omitempty" form:"-"`
	Source      string    `json:"source,omitempty" form:"-"`
}

// Link is an address on the web: a page or a photo.
type Link struct {
	Value   string   `json:"value"`
	Type    string   `json:"type,omitempty"`
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
