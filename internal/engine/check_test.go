package engine_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/trace"
)

// damaged is what a case of TestCheckFinds damages: project 1 of user 2 with
// pipeline 1, in which build (job 1, with an archive and a log) has succeeded, test
// (job 2) is running on runner 1, deploy (job 3) is created and shy (job 4) is
// manual.
func damaged(t *testing.T) *scene {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "broken", `
stages: [build, test, deploy]
build: {stage: build, script: x, artifacts: {paths: [x]}}
test: {stage: test, script: x, needs: [build]}
deploy: {stage: deploy, script: x}
shy: {stage: deploy, script: x, when: manual, needs: []}
`)
	w.Started(s.project, s.token, "main", "K", "v")
	runner := w.Runner()
	a := runner.Take()
	enginetest.Must(w.Engine.SaveArtifact(t.Context(), a.Job.ID, a.Token, engine.Upload{Body: bytes.NewReader([]byte("zip"))}))(t)
	_, _, err := w.Engine.AppendLog(t.Context(), a.Job.ID, a.Token, 0, strings.NewReader("one\ntwo\n"))
	enginetest.Check(t, err)
	runner.Finish(a, true)
	a = runner.Take()
	_, _, err = w.Engine.AppendLog(t.Context(), a.Job.ID, a.Token, 0, strings.NewReader("three\n"))
	enginetest.Check(t, err)
	enginetest.Equal(t, "jobs", w.Jobs(1), "build success, test running, deploy created, shy manual")
	return s
}

// run changes a database behind the back of everybody.
func (s *scene) run(file string, statements ...string) {
	s.t.Helper()
	pool, err := sql.Open("sqlite", filepath.Join(s.Dir, file)+"?_pragma=busy_timeout(5000)")
	enginetest.Check(s.t, err)
	defer pool.Close()
	for _, statement := range statements {
		result, err := pool.ExecContext(s.t.Context(), statement)
		enginetest.Check(s.t, err)
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			s.t.Fatalf("%d rows, error %v: %s", n, err, statement)
		}
	}
}

// blobOf gives the file of a blob and its key: of the archive, or of the log of job 1.
func (s *scene) blobOf(log bool) (path, key string) {
	s.t.Helper()
	if log {
		key = enginetest.Must(s.Traces.Catalog().Chunks(s.t.Context(), trace.Chunk{}, 1))(s.t)[0].Key
	} else {
		key = enginetest.Must(s.View.Artifact(s.t.Context(), 1, "archive"))(s.t).BlobKey
	}
	return filepath.Join(s.Dir, "blobs", key[:2], key), key
}

