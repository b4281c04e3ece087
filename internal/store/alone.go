package store

import (
	"context"
)

// settingsLock is what Alone takes in PostgreSQL: "settings" in letters.
const settingsLock = 0x73657474696e6773

// Alone waits until no other process is between Alone and its release, for changes
// that read in one transaction and write in the next. A connection that is lost
// meanwhile lets others in. Callers keep those of their own process apart; on SQLite
// there are no others.
func (db *DB) Alone(ctx context.Context) (release func(), err error) {
	main, ok := db.writes.(*postgresWrites)
	if !ok {
		return func() {}, nil
	}
	err = main.repeat(ctx, func() error {
		release, err = main.takeAlone(ctx)
		return err
	})
	return release, db.worded("wait for other servers", err)
}

// takeAlone takes the lock in a transaction that only holds it.
func (p *postgresWrites) takeAlone(ctx context.Context) (release func(), err error) {
	tx, err := p.alone.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return nil, err
	}
	release = func() { _ = tx.Rollback() } // there is nothing in it to be lost
	if _, err := tx.ExecContext(ctx, `select pg_advisory_xact_lock($1)`, int64(settingsLock)); err != nil {
		release()
		return nil, err
	}
	return release, nil
}
