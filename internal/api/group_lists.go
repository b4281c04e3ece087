package api

import (
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// groupFilter reads what narrows a list of groups; whose list it is, c.begin tells.
func (c *call) groupFilter(page wire.Page) store.GroupFilter {
	p := c.params
	f := store.GroupFilter{
		Search: p.String("search"), Visibility: visibility(p), TopLevel: p.Bool("top_level_only", false),
		OrderBy: p.Enum("order_by", "name", "name", "path", "id", "similarity"), Sort: p.Enum("sort", "asc", "asc", "desc"),
		Limit: page.PerPage, Offset: page.Offset(),
	}
	if f.OrderBy == "similarity" {
		f.OrderBy = "name"
	}
	f.Membership, f.MinRole = c.membership()
	if !p.Bool("all_available", true) {
		f.Membership = true
	}
	return f
}

// membership reads owned and min_access_level: whether only what the caller is a
// member of is asked for, and with which role at least.
func (c *call) membership() (only bool, least ci.Role) {
	if c.params.Bool("owned", false) {
		return true, ci.Owner
	}
	least = ci.Role(c.params.Int("min_access_level", 0))
	if least != ci.NoRole && !least.Valid() {
		c.params.Fail("min_access_level", "does not have a valid value")
	}
	return least != ci.NoRole, least
}

// listGroups lists the groups that the caller may see.
func (a *API) listGroups(c *call) error {
	page := c.params.Page()
	filter := c.groupFilter(page)
	if err := c.begin(); err != nil {
		return err
	}
	return c.pageOfGroups(page, filter)
}

// listSubgroups lists the groups in a group, or those at any depth below it.
func (a *API) listSubgroups(below bool) func(*call) error {
	return func(c *call) error {
		page := c.params.Page()
		filter := c.groupFilter(page)
		group, err := c.group()
		if err != nil {
			return err
		}
		filter.ParentID, filter.Below = group.ID, below
		return c.pageOfGroups(page, filter)
	}
}

func (c *call) pageOfGroups(page wire.Page, filter store.GroupFilter) error {
	filter.UserID, filter.Admin = c.caller.User.ID, c.caller.User.Admin
	groups, total, err := c.api.view.Groups(c.ctx(), filter)
	if err != nil {
		return err
	}
	shapes, namespaces := []groupShape{}, c.namespaces()
	for _, g := range groups {
		shape, err := c.groupShape(g, namespaces)
		if err != nil {
			return err
		}
		shapes = append(shapes, shape)
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}
