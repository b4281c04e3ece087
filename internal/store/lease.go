package store

import (
	"context"
	"fmt"
	"time"
)

// Lease takes or renews the lease called name for dur, by the database's own
// clock, and reports whether holder has it now. Another's lease can be taken once
// it has run out. A dur of zero gives the holder's own lease back.
func (db *DB) Lease(ctx context.Context, name, holder string, dur time.Duration) (held bool, err error) {
	err = db.quick(ctx, fmt.Sprintf("lease %q", name), func(tx *Tx) error {
		n, err := tx.Exec(`
			insert into leases (name, holder, until) values ($1, $2, {now} + $3)
			on conflict (name) do update set holder = excluded.holder, until = excluded.until
			where leases.holder = excluded.holder or leases.until <= {now}`, name, holder, dur.Microseconds())
		held = n == 1
		return err
	})
	return held, err
}
