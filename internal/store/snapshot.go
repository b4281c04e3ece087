package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// maxSnapshotReads is how often Snapshot starts again when the pipeline moves
// between its two statements.
const maxSnapshotReads = 5

// Snapshot reads a pipeline with all its jobs, superseded ones included, in the
// order of their ids, all at one version. It takes two statements and reads no
// specification.
func (v *View) Snapshot(ctx context.Context, id ci.PipelineID) (*ci.Snapshot, error) {
	for range maxSnapshotReads {
		pipeline, err := v.Pipeline(ctx, id)
		if err != nil {
			return nil, err
		}
		snapshot := &ci.Snapshot{Pipeline: pipeline}
		same, err := v.snapshotJobs(ctx, snapshot)
		if err != nil {
			return nil, fmt.Errorf("read jobs of pipeline %d: %w", id, err)
		}
		if same {
			return snapshot, nil
		}
	}
	return nil, fmt.Errorf("read pipeline %d: %w", id, ErrMoved)
}

// snapshotJobs reads the jobs and reports whether the pipeline is still at the
// version of the snapshot: each row carries the version of its own moment.
func (v *View) snapshotJobs(ctx context.Context, s *ci.Snapshot) (same bool, err error) {
	rows, err := v.query(ctx, `
		select p.version, `+jobColumns+`
		from pipelines p join jobs j on j.pipeline_id = p.id
		where p.id = $1 order by j.id`, s.Pipeline.ID)
	if err != nil {
		return false, err
	}
	same = true
	s.Jobs = make([]ci.Job, 0, 8)
	var job ci.Job
	var version int64
	fields := append([]any{&version}, jobFields(&job)...)
	err = each(rows, func(row scanner) error {
		job = ci.Job{}
		if err := row.Scan(fields...); err != nil {
			return err
		}
		same = same && version == s.Pipeline.Version
		s.Jobs = append(s.Jobs, job)
		return nil
	})
	return same, err
}
