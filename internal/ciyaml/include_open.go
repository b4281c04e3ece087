package ciyaml

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/templates"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// open reads and parses the file of an inclusion. Errors about the file as a
// whole are placed at the include that asks for it.
func (l *loader) open(at *inclusion) (*file, Diagnostics) {
	switch at.kind {
	case "project":
		return l.openProject(at)
	case "remote":
		return l.openRemote(at)
	case "template":
		return l.openTemplate(at)
	case "component":
		return l.openComponent(at)
	}
	return l.openLocal(at)
}

// shown is the location for messages and places: an address without the password
// that may be in it.
func (at *inclusion) shown() string {
	if at.kind != "remote" || !strings.Contains(at.text, "@") {
		return at.text
	}
	u, err := url.Parse(at.text)
	if err != nil {
		return "https://…"
	}
	return u.Redacted()
}

// checkExtension refuses names that are none of a YAML file.
func checkExtension(at *inclusion, name string) Diagnostics {
	if ext := strings.ToLower(path.Ext(name)); ext != ".yml" && ext != ".yaml" {
		return configError(at.pos, fmt.Sprintf("Included file `%s` does not have YAML extension!", at.shown()))
	}
	return nil
}

// openLocal opens a file of the same commit.
func (l *loader) openLocal(at *inclusion) (*file, Diagnostics) {
	if diags := checkExtension(at, at.text); diags != nil {
		return nil, diags
	}
	if at.origin.none() {
		return nil, configError(at.pos, fmt.Sprintf("Local file `%s` does not have project!", at.text))
	}
	at.inside = at.origin
	return l.openFile(at, at.text, fmt.Sprintf("Local file `%s`", at.text))
}

