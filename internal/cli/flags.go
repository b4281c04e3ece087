package cli

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"

	"github.com/lanyard-ci/lanyard/internal/daemon"
)

// serverFlags are the flags of serve and up (design/interface.md). Each is also
// the variable LANYARD_… and a key of the configuration file; a flag beats the
// variable, which beats the file.
type serverFlags struct {
	Config           kong.ConfigFlag `help:"Configuration file (YAML)." env:"LANYARD_CONFIG" placeholder:"FILE"`
	Listen           string          `help:"Address to listen on; port 0 picks a free one." default:"127.0.0.1:8929" env:"LANYARD_LISTEN"`
	ExternalURL      string          `help:"What links start with. Default: from --listen." env:"LANYARD_EXTERNAL_URL" placeholder:"URL"`
	Data             string          `help:"Directory of the database, repositories, logs, artifacts and keys." env:"LANYARD_DATA" placeholder:"DIR"`
	DatabaseURL      string          `help:"Reserved for PostgreSQL; not supported yet." env:"LANYARD_DATABASE_URL" placeholder:"URL"`
	BlobURL          string          `help:"Reserved for object stores; not supported yet." env:"LANYARD_BLOB_URL" placeholder:"URL"`
	KeyFile          string          `help:"File with the keys. Default: keys.yml in the data directory." env:"LANYARD_KEY_FILE" placeholder:"FILE"`
	TrustedProxies   []netip.Prefix  `help:"Networks whose X-Forwarded-For is believed." default:"127.0.0.0/8,::1/128" env:"LANYARD_TRUSTED_PROXIES" placeholder:"CIDR"`
	ReadyFile        string          `help:"File to write when requests are accepted." env:"LANYARD_READY_FILE" placeholder:"FILE"`
	LogFormat        string          `help:"text or json. Default: text on a terminal, else json." enum:"text,json," default:"" env:"LANYARD_LOG_FORMAT"`
	LogLevel         slog.Level      `help:"debug, info, warn or error." default:"info" env:"LANYARD_LOG_LEVEL"`
	RunnerUser       string          `help:"Account that jobs of the built-in runner run as." env:"LANYARD_RUNNER_USER" placeholder:"NAME"`
	RootPassword     string          `hidden:"" env:"LANYARD_ROOT_PASSWORD"`
	RootToken        string          `hidden:"" env:"LANYARD_ROOT_TOKEN"`
	RootPasswordFile string          `hidden:"" env:"LANYARD_ROOT_PASSWORD_FILE"`
	RootTokenFile    string          `hidden:"" env:"LANYARD_ROOT_TOKEN_FILE"`
}

// config turns flags into what the daemon takes. It reads the last of the
// environment: PATH, LANG and the home directory.
func (f *serverFlags) config(term *terminal, runners int) (daemon.Config, error) {
	if f.DatabaseURL != "" {
		return daemon.Config{}, exitWith(exitUsage, "--database-url is not supported yet: the database is SQLite in the data directory")
	}
	if f.BlobURL != "" {
		return daemon.Config{}, exitWith(exitUsage, "--blob-url is not supported yet: logs and artifacts are kept in the data directory")
	}
	data, err := f.dataDir()
	if err != nil {
		return daemon.Config{}, err
	}
	password, err := orFile(f.RootPassword, f.RootPasswordFile)
	if err != nil {
		return daemon.Config{}, err
	}
	token, err := orFile(f.RootToken, f.RootTokenFile)
	if err != nil {
		return daemon.Config{}, err
	}
	return daemon.Config{
		Listen: f.Listen, ExternalURL: f.ExternalURL, Data: data, KeyFile: f.KeyFile, ReadyFile: f.ReadyFile,
		TrustedProxies: f.TrustedProxies, RootPassword: password, RootToken: token,
		Runners: runners, RunnerUser: f.RunnerUser, Path: os.Getenv("PATH"), Lang: os.Getenv("LANG"),
		Logger: f.logger(term), Version: version(),
	}, nil
}

func (f *serverFlags) dataDir() (string, error) {
	if f.Data != "" {
		return filepath.Abs(f.Data)
	}
	if home := os.Getenv("XDG_DATA_HOME"); home != "" {
		return filepath.Join(home, "lanyard"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", exitWith(exitUsage, "no home directory: say where to keep data with --data DIR")
	}
	return filepath.Join(home, ".local", "share", "lanyard"), nil
}

func (f *serverFlags) logger(term *terminal) *slog.Logger {
	options := &slog.HandlerOptions{Level: f.LogLevel}
	if f.LogFormat == "text" || (f.LogFormat == "" && isTerminal(term.err)) {
		return slog.New(slog.NewTextHandler(term.err, options))
	}
	return slog.New(slog.NewJSONHandler(term.err, options))
}

// isTerminal reports whether somebody is looking.
func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// orFile gives a secret as it is or as the content of a file.
func orFile(value, file string) (string, error) {
	if value != "" || file == "" {
		return value, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", exitWith(exitUsage, "%v", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// loadConfig is kong's loader for --config: a flat YAML mapping with the flags'
// names, `-` written as `_`. Unknown keys are errors that name the keys there are.
func loadConfig(r io.Reader) (kong.Resolver, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read configuration file: %w", err)
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	known := configKeys()
	for key := range values {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("configuration file: unknown key %q (keys are %s)", key, strings.Join(known, ", "))
		}
	}
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		value, ok := values[strings.ReplaceAll(flag.Name, "-", "_")]
		if !ok || flag.Name == "config" {
			return nil, nil // not in the file: the default counts
		}
		return value, nil
	}), nil
}

// configKeys lists the keys of the configuration file.
func configKeys() []string {
	keys := []string{"runner", "runner_trusted"}
	t := reflect.TypeFor[serverFlags]()
	for i := range t.NumField() {
		if name := snake(t.Field(i).Name); name != "config" {
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	return keys
}

// snake turns a field's name into a key: ExternalURL is external_url.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		upper := r >= 'A' && r <= 'Z'
		if upper && i > 0 && (name[i-1] < 'A' || name[i-1] > 'Z') {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
