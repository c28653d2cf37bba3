package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// vouching is an authority.
type vouching struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func certify(t testing.TB, by *vouching, template *x509.Certificate) vouching {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	if by == nil {
		by = &vouching{template, key}
	}
	content, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(content)
	if err != nil {
		t.Fatal(err)
	}
	return vouching{c, key}
}

func pemOf(kind string, content []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
}

const certificateCallers = `  private: ["127.0.0.1"]
callers:
  - {certificate: {uri: "spiffe://acme.example/CANARY-frontend"}, tenant: acme, scopes: profile.basic}
  - {issuer: "%s", audiences: muster, claims: {tenant: org}, tls: {ca: issuer.pem}}
policies:
  - {for: {scopes: profile.basic}, show: [userName, name]}
  - {for: {cel: 'caller.certificate.uri == "spiffe://acme.example/CANARY-frontend"'}, show: emails}
`

// TestCallersWithCertificates runs a gateway whose callers come with certificates, or with
// tokens of an issuer behind a private authority.
func TestCallersWithCertificates(t *testing.T) {
	t.Parallel()
	server := certify(t, nil, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"muster.example"}})
	clients := certify(t, nil, &x509.Certificate{IsCA: true, BasicConstraintsValid: true})
	secret, err := x509.MarshalPKCS8PrivateKey(server.key)
	if err != nil {
		t.Fatal(err)
	}
	i := newIssuerBy(t, httptest.NewTLSServer)
	listen := `listen: {address: "127.0.0.1:0", admin: "127.0.0.1:0", tls: {cert: tls.crt, key: tls.key, client_ca: clients.pem}}`
	file := strings.Replace(gatewayFile, `listen: {address: "127.0.0.1:0", admin: "127.0.0.1:0"}`, listen, 1)
	d := newDeploymentOf(t, file+fmt.Sprintf(certificateCallers, i.URL), map[string]string{
		"tls.crt": pemOf("CERTIFICATE", server.cert.Raw), "tls.key": pemOf("PRIVATE KEY", secret),
		"clients.pem": pemOf("CERTIFICATE", clients.cert.Raw), "issuer.pem": pemOf("CERTIFICATE", i.Certificate().Raw),
	})
	now := d.follow()
	roots := x509.NewCertPool()
	roots.AddCert(server.cert)
	client := func(name string) *http.Client {
		config := &tls.Config{RootCAs: roots, ServerName: "muster.example"}
		if uri, err := url.Parse(name); err == nil && name != "" {
			own := certify(t, &clients, &x509.Certificate{URIs: []*url.URL{uri}})
			config.Certificates = []tls.Certificate{{Certificate: [][]byte{own.cert.Raw}, PrivateKey: own.key}}
		}
		transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	nobody, frontend := client(""), client("spiffe://acme.example/CANARY-frontend")
	admin := d.http
	ask := func(as *http.Client, path string, header ...string) response {
		t.Helper()
		d.http = as
		defer func() { d.http = admin }()
		return d.ask(http.MethodGet, "https://"+d.Address+path, "", header...)
	}
	const person = "/v1/tenants/acme/users/username:createuser"
	authorization := "Bearer " + i.token(t, map[string]any{"scope": "profile.basic"})
	d.until("ready", func() bool { return ask(nobody, "/readyz").Status == 200 })
	if r := ask(nobody, "/readyz?verbose"); !strings.Contains(r.Text, "[+] keys of callers[1]\n") {
		t.Errorf("%s", r.Text)
	}
	members := func(r response) string {
		var told struct{ Data map[string]any }
		_ = json.Unmarshal([]byte(r.Text), &told)
		_, name := told.Data["name"]
		_, emails := told.Data["emails"]
		return fmt.Sprintf("%d name %t emails %t", r.Status, name, emails)
	}
	for _, test := range []struct {
		name   string
		client *http.Client
		path   string
		header []string
		want   string
	}{
		{"a certificate", frontend, person, nil, "200 name true emails true"},
		{"a token", nobody, person, []string{"Authorization", authorization}, "200 name true emails false"},
		{"both", frontend, person, []string{"Authorization", authorization}, "200 name true emails false"},
		{"neither", nobody, person, nil, "401 name false emails false"},
		{"a header", nobody, person, []string{"X-Forwarded-Client-Cert", "URI=spiffe://acme.example/CANARY-frontend"}, "401 name false emails false"},
		{"another's certificate", client("spiffe://acme.example/backend"), person, nil, "401 name false emails false"},
		{"another's tenant", frontend, strings.Replace(person, "acme", "globex", 1), nil, "403 name false emails false"},
		{"explain", frontend, person + "?explain=true", nil, "403 name false emails false"},
	} {
		if got := members(ask(test.client, test.path, test.header...)); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	const lacks = `Bearer error="insufficient_scope", error_description="To explain needs the scope muster.explain.", scope="muster.explain"`
	if got := ask(nobody, person+"?explain=true", "Authorization", authorization).Header.Get("WWW-Authenticate"); got != lacks {
		t.Errorf("a scope that is lacking: %s", got)
	}
	metrics := d.ask(http.MethodGet, "http://"+d.Admin+"/metrics", "").Text
	if want := fmt.Sprintf(`muster_callers_key_fetches_total{issuer=%q,outcome="new"} 1`, i.URL); !strings.Contains(metrics, want) {
		t.Errorf("%s is not in\n%s", want, metrics)
	}

	// Who is taken out of the file is out on the connection that they have.
	d.rewrite(func(text string) string {
		return strings.Replace(text, "CANARY-frontend\"}, tenant", "other\"}, tenant", 1)
	})
	now <- struct{}{}
	d.until("the caller is out", func() bool { return ask(frontend, person).Status == 401 })
	d.rewrite(func(text string) string {
		return strings.Replace(text, "other\"}, tenant", "CANARY-frontend\"}, tenant", 1)
	})
	now <- struct{}{}
	d.until("the caller is in", func() bool { return ask(frontend, person).Status == 200 })
	// Of an issuer's tokens nothing is left, and certificates alone are believed.
	d.rewrite(func(text string) string {
		at := strings.Index(text, "  - {issuer:")
		return text[:at] + text[at+strings.Index(text[at:], "\n")+1:]
	})
	now <- struct{}{}
	d.until("no issuer", func() bool {
		return ask(nobody, person).Header.Get("WWW-Authenticate") == `ClientCertificate realm="muster"`
	})
	if got := ask(frontend, person).Status; got != 200 {
		t.Errorf("certificates alone: %d", got)
	}
	if r := ask(nobody, "/readyz?verbose"); strings.Contains(r.Text, "callers") {
		t.Errorf("without an issuer: %s", r.Text)
	}
	d.never(metrics, "CANARY")
}

// TestVerifyBehindAPrivateAuthority: an issuer is asked for its keys by the authority that
// is named, and not by another.
func TestVerifyBehindAPrivateAuthority(t *testing.T) {
	t.Parallel()
	i := newIssuerBy(t, httptest.NewTLSServer)
	other := certify(t, nil, &x509.Certificate{IsCA: true, BasicConstraintsValid: true})
	folder := t.TempDir()
	for name, content := range map[string]string{"ca.pem": pemOf("CERTIFICATE", i.Certificate().Raw), "other.pem": pemOf("CERTIFICATE", other.cert.Raw), "none.pem": "none"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		ca, want string // in what is written, or the error
	}{
		{"ca.pem", "The token is believed."},
		{"other.pem", "the discovery document cannot be had: "},
		{"", "the discovery document cannot be had: "},
		{"none.pem", "none.pem holds no PEM certificate"},
		{"missing.pem", "missing.pem: no such file or directory"},
	} {
		args := []string{"verify", "--issuer", i.URL, "--audience", "muster", "-"}
		if test.ca != "" {
			args = append(args, "--ca", filepath.Join(folder, test.ca))
		}
		var out bytes.Buffer
		root := rootCommand()
		root.SetIn(strings.NewReader(i.token(t, nil)))
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetArgs(args)
		if err := root.ExecuteContext(t.Context()); err != nil {
			_, _ = fmt.Fprint(&out, err)
		}
		if !strings.Contains(out.String(), test.want) || strings.Contains(out.String(), "CANARY") {
			t.Errorf("%s: %s", test.ca, out.String())
		}
	}
}