// openProject opens a file of another project, as its user may read it.
func (l *loader) openProject(at *inclusion) (*file, Diagnostics) {
	if diags := checkExtension(at, at.text); diags != nil {
		return nil, diags
	}
	read, err := l.resolve(Reference{Project: at.project, Ref: at.ref, Public: at.origin.none()})
	switch {
	case err != nil:
		return nil, l.failure(at.pos, err)
	case errors.Is(read.Problem, ErrNoProject):
		return nil, configError(at.pos, fmt.Sprintf(
			"Project `%s` not found or access denied! Make sure any includes in the pipeline configuration are correctly defined.", at.project))
	case read.Problem != nil:
		return nil, configError(at.pos, fmt.Sprintf("Project `%s` reference `%s` does not exist!", at.project, orText(at.ref, "HEAD")))
	}
	at.inside = origin{project: read.Commit.Project, sha: read.Commit.SHA}
	return l.openFile(at, at.text, fmt.Sprintf("Project `%s` file `%s`", at.project, at.text))
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// openFile opens a file of the commit that the inclusion leads to. what names
// it in the messages that it is not there or has nothing in it.
func (l *loader) openFile(at *inclusion, name, what string) (*file, Diagnostics) {
	missing := configError(at.pos, what+" does not exist!")
	if slices.Contains(strings.Split(name, "/"), "..") {
		return nil, missing // no repository has such a path
	}
	content, err := l.read(at.inside, name)
	switch {
	case errors.Is(err, ErrNotExist):
		return nil, missing
	case errors.Is(err, ErrTooLarge):
		return nil, configError(at.pos, fmt.Sprintf("`%s`: %s", at.text, errTextTooBig))
	case err != nil:
		return nil, l.failure(at.pos, err)
	}
	at.path = name
	return l.parseIncluded(at, fileKey{origin: at.inside, path: name}, l.label(at.inside, name), what, content)
}

// label is a file's name in positions: its path, with the project before it if
// it is another one.
func (l *loader) label(at origin, name string) string {
	if at.project == l.in.Project {
		return name
	}
	return at.project + ":" + name
}

func (l *loader) parseIncluded(at *inclusion, key fileKey, label, what string, content []byte) (*file, Diagnostics) {
	if !blank(content) {
		key.shown = at.shown()
		f, diags := l.parse(key, label, content)
		if diags != nil {
			return nil, diags
		}
		if f.content != nil {
			return f, nil
		}
	}
	return nil, configError(at.pos, what+" is empty!")
}

// openTemplate opens one of the templates that come with the compiler.
func (l *loader) openTemplate(at *inclusion) (*file, Diagnostics) {
	content, ok := templates.Read(at.text)
	if !ok {
		d := configError(at.pos, fmt.Sprintf("Template file `%s` is not a valid location!", at.text))
		d[0].Hint = didYouMean(at.text, templates.Names())
		return nil, d
	}
	return l.parseIncluded(at, fileKey{path: "template " + at.text}, at.text, fmt.Sprintf("Template file `%s`", at.text), content)
}

// A remoteFile is the outcome of a fetch.
type remoteFile struct {
	content []byte
	read    RemoteRead
}

// checkAddress refuses what is no address of a remote file.
func checkAddress(at *inclusion) Diagnostics {
	u, err := url.Parse(at.text)
	if err != nil || !isAddress(at.text) || u.Host == "" {
		return configError(at.pos, fmt.Sprintf("Remote file `%s` does not have a valid address!", at.shown()))
	}
	return checkExtension(at, u.Path)
}

// openRemote opens a file that anybody can fetch.
func (l *loader) openRemote(at *inclusion) (*file, Diagnostics) {
	if diags := checkAddress(at); diags != nil {
		return nil, diags
	}
	what := fmt.Sprintf("Remote file `%s`", at.shown())
	got, ok := l.remotes[at.text]
	if !ok {
		return nil, l.failure(at.pos, fmt.Errorf("%s was not fetched", what))
	}
	if got.content == nil {
		return nil, configError(at.pos, what+" "+got.read.Digest)
	}
	if at.integrity != "" && !intact(at.integrity, got.content) {
		return nil, configError(at.pos, what+" does not match the given integrity!")
	}
	return l.parseIncluded(at, fileKey{path: at.text}, at.shown(), what, got.content)
}

// intact compares a content with an integrity of the form sha256-BASE64.
func intact(integrity string, content []byte) bool {
	want, ok := strings.CutPrefix(integrity, "sha256-")
	digest := sha256.Sum256(content)
	return ok && want == base64.StdEncoding.EncodeToString(digest[:])
}

// A component is a component's project at a version.
type component struct{ name, sha, version, reference string }

// field returns a field of spec:component.
func (c *component) field(name string) *tree.Node {
	n := &tree.Node{Kind: tree.String}
	switch name {
	case "name":
		n.Text = c.name
	case "sha":
		n.Text = c.sha
	case "reference":
		n.Text = c.reference
	case "version":
		if n.Text = c.version; c.version == "" {
			n.Kind = tree.Null
		}
	}
	return n
}

// openComponent opens a component of a project on this server:
// HOST/GROUP/PROJECT/NAME@VERSION.
func (l *loader) openComponent(at *inclusion) (*file, Diagnostics) {
	fail := func(problem string) (*file, Diagnostics) {
		return nil, configError(at.pos, fmt.Sprintf("Component '%s' - %s", at.text, problem))
	}
	if at.origin.none() {
		return nil, configError(at.pos, "Unable to use components outside of a project context")
	}
	address, version, _ := strings.Cut(at.text, "@")
	whole, local := cutHost(address, l.in.Host)
	project, name := path.Split(whole)
	project = strings.Trim(project, "/")
	if !local || version == "" || name == "" || !strings.Contains(project, "/") {
		return fail("the component path is not supported")
	}
	read, err := l.resolveComponent(project, version)
	switch {
	case err != nil:
		return nil, l.failure(at.pos, err)
	case errors.Is(read.Problem, ErrNoProject):
		return fail("project does not exist or you don't have sufficient permissions")
	case errors.Is(read.Problem, ErrNoVersions):
		what := "partial semantic version"
		if version == latest {
			what = "~latest version"
		}
		return fail("The " + what + " reference is not supported for non-catalog resources. Use a tag, branch, or commit SHA instead.")
	case read.Problem != nil:
		return fail("content not found")
	}
	at.inside = origin{project: read.Commit.Project, sha: read.Commit.SHA}
	at.component = &component{name: name, sha: read.Commit.SHA, version: read.Commit.Name, reference: version}
	for _, file := range []string{"templates/" + name + ".yml", "templates/" + name + "/template.yml"} {
		content, err := l.read(at.inside, file)
		switch {
		case errors.Is(err, ErrNotExist):
		case errors.Is(err, ErrTooLarge):
			return nil, configError(at.pos, fmt.Sprintf("`%s`: %s", at.text, errTextTooBig))
		case err != nil:
			return nil, l.failure(at.pos, err)
		case blank(content):
			return fail("content not found")
		default:
			at.path = file
			return l.parseIncluded(at, fileKey{origin: at.inside, path: file}, l.label(at.inside, file), fmt.Sprintf("Component '%s' -", at.text), content)
		}
	}
	return fail("content not found")
}

// resolveComponent finds the commit of a component's version. A commit, tag or
// branch of that very name comes before the versions that begin so.
func (l *loader) resolveComponent(project, version string) (RefRead, error) {
	if version != latest {
		read, err := l.resolve(Reference{Project: project, Ref: version})
		if err != nil || !errors.Is(read.Problem, ErrNoRef) || !isVersion(version) {
			return read, err
		}
	}
	return l.resolve(Reference{Project: project, Ref: version, Version: true})
}

// cutHost cuts the name of the server off an address.
func cutHost(address, host string) (rest string, ok bool) {
	n := len(host)
	if n == 0 || len(address) <= n || !strings.EqualFold(address[:n], host) || address[n] != '/' {
		return "", false
	}
	return address[n+1:], true
}
