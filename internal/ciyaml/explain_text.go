package ciyaml

import (
	"fmt"
	"strconv"
	"strings"
)

// Text writes the explanation for people, a paragraph for each job: what became
// of it, then each rule that was looked at with its place, each condition with
// what it came to, and each variable with its value. Texts of the configuration
// and values stand in it as they are, on one line each.
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

type explanationText struct{ strings.Builder }

func (t *explanationText) line(depth int, format string, args ...any) {
	t.WriteString(strings.Repeat("    ", depth))
	t.WriteString(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))
	t.WriteByte('\n')
}

func (t *explanationText) decision(d *Decision) {
	t.line(0, "%s: %s", d.Pos, d)
	for _, r := range d.Rules {
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
		t.clauses(2, "", r.Clauses)
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

// clauses writes conditions, those of only and except under the prefix.
func (t *explanationText) clauses(depth int, prefix string, clauses []ClauseResult) {
	for _, c := range clauses {
		verdict := strconv.FormatBool(c.Holds)
		if c.Skipped {
			verdict = "not looked at"
		}
		note := ""
		if c.Note != "" {
			note = " (" + c.Note + ")"
		}
		t.line(depth, "%s%s %s: %s%s", prefix, c.Kind, c.Text, verdict, note)
		if len(c.Parts) > 1 {
			for _, part := range c.Parts {
				t.line(depth+1, "%s: %s", part.Text, part.Result)
			}
		}
		for _, v := range c.Variables {
			t.line(depth+1, "%s", v)
		}
	}
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
