package ciyaml

import (
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/duration"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var artifactsKeys = &keyset{[]string{
	"name", "untracked", "paths", "reports", "when", "expire_in", "expose_as", "exclude", "public", "access",
}}

var reportKeys = &keyset{strings.Fields(`
	junit dotenv codequality coverage_report terraform cyclonedx sarif annotations accessibility browser_performance
	load_performance performance metrics requirements requirements_v2 lsif sast secret_detection dependency_scanning
	container_scanning cluster_image_scanning dast api_fuzzing coverage_fuzzing license_scanning license_management
	repository_xray cobertura cluster_applications
`)}

// artifacts reads artifacts (contract 7.3).
func (c *checker) artifacts(p *place, n *tree.Node) *Artifacts {
	if !c.isMap(p, n) {
		return nil
	}
	before := len(c.diags)
	c.keys(p, n, artifactsKeys)
	if n.Get("access") != nil && n.Get("public") != nil {
		c.fail(p, keyPos(n, "public"), config, "these keys cannot be used together: access, public")
	}
	a := &Artifacts{
		Name:      c.text(p, given(n, "name"), "name"),
		Untracked: c.flag(p, given(n, "untracked"), "untracked", false),
		Paths:     c.list(p, given(n, "paths"), "paths"),
	}
	c.exposed(p, n, a)
	a.Exclude = c.list(p, given(n, "exclude"), "exclude")
	reports := given(n, "reports")
	if reports != nil && reports.Kind != tree.Map {
		c.fail(p, reports.Pos, "reports", "should be a hash")
	}
	a.When = c.choice(p, given(n, "when"), "when", "", "on_success", "on_failure", "always")
	a.ExpireIn = c.expiry(p, given(n, "expire_in"))
	a.Access = c.choice(p, given(n, "access"), "access", "", "none", "developer", "maintainer", "all")
	if public := given(n, "public"); public != nil && !c.flag(p, public, "public", true) {
		a.Access = "developer"
	}
	if reports != nil && len(c.diags) == before {
		a.Reports = c.reports(p.child("reports"), reports)
	}
	return a
}

// exposed reads expose_as, which needs plain paths.
func (c *checker) exposed(p *place, n *tree.Node, a *Artifacts) {
	v := given(n, "expose_as")
	if v == nil {
		return
	}
	a.ExposeAs = c.text(p, v, "expose_as")
	if utf8.RuneCountInString(a.ExposeAs) > 100 {
		c.fail(p, v.Pos, "expose_as", "is too long (maximum is 100 characters)")
	}
	if v.Kind == tree.String && (a.ExposeAs == "" || strings.ContainsFunc(a.ExposeAs, notExposable)) {
		c.fail(p, v.Pos, "expose_as", "can contain only letters, digits, '-', '_' and spaces")
	}
	paths := n.Get("paths")
	if empty(paths) {
		c.fail(p, keyPos(n, "expose_as"), "paths", "can't be blank")
	}
	for i, path := range a.Paths {
		if strings.Contains(path, "*") {
			c.fail(p, paths.Items[i].Pos, "paths", "can't contain '*' when used with 'expose_as'")
			return
		}
	}
}

func notExposable(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == ' ')
}

// expiry reads a duration or never, as it is written.
func (c *checker) expiry(p *place, n *tree.Node) string {
	if n == nil {
		return ""
	}
	if n.Kind == tree.String || n.Kind == tree.Int {
		if _, never, err := duration.Parse(n.Text); err == nil || never {
			return n.Text
		}
	}
	c.fail(p, n.Pos, "expire_in", "should be a duration")
	return ""
}

// reports reads reports in the order of the file.
func (c *checker) reports(p *place, n *tree.Node) []Report {
	if !c.keys(p, n, reportKeys) {
		return nil
	}
	var out []Report
	for _, pair := range n.Pairs {
		switch {
		case pair.Value.IsNull():
		case pair.Key == "coverage_report":
			out = append(out, c.coverageReport(p.child(pair.Key), pair.Value))
		default:
			out = append(out, Report{Type: pair.Key, Paths: c.listOrText(p, pair.Value, pair.Key)})
		}
	}
	return out
}

var coverageReportKeys = &keyset{[]string{"coverage_format", "path"}}

func (c *checker) coverageReport(p *place, n *tree.Node) Report {
	out := Report{Type: "coverage_report"}
	if !c.isMap(p, n) || !c.keys(p, n, coverageReportKeys) {
		return out
	}
	for _, key := range coverageReportKeys.known {
		if empty(n.Get(key)) {
			c.fail(p, keyPos(n, key), key, "can't be blank")
		}
	}
	out.Format = c.choice(p, given(n, "coverage_format"), "coverage_format", "", "cobertura", "jacoco")
	if path := c.text(p, given(n, "path"), "path"); path != "" {
		out.Paths = []string{path}
	}
	return out
}
