// Package document reads YAML the way people who write YAML deserve: strictly,
// every mistake of every file at once, and each mistake at its very word.
//
// A caller opens a Problems, reads files into it, and walks the nodes with
// typed readers that report instead of failing:
//
//	var problems document.Problems
//	root := document.Read("gateway.yaml", src, &problems)
//	document.Decode(root, &options, optionKeys())
//	if err := problems.Err(); err != nil {
//		return err // all of them, with file:line:column, the line and a caret
//	}
//
// A table of Keys says what a mapping may hold. The table is the only place
// where a key stands, so the decoder and whatever else is made from it (a
// schema, a reference page) cannot drift apart.
//
// The package is a leaf: it knows YAML and positions, and nothing of Muster.
package document
