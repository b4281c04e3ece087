package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestLint runs the command from a folder below the top of a checkout, and from one
// that is no checkout.
func TestLint(t *testing.T) {
	top := t.TempDir()
	for name, content := range map[string]string{
		"repo/.git/HEAD":           "ref: refs/heads/main\n",
		"repo/.gitlab-ci.yml":      "include: ci/jobs.yml\n",
		"repo/ci/jobs.yml":         "job:\n  script: echo\n",
		"repo/ci/main.yml":         "include: /ci/broken.yml\n",
		"repo/ci/broken.yml":       "job:\n  scrip: echo\n",
		"repo/ci/escape.yml":       "\"a\\e[2Jb\": {script: [echo]}\nc:\n  stage: \"x\\e[2J\"\n  script: echo\n",
		"plain/.gitlab-ci.yml":     "job:\n  script: echo\n  stage: none\n",
		"plain/sub/.gitlab-ci.yml": "include: jobs.yml\n",
		"plain/sub/jobs.yml":       "job:\n  script: echo\n",
	} {
		name = filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		dir, file string
		code      int
		out, err  string
	}{
		{"repo", "", 0, "", ".gitlab-ci.yml is valid\n"},
		{"repo/ci", "../.gitlab-ci.yml", 0, "", "../.gitlab-ci.yml is valid\n"},
		{"repo", "ci/main.yml", 1, "ci/broken.yml:1:1: jobs job config should implement the script:, run:, or trigger: keyword" +
			" (line 2: unknown key \"scrip\": did you mean \"script\"?)\nci/main.yml:1:1: jobs config should contain at least one visible job\n", ""},
		{"repo/ci", "escape.yml", 1, "escape.yml:3:10: c job: chosen stage x does not exist; available stages are .pre, build, test, deploy, .post\n", ""},
		{"repo", "none.yml", 1, "none.yml:1:1: Missing CI config file\n", ""},
		{"plain", "", 1, ".gitlab-ci.yml:3:10: job job: chosen stage none does not exist; available stages are .pre, build, test, deploy, .post\n", ""},
		{"plain", "sub/.gitlab-ci.yml", 0, "", "sub/.gitlab-ci.yml is valid\n"},
	} {
		t.Run(test.dir+" "+test.file, func(t *testing.T) {
			t.Chdir(filepath.Join(top, test.dir))
			var out, errOut bytes.Buffer
			args := []string{"lint"}
			if test.file != "" {
				args = append(args, test.file)
			}
			code := Main(args, nil, &out, &errOut)
			if code != test.code || out.String() != test.out || errOut.String() != test.err {
				t.Errorf("got code %d\n%s%s\nwant %d\n%s%s", code, out.String(), errOut.String(), test.code, test.out, test.err)
			}
		})
	}
}
