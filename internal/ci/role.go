package ci

// A Role is what a user may do in a project, as GitLab's access levels.
type Role int

// The roles in rising order; the numbers are what the API shows.
const (
	NoRole     Role = 0
	Guest      Role = 10
	Planner    Role = 15
	Reporter   Role = 20
	Developer  Role = 30
	Maintainer Role = 40
	Owner      Role = 50
	Admin      Role = 60 // only in protection levels: instance administrators
)

// Valid reports whether a member can have r.
func (r Role) Valid() bool {
	switch r {
	case Guest, Planner, Reporter, Developer, Maintainer, Owner:
		return true
	case NoRole, Admin:
	}
	return false
}

// String gives GitLab's description of the access level.
func (r Role) String() string {
	switch r {
	case Guest:
		return "Guest"
	case Planner:
		return "Planner"
	case Reporter:
		return "Reporter"
	case Developer:
		return "Developers + Maintainers"
	case Maintainer:
		return "Maintainers"
	case Owner:
		return "Owner"
	case Admin:
		return "Instance admins"
	case NoRole:
	}
	return "No one"
}

// Title names the role of a member, where String names who reaches a level.
func (r Role) Title() string {
	switch r {
	case Developer:
		return "Developer"
	case Maintainer:
		return "Maintainer"
	case NoRole, Guest, Planner, Reporter, Owner, Admin:
	}
	return r.String()
}
