package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Folders of WorkDir, beside those of the slots, which are numbers.
const (
	cacheFolder = "cache"
	tempFolder  = "tmp"
)

// sessionFile, in a slot's folder, names the session that runs there now.
const sessionFile = "session"

// ledgerFile, in a slot's folder, tells which project owns which workspace: a path may pass to another project.
const ledgerFile = "projects.json"

// staleAfter is how long workspaces and caches that nobody used are kept.
const staleAfter = 14 * 24 * time.Hour

// workspace is where one job runs: a slot's checkout of a project, and the job's own folder beside it.
type workspace struct {
	slot    string // WORKDIR/SLOT; CI_BUILDS_DIR
	project string // WORKDIR/SLOT/group/project; CI_PROJECT_DIR
	tmp     string // WORKDIR/SLOT/group/project.tmp: file variables, scripts, HOME; gone after the job
	home    string
	rel     string // project below slot
	as      *account
}

// record is a workspace in the ledger.
type record struct {
	Project int64     `json:"project"`
	Used    time.Time `json:"used"`
}

// layout names the folders without touching them. The project's path comes from the server, but is not trusted with
// the disk: what is not a plain relative path is replaced by the project's number.
func (r *Runner) layout(p *payload, slot int, as *account) *workspace {
	rel := p.JobInfo.ProjectFullPath
	for _, v := range p.Variables {
		if v.Key == "CI_PROJECT_PATH" {
			rel = v.Value
		}
	}
	if !plainPath(rel) {
		rel = "project-" + strconv.FormatInt(p.JobInfo.ProjectID, 10)
	}
	w := &workspace{slot: filepath.Join(r.config.WorkDir, strconv.Itoa(slot)), rel: rel, as: as}
	w.project = filepath.Join(w.slot, filepath.FromSlash(rel))
	w.tmp = w.project + ".tmp"
	w.home = filepath.Join(w.tmp, ".home")
	return w
}

func plainPath(rel string) bool {
	if rel == "" || len(rel) > 1000 || rel == ledgerFile || rel == sessionFile || path.Clean(rel) != rel || !filepath.IsLocal(rel) {
		return false
	}
	for name := range strings.SplitSeq(rel, "/") {
		if len(name) > 200 || strings.ContainsAny(name, "\\\x00") || name[0] == '.' {
			return false
		}
	}
	return true
}

// prepare makes the folders, empty or as the project's last job in this slot left them.
func (w *workspace) prepare(project int64, now time.Time) error {
	if err := w.makeSlot(); err != nil {
		return err
	}
	ledger, err := readLedger(w.slot)
	if err != nil {
		return err
	}
	if err := w.makeParents(ledger); err != nil {
		return err
	}
	if old, known := ledger[w.rel]; !known || old.Project != project || !w.usable() {
		if err := removeTree(w.project); err != nil {
			return err
		}
		maps.DeleteFunc(ledger, func(rel string, _ record) bool { return strings.HasPrefix(rel, w.rel+"/") })
	}
	ledger[w.rel] = record{Project: project, Used: now}
	if err := writeLedger(w.slot, ledger); err != nil {
		return err
	}
	if err := removeTree(w.tmp); err != nil {
		return err
	}
	for _, dir := range []string{w.project, w.tmp} {
		if err := w.give(dir); err != nil {
			return err
		}
	}
	return w.as.do(func() error { return os.Mkdir(w.home, 0o700) })
}

// makeSlot makes the slot's folder. With an account only the slot's group can enter, and nobody can list it.
func (w *workspace) makeSlot() error {
	if err := os.Mkdir(w.slot, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make workspace: %w", err)
	}
	return w.open(w.slot, 0o710)
}

// open sets a folder's mode, and with an account its group.
func (w *workspace) open(dir string, mode fs.FileMode) error {
	if w.as == nil {
		mode = 0o700
	} else if err := os.Lchown(dir, 0, w.as.gid); err != nil {
		return fmt.Errorf("make workspace: %w", err)
	}
	if err := os.Chmod(dir, mode); err != nil {
		return fmt.Errorf("make workspace: %w", err)
	}
	return nil
}

