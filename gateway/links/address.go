package links

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Address says where a table of links is.
type Address struct {
	postgres bool
	url      string // of PostgreSQL, the password in it
	path     string // of an SQLite file
	shown    string
}

// String is the address without a password.
func (a Address) String() string { return a.shown }

// An AddressError is why a text is no address of a table. It shows nothing of the
// text, which may have a password in it.
type AddressError struct{ Message, Hint string }

// Error is the message.
func (e *AddressError) Error() string { return e.Message }

const (
	sqliteLike   = "sqlite:links.db"
	postgresLike = "postgres://USER:PASSWORD@HOST:5432/DATABASE" //nolint:gosec // words in place of a password
)

// ParseAddress reads sqlite:PATH, relative to a folder, or a URL of PostgreSQL.
// Its error is an *AddressError.
func ParseAddress(text, folder string) (Address, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	switch scheme {
	case "sqlite":
		return parseSQLite(rest, folder)
	case "postgres", "postgresql":
		return parsePostgres(text)
	default:
		return Address{}, &AddressError{"not the address of a table of links", "for example " + sqliteLike + ", or " + postgresLike}
	}
}

func parseSQLite(path, folder string) (Address, error) {
	path = strings.TrimPrefix(path, "//") // sqlite:///var/lib/links.db, as others write it
	switch {
	case path == "" || strings.HasPrefix(path, ":"): // :memory: would be another one for each connection
		return Address{}, &AddressError{"the address names no file", "for example " + sqliteLike}
	case strings.ContainsRune(path, 0):
		return Address{}, &AddressError{"the path of the file has a NUL in it", "for example " + sqliteLike}
	case !filepath.IsAbs(path):
		path = filepath.Join(folder, path)
	}
	return Address{path: path, shown: "sqlite:" + path}, nil
}

func parsePostgres(text string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil { // whose text has the password in it
		return Address{}, &AddressError{"the address of the database cannot be read", "percent-encode what is special in the password: " + postgresLike}
	}
	query := u.Query()
	switch {
	case u.Host == "" && !query.Has("host"):
		return Address{}, &AddressError{"the address names no host", "for example " + postgresLike}
	case strings.Trim(u.Path, "/") == "" && !query.Has("dbname") && !query.Has("database"):
		return Address{}, &AddressError{"the address names no database", "for example " + postgresLike}
	case query.Has("sslmode") && !slices.Contains(sslModes(), query.Get("sslmode")):
		return Address{}, &AddressError{"the address has an sslmode that is none", "there are: " + strings.Join(sslModes(), ", ")}
	}
	shown := url.URL{Scheme: "postgres", Host: u.Host, Path: u.Path}
	if u.User != nil {
		shown.User = url.User(u.User.Username())
	}
	if !query.Has("sslmode") && os.Getenv("PGSSLMODE") == "" && !local(u.Host, query.Get("host")) {
		// Else the driver would do without TLS where the server has none.
		query.Set("sslmode", "verify-full")
		u.RawQuery = query.Encode()
	}
	return Address{postgres: true, url: u.String(), shown: shown.String()}, nil
}

func sslModes() []string {
	return []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
}

// local tells whether all hosts are this machine; a path is a socket's.
func local(hosts, more string) bool {
	for host := range strings.SplitSeq(strings.Trim(hosts+","+more, ","), ",") {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if host != "localhost" && !strings.HasPrefix(host, "/") && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
