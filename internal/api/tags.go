package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// tagShape is GitLab's Tag. A lightweight tag has neither message nor time.
type tagShape struct {
	Name      string      `json:"name"`
	Message   *string     `json:"message"`
	Target    string      `json:"target"`
	Commit    commitShape `json:"commit"`
	Release   *string     `json:"release"` // there are none here
	Protected bool        `json:"protected"`
	CreatedAt stamp       `json:"created_at"`
}

func (c *call) tagShape(project ci.Project, name string, commit git.Commit, protections []ci.Protection) (tagShape, error) {
	tag, err := c.api.git.Tag(c.ctx(), int64(project.ID), name)
	shape := tagShape{
		Name: name, Target: tag.SHA, Commit: c.api.commitShape(project.FullPath, commit), Protected: auth.Protected(name, true, protections),
	}
	if tag.Annotated {
		message := strings.TrimSuffix(tag.Message, "\n")
		shape.Message, shape.CreatedAt = &message, stamp(tag.TaggedAt)
	}
	return shape, err
}

// listTags lists tags, the newest first unless asked otherwise.
func (a *API) listTags(c *call) error {
	page := c.params.Page()
	query := refQuery{
		prefix: ci.TagPrefix, search: c.params.String("search"), by: c.params.Enum("order_by", "updated", "name", "updated", "version"),
		descending: c.params.Enum("sort", "desc", "asc", "desc") == "desc",
	}
	project, err := c.project(auth.ReadCode)
	if err != nil {
		return err
	}
	refs, total, err := c.refs(project, query, page)
	if err != nil {
		return err
	}
	protections, err := a.view.Protections(c.ctx(), project.ID)
	if err != nil {
		return err
	}
	shapes := []tagShape{}
	for _, ref := range refs {
		shape, err := c.tagShape(project, ref.name, ref.commit, protections)
		if errors.Is(err, git.ErrNotExist) {
			continue // removed a moment ago
		}
		if err != nil {
			return err
		}
		shapes = append(shapes, shape)
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}

// getTag shows a tag.
func (a *API) getTag(c *call) error {
	project, err := c.project(auth.ReadCode)
	if err != nil {
		return err
	}
	return c.showTag(http.StatusOK, project, c.r.PathValue("tag_name"))
}

// showTag answers with a tag.
func (c *call) showTag(status int, project ci.Project, name string) error {
	ref, err := c.api.view.Ref(c.ctx(), project.ID, ci.TagPrefix+name)
	if ci.IsNotFound(err) {
		return ci.NotFound("Tag")
	}
	if err != nil {
		return err
	}
	commit, err := c.api.git.Commit(c.ctx(), int64(project.ID), ref.SHA)
	if err != nil {
		return err
	}
	protections, err := c.api.view.Protections(c.ctx(), project.ID)
	if err != nil {
		return err
	}
	shape, err := c.tagShape(project, name, commit, protections)
	if err != nil {
		return err
	}
	return c.json(status, shape)
}

// createTag makes a tag where ref points, annotated when it has a message.
func (a *API) createTag(c *call) error {
	c.params.Require("tag_name", "ref")
	request := git.TagRequest{Name: c.params.String("tag_name"), Target: c.params.String("ref"), Message: c.params.String("message")}
	project, err := c.project(auth.PushCode)
	if err != nil {
		return err
	}
	if _, err := a.engine.CreateTag(c.ctx(), c.caller, project, request); err != nil {
		return err
	}
	return c.showTag(http.StatusCreated, project, request.Name)
}

// deleteTag removes a tag.
func (a *API) deleteTag(c *call) error {
	project, err := c.project(auth.PushCode)
	if err != nil {
		return err
	}
	if err := a.engine.DeleteTag(c.ctx(), c.caller, project, c.r.PathValue("tag_name"), c.unlessCommittedSince(project)); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}
