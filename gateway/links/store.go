package links

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"muster/normalize"
)

// Person is somebody whom a tenant knows as one.
type Person struct {
	Tenant string
	IDs    map[string]string // by kind, in canonical form
}

// Link is one identifier of a person, as the table has it.
type Link struct {
	Kind      string    `json:"kind"`
	Value     string    `json:"value"`
	CreatedAt time.Time `json:"createdAt"`
	Note      string    `json:"note,omitempty"` // what whoever made the link said of it
}

// Group is a person, as the table has them.
type Group struct {
	Tenant string `json:"tenant"`
	Person string `json:"person"` // opaque, and the same while any link of the person holds
	Links  []Link `json:"links"`  // by kind
}

// Unfit is why a value identifies nobody, "" where it may: it cannot be asked for,
// and the databases would not take it.
func Unfit(value string) string {
	switch {
	case strings.TrimSpace(value) == "":
		return "the identifier is empty"
	case !utf8.ValidString(value):
		return "the identifier is not UTF-8 text"
	case strings.ContainsFunc(value, unicode.IsControl):
		return "the identifier has control characters"
	case len(value) > normalize.MaxIdentifier:
		return "the identifier is too long"
	default:
		return ""
	}
}

// Store is a table of links. It is safe for concurrent use, and for use by any
// number of processes at once; Close it when done.
type Store struct {
	address  Address
	timeout  time.Duration
	database *database

	ready atomic.Pointer[sql.DB] // once the table is as this program knows it

	turn   chan struct{} // whose holder may use the rest
	db     *sql.DB
	closed bool
}

// New is the table at an address. It connects to nothing. The timeout bounds Find.
func New(address Address, timeout time.Duration) (*Store, error) {
	d, err := newDatabase(address)
	if err != nil {
		return nil, err
	}
	return &Store{address: address, timeout: timeout, database: d, turn: make(chan struct{}, 1)}, nil
}

// Is tells whether the store is what New would make of these.
func (s *Store) Is(address Address, timeout time.Duration) bool {
	return s != nil && s.address == address && s.timeout == timeout
}

// Address is where the table is; it prints without a password.
func (s *Store) Address() Address { return s.address }

// Close gives the connections back, once those that are asking are done.
func (s *Store) Close() error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.closed = true
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// errClosed is a use after Close.
var errClosed = errors.New("it is closed")

// Prepare connects, and makes the table where there is none, or brings it to the
// form that this program knows. Its error wraps a *SchemaError where a newer
// program has made it. Without it the first Find prepares.
func (s *Store) Prepare(ctx context.Context) error {
	_, err := s.prepared(ctx, true)
	return s.wrap(err)
}

// prepared is the database, once the table is as this program knows it. Only one
// caller at a time tries: a database that is down is not stormed.
func (s *Store) prepared(ctx context.Context, create bool) (*sql.DB, error) {
	if db := s.ready.Load(); db != nil {
		return db, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case s.closed:
		return nil, errClosed
	case s.ready.Load() != nil:
		return s.db, nil
	case s.db == nil:
		db, err := s.database.open()
		if err != nil {
			return nil, err
		}
		s.db = db
	}
	if err := s.database.prepare(ctx, s.db, create); err != nil {
		return nil, err
	}
	s.ready.Store(s.db)
	return s.db, nil
}

func (s *Store) wrap(err error) error {
	if err == nil {
		return nil
	}
	return &StoreError{s.address.String(), err}
}

// findQuery is one way to the database and two look-ups in its indexes. Written as
// a join, SQLite would go through the whole tenant.
const findQuery = `SELECT kind, value FROM muster_links WHERE tenant = $1 AND person =
(SELECT person FROM muster_links WHERE tenant = $1 AND kind = $2 AND folded = $3)`

// Find returns the identifiers by kind of the person whom the tenant knows by this
// one, nil when there is none. Its error is a *StoreError.
func (s *Store) Find(ctx context.Context, tenant, kind, value string) (map[string]string, error) {
	if Unfit(value) != "" || Unfit(tenant) != "" || Unfit(kind) != "" {
		return nil, nil //nolint:nilnil // nobody is known by it, and no database needs to say so
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	ids, err := s.find(ctx, tenant, kind, normalize.IDKey(kind, value))
	if err != nil && ctx.Err() != nil { // the drivers have words of their own for it
		err = ctx.Err()
	}
	return ids, s.wrap(err)
}

func (s *Store) find(ctx context.Context, tenant, kind, folded string) (map[string]string, error) {
	db, err := s.prepared(ctx, true)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, findQuery, tenant, kind, folded)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is that of Err
	var ids map[string]string
	for rows.Next() {
		if err := rows.Scan(&kind, &folded); err != nil {
			return nil, err
		}
		if ids == nil {
			ids = map[string]string{}
		}
		ids[kind] = folded
	}
	return ids, rows.Err()
}

