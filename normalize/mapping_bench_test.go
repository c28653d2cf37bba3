package normalize

import (
	"testing"
	"time"

	"muster/config/document"
)

// plainDefinition is what most definitions are: paths, a table, a list of
// objects, and no CEL.
const plainDefinition = `
ids: {self: id, username: login, email: {path: mail, when: {ok: true}}}
profile:
  userName: [login, alias]
  name: {givenName: "names[0]", familyName: "names[1]"}
  emails: {each: mails, value: ., verified: ^.ok, type: {value: work}}
  phoneNumbers: phone
  locale: lang
  active: {path: state, map: {ACTIVE: true, "*": false}}
  groups: groups.name
  roles: {each: services.roles, value: name, scope: ^.name, permissions: grants.name, expiresAt: {path: until, as: epoch_ms}}
  createdAt: created
  attributes: {path: extra, except: [id]}
`

// BenchmarkMapping measures a reply on its way to a record: read, mapped by
// paths alone, and mapped with all that the grammar has.
func BenchmarkMapping(b *testing.B) {
	body := []byte(richReply)
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseJSON(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, definition := range map[string]string{"apply plain": plainDefinition, "apply rich": richDefinition} {
		b.Run(name, func(b *testing.B) {
			mapping, scope := mustMapping(b, definition), replyOf(b, richReply)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := mapping.Apply(scope, time.Time{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompile measures what a reload pays for each definition.
func BenchmarkCompile(b *testing.B) {
	for name, definition := range map[string]string{"plain": plainDefinition, "rich": richDefinition} {
		b.Run(name, func(b *testing.B) {
			var problems document.Problems
			n := readNode(b, &problems, definition)
			b.ReportAllocs()
			for b.Loop() {
				new(Compiler).Mapping(n.Field("profile"), n.Field("ids"))
			}
			if err := problems.Err(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
