package api

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// listBridges lists the jobs of a pipeline that start other pipelines by the
// keyword trigger. The compiler refuses that keyword, so there are none; a pipeline
// that a job starts with its token has an ordinary job as its source
// (contract/trigger-api.md 2.4).
func (a *API) listBridges(c *call) error {
	c.params.Enums("scope", statusNames()...)
	page := c.params.Page()
	if _, _, err := c.pipeline(auth.ReadPipeline, auth.ReadBuild); err != nil {
		return err
	}
	a.urls.WritePage(c.w, c.r, c.params, page, wire.Found{})
	return c.json(http.StatusOK, []struct{}{})
}
