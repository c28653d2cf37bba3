package links

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Known is the newest form of the table that this program knows.
const Known = 1

//go:embed migrations
var migrations embed.FS

// A SchemaError is a table that a newer program has made.
type SchemaError struct{ Found int }

// Error says what to do.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("the table of links has version %d, and this program knows %d: a newer muster has made it; use that one", e.Found, Known)
}

// ErrNoTable is that there is no table of links, and none was to be made.
var ErrNoTable = errors.New("there is no table of links")

// database is what differs between the two.
type database struct {
	open    func() (*sql.DB, error)                     // connects to nothing
	folder  string                                      // of its migrations
	begin   string                                      // what a transaction that writes begins with; others may read meanwhile
	migrate string                                      // the same, for one that makes the table
	exists  string                                      // how many such tables there are
	place   func(n int) string                          // the nth placeholder, where there are many
	missing func() bool                                 // there is no database at all
	create  func(ctx context.Context, db *sql.DB) error // what there must be before a table
}

// connections bounds how many lookups are at the database at once: one takes far
// less than a millisecond.
const connections = 8

func newDatabase(a Address) (*database, error) {
	if a.postgres {
		return newPostgres(a)
	}
	return newSQLite(a), nil
}

func newPostgres(a Address) (*database, error) {
	config, err := pgx.ParseConfig(a.url)
	if err != nil {
		return nil, &AddressError{"the address of the database cannot be used: " + cause(err), "for example " + postgresLike}
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "muster"
	}
	return &database{
		folder:  "migrations/postgres",
		begin:   "LOCK TABLE muster_links IN SHARE ROW EXCLUSIVE MODE",
		migrate: "SELECT pg_advisory_xact_lock(7741630279)",
		exists:  "SELECT count(*) FROM pg_catalog.pg_tables WHERE tablename = 'muster_links_schema' AND schemaname = ANY (current_schemas(false))",
		place:   func(n int) string { return "$" + strconv.Itoa(n) },
		missing: func() bool { return false },
		create:  func(context.Context, *sql.DB) error { return nil },
		open: func() (*sql.DB, error) {
			db := stdlib.OpenDB(*config)
			db.SetMaxOpenConns(connections)
			db.SetMaxIdleConns(connections)
			db.SetConnMaxIdleTime(5 * time.Minute)
			db.SetConnMaxLifetime(30 * time.Minute) // so that another primary is found
			return db, nil
		},
	}, nil
}

