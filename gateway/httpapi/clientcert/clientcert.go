// Package clientcert believes, or does not believe, the certificates that callers connect
// with (TLS, RFC 8446, 4.4.2). It decides who somebody is and nothing about what they may
// see; that a certificate is the client's, and that somebody vouches for it, the handshake
// has seen to.
//
//	verifier, err := clientcert.New(clientcert.Options{Holders: holders, Vouches: identity.Vouches})
//	caller, refused := verifier.Verify(r.TLS, time.Now())
//
// A caller is known by one subject alternative name, to the letter. The subject, and the
// common name in it, is never looked at (RFC 6125, 6.4.4 and RFC 9525 say why), and
// neither is any header: what a proxy writes there, anybody can (docs/decisions/0023).
package clientcert

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"muster/adapters"
	"muster/gateway"
)

// Name is a subject alternative name (RFC 5280, 4.2.1.6) by which a caller is known.
type Name struct {
	Kind Kind
	Text string
}

// Kind is what a Name is.
type Kind string

// The kinds of names that name a caller.
const (
	URI Kind = "uri" // compared byte by byte
	DNS Kind = "dns" // compared in lower case, as domain names are
)

// Holder is a caller who comes with a certificate, and what an operator grants them.
type Holder struct {
	Name    Name
	Scopes  []string
	Tenants []string      // that they may ask for, gateway.EveryTenant for all
	Rate    adapters.Rate // of people that they may ask for; zero for any
}

// Options are what a Verifier needs.
type Options struct {
	Holders []Holder // of different names

	// Vouches tells whether an authority vouches for clients now: a connection may have
	// been made while another did.
	Vouches func(authority *x509.Certificate) bool
}

// Verifier tells who has come with a certificate. It is safe for concurrent use.
type Verifier struct {
	callers map[Name]*gateway.Caller
	vouches func(*x509.Certificate) bool
}

// New makes a verifier. Its error is about the options: a name that is empty, or two
// callers', would be anybody's.
func New(o Options) (*Verifier, error) {
	if len(o.Holders) == 0 || o.Vouches == nil {
		return nil, errors.New("clientcert: there is no caller, or nobody who vouches for them")
	}
	v := &Verifier{callers: map[Name]*gateway.Caller{}, vouches: o.Vouches}
	for i, h := range o.Holders {
		name := h.Name.canonical()
		switch {
		case name.Text == "" || name.Kind != URI && name.Kind != DNS:
			return nil, fmt.Errorf("clientcert: caller %d has no name", i)
		case v.callers[name] != nil:
			return nil, fmt.Errorf("clientcert: caller %d has the name of another", i)
		case len(h.Tenants) == 0 || slices.Contains(h.Tenants, ""):
			return nil, fmt.Errorf("clientcert: caller %d may ask for no tenant", i)
		}
		v.callers[name] = &gateway.Caller{
			Caller: adapters.Caller{Subject: name.Text}, Certificate: map[string]string{string(name.Kind): name.Text},
			Scopes: h.Scopes, Tenants: h.Tenants, Rate: h.Rate, Decided: new(gateway.Decided),
		}
	}
	return v, nil
}

// canonical is the name as names are compared.
func (n Name) canonical() Name {
	if n.Kind == DNS {
		n.Text = strings.ToLower(n.Text)
	}
	return n
}

// Shown tells whether the client has shown a certificate on its connection, be it one
// that is believed or not.
func Shown(state *tls.ConnectionState) bool { return state != nil && len(state.PeerCertificates) > 0 }

// Verify tells who has come on a connection, who must not be changed; or why the
// certificate is not believed, in a sentence that holds nothing of it. A connection may
// be older than the hour in which its certificate ended, and than those who vouch for
// clients now, so both are looked at again.
func (v *Verifier) Verify(state *tls.ConnectionState, now time.Time) (_ *gateway.Caller, refused string) {
	if !Shown(state) || len(state.VerifiedChains) == 0 {
		return nil, "There is no certificate that somebody vouches for."
	}
	leaf := state.VerifiedChains[0][0]
	switch {
	case now.After(leaf.NotAfter):
		return nil, "The certificate has expired."
	case now.Before(leaf.NotBefore):
		return nil, "The certificate is not valid yet."
	case !slices.ContainsFunc(state.VerifiedChains, func(chain []*x509.Certificate) bool { return v.holds(chain, now) }):
		return nil, "Nobody vouches for the certificate any more."
	case !forClients(leaf):
		return nil, "The certificate is not one for clients."
	}
	var who *gateway.Caller
	for _, name := range names(leaf) {
		caller := v.callers[name]
		if caller != nil && who != nil && caller != who {
			return nil, "The certificate has the names of several callers."
		}
		if caller != nil {
			who = caller
		}
	}
	if who == nil {
		return nil, "The certificate has no name that is a caller's."
	}
	return who, ""
}

// holds tells whether a chain that was verified when the connection was made would be
// now.
func (v *Verifier) holds(chain []*x509.Certificate, now time.Time) bool {
	return v.vouches(chain[len(chain)-1]) && !slices.ContainsFunc(chain, func(c *x509.Certificate) bool {
		return now.Before(c.NotBefore) || now.After(c.NotAfter)
	})
}

// forClients tells whether a certificate says that it is a client's. The handshake lets
// one pass that does not say what it is for: a server's, as many authorities make them,
// is not meant to be a caller's.
func forClients(leaf *x509.Certificate) bool {
	return slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) &&
		(leaf.KeyUsage == 0 || leaf.KeyUsage&x509.KeyUsageDigitalSignature != 0) // RFC 8446, 4.4.2.2
}

// names are those of a certificate that may be a caller's. They are read as they are
// signed: what net/url makes of a URI is another text (it drops an empty fragment).
func names(leaf *x509.Certificate) []Name {
	var all []Name
	for _, extension := range leaf.Extensions { // of which there is one at most, as crypto/x509 has seen
		if !extension.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		var parts []asn1.RawValue
		if rest, err := asn1.Unmarshal(extension.Value, &parts); err != nil || len(rest) > 0 {
			return nil
		}
		for _, part := range parts {
			kind, is := map[int]Kind{2: DNS, 6: URI}[part.Tag]
			if is && part.Class == asn1.ClassContextSpecific {
				all = append(all, Name{kind, string(part.Bytes)}.canonical())
			}
		}
	}
	return all
}
