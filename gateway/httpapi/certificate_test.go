package httpapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/adapters"
	"muster/gateway"
	"muster/gateway/httpapi"
	"muster/gateway/httpapi/clientcert"
	"muster/gateway/httpapi/edge"
)

// vouching is an authority.
type vouching struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newVouching(t testing.TB) vouching {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	content, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	v := vouching{t: t, key: key}
	if v.cert, err = x509.ParseCertificate(content); err != nil {
		t.Fatal(err)
	}
	return v
}

// issue makes a certificate for a host's name and a URI, either of which may be "".
func (v vouching) issue(dns, uri string, until time.Time) tls.Certificate {
	v.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		v.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if dns != "" {
		template.DNSNames = []string{dns}
	}
	if uri != "" {
		parsed, err := url.Parse(uri)
		if err != nil {
			v.t.Fatal(err)
		}
		template.URIs = []*url.URL{parsed}
	}
	content, err := x509.CreateCertificate(rand.Reader, template, v.cert, key.Public(), v.key)
	if err != nil {
		v.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{content}, PrivateKey: key}
}

// secureDoor is a door behind TLS, as a gateway has it.
type secureDoor struct {
	t       testing.TB
	address string
	server  vouching // of the door's certificate
	clients vouching
	folder  string
	*httpapi.Callers
	identity *edge.Identity
}

const frontendName, batchName = "spiffe://acme.example/frontend", "batch.acme.example"

func newSecureDoor(t testing.TB, e *engine) *secureDoor {
	t.Helper()
	d := &secureDoor{t: t, server: newVouching(t), clients: newVouching(t), folder: t.TempDir(), Callers: new(httpapi.Callers)}
	own := d.server.issue("muster.example", "", time.Now().Add(time.Hour))
	secret, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	d.write("tls.crt", "CERTIFICATE", own.Certificate[0])
	d.write("tls.key", "PRIVATE KEY", secret)
	d.write("ca.crt", "CERTIFICATE", d.clients.cert.Raw)
	at := func(name string) string { return filepath.Join(d.folder, name) }
	if d.identity, err = edge.Load(edge.Files{Cert: at("tls.crt"), Key: at("tls.key"), ClientCA: at("ca.crt")}, os.ReadFile); err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := edge.NewServer(newDoor(e, httpapi.Options{Callers: d.Callers}), edge.DefaultLimits(), d.identity.Config(false), slog.New(slog.DiscardHandler))
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() { _ = server.Close(); serving.Wait() })
	d.address = l.Addr().String()
	return d
}

