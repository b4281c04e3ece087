package cli

import (
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/lanyard-ci/lanyard/internal/daemon"
)

// defaultListen is the address that nobody chose.
const defaultListen = "127.0.0.1:8929"

// databaseFlags say where the data is, to every command that opens it.
type databaseFlags struct {
	Data            string `help:"Directory of the database, repositories, logs, artifacts and keys." env:"LANYARD_DATA" placeholder:"DIR"`
	DatabaseURL     string `help:"PostgreSQL in place of SQLite in the data directory: postgres://USER:PASSWORD@HOST/DATABASE." env:"LANYARD_DATABASE_URL" placeholder:"URL"`
	DatabaseURLFile string `hidden:"" env:"LANYARD_DATABASE_URL_FILE"`
	KeyFile         string `help:"File with the keys. Default: keys.yml in the data directory." env:"LANYARD_KEY_FILE" placeholder:"FILE"`
	blobFlags       `embed:""`
}

// blobFlags say where artifacts and logs are, and with which credentials.
type blobFlags struct {
	BlobURL           string `help:"Object store for artifacts and logs in place of the data directory: s3://BUCKET/PREFIX?endpoint=URL&region=NAME." env:"LANYARD_BLOB_URL" placeholder:"URL"`
	BlobAccessKey     string `hidden:"" env:"LANYARD_BLOB_ACCESS_KEY"`
	BlobSecretKey     string `hidden:"" env:"LANYARD_BLOB_SECRET_KEY"`
	BlobAccessKeyFile string `hidden:"" env:"LANYARD_BLOB_ACCESS_KEY_FILE"`
	BlobSecretKeyFile string `hidden:"" env:"LANYARD_BLOB_SECRET_KEY_FILE"`
}

// blobConfig adds them to what the daemon needs. What other programs take their
// credentials from is looked at last.
func (f *blobFlags) blobConfig(c *daemon.Config) error {
	if c.BlobURL = f.BlobURL; f.BlobURL == "" {
		return nil
	}
	access, err := orFile(f.BlobAccessKey, f.BlobAccessKeyFile)
	if err != nil {
		return err
	}
	secret, err := orFile(f.BlobSecretKey, f.BlobSecretKeyFile)
	if err != nil {
		return err
	}
	if access == "" && secret == "" {
		access, secret = os.Getenv(awsAccessKey), os.Getenv(awsSecretKey)
	}
	c.BlobAccessKey, c.BlobSecretKey = access, secret
	return nil
}

// config gives what the daemon needs to open the data.
func (f *databaseFlags) config() (daemon.Config, error) {
	data, err := dataDir(f.Data)
	if err != nil {
		return daemon.Config{}, err
	}
	url, err := orFile(f.DatabaseURL, f.DatabaseURLFile)
	if err != nil {
		return daemon.Config{}, err
	}
	c := daemon.Config{Data: data, DatabaseURL: url, KeyFile: f.KeyFile, Path: os.Getenv("PATH"), Version: version()}
	return c, f.blobConfig(&c)
}

