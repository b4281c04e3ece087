package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// TestLintWithServer checks configurations in a folder, alone and with what a server has.
func TestLintWithServer(t *testing.T) {
	server := process.Start(t, filepath.Join(t.TempDir(), "data"))
	shared, _ := server.Project("shared", "job: {script: x}\n")
	var project struct {
		Path string `json:"path_with_namespace"`
	}
	server.Must("GET", fmt.Sprintf("/projects/%d", shared), nil, &project)
	server.Must("POST", fmt.Sprintf("/projects/%d/repository/commits", shared), map[string]any{
		"branch": "main", "commit_message": "shared [skip ci]", "actions": []map[string]any{
			{"action": "create", "file_path": "jobs.yml", "content": "include: {local: more.yml}\nbuild: {script: make}\n"},
			{"action": "create", "file_path": "more.yml", "content": "more: {script: x, rules: [{if: $MORE}]}\n"},
			{"action": "create", "file_path": "templates/scan.yml", "content": "spec: {inputs: {name: }}\n---\n\"scan-$[[ inputs.name ]]\": {script: x}\n"},
		},
	}, nil)
	server.Must("POST", fmt.Sprintf("/projects/%d/repository/tags", shared), map[string]any{"tag_name": "1.2.0", "ref": "main"}, nil)

	folder := t.TempDir()
	write := func(name, content string) string {
		name = filepath.Join(folder, name)
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	wrong := write("wrong.yml", "job:\n  script: x\n  scrip: y\n")
	shares := write("shares.yml", "include: {project: "+project.Path+", file: jobs.yml}\nhere: {script: x}\n")
	component := write("component.yml", "include: {component: $CI_SERVER_FQDN/"+project.Path+"/scan@1, inputs: {name: all}}\n")
	exists := write("exists.yml", "a: {script: x, rules: [{exists: {paths: [templates/*.yml], project: "+project.Path+"}}]}\n")
	missing := write("missing.yml", "include: {project: "+project.Path+", file: none.yml, ref: nope}\njob: {script: x}\n")

	with := []string{"LANYARD_URL=" + server.URL, "LANYARD_TOKEN=" + process.RootToken}
	for _, test := range []struct {
		name string
		env  []string
		args []string
		code int
		want string // in standard output
	}{
		{"wrong", nil, []string{wrong}, 1, wrong + ":3:3: jobs:job config contains unknown keys: scrip (did you mean \"script\"?)\n"},
		{"no server", nil, []string{shares}, 1, shares + ":1:"},
		{"no server said", nil, []string{shares}, 1, "is on a server: name that with --url"},
		{"project", with, []string{shares, "--as", "trigger", "-v", "MORE=1"}, 0, "test: more (on_success)\ntest: build (on_success)\ntest: here (on_success)\n"},
		{"project explained", with, []string{shares, "--explain"}, 0, "more: out, since no rule of 1 matches\n"},
		{"component", with, []string{component, "--ref", "main"}, 0, "test: scan-all (on_success)\n"},
		{"component alone", nil, []string{component}, 1, "(components are on a server: name that with --url)\n"},
		{"exists", with, []string{exists, "--explain"}, 0, "        templates/scan.yml matches\n"},
		{"no ref", with, []string{missing}, 1, "Project `" + project.Path + "` reference `nope` does not exist!\n"},
		{"nobody", []string{"LANYARD_URL=" + server.URL}, []string{shares}, 1, "Project `" + project.Path + "` not found or access denied!"},
		{"wrong url", nil, []string{shares, "--url", "nonsense"}, 2, ""},
	} {
		code, out, errOut := run(t, test.env, append([]string{"lint"}, test.args...)...)
		if code != test.code || !strings.Contains(out, test.want) || strings.Contains(out+errOut, process.RootToken) {
			t.Errorf("%s: got code %d\n%s%swant %d and %s", test.name, code, out, errOut, test.code, test.want)
		}
	}
}