func (d *secureDoor) write(name, kind string, content []byte) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// certificates are those of the two callers whom the tests know.
func (d *secureDoor) certificates() *clientcert.Verifier {
	d.t.Helper()
	v, err := clientcert.New(clientcert.Options{Vouches: d.identity.Vouches, Holders: []clientcert.Holder{
		{Name: clientcert.Name{Kind: clientcert.URI, Text: frontendName}, Scopes: []string{"profile.basic"}, Tenants: []string{"acme"}},
		{Name: clientcert.Name{Kind: clientcert.DNS, Text: batchName}, Tenants: []string{gateway.EveryTenant}, Rate: adapters.Rate{Calls: 1, Per: time.Hour}},
	}})
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

// client shows a certificate, nil for none.
func (d *secureDoor) client(shows *tls.Certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(d.server.cert)
	config := &tls.Config{RootCAs: roots, ServerName: "muster.example", ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	if shows != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return shows, nil }
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	d.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// reply is what came; a status of 0 where there is no connection.
type reply struct {
	status                        int
	challenge, reason, resolution string
	resumed                       bool
}

func (d *secureDoor) ask(client *http.Client, target string, header ...string) reply {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, "https://"+d.address+target, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		return reply{}
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	var told struct{ Reason, Resolution string }
	_ = json.Unmarshal(content, &told)
	return reply{response.StatusCode, response.Header.Get("WWW-Authenticate"), told.Reason, told.Resolution, response.TLS.DidResume}
}

// TestCallersWithCertificates: a certificate is a way in where there is no credential in
// the request; a token that is sent decides, be it good or not; and what a proxy would
// write about a certificate is never looked at.
func TestCallersWithCertificates(t *testing.T) {
	t.Parallel()
	e := &engine{}
	d, i := newSecureDoor(t, e), newIssuing()
	soon := time.Now().Add(time.Hour)
	certificate := func(by vouching, dns, uri string, until time.Time) *http.Client {
		c := by.issue(dns, uri, until)
		return d.client(&c)
	}
	var (
		nobody   = d.client(nil)
		frontend = certificate(d.clients, "", frontendName, soon)
		stranger = certificate(d.clients, "x.acme.example", "", soon)
		foreign  = certificate(newVouching(t), "", frontendName, soon)
		expired  = certificate(d.clients, "", frontendName, time.Now().Add(-time.Second))
	)
	bearerOf := func(changes map[string]any) []string {
		return []string{"Authorization", "Bearer " + i.token(t, changes)}
	}
	old := bearerOf(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
	pemOf := url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.clients.issue("", frontendName, soon).Certificate[0]})))
	proxied := []string{"X-Forwarded-Client-Cert", "By=spiffe://x;Hash=0;URI=" + frontendName, "X-SSL-Client-Verify", "SUCCESS", "X-SSL-Client-Cert", pemOf, "Client-Cert", ":" + pemOf + ":", "X-Client-Verify", "SUCCESS"}
	const (
		bearerRealm, certRealm, noName = `Bearer realm="muster"`, `ClientCertificate realm="muster"`, "The certificate has no name that is a caller's."
		twice                          = `Bearer error="invalid_request", error_description="One token is sent, in the Authorization header."`
	)
	certificates := d.certificates()
	both := func() { i.into(t, d.Callers, certificates) }
	alone := func() { d.Set(nil, certificates) }
	without := func() { i.into(t, d.Callers, nil) }
	for _, test := range []struct {
		name   string
		ways   func()
		client *http.Client
		target string
		header []string
		want   reply
		who    string // who asked, to the engine
	}{
		{"a certificate", both, frontend, jane, nil, reply{status: 200}, frontendName},
		{"a certificate, and what a proxy writes", both, frontend, jane, proxied, reply{status: 200}, frontendName},
		{"a token", both, nobody, jane, bearerOf(nil), reply{status: 200}, "jane-subject"},
		{"both", both, frontend, jane, bearerOf(nil), reply{status: 200}, "jane-subject"},
		{"both, of nobody's name", both, stranger, jane, bearerOf(nil), reply{status: 200}, "jane-subject"},
		{"an old token", both, frontend, jane, old, reply{401, `Bearer error="invalid_token", error_description="The token has expired."`, "The token has expired.", "Come with a token that was issued for this gateway and has not expired.", false}, ""},
		{"Basic", both, frontend, jane, []string{"Authorization", "Basic eDp5"}, reply{401, bearerRealm, "There is no bearer token.", "Send one as Authorization: Bearer TOKEN, or connect with a certificate that has a caller's name.", false}, ""},
		{"an empty Authorization", both, frontend, jane, []string{"Authorization", ""}, reply{401, bearerRealm, "There is no bearer token.", "Send one as Authorization: Bearer TOKEN, or connect with a certificate that has a caller's name.", false}, ""},
		{"a token in the address", both, frontend, jane + "?access_token=" + i.token(t, nil), nil, reply{401, twice, "A token stands in the address.", "Send it in the Authorization header, and have it revoked: addresses are logged on the way.", false}, ""},
		{"neither", both, nobody, jane, nil, reply{401, bearerRealm, "There is no bearer token.", "Send one as Authorization: Bearer TOKEN, or connect with a certificate that has a caller's name.", false}, ""},
		{"neither, but what a proxy writes", both, nobody, jane, proxied, reply{401, bearerRealm, "There is no bearer token.", "Send one as Authorization: Bearer TOKEN, or connect with a certificate that has a caller's name.", false}, ""},
		{"a name that is nobody's", both, stranger, jane, nil, reply{401, bearerRealm, noName, "Connect with a certificate that is valid and has a caller's name.", false}, ""},
		{"of another authority", both, foreign, jane, nil, reply{}, ""},
		{"of another authority, with a token", both, foreign, jane, bearerOf(nil), reply{}, ""},
		{"expired", both, expired, jane, nil, reply{}, ""},
		{"another's tenant", both, frontend, strings.Replace(jane, "acme", "globex", 1), nil, reply{403, "", "The tenant is not the caller's.", "Ask for a tenant that your token is for.", false}, ""},
		{"oneself", both, frontend, "/v1/me", nil, reply{403, "", "A certificate does not say which person you are.", "An operator says under callers, in claims.user, where a token has it; else ask for a person by name.", false}, ""},
		{"the sources", both, frontend, "/v1/providers", nil, reply{status: 200}, ""},
		{"alive, without a certificate", both, nobody, "/healthz", nil, reply{status: 200}, ""},
		{"alive, with a token that is none", both, nobody, "/healthz", []string{"Authorization", "Bearer x"}, reply{status: 200}, ""},

		{"certificates alone", alone, frontend, jane, nil, reply{status: 200}, frontendName},
		{"certificates alone, and a token", alone, frontend, jane, bearerOf(nil), reply{401, certRealm, "No token is believed here.", "Connect with a certificate that has a caller's name, and send no Authorization.", false}, ""},
		{"certificates alone, and none", alone, nobody, jane, nil, reply{401, certRealm, "There is no certificate.", "Connect with one that has a caller's name.", false}, ""},
		{"certificates alone, and nobody's", alone, stranger, jane, nil, reply{401, certRealm, noName, "Connect with a certificate that is valid and has a caller's name.", false}, ""},
		{"tokens alone, and a certificate", without, frontend, jane, nil, reply{401, bearerRealm, "There is no bearer token.", "Send one as Authorization: Bearer TOKEN.", false}, ""},
		{"tokens alone, and both", without, frontend, jane, bearerOf(nil), reply{status: 200}, "jane-subject"},
	} {
		test.ways()
		e.told(complete(), nil)
		if got := d.ask(test.client, test.target, test.header...); got != test.want {
			t.Errorf("%s: %+v\nwant %+v", test.name, got, test.want)
		}
		who := ""
		for _, q := range e.asked {
			who += q.Caller.Subject
		}
		if who != test.who {
			t.Errorf("%s: asked by %q, want %q", test.name, who, test.who)
		}
	}

	// One bucket is for the caller, whoever has tokens of that name.
	both()
	batch := certificate(d.clients, batchName, "", soon)
	for n, want := range []int{200, 429} {
		e.told(complete(), nil)
		if got := d.ask(batch, jane); got.status != want {
			t.Errorf("time %d: %+v", n, got)
		}
	}
	e.told(complete(), nil)
	if got := d.ask(nobody, jane, bearerOf(map[string]any{"sub": batchName})...); got.status != 200 {
		t.Errorf("a token of that name: %+v", got)
	}
}