const groupColumns = "SELECT tenant, person, kind, value, created_at, note FROM muster_links AS links "

// All are the people of a tenant, or of all tenants when it is "", by tenant and
// then by the first of their identifiers. Its error is a *StoreError; it wraps
// ErrNoTable where there is none.
func (s *Store) All(ctx context.Context, tenant string) ([]Group, error) {
	db, err := s.prepared(ctx, false)
	if err != nil {
		return nil, s.wrap(err)
	}
	groups, err := groupsOf(ctx, db, groupColumns+"WHERE $1 = '' OR tenant = $1", tenant)
	return groups, s.wrap(err)
}

// Of are the people whom a tenant, or any tenant when it is "", knows by an
// identifier. Errors are those of All.
func (s *Store) Of(ctx context.Context, tenant, kind, value string) ([]Group, error) {
	db, err := s.prepared(ctx, false)
	if err != nil {
		return nil, s.wrap(err)
	}
	groups, err := groupsOf(ctx, db, groupColumns+`WHERE EXISTS (SELECT 1 FROM muster_links AS one
WHERE one.tenant = links.tenant AND one.person = links.person AND ($1 = '' OR one.tenant = $1) AND one.kind = $2 AND one.folded = $3)`,
		tenant, kind, normalize.IDKey(kind, value))
	return groups, s.wrap(err)
}

func groupsOf(ctx context.Context, in asking, query string, args ...any) ([]Group, error) {
	rows, err := in.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is that of Err
	type name struct{ tenant, person string }
	at := map[name]int{}
	var groups []Group
	for rows.Next() {
		var n name
		var l Link
		var created string
		if err := rows.Scan(&n.tenant, &n.person, &l.Kind, &l.Value, &created, &l.Note); err != nil {
			return nil, err
		}
		if l.CreatedAt, err = time.Parse(time.RFC3339, created); err != nil {
			l.CreatedAt = time.Time{} // somebody else wrote it; the link holds
		}
		i, ok := at[n]
		if !ok {
			i = len(groups)
			at[n] = i
			groups = append(groups, Group{Tenant: n.tenant, Person: n.person})
		}
		groups[i].Links = append(groups[i].Links, l)
	}
	for i := range groups {
		slices.SortFunc(groups[i].Links, func(a, b Link) int { return cmp.Compare(a.Kind, b.Kind) })
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), slices.CompareFunc(a.Links, b.Links, func(a, b Link) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
		}))
	})
	return groups, rows.Err()
}

// Removed is what Remove took away of a person, and what it left.
type Removed struct {
	Removed, Left []Link
}

// Remove withdraws an identifier of a tenant's, or the whole person whom it names.
// Of an identifier that names nobody nothing is removed. Whoever asks afterwards,
// in whichever process, no longer finds it. Errors are those of All.
func (s *Store) Remove(ctx context.Context, tenant, kind, value string, whole bool) (Removed, error) {
	db, err := s.prepared(ctx, false)
	if err != nil {
		return Removed{}, s.wrap(err)
	}
	removed, err := s.remove(ctx, db, tenant, kind, normalize.IDKey(kind, value), whole)
	return removed, s.wrap(err)
}

func (s *Store) remove(ctx context.Context, db *sql.DB, tenant, kind, folded string, whole bool) (Removed, error) {
	tx, err := s.database.transaction(ctx, db, s.database.begin)
	if err != nil {
		return Removed{}, err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	groups, err := groupsOf(ctx, tx, groupColumns+`WHERE tenant = $1 AND person =
(SELECT person FROM muster_links WHERE tenant = $1 AND kind = $2 AND folded = $3)`, tenant, kind, folded)
	if err != nil || len(groups) == 0 {
		return Removed{}, err
	}
	var r Removed
	for _, l := range groups[0].Links {
		if whole || l.Kind == kind {
			r.Removed = append(r.Removed, l)
		} else {
			r.Left = append(r.Left, l)
		}
	}
	if whole {
		_, err = tx.ExecContext(ctx, "DELETE FROM muster_links WHERE tenant = $1 AND person = $2", tenant, groups[0].Person)
	} else {
		_, err = tx.ExecContext(ctx, "DELETE FROM muster_links WHERE tenant = $1 AND kind = $2 AND folded = $3", tenant, kind, folded)
	}
	if err != nil {
		return Removed{}, err
	}
	return r, tx.Commit()
}
