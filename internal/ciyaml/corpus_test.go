package ciyaml_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var update = flag.Bool("update", false, "rewrite the answers in the corpus")

const corpusDir = "../../corpus"

// A corpusCase is one file of the corpus: the files of a commit, the event in
// input.json, and the answer: plan.json, or errors, one per line.
type corpusCase struct {
	archive *txtar.Archive
	source  mapSource
	input   corpusInput
	answer  *txtar.File
}

// corpusInput is input.json. Paths of the commit are those of the case and
// Files; Modified is unknown unless it is given.
type corpusInput struct {
	Source           string            `json:"source"`
	Ref              string            `json:"ref"`
	Tag              bool              `json:"tag"`
	Project          string            `json:"project"`
	Predefined       map[string]string `json:"predefined"`
	Overrides        map[string]string `json:"overrides"`
	IncludeVariables map[string]string `json:"include_variables"`
	Files            []string          `json:"files"`
	Modified         *[]string         `json:"modified"`
	// ModifiedSince has the refs that changes:compare_to can name; Projects has
	// the files of other projects by path and ref, "" for the default branch.
	ModifiedSince map[string][]string            `json:"modified_since"`
	Projects      map[string]map[string][]string `json:"projects"`
	Inputs        map[string]json.RawMessage     `json:"inputs"`
}

func TestCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpusDir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 60 {
		t.Fatalf("only %d cases in %s", len(files), corpusDir)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			c, err := readCase(file)
			if err != nil {
				t.Fatal(err)
			}
			got, name := c.run(t)
			if name != c.answer.Name {
				t.Fatalf("got %s, want %s:\n%s", name, c.answer.Name, got)
			}
			if *update {
				c.answer.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(c.archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(c.answer.Data), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
	}
}

func readCase(file string) (*corpusCase, error) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(archive.Comment)) == 0 {
		return nil, errors.New("the case does not say what it shows")
	}
	c := &corpusCase{archive: archive, source: mapSource{}}
	for i := range archive.Files {
		switch f := &archive.Files[i]; f.Name {
		case "input.json":
			decoder := json.NewDecoder(bytes.NewReader(f.Data))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&c.input); err != nil {
				return nil, fmt.Errorf("input.json: %w", err)
			}
		case "plan.json", "errors":
			if c.answer != nil {
				return nil, errors.New("the case has two answers")
			}
			c.answer = f
		default:
			c.source[f.Name] = string(f.Data)
		}
	}
	if c.answer == nil {
		return nil, errors.New("the case has no answer: neither plan.json nor errors")
	}
	for _, name := range c.input.Files {
		c.source[name] = "content of " + name
	}
	return c, nil
}

// run compiles the case and returns the answer and the section it belongs in.
func (c *corpusCase) run(t *testing.T) (answer, section string) {
	in := rootInput
	in.Variables = func(name string) (string, bool) {
		value, set := c.input.IncludeVariables[name]
		return value, set
	}
	for _, name := range slices.Sorted(maps.Keys(c.input.Inputs)) {
		in.Inputs = append(in.Inputs, ciyaml.InputValue{Name: name, JSON: string(c.input.Inputs[name])})
	}
	if c.input.Modified != nil {
		in.Modified = func() ([]string, bool, error) { return *c.input.Modified, true, nil }
	}
	config, reads, diags := ciyaml.Load(t.Context(), c.source, in)
	if current, err := reads.Current(t.Context(), c.source, in); !current || err != nil {
		t.Errorf("the reads do not match their own input: %+v: %v", reads, err)
	}
	if diags.Failed() {
		return diagnosticLines(diags), "errors"
	}
	plan, diags := config.Pipeline(c.event(t))
	if diags.Failed() {
		return diagnosticLines(diags), "errors"
	}
	return planLines(t, plan), "plan.json"
}

