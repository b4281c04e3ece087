package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

const denied = "unprocessable: Project `root/lib` not found or access denied! " +
	"Make sure any includes in the pipeline configuration are correctly defined."

// An included project is read with the rights of the pipeline's user, whoever
// triggered before, and as it is now: the right and the ref are asked for on every
// trigger, of one commit and out of a warm cache.
func TestIncludedProjectIsReadWithTheRightsOfTheUser(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	lib := w.Project("lib", "ci/a.yml", "include: b.yml\na: {script: x}\n", "b.yml", "b: {script: x}\n")
	s := newScene(t, w, "app", "include: [{project: Root/Lib, file: /ci/a.yml}]\n"+simple)
	w.Member(s.owner, lib, ci.Reporter)
	stranger := w.Someone(s.project, ci.Developer)
	strange := w.TriggerToken(s.project, stranger)
	both := func(step, owner, other string) {
		t.Helper()
		for range 2 {
			got := s.trigger("main")
			if got == "" {
				got = w.Jobs(s.latest().ID)
			}
			enginetest.Equal(t, step+": owner", got, owner)
			_, err := w.Trigger(s.project, strange, "main")
			got = enginetest.Text(err)
			if got == "" {
				got = w.Jobs(s.latest().ID)
			}
			enginetest.Equal(t, step+": other", got, other)
		}
	}
	const jobs = "b pending, a pending, build pending"
	both("first", jobs, denied)
	w.Member(s.owner, lib, ci.NoRole)
	w.Member(stranger, lib, ci.Developer)
	both("rights changed", denied, jobs)
	w.Commit(lib, "main", "Next", "b.yml", "c: {script: x}\n")
	both("lib moved", denied, "c pending, a pending, build pending")
	w.Member(s.owner, lib, ci.Guest) // sees a private project, not its code
	both("guest", denied, "c pending, a pending, build pending")
	w.Set(lib, func(p *ci.Project) { p.Visibility = ci.Public })
	both("public", "c pending, a pending, build pending", "c pending, a pending, build pending")
}

// What ref may say: branches, tags, commits; a tag beats a branch, as in git.
func TestIncludeOfRefs(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	lib := w.Project("lib", "a.yml", "main: {script: x}\n")
	first := enginetest.Must(w.Git.Resolve(t.Context(), int64(lib.ID), "main"))(t)
	w.Tag(lib, "v1", "main", "annotated")
	w.Commit(lib, "main", "Next", "a.yml", "next: {script: x}\n")
	w.Commit(lib, "v1", "A branch that is called like the tag", "a.yml", "branch: {script: x}\n")
	s := newScene(t, w, "app", "include: [{project: root/lib, file: a.yml, ref: $REF}]\n"+simple)
	w.Member(s.owner, lib, ci.Developer)
	for ref, want := range map[string]string{
		"":              "next",
		"HEAD":          "next",
		"main":          "next",
		"v1":            "main", // the tag
		"refs/heads/v1": "branch",
		"refs/tags/v1":  "main",
		first:           "main",
		first[:10]:      "main",
		"nope":          "unprocessable: Project `root/lib` reference `nope` does not exist!",
		"refs/heads/no": "unprocessable: Project `root/lib` reference `refs/heads/no` does not exist!",
		"main~1":        "unprocessable: Project `root/lib` reference `main~1` does not exist!",
	} {
		got := s.trigger("main", "REF", ref)
		if got == "" {
			got, _, _ = strings.Cut(w.Jobs(s.latest().ID), " ")
		}
		enginetest.Equal(t, ref, got, want)
	}
	enginetest.Equal(t, "a number is no path", s.trigger("main", "REF", "main"), "")
	numbered := newScene(t, w, "numbered", fmt.Sprintf("include: [{project: '%d', file: a.yml}]\n", lib.ID)+simple)
	enginetest.Equal(t, "a number is no path", strings.Contains(numbered.trigger("main"), "not found or access denied"), true)
}

func TestIncludedComponents(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	component := func(name string) string {
		return "spec:\n  inputs: {job: {}}\n  component: [version]\n---\n\"$[[ inputs.job ]] " + name + " $[[ component.version ]]\": {script: x}\n"
	}
	lib := w.Project("lib", "templates/a.yml", component("one"))
	s := newScene(t, w, "app", "include: [{component: $CI_SERVER_FQDN/root/lib/a@$V, inputs: {job: j}}]\n")
	w.Member(s.owner, lib, ci.Developer)
	made := func(version string) string {
		t.Helper()
		if refusal := s.trigger("main", "V", version); refusal != "" {
			return refusal
		}
		return strings.TrimSuffix(w.Jobs(s.latest().ID), " pending")
	}
	enginetest.Equal(t, "no version", made("~latest"), "unprocessable: Component 'ci.example.com/root/lib/a@~latest' - "+
		"The ~latest version reference is not supported for non-catalog resources. Use a tag, branch, or commit SHA instead.")
	w.Tag(lib, "1.2.0", "main", "")
	enginetest.Equal(t, "newest", made("~latest"), "j one 1.2.0")
	w.Commit(lib, "main", "Next", "templates/a.yml", component("two"))
	w.Tag(lib, "1.10.0", "main", "Release")
	enginetest.Equal(t, "newer", made("~latest"), "j two 1.10.0")
	enginetest.Equal(t, "part of one", made("1.2"), "j one 1.2.0")
	enginetest.Equal(t, "a branch", made("main"), "j two ")
}

