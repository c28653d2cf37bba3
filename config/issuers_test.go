package config_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	ctls "crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"muster/adapters"
	"muster/config"
	"muster/gateway"
	"muster/gateway/httpapi/bearer"
)

// login answers for every issuer, whose keys are all one.
type login struct{}

func signing() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

func (*login) RoundTrip(r *http.Request) (*http.Response, error) {
	base, _, discovery := strings.Cut(r.URL.String(), ".well-known/openid-configuration")
	content := `{"issuer":"` + base + `","jwks_uri":"` + base + `keys"}`
	if !discovery {
		content = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + base64.RawURLEncoding.EncodeToString(signing().Public().(ed25519.PublicKey)) + `"}]}`
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(content))}, nil
}

func signed(t *testing.T, header, claims string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(claims), &all); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{"aud": "muster", "sub": "s", "jti": "j", "client_id": "c", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()} {
		if _, said := all[name]; !said {
			all[name] = value
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(header)) + "." + encode(text)
	return token + "." + encode(ed25519.Sign(signing(), []byte(token)))
}

// verifierOf is the one of a file, with the keys of its issuers.
func verifierOf(t *testing.T, file, before *config.File, transport http.RoundTripper) *bearer.Verifier {
	t.Helper()
	all, err := file.Callers(config.CallersOptions{Wrap: func(http.RoundTripper) http.RoundTripper { return transport }, Before: before})
	if err != nil || all == nil || all.Tokens == nil {
		t.Fatalf("%v, %v", all, err)
	}
	t.Cleanup(all.Tokens.Close)
	return all.Tokens
}

const callersFile = `
listen: {address: ":8080", admin: "0.0.0.0:9090"}
tenants: {acme: {}, globex: {}}
identifiers: {accept: [email]}
providers: [{use: people}]
callers:
  - issuer: https://login.example.com/
    audiences: [muster, muster-test]
    clients: portal
    claims: {subject: act.sub, tenant: '["https://example.com/org"]', scopes: scp, user: {email: mail}}
    require: {email_verified: [true, null], cel: 'data.tier in ["gold", "silver"]'}
    types: [at+jwt, JWT]
    leeway: 5s
  - {issuer: https://sts.batch.example.com/, audiences: muster, claims: {subject: client_id}, tenant: acme}
  - {issuer: https://ops.example.com/, audiences: muster, tenants: [acme, globex]}
  - {issuer: https://root.example.com/, audiences: muster, tenants: ["*"]}
  - {issuer: "http://idp.internal.example:3000/", audiences: muster, tenant: acme}
egress: {connect: {idp.internal.example: {address: "127.0.0.1:3000", plaintext: true}}}
`

