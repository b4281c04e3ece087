package web

import (
	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A shell is what all pages have in common: the view of the base template, which
// every page embeds.
type shell struct {
	Title     string // of the page; the server's name follows
	Visitor   string // user name of who is signed in; empty: nobody
	FormToken string // of every form on the page
	Crumbs    []link // where the page is, from the front page on
	Tabs      []tab  // pages of the project
	Notice    string // that something was done
	Problem   string // that something was not
	Live      string // stream that keeps the page up to date; empty: none

	Home, SignIn, SignOut string // paths; SignIn is empty where it makes no sense
	Style, Script, Icon   string // static files
}

// A link is a text that leads somewhere.
type link struct{ Text, URL string }

// A tab is a link that may be where the visitor is.
type tab struct {
	link
	Here bool
}

// shell begins a page.
func (v *visit) shell(title string) shell {
	urls := v.web.urls
	s := shell{
		Title: title, Home: urls.Path("/"), SignIn: urls.Path(signInPath), SignOut: urls.Path("/users/sign_out"),
		Style: v.web.asset("app.css"), Script: v.web.asset("app.js"), Icon: v.web.asset("icon.svg"),
	}
	if !v.caller.Anonymous() {
		s.Visitor, s.SignIn, s.FormToken = v.caller.User.Username, "", v.web.engine.FormToken(v.secret)
	}
	return s
}

// Names of the tabs of a project.
const (
	tabPipelines = "Pipelines"
	tabTriggers  = "Trigger tokens"
)

// projectShell begins a page of the project in hand.
func (v *visit) projectShell(title, here string) shell {
	s := v.shell(title + " · " + v.project.FullPath)
	s.Crumbs = v.web.crumbs(v.project.FullPath)
	add := func(name, path string, action auth.Action) {
		if v.may(action) {
			s.Tabs = append(s.Tabs, tab{link{name, v.web.urls.Path(v.web.below(v.project) + path)}, name == here})
		}
	}
	add(tabPipelines, "/-/pipelines", auth.ReadPipeline)
	add(tabTriggers, triggersPath, auth.AdminBuild)
	return s
}

// crumbs lead from the outermost group to a project or namespace.
func (web *Web) crumbs(fullPath string) []link {
	var crumbs []link
	start := 0
	for i := 0; i <= len(fullPath); i++ {
		if i == len(fullPath) || fullPath[i] == '/' {
			crumbs = append(crumbs, link{fullPath[start:i], web.urls.Path(escapePath(fullPath[:i]))})
			start = i + 1
		}
	}
	return crumbs
}

// projectURL, pipelineURL and jobURL are what pages link to.
func (web *Web) projectURL(p ci.Project) string {
	return web.urls.Path(web.below(p) + "/-/pipelines")
}

func (web *Web) pipelineURL(project ci.Project, id ci.PipelineID) string {
	return web.urls.Path(web.pipelinePath(project, id))
}

func (web *Web) jobURL(project ci.Project, id ci.JobID) string {
	return web.urls.Path(web.jobPath(project, id))
}