// remoteFiles are what there is elsewhere, by address.
type remoteFiles struct {
	mu    sync.Mutex // protects all fields below
	files map[string]string
	err   error
	asked int
}

func (r *remoteFiles) set(address, content string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[address] = content
}

func (r *remoteFiles) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *remoteFiles) Fetch(_ context.Context, address string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	content, ok := r.files[address]
	switch {
	case r.err != nil:
		return nil, r.err
	case !ok:
		return nil, &ciyaml.RemoteError{Problem: ciyaml.RemoteSocket}
	}
	return []byte(content), nil
}

// A remote file counts as it is now; what was made of it before is kept only as
// long as it stays the same.
func TestIncludedRemoteFile(t *testing.T) {
	remote := &remoteFiles{files: map[string]string{}}
	w := enginetest.New(t, enginetest.Config{Remote: remote})
	s := newScene(t, w, "app", "include: https://example.com/a.yml\n"+simple)
	const gone = "unprocessable: Remote file `https://example.com/a.yml` could not be fetched because of a socket error!"
	for _, content := range []string{"", "a: {script: x}\n", "b: {script: x}\n", "a: {script: x}\n", "c: {script: x, foo: 1}"} {
		want := gone
		if content != "" {
			remote.set("https://example.com/a.yml", content)
			want = content[:1] + " pending, build pending"
			if strings.Contains(content, "foo") {
				want = "unprocessable: jobs:c config contains unknown keys: foo"
			}
		}
		for range 2 {
			got := s.trigger("main")
			if got == "" {
				got = w.Jobs(s.latest().ID)
			}
			enginetest.Equal(t, content, got, want)
		}
	}
	remote.fail(errors.New("broken"))
	if got := s.trigger("main"); !strings.Contains(got, "broken") || strings.HasPrefix(got, "unprocessable") {
		t.Errorf("a failure of the server: got %s", got)
	}
	remote.fail(context.DeadlineExceeded)
	other := newScene(t, w, "slow", "include: https://example.com/b.yml\n"+simple)
	enginetest.Equal(t, "too slow", other.trigger("main"), "unprocessable: Request timed out when fetching configuration files.")
	remote.fail(nil)
	remote.set("https://example.com/b.yml", "b: {script: x}\n")
	enginetest.Equal(t, "not remembered", other.trigger("main"), "")
}

func TestNoRemoteFilesWithoutAFetcher(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "app", "include: https://example.com/a.yml\n"+simple)
	enginetest.Equal(t, "answer", s.trigger("main"), "unprocessable: Remote file `https://example.com/a.yml` "+ciyaml.RemoteBlocked)
}

// Inputs are part of what a configuration is made from.
func TestInputsAndTheCache(t *testing.T) {
	s, log := counted(t, "spec: {inputs: {name: {}}}\n---\n$[[ inputs.name ]]: {script: x}\n")
	for _, step := range []struct{ name, reads string }{
		{"a", "commit .gitlab-ci.yml"}, {"b", ".gitlab-ci.yml"}, {"a", ""}, {"b", ""},
	} {
		request := enginetest.Request(s.project, s.token, "main")
		request.Inputs = []ci.Input{{Name: "name", JSON: `"` + step.name + `"`}}
		made := enginetest.Must(s.Engine.Trigger(t.Context(), request))(t)
		enginetest.Equal(t, "jobs", s.Jobs(made.Pipeline.ID), step.name+" pending")
		enginetest.Equal(t, "reads", log.reads(), step.reads)
	}
	enginetest.Equal(t, "none given", s.trigger("main"), "unprocessable: `.gitlab-ci.yml`: `name` input: required value has not been provided")
	_, err := s.Engine.RunPipeline(t.Context(), engine.Caller{User: s.owner}, s.project, "main", nil, ci.Input{Name: "name", JSON: "[1]"})
	enginetest.Equal(t, "wrong type", enginetest.Text(err), "invalid: `.gitlab-ci.yml`: `name` input: provided value is not a string")
	request := enginetest.Request(s.project, s.token, "main")
	for i := range 21 {
		request.Inputs = append(request.Inputs, ci.Input{Name: fmt.Sprint("i", i), JSON: "1"})
	}
	_, err = s.Engine.Trigger(t.Context(), request)
	enginetest.Equal(t, "too many", enginetest.Text(err), "invalid: There cannot be more than 20 inputs")
}

// What a push changed decides on includes, and another push of the same commit may
// have changed something else.
func TestIncludeRulesChanges(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "app", "include: [{local: docs.yml, rules: [{changes: [docs/*]}]}]\n"+simple)
	first := w.Commit(s.project, "main", "Files", "docs.yml", "docs: {script: x}\n")
	second := w.Commit(s.project, "main", "Docs", "docs/a.md", "a")
	third := w.Commit(s.project, "main", "Code", "main.go", "a")
	for _, step := range []struct{ before, want string }{
		{second, "build pending"},
		{first, "docs pending, build pending"},
		{second, "build pending"},
		{ci.ZeroSHA, "docs pending, build pending"},
	} {
		change := engine.RefChange{Name: "refs/heads/main", Before: step.before, After: third}
		made := enginetest.Must(s.Engine.Pushed(t.Context(), engine.Push{
			Project: s.project, Caller: engine.Caller{User: s.owner}, Changes: []engine.RefChange{change},
		}))(t)
		enginetest.Equal(t, "since "+step.before, s.Jobs(made[0].Pipeline.ID), step.want)
	}
}