// TestCallersOfAFile: every key of `callers` decides what it says.
func TestCallersOfAFile(t *testing.T) {
	dir := writeFiles(t, map[string]string{"gateway.yaml": callersFile, "providers/people.yaml": definition("people", "https://people.example.com/{id.email}")})
	synctest.Test(t, func(t *testing.T) {
		file := load(t, dir)
		for _, note := range file.Notes {
			if strings.Contains(note, "no `callers`") {
				t.Errorf("a note: %s", note)
			}
		}
		v := verifierOf(t, file, nil, &login{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			v.Run(ctx, func(issuer int, err error) {
				if err != nil {
					t.Errorf("callers[%d]: %v", issuer, err)
				}
			})
		}()
		synctest.Wait()
		const at, jwt = `{"alg":"EdDSA","typ":"at+jwt"}`, `{"alg":"EdDSA","typ":"JWT"}`
		const first = `"iss":"https://login.example.com/","act":{"sub":"jane"},"https://example.com/org":"globex","tier":"gold"`
		for _, test := range []struct {
			name, header, claims string
			refusedBy            string
			want                 gateway.Caller
		}{
			{"all", jwt, `{` + first + `,"scp":["a","b"],"mail":"jane@acme.example","email_verified":true}`, "", gateway.Caller{Tenants: []string{"globex"}, Scopes: []string{"a", "b"}, Self: map[string]string{"email": "jane@acme.example"}}},
			{"the other audience", at, `{` + first + `,"aud":"muster-test"}`, "", gateway.Caller{Tenants: []string{"globex"}}},
			{"several, for a client", at, `{` + first + `,"aud":["muster","x"],"azp":"portal"}`, "", gateway.Caller{Tenants: []string{"globex"}}},
			{"several, for another client", at, `{` + first + `,"aud":["muster","x"]}`, "presenter", gateway.Caller{}},
			{"another subject", at, `{` + strings.Replace(first, "act", "actor", 1) + `}`, "subject", gateway.Caller{}},
			{"an address that is not verified", at, `{` + first + `,"email_verified":false}`, "required", gateway.Caller{}},
			{"another tier", at, `{` + strings.Replace(first, "gold", "lead", 1) + `}`, "required", gateway.Caller{}},
			{"the leeway", at, `{` + first + `,"exp":` + jsonNumber(t, time.Now().Add(-6*time.Second).Unix()) + `}`, "expiry", gateway.Caller{}},
			{"pinned", at, `{"iss":"https://sts.batch.example.com/","scope":"a b","exp":` + jsonNumber(t, time.Now().Add(-29*time.Second).Unix()) + `}`, "", gateway.Caller{Tenants: []string{"acme"}, Scopes: []string{"a", "b"}}},
			{"a type of another entry", jwt, `{"iss":"https://sts.batch.example.com/"}`, "type", gateway.Caller{}},
			{"several tenants", at, `{"iss":"https://ops.example.com/"}`, "", gateway.Caller{Tenants: []string{"acme", "globex"}}},
			{"every tenant", at, `{"iss":"https://root.example.com/"}`, "", gateway.Caller{Tenants: []string{"*"}}},
			{"behind plain HTTP", at, `{"iss":"http://idp.internal.example:3000/"}`, "", gateway.Caller{Tenants: []string{"acme"}}},
			{"somebody else's", at, `{"iss":"https://evil.example/"}`, "issuer", gateway.Caller{}},
		} {
			caller, refusal := v.Verify(t.Context(), signed(t, test.header, test.claims))
			switch {
			case refusal != nil && refusal.Check != test.refusedBy:
				t.Errorf("%s: refused by %q: %s", test.name, refusal.Check, refusal.Reason)
			case refusal == nil && (test.refusedBy != "" || !cmp.Equal([]any{caller.Tenants, caller.Scopes, caller.Self}, []any{test.want.Tenants, test.want.Scopes, test.want.Self})):
				t.Errorf("%s: %+v", test.name, caller)
			}
		}
		cancel()
		<-done
	})
}

func jsonNumber(t *testing.T, n int64) string {
	t.Helper()
	text, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestKeysOverAReload: an issuer that is the same is not asked anew, unless it would be
// asked another way.
func TestKeysOverAReload(t *testing.T) {
	folder := newFolder(t)
	issuers := func(rest string) *config.File {
		folder.write("gateway.yaml", watched+rest)
		return folder.load()
	}
	const one = "callers: [{issuer: https://login.example.com/, audiences: muster, tenant: acme}]\n"
	const two = "callers: [{issuer: https://ops.example.com/, audiences: muster, tenant: acme}, {issuer: https://login.example.com/, audiences: other, tenant: acme}]\n"
	first, next, elsewhere := issuers(one), issuers(two), issuers(two+"egress: {private: [login.example.com]}\n")
	v := verifierOf(t, first, nil, &login{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); v.Run(ctx, func(int, error) { cancel() }) }()
	<-done
	if known := v.Known(); !cmp.Equal(known, []bool{true}) {
		t.Errorf("at first: %v", known)
	}
	if known := verifierOf(t, next, first, &login{}).Known(); !cmp.Equal(known, []bool{false, true}) {
		t.Errorf("after a reload: %v", known)
	}
	if known := verifierOf(t, elsewhere, next, &login{}).Known(); !cmp.Equal(known, []bool{false, false}) {
		t.Errorf("asked another way: %v", known)
	}
	// Behind an authority of one's own, it matters which.
	one0, err := os.ReadFile("testdata/tls/one.pem")
	if err != nil {
		t.Fatal(err)
	}
	folder.write("ca.pem", string(one0))
	const private = "callers: [{issuer: https://login.example.com/, audiences: muster, tenant: acme, tls: {ca: ca.pem}}]\n"
	behind := issuers(private)
	if known := verifierOf(t, behind, first, &login{}).Known(); !cmp.Equal(known, []bool{false}) {
		t.Errorf("behind an authority: %v", known)
	}
	v = verifierOf(t, behind, nil, &login{})
	ctx, cancel = context.WithCancel(t.Context())
	done = make(chan struct{})
	go func() { defer close(done); v.Run(ctx, func(int, error) { cancel() }) }()
	<-done
	if known := verifierOf(t, issuers(private), behind, &login{}).Known(); !cmp.Equal(known, []bool{true}) {
		t.Errorf("behind the same authority: %v", known)
	}
	for name, other := range map[string]string{"none": one, "another name": strings.Replace(private, "ca.pem}", "ca.pem, server_name: other.example}", 1)} {
		if known := verifierOf(t, issuers(other), behind, &login{}).Known(); !cmp.Equal(known, []bool{false}) {
			t.Errorf("behind %s: %v", name, known)
		}
	}
	issuers(private)
	folder.write("ca.pem", string(one0)+"\n")
	if known := verifierOf(t, issuers(private), behind, &login{}).Known(); !cmp.Equal(known, []bool{false}) {
		t.Errorf("behind another authority: %v", known)
	}
	synctest.Test(t, func(t *testing.T) { // and so a change of it is noticed
		watching := folder
		watching.t = t
		if told := watching.watch(watching.load(), nil, func() { folder.write("ca.pem", string(one0)+"\n\n") }); !cmp.Equal(told, []string{"applied"}) {
			t.Errorf("told %q", told)
		}
	})
	folder.write("gateway.yaml", watched)
	if none, err := folder.load().Callers(config.CallersOptions{}); none != nil || err != nil {
		t.Errorf("without callers: %v, %v", none, err)
	}
}

// TestCallersAreNotDropped: while more than this machine reaches the listeners, a file
// without callers is refused, whatever it says of the listeners.
func TestCallersAreNotDropped(t *testing.T) {
	const callers = "callers: [{issuer: https://login.example.com/, audiences: muster, tenant: acme}]\n"
	for listen, want := range map[string]string{
		`listen: {address: ":8080"}` + "\n":       "refused: gateway.yaml: without `callers` everybody who reaches :8080 may ask for everybody, and it is listened there until a restart",
		`listen: {admin: "10.0.0.1:9090"}` + "\n": "refused: gateway.yaml: without `callers` everybody who reaches 10.0.0.1:9090 may ask for everybody, and it is listened there until a restart",
		"": "applied",
	} {
		synctest.Test(t, func(t *testing.T) {
			folder := newFolder(t)
			folder.write("gateway.yaml", watched+listen+callers)
			told := folder.watch(folder.load(), nil, func() { folder.write("gateway.yaml", watched) })
			if !cmp.Equal(told, []string{want}) {
				t.Errorf("%s%s", listen, cmp.Diff([]string{want}, told))
			}
		})
	}
}

const certificatesFile = `
listen:
  tls: {cert: %[1]s/one.pem, key: %[1]s/one.key, client_ca: %[1]s/one.pem}
tenants: {acme: {}, globex: {}}
providers: [{use: slack, with: {token: x}}]
callers:
  - {certificate: {uri: "spiffe://acme.example/frontend"}, tenants: [acme, globex], scopes: [profile.basic, muster.explain], rate: 5/s}
  - {issuer: https://login.example.com/, audiences: muster, tenant: acme}
  - {certificate: {dns: batch.acme.example}, tenant: globex}
policies:
  - for: {cel: 'caller.certificate.uri == "spiffe://acme.example/frontend"'}
    show: userName
    tests:
      - {caller: {certificate: {uri: "spiffe://acme.example/frontend"}}, shows: userName}
      - {caller: {certificate: {dns: batch.acme.example}}, hides: "*"}
      - {caller: {subject: "spiffe://acme.example/frontend"}, hides: userName}
  - for: {claims: {blocked: null}} # of tokens: who has none is not meant
    show: title
    tests:
      - {caller: {subject: jane}, shows: title}
      - {caller: {certificate: {dns: batch.acme.example}}, hides: "*"}
`

// TestCertificatesOfAFile: who may come with which name is what the file says, and issuers
// keep their places in it.
func TestCertificatesOfAFile(t *testing.T) {
	tls, err := filepath.Abs("testdata/tls")
	if err != nil {
		t.Fatal(err)
	}
	file, err := config.Parse("gateway.yaml", fmt.Appendf(nil, certificatesFile, tls))
	if err != nil {
		t.Fatal(err)
	}
	callers, err := file.Callers(config.CallersOptions{Vouches: file.Identity.Vouches})
	if err != nil || callers.Tokens == nil || !cmp.Equal(callers.Places, []string{"callers[1]"}) {
		t.Fatalf("%+v, %v", callers, err)
	}
	defer callers.Tokens.Close()
	_, authority := authorityOf(t, "testdata/tls/one.pem")
	for _, test := range []struct {
		dns, uri string
		vouched  bool
		want     *gateway.Caller
		refused  string
	}{
		{"", "spiffe://acme.example/frontend", true, &gateway.Caller{
			Caller: adapters.Caller{Subject: "spiffe://acme.example/frontend"}, Certificate: map[string]string{"uri": "spiffe://acme.example/frontend"},
			Tenants: []string{"acme", "globex"}, Scopes: []string{"profile.basic", "muster.explain"}, Rate: adapters.Rate{Calls: 5, Per: time.Second},
		}, ""},
		{"batch.acme.example", "", true, &gateway.Caller{
			Caller: adapters.Caller{Subject: "batch.acme.example"}, Certificate: map[string]string{"dns": "batch.acme.example"}, Tenants: []string{"globex"},
		}, ""},
		{"frontend.acme.example", "", true, nil, "The certificate has no name that is a caller's."},
		{"batch.acme.example", "", false, nil, "Nobody vouches for the certificate any more."},
	} {
		root := authority
		if !test.vouched {
			root = leafOf(t, "", "")
		}
		leaf := leafOf(t, test.dns, test.uri)
		state := &ctls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf, root}}}
		got, refused := callers.Certificates.Verify(state, leaf.NotBefore)
		if refused != test.refused || !cmp.Equal(got, test.want, cmp.AllowUnexported(adapters.Secret{}), cmpopts.IgnoreFields(gateway.Caller{}, "Decided")) {
			t.Errorf("%q %q: %+v %q", test.dns, test.uri, got, refused)
		}
	}
	// Where nobody vouches for clients, nobody is believed.
	alone, err := file.Callers(config.CallersOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Tokens.Close()
	leaf := leafOf(t, "batch.acme.example", "")
	if got, _ := alone.Certificates.Verify(&ctls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf, authority}}}, leaf.NotBefore); got != nil {
		t.Errorf("believed: %+v", got)
	}
}

