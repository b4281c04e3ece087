package script

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// call makes a request as root that has to succeed, without touching what the
// script sees of the last answer.
func (s *session) call(ts *testscript.TestScript, method, path string, body, into any) {
	if s.server == nil {
		ts.Fatalf("no server: say `server` first")
	}
	status, err := s.server.Call(method, path, body, into)
	if err != nil || status >= 300 {
		ts.Fatalf("%s %s as root answered %d, error %v", method, path, status, err)
	}
}

// actAs changes whose requests follow. A new name is a new user.
func (s *session) actAs(ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: as NAME")
	}
	s.actor = args[0]
	s.person(ts, args[0])
}

// person makes a user with a token, unless the script has met the name before.
func (s *session) person(ts *testscript.TestScript, name string) {
	if _, known := s.tokens[name]; known {
		return
	}
	var user struct{ ID int64 }
	s.call(ts, "POST", "/users", map[string]any{
		"username": name, "name": strings.ToUpper(name[:1]) + name[1:], "email": name + "@example.com",
		"password": "correct horse battery " + name, "skip_confirmation": true,
	}, &user)
	var token struct{ Token string }
	s.call(ts, "POST", fmt.Sprintf("/users/%d/personal_access_tokens", user.ID),
		map[string]any{"name": "script", "scopes": []string{"api"}}, &token)
	s.tokens[name] = token.Token
	ts.Setenv(strings.ToUpper(name)+"_TOKEN", token.Token)
	ts.Setenv(strings.ToUpper(name)+"_ID", strconv.FormatInt(user.ID, 10))
}

// project makes a project with the files of the script's folder of its path.
func (s *session) project(ts *testscript.TestScript, args []string) {
	if len(args) == 0 || !strings.Contains(args[0], "/") {
		ts.Fatalf("usage: project GROUP/NAME [KEY=VALUE…]")
	}
	path := args[0]
	group, name := filepath.Dir(path), filepath.Base(path)
	settings := map[string]any{"name": name, "path": name, "namespace_id": s.group(ts, group)}
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		settings[key] = value
	}
	var project struct{ ID int64 }
	s.call(ts, "POST", "/projects", settings, &project)
	ts.Setenv("PROJECT", strconv.FormatInt(project.ID, 10))
	if files := s.files(ts, path); len(files) > 0 {
		s.push(ts, path, "create", files)
	}
}

// group finds or makes a group with those above it and gives its id.
func (s *session) group(ts *testscript.TestScript, path string) int64 {
	var group struct{ ID int64 }
	status, err := s.server.Call("GET", "/groups/"+url.PathEscape(path), nil, &group)
	ts.Check(err)
	if status == 200 {
		return group.ID
	}
	settings := map[string]any{"name": filepath.Base(path), "path": filepath.Base(path), "visibility": "public"}
	if above := filepath.Dir(path); above != "." {
		settings["parent_id"] = s.group(ts, above)
	}
	s.call(ts, "POST", "/groups", settings, &group)
	return group.ID
}

// files lists the files below a folder of the script, by their paths in it.
func (s *session) files(ts *testscript.TestScript, folder string) []string {
	var files []string
	root := ts.MkAbs(folder)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var name string
			if name, err = filepath.Rel(root, path); err == nil {
				files = append(files, name)
			}
		}
		return err
	})
	if !os.IsNotExist(err) {
		ts.Check(err)
	}
	return files
}

// commit changes files of a project's branch main to what the script's folder has.
func (s *session) commit(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: commit PATH FILE…")
	}
	s.push(ts, args[0], "update", args[1:])
}

func (s *session) push(ts *testscript.TestScript, path, action string, files []string) {
	var actions []map[string]any
	for _, name := range files {
		actions = append(actions, map[string]any{
			"action": action, "file_path": name, "encoding": "base64",
			"content": base64.StdEncoding.EncodeToString([]byte(ts.ReadFile(filepath.Join(path, name)))),
		})
	}
	var commit struct{ ID string }
	s.call(ts, "POST", "/projects/"+url.PathEscape(path)+"/repository/commits", map[string]any{
		"branch": "main", "commit_message": "Script [skip ci]", "actions": actions,
	}, &commit)
	ts.Setenv("SHA", commit.ID)
}

// levels are the roles by the words that scripts use.
var levels = map[string]int{"guest": 10, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50}

// member gives somebody a role in a project.
func (s *session) member(ts *testscript.TestScript, args []string) {
	if len(args) != 3 || levels[args[2]] == 0 {
		ts.Fatalf("usage: member PATH NAME guest|reporter|developer|maintainer|owner")
	}
	s.person(ts, args[1])
	id := ts.Getenv(strings.ToUpper(args[1]) + "_ID")
	s.call(ts, "POST", "/projects/"+url.PathEscape(args[0])+"/members",
		map[string]any{"user_id": json.Number(id), "access_level": levels[args[2]]}, nil)
}

// triggerToken makes a trigger token as the actor.
func (s *session) triggerToken(ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: trigger-token PATH")
	}
	s.request(ts, "POST", []string{"projects/" + url.PathEscape(args[0]) + "/triggers", "description=script"})
	s.checkStatus(ts, []string{"201"})
	s.checkJSON(ts, []string{".token", "TRIGGER="})
	s.checkJSON(ts, []string{".id", "TRIGGER_ID="})
}