// TestCheckFinds damages one thing after the other by hand: each is found in these
// words, and nothing else is. The World's own check is the judge.
func TestCheckFinds(t *testing.T) {
	for _, test := range []struct{ want, statement string }{
		{"pipeline 1 is created and should be running", "update pipelines set status = 'created'"},
		{"stage test of pipeline 1 is pending and should be running", `update pipelines set stages = replace(stages, '"running"', '"pending"')`},
		{"job 2 is running in pipeline 1, which has ended", `update pipelines set status = 'success', stages = replace(stages, '"running"', '"success"');
			update jobs set retried = true where id = 2; insert into jobs (pipeline_id, project_id, name, stage, stage_index, status, plan, allow_failure, user_id, spec_digest, queue, timeout, created_at)
			select pipeline_id, project_id, name, stage, stage_index, 'success', plan, false, user_id, spec_digest, queue, timeout, 1 from jobs where id = 2;
			update jobs set status = 'success' where id = 3; update pipelines set stages = replace(stages, '"created"', '"success"')`},
		{"job 2 is pending in pipeline 1, which has ended", `update pipelines set status = 'success', stages = replace(stages, '"running"', '"success"');
			update project_running set running = 0; update jobs set retried = true, status = 'pending' where id = 2; insert into jobs (pipeline_id, project_id, name, stage, stage_index, status, plan, allow_failure, user_id, spec_digest, queue, timeout, created_at)
			select pipeline_id, project_id, name, stage, stage_index, 'success', plan, false, user_id, spec_digest, queue, timeout, 1 from jobs where id = 2;
			update jobs set status = 'success' where id = 3; update pipelines set stages = replace(stages, '"created"', '"success"')`},
		{"pipeline 2 is running and has no jobs", `
			insert into pipelines (iid, uid, project_id, ref, tag, sha, before_sha, source, status, user_id, created_at, updated_at)
			select 2, 'u', project_id, ref, tag, sha, before_sha, source, 'running', user_id, 1, 1 from pipelines; update project_iids set last_iid = 2`},
		{"job 3 belongs to project 2, its pipeline 1 to another", "update jobs set project_id = 2 where id = 3"},
		{"group 4 is at c/b, which is not its place in group 3", `
			insert into namespaces (kind, name, path, full_path, parent_id, owner_id, visibility, created_at)
			values ('group', 'a', 'a', 'a', 0, 1, 'private', 1), ('group', 'b', 'b', 'c/b', 3, 1, 'private', 1)`},
		{"variable 1 is hidden but not masked", `
			insert into variables (project_id, key, scope, sealed, file, raw, protected, masked, hidden, created_at)
			values (1, 'K', '*', x'00', false, false, false, false, true, 1)`},
		{"versions of variables: 0 rows, and there has to be one", "delete from variables_version"},
		{"log of job 1 has a gap before the chunk at 3", "logs.db: update log_chunks set start = 3"},
		{"chunk at 0 belongs to the log of job 1, which is not there", "logs.db: delete from logs where job_id = 1"},
		{"job 2 of pipeline 1 is created and should be pending", "update jobs set status = 'created' where id = 2; update project_running set running = 0"},
		{"job 2 of pipeline 1 is held by runner 1 and has no token", "update jobs set token_digest = null where id = 2"},
		{"job 2 of pipeline 1 has the unknown status \"lost\"", "update jobs set status = 'lost' where id = 2; update project_running set running = 0"},
		{"job 2 of pipeline 1 is in stage deploy, which the pipeline does not have", "update jobs set stage = 'deploy' where id = 2"},
		{"job 2 of pipeline 1 needs build, which the pipeline does not have", "update jobs set name = 'other' where id = 1"},
		{"job 4 of pipeline 1 counts although another one named deploy does", "update jobs set name = 'deploy' where id = 4"},
		{"job 3 of pipeline 1 was retried and no newer one is there", "update jobs set retried = true where id = 3"},
		{"project 1 counts 5 running jobs and has 1", "update project_running set running = 5"},
		{"project 1 counted 0 pipelines and has iid 1", "update project_iids set last_iid = 0"},
		{"project 1 has no counter of pipelines or of running jobs", "delete from project_iids"},
		{"job 1 of pipeline 1 has no specification", "delete from specs where digest = (select spec_digest from jobs where id = 1)"},
		{"job 1 of pipeline 1 has the queue 2:0:[] of another project or protection", "update jobs set queue = '2:0:[]' where id = 1"},
		{"job 1 of pipeline 1 has the queue 1:1:[] of another project or protection", "update jobs set queue = '1:1:[]' where id = 1"},
		{"artifact 1 belongs to project 2, its job 1 to another", "update artifacts set project_id = 2"},
		{"membership of user 2 is in project 1 and in group 1", "update members set namespace_id = 1 where user_id = 2"},
		{"project 1 is at root/elsewhere, which is not its place in namespace 1", "update projects set full_path = 'root/elsewhere'"},
		{"path root/broken leads away from project 1, which has it", "insert into redirects values ('root/broken', 1)"},
		{"project runner 1 works for no project", "update runners set type = 'project_type'"},
		{"group runner 1 works for no group", "update runners set type = 'group_type'"},
		{"trash 2 is of the unknown kind odd", "insert into trash (kind, key, created_at) values ('odd', 'x', 1)"},
		{"user 2 has no namespace", "delete from namespaces where owner_id = 2"},
		{"redirect old/path belongs to project 9, which is not there", "insert into redirects values ('old/path', 9)"},
		{"trigger token 1 belongs to user 9, which is not there", "update triggers set owner_id = 9"},
		{"pipeline 1 belongs to user 9, which is not there", "update pipelines set user_id = 9"},
		{"variables of pipeline 9 belongs to pipeline 9, which is not there", "update pipeline_variables set pipeline_id = 9"},
		{"upstream of pipeline 1 belongs to pipeline 9, which is not there", "insert into upstreams values (1, 1, 9, 1)"},
		{"upstream of pipeline 1 belongs to job 9, which is not there", "insert into upstreams values (1, 1, 1, 9)"},
		{"job 3 belongs to user 9, which is not there", "update jobs set user_id = 9 where id = 3"},
		{"erased job 3 belongs to user 9, which is not there", "update jobs set erased_by = 9 where id = 3"},
		{"runner 1 belongs to user 9, which is not there", "update runners set creator_id = 9"},
		{"runner manager 1 belongs to runner 9, which is not there", "update runner_managers set runner_id = 9"},
		{"place of runner 9 belongs to runner 9, which is not there", "insert into runner_projects values (9, 1)"},
		{"place of runner 1 belongs to project 9, which is not there", "insert into runner_projects values (1, 9)"},
		{"allow-list of project 1 belongs to group 9, which is not there", "insert into job_token_allowlist values (1, 0, 9)"},
		{"idempotency key k belongs to pipeline 9, which is not there", "insert into idempotency values (x'00', 'k', x'00', 9, 1)"},
		{"session 9 belongs to user 9, which is not there", "insert into sessions values (x'00', 9, 1, 1)"},
		{"sign-in link 9 belongs to user 9, which is not there", "insert into sign_in_links values (x'00', 9, 1)"},
		{"namespace 2 belongs to group 9, which is not there", "update namespaces set parent_id = 9 where id = 2"},
		{"refs/heads/main of project 1 is in the repository and not in the table", "delete from refs"},
		{"refs/heads/more of project 1 is in the table and not in the repository", "insert into refs select project_id, 'refs/heads/more', sha from refs"},
		{"log of job 1 has ended and 8 bytes are not in a chunk", "logs.db: update logs set sealed = 0 where job_id = 1; insert into log_trash select blob_key, 1 from log_chunks; delete from log_chunks; insert into log_tails values (1, 0, 0, 'one'||x'0a'||'two'||x'0a')"},
		{"log of job 1 has 8 bytes in chunks and says 7", "logs.db: update logs set size = 7, sealed = 7 where job_id = 1"},
		{"log of job 2 has 6 bytes in its tail and says 9", "logs.db: update logs set size = 9 where job_id = 2"},
		{"log of job 2 has a gap before the tail at 1", "logs.db: update log_tails set start = 1 where job_id = 2"},
		{"tail at 0 belongs to the log of job 2, which is not there", "logs.db: delete from logs where job_id = 2"},
		{"log of job 9 is there, the job is not", "logs.db: update logs set job_id = 9 where job_id = 2; update log_tails set job_id = 9"},
	} {
		t.Run(test.want, func(t *testing.T) {
			t.Parallel()
			s := damaged(t)
			file, statements, ok := strings.Cut(test.statement, ".db: ")
			if !ok {
				file, statements = "lanyard", test.statement
			}
			s.run(file+".db", strings.Split(statements, ";")...)
			s.Damage(test.want)
		})
	}
}

