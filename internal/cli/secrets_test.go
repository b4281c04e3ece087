package cli

import (
	"bytes"
	"slices"
	"testing"
)

func TestApart(t *testing.T) {
	for _, test := range []struct {
		name      string
		args, env []string
		want      parts
	}{
		{"nothing secret", []string{"serve", "--listen", "x"}, []string{"PATH=/bin", "LANYARD_LISTEN=y"},
			parts{args: []string{"serve", "--listen", "x"}, env: []string{"PATH=/bin", "LANYARD_LISTEN=y"}}},
		{"variables", []string{"serve"}, []string{"A=1", "LANYARD_ROOT_TOKEN=t=1", "B=2", "LANYARD_ROOT_PASSWORD=p", "LANYARD_ROOT_TOKEN_FILE=f"},
			parts{args: []string{"serve"}, env: []string{"A=1", "B=2", "LANYARD_ROOT_TOKEN_FILE=f"}, secrets: []string{"LANYARD_ROOT_TOKEN=t=1", "LANYARD_ROOT_PASSWORD=p"}}},
		{"credentials of an object store", []string{"check"}, []string{"AWS_SECRET_ACCESS_KEY=s", "AWS_REGION=r", "AWS_ACCESS_KEY_ID=a", "LANYARD_BLOB_SECRET_KEY=t", "LANYARD_BLOB_ACCESS_KEY=b"},
			parts{args: []string{"check"}, env: []string{"AWS_REGION=r"}, secrets: []string{"AWS_SECRET_ACCESS_KEY=s", "AWS_ACCESS_KEY_ID=a", "LANYARD_BLOB_SECRET_KEY=t", "LANYARD_BLOB_ACCESS_KEY=b"}}},
		{"an empty variable", []string{"serve"}, []string{"LANYARD_ROOT_TOKEN="}, parts{args: []string{"serve"}, env: []string{"LANYARD_ROOT_TOKEN="}}},
		{"the runner's flag, after its variable", []string{"runner", "--url", "u", "--token", "glrt-1", "--once"}, []string{"LANYARD_RUNNER_TOKEN=glrt-0"},
			parts{args: []string{"runner", "--url", "u", "--once"}, secrets: []string{"LANYARD_RUNNER_TOKEN=glrt-0", "LANYARD_RUNNER_TOKEN=glrt-1"}}},
		{"the runner's flag, joined", []string{"runner", "--token=glrt-1", "--url=u"}, nil,
			parts{args: []string{"runner", "--url=u"}, secrets: []string{"LANYARD_RUNNER_TOKEN=glrt-1"}}},
		{"the runner's flag without a value", []string{"runner", "--token"}, nil, parts{args: []string{"runner", "--token"}}},
		{"the database's flag", []string{"serve", "--database-url", "postgres://u:p@h/d", "--listen=x"}, []string{"LANYARD_DATABASE_URL=postgres://u:q@h/d"},
			parts{args: []string{"serve", "--listen=x"}, secrets: []string{"LANYARD_DATABASE_URL=postgres://u:q@h/d", "LANYARD_DATABASE_URL=postgres://u:p@h/d"}}},
		{"the database's flag of another command", []string{"check", "--database-url=postgres://u:p@h/d"}, nil,
			parts{args: []string{"check"}, secrets: []string{"LANYARD_DATABASE_URL=postgres://u:p@h/d"}}},
		{"several flags", []string{"up", "--root-token", "t", "--once", "--blob-secret-key=s", "--root-password=p"}, nil,
			parts{args: []string{"up", "--once"}, secrets: []string{"LANYARD_ROOT_TOKEN=t", "LANYARD_BLOB_SECRET_KEY=s", "LANYARD_ROOT_PASSWORD=p"}}},
		{"a file is no secret", []string{"runner", "--token-file", "f"}, nil, parts{args: []string{"runner", "--token-file", "f"}}},
	} {
		got := apart(test.args, test.env)
		if !slices.Equal(got.args, test.want.args) || !slices.Equal(got.env, test.want.env) || !slices.Equal(got.secrets, test.want.secrets) {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

// TestEverySecretFlagIsShed holds that whatever a secret variable gives leaves the
// command line too, where every account of the machine could read it.
func TestEverySecretFlagIsShed(t *testing.T) {
	parser, err := newParser(t.Context(), &terminal{out: &bytes.Buffer{}, err: &bytes.Buffer{}}, &commands{})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		for _, flag := range command.Flags {
			for _, env := range flag.Envs {
				if !slices.Contains(secretVariables, env) {
					continue
				}
				got := apart([]string{command.Name, "--" + flag.Name, "x"}, nil)
				if want := []string{env + "=x"}; len(got.args) != 1 || !slices.Equal(got.secrets, want) {
					t.Errorf("%s --%s: got %+v, want only %q as a secret", command.Name, flag.Name, got, want)
				}
			}
		}
	}
}
