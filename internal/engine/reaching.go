package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// reachingVariables are the CI/CD variables that reach a project: those of the
// instance, of the groups above it and its own, opened. It never changes.
type reachingVariables struct {
	version int64            // of the database when they were read
	owners  []ownerOfSome    // in the order of precedence, later ones win
	scoped  bool             // some are for certain environments only
	usual   [2][]ci.Variable // for jobs without an environment: on other refs, on protected ones
	bytes   int
}

// An ownerOfSome is one that has variables.
type ownerOfSome struct {
	origin Origin
	list   []ci.OwnedVariable
}

// A reachKey names a project where it is: elsewhere other groups are above it.
type reachKey struct {
	project   ci.ProjectID
	namespace ci.NamespaceID
}

// reachedBytes is how much of opened variables is kept in memory.
const reachedBytes = 32 << 20

// weight is what the variables count for in the cache.
func (r *reachingVariables) weight() int { return 1<<10 + r.bytes }

// reaching gives the variables that reach a project. version is what the database
// has now (store.View.VariablesVersion); zero asks for it. When it is that of the
// ones in memory, nothing is read.
func (e *Engine) reaching(ctx context.Context, project ci.Project, version int64) (*reachingVariables, error) {
	key := reachKey{project.ID, project.NamespaceID}
	cached, ok := e.reached.get(key)
	if ok && version == 0 {
		var err error
		if version, err = e.view.VariablesVersion(ctx); err != nil {
			return nil, err
		}
	}
	if ok && cached.version == version {
		return cached, nil
	}
	rows, version, err := e.view.ReachingVariables(ctx, project.ID, project.NamespaceID)
	if err != nil {
		return nil, err
	}
	opened, err := e.openReaching(rows)
	if err != nil {
		return nil, err
	}
	opened.version = version
	e.reached.put(key, opened)
	return opened, nil
}

// openReaching opens variables and sorts them by their owners.
func (e *Engine) openReaching(rows []store.ReachingVariable) (*reachingVariables, error) {
	r := &reachingVariables{}
	for _, row := range rows {
		v, err := e.openVariable(row.OwnedVariable)
		if err != nil {
			return nil, err
		}
		v.Secret, v.Sealed = true, nil
		r.scoped = r.scoped || v.Scope != ci.AnyEnvironment
		r.bytes += len(v.Key) + len(v.Value) + 200
		origin := Origin{Kind: OriginInstance}
		switch {
		case v.Owner.ProjectID != 0:
			origin.Kind = OriginProject
		case v.Owner.NamespaceID != 0:
			origin = Origin{Kind: OriginGroup, Group: row.Group}
		}
		if n := len(r.owners); n == 0 || r.owners[n-1].origin != origin {
			r.owners = append(r.owners, ownerOfSome{origin: origin})
		}
		last := &r.owners[len(r.owners)-1]
		last.list = append(last.list, v)
	}
	for i := range r.usual {
		r.usual[i] = mergeLayers(r.pick(i == 1, ""))
	}
	return r, nil
}

// pick gives what a job sees of each owner's variables.
func (r *reachingVariables) pick(protected bool, environment string) []variableLayer {
	layers := make([]variableLayer, 0, len(r.owners))
	for _, owner := range r.owners {
		layer := variableLayer{origin: owner.origin}
		for _, v := range ci.VariablesFor(owner.list, protected, environment) {
			layer.list = append(layer.list, v.Variable)
		}
		layers = append(layers, layer)
	}
	return layers
}

// visible gives what a job sees, one variable of each key. The list must not be
// changed.
func (r *reachingVariables) visible(protected bool, environment string) []ci.Variable {
	switch {
	case environment != "" && r.scoped:
		return mergeLayers(r.pick(protected, environment))
	case protected:
		return r.usual[1]
	}
	return r.usual[0]
}

// masked lists the values of all variables, for whatever environment, that no log,
// error or page may show.
func (r *reachingVariables) masked(protected bool) []string {
	var values []string
	for _, owner := range r.owners {
		for _, v := range owner.list {
			if v.Masked && (protected || !v.Protected) {
				values = append(values, v.Value)
			}
		}
	}
	return values
}

// conceal replaces what must not be shown in a text that is made of variables.
func conceal(text string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" && strings.Contains(text, secret) {
			text = strings.ReplaceAll(text, secret, concealed+strings.Repeat("x", max(0, len(secret)-len(concealed))))
		}
	}
	return text
}

// concealed stands in the place of a secret, with an x for each further byte
// (contract/ci-yaml.md 3.1).
const concealed = "[MASKED]"

// secrets are the values that nobody may read in what comes of a draft. Longer ones
// go first: a shorter one may be a part of them.
func (d *pipelineDraft) secrets() []string {
	if d.reaching == nil {
		return nil
	}
	secrets := d.reaching.masked(d.protected)
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	return secrets
}

// concealed takes the secrets out of what the compiler says.
func (d *pipelineDraft) concealed(from ciyaml.Diagnostic) ciyaml.Diagnostic {
	secrets := d.secrets()
	from.Message, from.Hint, from.Pos.File = conceal(from.Message, secrets), conceal(from.Hint, secrets), conceal(from.Pos.File, secrets)
	return from
}
