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
// The reply is a real person's, and a definition goes into a repository. So the
// test in it holds another reply of the same shape, made by Fake; secrets are
// taken out of it in any case. Nothing else of a draft repeats a value of the
// reply but words that systems use for states and failures.
package draft
