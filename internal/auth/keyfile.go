package auth

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// maxKeyFile is the largest key file that is read, in bytes.
const maxKeyFile = 64 << 10

// LoadKeys reads the key file at path, or makes it when there is none; created
// says which. The file is YAML of the simplest form (see format), mode 0600; one
// that others could read is refused. rand gives the keys of a new file and the
// nonces of sealed values; it must be of cryptographic quality and safe for
// concurrent use. When two servers start at once, both get the same keys.
func LoadKeys(path string, rand io.Reader) (keys *Keys, created bool, err error) {
	keys, err = readKeys(path, rand)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, false, err
	}
	fresh, err := newKeys(rand)
	if err != nil {
		return nil, false, fmt.Errorf("make key file %s: %w", path, err)
	}
	switch err := createFile(path, fresh.format()); {
	case errors.Is(err, fs.ErrExist): // somebody was faster
		keys, err := readKeys(path, rand)
		return keys, false, err
	case err != nil:
		return nil, false, fmt.Errorf("make key file %s: %w", path, err)
	}
	return fresh, true, nil
}

// newKeys makes a first set of keys.
func newKeys(rand io.Reader) (*Keys, error) {
	secret := make([]byte, 4*keyBytes)
	if _, err := io.ReadFull(rand, secret); err != nil {
		return nil, err
	}
	seal, err := newSealKey(1, secret[3*keyBytes:])
	if err != nil {
		return nil, err
	}
	return &Keys{
		lookup: secret[:keyBytes], job: secret[keyBytes : 2*keyBytes], session: secret[2*keyBytes : 3*keyBytes],
		seals: []sealKey{seal}, rand: rand,
	}, nil
}

// createFile writes a file that is complete when it appears, durable when the
// call returns, and never replaces another one.
func createFile(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, ".keys-*") // O_EXCL, 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new name in a directory durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // directories cannot be synced there
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readKeys reads a key file and refuses one that others may read.
func readKeys(path string, rand io.Reader) (*Keys, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read key file %s: %w", path, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("read key file %s: its mode is %#o, so others on this machine could use it: run \"chmod 600 %s\"", path, mode, path)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read key file %s: %w", path, err)
	}
	keys, err := parseKeys(content)
	if err != nil {
		return nil, fmt.Errorf("read key file %s: %w", path, err)
	}
	keys.rand = rand
	return keys, nil
}

// format gives the content of a key file:
//
//	lookup: <64 hex digits>
//	job: <64 hex digits>
//	session: <64 hex digits>
//	seal:
//	  1: <64 hex digits>
//
// A seal key is rotated by adding a line with a higher number; the old lines stay
// for as long as something is sealed with them.
func (k *Keys) format() []byte {
	var b bytes.Buffer
	b.WriteString("# The keys of a Lanyard server. Keep a copy apart from the database: without this\n" +
		"# file no token is found again and nothing that was sealed can be opened.\n" +
		"# To rotate the seal key, add a line with the next number and restart; old ones stay.\n")
	fmt.Fprintf(&b, "lookup: %x\njob: %x\nsession: %x\nseal:\n", k.lookup, k.job, k.session)
	for _, s := range k.seals {
		fmt.Fprintf(&b, "  %d: %x\n", s.id, s.key)
	}
	return b.Bytes()
}

// parseKeys reads what format writes. Errors name lines, never values.
func parseKeys(content []byte) (*Keys, error) {
	k := &Keys{}
	single := map[string]*[]byte{"lookup": &k.lookup, "job": &k.job, "session": &k.session}
	inSeal := false
	for number, line := range strings.Split(string(content), "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		indented := line[0] == ' '
		if name == "seal" && value == "" && !indented {
			inSeal = true
			continue
		}
		key, err := hex.DecodeString(value)
		if err != nil || len(key) != keyBytes {
			return nil, fmt.Errorf("line %d: want a name, a colon and %d hex digits", number+1, 2*keyBytes)
		}
		switch slot := single[name]; {
		case indented && inSeal:
			err = k.addSeal(name, key)
		case indented || slot == nil:
			err = errors.New("unknown name, expected one of lookup, job, session, seal")
		case *slot != nil:
			err = errors.New("a name for the second time")
		default:
			*slot, inSeal = key, false
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
	}
	if k.lookup == nil || k.job == nil || k.session == nil || len(k.seals) == 0 {
		return nil, errors.New("a key is missing, expected lookup, job, session and seal: restore the file from its copy")
	}
	return k, nil
}

// addSeal adds a seal key in the order of the ids.
func (k *Keys) addSeal(name string, key []byte) error {
	id, err := strconv.ParseUint(name, 10, 32)
	if err != nil || id == 0 {
		return errors.New("the name of a seal key is a number from 1 on")
	}
	at, there := slices.BinarySearchFunc(k.seals, uint32(id), func(s sealKey, id uint32) int { return int(int64(s.id) - int64(id)) })
	if there {
		return errors.New("a seal key for the second time")
	}
	seal, err := newSealKey(uint32(id), key)
	if err != nil {
		return err
	}
	k.seals = slices.Insert(k.seals, at, seal)
	return nil
}
