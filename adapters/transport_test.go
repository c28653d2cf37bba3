package adapters_test

import (
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muster/adapters"
)

// authority is a certificate authority of a test's own.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = sign(t, template, template, a.key, a.key)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// issue makes a certificate for a name, for a server and a client alike.
func (a *authority) issue(name string) tls.Certificate {
	return a.issueUntil(name, time.Now().Add(time.Hour))
}

func (a *authority) issueUntil(name string, until time.Time) tls.Certificate {
	key := newKey(a.t)
	cert := sign(a.t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, key, a.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// file writes PEM beside the authority's other files.
func (a *authority) file(name, kind string, raw []byte) string {
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// ca is the authority's own file.
func (a *authority) ca() string { return a.file("ca.pem", "CERTIFICATE", a.cert.Raw) }

// files are those of a certificate and its key.
func (a *authority) files(cert tls.Certificate) (string, string) {
	key, err := x509.MarshalECPrivateKey(cert.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		a.t.Fatal(err)
	}
	return a.file("cert.pem", "CERTIFICATE", cert.Certificate[0]), a.file("key.pem", "EC PRIVATE KEY", key)
}

// serve runs a TLS server on loopback.
func serve(t testing.TB, handler http.Handler, config *tls.Config) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are to fail
	server.TLS = config
	server.EnableHTTP2 = config.MaxVersion != tls.VersionTLS10 && config.MaxVersion != tls.VersionTLS11 // it refuses them itself
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func record(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id": "1"}`) }

// to is an egress that leads the host h.example to a server.
func to(server *httptest.Server) *adapters.Egress {
	return &adapters.Egress{Connect: []adapters.Connect{{Host: "h.example", Address: server.Listener.Addr().String()}}}
}

func transport(t testing.TB, egress *adapters.Egress, files adapters.TLSFiles) *http.Transport {
	t.Helper()
	tr, err := adapters.NewTransport(egress, files)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// asks is what comes of one call over a transport, with a deadline.
func asks(t testing.TB, tr http.RoundTripper, d *adapters.Definition, pairs ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	reply, err := bind(d, tr, pairs...).Fetch(ctx, somebody())
	return outcome(reply, err)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	const refused, fine = "unavailable: the connection failed while asking", "ok self=1"
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	certFile, keyFile := ours.files(ours.issue("muster"))
	server := func(name string, config *tls.Config) *httptest.Server {
		config.Certificates = []tls.Certificate{ours.issue(name)}
		return serve(t, http.HandlerFunc(record), config)
	}
	right, wrong := server("h.example", &tls.Config{}), server("g.example", &tls.Config{})
	mutual := server("h.example", &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool()})
	tls10 := server("h.example", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10})
	tls11 := server("h.example", &tls.Config{MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11})
	tls12 := server("h.example", &tls.Config{MaxVersion: tls.VersionTLS12})
	expired := serve(t, http.HandlerFunc(record), &tls.Config{Certificates: []tls.Certificate{ours.issueUntil("h.example", time.Now().Add(-time.Minute))}})
	for _, old := range []*httptest.Server{tls10, tls11} { // who would speak them is answered
		conn, err := tls.Dial("tcp", old.Listener.Addr().String(), &tls.Config{RootCAs: ours.pool(), ServerName: "h.example", MinVersion: tls.VersionTLS10})
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	for _, test := range []struct {
		name   string
		server *httptest.Server
		files  adapters.TLSFiles
		want   string
	}{
		{"an authority that the system does not know", right, adapters.TLSFiles{}, refused},
		{"an authority that is named", right, adapters.TLSFiles{CA: ours.ca()}, fine},
		{"another authority", right, adapters.TLSFiles{CA: theirs.ca()}, refused},
		{"a certificate that has expired", expired, adapters.TLSFiles{CA: ours.ca()}, refused},
		{"another host's certificate", wrong, adapters.TLSFiles{CA: ours.ca()}, refused},
		{"another host's certificate, as it should be", wrong, adapters.TLSFiles{CA: ours.ca(), ServerName: "g.example"}, fine},
		{"not the name that it should bear", right, adapters.TLSFiles{CA: ours.ca(), ServerName: "g.example"}, refused},
		{"without a certificate of ours", mutual, adapters.TLSFiles{CA: ours.ca()}, refused},
		{"with a certificate of ours", mutual, adapters.TLSFiles{CA: ours.ca(), Cert: certFile, Key: keyFile}, fine},
		{"TLS 1.0", tls10, adapters.TLSFiles{CA: ours.ca()}, refused},
		{"TLS 1.1", tls11, adapters.TLSFiles{CA: ours.ca()}, refused},
		{"TLS 1.2", tls12, adapters.TLSFiles{CA: ours.ca()}, fine},
		{"TLS 1.2 where it is said to do", tls12, adapters.TLSFiles{CA: ours.ca(), MinVersion: "1.2"}, fine},
		{"TLS 1.2 where it does not do", tls12, adapters.TLSFiles{CA: ours.ca(), MinVersion: "1.3"}, refused},
		{"TLS 1.3", right, adapters.TLSFiles{CA: ours.ca(), MinVersion: "1.3"}, fine},
	} {
		t.Run(test.name, func(t *testing.T) {
			egress := to(test.server)
			expect(t, "outcome", asks(t, transport(t, egress, test.files), define(t, "")), test.want)
			// A plaintext redirection of another host takes the handshake into our own
			// hands: the outcome must be the same.
			egress.Connect = append(egress.Connect, adapters.Connect{Host: "other.example", Address: "127.0.0.1:1", Plaintext: true})
			expect(t, "outcome with our own handshake", asks(t, transport(t, egress, test.files), define(t, "")), test.want)
		})
	}
}

func TestTLSFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "ours")
	_, key := a.files(a.issue("x"))
	empty := filepath.Join(a.dir, "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		files adapters.TLSFiles
		want  string
	}{
		{adapters.TLSFiles{CA: "no/such/file"}, "tls.ca: open no/such/file: no such file or directory"},
		{adapters.TLSFiles{CA: empty}, "tls.ca: " + empty + " holds no PEM certificate"},
		{adapters.TLSFiles{Cert: "no/such/file", Key: key}, "tls.cert, tls.key: open no/such/file: no such file or directory"},
		{adapters.TLSFiles{Key: key}, "tls.cert, tls.key: open : no such file or directory"},
		{adapters.TLSFiles{Cert: a.ca(), Key: key}, "tls.cert, tls.key: tls: private key does not match public key"},
	} {
		_, err := adapters.NewTransport(&adapters.Egress{}, test.files)
		if err == nil || err.Error() != test.want {
			t.Errorf("%+v: %v, want %s", test.files, err, test.want)
		}
	}
}

func TestHTTP2IsSpokenWhereItCanBe(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	var proto atomic.Value
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto.Store(r.Proto)
		record(w, r)
	}), &tls.Config{Certificates: []tls.Certificate{ours.issue("h.example")}})
	expect(t, "outcome", asks(t, transport(t, to(server), adapters.TLSFiles{CA: ours.ca()}), define(t, "")), "ok self=1")
	expect(t, "protocol", proto.Load(), any("HTTP/2.0"))
}

