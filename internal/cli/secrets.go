package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// runnerToken is the variable of `lanyard runner --token`.
const runnerToken = "LANYARD_RUNNER_TOKEN"

// databaseURL is the variable of --database-url.
const databaseURL = "LANYARD_DATABASE_URL"

// The variables that programs of others take the credentials of an object store from.
const (
	awsAccessKey = "AWS_ACCESS_KEY_ID"
	awsSecretKey = "AWS_SECRET_ACCESS_KEY"
)

// secretVariables hold secrets that no job may find.
var secretVariables = []string{
	"LANYARD_ROOT_PASSWORD", "LANYARD_ROOT_TOKEN", databaseURL, runnerToken,
	"LANYARD_BLOB_ACCESS_KEY", "LANYARD_BLOB_SECRET_KEY", awsAccessKey, awsSecretKey,
}

// A secretFlag is one whose value is a secret, and the variable that can take its
// place.
type secretFlag struct{ name, variable string }

// secretFlags are those of each command.
var secretFlags = map[string]secretFlag{
	"runner": {"--token", runnerToken},
	"serve":  {"--database-url", databaseURL},
	"up":     {"--database-url", databaseURL},
	"check":  {"--database-url", databaseURL},
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
	flag, ok := secretFlags[args[0]]
	if !ok {
		return p
	}
	for i := 1; i < len(p.args); i++ {
		switch value, joined := strings.CutPrefix(p.args[i], flag.name+"="); {
		case joined:
			p.secrets = append(p.secrets, flag.variable+"="+value)
			p.args = slices.Delete(p.args, i, i+1)
			i--
		case p.args[i] == flag.name && i+1 < len(p.args):
			p.secrets = append(p.secrets, flag.variable+"="+p.args[i+1])
			p.args = slices.Delete(p.args, i, i+2)
			i--
		}
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
