package edge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"
)

// Files are where a listener's certificate stands, in PEM.
type Files struct {
	Cert     string // with those that vouch for it behind it
	Key      string
	ClientCA string // who vouches for clients; "" where nobody does
	AdminCA  string // who does for those of the admin listener; "" for ClientCA
}

// FileError is what is wrong with one of the files.
type FileError struct {
	Key        string // cert, key, client_ca or admin_ca
	Path       string
	Reason     string // without the path, and without what the file holds
	Resolution string // what would do; may be empty
	Missing    bool   // it cannot be read at all
}

// Error names the file.
func (e *FileError) Error() string { return fmt.Sprintf("tls.%s: %s: %s", e.Key, e.Path, e.Reason) }

// Identity is how the gateway shows who it is, and by whom it knows its clients. It
// changes with its files and is safe for concurrent use.
type Identity struct {
	files Files
	read  func(path string) ([]byte, error)
	last  digest // of what was read last, sound or not
	now   atomic.Pointer[material]
}

type digest [sha256.Size]byte

// material is what the files held.
type material struct {
	leaf              *x509.Certificate
	authorities       []*x509.Certificate // who vouches for clients
	asking, insistent *tls.Config         // for clients, who may show a certificate, or must
}

// Load reads an identity. The error is a *FileError. Read, which is os.ReadFile or
// bounds what it reads, is called for each file.
func Load(files Files, read func(path string) ([]byte, error)) (*Identity, error) {
	i := &Identity{files: files, read: read}
	content := i.contents()
	i.last = content.digest()
	m, err := content.material(files)
	if err != nil {
		return nil, err
	}
	i.now.Store(m)
	return i, nil
}

// Validity is when the certificate begins and ends to hold.
func (i *Identity) Validity() (from, until time.Time) {
	leaf := i.now.Load().leaf
	return leaf.NotBefore, leaf.NotAfter
}

// Vouches tells whether somebody is one of those who vouch for clients now: a connection
// may be older than the file. Nobody is one of a nil Identity's.
func (i *Identity) Vouches(authority *x509.Certificate) bool {
	return i != nil && slices.ContainsFunc(i.now.Load().authorities, authority.Equal)
}

// Config is for a listener, and follows the files. Where somebody vouches for clients,
// what a client shows is checked; insist, for the admin listener, turns away who shows
// nothing.
func (i *Identity) Config(insist bool) *tls.Config {
	config := base()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		m := i.now.Load()
		if insist {
			return m.insistent, nil
		}
		return m.asking, nil
	}
	return config
}

// Watch looks at the files again and again until ctx ends. When they have changed, and
// no longer change, they are in force; one that is wrong changes nothing. What became of
// a change is told: nil, or a *FileError.
func (i *Identity) Watch(ctx context.Context, every time.Duration, tell func(error)) {
	look := time.NewTicker(every)
	defer look.Stop()
	var settling digest // as of the last look; still being written, if the next sees another
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		content := i.contents()
		before, seen := settling, content.digest()
		if settling = seen; seen == i.last || seen != before {
			continue
		}
		i.last = seen
		m, err := content.material(i.files)
		if err == nil {
			i.now.Store(m)
		}
		tell(err)
	}
}

// contents are the files as they were read at one time.
type contents struct {
	cert, key, ca, adminCA               []byte
	certErr, keyErr, caErr, adminCAError error
}

func (i *Identity) contents() contents {
	var c contents
	c.cert, c.certErr = i.read(i.files.Cert)
	c.key, c.keyErr = i.read(i.files.Key)
	if i.files.ClientCA != "" {
		c.ca, c.caErr = i.read(i.files.ClientCA)
	}
	if i.files.AdminCA != "" {
		c.adminCA, c.adminCAError = i.read(i.files.AdminCA)
	}
	return c
}

func (c contents) digest() digest {
	sum := sha256.New()
	for _, part := range [][]byte{c.cert, c.key, c.ca, c.adminCA} {
		_, _ = fmt.Fprintf(sum, "%d ", len(part)) // so that no two are alike
		_, _ = sum.Write(part)
	}
	_, _ = fmt.Fprint(sum, c.certErr != nil, c.keyErr != nil, c.caErr != nil, c.adminCAError != nil)
	return digest(sum.Sum(nil))
}

func (c contents) material(files Files) (*material, error) {
	wrong := func(key, path, reason, resolution string) error {
		return &FileError{Key: key, Path: path, Reason: reason, Resolution: resolution}
	}
	switch {
	case c.certErr != nil:
		return nil, missing("cert", files.Cert, c.certErr)
	case c.keyErr != nil:
		return nil, missing("key", files.Key, c.keyErr)
	case c.caErr != nil:
		return nil, missing("client_ca", files.ClientCA, c.caErr)
	case c.adminCAError != nil:
		return nil, missing("admin_ca", files.AdminCA, c.adminCAError)
	}
	chain, ok := certificates(c.cert)
	if !ok {
		return nil, wrong("cert", files.Cert, "it holds no certificate in PEM that can be read", "the server's own certificate comes first, those that vouch for it after it")
	}
	pair, err := tls.X509KeyPair(c.cert, c.key)
	switch {
	case err != nil && bytes.Contains(c.key, []byte("ENCRYPTED")):
		return nil, wrong("key", files.Key, "the key is encrypted", "the gateway has nobody to ask for a passphrase: write it without one, readable by the gateway alone")
	case err != nil && !bytes.Contains(c.key, []byte("PRIVATE KEY-----")):
		return nil, wrong("key", files.Key, "it holds no private key in PEM", "")
	case err != nil:
		return nil, wrong("key", files.Key, "it cannot be read, or is not the key of the first certificate of the other file", "that certificate's public key must be this key's; a chain begins with the server's own")
	}
	m := &material{leaf: chain[0], asking: base()}
	m.asking.Certificates = []tls.Certificate{pair}
	m.insistent = m.asking.Clone()
	for _, by := range []struct {
		key, path string
		content   []byte
		listeners []*tls.Config
	}{
		{"client_ca", files.ClientCA, c.ca, []*tls.Config{m.asking, m.insistent}},
		{"admin_ca", files.AdminCA, c.adminCA, []*tls.Config{m.insistent}},
	} {
		if by.path == "" {
			continue
		}
		authorities, ok := certificates(by.content)
		if !ok {
			return nil, wrong(by.key, by.path, "it holds no certificate in PEM that can be read", "the certificates of who vouches for clients")
		}
		pool := x509.NewCertPool()
		for _, authority := range authorities {
			pool.AddCert(authority)
		}
		for _, config := range by.listeners {
			config.ClientCAs = pool
			config.SessionTicketsDisabled = true // or who is no longer vouched for might resume
		}
		if by.key == "client_ca" {
			m.authorities = authorities
			m.asking.ClientAuth = tls.VerifyClientCertIfGiven
		}
		m.insistent.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return m, nil
}

// base is TLS 1.2 and later with authenticated encryption and forward secrecy alone.
func base() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 are all such
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos: []string{"h2", "http/1.1"},
	}
}

// certificates are those of a file; ok is false where there is none, or one that cannot
// be read.
func certificates(content []byte) (all []*x509.Certificate, ok bool) {
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			return all, len(all) > 0
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, false
		}
		all = append(all, certificate)
	}
}

// missing is the error of a file that cannot be read; the reason is without its path.
func missing(key, path string, err error) error {
	reason := "it cannot be read"
	if why := (*fs.PathError)(nil); errors.As(err, &why) {
		reason = why.Err.Error()
	}
	return &FileError{Key: key, Path: path, Reason: reason, Missing: true}
}
