package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// specsOf lists the specifications that jobs of pipelines have.
func specsOf(tx *Tx, pipelines intList) (digests [][]byte, err error) {
	rows, err := tx.Query(`select distinct spec_digest from jobs where pipeline_id in {ints $1}`, pipelines)
	if err != nil {
		return nil, err
	}
	err = each(rows, func(s scanner) error {
		var digest []byte
		err := s.Scan(&digest)
		digests = append(digests, digest)
		return err
	})
	return digests, err
}

// trashSpecs moves those specifications to the trash that no job has any more. They
// are looked at again before they are removed: a new job may have one by then.
func trashSpecs(tx *Tx, digests [][]byte, now int64) error {
	for _, digest := range digests {
		err := tx.exec(`
			insert into trash (kind, key, created_at)
			select cast($1 as text), cast($2 as text), cast($3 as bigint) where not exists (select 1 from jobs where spec_digest = $4)`,
			TrashSpec, hex.EncodeToString(digest), now, digest)
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteSpec removes a specification unless a job has it. The key is that of its
// trash row.
func (db *DB) DeleteSpec(ctx context.Context, key string) error {
	digest, err := hex.DecodeString(key)
	if err != nil {
		return fmt.Errorf("delete specification: %w", err)
	}
	db.specs.forget()
	err = db.quick(ctx, "delete specification "+key, func(tx *Tx) error {
		return tx.exec(`
			delete from specs where digest = $1 and not exists (select 1 from jobs where spec_digest = $1)`, digest)
	})
	var refusal *ci.Error
	if errors.As(err, &refusal) && refusal.Kind == ci.KindNotFound { // a job that came meanwhile has it
		return nil
	}
	return err
}
