package store

import (
	"context"
	"fmt"

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

// Refs lists the refs whose full names start with prefix, by name.
func (v *View) Refs(ctx context.Context, project ci.ProjectID, prefix string) ([]ci.Ref, error) {
	return list(ctx, v, "refs", scanRef, `
		select project_id, name, sha from refs
		where project_id = $1 and substr(name, 1, length($2)) = $2 order by name`, project, prefix)
}
