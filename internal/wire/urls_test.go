package wire

import (
	"strings"
	"testing"
)

func TestURLs(t *testing.T) {
	for external, base := range map[string]string{
		"http://127.0.0.1:8929":     "http://127.0.0.1:8929",
		"http://127.0.0.1:8929/":    "http://127.0.0.1:8929",
		"https://host/ci":           "https://host/ci",
		"https://host//ci/":         "https://host/ci",
		"https://[2001:db8::1]/a/b": "https://[2001:db8::1]/a/b",
		"https://host/my%20ci":      "https://host/my%20ci",
	} {
		u, err := ParseURLs(external)
		if err != nil {
			t.Errorf("%s: %v", external, err)
			continue
		}
		for name, pair := range map[string][2]string{
			"base":     {u.Base(), base},
			"abs":      {u.Abs("/x"), base + "/x"},
			"api":      {u.API(), base + "/api/v4"},
			"project":  {u.Project("group/sub/my.app"), base + "/group/sub/my.app"},
			"pipeline": {u.Pipeline("g/p", 12), base + "/g/p/-/pipelines/12"},
			"job":      {u.Job("g/p", 101), base + "/g/p/-/jobs/101"},
			"commit":   {u.Commit("g/p", "abc"), base + "/g/p/-/commit/abc"},
			"user":     {u.User("maya"), base + "/maya"},
			"clone":    {u.Clone("g/p"), base + "/g/p.git"},
			"escaped":  {u.Project("g/a b#?"), base + "/g/a%20b%23%3F"},
			"prefix":   {"https://x" + u.Path("/y"), "https://x" + u.Prefix() + "/y"},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s %s: got %s, want %s", external, name, pair[0], pair[1])
			}
		}
	}
}

func TestCloneAs(t *testing.T) {
	u, err := ParseURLs("https://host:8443/ci")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := u.CloneAs("gitlab-ci-token", "glcbt-a/b", "g/p"), "https://gitlab-ci-token:glcbt-a%2Fb@host:8443/ci/g/p.git"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := u.Path("/-/static/a.css"), "/ci/-/static/a.css"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	for _, external := range []string{"", "host", "ftp://host", "http://", "http://user:pw@host", "http://host?x=1", "http://host#x", "http://host/../x", "http://host/%zz"} {
		if u, err := ParseURLs(external); err == nil {
			t.Errorf("%q: got %v", external, u.Base())
		}
	}
	if _, err := ParseURLs("http://user:hunter2@host"); err == nil || len(err.Error()) == 0 || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestZeroURLs(t *testing.T) {
	var u URLs
	if u.Base() != "" || u.Prefix() != "" || u.API() != "/api/v4" {
		t.Errorf("got %q %q %q", u.Base(), u.Prefix(), u.API())
	}
}
