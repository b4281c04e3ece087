package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// A cursor is where a list that is paged by key goes on: behind this id. Clients
// pass it on as they got it.
type cursor struct {
	ID string `json:"id"`
}

// readCursor gives the id that the parameter cursor names, 0 without one.
func readCursor(p *wire.Params) (int64, error) {
	text := p.String("cursor")
	if text == "" {
		return 0, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	var at cursor
	if err == nil {
		err = json.Unmarshal(data, &at)
	}
	id, parseErr := strconv.ParseInt(at.ID, 10, 64)
	if err != nil || parseErr != nil {
		return 0, ci.BadParam("cursor is invalid")
	}
	return id, nil
}

// nextCursor is the header Link to what comes after an id.
func (c *call) nextCursor(after int64, perPage int) string {
	data := fmt.Appendf(nil, `{"id":"%d"}`, after)
	query := withoutCredentials(c.r.URL.Query())
	query.Set("cursor", base64.RawURLEncoding.EncodeToString(data))
	query.Set("per_page", strconv.Itoa(perPage))
	next := url.URL{Path: c.r.URL.Path, RawPath: c.r.URL.RawPath, RawQuery: query.Encode()}
	return "<" + c.api.urls.Abs(next.EscapedPath()) + "?" + next.RawQuery + `>; rel="next"`
}
