package simulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// csp is seed 004: VMware Cloud Services Platform, user info by user and organization. Beside it stands the search of an
// organization's users (csp-iam, users/search, deprecated), which finds what contains a text.
type csp struct {
	apiToken string
	tokens   *tokens
}

type cspError struct {
	CSPErrorCode string `json:"cspErrorCode"`
	ErrorCode    string `json:"errorCode"`
	Message      string `json:"message"`
	ModuleCode   int    `json:"moduleCode"`
	RequestID    string `json:"requestId"`
	StatusCode   int    `json:"statusCode"`
}

type cspInfo struct {
	User        cspUser      `json:"user"`
	UserOrgInfo []cspOrgInfo `json:"userOrgInfo"`
}

type cspUser struct {
	Acct           string     `json:"acct"`
	Address        *string    `json:"address"`
	City           *string    `json:"city"`
	Company        *string    `json:"company"`
	Country        *string    `json:"country"`
	CountryCode    *string    `json:"countryCode"`
	CountryName    *string    `json:"countryName"`
	CustomerNumber *string    `json:"customerNumber"`
	Email          *string    `json:"email"`
	EmailVerified  bool       `json:"emailVerified"`
	EulaInfo       *string    `json:"eulaInfo"`
	FirstName      *string    `json:"firstName"`
	LastName       *string    `json:"lastName"`
	Password       *string    `json:"password"`
	RefLink        string     `json:"refLink"`
	State          *string    `json:"state"`
	StateCode      *string    `json:"stateCode"`
	StateName      *string    `json:"stateName"`
	TNC            bool       `json:"tnc"`
	TradeID        *string    `json:"tradeId"`
	UserID         string     `json:"userId"`
	UserProfile    cspProfile `json:"userProfile"`
	Username       *string    `json:"username"`
	Website        *string    `json:"website"`
	WorkPhone      *string    `json:"workPhone"`
	Zipcode        *string    `json:"zipcode"`
}

type cspProfile struct {
	AlternativeEmail    *string `json:"alternativeEmail"`
	CustomerNumber      *string `json:"customerNumber"`
	DefaultOrgID        string  `json:"defaultOrgId"`
	IsFederated         bool    `json:"isFederated"`
	Language            *string `json:"language"`
	LinkedUserIDAccount *string `json:"linkedUserIdAccount"`
	Locale              *string `json:"locale"`
}

type cspOrgInfo struct {
	CustomRoles []cspRole    `json:"customRoles"`
	DisplayName string       `json:"displayName"`
	Name        string       `json:"name"`
	OrgRoles    []cspOrgRole `json:"orgRoles"`
	ServicesDef []cspService `json:"servicesDef"`
}

// cspStamps are texts of epoch seconds, as the API writes its dates.
type cspStamps struct {
	CreatedBy       string `json:"createdBy"`
	CreatedDate     string `json:"createdDate"`
	LastUpdatedBy   string `json:"lastUpdatedBy"`
	LastUpdatedDate string `json:"lastUpdatedDate"`
}

type cspRole struct {
	cspStamps
	ExpiresAt      *int64  `json:"expiresAt"` // epoch seconds; null: never
	MembershipType string  `json:"membershipType"`
	Name           string  `json:"name"`
	Resource       *string `json:"resource"`
}

type cspOrgRole struct {
	cspStamps
	DisplayName      string  `json:"displayName"`
	ExpiresAt        int64   `json:"expiresAt"` // epoch seconds; 0: never
	Name             string  `json:"name"`
	OrganizationLink string  `json:"organizationLink"`
	Resource         *string `json:"resource"`
	Visible          bool    `json:"visible"`
}

type cspService struct {
	RefLink            string    `json:"refLink"`
	Roles              []cspRole `json:"roles"`
	ServiceDisplayName string    `json:"serviceDisplayName"`
	ServiceName        string    `json:"serviceName"`
	ServiceRoles       []string  `json:"serviceRoles"`
}

func (csp) hosts() []string { return []string{"console.cloud.example"} }

func (csp) lookups() []string {
	return []string{"/csp/gateway/am/api/v2/users/{user}/orgs/{tenant}/info"}
}

func (csp) tokenPath() string { return "/csp/gateway/am/api/auth/api-tokens/authorize" }

