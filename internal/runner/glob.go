package runner

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Patterns of artifacts and caches: a path below the project, in which * and ? stand for characters of one name,
// [abc] and [!abc] for one character, {a,b} for alternatives, and ** for any number of folders, none included. A folder
// that matches stands for everything below it.

// matches reports whether a slash-separated path is what the pattern describes.
func matches(pattern, name string) bool {
	for _, p := range braces(pattern) {
		if matchSegments(strings.Split(p, "/"), strings.Split(name, "/")) {
			return true
		}
	}
	return false
}

func matchSegments(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for len(pattern) > 1 && pattern[1] == "**" {
				pattern = pattern[1:]
			}
			for skip := range len(name) + 1 {
				if matchSegments(pattern[1:], name[skip:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 || !matchName(pattern[0], name[0]) {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

// matchName matches one segment. A malformed pattern matches nothing.
func matchName(pattern, name string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "[!", "[^"), name)
	return ok && err == nil
}

// maxAlternatives bounds what a pattern full of braces may become.
const maxAlternatives = 1000

// braces writes a pattern with alternatives as several without. Too many alternatives leave the pattern as it is.
func braces(pattern string) []string {
	done, todo := []string{}, []string{pattern}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		before, choices, after, ok := cutBraces(p)
		if !ok {
			done = append(done, p)
			continue
		}
		for _, choice := range choices {
			todo = append(todo, before+choice+after)
		}
		if len(todo)+len(done) > maxAlternatives {
			return []string{pattern}
		}
	}
	return done
}

// cutBraces finds the first {…} with its choices at the top level; nested braces stay in them.
func cutBraces(p string) (before string, choices []string, after string, ok bool) {
	open := strings.IndexByte(p, '{')
	if open < 0 {
		return "", nil, "", false
	}
	depth, from := 0, open+1
	for i := open; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case '{':
			depth++
		case ',':
			if depth == 1 {
				choices = append(choices, p[from:i])
				from = i + 1
			}
		case '}':
			if depth--; depth == 0 {
				return p[:open], append(choices, p[from:i]), p[i+1:], true
			}
		}
	}
	return "", nil, "", false
}

// relative brings a pattern into the form that glob takes: below the project, without "./" and trailing slashes. ok is
// false for what leads out of the project, and for the empty pattern, which is a variable that was not set.
func relative(pattern, project string) (string, bool) {
	if pattern == "" {
		return "", false
	}
	if path.IsAbs(pattern) {
		rest, inside := strings.CutPrefix(path.Clean(pattern), project)
		if !inside || rest != "" && rest[0] != '/' {
			return "", false
		}
		pattern = strings.TrimPrefix(rest, "/")
	}
	pattern = path.Clean(pattern)
	return pattern, pattern != ".." && !strings.HasPrefix(pattern, "../")
}

// globber collects the paths in a tree that patterns describe. Links are listed, never followed.
type globber struct {
	root  *os.Root
	found map[string]bool
	seen  map[string]bool // (folder, rest of pattern) already walked, which keeps ** from walking twice
}

// glob returns what a pattern matches, sorted; folders bring all that is in them. What cannot be read is not there.
func glob(root *os.Root, pattern string) []string {
	g := &globber{root: root, found: map[string]bool{}, seen: map[string]bool{}}
	for _, p := range braces(pattern) {
		if p == "." {
			g.addAll(".")
			continue
		}
		g.walk(".", strings.Split(p, "/"))
	}
	names := make([]string, 0, len(g.found))
	for name := range g.found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (g *globber) walk(dir string, pattern []string) {
	key := dir + "\x00" + strings.Join(pattern, "/")
	if g.seen[key] {
		return
	}
	g.seen[key] = true
	first, rest := pattern[0], pattern[1:]
	switch {
	case first == "**" && len(rest) == 0:
		for _, entry := range g.list(dir) {
			g.add(path.Join(dir, entry.Name()), entry.IsDir())
		}
	case first == "**":
		g.walk(dir, rest)
		for _, entry := range g.list(dir) {
			if entry.IsDir() {
				g.walk(path.Join(dir, entry.Name()), pattern)
			}
		}
	case strings.ContainsAny(first, `*?[\`):
		for _, entry := range g.list(dir) {
			if matchName(first, entry.Name()) {
				g.descend(path.Join(dir, entry.Name()), entry.IsDir(), rest)
			}
		}
	default:
		name := path.Join(dir, first)
		if fi, err := g.root.Lstat(name); err == nil {
			g.descend(name, fi.IsDir(), rest)
		}
	}
}

func (g *globber) descend(name string, isDir bool, rest []string) {
	switch {
	case len(rest) == 0:
		g.add(name, isDir)
	case isDir:
		g.walk(name, rest)
	}
}

func (g *globber) add(name string, isDir bool) {
	if g.found[name] {
		return
	}
	g.found[name] = true
	if isDir {
		g.addAll(name)
	}
}

func (g *globber) addAll(dir string) {
	for _, entry := range g.list(dir) {
		g.add(path.Join(dir, entry.Name()), entry.IsDir())
	}
}

func (g *globber) list(dir string) []fs.DirEntry {
	f, err := g.root.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(-1)
	return entries
}
