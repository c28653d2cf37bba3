package edge

import (
	"bytes"
	"crypto/tls"
	"log"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"golang.org/x/net/netutil"
)

// Limits are what a client may cost: one that is slow to ask, or slow to read, holds a
// connection for so long, and nothing else.
type Limits struct {
	Header      time.Duration // from the connection, or the request before, to the end of a header; a TLS handshake too
	Request     time.Duration // from the begin of a request to the end of its body
	Response    time.Duration // from the end of a header to the end of an answer; 0 for ever
	Idle        time.Duration // between two requests
	Connections int           // at once; more wait to be accepted
	HeaderBytes int           // beyond which net/http itself answers 431, without a document
	Streams     int           // requests at once on one HTTP/2 connection
}

// DefaultLimits are those of a listener that faces the Internet.
func DefaultLimits() Limits {
	return Limits{
		Header:      5 * time.Second,
		Request:     10 * time.Second,
		Response:    30 * time.Second,
		Idle:        2 * time.Minute, // longer than load balancers keep theirs, who would send into one that closes
		Connections: 8192,
		HeaderBytes: 32 << 10, // the front door answers 431 from 16 KiB on
		Streams:     128,
	}
}

// Server is a listener's HTTP server.
type Server struct {
	*http.Server
	connections int
}

// NewServer makes the server of a handler: HTTP/1.1, and HTTP/2 where there is TLS to
// agree on it. A nil secure is plaintext. What the server itself has to say goes to the
// log without the address of who caused it.
func NewServer(h http.Handler, limits Limits, secure *tls.Config, logger *slog.Logger) *Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(secure != nil)
	return &Server{connections: limits.Connections, Server: &http.Server{
		Handler:           wary(h),
		TLSConfig:         secure,
		Protocols:         protocols,
		ReadHeaderTimeout: limits.Header,
		ReadTimeout:       limits.Request,
		WriteTimeout:      limits.Response,
		IdleTimeout:       limits.Idle,
		MaxHeaderBytes:    limits.HeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: limits.Streams,
			SendPingTimeout:      30 * time.Second, // who does not answer is gone, and need not be waited for
			PingTimeout:          15 * time.Second,
			WriteByteTimeout:     limits.Request,
		},
		ErrorLog: log.New(discreet{logger}, "", 0),
	}}
}

// wary keeps from a handler what net/http lets through. The preface of HTTP/2 in clear
// comes as a request of its own. And of a length beside chunks the length is dropped
// without a word: since the two cannot be told from chunks alone, whatever came in chunks
// is the last of its connection (RFC 9112, 6.1), so that nothing behind it, which another
// server may have taken for its body, is answered.
func wary(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && r.TLS == nil {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
			return
		}
		if len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// Serve answers whoever connects to the listener, until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	l = netutil.LimitListener(l, s.connections)
	if s.TLSConfig != nil {
		return s.ServeTLS(l, "", "")
	}
	return s.Server.Serve(l)
}

// discreet writes what net/http says, less who caused it: an address is a person's.
// What anybody can cause is told only where somebody debugs.
type discreet struct{ log *slog.Logger }

// Write takes one message.
func (d discreet) Write(message []byte) (int, error) {
	if _, panicked, ok := bytes.Cut(message, []byte("panic serving ")); ok {
		d.log.Error("a handler panicked", "stack", places(panicked))
		return len(message), nil
	}
	text, _, caused := bytes.Cut(bytes.TrimSpace(message), []byte(" from "))
	if caused {
		d.log.Debug("a connection failed", "what", string(text))
	} else {
		d.log.Warn("the HTTP server", "says", string(text))
	}
	return len(message), nil
}

// place is a line of a stack that has no value in it.
var place = regexp.MustCompile(`(?m)^\t(/\S+\.go:\d+)(?: \+0x[0-9a-f]+)?$`)

// places are the files and lines of a stack, one to a line.
func places(stack []byte) string {
	var b strings.Builder
	for _, found := range place.FindAllSubmatch(stack, -1) {
		b.Write(found[1])
		b.WriteByte('\n')
	}
	return b.String()
}
