package auth

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// A TokenKind says what a token is for.
type TokenKind string

// The kinds of tokens. They are part of each digest: never rename one.
const (
	TriggerTokens TokenKind = "trigger" // starts pipelines of one project
	AccessTokens  TokenKind = "access"  // a user's own, for the API
	RunnerTokens  TokenKind = "runner"  // takes jobs
	JobTokens     TokenKind = "job"     // acts for a running job
	SessionTokens TokenKind = "session" // a signed-in browser
	SignInLinks   TokenKind = "link"    // signs a browser in, once
)

// Prefixes of tokens: GitLab's, so that tools that look for leaked secrets find
// ours too.
const (
	triggerPrefix = "glptt-"
	accessPrefix  = "glpat-"
	runnerPrefix  = "glrt-"
	jobPrefix     = "glcbt-"
)

// prefixes ties each prefix to its kind.
var prefixes = []struct {
	prefix string
	kind   TokenKind
}{
	{triggerPrefix, TriggerTokens},
	{accessPrefix, AccessTokens},
	{runnerPrefix, RunnerTokens},
	{jobPrefix, JobTokens},
}

// tokenBytes is how much of a token is random: 160 bits.
const tokenBytes = 20

// NewTriggerToken makes a trigger token: glptt- and 40 hex digits. Like all
// functions here that make secrets it panics when rand fails, since nothing can
// go on without randomness.
func NewTriggerToken(rand io.Reader) string { return triggerPrefix + randomHex(rand) }

// NewAccessToken makes a personal access token: glpat- and 40 hex digits.
func NewAccessToken(rand io.Reader) string { return accessPrefix + randomHex(rand) }

// NewRunnerToken makes a runner authentication token: glrt- and 40 hex digits.
func NewRunnerToken(rand io.Reader) string { return runnerPrefix + randomHex(rand) }

// NewSessionToken makes the token of a browser session: 40 hex digits.
func NewSessionToken(rand io.Reader) string { return randomHex(rand) }

// NewNonce makes what the token of one run of a job is derived from.
func NewNonce(rand io.Reader) []byte { return random(rand, 16) }

func randomHex(rand io.Reader) string { return hex.EncodeToString(random(rand, tokenBytes)) }

func random(rand io.Reader, n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(rand, b); err != nil {
		panic(fmt.Sprintf("read randomness: %v", err))
	}
	return b
}

// shortChars is how many characters of a token everybody may see.
const shortChars = 4

// Short gives the characters of a token that everybody may see: the first four
// after its prefix, of a token without a known prefix the first four
// (contract/trigger-api.md 1.3). What stands before a prefix belongs to it.
func Short(token string) string {
	for _, p := range prefixes {
		if _, rest, ok := strings.Cut(token, p.prefix); ok {
			token = rest
			break
		}
	}
	return token[:min(len(token), shortChars)]
}

// Shape guesses by its prefix what kind of token a caller sent, for hints alone:
// it proves nothing. It is empty for a text without a known prefix.
func Shape(token string) TokenKind {
	for _, p := range prefixes {
		if strings.HasPrefix(token, p.prefix) {
			return p.kind
		}
	}
	return ""
}
