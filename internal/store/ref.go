package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

func scanRef(s scanner, r *ci.Ref) error { return s.Scan(&r.ProjectID, &r.Name, &r.SHA) }

// SetRefs writes the refs that a push changed and forgets those it removed, by
// full name. Removing a ref that is not there is no error.
func (db *DB) SetRefs(ctx context.Context, project ci.ProjectID, set []ci.Ref, removed []string) error {
	return db.quick(ctx, fmt.Sprintf("set refs of project %d", project), func(tx *Tx) error {
		return setRefs(tx, project, set, removed)
	})
}

func setRefs(tx *Tx, project ci.ProjectID, set []ci.Ref, removed []string) error {
	for _, name := range removed {
		if err := tx.exec(`delete from refs where project_id = $1 and name = $2`, project, name); err != nil {
			return err
		}
	}
	for _, ref := range set {
		err := tx.exec(`
			insert into refs (project_id, name, sha) values ($1, $2, $3)
			on conflict (project_id, name) do update set sha = excluded.sha`, project, ref.Name, ref.SHA)
		if err != nil {
			return err
		}
	}
	return nil
}

// ReplaceRefs makes the table hold exactly all, the refs of the repository, and
// returns how many rows that changed: none when nothing was missed.
func (db *DB) ReplaceRefs(ctx context.Context, project ci.ProjectID, all []ci.Ref) (changed int, err error) {
	err = db.write(ctx, fmt.Sprintf("replace refs of project %d", project), func(tx *Tx) error {
		old := make(map[string]string)
		rows, err := tx.Query(`select name, sha from refs where project_id = $1`, project)
		if err != nil {
			return err
		}
		err = each(rows, func(s scanner) error {
			var name, sha string
			err := s.Scan(&name, &sha)
			old[name] = sha
			return err
		})
		if err != nil {
			return err
		}
		var set []ci.Ref
		for _, ref := range all {
			if sha, ok := old[ref.Name]; !ok || sha != ref.SHA {
				set = append(set, ref)
			}
			delete(old, ref.Name)
		}
		removed := make([]string, 0, len(old))
		for name := range old {
			removed = append(removed, name)
		}
		changed = len(set) + len(removed)
		return setRefs(tx, project, set, removed)
	})
	return changed, err
}

// Ref reads the ref with this full name.
func (v *View) Ref(ctx context.Context, project ci.ProjectID, fullName string) (ci.Ref, error) {
	return one(ctx, v, "ref", scanRef, `
		select project_id, name, sha from refs where project_id = $1 and name = $2`, project, fullName)
}

// RefsNamed reads the branch and the tag with this short name: none, one or both,
// the branch first.
func (v *View) RefsNamed(ctx context.Context, project ci.ProjectID, short string) ([]ci.Ref, error) {
	return list(ctx, v, "refs", scanRef, `
		select project_id, name, sha from refs where project_id = $1 and name in ($2, $3) order by name`,
		project, ci.BranchPrefix+short, ci.TagPrefix+short)
}

// RunnableRefs are the refs that a name means, with all that a new pipeline asks
// about the state of its project.
type RunnableRefs struct {
	Refs             []ci.Ref
	Protections      []ci.Protection // as View.Protections
	VariablesVersion int64           // as View.VariablesVersion
}

// RunnableRefs is RefsNamed with more; without a ref there is nothing. A full name
// finds that ref alone.
func (v *View) RunnableRefs(ctx context.Context, project ci.ProjectID, name string) (RunnableRefs, error) {
	branch, tag := ci.BranchPrefix+name, ci.TagPrefix+name
	if strings.HasPrefix(name, ci.BranchPrefix) || strings.HasPrefix(name, ci.TagPrefix) {
		branch, tag = name, name
	}
	var found RunnableRefs
	rows, err := v.query(ctx, `
		select f.project_id, f.name, f.sha, (select version from variables_version where id = 1),
			coalesce(g.id, 0), coalesce(g.tag, false), coalesce(g.pattern, ''),
			coalesce(g.push_level, 0), coalesce(g.merge_level, 0), coalesce(g.force_push, false)
		from refs f left join protections g on g.project_id = f.project_id
		where f.project_id = $1 and f.name in ($2, $3) order by f.name, g.tag, g.id`, project, branch, tag)
	if err == nil {
		err = each(rows, func(s scanner) error {
			var ref ci.Ref
			p := ci.Protection{ProjectID: project}
			err := s.Scan(&ref.ProjectID, &ref.Name, &ref.SHA, &found.VariablesVersion,
				&p.ID, &p.Tag, &p.Pattern, &p.PushLevel, &p.MergeLevel, &p.ForcePush)
			if n := len(found.Refs); n == 0 || found.Refs[n-1].Name != ref.Name {
				found.Refs = append(found.Refs, ref)
			}
			if len(found.Refs) == 1 && p.ID != 0 { // they are the same beside each ref
				found.Protections = append(found.Protections, p)
			}
			return err
		})
	}
	if err != nil {
		return RunnableRefs{}, fmt.Errorf("read refs of project %d: %w", project, err)
	}
	return found, nil
}

// Refs lists the refs whose full names start with prefix, by name.
func (v *View) Refs(ctx context.Context, project ci.ProjectID, prefix string) ([]ci.Ref, error) {
	return list(ctx, v, "refs", scanRef, `
		select project_id, name, sha from refs
		where project_id = $1 and substr(name, 1, length($2)) = $2 order by name`, project, prefix)
}
