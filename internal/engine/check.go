package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/trace"
)

// A Check looks for what does not hold: in the database, in what the jobs of each
// pipeline come to, and between the database and what lies on disk. It only reads,
// also beside servers that write.
type Check struct {
	View  *store.View
	Git   *git.Server
	Blobs blob.Store
	Logs  *trace.Catalog
	Deep  bool // read every blob and compare its checksum
}

// Rows gives in words what does not hold within the database. What others write
// meanwhile is never among it.
func (c *Check) Rows(ctx context.Context) ([]string, error) {
	broken, err := c.View.Check(ctx)
	if err != nil {
		return nil, err
	}
	var last ci.PipelineID
	for {
		ids, err := c.View.PipelineIDs(ctx, last, atOnce)
		if err != nil || len(ids) == 0 {
			return broken, err
		}
		for _, id := range ids {
			last = id
			s, err := c.View.Snapshot(ctx, id)
			if ci.IsNotFound(err) { // deleted meanwhile
				continue
			}
			if err != nil {
				return nil, err
			}
			found, err := checkPipeline(s)
			if err != nil {
				return nil, err
			}
			broken = append(broken, found...)
		}
	}
}

// checkPipeline looks at what a pipeline and its jobs come to.
func checkPipeline(s *ci.Snapshot) ([]string, error) {
	p := &s.Pipeline
	if len(s.Jobs) == 0 {
		if p.Status.Complete() {
			return nil, nil
		}
		return []string{fmt.Sprintf("pipeline %d is %s and has no jobs", p.ID, p.Status)}, nil
	}
	if broken := checkJobs(s); len(broken) > 0 { // the state machine counts on these
		return broken, nil
	}
	// When time stands still, nothing is left to do in any pipeline.
	changes, err := flow.Tick(s, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("process pipeline %d: %w", p.ID, err)
	}
	var broken []string
	for _, j := range changes.Jobs {
		broken = append(broken, fmt.Sprintf("job %d of pipeline %d is %s and should be %s", j.ID, p.ID, s.Job(j.ID).Status, j.Status))
	}
	if len(broken) > 0 { // what follows from it is no news
		return broken, nil
	}
	for i, stage := range changes.Pipeline.Stages {
		if was := p.Stages[i].Status; was != stage.Status {
			broken = append(broken, fmt.Sprintf("stage %s of pipeline %d is %s and should be %s", stage.Name, p.ID, was, stage.Status))
		}
	}
	if to := changes.Pipeline.Status; to != p.Status {
		broken = append(broken, fmt.Sprintf("pipeline %d is %s and should be %s", p.ID, p.Status, to))
	}
	return broken, nil
}

// checkJobs looks at each job's place among the others.
func checkJobs(s *ci.Snapshot) (broken []string) {
	stages := map[int]string{}
	for _, stage := range s.Pipeline.Stages {
		stages[stage.Index] = stage.Name
	}
	counts := map[string]bool{}
	for _, j := range s.Jobs {
		if !j.Retried && counts[j.Name] {
			broken = append(broken, fmt.Sprintf("job %d of pipeline %d counts although another one named %s does", j.ID, s.Pipeline.ID, j.Name))
		}
		counts[j.Name] = counts[j.Name] || !j.Retried
	}
	for _, j := range s.Jobs {
		say := func(format string, args ...any) {
			broken = append(broken, fmt.Sprintf("job %d of pipeline %d ", j.ID, s.Pipeline.ID)+fmt.Sprintf(format, args...))
		}
		if name, ok := stages[j.StageIndex]; !ok || name != j.Stage {
			say("is in stage %s, which the pipeline does not have", j.Stage)
		}
		if !j.Status.Valid() {
			say("has the unknown status %q", j.Status)
		}
		if j.Status.Executing() && j.RunnerID != 0 && j.TokenDigest == nil {
			say("is held by runner %d and has no token", j.RunnerID)
		}
		if !counts[j.Name] {
			say("was retried and no newer one is there")
		}
		for _, need := range j.Plan.Needs {
			if _, ok := counts[need.Job]; !ok && !need.Optional {
				say("needs %s, which the pipeline does not have", need.Job)
			}
		}
	}
	return broken
}