// token takes the API token as any of its clients gives it: api_token or refresh_token, in the form or the query. The
// answer repeats it as refresh_token: one secret more that must not be logged.
func (p csp) token(c *call) reply {
	if c.r.ParseForm() != nil || !slices.Contains([]string{c.r.Form.Get("api_token"), c.r.Form.Get("refresh_token")}, p.apiToken) {
		return p.fail(c, http.StatusBadRequest, "invalid_grant: Invalid refresh token")
	}
	return granted(accessToken{
		AccessToken: p.tokens.issue(1799 * time.Second), RefreshToken: p.apiToken, ExpiresIn: 1799,
		TokenType: "bearer", Scope: "csp:org_owner openid",
	})
}

func (p csp) refuseToken(c *call, status int) reply { return p.refuse(c, status) }

func (p csp) answer(c *call) reply {
	switch {
	case !c.authorized && !p.tokens.valid(c.r.Header.Get("csp-auth-token")):
		return p.refuse(c, http.StatusUnauthorized)
	case c.realm == nil:
		return p.fail(c, http.StatusNotFound, "Organization not found")
	case c.person == nil:
		return p.refuse(c, http.StatusNotFound)
	}
	return document(http.StatusOK, cspInfo{p.user(c), []cspOrgInfo{p.org(c)}})
}

// cspHit is a row of a search. The document names these members; what it writes into the last two is not known.
type cspHit struct {
	OrgID             string       `json:"orgId"`
	User              cspHitUser   `json:"user"`
	OrganizationRoles []cspHitRole `json:"organizationRoles"`
	ServiceRoles      []struct{}   `json:"serviceRoles"`
	CustomRoles       []struct{}   `json:"customRoles"`
}

type cspHitUser struct {
	UserID     string  `json:"userId"`
	Acct       string  `json:"acct"`
	Username   *string `json:"username"`
	Email      *string `json:"email"`
	FirstName  *string `json:"firstName"`
	LastName   *string `json:"lastName"`
	Domain     string  `json:"domain"`
	IDPID      string  `json:"idpId"`
	Accessible bool    `json:"accessible"`
}

type cspHitRole struct {
	Name           string `json:"name"`
	DisplayName    string `json:"displayName"`
	MembershipType string `json:"membershipType"`
	ExpiresAt      *int64 `json:"expiresAt"` // epoch seconds; null: never
}

func (csp) searches() []string {
	return []string{"/csp/gateway/am/api/orgs/{tenant}/users/search"}
}

func (csp) searchable(term string) bool { return term != "" && utf8.RuneCountInString(term) <= 120 }

// sought: accounts, user names, addresses and names that contain the term, in any case (assumed).
func (p csp) sought(c *call) func(p *Person) bool {
	if c.user = c.r.URL.Query().Get("userSearchTerm"); c.realm == nil || !p.searchable(c.user) {
		return nil
	}
	return func(person *Person) bool {
		a := person.Accounts["csp"]
		return containing(c.user, a.Account, a.Username, a.Email, a.GivenName, a.FamilyName)
	}
}

// list shows twenty rows at most, and does not say when there were more.
func (p csp) list(c *call) reply {
	switch {
	case !c.authorized && !p.tokens.valid(c.r.Header.Get("csp-auth-token")):
		return p.refuse(c, http.StatusUnauthorized)
	case c.realm == nil:
		return p.fail(c, http.StatusNotFound, "Organization not found")
	case !p.searchable(c.user):
		return p.fail(c, http.StatusBadRequest, "The search term must have 1 to 120 characters")
	}
	rows := []cspHit{}
	for _, person := range c.hits[:min(len(c.hits), 20)] {
		rows = append(rows, p.hit(c, person))
	}
	return document(http.StatusOK, map[string][]cspHit{"results": rows})
}

// hit is a row: unlike the profile it does not say whether the address is verified.
func (csp) hit(c *call, p *Person) cspHit {
	a := p.Accounts["csp"]
	_, domain, _ := strings.Cut(a.Account, "@")
	row := cspHit{
		OrgID: c.realm.IDs["csp"], OrganizationRoles: []cspHitRole{}, ServiceRoles: []struct{}{}, CustomRoles: []struct{}{},
		User: cspHitUser{
			UserID: p.IDs["csp"], Acct: a.Account, Username: nullable(a.Username), Email: nullable(a.Email), FirstName: nullable(a.GivenName),
			LastName: nullable(a.FamilyName), Domain: domain, IDPID: domain, Accessible: true,
		},
	}
	for _, r := range a.Roles {
		if !r.Custom && r.Service == "" {
			role := cspHitRole{Name: r.Name, DisplayName: r.Display, MembershipType: "DIRECT"}
			if r.Expires != 0 {
				role.ExpiresAt = &r.Expires
			}
			row.OrganizationRoles = append(row.OrganizationRoles, role)
		}
	}
	return row
}

