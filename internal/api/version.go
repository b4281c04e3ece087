package api

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// gitlabRevision is what /version says beside the version of GitLab that clients
// are to talk to this server as.
const gitlabRevision = "lanyard"

// versionShape is GitLab's version.
type versionShape struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
}

// version tells clients which API to expect.
func (a *API) version(c *call) error {
	if err := c.begin(); err != nil {
		return err
	}
	return c.json(http.StatusOK, versionShape{Version: engine.ServerVersion, Revision: gitlabRevision})
}

// metadataShape is GitLab's metadata with our own build beside it.
type metadataShape struct {
	Version    string       `json:"version"`
	Revision   string       `json:"revision"`
	KAS        kasShape     `json:"kas"`
	Enterprise bool         `json:"enterprise"`
	Lanyard    lanyardShape `json:"lanyard"`
}

// kasShape is about GitLab's agent server, which is not here.
type kasShape struct {
	Enabled          bool    `json:"enabled"`
	ExternalURL      *string `json:"externalUrl"`
	ExternalK8sProxy *string `json:"externalK8sProxyUrl"`
	Version          *string `json:"version"`
}

type lanyardShape struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Database string `json:"database"`
}

// metadata tells the same and what this server really is.
func (a *API) metadata(c *call) error {
	if err := c.begin(); err != nil {
		return err
	}
	return c.json(http.StatusOK, metadataShape{
		Version: engine.ServerVersion, Revision: gitlabRevision, Lanyard: lanyardOf(a.build),
	})
}

func lanyardOf(b ci.Build) lanyardShape {
	return lanyardShape{Version: b.Version, Commit: b.Commit, Go: b.Go, Platform: b.Platform, Database: b.Database}
}
