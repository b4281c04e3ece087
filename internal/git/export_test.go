package git

import "context"

// Run lets tests outside the package try what git itself would do in our environment.
func (s *Server) Run(ctx context.Context, project int64, args ...string) ([]byte, error) {
	return s.run(ctx, project, nil, args...)
}

// CatFilePIDs lists the idle reading processes of a project.
func (s *Server) CatFilePIDs(project int64) []int {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	var pids []int
	for _, c := range s.pool.idle[project] {
		pids = append(pids, c.cmd.Process.Pid)
	}
	return pids
}

// CatFileCounts says how many reading processes live, over all and for one project,
// and how many callers wait.
func (s *Server) CatFileCounts(project int64) (total, ofProject, waiting int) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.pool.total, s.pool.live[project], len(s.pool.waiting)
}

// HoldCatFile takes a reading process away until the returned function is called.
func (s *Server) HoldCatFile(ctx context.Context, project int64) (release func(), err error) {
	c, err := s.pool.acquire(ctx, project)
	if err != nil {
		return nil, err
	}
	return func() { s.pool.release(c) }, nil
}
