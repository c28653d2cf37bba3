package links

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"muster/normalize"
)

// Import is what is to become of people who are imported.
type Import struct {
	Replace bool   // the tenants that they are of have them afterwards, and nobody else
	DryRun  bool   // find out, and change nothing
	Note    string // is kept with each link that is new
	// Progress, when not nil, is told how many changes are written, of how many.
	Progress func(done, of int)
}

// Imported counts links: identifiers of people.
type Imported struct {
	Added     int      // were not there
	Withdrawn int      // were there and are not meant any more; none without Replace
	Kept      int      // were there already
	Untouched []string // tenants that stand in the table and not among the people
}

// A Conflict is that one of the people to import contradicts the table. Nothing is
// imported then.
type Conflict struct {
	Person int    // its index
	Kind   string // of the identifier that contradicts
	Two    bool   // two people of the table would become one, or one of the table two; else the table has another value
}

// key is where an identifier is looked for.
type key struct{ tenant, kind, folded string }

func (k key) compare(other key) int {
	return cmp.Or(cmp.Compare(k.tenant, other.tenant), cmp.Compare(k.kind, other.kind), cmp.Compare(k.folded, other.folded))
}

// row is what the table has of an identifier.
type row struct{ person, value string }

// rows are a table.
type rows map[key]row

// Import adds people in one transaction: all of them, or none where there are
// conflicts. One who has an identifier that the table knows is that person, who
// then has the others as well. The people do not share identifiers. Its error is a
// *StoreError.
func (s *Store) Import(ctx context.Context, people []Person, how Import) (Imported, []Conflict, error) {
	db, err := s.prepared(ctx, !how.DryRun)
	if how.DryRun && errors.Is(err, ErrNoTable) {
		return Imported{Added: identifiers(people)}, nil, nil
	}
	if err != nil {
		return Imported{}, nil, s.wrap(err)
	}
	imported, conflicts, err := s.importInto(ctx, db, people, how)
	return imported, conflicts, s.wrap(err)
}

func (s *Store) importInto(ctx context.Context, db *sql.DB, people []Person, how Import) (Imported, []Conflict, error) {
	tx, err := s.database.transaction(ctx, db, s.database.begin)
	if err != nil {
		return Imported{}, nil, err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	before, err := read(ctx, tx)
	if err != nil {
		return Imported{}, nil, err
	}
	planned := plan(before, people, how.Replace)
	if planned.conflicts != nil {
		return Imported{}, planned.conflicts, nil
	}
	change := before.to(planned.rows)
	imported := Imported{Kept: identifiers(people), Untouched: before.others(people)}
	for _, k := range change.added {
		if _, respelled := before[k]; !respelled {
			imported.Added++
			imported.Kept--
		}
	}
	for _, k := range change.gone {
		if _, respelled := planned.rows[k]; !respelled {
			imported.Withdrawn++
		}
	}
	if how.DryRun {
		return imported, nil, nil
	}
	if err := s.database.write(ctx, tx, change, planned.rows, how); err != nil {
		return Imported{}, nil, err
	}
	return imported, nil, tx.Commit()
}

func identifiers(people []Person) int {
	n := 0
	for _, p := range people {
		n += len(p.IDs)
	}
	return n
}

// read is the whole table.
func read(ctx context.Context, in asking) (rows, error) {
	found, err := in.QueryContext(ctx, "SELECT tenant, kind, folded, person, value FROM muster_links")
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }() // its error is that of Err
	table := rows{}
	for found.Next() {
		var k key
		var r row
		if err := found.Scan(&k.tenant, &k.kind, &k.folded, &r.person, &r.value); err != nil {
			return nil, err
		}
		table[k] = r
	}
	return table, found.Err()
}

// others are the tenants that stand in the table and not among the people.
func (t rows) others(people []Person) []string {
	other := map[string]bool{}
	for k := range t {
		other[k.tenant] = true
	}
	for _, p := range people {
		delete(other, p.Tenant)
	}
	return slices.Sorted(maps.Keys(other))
}

