package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// branchShape is GitLab's Branch.
type branchShape struct {
	Name               string      `json:"name"`
	Commit             commitShape `json:"commit"`
	Merged             bool        `json:"merged"`
	Protected          bool        `json:"protected"`
	DevelopersCanPush  bool        `json:"developers_can_push"`
	DevelopersCanMerge bool        `json:"developers_can_merge"`
	CanPush            bool        `json:"can_push"`
	Default            bool        `json:"default"`
	WebURL             string      `json:"web_url"`
}

// A branchReader shows branches of one project.
type branchReader struct {
	call        *call
	project     ci.Project
	protections []ci.Protection
	merged      map[string]bool // into the default branch, by full name
}

func (c *call) branches(project ci.Project) (*branchReader, error) {
	r := &branchReader{call: c, project: project}
	var err error
	if r.protections, err = c.api.view.Protections(c.ctx(), project.ID); err != nil {
		return nil, err
	}
	main, err := c.api.view.Ref(c.ctx(), project.ID, ci.BranchPrefix+project.DefaultBranch)
	if ci.IsNotFound(err) {
		return r, nil
	}
	if err == nil {
		r.merged, err = c.api.git.Merged(c.ctx(), int64(project.ID), main.SHA)
	}
	return r, err
}

func (r *branchReader) shape(name string, commit git.Commit) branchShape {
	isDefault := name == r.project.DefaultBranch
	return branchShape{
		Name: name, Commit: r.call.api.commitShape(r.project.FullPath, commit), Merged: !isDefault && r.merged[ci.BranchPrefix+name],
		Protected: auth.Protected(name, false, r.protections), Default: isDefault,
		DevelopersCanPush:  r.developers(name, func(p ci.Protection) ci.Role { return p.PushLevel }),
		DevelopersCanMerge: r.developers(name, func(p ci.Protection) ci.Role { return p.MergeLevel }),
		CanPush:            r.call.may(auth.PushCode, r.project) && auth.MayPushRef(r.call.actor, name, false, r.protections),
		WebURL:             r.call.api.treeURL(r.project, name),
	}
}

// developers reports whether a protection opens a branch to developers.
func (r *branchReader) developers(name string, level func(ci.Protection) ci.Role) bool {
	return slices.ContainsFunc(r.protections, func(p ci.Protection) bool {
		return !p.Tag && level(p) == ci.Developer && p.Covers(name)
	})
}

// treeURL is the page of the files at a branch or tag.
func (a *API) treeURL(project ci.Project, ref string) string {
	return a.urls.Project(project.FullPath) + "/-/tree/" + wire.EscapePath(ref)
}

// A datedRef is a branch or tag with its commit, as lists sort them.
type datedRef struct {
	name   string // short
	commit git.Commit
}

// A refQuery says which refs a list shows, and in which order.
type refQuery struct {
	prefix     string // ci.BranchPrefix or ci.TagPrefix
	search     string
	by         string // name, or updated: the date of the commit
	descending bool
}

// refs reads a page of branches or tags with their commits and says how many match.
// Refs whose commit went a moment ago are left out.
func (c *call) refs(project ci.Project, q refQuery, page wire.Page) ([]datedRef, int, error) {
	all, err := c.api.view.Refs(c.ctx(), project.ID, q.prefix)
	if err != nil {
		return nil, 0, err
	}
	all = slices.DeleteFunc(all, func(r ci.Ref) bool { return !searched(r.Short(), q.search) })
	if q.by != "updated" {
		if q.descending {
			slices.Reverse(all)
		}
		dated, err := c.dated(project, part(all, page))
		return dated, len(all), err
	}
	dated, err := c.dated(project, all)
	slices.SortStableFunc(dated, func(a, b datedRef) int {
		if q.descending {
			a, b = b, a
		}
		return a.commit.CommittedAt.Compare(b.commit.CommittedAt)
	})
	return part(dated, page), len(all), err
}

// dated reads the commits of refs.
func (c *call) dated(project ci.Project, refs []ci.Ref) ([]datedRef, error) {
	var found []datedRef
	for _, ref := range refs {
		commit, err := c.api.git.Commit(c.ctx(), int64(project.ID), ref.SHA)
		if errors.Is(err, git.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, datedRef{ref.Short(), commit})
	}
	return found, nil
}

