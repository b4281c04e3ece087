package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/junit"
)

// junitReport is the type of the artifact that holds test results.
const junitReport = "junit"

// Limits of test reports: of a job's, and of what is read for a whole pipeline.
const (
	maxReportBytes   = 64 << 20 // unpacked
	maxReportCases   = 100_000
	maxPipelineBytes = 256 << 20
	maxPipelineCases = 500_000
)

// reportsAtOnce is how many reports are read at the same time: each keeps a
// processor busy and has all of its cases in memory.
const reportsAtOnce = 2

// tooMuchTogether is what the suites beyond the limits of a pipeline say.
const tooMuchTogether = "JUnit data parsing failed: the test reports of the pipeline are too large together"

// What a summary has of the cases that broke: the first ones, and the beginning of
// their texts, in bytes.
const (
	maxBroken     = 50
	maxBrokenText = 300
)

// summarize reads a test report that has just been stored. One that cannot be read
// is stored all the same, and its summary says why.
func (e *Engine) summarize(ctx context.Context, job *ci.Job, a ci.Artifact) (*ci.TestSummary, error) {
	done, err := e.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	suite := &junit.Suite{Name: job.TestSuite()}
	if _, err := e.readReport(ctx, suite, a, junit.Limits{Bytes: maxReportBytes, Cases: maxReportCases}); err != nil {
		return nil, err
	}
	s := &ci.TestSummary{
		Suite: suite.Name, Time: suite.Time, Success: suite.Count(junit.Success), Failed: suite.Count(junit.Failed),
		Skipped: suite.Count(junit.Skipped), Errors: suite.Count(junit.Error), Error: suite.Error, Access: a.Access,
	}
	for _, c := range suite.Cases() {
		if c.Status != junit.Failed && c.Status != junit.Error || len(s.Broken) == maxBroken {
			break // those that broke come first
		}
		message := c.Message
		if message == "" {
			message = c.Output
		}
		s.Broken = append(s.Broken, ci.Test{Name: brief(c.Name), Class: brief(c.Classname), Message: brief(message)})
	}
	return s, nil
}

// brief is the beginning of a text.
func brief(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxBrokenText {
		return strings.ToValidUTF8(text[:maxBrokenText], "") + "…"
	}
	return text
}

// readReport adds a stored report to a suite and tells how many bytes it was.
func (e *Engine) readReport(ctx context.Context, suite *junit.Suite, a ci.Artifact, l junit.Limits) (int64, error) {
	body, err := e.blobs.Get(ctx, a.BlobKey, 0, -1)
	if err != nil {
		return 0, fmt.Errorf("open test report of job %d: %w", a.JobID, err)
	}
	defer body.Close() // it was only read: there is nothing that could be lost
	size, err := suite.Read(body, int64(a.JobID), l)
	if err != nil {
		return 0, fmt.Errorf("read test report of job %d: %w", a.JobID, err)
	}
	return size, nil
}

// reading waits until a test report may be read, and gives what ends it.
func (e *Engine) reading(ctx context.Context) (done func(), err error) {
	select {
	case e.reports <- struct{}{}:
		return func() { <-e.reports }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestReport reads the test reports of a pipeline's jobs, those that were retried
// aside, into suites in the order of the jobs. Reports that have expired or are
// erased are not there, and neither are those that artifacts:access keeps from the
// actor. That the actor may read the pipeline is the caller's to check.
func (e *Engine) TestReport(ctx context.Context, actor auth.Actor, project ci.Project, id ci.PipelineID) ([]*junit.Suite, error) {
	jobs, reports, err := e.testReports(ctx, id)
	if err != nil || len(reports) == 0 {
		return nil, err
	}
	done, err := e.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var suites []*junit.Suite
	named := make(map[string]*junit.Suite)
	bytes, cases := int64(maxPipelineBytes), maxPipelineCases
	for i, report := range reports {
		if !auth.MayReadArtifacts(actor, project, report.Access) {
			continue
		}
		name := jobs[i].TestSuite()
		suite := named[name]
		if suite == nil {
			suite = &junit.Suite{Name: name}
			named[name], suites = suite, append(suites, suite)
		}
		if bytes <= 0 || cases <= 0 {
			suite.Error = tooMuchTogether
			continue
		}
		before := suite.Len()
		size, err := e.readReport(ctx, suite, report, junit.Limits{Bytes: maxReportBytes, Cases: maxReportCases})
		if err != nil {
			return nil, err
		}
		bytes, cases = bytes-size, cases-(suite.Len()-before)
	}
	return suites, nil
}

// testReports lists the jobs of a pipeline that have a test report, and these.
func (e *Engine) testReports(ctx context.Context, id ci.PipelineID) (jobs []ci.Job, reports []ci.Artifact, err error) {
	snapshot, err := e.view.Snapshot(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	now := e.now()
	var ids []ci.JobID
	for i := range snapshot.Jobs {
		if job := &snapshot.Jobs[i]; !job.Retried && !expired(*job, now) {
			ids = append(ids, job.ID)
		}
	}
	artifacts, err := e.view.Artifacts(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, job := range snapshot.Jobs {
		for _, a := range artifacts[job.ID] {
			if a.Type == junitReport {
				jobs, reports = append(jobs, job), append(reports, a)
			}
		}
	}
	return jobs, reports, nil
}