func (csp) user(c *call) cspUser {
	a, id := c.person.Accounts["csp"], c.person.IDs["csp"]
	u := cspUser{
		Acct: a.Account, Address: nullable(a.Street), City: nullable(a.City), Company: nullable(a.Company), CountryCode: nullable(a.Country),
		Email: nullable(a.Email), EmailVerified: a.EmailVerified, FirstName: nullable(a.GivenName), LastName: nullable(a.FamilyName),
		Password: nullable(a.Password), RefLink: "/csp/gateway/am/api/users/" + id, StateCode: nullable(a.State), TNC: true, UserID: id,
		Username: nullable(a.Username), Website: nullable(a.Website), WorkPhone: nullable(a.Phone), Zipcode: nullable(a.Zip),
	}
	u.UserProfile = cspProfile{
		AlternativeEmail: nullable(a.AlternativeEmail), DefaultOrgID: c.realm.IDs["csp"], IsFederated: a.Federated,
		Language: nullable(a.Language), Locale: nullable(a.Locale),
	}
	return u
}

// org sorts the roles into the three lists of the document: of the organization, custom, and by service.
func (csp) org(c *call) cspOrgInfo {
	id := c.realm.IDs["csp"]
	info := cspOrgInfo{DisplayName: c.realm.Display, Name: id, CustomRoles: []cspRole{}, OrgRoles: []cspOrgRole{}, ServicesDef: []cspService{}}
	stamps := cspStamps{CreatedBy: "system", CreatedDate: "1536169465", LastUpdatedBy: "system", LastUpdatedDate: "1704067200"}
	for _, r := range c.person.Accounts["csp"].Roles {
		role := cspRole{cspStamps: stamps, MembershipType: r.Membership, Name: r.Name, Resource: nullable(r.Resource)}
		if r.Expires != 0 {
			role.ExpiresAt = &r.Expires
		}
		switch {
		case r.Custom:
			info.CustomRoles = append(info.CustomRoles, role)
		case r.Service == "":
			info.OrgRoles = append(info.OrgRoles, cspOrgRole{
				cspStamps: stamps, DisplayName: r.Display, ExpiresAt: r.Expires, Name: r.Name,
				OrganizationLink: "/csp/gateway/am/api/orgs/" + id, Resource: role.Resource, Visible: true,
			})
		default:
			i := slices.IndexFunc(info.ServicesDef, func(s cspService) bool { return s.ServiceName == r.Service })
			if i < 0 {
				i = len(info.ServicesDef)
				info.ServicesDef = append(info.ServicesDef, cspService{
					ServiceName: r.Service, ServiceDisplayName: r.Display,
					RefLink: "/csp/gateway/slc/api/definitions/external/" + r.Service,
				})
			}
			s := &info.ServicesDef[i]
			s.Roles, s.ServiceRoles = append(s.Roles, role), append(s.ServiceRoles, r.Name)
		}
	}
	return info
}

func (p csp) refuse(c *call, status int) reply {
	return p.fail(c, status, map[int]string{
		http.StatusUnauthorized:        "The user is not authorized to use the API",
		http.StatusForbidden:           "The user is forbidden to use the API",
		http.StatusNotFound:            "User not found",
		http.StatusTooManyRequests:     "The user has sent too many requests",
		http.StatusInternalServerError: "An unexpected error has occurred while processing the request " + marked("error-csp"),
		http.StatusServiceUnavailable:  "The service is not available",
	}[status])
}

// fail is a CspErrorResponse; what its codes are is not documented.
func (csp) fail(c *call, status int, message string) reply {
	return document(status, cspError{
		CSPErrorCode: "csp.am." + strconv.Itoa(status), ErrorCode: strconv.Itoa(status) + ".1", Message: message,
		ModuleCode: 540, RequestID: c.operation, StatusCode: status,
	})
}
