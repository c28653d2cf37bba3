package links_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"muster/gateway"
	"muster/gateway/links"
	"muster/gateway/links/linkstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFit: what the table takes is what the gateway asks for.
func TestFit(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"jane", "", " ", "\x00", "a\nb", "\xff", "\u202e", strings.Repeat("x", 512), strings.Repeat("x", 513), "' OR 1=1 --", "💃"} {
		_, _, refused := gateway.ParseUser("username:"+value, []string{"username"}, "")
		if why := links.Unfit(value); (why == "") != (refused == nil) {
			t.Errorf("%.20q: %q, and the gateway: %v", value, why, refused)
		}
	}
}

// each runs a test with an empty table of each kind.
func each(t *testing.T, test func(t *testing.T, address string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "of us? 100%#1.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, linkstest.Start(t).Database()) })
}

func open(t testing.TB, address string) *links.Store {
	t.Helper()
	a, err := links.ParseAddress(address, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := links.New(a, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// put imports, and fails on anything but success.
func put(t testing.TB, s *links.Store, people []links.Person, how links.Import) links.Imported {
	t.Helper()
	imported, conflicts, err := s.Import(t.Context(), people, how)
	if err != nil || conflicts != nil {
		t.Fatalf("%v, conflicts %v", err, conflicts)
	}
	return imported
}

type ids = map[string]string

func person(tenant string, of ids) links.Person { return links.Person{Tenant: tenant, IDs: of} }

func found(t testing.TB, s *links.Store, tenant, kind, value string) ids {
	t.Helper()
	got, err := s.Find(t.Context(), tenant, kind, value)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func expect(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// people are a table without its times and names of people.
func people(groups []links.Group) []links.Person {
	var all []links.Person
	for _, g := range groups {
		of := ids{}
		for _, l := range g.Links {
			of[l.Kind] = l.Value
		}
		all = append(all, person(g.Tenant, of))
	}
	return all
}

func all(t testing.TB, s *links.Store) []links.Person {
	t.Helper()
	groups, err := s.All(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return people(groups)
}

func TestStore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		s := open(t, address)
		if _, err := s.All(t.Context(), ""); !errors.Is(err, links.ErrNoTable) {
			t.Errorf("before there is a table: %v", err)
		}
		if _, err := s.Remove(t.Context(), "acme", "email", "x", false); !errors.Is(err, links.ErrNoTable) {
			t.Errorf("before there is a table: %v", err)
		}
		jane := ids{"email": "jane@acme.example", "username": "jane", "csp": "vmware.com:1F"}
		joe := ids{"email": "joe@acme.example", "csp": "vmware.com:1f"}
		first := []links.Person{person("acme", jane), person("acme", joe), person("globex", ids{"email": "jane@acme.example", "numium": "7"})}

		dry := put(t, s, first, links.Import{DryRun: true})
		expect(t, "dry run", dry, links.Imported{Added: 7})
		if _, err := s.All(t.Context(), ""); !errors.Is(err, links.ErrNoTable) {
			t.Errorf("a dry run made a table: %v", err)
		}
		expect(t, "imported", put(t, s, first, links.Import{Note: "HR"}), links.Imported{Added: 7})
		expect(t, "again", put(t, s, first, links.Import{}), links.Imported{Kept: 7})
		expect(t, "all", all(t, s), first)

		expect(t, "by e-mail", found(t, s, "acme", "email", "JANE@ACME.example"), jane)
		expect(t, "by user name, any case", found(t, s, "acme", "username", "Jane"), jane)
		expect(t, "its very letters", found(t, s, "acme", "csp", "vmware.com:1f"), joe)
		expect(t, "another tenant's", found(t, s, "globex", "username", "jane"), ids(nil))
		expect(t, "another tenant", found(t, s, "globex", "email", "jane@acme.example"), ids{"email": "jane@acme.example", "numium": "7"})

		groups, err := s.Of(t.Context(), "", "email", "Jane@acme.example")
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "of all tenants", people(groups), []links.Person{first[0], first[2]})
		if l := groups[0].Links[0]; l.Note != "HR" || time.Since(l.CreatedAt) > time.Minute || l.CreatedAt.After(time.Now()) {
			t.Errorf("noted: %+v", l)
		}

		// More of a person, who stays the same.
		expect(t, "more", put(t, s, []links.Person{person("acme", ids{"username": "JANE", "numium": "9"})}, links.Import{}), links.Imported{Added: 1, Kept: 1, Untouched: []string{"globex"}})
		expect(t, "spelled as the latest", found(t, s, "acme", "numium", "9"), ids{"email": "jane@acme.example", "username": "JANE", "csp": "vmware.com:1F", "numium": "9"})
		again, _ := s.Of(t.Context(), "acme", "numium", "9")
		expect(t, "the person's name", again[0].Person, groups[0].Person)

		removed, err := s.Remove(t.Context(), "acme", "username", "Jane", false)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "removed", kinds(removed.Removed), []string{"username"})
		expect(t, "left", kinds(removed.Left), []string{"csp", "email", "numium"})
		expect(t, "withdrawn", found(t, s, "acme", "username", "jane"), ids(nil))
		expect(t, "what is left", found(t, s, "acme", "numium", "9"), ids{"email": "jane@acme.example", "csp": "vmware.com:1F", "numium": "9"})
		removed, _ = s.Remove(t.Context(), "acme", "username", "Jane", false)
		expect(t, "removed twice", removed, links.Removed{})
		removed, _ = s.Remove(t.Context(), "globex", "numium", "9", true)
		expect(t, "another tenant's", removed, links.Removed{})
		removed, _ = s.Remove(t.Context(), "acme", "numium", "9", true)
		expect(t, "the whole person", kinds(removed.Removed), []string{"csp", "email", "numium"})
		expect(t, "all but one", all(t, s), []links.Person{person("acme", joe), first[2]})

		// In place of all of a tenant's, and of no other's.
		expect(t, "replaced", put(t, s, []links.Person{person("acme", jane), person("acme", ids{"csp": "vmware.com:1f", "username": "joe"})}, links.Import{Replace: true}),
			links.Imported{Added: 4, Kept: 1, Withdrawn: 1, Untouched: []string{"globex"}})
		expect(t, "afterwards", all(t, s), []links.Person{person("acme", ids{"csp": "vmware.com:1F", "email": "jane@acme.example", "username": "jane"}), person("acme", ids{"csp": "vmware.com:1f", "username": "joe"}), first[2]})

		// Another store, as of another process.
		expect(t, "elsewhere", found(t, open(t, address), "acme", "username", "joe"), ids{"csp": "vmware.com:1f", "username": "joe"})
	})
}

func kinds(of []links.Link) []string {
	var kinds []string
	for _, l := range of {
		kinds = append(kinds, l.Kind)
	}
	return kinds
}

// TestConflicts: who contradicts the table is told, and nothing is imported.
func TestConflicts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		s := open(t, address)
		before := []links.Person{person("acme", ids{"email": "jane@x.example", "username": "jane"}), person("acme", ids{"email": "joe@x.example", "numium": "2"})}
		put(t, s, before, links.Import{})
		for name, tt := range map[string]struct {
			people []links.Person
			want   []links.Conflict
		}{
			"two become one":  {[]links.Person{person("acme", ids{"new": "1"}), person("acme", ids{"email": "jane@x.example", "numium": "2"})}, []links.Conflict{{1, "numium", true}}},
			"one becomes two": {[]links.Person{person("acme", ids{"email": "jane@x.example"}), person("acme", ids{"username": "JANE"})}, []links.Conflict{{1, "username", true}}},
			"another value":   {[]links.Person{person("acme", ids{"email": "jane@x.example", "username": "janet"})}, []links.Conflict{{0, "username", false}}},
		} {
			imported, conflicts, err := s.Import(t.Context(), tt.people, links.Import{})
			if err != nil || imported.Added != 0 {
				t.Errorf("%s: %v %+v", name, err, imported)
			}
			expect(t, name, conflicts, tt.want)
			expect(t, name+": the table", all(t, s), before)
		}
		// Elsewhere these are other people.
		put(t, s, []links.Person{person("globex", ids{"email": "jane@x.example", "numium": "2"})}, links.Import{})
	})
}

