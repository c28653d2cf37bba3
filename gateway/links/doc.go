// Package links keeps the operator's links between identifiers in an SQL table:
// SQLite for one machine, PostgreSQL for many replicas.
//
// A person is a group of identifiers, at most one of each kind, that a tenant
// knows as one. An [Address] says where the table is, a [Store] is the table:
//
//	address, err := links.ParseAddress("sqlite:links.db", folder)
//	store, err := links.New(address, time.Second)
//	defer store.Close()
//	ids, err := store.Find(ctx, "acme", "email", "jane@acme.example")
//
// Nothing that is found is kept: what is withdrawn with Remove, by whichever
// process, is not found from then on (docs/decisions, 0015).
//
// Errors hold nothing of a person and no password, so they may be logged.
package links
