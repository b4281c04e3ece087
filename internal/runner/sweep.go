package runner

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// prepareWorkDir makes WorkDir and checks that jobs can get there.
func (r *Runner) prepareWorkDir() error {
	as, err := lookupAccount(r.config.User, r.config.Concurrency-1)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o700)
	if as != nil {
		mode = 0o711
	}
	if err := os.MkdirAll(r.config.WorkDir, mode); err != nil {
		return fmt.Errorf("make working directory of the runner: %w", err)
	}
	if err := os.Chmod(r.config.WorkDir, mode); err != nil {
		return fmt.Errorf("make working directory of the runner: %w", err)
	}
	for _, name := range []string{cacheFolder, tempFolder} {
		if err := os.MkdirAll(filepath.Join(r.config.WorkDir, name), 0o700); err != nil {
			return fmt.Errorf("make working directory of the runner: %w", err)
		}
	}
	// "." has to be looked up inside, which needs every folder above to let the account through.
	err = as.do(func() error { _, err := os.Stat(r.config.WorkDir + "/."); return err })
	if err != nil {
		return fmt.Errorf("account %s cannot reach the working directory of the runner: %w", r.config.User, err)
	}
	return nil
}

// sweep removes what an earlier run left behind by crashing (processes, temporary files, jobs' own folders with their file
// variables) and what has not been used for two weeks. It runs before the first job, when nothing is in use.
func (r *Runner) sweep() error {
	old := r.config.Now().Add(-staleAfter)
	temp := filepath.Join(r.config.WorkDir, tempFolder)
	if err := removeTree(temp); err != nil {
		return err
	}
	if err := os.Mkdir(temp, 0o700); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	entries, err := os.ReadDir(r.config.WorkDir)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, entry := range entries {
		slot, err := strconv.Atoi(entry.Name())
		if err != nil || !entry.IsDir() {
			continue
		}
		if slot < r.config.Concurrency {
			as, err := lookupAccount(r.config.User, slot)
			if err != nil {
				return err
			}
			as.endStragglers()
		}
		if err := sweepSlot(filepath.Join(r.config.WorkDir, entry.Name()), old); err != nil {
			return err
		}
	}
	return sweepCache(filepath.Join(r.config.WorkDir, cacheFolder), old)
}

func sweepSlot(slot string, old time.Time) error {
	if err := endOrphans(slot); err != nil {
		return err
	}
	ledger, err := readLedger(slot)
	if err != nil {
		return err
	}
	for rel, record := range ledger {
		if !plainPath(rel) {
			delete(ledger, rel)
			continue
		}
		project := filepath.Join(slot, filepath.FromSlash(rel))
		if err := removeTree(project + ".tmp"); err != nil {
			return err
		}
		if record.Used.Before(old) {
			if err := removeTree(project); err != nil {
				return err
			}
			delete(ledger, rel)
		}
	}
	return writeLedger(slot, ledger)
}

func sweepCache(dir string, old time.Time) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		fi, err := entry.Info()
		if err != nil {
			return err
		}
		if fi.ModTime().Before(old) {
			return os.Remove(name)
		}
		return nil
	})
}
