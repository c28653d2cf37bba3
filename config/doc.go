// Package config reads the gateway's file and all that it names: definitions,
// secrets, links. What it returns is whole and checked, or an error that lists
// every mistake of every file, each at its word:
//
//	file, err := config.Load("gateway.yaml")
//	if err != nil {
//		return err
//	}
//	live := file.Live(telemetry, nil, nil) // a gateway.Live, ready to be asked
//	go file.Watch(ctx, nil, tell)          // and what becomes of changes
//
// A file has a static part (File.Static), whose changes need a restart, and a
// dynamic one, which becomes a gateway.Live. They are two Go types on purpose.
//
// The package knows no flag and starts nothing.
package config
