package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// triggersPath is GitLab's page of CI/CD settings, below a project.
const triggersPath = "/-/settings/ci_cd"

// triggersAnchor is where trigger tokens are on it.
const triggersAnchor = "#js-pipeline-triggers"

// triggersAction is what the page needs.
const triggersAction = auth.AdminBuild

// A triggersPage shows the trigger tokens of a project.
type triggersPage struct {
	shell
	Create      string // where the form posts to; empty: not for this visitor
	Description string // as it was sent, with a problem
	ExpiresAt   string
	Rows        []triggerRow
	Pager       pager
	Snippet     string
	Created     *triggerRow // the one that was just made
}

// A triggerRow is a trigger token as the visitor may see it.
type triggerRow struct {
	ID          int64
	Description string
	Token       string // whole for its owner, four characters for everybody else
	Whole       bool
	Owner       string
	Created     timeView
	LastUsed    timeView
	Expires     timeView
	Expired     bool
	Update      string // where forms post to; empty: not for this visitor
	Revoke      string
}

// notices are what a page says after a form, by the word that its address carries.
var notices = map[string]string{
	"created": "The trigger token was created.",
	"updated": "The description was changed.",
	"revoked": "The trigger token was revoked: calls with it are refused from now on.",
}

// triggers shows the page.
func (v *visit) triggers() error { return v.showTriggers(http.StatusOK, "", "", "") }

// showTriggers shows the page, with a problem and what was sent if there was one.
func (v *visit) showTriggers(status int, problem, description, expiresAt string) error {
	page, err := v.triggersPage()
	if err != nil {
		return err
	}
	page.Problem, page.Description, page.ExpiresAt = problem, description, expiresAt
	v.w.Header().Set("Cache-Control", "no-store") // it shows secrets
	return v.show(status, "triggers", page)
}

func (v *visit) triggersPage() (triggersPage, error) {
	query := v.r.URL.Query()
	number := pageNumber(query)
	list, total, err := v.web.engine.ListTriggers(v.ctx(), v.caller, v.project, perPage, (number-1)*perPage)
	if err != nil {
		return triggersPage{}, err
	}
	base := v.web.urls.Path(v.web.below(v.project))
	page := triggersPage{shell: v.projectShell("Trigger tokens", tabTriggers)}
	page.Notice = notices[query.Get("done")]
	page.Pager = newPager(base+triggersPath, nil, number, len(list), total)
	if v.may(auth.ManageTrigger) {
		page.Create = base + "/-/triggers"
	}
	page.Rows = make([]triggerRow, len(list))
	for i, t := range list {
		page.Rows[i] = v.triggerRow(t, base)
	}
	token := "TOKEN"
	if id := query.Get("token"); id != "" {
		for i := range page.Rows {
			if row := &page.Rows[i]; fmt.Sprint(row.ID) == id && row.Whole {
				page.Created, token = row, row.Token
			}
		}
	}
	page.Snippet = v.snippet(token)
	return page, nil
}

func (v *visit) triggerRow(t engine.ShownTrigger, base string) triggerRow {
	row := triggerRow{
		ID: int64(t.ID), Token: t.Token, Whole: auth.MaySeeToken(v.actor, v.project, t.Trigger), Owner: t.Owner.Username,
		Created: at(t.CreatedAt), LastUsed: at(t.LastUsed), Expires: at(t.ExpiresAt), Expired: t.Expired(v.web.now()),
	}
	if t.Description != nil {
		row.Description = *t.Description
	}
	path := fmt.Sprintf("%s/-/triggers/%d", base, t.ID)
	if auth.MayUpdateTrigger(v.actor, v.project, t.Trigger) {
		row.Update = path
	}
	if v.may(auth.ManageTrigger) {
		row.Revoke = path + "/revoke"
	}
	return row
}

// snippet is a line for a shell that starts a pipeline. It shows why a call was
// refused, and sends values as they are.
func (v *visit) snippet(token string) string {
	ref := v.project.DefaultBranch
	if ref == "" {
		ref = "main"
	}
	return strings.Join([]string{
		"curl --fail-with-body --request POST",
		"--form-string " + shellQuote("token="+token),
		"--form-string " + shellQuote("ref="+ref),
		"--form-string " + shellQuote("variables[KEY]=value"),
		shellQuote(fmt.Sprintf("%s/projects/%d/trigger/pipeline", v.web.urls.API(), v.project.ID)),
	}, " \\\n  ")
}

// shellQuote makes a shell take a text as one word, as it is.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// createTrigger makes a token for the visitor.
func (v *visit) createTrigger() error {
	description, expires := strings.TrimSpace(v.r.PostForm.Get("description")), v.r.PostForm.Get("expires_at")
	if description == "" {
		return v.showTriggers(http.StatusUnprocessableEntity, "A description is needed: it says later what the token is for.", "", expires)
	}
	var expiresAt time.Time
	if expires != "" {
		var err error
		if expiresAt, err = time.Parse(time.DateOnly, expires); err != nil {
			return v.showTriggers(http.StatusUnprocessableEntity, "The date of expiry is not a date.", description, expires)
		}
	}
	t, err := v.web.engine.CreateTrigger(v.ctx(), v.caller, v.project, description, expiresAt)
	if ci.KindOf(err) == ci.KindInvalid {
		return v.showTriggers(http.StatusUnprocessableEntity, modelMessage(err), description, expires)
	}
	if err != nil {
		return err
	}
	_, total, err := v.web.view.Triggers(v.ctx(), v.project.ID, 1, 0)
	if err != nil {
		return err
	}
	done := url.Values{"done": {"created"}, "token": {fmt.Sprint(t.ID)}}
	if last := (total + perPage - 1) / perPage; last > 1 { // the newest is at the end
		done.Set("page", number(last))
	}
	return v.afterTrigger(done)
}

// updateTrigger changes the description of a token.
func (v *visit) updateTrigger() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	description := strings.TrimSpace(v.r.PostForm.Get("description"))
	_, err = v.web.engine.UpdateTrigger(v.ctx(), v.caller, v.project, ci.TriggerID(id), &description)
	if ci.KindOf(err) == ci.KindInvalid {
		return v.showTriggers(http.StatusUnprocessableEntity, "The description was not changed: it is too long.", "", "")
	}
	if err != nil {
		return err
	}
	return v.afterTrigger(url.Values{"done": {"updated"}})
}

// revokeTrigger removes a token.
func (v *visit) revokeTrigger() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	if err := v.web.engine.DeleteTrigger(v.ctx(), v.caller, v.project, ci.TriggerID(id), nil); err != nil {
		return err
	}
	return v.afterTrigger(url.Values{"done": {"revoked"}})
}

// afterTrigger goes back to the list.
func (v *visit) afterTrigger(query url.Values) error {
	return v.after(v.web.below(v.project) + triggersPath + "?" + query.Encode() + triggersAnchor)
}

// modelMessage words a refusal of the trigger endpoints, which have JSON inside
// their text, for people.
func modelMessage(err error) string {
	text := messageOf(err)
	return strings.NewReplacer(`{"`, "", `":["`, " ", `"]}`, ".", `","`, "; ").Replace(text)
}
