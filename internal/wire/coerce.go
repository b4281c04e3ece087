package wire

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// The words in which Grape complains about a parameter.
const (
	isMissing  = "is missing"
	isEmpty    = "is empty"
	isInvalid  = "is invalid"
	notInList  = "does not have a valid value"
	notAllowed = "has a value not allowed"
)

// Fail remembers that a parameter is wrong: "name text". Each complaint is made
// once.
func (p *Params) Fail(name, text string) {
	if problem := name + " " + text; !slices.Contains(p.problems, problem) {
		p.problems = append(p.problems, problem)
	}
}

// Err is nil when nothing was wrong so far, else the 400 that names everything
// that was, in the order in which the parameters were asked for.
func (p *Params) Err() error {
	if len(p.problems) == 0 {
		return nil
	}
	e := ci.BadParam(strings.Join(p.problems, ", "))
	if p.jsonAsForm {
		return e.WithHint("json_sent_as_form", "The body is JSON but its Content-Type is that of a form. Add -H 'Content-Type: application/json'.")
	}
	return e
}

// Require asks for parameters to be there. Null and "" count as there.
func (p *Params) Require(names ...string) {
	for _, name := range names {
		if !p.Has(name) {
			p.Fail(name, isMissing)
		}
	}
}

// RequireFilled asks for parameters to be there and not blank. One that is absent
// is both missing and empty, as in GitLab.
func (p *Params) RequireFilled(names ...string) {
	for _, name := range names {
		p.Require(name)
		if p.Get(name).Blank() {
			p.Fail(name, isEmpty)
		}
	}
}

// Filled asks for optional parameters not to be blank when they are there.
func (p *Params) Filled(names ...string) {
	for _, name := range names {
		if p.Has(name) && p.Get(name).Blank() {
			p.Fail(name, isEmpty)
		}
	}
}

// String reads text; numbers and booleans of JSON become text. Absent and null
// are "".
func (p *Params) String(name string) string {
	t := p.Get(name)
	switch {
	case t == nil || t.Kind == Null:
		return ""
	case !t.scalar():
		p.Fail(name, isInvalid)
		return ""
	}
	return t.Text
}

// present gives the value of a parameter that is not text, nil when it is absent,
// null or "": Grape takes the empty string for no value.
func (p *Params) present(name string) *Tree {
	t := p.Get(name)
	if t == nil || t.Kind == Null || t.Kind == String && t.Text == "" {
		return nil
	}
	return t
}

// Int reads a whole number; one that int64 cannot hold becomes its nearest bound,
// so that it fits no id. Absent is fallback.
func (p *Params) Int(name string, fallback int64) int64 {
	t := p.present(name)
	if t == nil {
		return fallback
	}
	if t.Kind == String || t.Kind == Number {
		n, err := strconv.ParseInt(strings.TrimSpace(t.Text), 10, 64)
		if err == nil || errors.Is(err, strconv.ErrRange) {
			return n
		}
	}
	p.Fail(name, isInvalid)
	return fallback
}

// Bool reads a truth value in any of the spellings that Grape knows. Absent is
// fallback.
func (p *Params) Bool(name string, fallback bool) bool {
	t := p.present(name)
	if t == nil {
		return fallback
	}
	if t.scalar() {
		switch t.Text {
		case "1", "on", "On", "ON", "t", "T", "true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES":
			return true
		case "0", "off", "Off", "OFF", "f", "F", "false", "False", "FALSE", "n", "N", "no", "No", "NO":
			return false
		}
	}
	p.Fail(name, isInvalid)
	return fallback
}

// Enum reads text that must be one of allowed. Absent and null are fallback.
func (p *Params) Enum(name, fallback string, allowed ...string) string {
	t := p.Get(name)
	if t == nil || t.Kind == Null {
		return fallback
	}
	value := p.String(name)
	if t.scalar() && !slices.Contains(allowed, value) {
		p.Fail(name, notInList)
		return fallback
	}
	return value
}

// Strings reads a list of texts: a[]=x&a[]=y, a JSON array, a[0]=x, a single value,
// or a name that was sent several times. Absent, null and "" are nil.
func (p *Params) Strings(name string) []string {
	t := p.present(name)
	if t == nil {
		return nil
	}
	items, ok := t.elements()
	if !ok {
		p.Fail(name, isInvalid)
		return nil
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		if !item.scalar() && item.Kind != Null {
			p.Fail(name, isInvalid)
			return nil
		}
		list = append(list, item.Text)
	}
	return list
}

// Enums reads a list of texts, each of which must be one of allowed.
func (p *Params) Enums(name string, allowed ...string) []string {
	list := p.Strings(name)
	for _, value := range list {
		if !slices.Contains(allowed, value) {
			p.Fail(name, notInList)
			return nil
		}
	}
	return list
}

// Commas reads a list like Strings in which every text may itself be a list,
// separated by commas: tag_list=a,b. Blank elements are dropped.
func (p *Params) Commas(name string) []string {
	var list []string
	for _, value := range p.Strings(name) {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
	}
	return list
}

// List reads a list of any values: a[][k]=v, a[0][k]=v or a JSON array. Absent,
// null and "" are nil; a single value is no list.
func (p *Params) List(name string) []*Tree {
	t := p.present(name)
	if t == nil {
		return nil
	}
	if t.Kind == List || t.Kind == Map {
		if items, ok := t.elements(); ok {
			return items
		}
	}
	p.Fail(name, isInvalid)
	return nil
}

// Map reads a Map. Absent, null and "" are nil.
func (p *Params) Map(name string) *Tree {
	t := p.present(name)
	if t == nil {
		return nil
	}
	if t.Kind != Map {
		p.Fail(name, isInvalid)
		return nil
	}
	return t
}

// times are the forms of ISO 8601 that Time reads. Without a zone it is UTC.
var times = []string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02",
	"20060102T150405Z0700",
	"20060102T150405",
}

// Time reads a date or a time of ISO 8601, into UTC; a fraction of a second is
// kept. Absent, null and "" are the zero Time.
func (p *Params) Time(name string) time.Time {
	t := p.present(name)
	if t == nil {
		return time.Time{}
	}
	if t.Kind == String {
		value := strings.TrimSpace(t.Text)
		if len(value) > 10 && value[10] == ' ' {
			value = value[:10] + "T" + value[11:]
		}
		for _, layout := range times {
			if at, err := time.Parse(layout, value); err == nil {
				return at.UTC()
			}
		}
	}
	p.Fail(name, isInvalid)
	return time.Time{}
}
