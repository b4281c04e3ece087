package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

func TestTriggers(t *testing.T) {
	s := newScene(t, sceneConfig)
	path := s.path("/-/settings/ci_cd")
	status(t, "developer", s.developer.get(path), http.StatusForbidden)
	page := s.maintainer.get(path)
	checkPage(t, page)
	if page.Header.Get("Cache-Control") != "no-store" {
		t.Error("a page with secrets may be stored")
	}
	equal(t, "token of the owner", page.texts(t, "tbody .token"), s.token)
	has(t, "snippet", page.texts(t, "#snippet"), "--form-string 'token=TOKEN' \\ --form-string 'ref=main'")

	made := s.maintainer.press(path, s.path("/-/triggers"), "description", "<i>deploy</i>", "expires_at", "2026-06-01")
	status(t, "create", made, http.StatusSeeOther)
	where, anchor, _ := strings.Cut(made.Header.Get("Location"), "#")
	if anchor != "js-pipeline-triggers" {
		t.Errorf("create leads to %s", made.Header.Get("Location"))
	}
	page = s.maintainer.get(where)
	checkPage(t, page)
	token := page.texts(t, "#new-token")[0]
	if !strings.HasPrefix(token, "glptt-") || len(token) != 46 {
		t.Errorf("new token %q", token)
	}
	has(t, "snippet", page.texts(t, "#snippet"), "curl --fail-with-body --request POST \\ --form-string 'token="+token+"'")
	has(t, "snippet", page.texts(t, "#snippet"), fmt.Sprintf("'https://ci.example.com/api/v4/projects/%d/trigger/pipeline'", s.project.ID))
	has(t, "notice", page.texts(t, ".note"), "The trigger token was created.")
	if got := s.Started(s.project, token, "main"); got.ID == 0 {
		t.Error("the token does not count")
	}

	list, _, err := s.View.Triggers(t.Context(), s.project.ID, 10, 0)
	enginetest.Check(t, err)
	id := list[1].ID
	one := s.path("/-/triggers/%d", id)
	status(t, "update", s.maintainer.press(path, one, "description", "other"), http.StatusSeeOther)
	if got := s.maintainer.get(path).doc(t).find(fmt.Sprintf("#d%d", id))[0].attr("value"); got != "other" {
		t.Errorf("description: got %q", got)
	}

	max := s.person("max")
	s.Member(max, s.project, ci.Maintainer)
	second := s.as("max")
	page = second.get(path)
	checkPage(t, page)
	equal(t, "tokens of somebody else", page.texts(t, "tbody .token"), list[0].Short+"…", list[1].Short+"…")
	if len(page.doc(t).find(`form[action="`+one+`"]`)) != 0 {
		t.Error("somebody else gets a form to change the token")
	}
	status(t, "update by somebody else", second.post(one, page.token(t), "description", "x"), http.StatusForbidden)
	status(t, "highlight of somebody else's", second.get(path+fmt.Sprintf("?token=%d", id)), http.StatusOK)
	if got := second.get(path + fmt.Sprintf("?token=%d", id)); strings.Contains(got.body, token) {
		t.Error("the token is shown to somebody else")
	}
	location(t, "revoke by another maintainer", second.press(path, one+"/revoke"), path+"?done=revoked#js-pipeline-triggers")
	if _, err := s.Trigger(s.project, token, "main"); !ci.IsNotFound(err) {
		t.Errorf("call with a revoked token: %v", err)
	}
	status(t, "revoke twice", second.post(one+"/revoke", page.token(t)), http.StatusNotFound)

}

func TestTriggersRefused(t *testing.T) {
	s := newScene(t, sceneConfig)
	path := s.path("/-/settings/ci_cd")
	for _, test := range []struct{ name, description, expires, want string }{
		{"no description", " ", "", "A description is needed"},
		{"no date", "x", "tomorrow", "The date of expiry is not a date."},
		{"too far", "keep <me>", "2036-01-01", "expires_at must be before 2027-01-02."},
		{"too long", strings.Repeat("x", 2049), "", "description is too long (maximum is 2048 characters)."},
	} {
		got := s.maintainer.press(path, s.path("/-/triggers"), "description", test.description, "expires_at", test.expires)
		status(t, test.name, got, http.StatusUnprocessableEntity)
		checkPage(t, got)
		has(t, test.name, got.texts(t, "[role=alert]"), test.want)
		if value := got.doc(t).find("#description")[0].attr("value"); value != strings.TrimSpace(test.description) {
			t.Errorf("%s: description %q was lost: %q", test.name, test.description, value)
		}
	}
}
