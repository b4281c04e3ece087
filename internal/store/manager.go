package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

const managerColumns = `id, runner_id, system_id, name, version, revision, platform, architecture, executor, ip_address,
	created_at, contacted_at`

func scanManager(s scanner, m *ci.RunnerManager) error {
	return s.Scan(&m.ID, &m.RunnerID, &m.SystemID, &m.Name, &m.Version, &m.Revision, &m.Platform, &m.Architecture, &m.Executor, &m.IPAddress,
		at(&m.CreatedAt), at(&m.ContactedAt))
}

// ContactRunner records that a machine of a runner was heard of, with what it
// said of itself, and returns its row and whether it is new. Fields that are
// empty in m keep their last value. It returns ci.NoRecord() when the runner is
// gone.
func (db *DB) ContactRunner(ctx context.Context, m ci.RunnerManager, when time.Time) (manager ci.RunnerManager, isNew bool, err error) {
	now := micros(when)
	err = db.quick(ctx, fmt.Sprintf("contact runner %d", m.RunnerID), func(tx *Tx) error {
		if err := tx.must(`update runners set contacted_at = $2 where id = $1`, m.RunnerID, now); err != nil {
			return err
		}
		isNew = false
		err := scanOne(tx, scanManager, &manager, `
			update runner_managers set contacted_at = $3,
				name = coalesce(nullif($4, ''), name), version = coalesce(nullif($5, ''), version),
				revision = coalesce(nullif($6, ''), revision), platform = coalesce(nullif($7, ''), platform),
				architecture = coalesce(nullif($8, ''), architecture), executor = coalesce(nullif($9, ''), executor),
				ip_address = coalesce(nullif($10, ''), ip_address)
			where runner_id = $1 and system_id = $2
			returning `+managerColumns,
			m.RunnerID, m.SystemID, now, m.Name, m.Version, m.Revision, m.Platform, m.Architecture, m.Executor, m.IPAddress)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		isNew = true
		return scanOne(tx, scanManager, &manager, `
			insert into runner_managers (runner_id, system_id, name, version, revision, platform, architecture, executor, ip_address,
				created_at, contacted_at)
			values ($1, $2, $4, $5, $6, $7, $8, $9, $10, $3, $3)
			returning `+managerColumns,
			m.RunnerID, m.SystemID, now, m.Name, m.Version, m.Revision, m.Platform, m.Architecture, m.Executor, m.IPAddress)
	})
	return manager, isNew, err
}

// DeleteManager removes a machine of a runner; the runner stays.
func (db *DB) DeleteManager(ctx context.Context, runner ci.RunnerID, systemID string) error {
	return db.write(ctx, fmt.Sprintf("delete manager of runner %d", runner), func(tx *Tx) error {
		return tx.must(`delete from runner_managers where runner_id = $1 and system_id = $2`, runner, systemID)
	})
}

// Managers lists the machines of a runner, newest first.
func (v *View) Managers(ctx context.Context, runner ci.RunnerID) ([]ci.RunnerManager, error) {
	return list(ctx, v, "managers", scanManager, `
		select `+managerColumns+` from runner_managers where runner_id = $1 order by id desc`, runner)
}

// Manager reads one machine of a runner.
func (v *View) Manager(ctx context.Context, id int64) (ci.RunnerManager, error) {
	return one(ctx, v, "manager", scanManager, `select `+managerColumns+` from runner_managers where id = $1`, id)
}
