package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// namespaceShape is GitLab's NamespaceBasic.
type namespaceShape struct {
	ID        ci.NamespaceID   `json:"id"`
	Name      string           `json:"name"`
	Path      string           `json:"path"`
	Kind      ci.NamespaceKind `json:"kind"`
	FullPath  string           `json:"full_path"`
	ParentID  *int64           `json:"parent_id"`
	AvatarURL *string          `json:"avatar_url"`
	WebURL    string           `json:"web_url"`
}

func (a *API) namespaceShape(n ci.Namespace) namespaceShape {
	return namespaceShape{
		ID: n.ID, Name: n.Name, Path: n.Path, Kind: n.Kind, FullPath: n.FullPath, ParentID: orNoID(n.ParentID), WebURL: a.namespaceURL(n),
	}
}

// namespaceURL is the page of a group or a user.
func (a *API) namespaceURL(n ci.Namespace) string {
	if n.Kind == ci.GroupNamespace {
		return a.urls.Project("groups/" + n.FullPath)
	}
	return a.urls.Project(n.FullPath)
}

// orNoID shows an absent id as null.
func orNoID[T ~int64](id T) *int64 {
	if id == 0 {
		return nil
	}
	number := int64(id)
	return &number
}

// A namespaceReader reads namespaces, each once per call.
type namespaceReader struct {
	call  *call
	known map[ci.NamespaceID]ci.Namespace
}

func (c *call) namespaces() *namespaceReader {
	return &namespaceReader{call: c, known: map[ci.NamespaceID]ci.Namespace{}}
}

func (r *namespaceReader) get(id ci.NamespaceID) (ci.Namespace, error) {
	if n, ok := r.known[id]; ok {
		return n, nil
	}
	n, err := r.call.api.view.Namespace(r.call.ctx(), id)
	if err == nil {
		r.known[id] = n
	}
	return n, err
}

// fullName joins the names from the outermost group on: "Top / Sub".
func (r *namespaceReader) fullName(n ci.Namespace) (string, error) {
	names := []string{n.Name}
	for n.ParentID != 0 {
		var err error
		if n, err = r.get(n.ParentID); err != nil {
			return "", err
		}
		names = append([]string{n.Name}, names...)
	}
	return strings.Join(names, " / "), nil
}

// listNamespaces lists the namespaces that the caller has projects in or could have:
// the own one and groups they are members of, all for administrators.
func (a *API) listNamespaces(c *call) error {
	page, search, owned := c.params.Page(), c.params.String("search"), c.params.Bool("owned_only", false)
	if err := c.begin(); err != nil {
		return err
	}
	list, total, err := a.view.NamespacesOf(c.ctx(), c.caller.User.ID, c.caller.User.Admin && !owned, search, page.PerPage, page.Offset())
	if err != nil {
		return err
	}
	shapes := make([]namespaceShape, len(list))
	for i, n := range list {
		shapes[i] = a.namespaceShape(n)
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}

// getNamespace shows a namespace that the caller may see, by id or path.
func (a *API) getNamespace(c *call) error {
	if err := c.begin(); err != nil {
		return err
	}
	n, err := a.engine.FindNamespaceByID(c.ctx(), c.r.PathValue("id"))
	if err == nil && n.Kind == ci.GroupNamespace {
		err = a.engine.AuthorizeGroup(c.ctx(), c.caller, n, auth.ReadGroup)
	}
	hidden := err == nil && n.Kind == ci.UserNamespace && n.OwnerID != c.caller.User.ID && !c.caller.User.Admin
	if hidden || ci.IsNotFound(err) {
		return ci.NotFound("Namespace")
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, a.namespaceShape(n))
}

// namespaceExists tells whether a path is taken, and what else might be free.
func (a *API) namespaceExists(c *call) error {
	parent := c.params.Int("parent_id", 0)
	if err := c.begin(); err != nil {
		return err
	}
	path := c.r.PathValue("id")
	if parent != 0 {
		above, err := a.view.Namespace(c.ctx(), ci.NamespaceID(parent))
		if err != nil {
			return err
		}
		path = above.FullPath + "/" + path
	}
	taken := func(path string) (bool, error) {
		_, err := a.view.NamespaceByPath(c.ctx(), path)
		if ci.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	}
	exists, err := taken(path)
	suggests := []string{}
	for n := 1; exists && err == nil && len(suggests) == 0; n++ {
		var again bool
		if again, err = taken(path + strconv.Itoa(n)); !again {
			suggests = append(suggests, c.r.PathValue("id")+strconv.Itoa(n))
		}
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{"exists": exists, "suggests": suggests})
}
