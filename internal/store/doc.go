// Package store keeps the nouns of package ci in a SQL database. It is the only
// package that knows SQL.
//
// A *DB writes, a *View reads. Only the engine is given the DB; pages and APIs
// get the View, whose connections the database itself refuses to write through.
// On SQLite every write goes to one goroutine, the Writer, which takes whatever
// is queued and commits it as one transaction, so that durability (synchronous
// full) is paid once for many callers. Reads never wait for it.
//
// Nothing is decided here. A caller loads a ci.Snapshot, decides with pure code
// and hands the ci.Changes to Apply, which compares the pipeline's version first
// and answers ErrMoved when somebody was faster. What has to be one step in the
// database (the next iid of a project, one use of an idempotency key, a limit on
// rows) is one transaction here.
//
// Values come back as they went in: times in UTC and whole microseconds, zero
// times for "none". A read of a single row that is not there returns
// ci.NoRecord(), never a zero value without an error. A broken unique rule
// returns *Taken with the field's name.
//
// The package does no file, network or git work and starts no background loop
// except the writer.
package store