// Whatever name leads to it, a private address is not connected to.
func TestPrivateAddressesAreRefused(t *testing.T) {
	t.Parallel()
	const refused = "misconfigured: the host resolves to a private address, and egress does not name it"
	var reached atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached.Add(1); record(w, r) }))
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, host := range []string{
		"127.0.0.1", "localhost", "0.0.0.0", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "224.0.0.1", "255.255.255.255",
		"0.1.2.3", "192.0.0.192", "198.18.0.1", "240.0.0.1",
	} {
		expect(t, host, asks(t, transport(t, &adapters.Egress{}, adapters.TLSFiles{}), define(t, ""), "host", host+":"+port), refused)
	}
	// What some resolvers read as 127.0.0.1 is that, or no host at all.
	for _, host := range []string{"2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1"} {
		switch got := asks(t, transport(t, &adapters.Egress{}, adapters.TLSFiles{}), define(t, ""), "host", host+":"+port); got {
		case refused, "unavailable: the connection failed while asking", "timeout: no answer while asking":
		default:
			t.Errorf("%s: %s", host, got)
		}
	}
	expect(t, "connections", reached.Load(), int64(0))
	// A token is fetched over the same connection, under the same rule.
	got := asks(t, transport(t, &adapters.Egress{}, adapters.TLSFiles{}), define(t, `auth: {client_credentials: {token_url: "https://{settings.host}/token", client_id: a, client_secret: b}}`), "host", "127.0.0.1:"+port)
	expect(t, "a token", got, refused)
}