// authorityOf is a certificate of a file, as one that is valid when leafs are.
func authorityOf(t *testing.T, path string) ([]byte, *x509.Certificate) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return text, c
}

// leafOf is a client's certificate, which begins when those of testdata hold.
func leafOf(t *testing.T, dns, uri string) *x509.Certificate {
	t.Helper()
	_, holds := authorityOf(t, "testdata/tls/one.pem")
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: holds.NotBefore, NotAfter: holds.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if dns != "" {
		template.DNSNames = []string{dns}
	}
	if u, err := url.Parse(uri); err == nil && uri != "" {
		template.URIs = []*url.URL{u}
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, signing().Public(), signing())
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(content)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAuthoritiesElsewhere: a file is checked where it is written, and the authority's
// certificate is where it runs.
func TestAuthoritiesElsewhere(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"gateway.yaml":          "tenants: {acme: {}}\nproviders: [{use: people}]\ncallers: [{issuer: https://login.example.com/, audiences: muster, tenant: acme, tls: {ca: /run/none/ca.pem}}]\npolicies: [{for: {cel: \"true\"}, show: userName}]\n",
		"providers/people.yaml": definition("people", "https://people.example.com/{id.email}"),
	})
	report := config.Check(t.Context(), []string{filepath.Join(dir, "gateway.yaml")}, false)[0]
	if want := []string{"tls.ca: open /run/none/ca.pem: no such file or directory: it is needed where the gateway runs"}; report.Wrong || !cmp.Equal(report.Notes, want) {
		t.Errorf("%+v", report)
	}
}

