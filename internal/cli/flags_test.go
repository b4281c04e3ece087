package cli

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/daemon"
)

// parsed parses a command line as Main does and runs nothing.
func parsed(t *testing.T, args ...string) (*commands, error) {
	t.Helper()
	cmds := &commands{}
	parser, err := newParser(t.Context(), &terminal{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}}, cmds)
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	return cmds, err
}

// file makes a file and returns its name.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestPrecedence holds flag over variable over file over default, for flags of
// every type.
func TestPrecedence(t *testing.T) {
	for _, test := range []struct {
		flag, env, key string
		values         [3]string // what flag, variable and file say
		want           [4]string // when all do, without the flag, with the file alone, with nothing
		got            func(*serveCommand) string
	}{
		{"--listen", "LANYARD_LISTEN", "listen",
			[3]string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"},
			[4]string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:8929"},
			func(c *serveCommand) string { return c.Listen }},
		{"--external-url", "LANYARD_EXTERNAL_URL", "external_url",
			[3]string{"http://a", "http://b", "http://c"},
			[4]string{"http://a", "http://b", "http://c", ""},
			func(c *serveCommand) string { return c.ExternalURL }},
		{"--runner", "LANYARD_RUNNER", "runner",
			[3]string{"1", "2", "3"},
			[4]string{"1", "2", "3", "0"},
			func(c *serveCommand) string { return string(rune('0' + c.Runners)) }},
		{"--runner-trusted", "LANYARD_RUNNER_TRUSTED", "runner_trusted",
			[3]string{"true", "true", "true"},
			[4]string{"yes", "yes", "yes", "no"},
			func(c *serveCommand) string { return map[bool]string{true: "yes", false: "no"}[c.RunnerTrusted] }},
		{"--log-level", "LANYARD_LOG_LEVEL", "log_level",
			[3]string{"debug", "warn", "error"},
			[4]string{"DEBUG", "WARN", "ERROR", "none"},
			func(c *serveCommand) string {
				if c.LogLevel == nil {
					return "none"
				}
				return c.LogLevel.String()
			}},
		{"--tls-cert", "LANYARD_TLS_CERT", "tls_cert",
			[3]string{"/a.pem", "/b.pem", "/c.pem"},
			[4]string{"/a.pem", "/b.pem", "/c.pem", ""},
			func(c *serveCommand) string { return c.TLSCert }},
		{"--trusted-proxies", "LANYARD_TRUSTED_PROXIES", "trusted_proxies",
			[3]string{"10.0.0.0/8", "10.1.0.0/16,10.2.0.0/16", "[10.3.0.0/16, 10.4.0.0/16]"},
			[4]string{"10.0.0.0/8", "10.1.0.0/16 10.2.0.0/16", "10.3.0.0/16 10.4.0.0/16", "127.0.0.0/8 ::1/128"},
			func(c *serveCommand) string { return joined(c.TrustedProxies) }},
	} {
		t.Run(test.key, func(t *testing.T) {
			for first := range test.want {
				args := []string{"serve"}
				if first <= 2 {
					args = append(args, "--config", file(t, test.key+": "+test.values[2]+"\n"))
				}
				if first <= 1 {
					t.Setenv(test.env, test.values[1])
				} else {
					os.Unsetenv(test.env)
				}
				if first <= 0 {
					args = append(args, test.flag+"="+test.values[0])
				}
				cmds, err := parsed(t, args...)
				if err != nil {
					t.Fatal(err)
				}
				if got := test.got(&cmds.Serve); got != test.want[first] {
					t.Errorf("%v with %s=%q gives %q, want %q", args, test.env, os.Getenv(test.env), got, test.want[first])
				}
			}
		})
	}
}

func joined(prefixes []netip.Prefix) string {
	var texts []string
	for _, p := range prefixes {
		texts = append(texts, p.String())
	}
	return strings.Join(texts, " ")
}

// TestConfigFromVariable holds that the file itself may be named by a variable.
func TestConfigFromVariable(t *testing.T) {
	t.Setenv("LANYARD_CONFIG", file(t, "listen: 127.0.0.1:7\n"))
	cmds, err := parsed(t, "serve")
	if err != nil || cmds.Serve.Listen != "127.0.0.1:7" {
		t.Errorf("got %q, error %v", cmds.Serve.Listen, err)
	}
}

