package api

import "github.com/lanyard-ci/lanyard/internal/ci"

// userBasic is GitLab's UserBasic (contract/trigger-api.md 1.2).
type userBasic struct {
	ID          ci.UserID `json:"id"`
	Username    string    `json:"username"`
	PublicEmail *string   `json:"public_email"`
	Name        string    `json:"name"`
	State       string    `json:"state"`
	Locked      bool      `json:"locked"`
	AvatarURL   *string   `json:"avatar_url"`
	WebURL      string    `json:"web_url"`
}

// userBasic shows a user in brief, null for one that is gone.
func (a *API) userBasic(u ci.User) *userBasic {
	if u.ID == 0 {
		return nil
	}
	return &userBasic{
		ID: u.ID, Username: u.Username, PublicEmail: orNull(u.PublicEmail), Name: u.Name, State: string(u.State),
		WebURL: a.urls.User(u.Username),
	}
}

// userFull is GitLab's User: what a job tells about who started it
// (contract/trigger-api.md 6.2). The profile has no pages here, so its fields are
// empty as those of a user who filled in none.
type userFull struct {
	userBasic
	CreatedAt       stamp   `json:"created_at"`
	Bio             string  `json:"bio"`
	Location        string  `json:"location"`
	LinkedIn        string  `json:"linkedin"`
	Twitter         string  `json:"twitter"`
	Discord         string  `json:"discord"`
	WebsiteURL      string  `json:"website_url"`
	GitHub          string  `json:"github"`
	JobTitle        string  `json:"job_title"`
	Pronouns        *string `json:"pronouns"`
	Organization    string  `json:"organization"`
	Bot             bool    `json:"bot"`
	WorkInformation *string `json:"work_information"`
	Followers       int     `json:"followers"`
	Following       int     `json:"following"`
	IsFollowed      bool    `json:"is_followed"`
	LocalTime       *string `json:"local_time"`
}

// userFull shows a user in full, null for one that is gone.
func (a *API) userFull(u ci.User) *userFull {
	basic := a.userBasic(u)
	if basic == nil {
		return nil
	}
	return &userFull{userBasic: *basic, CreatedAt: stamp(u.CreatedAt)}
}