// TestCheckFindsOnDisk does the same for what is not in a database.
func TestCheckFindsOnDisk(t *testing.T) {
	overwrite := func(s *scene, path, content string) {
		enginetest.Check(s.t, os.WriteFile(path, []byte(content), 0o600))
	}
	for name, damage := range map[string]func(s *scene) (want string){
		"archive gone": func(s *scene) string {
			path, key := s.blobOf(false)
			enginetest.Check(s.t, os.Remove(path))
			return "archive artifact of job 1: its blob " + key + " is not there"
		},
		"archive cut": func(s *scene) string {
			path, key := s.blobOf(false)
			overwrite(s, path, "zi")
			return "archive artifact of job 1: its blob " + key + " has 2 bytes and should have 3"
		},
		"archive changed": func(s *scene) string {
			path, key := s.blobOf(false)
			overwrite(s, path, "zap")
			return "archive artifact of job 1: its blob " + key + " is damaged"
		},
		"log gone": func(s *scene) string {
			path, key := s.blobOf(true)
			enginetest.Check(s.t, os.Remove(path))
			return "log of job 1 from 0 on: its blob " + key + " is not there"
		},
		"log changed": func(s *scene) string {
			path, key := s.blobOf(true)
			overwrite(s, path, "one\nsix\n")
			return "log of job 1 from 0 on: its blob " + key + " is damaged"
		},
		"blob of nothing": func(s *scene) string {
			key := strings.Repeat("0123456789abcdef", 2)
			enginetest.Must(s.Blobs.Put(s.t.Context(), key, strings.NewReader("x")))(s.t)
			return "blob " + key + " belongs to nothing"
		},
		"repository of nothing": func(s *scene) string {
			enginetest.Check(s.t, s.Git.Create(s.t.Context(), 77, "main"))
			return "repository of project 77 is there, the project is not"
		},
		"ref moved": func(s *scene) string {
			sha := enginetest.Must(s.View.Ref(s.t.Context(), s.project.ID, "refs/heads/main"))(s.t).SHA
			moved := s.Commit(s.project, "main", "more", "b", "b")
			ref := ci.Ref{ProjectID: s.project.ID, Name: "refs/heads/main", SHA: sha}
			enginetest.Check(s.t, s.Store.SetRefs(s.t.Context(), s.project.ID, []ci.Ref{ref}, nil))
			return "refs/heads/main of project 1 is at " + moved + " in the repository and at " + sha + " in the table"
		},
		"repository damaged": func(s *scene) string {
			overwrite(s, filepath.Join(s.Git.Path(1), "HEAD"), "nonsense")
			return "the repository of project 1 cannot be read: "
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := damaged(t)
			s.Damage(damage(s))
		})
	}
}

// TestCheckKnowsWhatIsOnItsWay holds that neither what waits to be removed nor what
// is being written is a finding.
func TestCheckKnowsWhatIsOnItsWay(t *testing.T) {
	s := damaged(t)
	key := blob.NewKey(strings.NewReader("an upload that is being written"))
	enginetest.Must(s.Store.AnnounceBlob(t.Context(), key, s.Now().Add(1)))(t)
	enginetest.Must(s.Blobs.Put(t.Context(), key, strings.NewReader("x")))(t)
	enginetest.Check(t, s.Engine.DeleteProject(t.Context(), s.Root, s.project))
	kinds := map[string]bool{}
	for _, row := range enginetest.Must(s.View.AllTrash(t.Context(), 0, 100))(t) {
		kinds[row.Kind] = true
	}
	for _, kind := range []string{store.TrashBlob, store.TrashLog, store.TrashRepository, store.TrashSpec} {
		enginetest.Equal(t, "trash of kind "+kind, kinds[kind], true)
	}
}
