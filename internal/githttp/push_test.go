package githttp_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// A made pipeline, as far as a push decides about it.
type made struct {
	Ref, SHA, Before string
	Tag              bool
	Source           ci.Source
	Status           ci.Status
}

// since gives the pipelines after the first n.
func (w *world) since(p ci.Project, n int) []made {
	w.t.Helper()
	var list []made
	for _, p := range w.pipelines(p)[n:] {
		list = append(list, made{p.Ref, p.SHA, p.BeforeSHA, p.Tag, p.Source, p.Status})
	}
	return list
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestPushStartsAPipeline(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	dev := w.user("dev", p, ci.Developer)
	work := w.clone(p, w.token(dev, auth.ScopeWriteRepository))
	before, had := w.sha(p, "main"), len(w.pipelines(p))
	sha := work.commit("a", "1", "change")
	out := work.must("push", "--progress", "origin", "main", "main:refs/heads/copy")
	same(t, "pipelines", w.since(p, had), []made{
		{"main", sha, before, false, ci.SourcePush, ci.Pending},
		{"copy", sha, ci.ZeroSHA, false, ci.SourcePush, ci.Pending},
	})
	last := w.pipelines(p)[had]
	equal(t, "user", last.UserID, dev.ID)
	if want := fmt.Sprintf("remote: Pipeline #%d for main: %s", last.ID, w.urls.Pipeline(p.FullPath, int64(last.ID))); !strings.Contains(out, want) {
		t.Errorf("git says\n%s\nwithout %q", out, want)
	}
	equal(t, "main in the table", w.recorded(p, "refs/heads/main"), sha)
	equal(t, "copy in the table", w.recorded(p, "refs/heads/copy"), sha)
	work.commit("a", "2", "quiet")
	if out := work.must("push", "-q", "origin", "main"); out != "" {
		t.Errorf("git push -q says %q", out)
	}
	equal(t, "pipelines", len(w.pipelines(p)), had+3)
}

func TestPushOptions(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	work := w.clone(p, w.developer(p))
	push := func(message string, options ...string) (string, []made) {
		had := len(w.pipelines(p))
		work.commit("a", message, message)
		args := []string{"push", "--progress", "origin", "main"}
		for _, option := range options {
			args = append(args, "-o", option)
		}
		return work.must(args...), w.since(p, had)
	}
	for _, message := range []string{"x [ci skip]", "[Skip CI] x", "x\n\n[skip-ci]"} {
		if _, list := push(message); len(list) != 1 || list[0].Status != ci.Skipped {
			t.Errorf("message %q: %v", message, list)
		}
	}
	if out, list := push("y", "ci.skip"); len(list) != 1 || list[0].Status != ci.Skipped || !strings.Contains(out, "was skipped") {
		t.Errorf("ci.skip: %v\n%s", list, out)
	}
	if _, list := push("z", "ci.no_pipeline"); len(list) != 0 {
		t.Errorf("ci.no_pipeline: %v", list)
	}
	equal(t, "main in the table", w.recorded(p, "refs/heads/main"), w.sha(p, "main"))
	if out, list := push("i", "ci.other=a=b", "merge_request.create"); len(list) != 1 ||
		!strings.Contains(out, "remote: Push option ci.other is not known here") || strings.Contains(out, "merge_request") {
		t.Errorf("ci.other: %v\n%s", list, out)
	}
	sha := w.sha(p, "main")
	work.commit("a", "v", "v")
	work.refused([]string{`GitLab: Push option ci.variable must look like -o ci.variable="KEY=value"`, "[remote rejected] main -> main"},
		"push", "-o", "ci.variable=1A", "origin", "main")
	work.refused([]string{`GitLab: Push option ci.input must look like -o ci.input="name=value"`, "[remote rejected] main -> main"},
		"push", "-o", "ci.input=a", "origin", "main")
	equal(t, "main", w.sha(p, "main"), sha)
}

func TestPushInputs(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	work := w.clone(p, w.developer(p))
	work.commit(".gitlab-ci.yml", "spec:\n  inputs:\n    name:\n    n: {type: number, default: 1}\n---\n"+
		"$[[ inputs.name ]]:\n  script: make\n  parallel: $[[ inputs.n ]]\n", "inputs")
	work.must("push", "-o", "ci.input=name=a=b", "-o", `ci.input="n=2"`, "origin", "main")
	list := w.pipelines(p)
	snapshot := must(w.store.View().Snapshot(t.Context(), list[len(list)-1].ID))(t)
	var names []string
	for _, job := range snapshot.Jobs {
		names = append(names, job.Name)
	}
	equal(t, "jobs", strings.Join(names, ", "), "a=b 1/2, a=b 2/2")
}

func TestPushVariables(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	work := w.clone(p, w.developer(p))
	work.commit(".gitlab-ci.yml", "only:\n  script: make\n  rules:\n    - if: $WHO == \"a = b\" && $EMPTY == \"\"\n", "rules")
	had := len(w.pipelines(p))
	out := work.must("push", "origin", "main")
	equal(t, "pipelines without variables", len(w.pipelines(p)), had)
	if want := "remote: No pipeline for main: The resulting pipeline would have been empty"; !strings.Contains(out, want) {
		t.Errorf("git says\n%s\nwithout %q", out, want)
	}
	work.commit("a", "1", "again")
	work.must("push", "-o", "ci.variable=WHO=a = b", "-o", `ci.variable="EMPTY="`, "origin", "main")
	equal(t, "pipelines with variables", len(w.pipelines(p)), had+1)

	p.VariablesRole = ci.VariablesMaintainer
	check(t, w.store.UpdateProject(t.Context(), p))
	sha := work.commit("a", "2", "once more")
	out = work.must("push", "-o", "ci.variable=WHO=x", "origin", "main")
	if want := "remote: No pipeline for main: Insufficient permissions to set pipeline variables"; !strings.Contains(out, want) {
		t.Errorf("git says\n%s\nwithout %q", out, want)
	}
	equal(t, "main", w.sha(p, "main"), sha)
}

// A broken configuration is no reason to refuse a push; it leaves a failed pipeline.
func TestPushOfABrokenConfiguration(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	work := w.clone(p, w.developer(p))
	had := len(w.pipelines(p))
	work.commit(".gitlab-ci.yml", "build:\n  stage: none\n  script: x\n", "broken")
	out := work.must("push", "-q", "origin", "main")
	if want := fmt.Sprintf("remote: Pipeline #%d for main failed: build job: chosen stage", w.pipelines(p)[had].ID); !strings.Contains(out, want) {
		t.Errorf("git says\n%s\nwithout %q", out, want)
	}
	equal(t, "status", w.pipelines(p)[had].Status, ci.Failed)
	work.must("rm", "-q", ".gitlab-ci.yml")
	work.must("commit", "-q", "-m", "none")
	if out := work.must("push", "-q", "origin", "main"); out != "" {
		t.Errorf("without a configuration git says %q", out)
	}
	equal(t, "pipelines", len(w.pipelines(p)), had+1)
}

func TestPushStartsAtMostFourPipelines(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	work := w.clone(p, w.developer(p))
	had := len(w.pipelines(p))
	sha := work.commit("a", "1", "change")
	out := work.must("push", "origin", "main:b1", "main:b2", "main:b3", "main:b4", "main:b5")
	equal(t, "pipelines", len(w.pipelines(p))-had, 4)
	for i := range 5 {
		name := fmt.Sprintf("refs/heads/b%d", i+1)
		equal(t, name, w.recorded(p, name), sha)
	}
	if want := "remote: At most 4 refs of a push get a pipeline."; !strings.Contains(out, want) {
		t.Errorf("git says\n%s\nwithout %q", out, want)
	}
}

func TestProtectedBranch(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	w.protect(p, "main", false, ci.Maintainer)
	w.protect(p, "release/*", false, ci.Maintainer)
	work := w.clone(p, w.developer(p))
	before, had := w.sha(p, "main"), len(w.pipelines(p))
	work.commit("a", "1", "change")
	work.refused([]string{
		"remote: GitLab: You are not allowed to push code to protected branches on this project.",
		"! [remote rejected] main -> main (pre-receive hook declined)",
		"! [remote rejected] main -> topic (pre-receive hook declined)",
		"because of refs/heads/main",
	}, "push", "origin", "main", "main:topic")
	work.refused([]string{"GitLab: You are not allowed to create protected branches on this project."}, "push", "origin", "main:release/1")
	work.refused([]string{"GitLab: The default branch of a project cannot be deleted."}, "push", "origin", ":main")
	equal(t, "main", w.sha(p, "main"), before)
	equal(t, "topic", w.sha(p, "topic"), "")
	equal(t, "topic in the table", w.recorded(p, "refs/heads/topic"), "")
	equal(t, "pipelines", len(w.pipelines(p)), had)

	w.commit(p, "main", "base", "b", "1") // for a release that only maintainers make
	must(w.git.CreateBranch(t.Context(), int64(p.ID), "release/2", "main"))(t)
	work.must("fetch", "-q")
	work.refused([]string{"GitLab: You are not allowed to delete protected branches from this project. Only a project maintainer or owner"},
		"push", "origin", ":release/2")
	maintainer := w.clone(p, w.token(w.root.User))
	maintainer.refused([]string{"GitLab: You can only delete protected branches"}, "push", "origin", ":release/2")
	maintainer.commit("a", "2", "change")
	maintainer.must("push", "origin", "main", "main:release/1")
	enginetest.Check(t, w.engine.CompareRefs(t.Context())) // the refs that the test made past the table
}

func TestForcePush(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	w.protect(p, "main", false, ci.Developer)
	work := w.clone(p, w.developer(p))
	first := w.sha(p, "main")
	second := work.commit("a", "1", "second")
	work.must("push", "origin", "main", "main:topic")
	had := len(w.pipelines(p))

	// Back to a commit that the server knows: refused before git sees it.
	force := "GitLab: You are not allowed to force push code to a protected branch on this project."
	work.refused([]string{force, "pre-receive hook declined"}, "push", "-f", "origin", first+":main")

	// A new commit beside the old one: only git can see that.
	work.must("reset", "-q", "--hard", first)
	third := work.commit("a", "2", "third")
	work.refused([]string{
		"[remote rejected] main -> main", "[remote rejected] main -> other",
		"denying non-fast-forward refs/heads/main", "remote: main is protected: you are not allowed to force push to it.",
	}, "push", "-f", "origin", "main", "main:other")
	equal(t, "main", w.sha(p, "main"), second)
	equal(t, "other", w.sha(p, "other"), "")
	equal(t, "main in the table", w.recorded(p, "refs/heads/main"), second)
	equal(t, "pipelines", len(w.pipelines(p)), had)

	// Where nothing forbids it, force pushes are pushes.
	work.must("push", "-f", "origin", "main:topic")
	same(t, "pipelines", w.since(p, had), []made{{"topic", third, second, false, ci.SourcePush, ci.Pending}})

	// A fast-forward of the protected branch goes through, and new refs with it.
	work.must("reset", "-q", "--hard", second)
	fourth := work.commit("a", "4", "fourth")
	work.must("push", "origin", "main", "main:more")
	equal(t, "main", w.sha(p, "main"), fourth)
	equal(t, "more", w.sha(p, "more"), fourth)
}

func TestForcePushWhereItIsAllowed(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	must(w.store.Protect(t.Context(), ci.Protection{ProjectID: p.ID, Pattern: "main", PushLevel: ci.Developer, ForcePush: true}))(t)
	work := w.clone(p, w.developer(p))
	work.must("commit", "-q", "--amend", "-m", "other words")
	work.must("push", "-f", "origin", "main")
	equal(t, "main", w.sha(p, "main"), work.must("rev-parse", "HEAD"))
}

func TestTags(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	w.protect(p, "v*", true, ci.Maintainer)
	work := w.clone(p, w.developer(p))
	head, had := w.sha(p, "main"), len(w.pipelines(p))
	work.must("tag", "light")
	work.must("tag", "-a", "-m", "words", "heavy")
	work.must("push", "origin", "light", "heavy")
	same(t, "pipelines", w.since(p, had), []made{
		{"light", head, ci.ZeroSHA, true, ci.SourcePush, ci.Pending},
		{"heavy", head, ci.ZeroSHA, true, ci.SourcePush, ci.Pending},
	})
	equal(t, "light in the table", w.recorded(p, "refs/tags/light"), head)
	equal(t, "heavy in the table", w.recorded(p, "refs/tags/heavy"), head)
	ref := must(w.git.Ref(t.Context(), int64(p.ID), "refs/tags/heavy"))(t)
	equal(t, "heavy in the repository", ref.SHA, work.must("rev-parse", "heavy"))
	if ref.SHA == head {
		t.Error("the tag is not annotated")
	}
	check(t, w.engine.CompareRefs(t.Context()))
	equal(t, "heavy after a restart", w.recorded(p, "refs/tags/heavy"), head)

	work.must("tag", "v1")
	work.refused([]string{"GitLab: You are not allowed to create this tag as it is protected."}, "push", "origin", "v1")
	owner := w.clone(p, w.token(w.root.User))
	owner.must("tag", "v1")
	owner.must("push", "origin", "v1")
	owner.commit("a", "1", "x")
	owner.must("tag", "-f", "v1")
	owner.refused([]string{"GitLab: Protected tags cannot be updated."}, "push", "-f", "origin", "v1")
	owner.refused([]string{"GitLab: You can only delete protected tags"}, "push", "origin", ":v1")
	equal(t, "v1", w.sha(p, "refs/tags/v1"), head)

	// A tag of something that is no commit gets no pipeline, and no row.
	had = len(w.pipelines(p))
	work.must("tag", "tree", "HEAD^{tree}")
	work.must("push", "-q", "origin", "tree", ":light")
	equal(t, "pipelines", len(w.pipelines(p)), had)
	equal(t, "tree in the table", w.recorded(p, "refs/tags/tree"), "")
	equal(t, "light in the table", w.recorded(p, "refs/tags/light"), "")
}

func TestDeleteBranch(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	work := w.clone(p, w.developer(p))
	work.must("push", "-q", "origin", "main:topic")
	had := len(w.pipelines(p))
	work.must("push", "-q", "origin", ":topic")
	equal(t, "topic", w.sha(p, "topic"), "")
	equal(t, "topic in the table", w.recorded(p, "refs/heads/topic"), "")
	equal(t, "pipelines", len(w.pipelines(p)), had)
}

// Git refuses some refs of a push itself; the others count.
func TestPushOfWhichGitRefusesAPart(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	work := w.clone(p, w.developer(p))
	work.must("push", "-q", "origin", "main:a")
	had := len(w.pipelines(p))
	sha := work.commit("a", "1", "x")
	work.refused([]string{"! [remote rejected] main -> a/b", "main -> main"}, "push", "origin", "main:a/b", "main")
	same(t, "pipelines", len(w.since(p, had)), 1)
	equal(t, "pipeline", w.since(p, had)[0].SHA, sha)
	equal(t, "main in the table", w.recorded(p, "refs/heads/main"), sha)
	equal(t, "a/b in the table", w.recorded(p, "refs/heads/a/b"), "")
}

func TestOtherRefs(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	work := w.clone(p, w.developer(p))
	had := len(w.pipelines(p))
	work.must("notes", "add", "-m", "a note")
	work.must("push", "-q", "origin", "refs/notes/commits")
	equal(t, "pipelines", len(w.pipelines(p)), had)
	equal(t, "notes in the table", w.recorded(p, "refs/notes/commits"), "")
	work.refused([]string{"GitLab: You are not allowed to change refs below refs/pipelines/."}, "push", "origin", "main:refs/pipelines/1")
	work.refused([]string{"GitLab: You cannot create a branch with a 40-character hexadecimal branch name."},
		"push", "origin", "main:refs/heads/"+strings.Repeat("a", 40))
}

func TestFirstPush(t *testing.T) {
	w := newWorld(t)
	p := must(w.engine.CreateProject(t.Context(), w.root, newProject("empty")))(t)
	work := w.clone(p, w.token(w.root.User))
	sha := work.commit(".gitlab-ci.yml", demoConfig, "first")
	work.must("push", "-q", "origin", "main")
	same(t, "pipelines", w.since(p, 0), []made{{"main", sha, ci.ZeroSHA, false, ci.SourcePush, ci.Pending}})
}

// A push that is larger than git's buffer goes out in pieces, after a probe.
func TestLargePush(t *testing.T) {
	w := newWorld(t, func(s *settings) { s.maxPush = 8 << 20 })
	p := w.project("demo")
	work := w.clone(p, w.developer(p))
	noise := func(size int) {
		data, x := make([]byte, size), uint32(size)
		for i := range data {
			x = x*1664525 + 1013904223
			data[i] = byte(x >> 24)
		}
		check(t, os.WriteFile(filepath.Join(work.dir, "noise"), data, 0o600))
		work.must("add", "noise")
		work.must("commit", "-q", "-m", "noise")
	}
	noise(4 << 20)
	sha := work.must("rev-parse", "HEAD")
	work.must("push", "-q", "origin", "main")
	equal(t, "main", w.sha(p, "main"), sha)
	had := len(w.pipelines(p))
	noise(9 << 20)
	work.refused([]string{"pack exceeds maximum allowed size"}, "push", "origin", "main")
	equal(t, "main", w.sha(p, "main"), sha)
	equal(t, "pipelines", len(w.pipelines(p)), had)

	// Refused before git sees it, the pack is read all the same.
	w.protect(p, "main", false, ci.Maintainer)
	work.refused([]string{"GitLab: You are not allowed to push code to protected branches"}, "push", "origin", "main")
}

func TestPushWithoutPermission(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	reporter := w.user("reporter", p, ci.Reporter)
	work := w.clone(p, w.token(reporter))
	before := w.sha(p, "main")
	work.commit("a", "1", "x")
	work.refused([]string{"remote: You are not allowed to push code to this project."}, "push", "origin", "main")

	dev := w.user("dev", p, ci.Developer)
	work.refused([]string{"remote: You are not allowed to push code to this project. The token needs one of the scopes api, write_repository."},
		"push", w.url(p.FullPath, "x", w.token(dev, auth.ScopeReadRepository)), "main")
	token, _ := w.jobToken()
	work.refused([]string{"remote: You are not allowed to push code with the token of a job."},
		"push", w.url(p.FullPath, "gitlab-ci-token", token), "main")

	good := w.url(p.FullPath, "x", w.token(dev))
	archived := p
	archived.Archived = true
	check(t, w.store.UpdateProject(t.Context(), archived))
	work.refused([]string{"it is archived"}, "push", good, "main")
	check(t, w.store.UpdateProject(t.Context(), p))
	equal(t, "main", w.sha(p, "main"), before)
	work.must("push", "-q", good, "main")
}
