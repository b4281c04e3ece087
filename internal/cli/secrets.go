package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// The variables that secrets come in. runnerToken is that of `lanyard runner --token`,
// the others are named like their flags.
const (
	runnerToken   = "LANYARD_RUNNER_TOKEN"
	databaseURL   = "LANYARD_DATABASE_URL"
	blobAccessKey = "LANYARD_BLOB_ACCESS_KEY"
	blobSecretKey = "LANYARD_BLOB_SECRET_KEY"
	rootPassword  = "LANYARD_ROOT_PASSWORD"
	rootToken     = "LANYARD_ROOT_TOKEN"
)

// The variables that programs of others take the credentials of an object store from.
const (
	awsAccessKey = "AWS_ACCESS_KEY_ID"
	awsSecretKey = "AWS_SECRET_ACCESS_KEY"
)

// secretVariables hold secrets that no job may find.
var secretVariables = []string{
	rootPassword, rootToken, databaseURL, runnerToken, blobAccessKey, blobSecretKey, awsAccessKey, awsSecretKey,
}

// A secretFlag is one whose value is a secret, and the variable that can take its
// place.
type secretFlag struct{ name, variable string }

// dataSecrets are the flags with a secret of every command that opens the data.
var dataSecrets = []secretFlag{
	{"--database-url", databaseURL}, {"--blob-access-key", blobAccessKey}, {"--blob-secret-key", blobSecretKey},
}

// serverSecrets are those of serve and up.
var serverSecrets = append([]secretFlag{{"--root-password", rootPassword}, {"--root-token", rootToken}}, dataSecrets...)

// secretFlags are those of each command.
var secretFlags = map[string][]secretFlag{
	"runner": {{"--token", runnerToken}}, "serve": serverSecrets, "up": serverSecrets, "check": dataSecrets,
}

// parts are a command line and an environment, with the secrets in them apart, as
// NAME=value.
type parts struct {
	args, env, secrets []string
}

// apart takes secrets out of a command line, without the program's name, and an
// environment. What is on the command line beats what is in the environment, as every
// flag does.
func apart(args, env []string) parts {
	p := parts{args: slices.Clone(args)}
	for _, pair := range env {
		if name, value, _ := strings.Cut(pair, "="); value != "" && slices.Contains(secretVariables, name) {
			p.secrets = append(p.secrets, pair)
		} else {
			p.env = append(p.env, pair)
		}
	}
	if len(args) == 0 {
		return p
	}
	flags := secretFlags[args[0]]
	for i := 1; i < len(p.args); {
		name, value, joined := strings.Cut(p.args[i], "=")
		f, taken := slices.IndexFunc(flags, func(f secretFlag) bool { return f.name == name }), 1
		if f >= 0 && !joined && i+1 < len(p.args) {
			value, joined, taken = p.args[i+1], true, 2
		}
		if f < 0 || !joined {
			i++
			continue
		}
		p.secrets = append(p.secrets, flags[f].variable+"="+value)
		p.args = slices.Delete(p.args, i, i+taken)
	}
	return p
}

// setSecrets sets secrets for this process, the later ones last. A variable set so
// is in no /proc entry.
func setSecrets(pairs []string) error {
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("take secrets: %w", err)
		}
	}
	return nil
}

// forgetSecrets takes the secrets, which have been read by now, out of the
// environment that child processes would inherit.
func forgetSecrets() error {
	for _, name := range secretVariables {
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("forget %s: %w", name, err)
		}
	}
	return nil
}
