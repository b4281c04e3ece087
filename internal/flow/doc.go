// Package flow decides what a pipeline does next.
//
// It is given a pipeline with its jobs (a ci.Snapshot), something that happened
// (a runner took a job, a job ended, somebody pressed play) and the time, and it
// says which rows change (ci.Changes). Every decision has the same three steps:
// the event moves one or more jobs, the processing pass lets the jobs that
// waited for them start or skips them, and the statuses of stages and pipeline
// follow from those of the jobs.
//
// Two tables hold the rules: transitions (which event takes a job from where to
// where) and composition (what a set of jobs comes to). docs/states.md is
// generated from both. The behaviour is GitLab's, as written down in
// contract/ci-yaml.md section 8.
//
// The package never changes the snapshot that it is given, makes no ids, reads
// no clock and does no I/O. A decision costs time in proportion to the number of
// jobs and needs, and copies only the rows that it touches.
package flow
