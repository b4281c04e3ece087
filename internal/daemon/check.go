package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/trace"
)

// Beside a running server, what is found wrong on disk is looked at again after a
// while, since it may only have been on its way: an upload whose row comes next, a
// push that is not in the table yet.
const (
	looks     = 3
	lookAgain = 2 * time.Second
)

// Check lists in words what does not hold in a data directory. It changes nothing
// there, and a server may be running on it. Of c it uses Data, where the database and blobs
// are, KeyFile and Path;
// deep also reads every artifact and log. Errors: *UsageError for a directory that
// holds no database, another version's, or one that was made with other keys,
// *store.NewerError.
func Check(ctx context.Context, c Config, deep bool) (broken []string, err error) {
	c = c.withDefaults()
	o, err := openCheck(ctx, c)
	defer func() { err = errors.Join(err, o.close()) }()
	if err != nil {
		return nil, err
	}
	o.check.Deep = deep
	if broken, err = o.check.Rows(ctx); err != nil {
		return nil, err
	}
	found, err := o.check.Disk(ctx)
	for look := 1; o.running && look < looks && len(found) > 0 && err == nil; look++ {
		if err = sleep(ctx, lookAgain); err == nil {
			found, err = o.stillFound(ctx, found)
		}
	}
	return append(broken, found...), err
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// An openedCheck is a data directory that is open for reading.
type openedCheck struct {
	check   engine.Check
	running bool // a server uses the directory
	closers []func() error
}

// stillFound gives what of found is found again.
func (o *openedCheck) stillFound(ctx context.Context, found []string) ([]string, error) {
	again, err := o.check.Disk(ctx)
	return slices.DeleteFunc(found, func(words string) bool { return !slices.Contains(again, words) }), err
}

// close closes what is open, in the opposite order.
func (o *openedCheck) close() error {
	var problems []error
	for _, close := range slices.Backward(o.closers) {
		problems = append(problems, close())
	}
	return errors.Join(problems...)
}

// A file is one that has to be there, and what to say if it is not.
type file struct{ words, path string }

// needed are the files that a check needs.
func (c Config) needed() []file {
	if c.DatabaseURL != "" {
		return []file{{"there is no " + c.Data, c.Data}}
	}
	return []file{{"no database in " + c.Data, c.database()}, {"no logs in " + c.Data, c.logs()}}
}

// openCheck opens a data directory. After an error, close closes what is open by
// then.
func openCheck(ctx context.Context, c Config) (o *openedCheck, err error) {
	o = &openedCheck{}
	for _, need := range c.needed() {
		if none, err := missing(need.path); err != nil {
			return o, usage("data directory: %v", err)
		} else if none {
			return o, usage("%s", need.words)
		}
	}
	lock, err := lockFile(c.lock(), false)
	switch {
	case errors.Is(err, errLocked):
		o.running = true
	case err != nil:
		return o, err
	default: // no server starts meanwhile
		o.closers = append(o.closers, lock.Close)
	}
	view, logs, err := o.openDatabase(ctx, c)
	if err != nil {
		return o, err
	}
	if err := verifyKeys(ctx, view, c); err != nil {
		return o, err
	}
	repositories, err := git.Open(git.Config{Root: c.repositories(), Path: c.Path})
	if err != nil {
		return o, usage("%v", err)
	}
	o.closers = append(o.closers, repositories.Close)
	blobs, err := findBlobs(c)
	if err != nil {
		return o, err
	}
	o.check = engine.Check{View: view, Git: repositories, Blobs: blobs, Logs: logs}
	return o, nil
}

// openDatabase opens the database and the logs in it or beside it.
func (o *openedCheck) openDatabase(ctx context.Context, c Config) (*store.View, *trace.Catalog, error) {
	config := store.Config{Path: c.database(), URL: c.DatabaseURL, Now: c.Now}
	view, closeView, err := store.OpenView(ctx, config)
	if err != nil {
		return nil, nil, orRefused(orOlder(err, c))
	}
	o.closers = append(o.closers, closeView)
	if c.DatabaseURL != "" {
		return view, trace.CatalogOf(view), nil
	}
	logs, closeLogs, err := trace.OpenCatalog(ctx, c.logs())
	if err != nil {
		return nil, nil, orOlder(err, c)
	}
	o.closers = append(o.closers, closeLogs)
	return view, logs, nil
}

// orOlder says what to do about a database of an older version.
func orOlder(err error, c Config) error {
	switch {
	case !errors.Is(err, store.ErrOlder):
		return err
	case c.DatabaseURL != "":
		return usage("no server of this version has used the database yet: start one on it once")
	}
	return usage("the data in %s was written by an older version: start a server on it once", c.Data)
}

// verifyKeys refuses a key file that is missing or another database's.
func verifyKeys(ctx context.Context, view *store.View, c Config) error {
	if none, err := missing(c.keyFile()); err != nil {
		return usage("key file: %v", err)
	} else if none {
		return lostKeys(c)
	}
	keys, _, err := auth.LoadKeys(c.keyFile(), nil)
	if err != nil {
		return usage("%v", err)
	}
	stored, err := view.Meta(ctx, keyCheck)
	if err != nil {
		return err
	}
	if keys.Verify(stored) != nil {
		return wrongKeys(c.keyFile())
	}
	return nil
}
