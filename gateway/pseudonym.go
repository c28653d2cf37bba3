package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strings"
	"sync"

	"muster/gateway/audit"
	"muster/normalize"
)

// MinPseudonymKey is how many bytes a key of Pseudonyms must have: as many as it gives
// away nothing by.
const MinPseudonymKey = 32

// Pseudonyms are what people are called in spans, in the log and in audit records: a
// keyed hash. One person has one pseudonym for each identifier, so that records of one
// person are found together; without the key nobody finds out whose they are, and not
// by trying all addresses either. It is safe for concurrent use. A nil *Pseudonyms has
// no name for anybody.
type Pseudonyms struct {
	id     string    // of the key
	hashes sync.Pool // of hash.Hash, with the key in them
}

// NewPseudonyms makes pseudonyms by a key of at least MinPseudonymKey bytes. Another key
// makes others: so is a person forgotten in records that are kept.
func NewPseudonyms(key []byte) *Pseudonyms {
	key = append([]byte(nil), key...)
	p := &Pseudonyms{hashes: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
	const idBytes = 4
	p.id = hex.EncodeToString(p.sum("key")[:idBytes])
	return p
}

// RandomPseudonyms are by a key that nobody has and that ends with the process.
func RandomPseudonyms() *Pseudonyms {
	var key [MinPseudonymKey]byte
	_, _ = rand.Read(key[:]) // never fails
	return NewPseudonyms(key[:])
}

// KeyID stands before every pseudonym, so that a change of the key is seen.
func (p *Pseudonyms) KeyID() string { return p.id }

// Person is what a tenant's person is called, who has an identifier. However it is
// written, by upper case letters or not, it is one person's.
func (p *Pseudonyms) Person(tenant, kind, value string) string {
	return p.name("person", tenant, kind, normalize.IDKey(kind, value))
}

// Caller is what somebody is called whom an issuer calls by a subject.
func (p *Pseudonyms) Caller(issuer, subject string) string { return p.name("caller", issuer, subject) }

// name is KEY.HASH, both in hexadecimal digits: a text that every search takes for one
// word, and whose case does not matter.
func (p *Pseudonyms) name(parts ...string) string {
	if p == nil {
		return ""
	}
	const hashBytes = 16 // nobody meets another by chance
	return p.id + "." + hex.EncodeToString(p.sum(parts...)[:hashBytes])
}

// sum is over each part with its length before it, as in cache.NewKey: ("a:b", "c") is
// not ("a", "b:c").
func (p *Pseudonyms) sum(parts ...string) []byte {
	h, _ := p.hashes.Get().(hash.Hash)
	defer p.hashes.Put(h)
	h.Reset()
	text := make([]byte, 0, 128)
	for _, part := range parts {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	_, _ = h.Write(text) // never fails
	return h.Sum(text[:0])
}

// Subject is what the person is called whom a query asks for, by each of their
// identifiers in the order in which kinds are accepted. It is nil where the query does
// not say whom, and where nothing is made of what it says.
func (l *Live) Subject(q Query) []audit.Identifier {
	var ids []normalize.Identifier
	if q.IDs != nil {
		ids, _ = readIDs(q.IDs, l.Accept) // what is refused is told where it is asked
	} else {
		defaultKind := ""
		if tenant := l.Tenants[q.Tenant]; tenant != nil {
			defaultKind = tenant.DefaultIdentifier
		}
		if kind, value, refused := ParseUser(q.User, l.Accept, defaultKind); refused == nil {
			ids = []normalize.Identifier{{Kind: kind, Value: value}}
		}
	}
	subject := make([]audit.Identifier, len(ids))
	for i, id := range ids {
		subject[i] = audit.Identifier{Kind: id.Kind, Hash: l.Pseudonyms.Person(q.Tenant, id.Kind, id.Value)}
	}
	return subject
}

// subjectOf is Subject as a span and the log have it, "" for nobody.
func (l *Live) subjectOf(tenant string, ids []normalize.Identifier) string {
	if l.Pseudonyms == nil {
		return ""
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = l.Pseudonyms.Person(tenant, id.Kind, id.Value)
	}
	return strings.Join(names, ",")
}
