package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// keyBytes is the length of every key: 256 bits.
const keyBytes = 32

// Keys are the secrets of the server (docs/decisions, secrets). Replicas use the
// same ones. The methods may be called from any goroutine.
type Keys struct {
	lookup  []byte    // digests of tokens; never rotated, since digests cannot be made anew
	job     []byte    // job tokens are derived from it
	session []byte    // signs what browsers carry
	seals   []sealKey // by rising id; the last one seals, all open
	rand    io.Reader // nonces; safe for concurrent use
}

// A sealKey encrypts under an id that is written in front of what it sealed.
type sealKey struct {
	id   uint32
	key  []byte
	aead cipher.AEAD
}

// newSealKey makes the cipher of a key.
func newSealKey(id uint32, key []byte) (sealKey, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealKey{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return sealKey{}, err
	}
	return sealKey{id: id, key: key, aead: aead}, nil
}

// Digest is what a token is looked up by: HMAC-SHA256 under the lookup key, apart
// for each kind, so that a token of one kind is never found as another.
func (k *Keys) Digest(kind TokenKind, token string) []byte {
	return mac(k.lookup, string(kind), []byte(token))
}

// JobToken derives the token of a job from the nonce in its row: the same one
// each time, on any replica, and nothing that a stolen database can make.
func (k *Keys) JobToken(job int64, nonce []byte) string {
	data := binary.BigEndian.AppendUint64(nil, uint64(job))
	return jobPrefix + base64.RawURLEncoding.EncodeToString(mac(k.job, "job", append(data, nonce...)))
}

// Sign authenticates data for one purpose, with the session key: cookies, form
// tokens, sign-in links.
func (k *Keys) Sign(purpose string, data []byte) []byte { return mac(k.session, purpose, data) }

// Signed reports whether signature is what Sign gives for purpose and data.
func (k *Keys) Signed(purpose string, data, signature []byte) bool {
	return hmac.Equal(k.Sign(purpose, data), signature)
}

// mac is HMAC-SHA256 of data with a label in front that cannot run into it.
func mac(key []byte, label string, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(label))
	h.Write([]byte{0})
	h.Write(data)
	return h.Sum(nil)
}

// sealHeader is the length of what precedes the nonce: the format, the key's id.
const sealHeader = 1 + 4

// sealFormat is the first byte of every sealed value.
const sealFormat = 1

// Seal encrypts and authenticates plain with AES-256-GCM under the newest key.
// Only Open with the same context gives it back, so a sealed value that is moved
// to another row does not open there.
func (k *Keys) Seal(plain, context []byte) ([]byte, error) {
	newest := k.seals[len(k.seals)-1]
	size := sealHeader + newest.aead.NonceSize()
	sealed := make([]byte, size, size+len(plain)+newest.aead.Overhead())
	sealed[0] = sealFormat
	binary.BigEndian.PutUint32(sealed[1:], newest.id)
	nonce := sealed[sealHeader:]
	if _, err := io.ReadFull(k.rand, nonce); err != nil {
		return nil, fmt.Errorf("seal: read nonce: %w", err)
	}
	return newest.aead.Seal(sealed, nonce, plain, sealData(sealed[:sealHeader], context)), nil
}

// Open gives back what Seal got. It fails for another context, for a changed
// value, and when the key that sealed it is no longer in the key file.
func (k *Keys) Open(sealed, context []byte) ([]byte, error) {
	if len(sealed) < sealHeader || sealed[0] != sealFormat {
		return nil, errors.New("open sealed value: not one of ours")
	}
	id := binary.BigEndian.Uint32(sealed[1:])
	i := slices.IndexFunc(k.seals, func(s sealKey) bool { return s.id == id })
	if i < 0 {
		return nil, fmt.Errorf("open sealed value: the key file has no seal key %d", id)
	}
	aead := k.seals[i].aead
	header, rest := sealed[:sealHeader], sealed[sealHeader:]
	if len(rest) < aead.NonceSize() {
		return nil, errors.New("open sealed value: cut short")
	}
	plain, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], sealData(header, context))
	if err != nil {
		return nil, errors.New("open sealed value: changed, or sealed for something else")
	}
	return plain, nil
}

// sealData is what is authenticated beside the plain text.
func sealData(header, context []byte) []byte { return slices.Concat(header, context) }

// checkContext is the context of the sealed part of a check value.
const checkContext = "check value"

// CheckValue makes what a new database keeps so that Verify can tell later
// whether a server has the right key file. It says nothing about the keys.
func (k *Keys) CheckValue() (string, error) {
	probe, err := k.Seal([]byte(checkContext), []byte(checkContext))
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(mac(k.lookup, checkContext, nil)) + ":" + base64.RawStdEncoding.EncodeToString(probe), nil
}

// ErrOtherKeys says that a database was made with other keys than these.
var ErrOtherKeys = errors.New("the database was made with another key file")

// Verify checks a value that CheckValue made when the database was new. Errors
// match ErrOtherKeys when these are not its keys, and name the seal key that is
// missing when only that one is.
func (k *Keys) Verify(check string) error {
	digest, probe, found := strings.Cut(check, ":")
	want, err := hex.DecodeString(digest)
	if !found || err != nil {
		return errors.New("verify keys: the check value in the database is damaged")
	}
	if !hmac.Equal(want, mac(k.lookup, checkContext, nil)) {
		return fmt.Errorf("verify keys: %w: start with the key file that belongs to it (--key-file)", ErrOtherKeys)
	}
	sealed, err := base64.RawStdEncoding.DecodeString(probe)
	if err != nil {
		return errors.New("verify keys: the check value in the database is damaged")
	}
	if _, err := k.Open(sealed, []byte(checkContext)); err != nil {
		return fmt.Errorf("verify keys: %w", err)
	}
	return nil
}
