package script

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// Run runs every script of a folder in each topology, each with servers of its own.
func Run(t *testing.T, dir string) {
	t.Helper()
	process.Binary(t) // built before the scripts share the machine
	for _, on := range []topology{sqlite, onPostgres, replicas} {
		t.Run(on.String(), func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Dir: dir, Cmds: commands(), RequireUniqueNames: true, ContinueOnError: false,
				Setup: func(env *testscript.Env) error { return setup(env, on) },
			})
		})
	}
}

// A command is a verb of the scripts.
type command = func(ts *testscript.TestScript, neg bool, args []string)

func commands() map[string]command {
	verbs := map[string]func(*session, *testscript.TestScript, []string){
		"server": (*session).start, "restart": (*session).restart, "crash": (*session).crash,
		"as": (*session).actAs, "project": (*session).project, "commit": (*session).commit, "member": (*session).member,
		"trigger-token": (*session).triggerToken,
		"curl":          (*session).curl, "status": (*session).checkStatus, "json": (*session).checkJSON,
		"keys": (*session).checkKeys, "header": (*session).checkHeader, "until": (*session).until,
		"runner": (*session).runnerVerb, "zip": (*session).zip, "gzip": (*session).gzip,
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		verbs[method] = func(s *session, ts *testscript.TestScript, args []string) { s.request(ts, method, args) }
	}
	all := map[string]command{"git": git, "body": checkBody, "log": checkLog}
	for name, verb := range verbs {
		all[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg {
				ts.Fatalf("! %s means nothing", name)
			}
			verb(sessionOf(ts), ts, args)
		}
	}
	return all
}

// A session is what one script knows: who is who, where the server is, and what it
// said last.
type session struct {
	t       testing.TB
	data    string // folder of the servers
	on      topology
	url     string            // of the database; empty: SQLite
	servers []*process.Server // that run
	front   *front            // before several servers; nil before one
	server  *process.Server   // the first one, by the URL of all
	actor   string            // whose requests follow
	tokens  map[string]string // of actors
	answer  answer
	runner  runner
}

func sessionOf(ts *testscript.TestScript) *session { return ts.Value("session").(*session) }

// setup gives a script its session and keeps git to itself.
func setup(env *testscript.Env, on topology) error {
	t, ok := env.T().(testing.TB)
	if !ok {
		return fmt.Errorf("scripts run under go test, not under %T", env.T())
	}
	data := filepath.Join(t.TempDir(), "data") // stays until the server's data is checked, as the script's own folder does not
	env.Values["session"] = &session{
		t: t, data: data, on: on, actor: "root", tokens: map[string]string{"root": process.RootToken, "nobody": ""},
	}
	env.Setenv("DATA", data)
	env.Setenv("ROOT_TOKEN", process.RootToken)
	env.Setenv("DATABASE", on.database())
	env.Setenv("SERVERS", strconv.Itoa(on.servers()))
	env.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	env.Setenv("GIT_TERMINAL_PROMPT", "0")
	for _, role := range []string{"AUTHOR", "COMMITTER"} {
		env.Setenv("GIT_"+role+"_NAME", "Script")
		env.Setenv("GIT_"+role+"_EMAIL", "script@example.com")
	}
	return nil
}

func (s *session) start(ts *testscript.TestScript, args []string) {
	s.startServers(ts, args)
	for _, server := range s.servers {
		s.t.Cleanup(func() {
			for _, word := range []string{"DATA RACE", "panic: "} {
				if strings.Contains(server.Log(), word) {
					s.t.Errorf("the server logged %q:\n%s", word, server.Log())
				}
			}
		})
	}
	ts.Setenv("URL", s.server.URL)
	ts.Setenv("HOST", strings.TrimPrefix(s.server.URL, "http://"))
}

func (s *session) restart(ts *testscript.TestScript, args []string) {
	for _, server := range s.servers {
		if err := server.Stop(); err != nil {
			ts.Fatalf("the server did not end well: %v\n%s", err, server.Log())
		}
	}
	s.start(ts, args)
}

func (s *session) crash(*testscript.TestScript, []string) {
	for _, server := range s.servers {
		server.Kill()
	}
}

// log is what the servers logged since their last start.
func (s *session) log() string {
	var all strings.Builder
	for _, server := range s.servers {
		all.WriteString(server.Log())
	}
	return all.String()
}

// checkLog looks for a regular expression in what the server logged since its last
// start.
func checkLog(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: log REGEXP")
	}
	log := sessionOf(ts).log()
	found := matches(ts, args[0], log)
	if found == neg {
		ts.Fatalf("the log of the server: matching %q is %v\n%s", args[0], found, log)
	}
}

// zip packs a folder of the script into a zip file.
func (s *session) zip(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: zip FILE FOLDER")
	}
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	ts.Check(w.AddFS(os.DirFS(ts.MkAbs(args[1]))))
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), buf.Bytes(), 0o600))
}

// gzip packs files of the script, one member for each, as runners pack reports.
func (s *session) gzip(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: gzip FILE FROM…")
	}
	var buf bytes.Buffer
	for _, name := range args[1:] {
		w := gzip.NewWriter(&buf)
		w.Name = name
		_, err := io.WriteString(w, ts.ReadFile(name))
		ts.Check(err)
		ts.Check(w.Close())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), buf.Bytes(), 0o600))
}

// git runs git with the environment of the script.
func git(ts *testscript.TestScript, neg bool, args []string) {
	if err := ts.Exec("git", args...); (err != nil) != neg {
		ts.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
}
