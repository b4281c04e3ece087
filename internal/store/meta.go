package store

import (
	"context"
	"fmt"
)

// Meta reads a value about the database as a whole.
func (v *View) Meta(ctx context.Context, key string) (string, error) {
	var value string
	err := v.row(ctx, []any{&value}, `select value from meta where key = $1`, key)
	return value, wrap(fmt.Sprintf("read meta %q", key), err)
}

// SetMeta writes a value.
func (db *DB) SetMeta(ctx context.Context, key, value string) error {
	return db.quick(ctx, fmt.Sprintf("set meta %q", key), func(tx *Tx) error {
		return tx.exec(`
			insert into meta (key, value) values ($1, $2)
			on conflict (key) do update set value = excluded.value`, key, value)
	})
}

// SetMetaOnce writes a value unless there is one, and returns the one that stands:
// of several callers at once, all get the same.
func (db *DB) SetMetaOnce(ctx context.Context, key, value string) (stands string, err error) {
	err = db.quick(ctx, fmt.Sprintf("set meta %q", key), func(tx *Tx) error {
		if err := tx.exec(`insert into meta (key, value) values ($1, $2) on conflict (key) do nothing`, key, value); err != nil {
			return err
		}
		return tx.Row([]any{&stands}, `select value from meta where key = $1`, key)
	})
	return stands, err
}
