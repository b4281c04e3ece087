package storetest

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// Epoch is the time at which everything in the fixtures happens.
var Epoch = time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)

// A World is a user with a project.
type World struct {
	DB      *store.DB
	User    ci.User
	Home    ci.Namespace
	Project ci.Project
}

// NewWorld adds a user and a project to db.
func NewWorld(tb testing.TB, db *store.DB) World {
	tb.Helper()
	w := World{DB: db}
	w.User, w.Home = NewUser(tb, db, "maya")
	w.Project = NewProject(tb, db, w.Home, w.User, "demo")
	return w
}

// NewUser adds an account.
func NewUser(tb testing.TB, db *store.DB, name string) (ci.User, ci.Namespace) {
	tb.Helper()
	user, home, err := db.CreateUser(tb.Context(),
		ci.User{Username: name, Name: name, Email: name + "@example.com", State: ci.UserActive, Confirmed: true, CreatedAt: Epoch},
		ci.Namespace{Kind: ci.UserNamespace, Name: name, Path: name, FullPath: name, Visibility: ci.Public, CreatedAt: Epoch})
	if err != nil {
		tb.Fatal(err)
	}
	return user, home
}

// NewProject adds a private project to a namespace, without a member.
func NewProject(tb testing.TB, db *store.DB, n ci.Namespace, creator ci.User, path string) ci.Project {
	tb.Helper()
	project, err := db.CreateProject(tb.Context(), ci.Project{
		NamespaceID: n.ID, Name: path, Path: path, FullPath: n.FullPath + "/" + path, Visibility: ci.Private, DefaultBranch: "main",
		CreatorID: creator.ID, CreatedAt: Epoch, UpdatedAt: Epoch, ProjectSettings: ci.DefaultProjectSettings(),
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return project
}

// NewPipeline describes a pipeline of the world's project with jobs in one stage:
// the first is pending, the others are created. uid must differ each time.
func (w World) NewPipeline(uid string, jobs int) *store.NewPipeline {
	n := &store.NewPipeline{Pipeline: ci.Pipeline{
		UID: uid, ProjectID: w.Project.ID, Ref: "main", SHA: "1111111111111111111111111111111111111111", BeforeSHA: ci.ZeroSHA,
		Source: ci.SourceTrigger, Status: ci.Created, UserID: w.User.ID, Stages: []ci.Stage{{Name: "test", Status: ci.Created}},
		CreatedAt: Epoch, UpdatedAt: Epoch, Duration: -1,
	}}
	for i := range jobs {
		body := fmt.Appendf(nil, `{"script":["make step%d"]}`, i)
		n.Specs = append(n.Specs, store.Spec{Digest: digest(body), Body: body})
		job := ci.Job{
			Name: fmt.Sprintf("job %d", i), Stage: "test", Status: ci.Created, SpecDigest: digest(body), UserID: w.User.ID,
			Tags: []string{"linux", "x64"}, Timeout: 3600, Plan: ci.JobPlan{When: ci.WhenOnSuccess, Needs: []ci.Need{{Job: "build", Artifacts: true}}},
		}
		if i == 0 {
			job.Status, job.QueuedAt = ci.Pending, Epoch
		}
		n.Jobs = append(n.Jobs, job)
	}
	return n
}

// digest is what a specification is stored under.
func digest(body []byte) []byte {
	sum := sha256.Sum256(body)
	return sum[:]
}

// NewTrigger describes a trigger token of the world's project; n tells it from
// others.
func (w World) NewTrigger(n int) ci.Trigger {
	description := fmt.Sprintf("trigger %d", n)
	return ci.Trigger{
		ProjectID: w.Project.ID, OwnerID: w.User.ID, Description: &description, Digest: digest(fmt.Append(nil, n)),
		Sealed: []byte{1, 2, byte(n)}, Short: "abcd", CreatedAt: Epoch, UpdatedAt: Epoch,
	}
}
