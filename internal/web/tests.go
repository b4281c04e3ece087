package web

import (
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A testsView is what the test reports of a job or a pipeline come to.
type testsView struct {
	Sentence string // "12 passed, 1 failed"; empty: there are no reports
	Problems []testRow
	Broken   []testRow
	More     int // tests that broke and are not listed
}

// A testRow is a test that broke, or a job whose report did.
type testRow struct {
	Name    string
	Class   string
	Message string
	Job     string // its suite
	URL     string // of the job, on the page of a pipeline
}

// maxBrokenTests is how many tests are listed that broke.
const maxBrokenTests = 50

// testsView adds up what the reports of jobs came to. The visitor sees how many
// tests there were, and which ones broke if they may read the report.
func (v *visit) testsView(jobs []ci.TestSummary) testsView {
	var view testsView
	var total ci.TestSummary
	for i := range jobs {
		job := &jobs[i]
		total.Success += job.Success
		total.Failed += job.Failed
		total.Errors += job.Errors
		total.Skipped += job.Skipped
		url := v.web.jobURL(v.project, job.JobID)
		may := auth.MayReadArtifacts(v.actor, v.project, job.Access)
		if job.Error != "" {
			row := testRow{Name: "A report could not be read.", Job: job.Suite, URL: url}
			if may {
				row.Message = job.Error
			}
			view.Problems = append(view.Problems, row)
		}
		if !may {
			view.More += job.Failed + job.Errors
			continue
		}
		listed := job.Broken[:min(len(job.Broken), maxBrokenTests-len(view.Broken))]
		view.More += job.Failed + job.Errors - len(listed)
		for _, test := range listed {
			row := testRow{Name: test.Name, Class: test.Class, Message: test.Message, Job: job.Suite, URL: url}
			if row.Name == "" {
				row.Name = "(no name)"
			}
			view.Broken = append(view.Broken, row)
		}
	}
	if len(jobs) > 0 {
		view.Sentence = testsSentence(total)
	}
	return view
}

// testsSentence says how many tests ended how.
func testsSentence(s ci.TestSummary) string {
	if s.Count() == 0 {
		return "none"
	}
	var parts []string
	for _, part := range []struct {
		count int
		word  string
	}{{s.Success, "passed"}, {s.Failed, "failed"}, {s.Errors, "with an error"}, {s.Skipped, "skipped"}} {
		if part.count > 0 || part.word == "passed" {
			parts = append(parts, number(part.count)+" "+part.word)
		}
	}
	return strings.Join(parts, ", ")
}

// pipelineTests reads what the tests of a pipeline came to, for those who may read
// its jobs.
func (v *visit) pipelineTests(id ci.PipelineID) (testsView, error) {
	if !v.may(auth.ReadBuild) {
		return testsView{}, nil
	}
	jobs, err := v.web.view.TestSummaries(v.ctx(), id)
	return v.testsView(jobs), err
}

// jobTests reads what the tests of a job came to; one without a report has none.
func (v *visit) jobTests(id ci.JobID) (testsView, error) {
	summary, err := v.web.view.TestSummary(v.ctx(), id)
	if ci.IsNotFound(err) {
		return testsView{}, nil
	}
	if err != nil {
		return testsView{}, err
	}
	view := v.testsView([]ci.TestSummary{summary})
	for _, rows := range [][]testRow{view.Problems, view.Broken} {
		for i := range rows {
			rows[i].URL = "" // it leads here
		}
	}
	return view, nil
}
