package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"muster/gateway/httpapi/edge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority vouches for certificates.
type authority struct {
	t           testing.TB
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	a := authority{t: t, key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(content); err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: content})
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

// issue makes a certificate for a name, with its key, both in PEM.
func (a authority) issue(name string) (certificate, key []byte) {
	a.t.Helper()
	own := newKey(a.t)
	content, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.certificate, own.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: content}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// folder has the files of an identity.
type folder struct {
	t testing.TB
	edge.Files
}

func newFolder(t testing.TB, cert, key []byte) folder {
	dir := t.TempDir()
	f := folder{t, edge.Files{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}}
	f.write(f.Cert, cert)
	f.write(f.Key, key)
	return f
}

func (f folder) write(path string, content []byte) {
	f.t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) load() *edge.Identity {
	f.t.Helper()
	identity, err := edge.Load(f.Files, os.ReadFile)
	if err != nil {
		f.t.Fatal(err)
	}
	return identity
}

// run serves until the test ends.
func run(t testing.TB, h http.HandlerFunc, limits edge.Limits, secure *tls.Config, log *slog.Logger) (address string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	server := edge.NewServer(h, limits, secure, log)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return l.Addr().String()
}

func ok(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, "ok ", r.Proto) }

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// get asks over TLS, and tells what came and whose certificate it was.
func get(t testing.TB, address string, config *tls.Config) (text, certificate string, err error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/", nil)
	if err != nil {
		return "", "", err
	}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = response.Body.Close() }()
	all, err := io.ReadAll(response.Body)
	return string(all), response.TLS.PeerCertificates[0].DNSNames[0], err
}

func (a authority) trusting(name string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	return &tls.Config{RootCAs: roots, ServerName: name}
}

