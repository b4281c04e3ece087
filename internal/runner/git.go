package runner

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// getSources brings the checkout to the job's commit, between the hooks that the server asked for.
func (j *job) getSources(ctx context.Context) error {
	if err := j.hook(ctx, "pre_get_sources_script"); err != nil {
		return err
	}
	if err := j.checkout(ctx); err != nil {
		return err
	}
	return j.hook(ctx, "post_get_sources_script")
}

func (j *job) hook(ctx context.Context, name string) error {
	for _, hook := range j.payload.Hooks {
		if hook.Name == name && len(hook.Script) > 0 {
			if err := j.shell(ctx, name, hook.Script, "running"); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkout follows GIT_STRATEGY: none leaves the folder as it is, empty clears it, clone starts afresh, fetch reuses
// what is there.
func (j *job) checkout(ctx context.Context) error {
	strategy := j.vars.get("GIT_STRATEGY")
	if strategy == "" {
		strategy = "clone"
		if j.payload.AllowGitFetch {
			strategy = "fetch"
		}
	}
	git := j.payload.GitInfo
	switch {
	case strategy == "empty":
		j.log.step("Skipping Git repository setup and creating an empty build directory")
		return j.clearProject()
	case strategy == "none" || git.RepoURL == "":
		j.log.step("Skipping Git repository setup")
		j.log.step("Skipping Git checkout")
		j.log.step("Skipping Git submodules setup")
		return nil
	case strategy != "fetch" && strategy != "clone":
		return systemFailure(fmt.Errorf("GIT_STRATEGY is %q, not fetch, clone, none or empty", strategy))
	case j.runner.git == "":
		return systemFailure(errors.New("no git on this machine"))
	}
	if strategy == "clone" {
		if err := j.clearProject(); err != nil {
			return err
		}
	}
	attempts, err := strconv.Atoi(j.vars.get("GET_SOURCES_ATTEMPTS"))
	if err != nil {
		attempts = 1
	}
	used := strategy == "fetch" && j.hasRepository()
	for n := 1; ; n++ {
		err := j.fetch(ctx)
		_, failed := errors.AsType[*exitError](err)
		switch {
		case err == nil || ctx.Err() != nil || !failed:
			return err
		case n < attempts:
			j.log.warn("get sources: %v, trying again", err)
		case used: // what an earlier job or a crash left may be beyond use
			j.log.warn("get sources: %v, trying again without the old checkout", err)
			if err := j.clearProject(); err != nil {
				return err
			}
			used = false
		default:
			return err
		}
	}
}

func (j *job) hasRepository() bool {
	err := j.ws.inProject(func(root *os.Root) error {
		_, err := root.Lstat(".git")
		return err
	})
	return err == nil
}

// clearProject empties the checkout, keeping the folder itself.
func (j *job) clearProject() error {
	err := j.ws.as.do(func() error {
		names, err := os.ReadDir(j.ws.project)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := removeTree(j.ws.project + "/" + name.Name()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return systemFailure(fmt.Errorf("clear workspace: %w", err))
	}
	return nil
}

// fetch is one try: repository, objects, working tree, submodules.
func (j *job) fetch(ctx context.Context) error {
	info := j.payload.GitInfo
	source, header, err := splitCredentials(info.RepoURL)
	if err != nil {
		return systemFailure(err)
	}
	env := j.gitEnviron(source, header)
	depth := ""
	if info.Depth > 0 {
		depth = fmt.Sprintf(" with git depth set to %d", info.Depth)
	}
	j.log.step("Fetching changes%s...", depth)
	if err := j.initRepository(ctx, env, source); err != nil {
		return err
	}
	args := []string{"fetch", "origin", "--no-recurse-submodules"}
	args = append(args, j.depthArgs()...)
	if extra := strings.Fields(j.vars.get("GIT_FETCH_EXTRA_FLAGS")); len(extra) > 0 {
		args = append(args, extra...)
	} else {
		args = append(args, "--prune", "--quiet")
	}
	if err := j.gitRemote(ctx, env, append(args, info.Refspecs...)...); err != nil {
		return err
	}
	if off := j.vars.get("GIT_CHECKOUT"); off == "false" || off == "0" {
		j.log.step("Skipping Git checkout")
	} else if err := j.checkoutCommit(ctx, env); err != nil {
		return err
	}
	return j.submodules(ctx, env)
}

func (j *job) checkoutCommit(ctx context.Context, env []string) error {
	info := j.payload.GitInfo
	j.log.step("Checking out %s as detached HEAD (ref is %s)...", info.SHA[:min(8, len(info.SHA))], info.Ref)
	if err := j.git(ctx, env, "-c", "submodule.recurse=false", "checkout", "--force", "--quiet", "--detach", info.SHA); err != nil {
		return err
	}
	return j.clean(ctx, env)
}

// clean removes what an earlier job left: everything that git does not track, unless GIT_CLEAN_FLAGS says otherwise.
func (j *job) clean(ctx context.Context, env []string) error {
	flags := strings.Fields(j.vars.get("GIT_CLEAN_FLAGS"))
	if slices.Equal(flags, []string{"none"}) {
		return nil
	}
	if len(flags) == 0 {
		flags = []string{"-ffdx"}
	}
	return j.git(ctx, env, append([]string{"clean", "--quiet"}, flags...)...)
}

// untrusted is what git obeys in a repository, and what stops it.
var untrusted = []string{
	"config", "config.worktree", "commondir", "hooks", "info", "objects/info/alternates",
	"config.lock", "index.lock", "shallow.lock", "HEAD.lock", "packed-refs.lock",
}

// initRepository makes the repository, or trusts nothing of the old one but its objects: configuration, hooks and
// locks are what an earlier job of the project may have left, and git would obey them.
func (j *job) initRepository(ctx context.Context, env []string, source string) error {
	fresh := false
	err := j.ws.inProject(func(root *os.Root) error {
		if fi, err := root.Lstat(".git"); err != nil || !fi.IsDir() {
			fresh = true
			return root.RemoveAll(".git")
		}
		if _, err := root.Lstat(".git/modules"); err == nil {
			fresh = true // each submodule has a configuration of its own in there
			return nil
		}
		for _, name := range untrusted {
			if err := root.RemoveAll(path.Join(".git", name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && fresh {
		err = j.clearProject()
	}
	if err != nil {
		return systemFailure(fmt.Errorf("prepare repository: %w", err))
	}
	args := []string{"init", "--quiet", "--template="}
	if format := j.payload.GitInfo.ObjectFormat; fresh && format != "" {
		args = append(args, "--object-format="+format)
	}
	if err := j.git(ctx, env, args...); err != nil {
		return err
	}
	if fresh {
		j.log.step("Created fresh repository.")
	}
	settings := [][2]string{
		{"remote.origin.url", source},
		{"fetch.recurseSubmodules", "false"},
		{"gc.auto", "0"},
		{"credential.interactive", "never"},
	}
	if helper := hostKey(source, "credential", "helper"); helper != "" {
		// Lets the script itself fetch. The token is in the environment of the job, not in this file.
		settings = append(settings, [2]string{helper, tokenHelper})
	}
	for _, s := range settings {
		if err := j.git(ctx, env, "config", s[0], s[1]); err != nil {
			return err
		}
	}
	return nil
}

// tokenHelper is a git credential helper that answers with the job's token.
const tokenHelper = `!f() { test "$1" = get && printf 'username=gitlab-ci-token\npassword=%s\n' "$CI_JOB_TOKEN"; }; f`

func (j *job) depthArgs() []string {
	if depth := j.payload.GitInfo.Depth; depth > 0 {
		return []string{"--depth", strconv.Itoa(depth)}
	}
	shallow := false
	_ = j.ws.inProject(func(root *os.Root) error { // no such file, no history to complete
		_, err := root.Lstat(".git/shallow")
		shallow = err == nil
		return nil
	})
	if shallow {
		return []string{"--unshallow"}
	}
	return nil
}

// submodules follows GIT_SUBMODULE_STRATEGY. Those on the server's own host get the job's token.
func (j *job) submodules(ctx context.Context, env []string) error {
	strategy := j.vars.get("GIT_SUBMODULE_STRATEGY")
	var recursive []string
	switch strategy {
	case "", "none":
		j.log.step("Skipping Git submodules setup")
		return nil
	case "normal":
		j.log.step("Updating/initializing submodules...")
	case "recursive":
		j.log.step("Updating/initializing submodules recursively...")
		recursive = []string{"--recursive"}
	default:
		return systemFailure(fmt.Errorf("GIT_SUBMODULE_STRATEGY is %q, not none, normal or recursive", strategy))
	}
	if err := j.git(ctx, env, append([]string{"submodule", "--quiet", "sync"}, recursive...)...); err != nil {
		return err
	}
	args := append([]string{"submodule", "--quiet", "update", "--init", "--force"}, recursive...)
	if depth := j.vars.get("GIT_SUBMODULE_DEPTH"); depth != "" {
		args = append(args, "--depth", depth)
	}
	return j.gitRemote(ctx, env, append(args, strings.Fields(j.vars.get("GIT_SUBMODULE_UPDATE_FLAGS"))...)...)
}

// git runs git in the checkout.
func (j *job) git(ctx context.Context, env []string, args ...string) error {
	return j.run(ctx, j.runner.git, args, env)
}

// gitRemote runs a git command that talks to the server, again while the server is away.
func (j *job) gitRemote(ctx context.Context, env []string, args ...string) error {
	return j.runner.timing.stream.retry(ctx, func() error {
		heard := &tail{out: j.trace}
		err := j.runTo(ctx, heard, j.runner.git, args, env)
		if _, failed := errors.AsType[*exitError](err); failed && heard.unreachable() {
			return &transportError{what: "git " + args[0], err: err}
		}
		return err
	})
}

// tail passes output on and remembers its end.
type tail struct {
	out  io.Writer
	last []byte
}

// Write never keeps more than a few kilobytes.
func (t *tail) Write(p []byte) (int, error) {
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-4096):]
	return t.out.Write(p)
}

// unreachable tells from git's words (LC_ALL=C) whether the server was away, rather than unwilling.
func (t *tail) unreachable() bool {
	if strings.Contains(string(t.last), "remote error:") {
		return false // the server said what it has against it
	}
	return slices.ContainsFunc([]string{
		"Failed to connect", "Couldn't connect", "Connection refused", "Connection reset", "Could not resolve host", "timed out",
		"The requested URL returned error: 50", "The requested URL returned error: 429", "Empty reply from server",
		"Recv failure", "early EOF", "the remote end hung up unexpectedly", "RPC failed",
	}, func(words string) bool { return strings.Contains(string(t.last), words) })
}

// gitEnviron is the job's environment and what git needs beside: the credentials, which are kept out of every file,
// URL and command line, and a language that this program can read.
func (j *job) gitEnviron(source, header string) []string {
	count, err := strconv.Atoi(j.vars.get("GIT_CONFIG_COUNT"))
	if err != nil {
		count = 0
	}
	env := j.environ("GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	set := func(key, value string) {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", count, key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", count, value))
		count++
	}
	set("http.userAgent", j.runner.client.agent)
	if key := hostKey(source, "http", "extraHeader"); key != "" && header != "" {
		set(key, header)
	}
	if file := j.vars.get(caVariable); file != "" && j.runner.config.CAFile != "" {
		if key := hostKey(source, "http", "sslCAInfo"); key != "" {
			set(key, file)
		}
	}
	return append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(count))
}

// hostKey names a setting of git that holds for one server: "http.https://host/.extraHeader".
func hostKey(source, section, name string) string {
	u, err := url.Parse(source)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return ""
	}
	return fmt.Sprintf("%s.%s://%s/.%s", section, u.Scheme, u.Host, name)
}

// splitCredentials takes user and password out of a repository's URL and makes a header of them.
func splitCredentials(repo string) (source, header string, err error) {
	u, err := url.Parse(repo)
	if err != nil {
		return "", "", errors.New("repository URL of the job cannot be read") // the error would show it, with its token
	}
	if u.User == nil {
		return repo, "", nil
	}
	password, _ := u.User.Password()
	basic := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
	u.User = nil
	return u.String(), "Authorization: Basic " + basic, nil
}
