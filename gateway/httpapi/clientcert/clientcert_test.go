package clientcert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"muster/adapters"
	"muster/gateway"
	"muster/gateway/httpapi/clientcert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority vouches for certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func made(t testing.TB, template, by *x509.Certificate, public, key any) *x509.Certificate {
	t.Helper()
	content, err := x509.CreateCertificate(rand.Reader, template, by, public, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(content)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func authorityTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
}

func newAuthority(t testing.TB, name string) authority {
	t.Helper()
	template, key := authorityTemplate(name), newKey(t)
	return authority{t, made(t, template, template, key.Public(), key), key}
}

// below is an authority that this one vouches for.
func (a authority) below(change func(*x509.Certificate)) authority {
	a.t.Helper()
	template, key := authorityTemplate("below"), newKey(a.t)
	change(template)
	return authority{a.t, made(a.t, template, a.cert, key.Public(), a.key), key}
}

// issue makes a certificate that is good for the frontend, but for the change.
func (a authority) issue(change func(*x509.Certificate), chain ...authority) tls.Certificate {
	a.t.Helper()
	key := newKey(a.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "frontend"}, URIs: uris(a.t, frontend),
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	pair := tls.Certificate{Certificate: [][]byte{made(a.t, template, a.cert, key.Public(), a.key).Raw}, PrivateKey: key}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.cert.Raw)
	}
	return pair
}

func uris(t testing.TB, texts ...string) []*url.URL {
	t.Helper()
	all := make([]*url.URL, len(texts))
	for i, text := range texts {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = u
	}
	return all
}

// san is the extension with names as they stand, by their tags.
func san(t testing.TB, critical bool, names ...asn1.RawValue) pkix.Extension {
	t.Helper()
	value, err := asn1.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: critical, Value: value}
}

func raw(tag int, text string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(text)}
}

// connect makes a connection as the public listener does, and tells what the server sees
// of it; nil where no connection comes about.
func connect(t testing.TB, vouches *x509.Certificate, shows *tls.Certificate) *tls.ConnectionState {
	t.Helper()
	server := newAuthority(t, "server")
	own := server.issue(func(c *x509.Certificate) {
		c.DNSNames, c.URIs, c.ExtKeyUsage = []string{"muster.example"}, nil, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
	clients, servers := x509.NewCertPool(), x509.NewCertPool()
	clients.AddCert(vouches)
	servers.AddCert(server.cert)
	client := &tls.Config{RootCAs: servers, ServerName: "muster.example"}
	if shows != nil {
		client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return shows, nil }
	}
	far, near := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn := tls.Client(far, client)
		if conn.HandshakeContext(t.Context()) == nil {
			_, _ = conn.Read(make([]byte, 1)) // an alert of TLS 1.3 comes after the handshake
		}
		_ = far.Close()
	}()
	conn := tls.Server(near, &tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: clients, ClientAuth: tls.VerifyClientCertIfGiven, SessionTicketsDisabled: true})
	err := conn.HandshakeContext(t.Context())
	_ = near.Close()
	<-done
	if err != nil {
		return nil
	}
	state := conn.ConnectionState()
	return &state
}

const frontend = "spiffe://acme.example/frontend"

func holders() []clientcert.Holder {
	return []clientcert.Holder{
		{Name: clientcert.Name{Kind: clientcert.URI, Text: frontend}, Scopes: []string{"profile.basic", "muster.explain"}, Tenants: []string{"acme", "globex"}, Rate: adapters.Rate{Calls: 7, Per: time.Second}},
		{Name: clientcert.Name{Kind: clientcert.DNS, Text: "batch.acme.example"}, Tenants: []string{gateway.EveryTenant}},
		{Name: clientcert.Name{Kind: clientcert.DNS, Text: "frontend"}, Tenants: []string{"acme"}},
	}
}