func TestAPrivateHostThatEgressNames(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	server := serve(t, http.HandlerFunc(record), &tls.Config{Certificates: []tls.Certificate{ours.issue("localhost")}})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	const refused, fine = "misconfigured: the host resolves to a private address, and egress does not name it", "ok self=1"
	for _, test := range []struct{ private, want string }{
		{"localhost", fine},
		{"LOCALHOST", fine},
		{"localhost:" + port, fine},
		{"*", fine},
		{"localhost:1", refused},
		{"*.localhost", refused},
		{"local", refused},
		{"host", refused},
		{"", refused},
	} {
		egress := &adapters.Egress{Private: []string{test.private}}
		got := asks(t, transport(t, egress, adapters.TLSFiles{CA: ours.ca()}), define(t, ""), "host", "localhost:"+port)
		expect(t, test.private, got, test.want)
	}
}

// egress.connect changes the address alone; with plaintext, it and the TLS.
func TestConnect(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	var host atomic.Value
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := ""
		if r.TLS != nil {
			name = r.TLS.ServerName
		}
		host.Store(r.Host + " by " + name)
		record(w, r)
	})
	secure := serve(t, handler, &tls.Config{Certificates: []tls.Certificate{ours.issue("acme.h.example")}})
	open := httptest.NewServer(handler)
	t.Cleanup(open.Close)
	const failed, private, fine = "unavailable: the connection failed while asking", "misconfigured: the host resolves to a private address, and egress does not name it", "ok self=1"
	address := func(s *httptest.Server) string { return s.Listener.Addr().String() }
	for _, test := range []struct {
		name, host string
		connect    []adapters.Connect
		want, seen string
	}{
		{"exactly", "acme.h.example", []adapters.Connect{{Host: "acme.h.example", Address: address(secure)}}, fine, "acme.h.example by acme.h.example"},
		{"in any case", "Acme.H.example", []adapters.Connect{{Host: "aCME.h.EXAMPLE", Address: address(secure)}}, fine, "Acme.H.example by Acme.H.example"},
		{"by suffix", "acme.h.example:8443", []adapters.Connect{{Host: "*.h.example", Address: address(secure)}}, fine, "acme.h.example:8443 by acme.h.example"},
		{"with a port", "acme.h.example:8443", []adapters.Connect{{Host: "acme.h.example:8443", Address: address(secure)}}, fine, "acme.h.example:8443 by acme.h.example"},
		{"the first match", "acme.h.example", []adapters.Connect{{Host: "*.h.example", Address: address(secure)}, {Host: "acme.h.example", Address: "127.0.0.1:1"}}, fine, "acme.h.example by acme.h.example"},
		{"a suffix is not the host itself", "127.0.0.1", []adapters.Connect{{Host: "*.127.0.0.1", Address: address(secure)}}, private, ""},
		{"another port", "127.0.0.1:8443", []adapters.Connect{{Host: "127.0.0.1:443", Address: address(secure)}}, private, ""},
		{"in plaintext", "acme.h.example", []adapters.Connect{{Host: "*.h.example", Address: address(open), Plaintext: true}}, fine, "acme.h.example by "},
		{"TLS to a plaintext server", "acme.h.example", []adapters.Connect{{Host: "*.h.example", Address: address(open)}}, failed, ""},
		{"plaintext to a TLS server", "acme.h.example", []adapters.Connect{{Host: "*.h.example", Address: address(secure), Plaintext: true}}, "invalid: the upstream answered 400", ""},
		{"plaintext elsewhere", "acme.h.example", []adapters.Connect{{Host: "other.example", Address: address(open), Plaintext: true}, {Host: "*.h.example", Address: address(secure)}}, fine, "acme.h.example by acme.h.example"},
		{"private, with plaintext elsewhere", "127.0.0.1", []adapters.Connect{{Host: "other.example", Address: address(open), Plaintext: true}}, private, ""},
		{"nobody listens", "acme.h.example", []adapters.Connect{{Host: "*.h.example", Address: "127.0.0.1:1"}}, failed, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			host.Store("")
			tr := transport(t, &adapters.Egress{Connect: test.connect}, adapters.TLSFiles{CA: ours.ca()})
			expect(t, "outcome", asks(t, tr, define(t, ""), "host", test.host), test.want)
			expect(t, "seen", host.Load(), any(test.seen))
		})
	}
}

