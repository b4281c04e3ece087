package runner

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// The runner needs sessions and signals; on Windows New refuses, and nothing else here is reached.

var errNoUnix = errors.New("the built-in runner needs Linux or another Unix")

type account struct{ uid, gid int }

func lookupAccount(string, int) (*account, error) { return nil, errNoUnix }

func (a *account) do(func() error) error { return errNoUnix }

func (a *account) endStragglers() {}

func (a *account) ownedBy(fs.FileInfo) bool { return false }

func endOrphans(string) error { return nil }

func hideFromJobs() error { return errNoUnix }

func (p program) run(context.Context, func(error) time.Duration, time.Duration) error {
	return errNoUnix
}
