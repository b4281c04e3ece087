package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// variableColumns is what scanVariable reads, of a table named v.
const variableColumns = `v.id, coalesce(v.project_id, 0), coalesce(v.namespace_id, 0), v.key, v.scope, v.sealed,
	v.file, v.raw, v.protected, v.masked, v.hidden, v.description, v.created_at`

func variableFields(v *ci.OwnedVariable) []any {
	return []any{&v.ID, &v.Owner.ProjectID, &v.Owner.NamespaceID, &v.Key, &v.Scope, &v.Sealed,
		&v.File, &v.Raw, &v.Protected, &v.Masked, &v.Hidden, &v.Description, at(&v.CreatedAt)}
}

func scanVariable(s scanner, v *ci.OwnedVariable) error { return s.Scan(variableFields(v)...) }

// owned gives the condition on the table v for the variables of an owner, and its
// argument, the first one.
func owned(o ci.VariableOwner) (condition string, id int64) {
	switch {
	case o.ProjectID != 0:
		return `v.project_id = $1`, int64(o.ProjectID)
	case o.NamespaceID != 0:
		return `v.namespace_id = $1`, int64(o.NamespaceID)
	}
	return `v.project_id is null and v.namespace_id is null and $1 = 0`, 0
}

// idOrNull binds no owner as null.
func idOrNull[T ~int64](id T) any {
	if id == 0 {
		return nil
	}
	return int64(id)
}

// newVariables makes every process read variables anew.
const newVariables = `update variables_version set version = version + 1 where id = 1`

// CreateVariable adds a variable, unless its owner has max of them (ErrTooMany),
// and returns it with its ID. It returns *Taken for "key" when the owner has one of
// the same key and scope, and ci.NoRecord() when the owner is gone.
func (db *DB) CreateVariable(ctx context.Context, v ci.OwnedVariable, max int) (ci.OwnedVariable, error) {
	v.CreatedAt = stored(v.CreatedAt)
	condition, owner := owned(v.Owner)
	err := db.write(ctx, "create variable", func(tx *Tx) error {
		var count int
		if err := tx.Row([]any{&count}, `select count(*) from variables v where `+condition, owner); err != nil {
			return err
		}
		if count >= max {
			return ErrTooMany
		}
		err := tx.Row([]any{&v.ID}, `
			insert into variables (project_id, namespace_id, key, scope, sealed, file, raw, protected, masked, hidden, description, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning id`,
			idOrNull(v.Owner.ProjectID), idOrNull(v.Owner.NamespaceID), v.Key, v.Scope, v.Sealed,
			v.File, v.Raw, v.Protected, v.Masked, v.Hidden, v.Description, micros(v.CreatedAt))
		if err != nil {
			return err
		}
		return tx.exec(newVariables)
	})
	return v, err
}

// UpdateVariable writes all of a variable but its key, owner and time. It returns
// *Taken for "key" when the owner has another one of that scope.
func (db *DB) UpdateVariable(ctx context.Context, v ci.OwnedVariable) error {
	return db.write(ctx, fmt.Sprintf("update variable %d", v.ID), func(tx *Tx) error {
		err := tx.must(`
			update variables set scope = $2, sealed = $3, file = $4, raw = $5, protected = $6, masked = $7, hidden = $8, description = $9
			where id = $1`, v.ID, v.Scope, v.Sealed, v.File, v.Raw, v.Protected, v.Masked, v.Hidden, v.Description)
		if err != nil {
			return err
		}
		return tx.exec(newVariables)
	})
}

// DeleteVariable removes a variable.
func (db *DB) DeleteVariable(ctx context.Context, id int64) error {
	return db.write(ctx, fmt.Sprintf("delete variable %d", id), func(tx *Tx) error {
		if err := tx.must(`delete from variables where id = $1`, id); err != nil {
			return err
		}
		return tx.exec(newVariables)
	})
}

// Variables lists the variables of an owner in the order of creation, and says how
// many there are in all. The plus keeps SQLite from reading those of all owners in
// that order.
func (v *View) Variables(ctx context.Context, o ci.VariableOwner, limit, offset int) ([]ci.OwnedVariable, int, error) {
	condition, owner := owned(o)
	var total int
	if err := v.row(ctx, []any{&total}, `select count(*) from variables v where `+condition, owner); err != nil {
		return nil, 0, fmt.Errorf("count variables: %w", err)
	}
	variables, err := list(ctx, v, "variables", scanVariable, `
		select `+variableColumns+` from variables v where `+condition+` order by +v.id limit $2 offset $3`, owner, limit, offset)
	return variables, total, err
}

// VariablesNamed lists the variables of an owner with this key, one for each scope,
// in the order of creation.
func (v *View) VariablesNamed(ctx context.Context, o ci.VariableOwner, key string) ([]ci.OwnedVariable, error) {
	condition, owner := owned(o)
	return list(ctx, v, "variables", scanVariable, `
		select `+variableColumns+` from variables v where `+condition+` and v.key = $2 order by +v.id`, owner, key)
}

// A ReachingVariable is a variable that the jobs of a project see, with the full
// path of the group that it belongs to.
type ReachingVariable struct {
	ci.OwnedVariable
	Group string // empty unless it is a group's
}

// reachingColumns is variableColumns of a table named r that may have no row.
const reachingColumns = `coalesce(r.id, 0), coalesce(r.project_id, 0), coalesce(r.namespace_id, 0), coalesce(r.key, ''), coalesce(r.scope, ''), r.sealed,
	coalesce(r.file, false), coalesce(r.raw, false), coalesce(r.protected, false), coalesce(r.masked, false), coalesce(r.hidden, false),
	coalesce(r.description, ''), coalesce(r.created_at, 0), coalesce(r.full_path, '')`

// ReachingVariables lists the variables that reach a project in a namespace, in the
// order of precedence, later ones win: those of the instance, of the groups from
// the top down, and its own. The version is that of VariablesVersion.
func (v *View) ReachingVariables(ctx context.Context, project ci.ProjectID, namespace ci.NamespaceID) ([]ReachingVariable, int64, error) {
	var version int64
	variables := []ReachingVariable{}
	rows, err := v.query(ctx, `
		with recursive up (id, parent_id, full_path, depth) as (
			select id, parent_id, full_path, 1 from namespaces where id = $2
			union all
			select n.id, n.parent_id, n.full_path, up.depth + 1 from up join namespaces n on n.id = up.parent_id
		), reaching as (
			select v.*, '' as full_path, 0 as depth from variables v where v.project_id = $1
			union all
			select v.*, up.full_path, up.depth from up join variables v on v.namespace_id = up.id
			union all
			select v.*, '', 1000000 from variables v where v.project_id is null and v.namespace_id is null
		)
		select version, `+reachingColumns+` from variables_version left join reaching r on true where variables_version.id = 1 order by r.depth desc, r.id`, project, namespace)
	if err == nil {
		err = each(rows, func(s scanner) error {
			var r ReachingVariable
			err := s.Scan(append(append([]any{&version}, variableFields(&r.OwnedVariable)...), &r.Group)...)
			if r.ID != 0 {
				variables = append(variables, r)
			}
			return err
		})
	}
	if err != nil {
		return nil, 0, fmt.Errorf("list variables that reach project %d: %w", project, err)
	}
	return variables, version, nil
}

// VariablesVersion grows with each change of what ReachingVariables gives for any
// project that stays in its namespace.
func (v *View) VariablesVersion(ctx context.Context) (int64, error) {
	var version int64
	err := v.row(ctx, []any{&version}, `select version from variables_version where id = 1`)
	return version, wrap("read version of variables", err)
}
