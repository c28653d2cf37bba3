// Package draft writes the first version of a provider's definition from a reply
// that the system really gave:
//
//	sample, err := draft.ParseSample(content)         // JSON, or what curl -i prints
//	d, err := draft.Definition(ctx, draft.Options{Provider: "acme-hr", Sample: sample})
//
// d.YAML compiles and its tests pass: every draft has been through the engine
// before it is handed out, and what the engine did not take is left out and told.
// A draft guesses and says so: in a comment where somebody has to confirm, and
// in a list of every path that found no place, with the reason.
//
// A draft is made in the order in which the files may be read:
//
//	sample.go      a reply, as somebody saved it
//	record.go      where in it the person's record is
//	shape.go       what the record shows, path by path
//	guess.go       what its members seem to be; lists.go for those that are lists
//	ask.go         the lookup, from the address that the reply answered
//	failure.go     where a reply tells of a failure
//	fake.go        the same reply about nobody
//	write.go       the definition; inlinetest.go its tests, left.go what found no place
//	yaml.go        how all of that is laid out
//
// draft.go holds them together.
//
// The reply is a real person's, and a definition goes into a repository. So the
// test in it holds another reply of the same shape, made by Fake; secrets are
// taken out of it in any case. Nothing else of a draft repeats a value of the
// reply but words that systems use for states and failures.
package draft
