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
// # Keys, types and forms
//
// A table of Keys says what a mapping may hold. Each Key has a Type, which is how
// a value looks (its Form) beside how it is read:
//
//	func limitKeys() []document.Key[Limits] {
//		return []document.Key[Limits]{
//			document.Of("timeout", "of one call", document.Span(), func(l *Limits) *time.Duration { return &l.Timeout }).Or("2s"),
//			document.Of("attempts", "calls for one lookup", document.Whole(1, 10), func(l *Limits) *int { return &l.Attempts }).Or("2"),
//		}
//	}
//
// Of ties a name to a member; Or states the default as one would write it, and
// Defaults reads it from there; Must and UnlessGiven say that a file needs the key.
// Types are put together: Object of a table, Items and OneOrMore of a type,
// Pointer for what is nil unless it is written, With to look at what was read and
// report what is wrong with it.
//
// The table is the only place where a key stands. So the reader (Decode), the JSON
// Schema (Form.Schema), the page of reference (Form.Reference) and what holds in a
// file (Form.Effective) cannot drift apart.
//
// # Files that are changed
//
// Edits replace values where their nodes stand, and leave comments, layout and
// quotes beside them as they are. FromJSON makes nodes of what is to be written,
// Quote a text that YAML reads as that text, whatever is in it.
//
// The package is a leaf: it knows YAML and positions, and nothing of Muster.
package document
