package store

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A recorder keeps the statements of a store, those that begin and end
// transactions aside.
type recorder struct {
	mu   sync.Mutex
	seen []string // protected by mu
}

func (r *recorder) add(query string) {
	switch query {
	case "begin immediate", "commit", "rollback", "savepoint w", "release w", "rollback to w":
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, query)
}

// during gives the statements that fn caused.
func (r *recorder) during(fn func()) []string {
	r.mu.Lock()
	r.seen = nil
	r.mu.Unlock()
	fn()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

// openRecorded opens a store with a user and a project.
func openRecorded(t *testing.T) (*DB, *recorder, ci.Project) {
	t.Helper()
	var r recorder
	db, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "lanyard.db"), Statement: r.add})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, &r, addProject(t, db)
}

// addProject adds a user with a project.
func addProject(t *testing.T, db *DB) ci.Project {
	t.Helper()
	user, home, err := db.CreateUser(t.Context(), ci.User{Username: "maya"}, ci.Namespace{Kind: ci.UserNamespace, FullPath: "maya"})
	if err != nil {
		t.Fatal(err)
	}
	project, err := db.CreateProject(t.Context(), ci.Project{NamespaceID: home.ID, FullPath: "maya/demo", CreatorID: user.ID}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// newPipeline describes a pipeline with jobs that share one specification.
func newPipeline(project ci.ProjectID, uid string, jobs int) *NewPipeline {
	n := &NewPipeline{
		Pipeline: ci.Pipeline{UID: uid, ProjectID: project, Status: ci.Created, Duration: -1},
		Specs:    []Spec{{Digest: []byte("digest of " + uid), Body: []byte("{}")}},
	}
	for range jobs {
		n.Jobs = append(n.Jobs, ci.Job{Name: "job", Status: ci.Pending, SpecDigest: n.Specs[0].Digest})
	}
	return n
}

// TestStatements counts the statements of the hot paths.
func TestStatements(t *testing.T) {
	db, r, project := openRecorded(t)
	ctx, v := t.Context(), db.View()
	create := func(n *NewPipeline) func() {
		return func() {
			if _, err := db.CreatePipeline(ctx, n); err != nil {
				t.Error(err)
			}
		}
	}
	full := newPipeline(project.ID, "c", 500)
	full.Variables, full.Upstream = []byte{1}, &ci.Upstream{}
	full.Idempotency = &Idempotency{Scope: []byte{1}, Key: "k", BodyDigest: []byte{1}}
	again := newPipeline(project.ID, "d", 500)
	again.Specs = full.Specs
	for i := range again.Jobs {
		again.Jobs[i].SpecDigest = full.Specs[0].Digest
	}
	read := func(fn func() error) func() {
		return func() {
			if err := fn(); err != nil && !ci.IsNotFound(err) {
				t.Error(err)
			}
		}
	}
	for _, c := range []struct {
		name string
		want int
		run  func()
	}{
		{"pipeline with 1 job", 4, create(newPipeline(project.ID, "a", 1))},
		{"pipeline with 500 jobs", 4, create(newPipeline(project.ID, "b", 500))},
		{"pipeline with everything", 7, create(full)},
		{"pipeline with known specifications", 3, create(again)},
		{"snapshot", 2, read(func() error { _, err := v.Snapshot(ctx, 1); return err })},
		{"pending queues", 1, read(func() error { _, err := v.PendingQueues(ctx, 0); return err })},
		{"trigger by digest", 1, read(func() error { _, err := v.TriggerByDigest(ctx, []byte{1}); return err })},
		{"role", 1, read(func() error { _, err := v.Role(ctx, 1, project); return err })},
		{"refs named", 1, read(func() error { _, err := v.RefsNamed(ctx, project.ID, "main"); return err })},
		{"project", 1, read(func() error { _, err := v.Project(ctx, project.ID); return err })},
		{"user", 1, read(func() error { _, err := v.User(ctx, 1); return err })},
		{"runner", 1, read(func() error { _, err := v.RunnerByDigest(ctx, []byte{1}); return err })},
		{"candidate", 1, read(func() error { _, err := v.Candidate(ctx, 1); return err })},
		{"apply", 1, read(func() error {
			return db.Apply(ctx, ci.Changes{Pipeline: ci.Pipeline{ID: 1, ProjectID: project.ID}, Jobs: []ci.Job{{ID: 1, Status: ci.Running}}}, 1)
		})},
	} {
		if got := r.during(c.run); len(got) != c.want {
			t.Errorf("%s: got %d statements, want %d:\n%s", c.name, len(got), c.want, strings.Join(got, "\n"))
		}
	}
}

// TestForgottenSpecs makes the process remember a specification that the database
// does not have, as after a restore under its feet.
func TestForgottenSpecs(t *testing.T) {
	db, _, project := openRecorded(t)
	n := newPipeline(project.ID, "a", 2)
	db.specs.add(n.Specs)
	p, err := db.CreatePipeline(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if p.IID != 1 {
		t.Errorf("iid: got %d, want 1", p.IID)
	}
	if body, err := db.View().Spec(t.Context(), n.Specs[0].Digest); string(body) != "{}" || err != nil {
		t.Errorf("specification: got %q, %v", body, err)
	}
}

func TestKnownSpecsAreBounded(t *testing.T) {
	var k knownSpecs
	for i := range maxKnownSpecs + 10 {
		k.add([]Spec{{Digest: []byte{byte(i), byte(i >> 8), byte(i >> 16)}}})
	}
	if len(k.set) > maxKnownSpecs {
		t.Errorf("got %d digests, want at most %d", len(k.set), maxKnownSpecs)
	}
	if last := maxKnownSpecs + 9; !k.has([]Spec{{Digest: []byte{byte(last), byte(last >> 8), byte(last >> 16)}}}) {
		t.Error("the last digest is not known")
	}
}

// TestManyQueryTexts runs a query when as many statements are prepared as are kept.
func TestManyQueryTexts(t *testing.T) {
	db, _, project := openRecorded(t)
	db.view.count.Store(maxStatements)
	for range 2 {
		list, total, err := db.View().Pipelines(t.Context(), PipelineFilter{ProjectID: project.ID, OrderBy: "ref", Limit: 1})
		if len(list) != 0 || total != 0 || err != nil {
			t.Errorf("got %v of %d, %v", list, total, err)
		}
	}
	if n := db.view.count.Load(); n != maxStatements {
		t.Errorf("statements: got %d, want %d", n, maxStatements)
	}
}
