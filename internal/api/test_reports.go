package api

import (
	"fmt"
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/junit"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// testReportShape is GitLab's TestReport.
type testReportShape struct {
	TotalTime float64 `json:"total_time"`
	testCounts
	TestSuites []testSuiteShape `json:"test_suites"`
}

// testCounts are the numbers of cases of a report or suite.
type testCounts struct {
	TotalCount   int `json:"total_count"`
	SuccessCount int `json:"success_count"`
	FailedCount  int `json:"failed_count"`
	SkippedCount int `json:"skipped_count"`
	ErrorCount   int `json:"error_count"`
}

// add adds the numbers of others.
func (t *testCounts) add(o testCounts) {
	t.TotalCount += o.TotalCount
	t.SuccessCount += o.SuccessCount
	t.FailedCount += o.FailedCount
	t.SkippedCount += o.SkippedCount
	t.ErrorCount += o.ErrorCount
}

// testSuiteShape is GitLab's TestSuite with details.
type testSuiteShape struct {
	Name      string  `json:"name"`
	TotalTime float64 `json:"total_time"`
	testCounts
	SuiteError *string         `json:"suite_error"`
	TestCases  []testCaseShape `json:"test_cases"`
}

// testCaseShape is GitLab's TestCase. Neither a stack trace nor the failures of
// the last days are told by its API.
type testCaseShape struct {
	Status         junit.Status `json:"status"`
	Name           string       `json:"name"`
	Classname      *string      `json:"classname"`
	File           *string      `json:"file"`
	ExecutionTime  float64      `json:"execution_time"`
	SystemOutput   *string      `json:"system_output"`
	StackTrace     *string      `json:"stack_trace"`
	RecentFailures *struct{}    `json:"recent_failures"`
	AttachmentURL  string       `json:"attachment_url,omitempty"` // the file, if the case names one
}

// testReport shows the test report of a pipeline.
func (a *API) testReport(c *call) error {
	pipeline, project, err := c.pipeline(auth.ReadBuild)
	if err != nil {
		return err
	}
	suites, err := a.engine.TestReport(c.ctx(), c.actor, project, pipeline.ID)
	if err != nil {
		return err
	}
	report := testReportShape{TestSuites: make([]testSuiteShape, len(suites))}
	for i, suite := range suites {
		shape := a.testSuite(project, suite)
		report.TestSuites[i] = shape
		report.TotalTime += shape.TotalTime
		report.add(shape.testCounts)
	}
	return c.json(http.StatusOK, report)
}

func (a *API) testSuite(project ci.Project, s *junit.Suite) testSuiteShape {
	cases := s.Cases()
	shape := testSuiteShape{
		Name: s.Name, TotalTime: s.Time, SuiteError: orNull(s.Error), TestCases: make([]testCaseShape, len(cases)),
		testCounts: testCounts{s.Total(), s.Count(junit.Success), s.Count(junit.Failed), s.Count(junit.Skipped), s.Count(junit.Error)},
	}
	for i := range cases {
		shape.TestCases[i] = a.testCase(project, &cases[i])
	}
	return shape
}

func (a *API) testCase(project ci.Project, c *junit.Case) testCaseShape {
	shape := testCaseShape{
		Status: c.Status, Name: c.Name, Classname: orNull(c.Classname), File: orNull(c.File), ExecutionTime: c.Time,
		SystemOutput: orNull(c.Output),
	}
	if c.Name == "" {
		shape.Name = "(No name)"
	}
	if c.Status == junit.Failed || c.Status == junit.Error {
		shape.SystemOutput = &c.Output
	}
	if c.Attachment != "" {
		shape.AttachmentURL = fmt.Sprintf("%s/projects/%d/jobs/%d/artifacts/%s", a.urls.API(), project.ID, c.Origin, wire.EscapePath(c.Attachment))
	}
	return shape
}

// testSummaryShape is GitLab's TestReportSummary.
type testSummaryShape struct {
	Total      testTotal           `json:"total"`
	TestSuites []suiteSummaryShape `json:"test_suites"`
}

type testTotal struct {
	Time       float64 `json:"time"`
	Count      int     `json:"count"`
	Success    int     `json:"success"`
	Failed     int     `json:"failed"`
	Skipped    int     `json:"skipped"`
	Error      int     `json:"error"`
	SuiteError *string `json:"suite_error"`
}

// suiteSummaryShape is GitLab's TestSuiteSummary.
type suiteSummaryShape struct {
	Name      string  `json:"name"`
	TotalTime float64 `json:"total_time"`
	testCounts
	BuildIDs   []ci.JobID `json:"build_ids"`
	SuiteError *string    `json:"suite_error"`
}

// brokenReport is all that those are told of a broken report who may not read it: why
// it is broken may quote it.
const brokenReport = "JUnit parsing failed"

// testReportSummary shows the totals of the test report of a pipeline.
func (a *API) testReportSummary(c *call) error {
	pipeline, project, err := c.pipeline(auth.ReadBuild)
	if err != nil {
		return err
	}
	jobs, err := a.view.TestSummaries(c.ctx(), pipeline.ID)
	if err != nil {
		return err
	}
	for i := range jobs {
		if jobs[i].Error != "" && !auth.MayReadArtifacts(c.actor, project, jobs[i].Access) {
			jobs[i].Error = brokenReport
		}
	}
	return c.json(http.StatusOK, testSummary(jobs))
}

// testSummary adds up the jobs of each suite. A job whose report is broken counts
// nothing, and the first one is told.
func testSummary(jobs []ci.TestSummary) testSummaryShape {
	shape := testSummaryShape{TestSuites: []suiteSummaryShape{}}
	index := make(map[string]int)
	for _, job := range jobs {
		i, there := index[job.Suite]
		if !there {
			i = len(shape.TestSuites)
			index[job.Suite] = i
			shape.TestSuites = append(shape.TestSuites, suiteSummaryShape{Name: job.Suite})
		}
		suite := &shape.TestSuites[i]
		suite.TotalTime += job.Time
		suite.add(testCounts{job.Count(), job.Success, job.Failed, job.Skipped, job.Errors})
		suite.BuildIDs = append(suite.BuildIDs, job.JobID)
		if suite.SuiteError == nil {
			suite.SuiteError = orNull(job.Error)
		}
		total := &shape.Total
		total.Time += job.Time
		total.Count += job.Count()
		total.Success += job.Success
		total.Failed += job.Failed
		total.Skipped += job.Skipped
		total.Error += job.Errors
		if total.SuiteError == nil {
			total.SuiteError = orNull(job.Error)
		}
	}
	return shape
}