func verifier(t testing.TB, vouches func(*x509.Certificate) bool) *clientcert.Verifier {
	t.Helper()
	v, err := clientcert.New(clientcert.Options{Holders: holders(), Vouches: vouches})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestWhoComes makes real handshakes with certificates of all kinds: who is vouched for
// is the caller of one name, to the letter, and whoever else is nobody.
func TestWhoComes(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "ours")
	v := verifier(t, ours.cert.Equal)
	const (
		handshake = "no connection"
		noName    = "The certificate has no name that is a caller's."
		notClient = "The certificate is not one for clients."
	)
	one := func(change func(*x509.Certificate)) func() tls.Certificate {
		return func() tls.Certificate { return ours.issue(change) }
	}
	named := func(names ...asn1.RawValue) func() tls.Certificate {
		return one(func(c *x509.Certificate) {
			c.URIs, c.ExtraExtensions = nil, []pkix.Extension{san(t, false, names...)}
		})
	}
	const dns, email, uri, ip = 2, 1, 6, 7
	for name, test := range map[string]struct {
		shows func() tls.Certificate
		want  string // the subject, or why not
	}{
		"its name":                    {one(nil), frontend},
		"and no common name":          {one(func(c *x509.Certificate) { c.Subject = pkix.Name{} }), frontend},
		"and others that nobody has":  {named(raw(dns, "x.example"), raw(uri, "spiffe://acme.example/x"), raw(email, "jane@acme.example"), raw(uri, frontend)), frontend},
		"a host's":                    {named(raw(dns, "batch.acme.example")), "batch.acme.example"},
		"a host's, written otherwise": {named(raw(dns, "Batch.ACME.example")), "batch.acme.example"},
		"twice":                       {named(raw(uri, frontend), raw(uri, frontend)), frontend},
		"an authority between":        {func() tls.Certificate { b := ours.below(func(*x509.Certificate) {}); return b.issue(nil, b) }, frontend},
		"several usages":              {one(func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) }), frontend},
		"a key for signatures":        {one(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), frontend},
		"two callers' names":          {named(raw(uri, frontend), raw(dns, "batch.acme.example")), "The certificate has the names of several callers."},
		"no name":                     {one(func(c *x509.Certificate) { c.URIs = nil }), noName},
		"the common name alone":       {one(func(c *x509.Certificate) { c.Subject.CommonName, c.URIs = "batch.acme.example", nil }), noName},
		"the common name, as a URI":   {one(func(c *x509.Certificate) { c.Subject.CommonName, c.URIs = frontend, nil }), noName},
		"another host":                {named(raw(dns, "x.batch.acme.example")), noName},
		"any host":                    {named(raw(dns, "*.acme.example")), noName},
		"a dot behind":                {named(raw(dns, "batch.acme.example.")), noName},
		"another path":                {named(raw(uri, frontend+"/x")), noName},
		"a part of it":                {named(raw(uri, strings.TrimSuffix(frontend, "d"))), noName},
		"a slash behind":              {named(raw(uri, frontend+"/")), noName},
		"an empty fragment":           {named(raw(uri, frontend+"#")), noName},
		"an empty query":              {named(raw(uri, frontend+"?")), noName},
		"another case":                {named(raw(uri, strings.Replace(frontend, "f", "F", 1))), noName},
		"another scheme's case":       {named(raw(uri, strings.Replace(frontend, "spiffe", "SPIFFE", 1))), noName},
		"encoded":                     {named(raw(uri, strings.Replace(frontend, "front", "%66ront", 1))), noName},
		"another trust domain":        {named(raw(uri, strings.Replace(frontend, "acme", "acne", 1))), noName},
		"a URI that is a host's":      {named(raw(uri, "https://batch.acme.example")), noName},
		"a host that is a URI's":      {named(raw(dns, "spiffe-acme.example")), noName},
		"a host's, as an address":     {named(raw(email, "batch.acme.example")), noName},
		"a URI, as an address":        {named(raw(email, frontend)), noName},
		"an address that is a host's": {named(raw(email, "jane@batch.acme.example")), noName},
		"an address of the network":   {named(raw(ip, "\x0a\x00\x00\x07")), noName},
		"a server's":                  {one(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), handshake},
		"for nothing that is said":    {one(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), notClient},
		"for anything":                {one(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), notClient},
		"a key that is not to sign":   {one(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), notClient},
		"expired":                     {one(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }), handshake},
		"not yet":                     {one(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), handshake},
		"of another authority":        {func() tls.Certificate { return theirs.issue(nil) }, handshake},
		"of an authority that may not": {func() tls.Certificate {
			b := ours.below(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 })
			return b.issue(nil, b)
		}, handshake},
		"of an authority for servers": {func() tls.Certificate {
			b := ours.below(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
			return b.issue(nil, b)
		}, handshake},
		"of an authority that has ended": {func() tls.Certificate {
			b := ours.below(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) })
			return b.issue(nil, b)
		}, handshake},
		"whose authority is not there": {func() tls.Certificate { return ours.below(func(*x509.Certificate) {}).issue(nil) }, handshake},
		"another's key":                {func() tls.Certificate { c := ours.issue(nil); c.PrivateKey = newKey(t); return c }, handshake},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shows := test.shows()
			state, got := connect(t, ours.cert, &shows), handshake
			if state != nil {
				caller, refused := v.Verify(state, time.Now())
				if got = refused; caller != nil {
					got = caller.Subject
				}
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	if caller, refused := v.Verify(connect(t, ours.cert, nil), time.Now()); caller != nil || refused != "There is no certificate that somebody vouches for." {
		t.Errorf("without a certificate: %v, %q", caller, refused)
	}
	// What was not verified is nothing, whatever it says.
	shows := ours.issue(nil)
	state := connect(t, ours.cert, &shows)
	state.VerifiedChains = nil
	if caller, refused := v.Verify(state, time.Now()); caller != nil || refused == "" {
		t.Errorf("not verified: %v, %q", caller, refused)
	}
}

