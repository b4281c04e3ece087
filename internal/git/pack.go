package git

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// An object is a git object that is about to be written.
type object struct {
	kind string
	data []byte
	sha  string
}

func newObject(kind string, data []byte) object {
	h := sha1.New()
	h.Write([]byte(kind + " " + strconv.Itoa(len(data)) + "\x00"))
	h.Write(data)
	return object{kind: kind, data: data, sha: hex.EncodeToString(h.Sum(nil))}
}

// packTypes are the numbers of object kinds in a pack (gitformat-pack).
var packTypes = map[string]byte{"commit": 1, "tree": 2, "blob": 3, "tag": 4}

// writeObjects stores objects with one process, whatever their number: they go to git
// as a pack, and git checks them as it checks a push.
func (s *Server) writeObjects(ctx context.Context, project int64, objects []object) error {
	pack, err := encodePack(objects)
	if err != nil {
		return fmt.Errorf("write %d objects: %w", len(objects), err)
	}
	_, err = s.run(ctx, project, bytes.NewReader(pack), "unpack-objects", "-q", "--strict")
	var exit *exitError
	if errors.As(err, &exit) {
		if fault := fsckFault(exit.stderr); fault != "" {
			return invalid(exit, "%s", fault)
		}
	}
	if err != nil {
		return fmt.Errorf("write %d objects: %w", len(objects), err)
	}
	return nil
}

// fsckFault finds the line in which git says what is wrong with an object's content,
// such as "error: object 12ab: gitmodulesUrl: disallowed submodule url: --x": that is
// the caller's fault, not ours.
func fsckFault(stderr string) string {
	for line := range strings.Lines(stderr) {
		line, ok := strings.CutPrefix(line, "error: object ")
		if !ok {
			continue
		}
		if _, fault, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			return printable(fault)
		}
	}
	return ""
}

// encodePack writes a version 2 pack without deltas.
func encodePack(objects []object) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("PACK")
	out.Write(binary.BigEndian.AppendUint32(nil, 2))
	out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(objects))))
	z := zlib.NewWriter(&out)
	for _, o := range objects {
		size := len(o.data)
		b := packTypes[o.kind]<<4 | byte(size&0x0f)
		for size >>= 4; size > 0; size >>= 7 {
			out.WriteByte(b | 0x80)
			b = byte(size & 0x7f)
		}
		out.WriteByte(b)
		z.Reset(&out)
		if _, err := z.Write(o.data); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
	}
	sum := sha1.Sum(out.Bytes())
	out.Write(sum[:])
	return out.Bytes(), nil
}
