// Package junit reads the test reports that jobs upload as artifacts:reports:junit,
// and counts them as GitLab does.
//
// A Case is one test that ran. A Suite is what the pages and the API show under one
// name: all cases of a job, or of the jobs of one parallel group, whatever suites the
// XML itself has. Read adds an upload, which is one gzip member for each file, to a
// suite. A file that is no XML, or is over a limit, is no error of the reader: it
// makes the suite a broken one, which counts nothing and says why in Error.
//
// The package expands no entities but XML's own five, and loads nothing from
// elsewhere. It reads a stream and keeps only what it gives back.
package junit

import (
	"cmp"
	"slices"
)

// A Status is how a case ended, in GitLab's words.
type Status string

// The statuses of a case.
const (
	Error   Status = "error"
	Failed  Status = "failed"
	Success Status = "success"
	Skipped Status = "skipped"
)

// Statuses lists all statuses in the order in which GitLab lists the cases.
var Statuses = []Status{Error, Failed, Success, Skipped}

// A Case is one test.
type Case struct {
	Status     Status
	Suite      string // name of the suite around it in the file
	Name       string
	Classname  string
	File       string
	Time       float64 // seconds
	Output     string  // of what failed or was skipped: the element's text, else its message; then what the case printed
	Message    string  // the attribute message of the failure, error or skip
	Attachment string  // path of a file of the job, out of [[ATTACHMENT|path]] in system-out; only of what failed
	Origin     int64   // what the caller of Read said
}

// A key tells cases apart.
type key struct {
	status                 Status
	suite, classname, name string
}

// A Suite collects cases under one name. The zero value but for the name is an
// empty suite.
type Suite struct {
	Name  string
	Time  float64 // seconds of all cases that were read
	Error string  // why the suite counts nothing, in GitLab's words; "" for a good one

	cases []Case
	index map[key]int // of cases
}

// Add adds a case. One that has the status, the names and the suite of an earlier
// one takes its place, though the time of both counts.
func (s *Suite) Add(c Case) {
	s.Time += c.Time
	k := key{c.Status, c.Suite, c.Classname, c.Name}
	if i, there := s.index[k]; there {
		s.cases[i] = c
		return
	}
	if s.index == nil {
		s.index = make(map[key]int)
	}
	s.index[k] = len(s.cases)
	s.cases = append(s.cases, c)
}

// Len is the number of cases that the suite keeps, broken or not.
func (s *Suite) Len() int { return len(s.cases) }

// Count is the number of cases of a status; none of a broken suite.
func (s *Suite) Count(status Status) int {
	if s.Error != "" {
		return 0
	}
	n := 0
	for i := range s.cases {
		if s.cases[i].Status == status {
			n++
		}
	}
	return n
}

// Total is the number of all cases; none of a broken suite.
func (s *Suite) Total() int {
	if s.Error != "" {
		return 0
	}
	return len(s.cases)
}

// Cases gives the cases in the order in which GitLab lists them: errors, failures,
// successes, skipped ones, the slowest of each first. A broken suite has none.
func (s *Suite) Cases() []Case {
	if s.Error != "" {
		return nil
	}
	sorted := slices.Clone(s.cases)
	slices.SortStableFunc(sorted, func(a, b Case) int {
		return cmp.Or(cmp.Compare(slices.Index(Statuses, a.Status), slices.Index(Statuses, b.Status)), cmp.Compare(b.Time, a.Time))
	})
	return sorted
}
