package draft

import (
	"slices"
	"strings"
)

// left lists what found no place.
func (w *writer) left() []Left {
	var all []Left
	add := func(path []string, why string) {
		all = append(all, Left{pathText(path...), why})
	}
	conditions := success(w.where.around, w.Sample.order)
	for _, e := range w.where.around {
		for _, name := range namesOf(e.object, w.Sample.order) {
			path := append(slices.Clone(e.path), name)
			used := slices.ContainsFunc(conditions, func(p pair) bool { return p.key == scalarText(conditionKey(pathText(path...))) })
			if name != e.next && !used && !isValueName(name) {
				add(path, "of the reply, beside the person's record")
			}
		}
	}
	w.guess.root.walk(func(s *shape) bool {
		path := slices.Concat(w.where.path, s.path)
		inside := false
		s.walk(func(m *shape) bool { inside = inside || m.used != ""; return !inside })
		switch {
		case secretName(s.name):
			add(path, "called like a secret: never mapped, and left out of the test")
			return false
		case inside && s.object:
			return true
		case s.used != "":
			return false
		case s.why != "":
			add(path, s.why)
		case foreignWord.MatchString(s.word):
			add(path, "not of the person, by its name")
		case !s.says():
			add(path, "nothing in the sample shows what it is")
		case s.object && s.list:
			add(path, "a list of objects that no member of the profile is called like")
		case s.object:
			return true
		case s.inList:
			add(path, "within a list, and no part of the item that is known")
		default:
			add(path, "no member of the profile is called so; under attributes it could be carried")
		}
		return false
	})
	return all
}

// notes are what somebody has to know besides.
func (w *writer) notes() []string {
	notes := slices.Clone(w.asking.notes)
	if len(w.Sample.Dropped) > 0 {
		notes = append(notes, "these headers of the sample are left out of the test: "+strings.Join(w.Sample.Dropped, ", "))
	}
	if w.URL != "" && len(w.asking.kinds) == 0 {
		notes = append(notes, "nothing in the address says whom it asks about: it answers whoever the credential is for, and is compared with whoever is asked for")
	}
	if w.asking.method == "POST" {
		notes = append(notes, "a POST mostly has a body: write it under json")
	}
	if w.KeepValues {
		notes = append(notes, "the test holds the values of the sample, less its secrets: a real person's do not belong into a repository")
	}
	return notes
}

// writeLeft lists the paths that found no place, reason by reason.
func writeLeft(b *strings.Builder, left []Left) {
	b.WriteString("# Not placed, and so not there for Muster:\n")
	var told []string
	for _, l := range left {
		if slices.Contains(told, l.Why) {
			continue
		}
		told = append(told, l.Why)
		var paths []string
		for _, other := range left {
			if other.Why == l.Why {
				paths = append(paths, other.Path)
			}
		}
		for i, line := range wrap(l.Why+": "+strings.Join(paths, ", "), lineWidth-6) {
			if i == 0 {
				b.WriteString("#   " + line + "\n")
			} else {
				b.WriteString("#     " + line + "\n")
			}
		}
	}
}
