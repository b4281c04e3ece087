package ciyaml

import (
	"crypto/sha256"
	"fmt"
	"sync"
)

// A FileCache remembers parsed files by their content, since other inputs, other
// variables and the next commit mostly find the same files again. It may be used
// from any goroutine. The zero value is ready to use and remembers nothing.
type FileCache struct {
	// MaxBytes is how much text is remembered; its trees take some twenty times
	// as much memory.
	MaxBytes int

	mu    sync.Mutex // protects all fields below
	files map[contentKey]*cachedFile
	bytes int
	turn  int
}

// A contentKey is the digest of a file's content and of its names.
type contentKey [sha256.Size]byte

// A cachedFile is a file, its length and when it was asked for last.
type cachedFile struct {
	file  *file
	bytes int
	used  int
}

// fileOverhead is what a file counts for besides its text.
const fileOverhead = 256

func keyOf(label, shown string, content []byte) contentKey {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %s %s ", len(label), len(shown), label, shown) // a hash never fails
	h.Write(content)
	return contentKey(h.Sum(nil))
}

// get returns the file with that key, nil if it is not remembered.
func (c *FileCache) get(key contentKey) *file {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.files[key]
	if found == nil {
		return nil
	}
	c.turn++
	found.used = c.turn
	return found.file
}

// put remembers a file. When there is no room, those that were asked for longest ago
// go first.
func (c *FileCache) put(key contentKey, f *file, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bytes += fileOverhead
	if bytes > c.MaxBytes/2 || c.files[key] != nil {
		return
	}
	for c.bytes+bytes > c.MaxBytes {
		c.forgetOldest()
	}
	if c.files == nil {
		c.files = map[contentKey]*cachedFile{}
	}
	c.turn++
	c.files[key] = &cachedFile{f, bytes, c.turn}
	c.bytes += bytes
}

// forgetOldest forgets the file that was asked for longest ago; the caller holds mu.
func (c *FileCache) forgetOldest() {
	var oldest contentKey
	used := c.turn + 1
	for key, f := range c.files {
		if f.used < used {
			oldest, used = key, f.used
		}
	}
	c.bytes -= c.files[oldest].bytes
	delete(c.files, oldest)
}
