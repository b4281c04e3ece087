package engine_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// queued sets a scene with n pending jobs in pipelines of size jobs, spread over
// projects and over sets of tags.
func queued(t testing.TB, database string, n, size, projects int) (*enginetest.World, *enginetest.Runner) {
	t.Helper()
	w := enginetest.New(t, enginetest.Config{Database: database})
	var b strings.Builder
	b.WriteString("default: {image: golang, artifacts: {paths: [out]}}\nstages: [build, test]\n")
	for i := range size {
		fmt.Fprintf(&b, "job %d: {stage: build, script: [make], tags: [t%d]}\n", i, i%3)
	}
	b.WriteString("after: {stage: test, script: [make], tags: [t0]}\n")
	for i := range projects {
		p := w.Project(fmt.Sprint("queued", i), ".gitlab-ci.yml", b.String())
		token := w.TriggerToken(p, w.Someone(p, ci.Maintainer))
		for range max(1, n/size/projects) {
			w.Started(p, token, "main", "COLOR", "red")
		}
	}
	return w, w.Runner("t0", "t1", "t2")
}

// databases gives the URL of a new database of each kind, for enginetest.Config.
var databases = map[string]func(testing.TB) string{
	"sqlite":   func(testing.TB) string { return "" },
	"postgres": postgres.New,
}

// pending counts the jobs that wait for a runner.
func pending(t testing.TB, w *enginetest.World) int {
	t.Helper()
	n, _, err := w.View.Work(t.Context())
	enginetest.Check(t, err)
	return int(n)
}

// A claim is a runner's request that gets a job: whose token it is, which job, and
// that it is the runner's now. All statements count, those that begin and end a
// transaction too.
func TestStatementsOfAClaim(t *testing.T) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			var costs [][]string
			for _, c := range []struct{ pending, size, projects int }{{10, 10, 1}, {2000, 500, 1}, {400, 10, 20}} {
				w, runner := queued(t, database(t), c.pending, c.size, c.projects)
				if got := pending(t, w); got != c.pending {
					t.Fatalf("got %d pending jobs, want %d", got, c.pending)
				}
				costs = append(costs, w.Statements.During(func() {
					enginetest.Must(w.Engine.AuthenticateRunner(t.Context(), runner.Token))(t)
					a := runner.Take()
					enginetest.Equal(t, "job", a.Job.Name, "job 0")
				}))
			}
			if len(costs[0]) > 4 {
				t.Errorf("got %d statements, want at most 4:\n%s", len(costs[0]), strings.Join(costs[0], "\n"))
			}
			for _, other := range costs[1:] {
				if !slices.Equal(other, costs[0]) {
					t.Errorf("got other statements:\n%s\nthan with 10 pending jobs:\n%s", strings.Join(other, "\n"), strings.Join(costs[0], "\n"))
				}
			}
		})
	}
}

// What a claim gives a job of a later stage: the artifacts of those before it, by
// the same statements.
func TestStatementsOfAClaimWithArtifacts(t *testing.T) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			w, runner := queued(t, database(t), 3, 3, 1)
			for range 3 {
				a := runner.Take()
				upload(t, w, a, "")
				runner.Finish(a, true)
			}
			statements := w.Statements.During(func() {
				a := runner.Take()
				enginetest.Equal(t, "artifacts", len(a.Dependencies), 3)
			})
			if len(statements) > 3 { // the runner's token is not among them here
				t.Errorf("got %d statements, want at most 3:\n%s", len(statements), strings.Join(statements, "\n"))
			}
		})
	}
}

// onPostgres measures PostgreSQL, which puts each commit on disk as SQLite does.
var onPostgres = flag.Bool("postgres", false, "measure PostgreSQL instead of SQLite")

// durable is the server that is measured.
var durable = sync.OnceValues(func() (*postgres.Cluster, error) { return postgres.Start(postgres.Config{Durable: true}) })

// BenchmarkClaim is a runner's request that gets a job, without HTTP, while so many
// are pending, 5 in each pipeline. The job is put back meanwhile.
func BenchmarkClaim(b *testing.B) {
	for _, c := range []struct{ pending, projects int }{{10, 1}, {10_000, 1}, {10_000, 50}} {
		b.Run(fmt.Sprintf("pending=%d/projects=%d", c.pending, c.projects), func(b *testing.B) {
			database := ""
			if *onPostgres {
				database = enginetest.Must(durable())(b).New(b, "")
			}
			w, runner := queued(b, database, c.pending, 5, c.projects)
			statements := int64(0)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				before := w.Statements.Count()
				_, err := w.Engine.AuthenticateRunner(b.Context(), runner.Token)
				enginetest.Check(b, err)
				a := runner.Take()
				statements += w.Statements.Count() - before
				b.StopTimer()
				enginetest.Check(b, w.Engine.Unassign(b.Context(), a.Job.ID))
				b.StartTimer()
			}
			b.StopTimer()
			b.ReportMetric(float64(statements)/float64(b.N), "statements/op")
		})
	}
}