// TestCertificatesOnOldConnections: a connection goes on, and what it was made by ends.
func TestCertificatesOnOldConnections(t *testing.T) {
	t.Parallel()
	e := &engine{}
	e.told(complete(), nil)
	d := newSecureDoor(t, e)
	d.Set(nil, d.certificates())
	ends := time.Now().Add(2 * time.Second)
	short, long := d.clients.issue("", frontendName, ends), d.clients.issue("", frontendName, time.Now().Add(time.Hour))
	first, second := d.client(&short), d.client(&long)
	for _, client := range []*http.Client{first, second} {
		if got := d.ask(client, jane); got.status != 200 {
			t.Errorf("at first: %+v", got)
		}
	}
	time.Sleep(time.Until(ends.Truncate(time.Second).Add(time.Second + 10*time.Millisecond)))
	if got := d.ask(first, jane); got.status != 401 || got.reason != "The certificate has expired." {
		t.Errorf("once it has expired: %+v", got)
	}
	// A connection that is made anew resumes nothing.
	first.CloseIdleConnections()
	second.CloseIdleConnections()
	if got := d.ask(first, jane); got.status != 0 {
		t.Errorf("once it has expired, made anew: %+v", got)
	}
	if got := d.ask(second, jane); got.status != 200 || got.resumed {
		t.Errorf("made anew: %+v", got)
	}
	// The authority is replaced.
	d.write("ca.crt", "CERTIFICATE", newVouching(t).cert.Raw)
	told := make(chan error, 8)
	var watching sync.WaitGroup
	watching.Go(func() { d.identity.Watch(t.Context(), 10*time.Millisecond, func(err error) { told <- err }) })
	t.Cleanup(watching.Wait)
	if err := <-told; err != nil {
		t.Fatal(err)
	}
	if got := d.ask(second, jane); got.status != 401 || got.reason != "Nobody vouches for the certificate any more." {
		t.Errorf("once nobody vouches for it: %+v", got)
	}
}

// TestInsufficientScope: who lacks a scope is told which by the challenge (RFC 6750,
// 3.1); who has no token is not asked for a better one.
func TestInsufficientScope(t *testing.T) {
	t.Parallel()
	e := &engine{}
	d, i := newSecureDoor(t, e), newIssuing()
	i.into(t, d.Callers, d.certificates())
	shows := d.clients.issue("", frontendName, time.Now().Add(time.Hour))
	lacks := &gateway.RequestError{Status: 403, Title: "Forbidden.", Reason: "To explain needs the scope muster.explain.", Resolution: "r", Scope: "muster.explain"}
	for _, test := range []struct {
		client *http.Client
		header []string
		err    *gateway.RequestError
		want   string
	}{
		{d.client(nil), []string{"Authorization", "Bearer " + i.token(t, nil)}, lacks, `Bearer error="insufficient_scope", error_description="To explain needs the scope muster.explain.", scope="muster.explain"`},
		{d.client(nil), []string{"Authorization", "Bearer " + i.token(t, nil)}, &gateway.RequestError{Status: 403, Reason: "r"}, ""},
		{d.client(&shows), nil, lacks, ""},
	} {
		e.told(gateway.Answer{}, test.err)
		if got := d.ask(test.client, jane+"?explain=true", test.header...); got.status != 403 || got.challenge != test.want {
			t.Errorf("%+v, want %s", got, test.want)
		}
	}
}
