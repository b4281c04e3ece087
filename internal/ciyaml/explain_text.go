package ciyaml

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expr"
)

// Text writes the explanation for people, a paragraph for each job: what became
// of it, then each rule that was looked at with its place and text, and under it
// what its conditions came to: the operands that decided and the variables in
// them with their values. Texts of the configuration and values stand in it as
// they are, on one line each.
func (e *Explanation) Text() string {
	t := &explanationText{}
	if e.Workflow != nil {
		t.decision(e.Workflow)
	}
	for i := range e.Jobs {
		t.decision(&e.Jobs[i])
	}
	return t.String()
}

// Of is the part of the explanation that is about the jobs of these names. The name
// of a parallel job stands for all of its instances.
func (e *Explanation) Of(names []string) *Explanation {
	part := &Explanation{Workflow: e.Workflow}
	for _, d := range e.Jobs {
		if slices.Contains(names, d.Job) || slices.Contains(names, groupName(d.Job)) {
			part.Jobs = append(part.Jobs, d)
		}
	}
	return part
}

type explanationText struct{ strings.Builder }

func (t *explanationText) line(depth int, format string, args ...any) {
	t.WriteString(strings.Repeat("    ", depth))
	t.WriteString(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))
	t.WriteByte('\n')
}

func (t *explanationText) decision(d *Decision) {
	t.line(0, "%s: %s", d.Pos, d)
	for i := range d.Rules {
		r := &d.Rules[i]
		matches := "does not match"
		switch {
		case r.Matched:
			matches = "matches"
		case d.Reason == ByError && r.Number == d.Rule.Number:
			matches = "cannot be evaluated"
		}
		text := ""
		if r.Text != "" {
			text = ": " + r.Text
		}
		t.line(1, "%s: rule %d %s%s", r.Pos, r.Number, matches, text)
		t.conditions(r.Clauses)
	}
	if d.Omitted > 0 {
		t.line(1, "%d more rules that do not match are left out", d.Omitted)
	}
	if d.Reason != ByDefault {
		t.clauses(1, "only ", d.Only)
	}
	t.clauses(1, "except ", d.Except)
	if len(d.DroppedNeeds) > 0 {
		t.line(1, "does without the optional needs %s, which are not in", strings.Join(d.DroppedNeeds, ", "))
	}
	if len(d.MissingNeeds) > 0 {
		t.line(1, "needs %s, which are not in", strings.Join(d.MissingNeeds, ", "))
	}
}

// String says on one line what became of the job or the pipeline.
func (d *Decision) String() string {
	if d.Job == "" {
		verdict := "runs"
		if !d.In {
			verdict = "does not run"
		}
		return fmt.Sprintf("pipeline: %s, %s", verdict, d.because("workflow:rules"))
	}
	if !d.In {
		return fmt.Sprintf("%s: out, %s", d.Job, d.because("rules"))
	}
	outcome := d.When
	if d.When == "delayed" {
		outcome += fmt.Sprintf(" by %d seconds", d.StartIn)
	}
	switch {
	case d.AllowFailure:
		outcome += ", allowed to fail"
	case len(d.AllowFailureExitCodes) > 0:
		codes := make([]string, len(d.AllowFailureExitCodes))
		for i, code := range d.AllowFailureExitCodes {
			codes[i] = strconv.Itoa(code)
		}
		outcome += ", allowed to fail with " + strings.Join(codes, ", ")
	}
	return fmt.Sprintf("%s: in (stage %s, %s), %s", d.Job, d.Stage, outcome, d.because("rules"))
}

// because says the reason in words.
func (d *Decision) because(rules string) string {
	switch d.Reason {
	case ByRule:
		return fmt.Sprintf("since rule %d of %d matches", d.Rule.Number, d.RuleCount)
	case ByNever:
		return fmt.Sprintf("since rule %d of %d matches and says when: never", d.Rule.Number, d.RuleCount)
	case ByNoRule:
		if d.RuleCount == 0 {
			return "since " + rules + " is an empty list"
		}
		return fmt.Sprintf("since no rule of %d matches", d.RuleCount)
	case ByOnly:
		return "since only and except let it in"
	case ByDefault:
		return "since it has no rules, and this is a branch or tag"
	case ByWorkflow:
		return "since it has no rules, and workflow:rules let the pipeline run"
	case NotOnly:
		return "since only does not hold"
	case NotDefault:
		return "since it has no rules, and this is neither branch nor tag"
	case ByExcept:
		return "since except holds"
	case ByError:
		return "since a condition cannot be evaluated"
	}
	return string(d.Reason)
}

// conditions writes what those of a rule came to. Their text is that of the rule.
func (t *explanationText) conditions(clauses []ClauseResult) {
	if len(clauses) == 1 {
		if c := &clauses[0]; c.Note != "" {
			t.line(2, "%s", c.Note)
		}
		t.evidence(2, &clauses[0])
		return
	}
	for i := range clauses {
		c := &clauses[i]
		t.line(2, "%s: %s", c.Kind, c.verdict())
		t.evidence(3, c)
	}
}

// clauses writes conditions of only and except, under the prefix.
func (t *explanationText) clauses(depth int, prefix string, clauses []ClauseResult) {
	for i := range clauses {
		c := &clauses[i]
		t.line(depth, "%s%s %s: %s", prefix, c.Kind, c.Text, c.verdict())
		t.evidence(depth+1, c)
	}
}

// verdict says what a condition came to.
func (c *ClauseResult) verdict() string {
	verdict := strconv.FormatBool(c.Holds)
	if c.Skipped {
		verdict = "not looked at"
	}
	if c.Note != "" {
		verdict += " (" + c.Note + ")"
	}
	return verdict
}

// evidence writes what a condition came to its end by: the operands that were
// looked at, if there are several, and the variables in them. What it says of a
// variable alone its value says as well. Where an empty value decided, which is
// neither true nor false to GitLab, nothing is left out.
func (t *explanationText) evidence(depth int, c *ClauseResult) {
	looked := map[string]bool{}
	empty := slices.ContainsFunc(c.Parts, func(part expr.Part) bool { return part.Result == expr.Blank })
	for _, part := range c.Parts {
		if part.Result == expr.Skipped && !empty {
			continue
		}
		for _, name := range part.Variables {
			looked[name] = true
		}
		if len(c.Parts) > 1 && (empty || !c.shows(part)) {
			t.line(depth, "%s: %s", part.Text, part.Result)
		}
	}
	for _, v := range c.Variables {
		if looked[v.Name] || len(c.Parts) == 0 {
			t.line(depth, "%s", v)
		}
	}
}

// shows reports whether the operand is nothing but a variable whose value is
// shown.
func (c *ClauseResult) shows(part expr.Part) bool {
	return slices.ContainsFunc(c.Variables, func(v SeenVariable) bool { return !v.Hidden && part.Text == "$"+v.Name })
}

// String says what value the variable has; "unset" is not the same as empty.
func (v SeenVariable) String() string {
	switch {
	case !v.Set:
		return v.Name + " is unset"
	case v.Hidden:
		return v.Name + " is set, its value is hidden"
	}
	return v.Name + " is " + strconv.Quote(v.Value)
}