// event makes the input of Pipeline, with the predefined variables that
// follow from it.
func (c *corpusCase) event(t *testing.T) ciyaml.Input {
	spec := c.input
	in := ciyaml.Input{Source: spec.Source, Ref: spec.Ref, Tag: spec.Tag, ProjectPath: spec.Project}
	if in.Source == "" {
		in.Source = "push"
	}
	if in.Ref == "" {
		in.Ref = "main"
	}
	if in.ProjectPath == "" {
		in.ProjectPath = "group/project"
	}
	add := func(key, value string) {
		in.Predefined = append(in.Predefined, ciyaml.Variable{Key: key, Value: value})
	}
	add("CI_PIPELINE_SOURCE", in.Source)
	add("CI_COMMIT_REF_NAME", in.Ref)
	add("CI_DEFAULT_BRANCH", "main")
	switch {
	case in.Tag:
		add("CI_COMMIT_TAG", in.Ref)
	case in.Source != "merge_request_event":
		add("CI_COMMIT_BRANCH", in.Ref)
	}
	in.Predefined = append(in.Predefined, sortedVariables(spec.Predefined)...)
	in.Overrides = sortedVariables(spec.Overrides)
	in.Paths = func() ([]string, error) { return c.source.Paths(t.Context(), "", "") }
	if spec.Modified != nil {
		in.Modified = func() ([]string, bool, error) { return *spec.Modified, true, nil }
	}
	in.ModifiedSince = func(ref string) ([]string, error) {
		if paths, ok := spec.ModifiedSince[ref]; ok {
			return paths, nil
		}
		return nil, ciyaml.ErrNotExist
	}
	in.ProjectPaths = func(project, ref string) ([]string, error) {
		refs, ok := spec.Projects[project]
		if !ok {
			return nil, ciyaml.ErrNotExist
		}
		if paths, ok := refs[ref]; ok {
			return paths, nil
		}
		return nil, ciyaml.ErrNoRef
	}
	return in
}

func sortedVariables(m map[string]string) []ciyaml.Variable {
	var out []ciyaml.Variable
	for key, value := range m {
		out = append(out, ciyaml.Variable{Key: key, Value: value})
	}
	slices.SortFunc(out, func(a, b ciyaml.Variable) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// diagnosticLines writes what a person would see, with codes other than the
// usual one.
func diagnosticLines(diags ciyaml.Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		b.WriteString(d.String())
		if d.Code != ciyaml.CodeConfig {
			fmt.Fprintf(&b, " [%s]", d.Code)
		}
		b.WriteByte('\n')
		if d.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", d.Hint)
		}
	}
	return b.String()
}

// planLines writes a plan as JSON with one job per line.
func planLines(t *testing.T, p *ciyaml.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{\"stages\": %s", compact(t, reflect.ValueOf(p.Stages)))
	if p.Name != "" {
		fmt.Fprintf(&b, ",\n\"name\": %s", compact(t, reflect.ValueOf(p.Name)))
	}
	if p.AutoCancel != (ciyaml.AutoCancel{}) {
		fmt.Fprintf(&b, ",\n\"auto_cancel\": %s", compact(t, reflect.ValueOf(p.AutoCancel)))
	}
	if len(p.Variables) > 0 {
		fmt.Fprintf(&b, ",\n\"variables\": %s", compact(t, reflect.ValueOf(p.Variables)))
	}
	if len(p.Warnings) > 0 {
		var texts []string
		for _, w := range p.Warnings {
			texts = append(texts, w.String())
		}
		fmt.Fprintf(&b, ",\n\"warnings\": %s", compact(t, reflect.ValueOf(texts)))
	}
	b.WriteString(",\n\"jobs\": [")
	for i, job := range p.Jobs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + compact(t, reflect.ValueOf(job)))
	}
	b.WriteString("\n]}\n")
	if !json.Valid([]byte(b.String())) {
		t.Fatalf("no JSON: %s", b.String())
	}
	return b.String()
}

// compact writes a value as JSON with the keys in snake case, leaving out
// fields that have the value they have in most jobs. A slice that is empty but
// not nil is shown.
func compact(t *testing.T, v reflect.Value) string {
	switch value := v.Interface().(type) {
	case tree.Pos:
		return fmt.Sprintf("%q", value.String())
	case ciyaml.Variable:
		return compactVariable(t, value)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return compact(t, v.Elem())
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = compact(t, v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Struct:
		var fields []string
		name := ""
		if f := v.FieldByName("Name"); f.IsValid() {
			name = f.String()
		}
		for i := range v.NumField() {
			key, field := v.Type().Field(i).Name, v.Field(i)
			if field.IsZero() || usual(key, field, name) {
				continue
			}
			fields = append(fields, fmt.Sprintf("%q: %s", snake(key), compact(t, field)))
		}
		return "{" + strings.Join(fields, ", ") + "}"
	}
	out, err := json.Marshal(v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func compactVariable(t *testing.T, v ciyaml.Variable) string {
	text := v.Key + "=" + v.Value
	if v.Raw {
		text += " (raw)"
	}
	return compact(t, reflect.ValueOf(text))
}

func usual(key string, v reflect.Value, name string) bool {
	switch key {
	case "BaseName", "GroupName":
		return v.String() == name
	case "When":
		return v.Kind() == reflect.String && v.String() == "on_success"
	case "Policy":
		return v.String() == "pull-push"
	case "NodeTotal":
		return v.Int() == 1
	}
	return false
}

func snake(key string) string {
	var b strings.Builder
	upper := func(i int) bool { return i >= len(key) || unicode.IsUpper(rune(key[i])) }
	for i, r := range key {
		if unicode.IsUpper(r) && i > 0 && (!upper(i-1) || !upper(i+1)) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
