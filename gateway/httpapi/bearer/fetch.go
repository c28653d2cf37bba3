package bearer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// How often an issuer is asked for its keys.
const (
	// between is the least time between two times that unknown keys make us ask.
	between = 30 * time.Second
	// every is how long keys are gone on with: what the issuer has taken back is
	// believed for so long at most, and a little for the asking.
	every = 2 * time.Minute
	// fetchTimeout bounds both questions together.
	fetchTimeout = 5 * time.Second
	// patience is how long a token waits for keys that are being asked for.
	patience = 3 * time.Second
	// While no keys are known they are asked for again after these, doubling.
	firstRetry, lastRetry = 250 * time.Millisecond, 5 * time.Second

	maxDocument = 1 << 20
)

// source is where the keys of one issuer come from, and those that it has given. It
// is safe for concurrent use, and outlives a Verifier: see Options.Before.
type source struct {
	issuer string
	client *http.Client

	set atomic.Pointer[keySet] // nil until it was known once

	mu      sync.Mutex
	pending *attempt  // under way
	last    time.Time // when an attempt began
	counted time.Time // when one began since the keys are known
	address string    // of the key set, once it is known
}

// attempt is one time that the issuer is asked.
type attempt struct {
	done chan struct{}
	err  error // once it is done
}

func newSource(issuer string, transport http.RoundTripper) *source {
	return &source{issuer: issuer, client: &http.Client{
		Transport:     documents{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// begin asks the issuer, unless that is under way. Whoever has begun it may leave.
func (s *source) begin(ctx context.Context) *attempt {
	if s.pending != nil {
		return s.pending
	}
	a := &attempt{done: make(chan struct{})}
	s.pending, s.last = a, time.Now()
	if s.set.Load() != nil {
		s.counted = s.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	go func() {
		defer cancel()
		a.err = s.fetched(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pending = nil
		close(a.done)
	}()
	return a
}

// refresh asks the issuer now.
func (s *source) refresh(ctx context.Context) error {
	s.mu.Lock()
	a := s.begin(ctx)
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-a.done:
		return a.err
	}
}

// missed is told that a token names a key that is not known. The issuer may have a
// new one: it is asked, but never because of tokens more often than between.
func (s *source) missed(ctx context.Context) {
	s.mu.Lock()
	if s.pending == nil && !s.counted.IsZero() && time.Since(s.counted) < between {
		s.mu.Unlock()
		return
	}
	a := s.begin(ctx)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-ctx.Done():
	case <-a.done:
	}
}

// follow keeps the keys new until the context ends, and tells how each attempt went.
func (s *source) follow(ctx context.Context, tell func(error)) {
	retry := firstRetry
	for failed := false; ; {
		wait := s.wait(failed, retry)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		err := s.refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		if failed = err != nil; failed && s.set.Load() == nil {
			retry = min(2*retry, lastRetry)
		}
		tell(err)
	}
}

// wait is how long until the issuer is asked again: up to a tenth less, so that
// many gateways do not ask together.
func (s *source) wait(failed bool, retry time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	span := every
	switch {
	case s.set.Load() == nil && !failed:
		return 0
	case s.set.Load() == nil:
		span = retry
	case failed:
		span = between
	}
	span -= time.Duration(rand.Float64() * float64(span) / 10) //nolint:gosec // it spreads load, it keeps no secret
	return time.Until(s.last.Add(span))
}

// fetched is fetch, whose panics are errors: nobody else would keep them from ending the
// process. Only the type is told; a text may quote what was fetched.
func (s *source) fetched(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("asking panicked with a %T", p)
		}
	}()
	return s.fetch(ctx)
}

// fetch asks where the keys are, and for them. What is no set of keys never takes
// the place of one that was.
func (s *source) fetch(ctx context.Context) error {
	s.mu.Lock()
	address := s.address
	s.mu.Unlock()
	if found, err := s.discover(ctx); err == nil {
		address = found
	} else if address == "" {
		return err
	}
	document, err := s.get(ctx, address)
	if err != nil {
		return fmt.Errorf("the key set cannot be had: %w", err)
	}
	set, err := parseKeys(document)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.address = address
	s.mu.Unlock()
	if known := s.set.Load(); known == nil || known.digest != set.digest { // else what was verified by them stays so
		s.set.Store(set)
	}
	return nil
}

// discover finds the address of the key set (OpenID Connect Discovery, 4).
func (s *source) discover(ctx context.Context) (string, error) {
	var told struct {
		KeySet string `json:"jwks_uri"`
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, s.client), s.issuer)
	if err == nil {
		err = provider.Claims(&told)
	}
	var mismatch *oidc.IssuerMismatchError
	var refused *documentError
	var transport *url.Error
	switch {
	case errors.As(err, &mismatch):
		return "", errors.New("the discovery document is another issuer's")
	case errors.As(err, &refused), errors.As(err, &transport):
		return "", fmt.Errorf("the discovery document cannot be had: %w", err)
	case err != nil: // its text may quote the document
		return "", errors.New("the discovery document is not one")
	case !s.mayBe(told.KeySet):
		return "", errors.New("the discovery document has no `jwks_uri` that is an https address")
	}
	return told.KeySet, nil
}

// mayBe tells whether keys may come from an address: by https, or from the very host
// that the operator lets speak plain HTTP.
func (s *source) mayBe(address string) bool {
	keys, err := url.Parse(address)
	if err != nil || keys.Host == "" || keys.User != nil {
		return false
	}
	issuer, err := url.Parse(s.issuer)
	return keys.Scheme == "https" || err == nil && keys.Scheme == issuer.Scheme && keys.Scheme == "http" && keys.Host == issuer.Host
}

func (s *source) get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return io.ReadAll(response.Body)
}

// documents is a transport that brings whole documents of a bounded size: what is
// not a 200 is an error, a redirect too.
type documents struct{ next http.RoundTripper }

// documentError is why something that was answered is not a document.
type documentError struct{ text string }

func (e *documentError) Error() string { return e.text }

// RoundTrip brings a document.
func (d documents) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := d.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	switch {
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return nil, &documentError{"it is a redirect, which is not followed"}
	case response.StatusCode != http.StatusOK:
		return nil, &documentError{fmt.Sprintf("the status is %d", response.StatusCode)}
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxDocument {
		return nil, &documentError{"it has more than 1 MiB"}
	}
	response.Body = io.NopCloser(bytes.NewReader(content))
	return response, nil
}