// TestHostile: whatever a text says, it is a text.
func TestHostile(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		s := open(t, address)
		values := []string{
			`'; DROP TABLE muster_links; --`, `"`, `\`, `%`, `_`, `$1`, `?`, `:1`, `{}`, `a,b`, "\u202e", "💃", strings.Repeat("é", 256),
			"раураl", "paypal", "раypal", // two alphabets
			"e\u0301", "é", // NFC makes them one: as a user name, and not as another system's
			"K", "\u212A", "ſ", "s", "İ", "i", "ı", "I",
		}
		var everybody []links.Person
		for i, value := range values {
			everybody = append(everybody, person("acme", ids{"badge": value, "n": fmt.Sprint(i)}))
		}
		expect(t, "imported", put(t, s, everybody, links.Import{}), links.Imported{Added: 2 * len(values)})
		for i, value := range values {
			expect(t, value, found(t, s, "acme", "badge", value), everybody[i].IDs)
			expect(t, value+" is no tenant", found(t, s, value, "badge", value), ids(nil))
			expect(t, value+" is no kind", found(t, s, "acme", value, value), ids(nil))
		}
		for _, value := range []string{"", " ", "\x00", "a\x00", "\xff\xfe", strings.Repeat("x", 1<<20), "' OR '1'='1"} {
			expect(t, fmt.Sprintf("%.20q", value), found(t, s, "acme", "badge", value), ids(nil))
			expect(t, fmt.Sprintf("%.20q as a tenant", value), found(t, s, value, "badge", "é"), ids(nil))
		}
		removed, err := s.Remove(t.Context(), "acme", "badge", "' OR '1'='1", true)
		if err != nil || removed.Removed != nil {
			t.Errorf("removed %v, %v", removed, err)
		}
	})
}

// TestWithdrawnAtOnce: from the moment that Remove has returned nobody finds the
// link, whoever asks and however many do.
func TestWithdrawnAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		operator := open(t, address)
		const rounds = 25
		var everybody []links.Person
		for i := range rounds {
			everybody = append(everybody, person("acme", ids{"email": fmt.Sprintf("p%d@x.example", i), "numium": fmt.Sprint(i)}))
		}
		put(t, operator, everybody, links.Import{})
		var gone, late, seen atomic.Int64 // how many are withdrawn; found though withdrawn; found while they held
		ctx, stop := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		for range 2 { // replicas
			replica := open(t, address)
			for range 3 {
				asking.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						i := n % rounds
						withdrawn := int64(i) < gone.Load()
						got, err := replica.Find(ctx, "acme", "email", everybody[i].IDs["email"])
						switch {
						case ctx.Err() != nil:
						case err != nil:
							t.Error(err)
							return
						case got != nil && withdrawn:
							late.Add(1)
						case got != nil:
							seen.Add(1)
						}
					}
				})
			}
		}
		for range 10_000 { // until the replicas have connected
			if seen.Load() > 0 || t.Failed() {
				break
			}
			time.Sleep(time.Millisecond)
		}
		for i := range rounds {
			if _, err := operator.Remove(t.Context(), "acme", "numium", fmt.Sprint(i), true); err != nil {
				t.Fatal(err)
			}
			gone.Store(int64(i + 1))
			time.Sleep(4 * time.Millisecond)
		}
		stop()
		asking.Wait()
		if late.Load() > 0 || seen.Load() == 0 {
			t.Errorf("found %d times after it was withdrawn, %d times before", late.Load(), seen.Load())
		}
	})
}

// TestNewer: a table that a newer program has made is left alone.
func TestNewer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		put(t, open(t, address), []links.Person{person("acme", ids{"a": "1", "b": "2"})}, links.Import{})
		exec(t, address, "INSERT INTO muster_links_schema (version) VALUES (2)")
		s := open(t, address)
		err := s.Prepare(t.Context())
		newer := (*links.SchemaError)(nil)
		if !errors.As(err, &newer) || newer.Found != 2 || !strings.HasSuffix(err.Error(), "the table of links has version 2, and this program knows 1: a newer muster has made it; use that one") {
			t.Errorf("%v", err)
		}
		if _, err := s.Find(t.Context(), "acme", "a", "1"); !errors.As(err, &newer) {
			t.Errorf("%v", err)
		}
	})
}

// TestManyBegin: the table is made once, however many begin at once.
func TestManyBegin(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		var beginning sync.WaitGroup
		for range 6 {
			s := open(t, address)
			beginning.Go(func() {
				if err := s.Prepare(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		beginning.Wait()
	})
}

func exec(t *testing.T, address, statement string) {
	t.Helper()
	path, ok := strings.CutPrefix(address, "sqlite:")
	if !ok {
		linkstest.Exec(t, address, statement)
		return
	}
	db, err := sql.Open("sqlite", path)
	if err == nil && strings.ContainsRune(path, '?') { // it ends there
		_ = db.Close()
		link := filepath.Join(t.TempDir(), "links.db")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		db, err = sql.Open("sqlite", link)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
