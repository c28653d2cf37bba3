package normalize

// Redact is a copy of a reply's tree (see ParseJSON) that may be shown: with the
// mask in place of what stands at the paths, taken from the root, and in place of
// whatever is called like a secret (SecretName). A null stays one: that there is
// nothing is no secret. The tree itself is only read.
func Redact(tree any, paths []Path, mask any) any {
	for _, p := range paths {
		if p.outward == 0 { // around the root there is nothing
			tree = replace(tree, p.steps, mask)
		}
	}
	return maskSecrets(tree, mask)
}

// replace is a copy of v, as far as the steps lead, with the mask at their end.
// It steps through lists as a path does.
func replace(v any, steps []step, mask any) any {
	if len(steps) == 0 {
		if v == nil {
			return nil
		}
		return mask
	}
	switch value := v.(type) {
	case map[string]any:
		if steps[0].every {
			changed := make(map[string]any, len(value))
			for name, member := range value {
				changed[name] = replace(member, steps[1:], mask)
			}
			return changed
		}
		member, ok := steps[0].member(value)
		if !ok {
			return v
		}
		changed := make(map[string]any, len(value))
		for name, other := range value {
			changed[name] = other
		}
		changed[steps[0].name] = replace(member, steps[1:], mask)
		return changed
	case []any:
		changed := make([]any, len(value))
		for i, item := range value {
			switch {
			case steps[0].every:
				changed[i] = replace(item, steps[1:], mask)
			case steps[0].index < 0:
				changed[i] = replace(item, steps, mask)
			case steps[0].index == i:
				changed[i] = replace(item, steps[1:], mask)
			default:
				changed[i] = item
			}
		}
		return changed
	default:
		return v
	}
}

func maskSecrets(v any, mask any) any {
	switch value := v.(type) {
	case map[string]any:
		masked := make(map[string]any, len(value))
		for name, member := range value {
			if SecretName(name) && member != nil {
				masked[name] = mask
			} else {
				masked[name] = maskSecrets(member, mask)
			}
		}
		return masked
	case []any:
		masked := make([]any, len(value))
		for i, item := range value {
			masked[i] = maskSecrets(item, mask)
		}
		return masked
	default:
		return v
	}
}
