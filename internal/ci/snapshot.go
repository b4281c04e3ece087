package ci

// A Snapshot is a pipeline with all its jobs at one version, retried rows
// included: what the state machine decides on. Jobs are in the order of their
// ids, which is the order of the configuration.
type Snapshot struct {
	Pipeline Pipeline
	Jobs     []Job
}

// Job returns a pointer to the job with this id, or nil.
func (s *Snapshot) Job(id JobID) *Job {
	for i := range s.Jobs {
		if s.Jobs[i].ID == id {
			return &s.Jobs[i]
		}
	}
	return nil
}

// Clone copies the snapshot so far that no change of a job or stage of the copy
// reaches the original. What no rule changes (plans, digests) stays shared.
func (s *Snapshot) Clone() *Snapshot {
	c := &Snapshot{Pipeline: s.Pipeline, Jobs: append([]Job(nil), s.Jobs...)}
	c.Pipeline.Stages = append([]Stage(nil), s.Pipeline.Stages...)
	return c
}

// Changes are what a decision of the state machine comes to: the values that
// rows have afterwards. Whoever applies them compares Pipeline.Version with the
// row first, and leaves everything alone when it differs.
type Changes struct {
	Pipeline Pipeline // as it is afterwards; its Version is that of the snapshot
	Jobs     []Job    // existing rows that changed, as they are afterwards
	New      []Job    // rows to add: retries
	Started  []Job    // of Jobs and New: those that are pending now and were not
	Moved    bool     // the pipeline row itself changed
}

// Empty reports whether nothing changes.
func (c *Changes) Empty() bool { return len(c.Jobs) == 0 && len(c.New) == 0 && !c.Moved }