// planned is what a table is to become.
type planned struct {
	rows      rows
	conflicts []Conflict
}

// plan says what a table becomes when people are imported into it. But for the
// names of people who are new, the same facts give the same plan.
func plan(before rows, people []Person, replace bool) planned {
	kinds := map[[2]string]map[string]string{} // of a tenant and person: the folded value by kind
	for k, r := range before {
		of := [2]string{k.tenant, r.person}
		if kinds[of] == nil {
			kinds[of] = map[string]string{}
		}
		kinds[of][k.kind] = k.folded
	}
	p := planned{rows: rows{}}
	if replace {
		meant := map[string]bool{}
		for _, person := range people {
			meant[person.Tenant] = true
		}
		for k, r := range before {
			if !meant[k.tenant] {
				p.rows[k] = r
			}
		}
	} else {
		maps.Copy(p.rows, before)
	}
	taken := map[[2]string]bool{}
	for i, person := range people {
		name := ""
		for _, kind := range slices.Sorted(maps.Keys(person.IDs)) {
			known, ok := before[key{person.Tenant, kind, normalize.IDKey(kind, person.IDs[kind])}]
			if !ok || known.person == name {
				continue
			}
			free := !taken[[2]string{person.Tenant, known.person}]
			switch {
			case name == "" && free:
				name = known.person
				taken[[2]string{person.Tenant, name}] = true
			case !replace:
				p.conflicts = append(p.conflicts, Conflict{Person: i, Kind: kind, Two: true})
			}
		}
		has := kinds[[2]string{person.Tenant, name}]
		if name == "" {
			name = rand.Text()
		}
		for _, kind := range slices.Sorted(maps.Keys(person.IDs)) {
			folded := normalize.IDKey(kind, person.IDs[kind])
			if other, ok := has[kind]; ok && other != folded && !replace {
				p.conflicts = append(p.conflicts, Conflict{Person: i, Kind: kind})
			}
			p.rows[key{person.Tenant, kind, folded}] = row{name, person.IDs[kind]}
		}
	}
	return p
}

// change is what makes one table another.
type change struct{ gone, added []key }

// to is the change from one table to another. What differs in anything is gone and
// added again.
func (t rows) to(after rows) change {
	var c change
	for k, r := range t {
		if after[k] != r {
			c.gone = append(c.gone, k)
		}
	}
	for k, r := range after {
		if t[k] != r {
			c.added = append(c.added, k)
		}
	}
	slices.SortFunc(c.added, key.compare) // as indexes grow best
	return c
}

// together is how many rows one statement takes: enough that the way to the
// database does not count, and fewer placeholders than either database allows.
const together = 200

func (d *database) write(ctx context.Context, tx *sql.Tx, c change, after rows, how Import) error {
	done, of := 0, len(c.gone)+len(c.added)
	tell := func(n int) {
		if done += n; how.Progress != nil {
			how.Progress(done, of)
		}
	}
	for some := range slices.Chunk(c.gone, together) {
		var args []any
		for _, k := range some {
			args = append(args, k.tenant, k.kind, k.folded)
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM muster_links WHERE (tenant, kind, folded) IN (VALUES "+d.places(len(some), 3)+")", args...); err != nil { //nolint:gosec // placeholders alone are put in
			return err
		}
		tell(len(some))
	}
	now := time.Now().UTC().Format(time.RFC3339)
	for some := range slices.Chunk(c.added, together) {
		var args []any
		for _, k := range some {
			args = append(args, k.tenant, after[k].person, k.kind, k.folded, after[k].value, now, how.Note)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO muster_links (tenant, person, kind, folded, value, created_at, note) VALUES "+d.places(len(some), 7), args...); err != nil { //nolint:gosec // placeholders alone are put in
			return err
		}
		tell(len(some))
	}
	return nil
}

// places are the placeholders of some rows: ($1, $2), ($3, $4).
func (d *database) places(n, columns int) string {
	var b strings.Builder
	for i := range n * columns {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString(d.place(i + 1))
	}
	return b.String() + ")"
}
