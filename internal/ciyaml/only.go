package ciyaml

import (
	"slices"
	"strings"
)

// admitted evaluates only and except (contract 4.4): all that only says must
// hold, and nothing that except says.
func (r *run) admitted(spec *jobSpec) (bool, error) {
	if only := spec.only; only != nil {
		if only.cluster || !r.anyRef(only.refs) || only.hasVars && !r.anyCondition(only) {
			return false, nil
		}
		if only.changes != nil {
			if ok, err := r.changed(only.changes); !ok || err != nil {
				return false, err
			}
		}
	}
	except := spec.entry.except
	if except == nil {
		return true, nil
	}
	if except.hasRefs && r.anyRef(except.refs) || except.hasVars && r.anyCondition(except) {
		return false, nil
	}
	if except.changes != nil {
		changed, err := r.changed(except.changes)
		return !changed, err
	}
	return true, nil
}

func (r *run) anyCondition(p *policy) bool {
	for _, condition := range p.variables {
		if condition.Eval(r.lookup) {
			return true
		}
	}
	return false
}

func (r *run) anyRef(refs []refPattern) bool {
	return slices.ContainsFunc(refs, func(ref refPattern) bool {
		return (ref.project == "" || ref.project == r.in.ProjectPath) && r.isRef(ref)
	})
}

// isRef compares a pattern with the kind of ref, the source and, on branches
// and tags, the name of the ref.
func (r *run) isRef(ref refPattern) bool {
	source := strings.TrimSuffix(r.in.Source, "_event")
	named := !slices.Contains([]string{"merge_request", "external_pull_request"}, source)
	switch {
	case ref.re != nil:
		return named && ref.re.MatchString(r.in.Ref)
	case ref.text == "tags" && r.in.Tag, ref.text == "branches" && named && !r.in.Tag:
		return true
	case ref.text == source, ref.text == plural(source):
		return true
	}
	return named && ref.text == r.in.Ref
}

func plural(source string) string {
	switch {
	case strings.HasSuffix(source, "sh"):
		return source + "es"
	case strings.HasSuffix(source, "y"):
		return strings.TrimSuffix(source, "y") + "ies"
	}
	return source + "s"
}
