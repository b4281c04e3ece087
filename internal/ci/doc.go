// Package ci holds the nouns of the server and the rules that belong to them
// alone: projects, refs, trigger tokens, pipelines, jobs, runners, users.
//
// Everything here is a plain value. The state machine (package flow) takes a
// Snapshot and returns Changes; the engine loads the one and writes the other;
// the store maps both to rows. So flow and store never see each other, and
// whatever a rule needs to know is in the value that it is given.
//
// The package refuses to do any I/O, to read a clock and to make random values.
package ci

import "time"

// Ids that are seen outside. They are instance-wide, never handed out twice
// (docs/decisions, ids) and never zero for a stored row.
type (
	UserID      int64
	NamespaceID int64
	ProjectID   int64
	TriggerID   int64
	PipelineID  int64
	JobID       int64
	RunnerID    int64
	ArtifactID  int64
	TokenID     int64
)

// Clock reads the time. It is a parameter everywhere so that tests own it.
type Clock func() time.Time

// ZeroSHA is the commit id that stands for "none".
const ZeroSHA = "0000000000000000000000000000000000000000"