// TestWhatACallerHas is what the operator grants, and no more.
func TestWhatACallerHas(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	shows := ours.issue(nil)
	got, refused := verifier(t, ours.cert.Equal).Verify(connect(t, ours.cert, &shows), time.Now())
	want := &gateway.Caller{
		Caller: adapters.Caller{Subject: frontend}, Certificate: map[string]string{"uri": frontend},
		Scopes: []string{"profile.basic", "muster.explain"}, Tenants: []string{"acme", "globex"}, Rate: adapters.Rate{Calls: 7, Per: time.Second},
	}
	if refused != "" || !cmp.Equal(got, want, cmp.AllowUnexported(adapters.Secret{}), cmpopts.IgnoreFields(gateway.Caller{}, "Decided")) {
		t.Errorf("%q %+v", refused, got)
	}
}

// TestOldConnections: a connection is older than what it was made by. When its
// certificate ends, or one that vouches for it, or when nobody vouches for it any more,
// it lets nobody in.
func TestOldConnections(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		leaf, between time.Duration // until they end
		vouches       time.Duration // until somebody else does
		want          string
	}{
		"the certificate ends":     {time.Hour, 5 * time.Hour, 5 * time.Hour, "The certificate has expired."},
		"who vouches for it ends":  {5 * time.Hour, time.Hour, 5 * time.Hour, "Nobody vouches for the certificate any more."},
		"nobody vouches for it":    {5 * time.Hour, 5 * time.Hour, time.Hour, "Nobody vouches for the certificate any more."},
		"all of it goes on":        {5 * time.Hour, 5 * time.Hour, 5 * time.Hour, ""},
		"the clock has gone wrong": {5 * time.Hour, 5 * time.Hour, 5 * time.Hour, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ours := newAuthority(t, "ours")
				between := ours.below(func(c *x509.Certificate) { c.NotAfter = begin.Add(test.between) })
				shows := between.issue(func(c *x509.Certificate) { c.NotAfter = begin.Add(test.leaf) }, between)
				v := verifier(t, func(c *x509.Certificate) bool { return c.Equal(ours.cert) && time.Since(begin) < test.vouches })
				state := connect(t, ours.cert, &shows)
				if test.want == "-" {
					if _, refused := v.Verify(state, begin.Add(-time.Hour)); refused != "The certificate is not valid yet." {
						t.Errorf("refused: %q", refused)
					}
					return
				}
				time.Sleep(time.Hour) // the last instant of it
				if _, refused := v.Verify(state, begin.Add(time.Hour)); refused != "" && test.vouches > time.Hour {
					t.Errorf("too early: %q", refused)
				}
				time.Sleep(time.Nanosecond)
				caller, refused := v.Verify(state, time.Now())
				if refused != test.want || (caller == nil) != (test.want != "") {
					t.Errorf("refused: %q, want %q", refused, test.want)
				}
			})
		})
	}
}

// TestNamesThatAreWrong: what would be anybody's makes no verifier.
func TestNamesThatAreWrong(t *testing.T) {
	t.Parallel()
	yes := func(*x509.Certificate) bool { return true }
	named := func(kind clientcert.Kind, text string) clientcert.Holder {
		return clientcert.Holder{Name: clientcert.Name{Kind: kind, Text: text}, Tenants: []string{"acme"}}
	}
	for want, o := range map[string]clientcert.Options{
		"clientcert: there is no caller, or nobody who vouches for them":  {Vouches: yes},
		"clientcert: there is no caller, or nobody who vouches for  them": {Holders: holders()},
		"clientcert: caller 0 has no name":                                {Vouches: yes, Holders: []clientcert.Holder{named(clientcert.URI, "")}},
		"clientcert: caller 1 has no name":                                {Vouches: yes, Holders: []clientcert.Holder{named(clientcert.URI, "a:b"), named("cn", "b")}},
		"clientcert: caller 1 has the name of another":                    {Vouches: yes, Holders: []clientcert.Holder{named(clientcert.DNS, "a"), named(clientcert.DNS, "A")}},
		"clientcert: caller 0 may ask for no tenant":                      {Vouches: yes, Holders: []clientcert.Holder{{Name: clientcert.Name{Kind: clientcert.URI, Text: "a:b"}}}},
		"clientcert: caller 0 may ask for no  tenant":                     {Vouches: yes, Holders: []clientcert.Holder{{Name: clientcert.Name{Kind: clientcert.URI, Text: "a:b"}, Tenants: []string{""}}}},
	} {
		if v, err := clientcert.New(o); v != nil || err == nil || err.Error() != strings.ReplaceAll(want, "  ", " ") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
