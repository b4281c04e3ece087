package ci

// A TestSummary is what the test report of a job comes to. It is kept beside the
// report, so that nothing needs to be read again to show it, and stays when the
// report expires.
type TestSummary struct {
	JobID JobID `json:"-"`

	Suite   string  `json:"suite"`   // the name under which GitLab lists the tests of the job
	Time    float64 `json:"time"`    // seconds
	Success int     `json:"success"` // these are numbers of cases
	Failed  int     `json:"failed"`
	Skipped int     `json:"skipped"`
	Errors  int     `json:"errors"`
	Error   string  `json:"error,omitempty"`  // why the report could not be read; then it counts nothing
	Broken  []Test  `json:"broken,omitempty"` // the first ones that failed or ended with an error
	Access  string  `json:"access,omitempty"` // who may read the report, as an artifact says it
}

// Count is the number of all cases.
func (s *TestSummary) Count() int { return s.Success + s.Failed + s.Skipped + s.Errors }

// A Test is a case that did not succeed, with its texts cut to a length for pages.
type Test struct {
	Name    string `json:"name"`
	Class   string `json:"class,omitempty"`
	Message string `json:"message,omitempty"`
}