func TestConfigFileRefuses(t *testing.T) {
	for _, test := range []struct{ content, want string }{
		{"listn: x\n", `unknown key "listn": did you mean "listen"?`},
		{"external-url: x\n", `unknown key "external-url": did you mean "external_url"?`},
		{"runnertrusted: true\n", `did you mean "runner_trusted"?`},
		{"colour: red\n", `unknown key "colour", expected one of blob_access_key, `},
		{"config: other.yml\n", `unknown key "config"`},
		{"- listen\n", "configuration file: "},
		{"listen: [\n", "configuration file: "},
		{"listen: a\nlisten: b\n", "listen"},
		{"runner: many\n", "--runner"},
		{"log_level: loud\n", "--log-level"},
		{"trusted_proxies: [here]\n", "--trusted-proxies"},
		{"log_format: xml\n", "--log-format"},
	} {
		_, err := parsed(t, "serve", "--config", file(t, test.content))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %q", test.content, err, test.want)
		}
	}
	if _, err := parsed(t, "serve", "--config", filepath.Join(t.TempDir(), "none.yml")); err == nil || !strings.Contains(err.Error(), "none.yml") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestEveryFlagIsAVariableAndAKey holds the rule of design/interface.md.
func TestEveryFlagIsAVariableAndAKey(t *testing.T) {
	parser, err := newParser(t.Context(), &terminal{out: &bytes.Buffer{}, err: &bytes.Buffer{}}, &commands{})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		if command.Name != "serve" && command.Name != "up" {
			continue
		}
		for _, flag := range command.Flags {
			if flag.Name == "once" { // what to do, not how
				continue
			}
			key := strings.ReplaceAll(flag.Name, "-", "_")
			if env := "LANYARD_" + strings.ToUpper(key); !slices.Contains(flag.Envs, env) {
				t.Errorf("%s --%s is not the variable %s but %v", command.Name, flag.Name, env, flag.Envs)
			}
			if key != "config" && !slices.Contains(configKeys(), key) {
				t.Errorf("%s --%s is no key of the configuration file", command.Name, flag.Name)
			}
		}
	}
}

func TestServerConfig(t *testing.T) {
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", filepath.Join(data, "xdg"))
	t.Setenv("STATE_DIRECTORY", "")
	secret := file(t, " a pass phrase \n")
	token := file(t, "glpat-0123456789abcdefghij\r\n")
	for _, test := range []struct {
		name string
		args []string
		env  map[string]string
		want func(daemon.Config) bool
	}{
		{"data below XDG_DATA_HOME", nil, nil, func(c daemon.Config) bool { return c.Data == filepath.Join(data, "xdg", "lanyard") }},
		{"data of a service", nil, map[string]string{"STATE_DIRECTORY": "/var/lib/lanyard:/x"}, func(c daemon.Config) bool { return c.Data == "/var/lib/lanyard" }},
		{"data as named", []string{"--data", "/d"}, nil, func(c daemon.Config) bool { return c.Data == "/d" }},
		{"secrets in files", nil, map[string]string{"LANYARD_ROOT_PASSWORD_FILE": secret, "LANYARD_ROOT_TOKEN_FILE": token},
			func(c daemon.Config) bool {
				return c.RootPassword == " a pass phrase " && c.RootToken == "glpat-0123456789abcdefghij"
			}},
		{"secrets beat their files", nil, map[string]string{"LANYARD_ROOT_PASSWORD_FILE": secret, "LANYARD_ROOT_PASSWORD": "p"},
			func(c daemon.Config) bool { return c.RootPassword == "p" }},
		{"secrets in the configuration file", []string{"--config", file(t, "root_token_file: "+token+"\nroot_password: q\n")}, nil,
			func(c daemon.Config) bool {
				return c.RootPassword == "q" && c.RootToken == "glpat-0123456789abcdefghij"
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			cmds, err := parsed(t, append([]string{"serve"}, test.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			c, err := cmds.Serve.config(&terminal{err: &bytes.Buffer{}}, slog.LevelInfo)
			if err != nil || !test.want(c) {
				c.RootPassword, c.RootToken = "…", "…"
				t.Errorf("got %+v, error %v", c, err)
			}
		})
	}
}

// TestDatabaseURLIsSecret holds that no failure repeats it, and that each is told
// by its code.
func TestDatabaseURLIsSecret(t *testing.T) {
	for _, test := range []struct {
		url  string
		code int
		want string
	}{
		{"postgres://ana:hunter2@127.0.0.1:1/ci", exitUnreachable, "lanyard: connect to PostgreSQL: failed to connect"},
		{"postgres://ana:hunter2@127.0.0.1:port/ci", exitUsage, "--database-url is not postgres://"},
		{"mysql://ana:hunter2@127.0.0.1/ci", exitUsage, "--database-url is not postgres://"},
	} {
		t.Setenv("LANYARD_DATABASE_URL_FILE", file(t, test.url+"\n"))
		for _, command := range []string{"serve", "up", "check"} {
			var out, errOut bytes.Buffer
			code := Main([]string{command, "--data", t.TempDir()}, strings.NewReader(""), &out, &errOut)
			text := errOut.String()
			if code != test.code || !strings.Contains(text, test.want) || strings.Contains(out.String()+text, "hunter2") || strings.Count(text, "\n") != 1 {
				t.Errorf("%s: got code %d and %q, want %d and one line with %q", command, code, text, test.code, test.want)
			}
		}
	}
}

func TestServerConfigRefuses(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"LANYARD_DATABASE_URL_FILE": file(t, "\n")}, "is empty"},
		{map[string]string{"LANYARD_BLOB_URL": "s3://bucket", "LANYARD_BLOB_SECRET_KEY_FILE": file(t, "\n")}, "is empty"},
		{map[string]string{"LANYARD_ROOT_TOKEN_FILE": filepath.Join(t.TempDir(), "none")}, "read secret: open "},
		{map[string]string{"LANYARD_ROOT_PASSWORD_FILE": file(t, "\n")}, "is empty"},
	} {
		for name, value := range test.env {
			t.Setenv(name, value)
		}
		cmds, err := parsed(t, "serve")
		if err != nil {
			t.Fatal(err)
		}
		_, err = cmds.Serve.config(&terminal{err: &bytes.Buffer{}}, slog.LevelInfo)
		if finish(&terminal{err: &bytes.Buffer{}}, err) != exitUsage || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%v: got %v, want usage error %q", test.env, err, test.want)
		}
		for name := range test.env {
			os.Unsetenv(name)
		}
	}
}

