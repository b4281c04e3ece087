package api

import (
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
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