// makeParents makes the folders of the groups. Where a project used to be, its checkout goes.
func (w *workspace) makeParents(ledger map[string]record) error {
	dir := w.slot
	for rel := path.Dir(w.rel); rel != "."; rel = path.Dir(rel) {
		if _, was := ledger[rel]; was {
			if err := removeTree(filepath.Join(w.slot, filepath.FromSlash(rel))); err != nil {
				return err
			}
			delete(ledger, rel)
		}
	}
	names := strings.Split(w.rel, "/")
	for _, name := range names[:len(names)-1] {
		dir = filepath.Join(dir, name)
		if fi, err := os.Lstat(dir); err == nil && !fi.IsDir() {
			if err := os.Remove(dir); err != nil {
				return fmt.Errorf("make workspace: %w", err)
			}
		}
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make workspace: %w", err)
		}
		if err := w.open(dir, 0o710); err != nil {
			return err
		}
	}
	return nil
}

// usable reports whether the old checkout can be worked with: a folder, and its contents the account's.
func (w *workspace) usable() bool {
	fi, err := os.Lstat(w.project)
	if err != nil || !fi.IsDir() {
		return false
	}
	fi, err = os.Lstat(filepath.Join(w.project, ".git"))
	return err != nil || w.as.ownedBy(fi)
}

// give makes a folder, if need be, and hands it to the account, closed to all others.
func (w *workspace) give(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make workspace: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("make workspace: %w", err)
	}
	if w.as == nil {
		return nil
	}
	if err := os.Lchown(dir, w.as.uid, w.as.gid); err != nil {
		return fmt.Errorf("make workspace: %w", err)
	}
	return nil
}

// close ends what the job left running and takes the workspace back, so that a job of another project, which may run
// as the same account in this slot, finds a closed door.
func (w *workspace) close() error {
	w.as.endStragglers()
	err := removeTree(w.tmp)
	if w.as == nil {
		return err
	}
	if taken := os.Lchown(w.project, 0, 0); errors.Is(taken, fs.ErrNotExist) {
		return err // the job ended before it had one
	} else if taken != nil {
		return errors.Join(err, taken)
	}
	return errors.Join(err, os.Chmod(w.project, 0o700)) // the job may have opened it to all
}

// writeFile puts a file into the job's own folder.
func (w *workspace) writeFile(name string, content []byte) error {
	return w.as.do(func() error {
		root, err := os.OpenRoot(w.tmp)
		if err != nil {
			return err
		}
		defer root.Close()
		return root.WriteFile(name, content, 0o600)
	})
}

// inProject opens the checkout with the job's rights, so that no name and no link leads out of it.
func (w *workspace) inProject(f func(root *os.Root) error) error {
	return w.as.do(func() error {
		root, err := os.OpenRoot(w.project)
		if err != nil {
			return err
		}
		defer root.Close()
		return f(root)
	})
}

func readLedger(slot string) (map[string]record, error) {
	ledger := map[string]record{}
	body, err := os.ReadFile(filepath.Join(slot, ledgerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return ledger, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read workspace ledger: %w", err)
	}
	if json.Unmarshal(body, &ledger) != nil || ledger == nil {
		return map[string]record{}, nil // torn by a crash: every workspace is unknown now, and made anew when used
	}
	return ledger, nil
}

func writeLedger(slot string, ledger map[string]record) error {
	body, err := json.Marshal(ledger)
	if err != nil {
		return fmt.Errorf("write workspace ledger: %w", err)
	}
	file := filepath.Join(slot, ledgerFile)
	if err := os.WriteFile(file+".new", body, 0o600); err != nil {
		return fmt.Errorf("write workspace ledger: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("write workspace ledger: %w", err)
	}
	return nil
}

// removeTree removes a folder that a job may have filled, read-only folders too, without following links.
func removeTree(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		return nil
	}
	if fi, lstat := os.Lstat(dir); lstat == nil && fi.IsDir() {
		_ = os.Chmod(dir, 0o700)
	}
	root, openErr := os.OpenRoot(dir)
	if openErr != nil {
		return fmt.Errorf("remove %s: %w", filepath.Base(dir), err)
	}
	defer root.Close()
	_ = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = root.Chmod(name, 0o700) // RemoveAll, below, reports what stays in the way
		}
		return nil
	})
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove %s: %w", filepath.Base(dir), err)
	}
	return nil
}