// A redirect may lead anywhere, with our credential: it is not followed.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached.Add(1); record(w, r) }))
	t.Cleanup(second.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", second.URL)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"id": "1"}`)
		}))
		egress := &adapters.Egress{Connect: []adapters.Connect{
			{Host: "h.example", Address: first.Listener.Addr().String(), Plaintext: true},
			{Host: "*", Address: second.Listener.Addr().String(), Plaintext: true},
		}}
		got := asks(t, transport(t, egress, adapters.TLSFiles{}), define(t, `auth: {bearer: "{settings.token}"}`), "token", "s")
		if !strings.HasPrefix(got, "misconfigured: the upstream answered 3") {
			t.Errorf("%d: %s", status, got)
		}
		first.Close()
	}
	expect(t, "requests at the second server", reached.Load(), int64(0))
}

// plaintextTo is a transport to a handler; what TLS would add is tested above.
func plaintextTo(t testing.TB, handler http.HandlerFunc) *http.Transport {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	egress := to(server)
	egress.Connect[0].Plaintext = true
	return transport(t, egress, adapters.TLSFiles{})
}

func TestCompressedReplies(t *testing.T) {
	t.Parallel()
	compressed := func(write func(io.Writer)) *http.Transport {
		return plaintextTo(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			write(z)
			_ = z.Close()
		})
	}
	small := compressed(func(w io.Writer) { _, _ = io.WriteString(w, `{"id": "1"}`) })
	expect(t, "small", asks(t, small, define(t, "")), "ok self=1")

	// 64 MiB of zeros are 64 KiB on the wire.
	bomb := compressed(func(w io.Writer) {
		zeros := make([]byte, 1<<20)
		for range 64 {
			if _, err := w.Write(zeros); err != nil {
				return
			}
		}
	})
	within(t, 5*time.Second, func() {
		expect(t, "a bomb", asks(t, bomb, define(t, "")), "malformed: the reply is larger than limits.max_bytes")
	})

	lie := plaintextTo(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, `{"id": "1"}`)
	})
	expect(t, "not what it says", asks(t, lie, define(t, "")), "unavailable: the connection failed while reading the reply")
}

// hijacked writes to the connection itself, then closes it.
func hijacked(t testing.TB, text string, linger bool) *http.Transport {
	return plaintextTo(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, text)
		if tcp, ok := conn.(*net.TCPConn); ok && !linger {
			_ = tcp.SetLinger(0) // a reset rather than an end
		}
		_ = conn.Close()
	})
}

func TestConnectionsThatBreak(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n"
	const asking, reading = "unavailable: the connection failed while asking", "unavailable: the connection failed while reading the reply"
	for _, test := range []struct {
		name, text string
		linger     bool
		want       string
	}{
		{"the whole", head + `{"id": "1"}`, true, "ok self=1"},
		{"half a body", head + `{"id"`, true, reading},
		{"half a body, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{\"id\": \"1\"}\r\n", true, reading},
		{"no body", head, true, reading},
		{"half a header", "HTTP/1.1 200 OK\r\nContent-Type:", true, asking},
		{"nothing", "", true, asking},
		{"a reset", "", false, asking},
		{"no HTTP", "SSH-2.0-OpenSSH_9.6\r\n\r\n", true, asking},
		{"a header without an end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n", true, asking},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nContent-Length: 5\r\n\r\n{\"id\": \"1\"}", true, asking},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, "outcome", asks(t, hijacked(t, test.text, test.linger), define(t, "")), test.want)
		})
	}
}

// A server that is slower than the deadline, at each step of its answer.
func TestDeadlinesOverTheNetwork(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, first, want string }{
		{"no header", "", "timeout: no answer while asking"},
		{"half a body", `{"id":`, "timeout: no answer while reading the reply"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tr := plaintextTo(t, func(w http.ResponseWriter, r *http.Request) {
				if test.first != "" {
					_, _ = io.WriteString(w, test.first)
					_ = http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
			})
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			within(t, 5*time.Second, func() {
				reply, err := bind(define(t, ""), tr).Fetch(ctx, somebody())
				expect(t, "outcome", outcome(reply, err), test.want)
			})
		})
	}
}

// A handshake that never ends is given up with the call.
func TestASilentHandshake(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	egress := &adapters.Egress{Connect: []adapters.Connect{
		{Host: "h.example", Address: listener.Addr().String()}, {Host: "other.example", Address: "127.0.0.1:1", Plaintext: true},
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = bind(define(t, ""), transport(t, egress, adapters.TLSFiles{})).Fetch(ctx, somebody())
	expect(t, "fault", adapters.FaultOf(err).Error(), "timeout: no answer while asking")
	// The transport goes on connecting for the next call; the end of the listener ends that.
}
