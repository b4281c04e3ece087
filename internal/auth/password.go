package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost of a password hash: some 30 ms and 19 MiB. Verify takes the numbers from
// the hash, so they may be raised here at any time.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32
)

// hashesAtOnce bounds how many passwords are hashed at the same time, so that a
// flood of sign-ins takes neither all memory nor all processors.
const hashesAtOnce = 2

// Passwords hashes passwords with argon2id. Its methods may be called from any
// goroutine; the third caller at once waits.
type Passwords struct {
	rand  io.Reader
	slots chan struct{}
}

// NewPasswords makes a Passwords whose salts come from rand.
func NewPasswords(rand io.Reader) *Passwords {
	return &Passwords{rand: rand, slots: make(chan struct{}, hashesAtOnce)}
}

// Hash gives what to keep of a password, in the usual text form that names the
// algorithm and its cost. It fails only when ctx ends while it waits.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	h := argonHash{memory: argonMemory, time: argonTime, threads: argonThreads, salt: random(p.rand, argonSalt)}
	key, err := p.derive(ctx, h, password, argonKey)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	h.key = key
	return h.String(), nil
}

// Verify reports whether password is the one that hash was made from. An empty
// hash stands for a user who is unknown or has no password: it costs the same
// time and is never right, so that the time tells nothing about who exists.
func (p *Passwords) Verify(ctx context.Context, hash, password string) (bool, error) {
	known := hash != ""
	h := argonHash{memory: argonMemory, time: argonTime, threads: argonThreads, salt: make([]byte, argonSalt), key: make([]byte, argonKey)}
	if known {
		var err error
		if h, err = parseArgon(hash); err != nil {
			return false, fmt.Errorf("verify password: %w", err)
		}
	}
	key, err := p.derive(ctx, h, password, uint32(len(h.key)))
	if err != nil {
		return false, fmt.Errorf("verify password: %w", err)
	}
	return subtle.ConstantTimeCompare(key, h.key) == 1 && known, nil
}

// derive waits for a slot and computes.
func (p *Passwords) derive(ctx context.Context, h argonHash, password string, size uint32) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.slots }()
	return argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, size), nil
}

// An argonHash is a parsed password hash.
type argonHash struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

const argonFormat = "$argon2id$v=19$m=%d,t=%d,p=%d$"

// String gives the text form.
func (h argonHash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf(argonFormat, h.memory, h.time, h.threads) + b64.EncodeToString(h.salt) + "$" + b64.EncodeToString(h.key)
}

// parseArgon reads the text form. It refuses costs that no version of this server
// would have chosen, since they decide how much one sign-in may use.
func parseArgon(text string) (argonHash, error) {
	bad := errors.New("the stored hash is damaged")
	var h argonHash
	parts := strings.Split(text, "$")
	if len(parts) != 6 {
		return h, bad
	}
	if n, err := fmt.Sscanf(strings.Join(parts[:4], "$")+"$", argonFormat, &h.memory, &h.time, &h.threads); err != nil || n != 3 {
		return h, bad
	}
	if h.memory < 1<<10 || h.memory > 256<<10 || h.time < 1 || h.time > 16 || h.threads < 1 || h.threads > 16 {
		return h, bad
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(h.salt) < 8 {
		return h, bad
	}
	if h.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(h.key) < 16 || len(h.key) > 64 {
		return h, bad
	}
	return h, nil
}