// TestCallersDoNotReachTheAdminListener: where the listeners cannot be changed without a
// restart, a file that would let callers at the admin listener is refused.
func TestCallersDoNotReachTheAdminListener(t *testing.T) {
	tls, err := filepath.Abs("testdata/tls")
	if err != nil {
		t.Fatal(err)
	}
	const issuer = "callers: [{issuer: https://login.example.com/, audiences: muster, tenant: acme}]\n"
	const certificate = "callers: [{certificate: {dns: batch.acme.example}, tenant: acme}]\n"
	listens := func(admin, more string) string {
		return fmt.Sprintf("listen: {admin: %q, tls: {cert: %[2]s/one.pem, key: %[2]s/one.key, client_ca: %[2]s/one.pem%[3]s}}\n", admin, tls, more)
	}
	for name, test := range map[string]struct{ before, after, want string }{
		"the same": {listens("127.0.0.1:9090", ""), listens("127.0.0.1:9090", ""), "applied"},
		"until a restart": {
			listens("0.0.0.0:9090", ""), listens("127.0.0.1:9090", ""),
			"refused: gateway.yaml: who has a caller's certificate would have the admin listener as well, which listens on 0.0.0.0:9090 until a restart",
		},
		"with an authority of its own": {listens("0.0.0.0:9090", ", admin_ca: "+tls+"/one.pem"), listens("0.0.0.0:9090", ", admin_ca: "+tls+"/one.pem"), "applied"},
	} {
		synctest.Test(t, func(t *testing.T) {
			folder := newFolder(t)
			folder.write("gateway.yaml", watched+test.before+issuer)
			told := folder.watch(folder.load(), nil, func() { folder.write("gateway.yaml", watched+test.after+certificate) })
			if !cmp.Equal(told, []string{test.want}) {
				t.Errorf("%s%s", name, cmp.Diff([]string{test.want}, told))
			}
		})
	}
}
