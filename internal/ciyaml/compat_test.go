package ciyaml_test

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

//go:generate go test . -run TestCompat -update

const (
	keywordsFile = "testdata/keywords.txt"
	trapsFile    = "testdata/traps.txt"
	compatFile   = "../../docs/compat.md"
)

// A keyword is a line of the table of keywords.
type keyword struct {
	section, name, priority, state, note string
	cases                                []string // globs, when the name cannot be found
}

// What a keyword's state says in the document.
var stateTexts = map[string]string{
	"works":    "works",
	"runner":   "passed on to the runner",
	"compiled": "compiled and stored",
	"refused":  "refused",
	"accepted": "accepted, without effect",
	"missing":  "not yet",
}

// provenCase is a case of the corpus with the keywords in its files.
type provenCase struct {
	name     string
	says     string
	compiles bool
	answer   string
	uses     map[string]bool // "section keyword"
}

// TestCompat holds that docs/compat.md says what the corpus shows: each keyword
// has the cases that its state needs.
func TestCompat(t *testing.T) {
	cases := provenCases(t)
	var b strings.Builder
	b.WriteString(compatHead)
	section := ""
	for _, k := range keywords(t) {
		if k.section != section {
			section = k.section
			fmt.Fprintf(&b, "\n## %s\n\n| keyword | priority | state | cases | wrong uses |\n|---|---|---|---|---|\n", sectionTitles[section])
		}
		right, wrong := k.proofs(cases)
		state := k.state
		if state == "found" {
			state = "works"
			if len(right) == 0 {
				state = "missing"
			}
		}
		switch {
		case stateTexts[state] == "":
			t.Errorf("%s: there is no state %q", k.name, k.state)
		case state != "missing" && k.name != "image:ports" && len(right) == 0:
			t.Errorf("%s %s: no case of the corpus shows that it compiles", k.section, k.name)
		case len(right)+len(wrong) == 0 && k.state != "found":
			t.Errorf("%s %s: no case of the corpus has it", k.section, k.name)
		}
		text := stateTexts[state]
		if k.note != "" {
			text += ": " + k.note
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", "`"+k.name+"`", k.priority, text, caseList(k, right), caseList(k, wrong))
	}
	writeTraps(t, &b, cases)
	writeMessages(&b, cases)
	checkDocument(t, b.String())
}

const compatHead = `# What of .gitlab-ci.yml works

Generated from the cases in ` + "`corpus/`" + ` and the tables in ` + "`internal/ciyaml/testdata`" + `: do not edit, run
` + "`go generate ./internal/ciyaml`" + `. A test fails when this file says something else than the corpus.

A case is a file of the corpus, ` + "`corpus/NAME.txtar`" + `: a configuration, the event, and the plan or the errors that come of it. States:

- **works**
- **passed on to the runner**: the server only hands it over
- **compiled and stored**: checked, and kept with the job; what it does beyond the job's own run is in the note
- **accepted, without effect**
- **refused**: the configuration is checked whole, and a pipeline that would have such a job is not made
- **not yet**: refused at its place
`

var sectionTitles = map[string]string{"global": "Global keywords", "job": "Keywords of jobs", "language": "The language"}

func checkDocument(t *testing.T, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(compatFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(compatFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/compat.md is stale: run go generate ./internal/ciyaml")
	}
}

// keywords reads the table of keywords.
func keywords(t *testing.T) []keyword {
	t.Helper()
	var out []keyword
	section := ""
	for _, line := range tableLines(t, keywordsFile) {
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			t.Fatalf("%s: %q has %d cells, want 4", keywordsFile, line, len(cells))
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		k := keyword{section: section, name: strings.Trim(cells[0], `"`), priority: cells[1], state: cells[2], note: cells[3]}
		if globs, ok := strings.CutPrefix(k.note, "="); ok {
			k.note, k.cases = "", strings.Fields(globs)
		}
		out = append(out, k)
	}
	return out
}

func tableLines(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// provenCases reads the corpus, in the order of names.
func provenCases(t *testing.T) []provenCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpusDir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]provenCase, 0, len(files))
	for _, file := range files {
		c, err := readCase(file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		proven := provenCase{
			name: strings.TrimSuffix(filepath.Base(file), ".txtar"), compiles: c.answer.Name == "plan.json",
			says: strings.TrimPrefix(strings.TrimSpace(string(c.archive.Comment)), "# "), answer: string(c.answer.Data),
			uses: map[string]bool{},
		}
		for name, content := range c.source {
			docs, err := tree.Parse(name, []byte(content), tree.DefaultLimits())
			if err != nil {
				continue // that is what the case shows
			}
			for _, doc := range docs {
				proven.add(doc)
			}
		}
		out = append(out, proven)
	}
	return out
}

// globals are the root keys that are no jobs.
var globals = strings.Fields("default include stages variables workflow image services cache before_script after_script spec")

// add notes the keywords of one document.
func (c *provenCase) add(doc *tree.Node) {
	for _, p := range doc.Pairs {
		switch {
		case p.Key == "default":
			c.uses["global default"] = true
			c.walk("job", "", p.Value)
		case slices.Contains(globals, p.Key):
			c.uses["global "+p.Key] = true
			c.walk("global", p.Key, p.Value)
		default:
			c.walk("job", "", p.Value)
		}
	}
}

// chosenNames are the keywords whose keys people choose.
var chosenNames = strings.Fields("variables id_tokens secrets inputs")

// walk notes the keys of a value; lists are passed through.
func (c *provenCase) walk(section, at string, n *tree.Node) {
	if n == nil {
		return
	}
	for _, item := range n.Items {
		c.walk(section, at, item)
	}
	parent := at[strings.LastIndexByte(at, ':')+1:]
	for _, p := range n.Pairs {
		name := p.Key
		if slices.Contains(chosenNames, parent) {
			name = "*"
		}
		if at != "" {
			name = at + ":" + name
		}
		c.uses[section+" "+name] = true
		c.walk(section, name, p.Value)
	}
}

// proofs lists the cases with the keyword that compile, and those that do not.
func (k keyword) proofs(cases []provenCase) (right, wrong []provenCase) {
	for _, c := range cases {
		found := c.uses[k.section+" "+k.name]
		for _, glob := range k.cases {
			if ok, err := path.Match(glob, c.name); ok && err == nil {
				found = true
			}
		}
		switch {
		case !found:
		case c.compiles:
			right = append(right, c)
		default:
			wrong = append(wrong, c)
		}
	}
	return right, wrong
}

// maxShown is how many cases a cell shows.
const maxShown = 5

// caseList shows the cases that are about the keyword: those called like it, then
// those with the fewest others.
func caseList(k keyword, cases []provenCase) string {
	words := strings.FieldsFunc(k.name, func(r rune) bool { return strings.ContainsRune(":_* ", r) })
	score := func(c provenCase) int {
		n := 0
		for i, word := range words {
			if strings.Contains(c.name, strings.TrimSuffix(word, "s")) {
				n += 100 * (i + 1)
			}
		}
		return n - len(c.uses)
	}
	sorted := slices.Clone(cases)
	slices.SortStableFunc(sorted, func(a, b provenCase) int { return score(b) - score(a) })
	var names []string
	for _, c := range sorted[:min(len(sorted), maxShown)] {
		names = append(names, caseName(c.name))
	}
	if more := len(sorted) - maxShown; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

func caseName(name string) string { return "`" + name + "`" }

// writeTraps lists what surprises people, with the cases that show it.
func writeTraps(t *testing.T, b *strings.Builder, cases []provenCase) {
	t.Helper()
	b.WriteString("\n## Traps\n\n| trap | cases |\n|---|---|\n")
	for _, line := range tableLines(t, trapsFile) {
		trap, globs, _ := strings.Cut(line, "=")
		right, wrong := keyword{cases: strings.Fields(globs)}.proofs(cases)
		all := append(right, wrong...)
		if len(all) == 0 {
			t.Errorf("no case shows the trap: %s", trap)
		}
		var names []string
		for _, c := range all {
			names = append(names, caseName(c.name))
		}
		fmt.Fprintf(b, "| %s | %s |\n", strings.TrimSpace(trap), strings.Join(names, ", "))
	}
}

var (
	errorLine = regexp.MustCompile(`(?m)^[^ :\n]+:\d+:\d+: (.*)$`)
	jobPlace  = regexp.MustCompile(`^jobs:[^: ]*`)
)

// writeMessages lists every message that a case expects, with the first case.
func writeMessages(b *strings.Builder, cases []provenCase) {
	first := map[string]string{}
	for _, c := range cases {
		if c.compiles {
			continue
		}
		for _, m := range errorLine.FindAllStringSubmatch(c.answer, -1) {
			message := jobPlace.ReplaceAllString(m[1], "jobs:NAME")
			if len(message) > 200 {
				message = strings.ToValidUTF8(message[:200], "") + "…"
			}
			if first[message] == "" {
				first[message] = c.name
			}
		}
	}
	fmt.Fprintf(b, "\n## Messages\n\nThe %d cases expect these %d messages.\n\n| message | case |\n|---|---|\n", len(cases), len(first))
	for _, message := range slices.Sorted(maps.Keys(first)) {
		shown := strings.NewReplacer("|", `\|`, "`", "'", "<", "&lt;").Replace(message)
		fmt.Fprintf(b, "| %s | %s |\n", shown, caseName(first[message]))
	}
}
