package store

import (
	"context"
	"encoding/json"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// saveTests keeps what a test report came to, instead of what an earlier report of
// the job did.
func saveTests(tx *Tx, job ci.JobID, s *ci.TestSummary) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return tx.exec(`
		insert into test_summaries (job_id, body) values ($1, $2)
		on conflict (job_id) do update set body = excluded.body`, job, string(body))
}

func scanTests(s scanner, t *ci.TestSummary) error {
	var body string
	var job ci.JobID
	if err := s.Scan(&job, &body); err != nil {
		return err
	}
	err := json.Unmarshal([]byte(body), t)
	t.JobID = job
	return err
}

// TestSummaries reads what the test reports of a pipeline came to, in the order of
// its jobs. Jobs that were retried do not count.
func (v *View) TestSummaries(ctx context.Context, pipeline ci.PipelineID) ([]ci.TestSummary, error) {
	return list(ctx, v, "test summaries", scanTests, `
		select t.job_id, t.body from jobs j join test_summaries t on t.job_id = j.id
		where j.pipeline_id = $1 and not j.retried order by j.id`, pipeline)
}

// TestSummary reads what the test report of a job came to.
func (v *View) TestSummary(ctx context.Context, job ci.JobID) (ci.TestSummary, error) {
	return one(ctx, v, "test summary", scanTests, `select job_id, body from test_summaries where job_id = $1`, job)
}