// Credentials of the object store: this program's own variables, then its files, then
// those of other programs.
func TestBlobCredentials(t *testing.T) {
	t.Setenv("LANYARD_BLOB_URL", "s3://bucket?region=x")
	for _, name := range []string{"LANYARD_BLOB_ACCESS_KEY", "LANYARD_BLOB_SECRET_KEY", "LANYARD_BLOB_ACCESS_KEY_FILE", "LANYARD_BLOB_SECRET_KEY_FILE", awsAccessKey, awsSecretKey} {
		t.Setenv(name, "") // so that it is put back
		os.Unsetenv(name)
	}
	for _, step := range []struct {
		env                    map[string]string
		wantAccess, wantSecret string
	}{
		{nil, "", ""},
		{map[string]string{awsAccessKey: "aws", awsSecretKey: "aws-secret"}, "aws", "aws-secret"},
		{map[string]string{"LANYARD_BLOB_ACCESS_KEY_FILE": file(t, "f\n"), "LANYARD_BLOB_SECRET_KEY_FILE": file(t, "f-secret\n")}, "f", "f-secret"},
		{map[string]string{"LANYARD_BLOB_ACCESS_KEY": "own", "LANYARD_BLOB_SECRET_KEY": "own-secret"}, "own", "own-secret"},
	} {
		for name, value := range step.env {
			t.Setenv(name, value)
		}
		for _, command := range []string{"serve", "check"} {
			cmds, err := parsed(t, command)
			if err != nil {
				t.Fatal(err)
			}
			flags := cmds.Serve.databaseFlags
			if command == "check" {
				flags = cmds.Check.databaseFlags
			}
			c, err := flags.config()
			if err != nil || c.BlobURL != "s3://bucket?region=x" || c.BlobAccessKey != step.wantAccess || c.BlobSecretKey != step.wantSecret {
				t.Errorf("%s: got %q, %q, %q, %v, want %q, %q", command, c.BlobURL, c.BlobAccessKey, c.BlobSecretKey, err, step.wantAccess, step.wantSecret)
			}
		}
	}
	if err := forgetSecrets(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"LANYARD_BLOB_ACCESS_KEY", "LANYARD_BLOB_SECRET_KEY", awsAccessKey, awsSecretKey} {
		if _, there := os.LookupEnv(name); there {
			t.Errorf("%s is still in the environment", name)
		}
	}
}
