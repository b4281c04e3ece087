package api

import (
	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// runnerShape is GitLab's Runner, as lists show it.
type runnerShape struct {
	jobRunner
	CreatedAt       stamp      `json:"created_at"`
	CreatedBy       *userBasic `json:"created_by"`
	ExecutionStatus string     `json:"job_execution_status"` // active while it has a job
}

// runnerDetails is GitLab's Runner, looked at alone.
type runnerDetails struct {
	runnerShape
	TagList         []string        `json:"tag_list"`
	RunUntagged     bool            `json:"run_untagged"`
	Locked          bool            `json:"locked"`
	MaximumTimeout  *int64          `json:"maximum_timeout"`
	AccessLevel     string          `json:"access_level"`
	Version         *string         `json:"version"`
	Revision        *string         `json:"revision"`
	Platform        *string         `json:"platform"`
	Architecture    *string         `json:"architecture"`
	ContactedAt     stamp           `json:"contacted_at"`
	MaintenanceNote *string         `json:"maintenance_note"`
	Projects        []runnerProject `json:"projects"` // that it is assigned to and the caller may see
	Groups          []runnerGroup   `json:"groups"`
}

// runnerProject is GitLab's ProjectIdentity.
type runnerProject struct {
	ID                ci.ProjectID `json:"id"`
	Description       *string      `json:"description"`
	Name              string       `json:"name"`
	NameWithNamespace string       `json:"name_with_namespace"`
	Path              string       `json:"path"`
	PathWithNamespace string       `json:"path_with_namespace"`
	CreatedAt         stamp        `json:"created_at"`
}

type runnerGroup struct {
	ID     ci.NamespaceID `json:"id"`
	WebURL string         `json:"web_url"`
	Name   string         `json:"name"`
}

// managerShape is GitLab's RunnerManager.
type managerShape struct {
	runnerMachine
	ExecutionStatus string `json:"job_execution_status"`
}

// newRunnerShape tells the token of a runner, when it is made or replaced. Tokens do
// not expire here.
type newRunnerShape struct {
	ID      ci.RunnerID `json:"id,omitempty"`
	Token   string      `json:"token"`
	Expires *string     `json:"token_expires_at"`
}

// Access levels of a runner.
const (
	levelAll       = "not_protected"
	levelProtected = "ref_protected"
)

// executionStatus says whether jobs are under way.
func executionStatus(held []ci.Job) string {
	if len(held) > 0 {
		return "active"
	}
	return "idle"
}

// runnerShape shows a runner; managers are its machines, newest first.
func (c *call) runnerShape(r ci.Runner, managers []ci.RunnerManager) (runnerShape, error) {
	held, err := c.api.view.HeldByRunner(c.ctx(), r.ID)
	if err != nil {
		return runnerShape{}, err
	}
	users, err := c.api.view.UsersByID(c.ctx(), []ci.UserID{r.CreatorID})
	if err != nil {
		return runnerShape{}, err
	}
	return runnerShape{
		jobRunner: *shapeRunner(&r, newestOf(managers), c.api.now()), CreatedAt: stamp(r.CreatedAt),
		CreatedBy: c.api.userBasic(users[r.CreatorID]), ExecutionStatus: executionStatus(held),
	}, nil
}

// newestOf gives the machine that was heard of last, nil when there is none.
func newestOf(managers []ci.RunnerManager) *ci.RunnerManager {
	var newest *ci.RunnerManager
	for i := range managers {
		if newest == nil || managers[i].ContactedAt.After(newest.ContactedAt) {
			newest = &managers[i]
		}
	}
	return newest
}

// runnerShapes shows a list of runners.
func (c *call) runnerShapes(list []ci.Runner) ([]runnerShape, error) {
	shapes := make([]runnerShape, len(list))
	for i, r := range list {
		managers, err := c.api.view.Managers(c.ctx(), r.ID)
		if err != nil {
			return nil, err
		}
		if shapes[i], err = c.runnerShape(r, managers); err != nil {
			return nil, err
		}
	}
	return shapes, nil
}

// runnerDetails shows one runner.
func (c *call) runnerDetails(r ci.Runner) (runnerDetails, error) {
	managers, err := c.api.view.Managers(c.ctx(), r.ID)
	if err != nil {
		return runnerDetails{}, err
	}
	brief, err := c.runnerShape(r, managers)
	if err != nil {
		return runnerDetails{}, err
	}
	shape := runnerDetails{
		runnerShape: brief, TagList: r.Tags, RunUntagged: r.RunUntagged, Locked: r.Locked, AccessLevel: levelAll,
		ContactedAt: stamp(r.ContactedAt), MaintenanceNote: orNull(r.Note), Projects: []runnerProject{}, Groups: []runnerGroup{},
	}
	if shape.TagList == nil {
		shape.TagList = []string{}
	}
	if r.RefProtected {
		shape.AccessLevel = levelProtected
	}
	if r.MaximumTimeout != 0 {
		shape.MaximumTimeout = &r.MaximumTimeout
	}
	if m := newestOf(managers); m != nil {
		shape.Version, shape.Revision = orNull(m.Version), orNull(m.Revision)
		shape.Platform, shape.Architecture = orNull(m.Platform), orNull(m.Architecture)
	}
	if shape.Projects, err = c.runnerProjects(r); err != nil {
		return runnerDetails{}, err
	}
	if r.Type == ci.GroupRunner {
		group, err := c.api.view.Namespace(c.ctx(), r.NamespaceID)
		if err != nil {
			return runnerDetails{}, err
		}
		shape.Groups = append(shape.Groups, runnerGroup{group.ID, c.api.namespaceURL(group), group.Name})
	}
	return shape, nil
}

// runnerProjects lists the projects of a runner that the caller may see.
func (c *call) runnerProjects(r ci.Runner) ([]runnerProject, error) {
	shapes, namespaces := []runnerProject{}, c.namespaces()
	for _, id := range r.ProjectIDs {
		project, err := c.api.view.Project(c.ctx(), id)
		if err != nil {
			return nil, err
		}
		_, err = c.api.engine.Authorize(c.ctx(), c.caller, project, auth.ReadProject)
		if ci.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		shape, err := c.runnerProject(project, namespaces)
		if err != nil {
			return nil, err
		}
		shapes = append(shapes, shape)
	}
	return shapes, nil
}

func (c *call) runnerProject(p ci.Project, namespaces *namespaceReader) (runnerProject, error) {
	basic, err := c.projectBasic(p, namespaces)
	return runnerProject{
		ID: basic.ID, Description: basic.Description, Name: basic.Name, NameWithNamespace: basic.NameWithNamespace,
		Path: basic.Path, PathWithNamespace: basic.PathWithNamespace, CreatedAt: basic.CreatedAt,
	}, err
}
