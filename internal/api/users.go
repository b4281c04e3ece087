package api

import (
	"net/http"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// ownUser is GitLab's user as it sees itself: UserBasic and what only the account
// and administrators may know.
type ownUser struct {
	userFull
	Email            string         `json:"email"`
	CommitEmail      string         `json:"commit_email"`
	IsAdmin          bool           `json:"is_admin"`
	NamespaceID      ci.NamespaceID `json:"namespace_id"`
	ConfirmedAt      stamp          `json:"confirmed_at"`
	External         bool           `json:"external"`
	CanCreateGroup   bool           `json:"can_create_group"`
	CanCreateProject bool           `json:"can_create_project"`
	TwoFactorEnabled bool           `json:"two_factor_enabled"`
	Identities       []string       `json:"identities"`
	ProjectsLimit    int            `json:"projects_limit"`
	ThemeID          int            `json:"theme_id"`
	ColorSchemeID    int            `json:"color_scheme_id"`
}

// projectsLimit is what GitLab shows for "as many as you like".
const projectsLimit = 100000

func (c *call) ownUser(u ci.User) (ownUser, error) {
	home, err := c.api.view.NamespaceByPath(c.ctx(), u.Username)
	if err != nil {
		return ownUser{}, err
	}
	shape := ownUser{
		userFull: *c.api.userFull(u), Email: u.Email, CommitEmail: u.Email, IsAdmin: u.Admin, NamespaceID: home.ID,
		CanCreateGroup: true, CanCreateProject: true, Identities: []string{}, ProjectsLimit: projectsLimit, ThemeID: 1, ColorSchemeID: 1,
	}
	if u.Confirmed {
		shape.ConfirmedAt = stamp(u.CreatedAt)
	}
	return shape, nil
}

// currentUser shows who the token belongs to.
func (a *API) currentUser(c *call) error {
	if err := c.begin(); err != nil {
		return err
	}
	shape, err := c.ownUser(c.caller.User)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shape)
}

// listUsers finds accounts by name and shows them, in full to administrators.
func (a *API) listUsers(c *call) error {
	page := c.params.Page()
	filter := store.UserFilter{
		Username: c.params.String("username"), Search: c.params.String("search"), Limit: page.PerPage, Offset: page.Offset(),
	}
	switch {
	case c.params.Bool("active", false):
		filter.State = ci.UserActive
	case c.params.Bool("blocked", false):
		filter.State = ci.UserBlocked
	}
	if err := c.begin(); err != nil {
		return err
	}
	users, total, err := a.view.Users(c.ctx(), filter)
	if err != nil {
		return err
	}
	shapes := make([]any, len(users))
	for i, u := range users {
		if shapes[i] = a.userBasic(u); !c.caller.User.Admin {
			continue
		}
		if shapes[i], err = c.ownUser(u); err != nil {
			return err
		}
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}

// getUser shows an account, in full to administrators.
func (a *API) getUser(c *call) error {
	id := ci.UserID(c.params.Int("id", 0))
	if err := c.begin(); err != nil {
		return err
	}
	user, err := a.view.User(c.ctx(), id)
	if ci.IsNotFound(err) {
		return ci.NotFound("User")
	}
	if err != nil {
		return err
	}
	if !c.caller.User.Admin {
		return c.json(http.StatusOK, a.userFull(user))
	}
	shape, err := c.ownUser(user)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shape)
}

// userNamed finds an account by id or user name: digits are an id.
func (c *call) userNamed(idOrName string) (ci.User, error) {
	var user ci.User
	id, err := strconv.ParseInt(idOrName, 10, 64)
	if err == nil {
		user, err = c.api.view.User(c.ctx(), ci.UserID(id))
	} else {
		user, err = c.api.view.UserByName(c.ctx(), idOrName)
	}
	if ci.IsNotFound(err) {
		return ci.User{}, ci.NotFound("User")
	}
	return user, err
}

// createUser makes an account.
func (a *API) createUser(c *call) error {
	c.params.Require("email", "name", "username")
	n := engine.NewUser{
		Username: c.params.String("username"), Name: c.params.String("name"), Email: c.params.String("email"),
		Password: c.params.String("password"), Admin: c.params.Bool("admin", false),
	}
	if err := c.begin(); err != nil {
		return err
	}
	user, err := a.engine.CreateUser(c.ctx(), c.caller, n)
	if err != nil {
		return err
	}
	shape, err := c.ownUser(user)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, shape)
}

// deleteUser removes an account for good.
func (a *API) deleteUser(c *call) error {
	id, hard := ci.UserID(c.params.Int("id", 0)), c.params.Bool("hard_delete", false)
	if err := c.begin(); err != nil {
		return err
	}
	if err := a.engine.DeleteUser(c.ctx(), c.caller, id, hard); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}

// blockUser keeps an account from doing anything.
func (a *API) blockUser(c *call) error { return a.setUserState(c, ci.UserBlocked) }

// unblockUser lets a blocked account act again.
func (a *API) unblockUser(c *call) error { return a.setUserState(c, ci.UserActive) }

// setUserState answers true, as GitLab does, also when nothing had to change.
func (a *API) setUserState(c *call, state ci.UserState) error {
	id := ci.UserID(c.params.Int("id", 0))
	if err := c.begin(); err != nil {
		return err
	}
	if _, _, err := a.engine.SetUserState(c.ctx(), c.caller, id, state); err != nil {
		return err
	}
	return c.json(http.StatusCreated, true)
}