// serverFlags are the flags of serve and up (design/interface.md). Each is also
// the variable LANYARD_… and a key of the configuration file; a flag beats the
// variable, which beats the file.
type serverFlags struct {
	Config           kong.ConfigFlag `help:"Configuration file (YAML)." env:"LANYARD_CONFIG" placeholder:"FILE"`
	Listen           string          `help:"Address to listen on; port 0 picks a free one." default:"${listen}" env:"LANYARD_LISTEN" placeholder:"ADDR"`
	ExternalURL      string          `help:"What links start with. Default: from --listen." env:"LANYARD_EXTERNAL_URL" placeholder:"URL"`
	databaseFlags    `embed:""`
	TLSCert          string         `name:"tls-cert" help:"Serve https with this certificate and its chain (PEM); read again when it changes." env:"LANYARD_TLS_CERT" placeholder:"FILE"`
	TLSKey           string         `name:"tls-key" help:"Private key of --tls-cert (PEM)." env:"LANYARD_TLS_KEY" placeholder:"FILE"`
	TrustedProxies   []netip.Prefix `help:"Networks whose X-Forwarded-For is believed." default:"127.0.0.0/8,::1/128" env:"LANYARD_TRUSTED_PROXIES" placeholder:"CIDR"`
	MetricsTokenFile string         `help:"File with the token that /-/metrics asks for. Default: it answers this machine only." env:"LANYARD_METRICS_TOKEN_FILE" placeholder:"FILE"`
	ReadyFile        string         `help:"File to write when requests are accepted." env:"LANYARD_READY_FILE" placeholder:"FILE"`
	LogFormat        string         `help:"text or json. Default: text on a terminal, else json." enum:"text,json," default:"" env:"LANYARD_LOG_FORMAT" placeholder:"FORMAT"`
	LogLevel         *slog.Level    `help:"debug, info, warn or error. Default: info; of up: warn." env:"LANYARD_LOG_LEVEL" placeholder:"LEVEL"`
	LocalIncludes    bool           `help:"include:remote may fetch from private networks and from this machine." env:"LANYARD_LOCAL_INCLUDES"`
	RunnerUser       string         `help:"Account that jobs of the built-in runner run as; needs root." env:"LANYARD_RUNNER_USER" placeholder:"NAME"`
	RootPassword     string         `hidden:"" env:"LANYARD_ROOT_PASSWORD"`
	RootToken        string         `hidden:"" env:"LANYARD_ROOT_TOKEN"`
	RootPasswordFile string         `hidden:"" env:"LANYARD_ROOT_PASSWORD_FILE"`
	RootTokenFile    string         `hidden:"" env:"LANYARD_ROOT_TOKEN_FILE"`
}

// config turns flags into what the daemon takes. It reads the last of the
// environment: PATH, LANG, TERM and the home directory.
func (f *serverFlags) config(term *terminal, level slog.Level) (daemon.Config, error) {
	c, err := f.databaseFlags.config()
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
	metrics, err := orFile("", f.MetricsTokenFile)
	if err != nil {
		return daemon.Config{}, err
	}
	if f.LogLevel != nil {
		level = *f.LogLevel
	}
	c.Listen, c.ExternalURL, c.ReadyFile, c.TLSCert, c.TLSKey, c.MetricsToken = f.Listen, f.ExternalURL, f.ReadyFile, f.TLSCert, f.TLSKey, metrics
	c.TrustedProxies, c.RootPassword, c.RootToken, c.RunnerUser = f.TrustedProxies, password, token, f.RunnerUser
	c.LocalIncludes = f.LocalIncludes
	c.Lang, c.Term, c.Logger = os.Getenv("LANG"), os.Getenv("TERM"), newLogger(term, f.LogFormat, level)
	return c, nil
}

// dataDir gives the data directory: the one that is named, the one that systemd
// made for the service, or one below the home directory.
func dataDir(named string) (string, error) {
	if named != "" {
		return filepath.Abs(named)
	}
	if state, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); filepath.IsAbs(state) {
		return state, nil
	}
	if home := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(home) { // the specification has others ignored
		return filepath.Join(home, "lanyard"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", exitWith(exitUsage, "no home directory: say where to keep data with --data DIR")
	}
	return filepath.Join(home, ".local", "share", "lanyard"), nil
}

// newLogger logs to standard error.
func newLogger(term *terminal, format string, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "text" || (format == "" && isTerminal(term.err)) {
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

// orFile gives a secret as it is or, failing that, as the content of a file.
func orFile(value, file string) (string, error) {
	if value != "" || file == "" {
		return value, nil
	}
	return readSecret(nil, file)
}

// maxSecret bounds a file with a secret, in bytes.
const maxSecret = 64 << 10

// readSecret reads a secret from a file, or from in for the name "-", less the end
// of its last line.
func readSecret(in io.Reader, file string) (string, error) {
	if file != "-" || in == nil {
		opened, err := os.Open(file)
		if err != nil {
			return "", exitWith(exitUsage, "read secret: %v", err)
		}
		defer opened.Close()
		in = opened
	}
	data, err := io.ReadAll(io.LimitReader(in, maxSecret))
	if err != nil {
		return "", exitWith(exitUsage, "read secret: %v", err)
	}
	secret := strings.TrimRight(string(data), "\r\n")
	if secret == "" {
		return "", exitWith(exitUsage, "read secret: %s is empty", file)
	}
	return secret, nil
}