// searched reports whether a name has a part; ^ before it binds it to the
// beginning, $ after it to the end. Case does not matter.
func searched(name, part string) bool {
	name, part = strings.ToLower(name), strings.ToLower(part)
	start, atStart := strings.CutPrefix(part, "^")
	whole, atEnd := strings.CutSuffix(start, "$")
	switch {
	case atStart && atEnd:
		return name == whole
	case atStart:
		return strings.HasPrefix(name, start)
	case atEnd:
		return strings.HasSuffix(name, whole)
	}
	return strings.Contains(name, part)
}

// listBranches lists branches, by name unless asked otherwise.
func (a *API) listBranches(c *call) error {
	page := c.params.Page()
	by, direction, _ := strings.Cut(c.params.Enum("sort", "name_asc", "name_asc", "name_desc", "updated_asc", "updated_desc"), "_")
	query := refQuery{prefix: ci.BranchPrefix, search: c.params.String("search"), by: by, descending: direction == "desc"}
	project, err := c.project(auth.ReadCode)
	if err != nil {
		return err
	}
	refs, total, err := c.refs(project, query, page)
	if err != nil {
		return err
	}
	branches, err := c.branches(project)
	if err != nil {
		return err
	}
	shapes := []branchShape{}
	for _, ref := range refs {
		shapes = append(shapes, branches.shape(ref.name, ref.commit))
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}

// getBranch shows a branch, or tells HEAD that it is there.
func (a *API) getBranch(c *call) error {
	project, err := c.project(auth.ReadCode)
	if err != nil {
		return err
	}
	if c.r.Method == http.MethodHead {
		if _, err := a.view.Ref(c.ctx(), project.ID, ci.BranchPrefix+c.r.PathValue("branch")); err != nil {
			return err
		}
		return wire.NoContent(c.w)
	}
	return c.showBranch(http.StatusOK, project, c.r.PathValue("branch"))
}

// showBranch answers with a branch.
func (c *call) showBranch(status int, project ci.Project, name string) error {
	ref, err := c.api.view.Ref(c.ctx(), project.ID, ci.BranchPrefix+name)
	if ci.IsNotFound(err) {
		return ci.NotFound("Branch")
	}
	if err != nil {
		return err
	}
	commit, err := c.api.git.Commit(c.ctx(), int64(project.ID), ref.SHA)
	if err != nil {
		return err
	}
	branches, err := c.branches(project)
	if err != nil {
		return err
	}
	return c.json(status, branches.shape(name, commit))
}

// createBranch makes a branch where ref points.
func (a *API) createBranch(c *call) error {
	c.params.RequireFilled("branch", "ref")
	name, from := c.params.String("branch"), c.params.String("ref")
	project, err := c.project(auth.PushCode)
	if err != nil {
		return err
	}
	if _, err := a.engine.CreateBranch(c.ctx(), c.caller, project, name, from); err != nil {
		return err
	}
	return c.showBranch(http.StatusCreated, project, name)
}

// deleteBranch removes a branch.
func (a *API) deleteBranch(c *call) error {
	project, err := c.project(auth.PushCode)
	if err != nil {
		return err
	}
	if err := a.engine.DeleteBranch(c.ctx(), c.caller, project, c.r.PathValue("branch"), c.unlessCommittedSince(project)); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}

// unlessCommittedSince is unlessModifiedSince for what a ref points at.
func (c *call) unlessCommittedSince(project ci.Project) func(sha string) error {
	return func(sha string) error {
		if c.r.Header.Get("If-Unmodified-Since") == "" {
			return nil
		}
		commit, err := c.api.git.Commit(c.ctx(), int64(project.ID), sha)
		if err != nil {
			return err
		}
		return c.unlessModifiedSince(commit.CommittedAt)
	}
}

// deleteMergedBranches removes all branches whose commits the default branch has;
// protected ones and the default branch stay.
func (a *API) deleteMergedBranches(c *call) error {
	project, err := c.project(auth.PushCode)
	if err != nil {
		return err
	}
	branches, err := c.branches(project)
	if err != nil {
		return err
	}
	for full := range branches.merged {
		name := ci.ShortRef(full)
		if name == project.DefaultBranch || auth.Protected(name, false, branches.protections) {
			continue
		}
		err := a.engine.DeleteBranch(c.ctx(), c.caller, project, name, func(string) error { return nil })
		if err != nil && !ci.IsNotFound(err) {
			return err
		}
	}
	return c.accepted()
}