// TestWhatIsSpoken: HTTP/2 is agreed on, TLS begins at 1.2, and of that with
// authenticated encryption alone.
func TestWhatIsSpoken(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	address := run(t, ok, edge.DefaultLimits(), newFolder2(t, a, "muster.example").load().Config(false), nil)
	text, _, err := get(t, address, a.trusting("muster.example"))
	if err != nil || text != "ok HTTP/2.0" {
		t.Errorf("%q, %v", text, err)
	}
	for name, test := range map[string]struct {
		version uint16
		suites  []uint16
		spoken  bool
	}{
		"1.1":     {tls.VersionTLS11, nil, false},
		"1.2":     {tls.VersionTLS12, nil, true},
		"1.2 CBC": {tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}, false},
		"1.2 RSA": {tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}, false},
		"1.3":     {tls.VersionTLS13, nil, true},
	} {
		config := a.trusting("muster.example")
		config.MinVersion, config.MaxVersion, config.CipherSuites = tls.VersionTLS10, test.version, test.suites
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", address)
		if (err == nil) != test.spoken {
			t.Errorf("TLS %s: %v", name, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

func newFolder2(t testing.TB, a authority, name string) folder {
	t.Helper()
	cert, key := a.issue(name)
	return newFolder(t, cert, key)
}

// TestACertificateIsRenewed without a restart; half of one, or a bad one, changes
// nothing, and is told once.
func TestACertificateIsRenewed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	files := newFolder2(t, a, "one.example")
	identity := files.load()
	address := run(t, ok, edge.DefaultLimits(), identity.Config(false), nil)
	told := make(chan error, 10)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { identity.Watch(ctx, 10*time.Millisecond, func(err error) { told <- err }) })
	defer func() { cancel(); watching.Wait() }()
	serves := func(want string) {
		t.Helper()
		config := a.trusting("")
		config.ServerName = want
		if _, got, err := get(t, address, config); err != nil || got != want {
			t.Errorf("it is %q, %v; want %q", got, err, want)
		}
	}
	next := func() string {
		t.Helper()
		select {
		case err := <-told:
			if err == nil {
				return ""
			}
			return strings.ReplaceAll(err.Error(), filepath.Dir(files.Cert)+"/", "")
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is told")
			return ""
		}
	}
	serves("one.example")

	cert, key := a.issue("two.example")
	files.write(files.Cert, cert) // and the key not yet
	if got := next(); got != "tls.key: tls.key: it cannot be read, or is not the key of the first certificate of the other file" {
		t.Errorf("told %q", got)
	}
	serves("one.example")
	files.write(files.Key, key)
	if got := next(); got != "" {
		t.Errorf("told %q", got)
	}
	serves("two.example")
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "tls.key: tls.key: no such file or directory" {
		t.Errorf("told %q", got)
	}
	serves("two.example")
	select {
	case err := <-told:
		t.Errorf("told once more: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
}

// TestClients: who shows a certificate shows one that is vouched for; where it is
// insisted on, nobody comes without.
func TestClients(t *testing.T) {
	t.Parallel()
	server, clients, others := newAuthority(t), newAuthority(t), newAuthority(t)
	files := newFolder2(t, server, "muster.example")
	files.ClientCA = filepath.Join(filepath.Dir(files.Cert), "ca.crt")
	files.write(files.ClientCA, clients.pem)
	identity := files.load()
	known := func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.VerifiedChains) > 0 {
			_, _ = io.WriteString(w, r.TLS.VerifiedChains[0][0].DNSNames[0])
		}
	}
	for _, test := range []struct {
		insist bool
		by     *authority
		want   string // "refused" where nobody is answered
	}{
		{false, nil, ""},
		{false, &clients, "client.example"},
		{false, &others, "refused"},
		{true, nil, "refused"},
		{true, &clients, "client.example"},
		{true, &others, "refused"},
	} {
		address := run(t, known, edge.DefaultLimits(), identity.Config(test.insist), nil)
		config := server.trusting("muster.example")
		if test.by != nil {
			cert, key := test.by.issue("client.example")
			pair, err := tls.X509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		got, _, err := get(t, address, config)
		if err != nil {
			got = "refused"
		}
		if got != test.want {
			t.Errorf("insist %v: %q (%v), want %q", test.insist, got, err, test.want)
		}
	}
}

// TestFilesThatAreWrong names the file, and says no word of what it holds.
func TestFilesThatAreWrong(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.issue("muster.example")
	_, foreign := a.issue("other.example")
	for name, test := range map[string]struct {
		cert, key, ca []byte
		want          edge.FileError
	}{
		"no certificate": {key, key, nil, edge.FileError{Key: "cert", Reason: "it holds no certificate in PEM that can be read"}},
		"garbled":        {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), key, nil, edge.FileError{Key: "cert", Reason: "it holds no certificate in PEM that can be read"}},
		"no key":         {cert, cert, nil, edge.FileError{Key: "key", Reason: "it holds no private key in PEM"}},
		"another's key":  {cert, foreign, nil, edge.FileError{Key: "key", Reason: "it cannot be read, or is not the key of the first certificate of the other file"}},
		"wrong order":    {append(bytes.Clone(a.pem), cert...), key, nil, edge.FileError{Key: "key", Reason: "it cannot be read, or is not the key of the first certificate of the other file"}},
		"encrypted":      {cert, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), nil, edge.FileError{Key: "key", Reason: "the key is encrypted"}},
		"no authority":   {cert, key, []byte("none"), edge.FileError{Key: "client_ca", Reason: "it holds no certificate in PEM that can be read"}},
	} {
		files := newFolder(t, test.cert, test.key)
		if test.ca != nil {
			files.ClientCA = files.Cert + ".ca"
			files.write(files.ClientCA, test.ca)
		}
		_, err := edge.Load(files.Files, os.ReadFile)
		got := (*edge.FileError)(nil)
		if !errors.As(err, &got) {
			t.Fatalf("%s: %v", name, err)
		}
		got.Path, got.Resolution = "", ""
		if diff := cmp.Diff(test.want, *got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestSlowClients are cut in time, whatever they are slow at, and nobody else waits
// for them.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	limits := edge.DefaultLimits()
	limits.Header, limits.Request, limits.Response, limits.Idle = 300*time.Millisecond, 4*time.Second, 900*time.Millisecond, 400*time.Millisecond
	var log lockedBuffer
	address := run(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				w.WriteHeader(http.StatusRequestTimeout)
			}
			return
		}
		for range 1 << 14 { // much more than fits between the two
			if _, err := w.Write(make([]byte, 1<<12)); err != nil {
				return
			}
		}
	}, limits, nil, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	var slow sync.WaitGroup
	for name, test := range map[string]struct {
		first, again string
		reads        bool
		within       time.Duration
	}{
		"nothing at all":    {"", "", true, limits.Header},
		"a header by bytes": {"GET / HTTP/1.1\r\nHost: x\r\n", "X: y\r\n", true, limits.Header},
		"a body by bytes":   {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", "x", true, limits.Request},
		"chunks by bytes":   {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", true, limits.Request},
		"HTTP/2 in clear":   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00", true, limits.Header},
		"idle":              {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "", true, limits.Idle},
		"reads nothing":     {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", false, limits.Response},
	} {
		slow.Go(func() {
			conn := dial(t, address)
			begin := time.Now()
			_, _ = io.WriteString(conn, test.first)
			done := make(chan struct{})
			if test.again != "" {
				slow.Go(func() {
					for {
						select {
						case <-done:
							return
						case <-time.After(50 * time.Millisecond):
							_, _ = io.WriteString(conn, test.again)
						}
					}
				})
			}
			if !test.reads {
				time.Sleep(test.within + 500*time.Millisecond)
			}
			came, err := io.Copy(io.Discard, conn)
			close(done)
			if came >= 1<<26 {
				t.Errorf("%s: it was all sent", name)
			}
			if took := time.Since(begin); took > test.within+3*time.Second || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: cut after %v (%v), want %v", name, took, err, test.within)
			}
		})
	}
	for range 20 {
		conn := dial(t, address)
		begin := time.Now()
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200 OK") || time.Since(begin) > time.Second {
			t.Errorf("another waits %v for %q, %v", time.Since(begin), text, err)
		}
	}
	slow.Wait()
	if strings.Contains(log.String(), "127.0.0.1") {
		t.Errorf("the log tells who it was:\n%s", &log)
	}
}

// TestAPanicIsToldByItsPlace: of one that no handler kept neither its text is logged nor
// who brought it about.
func TestAPanicIsToldByItsPlace(t *testing.T) {
	t.Parallel()
	log := new(lockedBuffer)
	address := run(t, func(_ http.ResponseWriter, r *http.Request) {
		panic("CANARY of\n\t" + r.URL.Path)
	}, edge.DefaultLimits(), nil, slog.New(slog.NewJSONHandler(log, nil)))
	if response, err := http.Get("http://" + address + "/canary@acme.example"); err == nil {
		_ = response.Body.Close()
		t.Errorf("status %d", response.StatusCode)
	}
	for range 1000 {
		if log.String() != "" {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	text := log.String()
	if !strings.Contains(text, "a handler panicked") || !strings.Contains(text, "edge_test.go:") || strings.Contains(text, "CANARY") || strings.Contains(text, "canary@") || strings.Contains(text, "127.0.0.1") {
		t.Errorf("the log: %s", text)
	}
}

// TestConnections: there are never more than allowed, and who waits comes in when one leaves.
func TestConnections(t *testing.T) {
	t.Parallel()
	limits := edge.DefaultLimits()
	limits.Connections = 2
	address := run(t, ok, limits, nil, nil)
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	answered := func(conn net.Conn, wait time.Duration) bool {
		_ = conn.SetDeadline(time.Now().Add(wait))
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil
	}
	first, second, third := dial(t, address), dial(t, address), dial(t, address)
	for i, conn := range []net.Conn{first, second} {
		_, _ = io.WriteString(conn, request)
		if !answered(conn, 10*time.Second) {
			t.Fatalf("connection %d is not answered", i)
		}
	}
	_, _ = io.WriteString(third, request)
	if answered(third, 200*time.Millisecond) {
		t.Error("a third connection is answered")
	}
	_ = first.Close()
	if !answered(third, 10*time.Second) {
		t.Error("the third is not answered after the first has left")
	}
}

// TestSmuggling: where two servers could disagree on where a request ends, it is
// refused, and the connection with whatever follows is gone (RFC 9112, 6.3 and 11.2).
func TestSmuggling(t *testing.T) {
	t.Parallel()
	const hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
	var lock sync.Mutex
	var seen []string
	limits := edge.DefaultLimits()
	limits.Request = time.Second
	address := run(t, func(_ http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		seen = append(seen, r.URL.Path)
	}, limits, nil, nil)
	for name, test := range map[string]struct {
		request string
		status  string
	}{
		"two lengths":           {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n" + hidden, "400"},
		"a list of lengths":     {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 5\r\n\r\n" + hidden, "400"},
		"a signed length":       {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n" + hidden, "400"},
		"a negative length":     {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n" + hidden, "400"},
		"two encodings":         {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden, "501"},
		"an unknown encoding":   {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden, "501"},
		"a space before colon":  {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden, "400"},
		"folded":                {"POST / HTTP/1.1\r\nHost: x\r\n Transfer-Encoding: chunked\r\n\r\n" + hidden, "400"},
		"no host":               {"GET / HTTP/1.1\r\n\r\n" + hidden, "400"},
		"two hosts":             {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + hidden, "400"},
		"a null in a header":    {"GET / HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n" + hidden, "400"},
		"a request without end": {"GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n" + hidden, "431"},
	} {
		conn := dial(t, address)
		_, _ = io.WriteString(conn, test.request)
		text, _ := io.ReadAll(conn) // until it is closed
		if got := string(text); !strings.HasPrefix(got, "HTTP/1.1 "+test.status) || strings.Count(got, "HTTP/1.1") != 1 {
			t.Errorf("%s: %.200q", name, got)
		}
	}
	// A length beside chunks is not what counts, and nothing is taken for a request.
	conn := dial(t, address)
	_, _ = io.WriteString(conn, "POST /chunks HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n26\r\n"+
		strings.Repeat("x", 38)+"\r\n0\r\n\r\n"+hidden)
	text, _ := io.ReadAll(conn)
	if got := string(text); strings.Count(got, "HTTP/1.1") != 1 {
		t.Errorf("a length beside chunks: %.300q", got)
	}
	// A chunk's extension does not end at a bare LF (CVE-2025-22871).
	conn = dial(t, address)
	_, _ = io.WriteString(conn, "POST /lf HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;\n\r\nhello\r\n0\r\n\r\n"+hidden)
	text, _ = io.ReadAll(conn)
	if got := string(text); strings.Count(got, "HTTP/1.1") != 1 {
		t.Errorf("a bare LF: %.300q", got)
	}
	lock.Lock()
	defer lock.Unlock()
	if got := strings.Join(seen, " "); strings.Contains(got, "hidden") {
		t.Errorf("a hidden request was served: %s", got)
	}
}

// TestNoPlaintextHTTP2: there is no upgrade to it, and its preface is refused at once.
func TestNoPlaintextHTTP2(t *testing.T) {
	t.Parallel()
	address := run(t, ok, edge.DefaultLimits(), nil, nil)
	conn := dial(t, address)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusOK || response.Proto != "HTTP/1.1" {
		t.Errorf("an upgrade: %+v, %v", response, err)
	}
	conn = dial(t, address)
	_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 505") {
		t.Errorf("a preface: %q, %v", text, err)
	}
}

// TestExpectContinue: a client that waits for a word before its body gets it.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	limits := edge.DefaultLimits()
	limits.Request = time.Second
	address := run(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }, limits, nil, nil)
	conn := dial(t, address)
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = io.WriteString(conn, "hello")
	if text, err := io.ReadAll(reader); err != nil || !strings.HasSuffix(string(text), "\r\n\r\nhello") {
		t.Errorf("%q, %v", text, err)
	}
	conn = dial(t, address)
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\nContent-Length: 5\r\n\r\n")
	if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 417") {
		t.Errorf("another expectation: %.100q, %v", text, err)
	}
}

// TestHTTP2Floods: streams that are opened and reset at once, headers without an end
// and floods of settings end their connection, or wait; never more requests run at
// once than are allowed on one, and others are answered all the while.
func TestHTTP2Floods(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	limits := edge.DefaultLimits()
	limits.Streams = 8
	var lock sync.Mutex
	running, most := 0, 0
	address := run(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			ok(w, r)
			return
		}
		lock.Lock()
		running++
		most = max(most, running)
		lock.Unlock()
		time.Sleep(10 * time.Millisecond) // deaf to the reset, as work may be
		lock.Lock()
		running--
		lock.Unlock()
	}, limits, newFolder2(t, a, "muster.example").load().Config(false), nil)
	config := a.trusting("muster.example")
	config.NextProtos = []string{"h2"}

	flood := func(name string, write func(framer *http2.Framer, n uint32) error) {
		raw, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = raw.Close() }()
		_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(raw, http2.ClientPreface)
		var reading sync.WaitGroup
		reading.Go(func() { _, _ = io.Copy(io.Discard, raw) })
		framer := http2.NewFramer(raw, nil)
		if err := framer.WriteSettings(); err != nil {
			t.Fatal(err)
		}
		for n := range uint32(20_000) {
			if err := write(framer, n); err != nil {
				break // it was closed, which is an answer
			}
		}
		if text, _, err := get(t, address, a.trusting("muster.example")); err != nil || text != "ok HTTP/2.0" {
			t.Errorf("%s: another is answered %q, %v", name, text, err)
		}
		_ = raw.Close()
		reading.Wait()
	}
	fields := func(path string) []byte {
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "muster.example"}, {":path", path}} {
			_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		return block.Bytes()
	}
	block := fields("/work")
	flood("rapid reset", func(framer *http2.Framer, n uint32) error {
		err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*n + 1, BlockFragment: block, EndStream: true, EndHeaders: true})
		return errors.Join(err, framer.WriteRSTStream(2*n+1, http2.ErrCodeCancel))
	})
	flood("continuation", func(framer *http2.Framer, n uint32) error {
		if n == 0 {
			return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndStream: true})
		}
		return framer.WriteContinuation(1, false, bytes.Repeat([]byte{0x82}, 1<<10))
	})
	flood("settings", func(framer *http2.Framer, _ uint32) error { return framer.WriteSettings() })
	flood("pings", func(framer *http2.Framer, _ uint32) error { return framer.WritePing(false, [8]byte{}) })
	lock.Lock()
	defer lock.Unlock()
	if most == 0 || most > limits.Streams {
		t.Errorf("%d requests of one connection ran at once; want at most %d", most, limits.Streams)
	}
}

// lockedBuffer may be written to by several.
type lockedBuffer struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.String()
}
