// Package trace keeps the logs of jobs.
//
// Three nouns: a log is the bytes that a runner sent for a job, with secrets
// masked byte for byte so that offsets stay true; its tail is what came last, rows
// in a database file of this package's own; its chunks are older parts, moved to
// the blob store with an index of lines. A log grows at its end only, and bytes
// that a reader may see never change.
//
// A secret may be cut in two by the borders of what a runner sends. So the bytes
// at the end that could be the beginning of a secret are held back: counted in the
// length that the runner is told, kept in memory alone, shown to nobody until the
// rest says what they are. After a crash the stored length is what is there, and
// the runner sends the rest again (contract/runner-protocol.md 6).
//
// The package refuses to know who may read a log, to wake those who follow one,
// and to hold a whole log in memory.
package trace