func newSQLite(a Address) *database {
	// A write waits for another's; _txlock takes the lock where it is waited for.
	options := url.Values{"_pragma": {"busy_timeout(5000)"}, "_txlock": {"immediate"}, "mode": {"rw"}}
	dsn := "file:" + (&url.URL{Path: filepath.ToSlash(a.path)}).EscapedPath() + "?" + options.Encode()
	return &database{
		folder: "migrations/sqlite",
		begin:  "PRAGMA cache_size = -65536", // KiB: a long import goes through all of the file's pages
		exists: "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'muster_links_schema'",
		place:  func(int) string { return "?" }, // of one with a number SQLite looks for the name
		missing: func() bool {
			_, err := os.Stat(a.path)
			return errors.Is(err, fs.ErrNotExist)
		},
		create: func(ctx context.Context, db *sql.DB) error {
			file, err := os.OpenFile(a.path, os.O_CREATE|os.O_RDWR, 0o600) // persons are in it
			if err == nil {
				err = file.Close()
			}
			if err != nil {
				return err
			}
			// Readers and a writer do not wait for each other. The file remembers it; and
			// of those who want it at once, SQLite has all but one try again.
			for range 100 {
				if _, err = db.ExecContext(ctx, "PRAGMA journal_mode = WAL"); !busy(err) {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			return err
		},
		open: func() (*sql.DB, error) {
			db, err := sql.Open("sqlite", dsn)
			if err != nil {
				return nil, err
			}
			db.SetMaxOpenConns(connections)
			db.SetMaxIdleConns(connections)
			return db, nil
		},
	}
}

// busy tells that another process has an SQLite file.
func busy(err error) bool {
	const primary = 0xff // of an extended code
	locked := (*sqlite.Error)(nil)
	return errors.As(err, &locked) && locked.Code()&primary == sqlite3.SQLITE_BUSY
}

// prepare looks whether the table has the form that is known, and brings it into
// that where it is older or not there.
func (d *database) prepare(ctx context.Context, db *sql.DB, create bool) error {
	if d.missing() {
		if !create {
			return ErrNoTable
		}
		if err := d.create(ctx, db); err != nil {
			return err
		}
	}
	version, err := d.version(ctx, db)
	switch {
	case err != nil:
		return err
	case version > Known:
		return &SchemaError{version}
	case version == Known:
		return nil
	case version == 0 && !create:
		return ErrNoTable
	case version == 0:
		if err := d.create(ctx, db); err != nil {
			return err
		}
	}
	tx, err := d.transaction(ctx, db, d.migrate)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if version, err = d.version(ctx, tx); err != nil {
		return err
	}
	if err := d.bring(ctx, tx, version); err != nil {
		return err
	}
	return tx.Commit()
}

// bring runs the migrations behind a version. Another process may have been first.
func (d *database) bring(ctx context.Context, tx *sql.Tx, version int) error {
	if version == 0 {
		if _, err := tx.ExecContext(ctx, "CREATE TABLE muster_links_schema (version integer NOT NULL)"); err != nil {
			return err
		}
	}
	for next := version + 1; next <= Known; next++ {
		script, err := migrations.ReadFile(fmt.Sprintf("%s/%04d.sql", d.folder, next))
		if err != nil {
			return err
		}
		for statement := range strings.SplitSeq(strings.TrimSpace(string(script)), ";\n") {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO muster_links_schema (version) VALUES ($1)", next); err != nil {
			return err
		}
	}
	return nil
}

// asking is a database, or a transaction in it.
type asking interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// version is the form of the table, 0 where there is none.
func (d *database) version(ctx context.Context, in asking) (version int, err error) {
	if err = in.QueryRowContext(ctx, d.exists).Scan(&version); err != nil || version == 0 {
		return 0, err
	}
	err = in.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM muster_links_schema").Scan(&version)
	return version, err
}

// transaction begins one that writes.
func (d *database) transaction(ctx context.Context, db *sql.DB, begin string) (*sql.Tx, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil || begin == "" {
		return tx, err
	}
	if _, err := tx.ExecContext(ctx, begin); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// A StoreError is why a table of links could not be asked. Its text is fit for a
// log; what it wraps may not be.
type StoreError struct {
	Address string // without a password
	err     error
}

// Error says which table, and what the database or the network says.
func (e *StoreError) Error() string {
	return "the links at " + e.Address + " cannot be asked: " + cause(e.err)
}

// Unwrap gives the reason, so that errors.Is finds context.DeadlineExceeded.
func (e *StoreError) Unwrap() error { return e.err }

// cause is an error's text without what may be a person's or a secret.
func cause(err error) string {
	var server *pgconn.PgError
	var parse *pgconn.ParseConfigError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "it takes too long"
	case errors.As(err, &server):
		// Classes 22 and 23 tell of data, and repeat some.
		if strings.HasPrefix(server.Code, "22") || strings.HasPrefix(server.Code, "23") {
			return "SQLSTATE " + server.Code
		}
		return server.Message + " (SQLSTATE " + server.Code + ")"
	case errors.As(err, &parse): // it repeats the address, the password masked
		if path := (*fs.PathError)(nil); errors.As(parse, &path) {
			return path.Error()
		}
		return "a parameter has a value that is none of its"
	default:
		return strings.Join(strings.Fields(err.Error()), " ")
	}
}
