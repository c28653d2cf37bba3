package adapters

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"muster/config/document"
)

// Egress is where connections may go. Without it, private, loopback and
// link-local addresses are refused when a connection is made, whatever name led
// there.
type Egress struct {
	Private []string  // hosts that may resolve to private addresses
	Connect []Connect // where a host's connections really go, first match wins
}

// Connect redirects the connections of a host, as curl's --connect-to does: the
// address changes, and neither the Host header nor the name in TLS.
type Connect struct {
	Host      string // exact, or *.suffix
	Address   string // host:port
	Plaintext bool   // no TLS on the way
}

// matches tells whether a pattern means the host: exactly, or as *.suffix.
func matches(pattern, host string) bool {
	pattern, host = strings.ToLower(pattern), strings.ToLower(host)
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, suffix) && len(host) > len(suffix)
	}
	return pattern == host
}

// connect finds where the connections of host:port go.
func (e *Egress) connect(address string) (Connect, bool) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return Connect{}, false
	}
	for _, c := range e.Connect {
		if matches(c.Host, host) || matches(c.Host, address) {
			return c, true
		}
	}
	return Connect{}, false
}

// Plaintext tells whether the operator says that connections to host:port go without
// TLS.
func (e *Egress) Plaintext(address string) bool {
	c, ok := e.connect(address)
	return ok && c.Plaintext
}

func (e *Egress) private(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	for _, pattern := range e.Private {
		if matches(pattern, host) || matches(pattern, address) {
			return true
		}
	}
	return false
}

// maxHeaderBytes bounds the header of a reply.
const maxHeaderBytes = 64 << 10

// handshakeTimeout bounds a TLS handshake: net/http goes on connecting when the
// request that it was for has been given up.
const handshakeTimeout = 10 * time.Second

// NewTransport makes the connection pool of one source. It follows no redirect,
// uses no proxy of the environment and keeps no cookie.
func NewTransport(egress *Egress, files TLSFiles) (*http.Transport, error) {
	config, err := files.config()
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    handshakeTimeout,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ForceAttemptHTTP2:      true,
	}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return egress.dial(ctx, network, address)
	}
	if hasPlaintext(egress.Connect) {
		// The scheme of a definition is always https; where a redirection says
		// so, the connection under it is not encrypted. A connection that does
		// is made here in full, which costs it HTTP/2.
		t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := egress.dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if c, ok := egress.connect(address); ok && c.Plaintext {
				return conn, nil
			}
			return handshake(ctx, conn, address, config)
		}
	}
	return t, nil
}

func hasPlaintext(connects []Connect) bool {
	for _, c := range connects {
		if c.Plaintext {
			return true
		}
	}
	return false
}

func handshake(ctx context.Context, conn net.Conn, address string, base *tls.Config) (net.Conn, error) {
	config := base.Clone()
	if host, _, err := net.SplitHostPort(address); err == nil && config.ServerName == "" {
		config.ServerName = host
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

var errPrivate = errors.New("the host resolves to a private address, and egress does not name it")

func (e *Egress) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer, address := e.dialer(address)
	return dialer.DialContext(ctx, network, address)
}

// dialer connects to host:port as egress has it: where the address it returns leads.
func (e *Egress) dialer(address string) (*net.Dialer, string) {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if c, ok := e.connect(address); ok {
		return dialer, c.Address
	}
	if !e.private(address) {
		// After resolution, for each address that is tried: a name that
		// resolves elsewhere the second time is caught as well.
		dialer.Control = func(_, resolved string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(resolved)
			if err != nil || !public(at.Addr()) {
				return errPrivate
			}
			return nil
		}
	}
	return dialer, address
}

func (f TLSFiles) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.MinVersion == "1.3" {
		config.MinVersion = tls.VersionTLS13
	}
	if f.CA != "" {
		pem, err := document.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no PEM certificate", f.CA)
		}
	}
	if f.Cert != "" || f.Key != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("tls.cert, tls.key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// transportFault classifies what kept a reply from coming. Go's own error holds
// the address, and with it a person's identifier: only the step is told.
func transportFault(ctx context.Context, err error, step string) *Fault {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errPrivate): // a wrong address: asking again does not help
		return Fail(Misconfigured, errPrivate.Error(), errPrivate)
	case errors.Is(err, context.Canceled):
		return Fail(Unavailable, "abandoned while "+step, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Fail(Timeout, "no answer while "+step, context.DeadlineExceeded)
	default:
		return Fail(Unavailable, "the connection failed while "+step, nil)
	}
}
