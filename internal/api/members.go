package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// memberShape is GitLab's Member.
type memberShape struct {
	ID              ci.UserID  `json:"id"`
	Username        string     `json:"username"`
	Name            string     `json:"name"`
	State           string     `json:"state"`
	Locked          bool       `json:"locked"`
	AvatarURL       *string    `json:"avatar_url"`
	WebURL          string     `json:"web_url"`
	AccessLevel     ci.Role    `json:"access_level"`
	CreatedAt       stamp      `json:"created_at"`
	CreatedBy       *userBasic `json:"created_by"`
	ExpiresAt       *string    `json:"expires_at"`
	MembershipState string     `json:"membership_state"`
}

func (a *API) memberShape(m ci.Member, u ci.User) memberShape {
	shape := memberShape{
		ID: u.ID, Username: u.Username, Name: u.Name, State: string(u.State), WebURL: a.urls.User(u.Username),
		AccessLevel: m.Role, CreatedAt: stamp(m.CreatedAt), MembershipState: "active",
	}
	if !m.ExpiresAt.IsZero() {
		day := m.ExpiresAt.UTC().Format(time.DateOnly)
		shape.ExpiresAt = &day
	}
	return shape
}

// A memberFinder finds what the path of a call is about members of.
type memberFinder func(c *call) (engine.MemberOf, error)

// ofProject is the memberFinder for projects.
func ofProject(c *call) (engine.MemberOf, error) {
	project, err := c.project(auth.ReadMembers)
	return engine.MemberOf{Project: project}, err
}

// ofGroup is the memberFinder for groups.
func ofGroup(c *call) (engine.MemberOf, error) {
	group, err := c.group(auth.ReadGroupMembers)
	return engine.MemberOf{Group: group}, err
}

// listMembers lists the members, those of groups above among them when inherited
// is true.
func (a *API) listMembers(find memberFinder, inherited bool) func(*call) error {
	return func(c *call) error {
		page, query, only := c.params.Page(), strings.ToLower(c.params.String("query")), c.params.Commas("user_ids")
		of, err := find(c)
		if err != nil {
			return err
		}
		members, err := a.engine.Members(c.ctx(), of, inherited)
		if err != nil {
			return err
		}
		shapes, err := c.memberShapes(members)
		if err != nil {
			return err
		}
		found := shapes[:0]
		for _, m := range shapes {
			named := strings.Contains(strings.ToLower(m.Username), query) || strings.Contains(strings.ToLower(m.Name), query)
			if named && (len(only) == 0 || containsID(only, m.ID)) {
				found = append(found, m)
			}
		}
		return c.page(page, wire.Found{Total: int64(len(found))}, part(found, page))
	}
}

// memberShapes shows members; those whose accounts are gone are left out.
func (c *call) memberShapes(members []ci.Member) ([]memberShape, error) {
	ids := make([]ci.UserID, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	users, err := c.api.view.UsersByID(c.ctx(), ids)
	if err != nil {
		return nil, err
	}
	shapes := make([]memberShape, 0, len(members))
	for _, m := range members {
		if user, ok := users[m.UserID]; ok {
			shapes = append(shapes, c.api.memberShape(m, user))
		}
	}
	return shapes, nil
}

func containsID(ids []string, id ci.UserID) bool {
	for _, text := range ids {
		if text == strconv.FormatInt(int64(id), 10) {
			return true
		}
	}
	return false
}

// part cuts one page out of a list that is there as a whole.
func part[T any](list []T, page wire.Page) []T {
	from := min(page.Offset(), len(list))
	return list[from:min(from+page.PerPage, len(list))]
}

// getMember shows one member.
func (a *API) getMember(find memberFinder, inherited bool) func(*call) error {
	return func(c *call) error {
		user := ci.UserID(c.params.Int("user_id", 0))
		of, err := find(c)
		if err != nil {
			return err
		}
		members, err := a.engine.Members(c.ctx(), of, inherited)
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.UserID == user {
				return c.showMember(http.StatusOK, m)
			}
		}
		return ci.NoRecord()
	}
}

// showMember answers with a member.
func (c *call) showMember(status int, m ci.Member) error {
	user, err := c.api.view.User(c.ctx(), m.UserID)
	if err != nil {
		return err
	}
	return c.json(status, c.api.memberShape(m, user))
}

// addMember makes a user a member: by id, or by name.
func (a *API) addMember(find memberFinder) func(*call) error {
	return func(c *call) error {
		c.params.Require("access_level")
		n := engine.NewMember{
			UserID: ci.UserID(c.params.Int("user_id", 0)), Role: ci.Role(c.params.Int("access_level", 0)), ExpiresAt: c.params.Time("expires_at"),
		}
		username := c.params.String("username")
		if !c.params.Has("user_id") && username == "" {
			c.params.Fail("user_id, username", "are missing, exactly one parameter must be provided")
		}
		of, err := find(c)
		if err != nil {
			return err
		}
		if username != "" {
			user, err := a.view.UserByName(c.ctx(), username)
			if err != nil && !ci.IsNotFound(err) {
				return err
			}
			n.UserID = user.ID // of none for nobody
		}
		member, err := a.engine.AddMember(c.ctx(), c.caller, of, n)
		if err != nil {
			return err
		}
		return c.showMember(http.StatusCreated, member)
	}
}

// updateMember changes role and expiry of a member; an expiry that is left out
// stays away.
func (a *API) updateMember(find memberFinder) func(*call) error {
	return func(c *call) error {
		c.params.Require("access_level")
		n := engine.NewMember{
			UserID: ci.UserID(c.params.Int("user_id", 0)), Role: ci.Role(c.params.Int("access_level", 0)), ExpiresAt: c.params.Time("expires_at"),
		}
		of, err := find(c)
		if err != nil {
			return err
		}
		member, err := a.engine.UpdateMember(c.ctx(), c.caller, of, n)
		if err != nil {
			return err
		}
		return c.showMember(http.StatusOK, member)
	}
}

// removeMember ends a membership.
func (a *API) removeMember(find memberFinder) func(*call) error {
	return func(c *call) error {
		user := ci.UserID(c.params.Int("user_id", 0))
		of, err := find(c)
		if err != nil {
			return err
		}
		if err := a.engine.RemoveMember(c.ctx(), c.caller, of, user); err != nil {
			return err
		}
		return wire.NoContent(c.w)
	}
}
