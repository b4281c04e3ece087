package api

import "github.com/lanyard-ci/lanyard/internal/ciyaml"

// explainShape says why a pipeline would have the jobs it has (docs/lint.md).
type explainShape struct {
	Workflow *decisionShape  `json:"workflow"`
	Jobs     []decisionShape `json:"jobs"`
}

// decisionShape is what became of one job or of the pipeline, and why. Rule is the
// number of the rule that decided.
type decisionShape struct {
	Name                  string           `json:"name,omitempty"`
	Stage                 string           `json:"stage,omitempty"`
	In                    bool             `json:"in"`
	Reason                ciyaml.Reason    `json:"reason"`
	Summary               string           `json:"summary"`
	Position              positionShape    `json:"position"`
	Rule                  *int             `json:"rule"`
	RuleCount             int              `json:"rule_count"`
	Rules                 []ruleShape      `json:"rules"`
	OmittedRules          int              `json:"omitted_rules,omitempty"`
	Only                  []conditionShape `json:"only,omitempty"`
	Except                []conditionShape `json:"except,omitempty"`
	When                  string           `json:"when,omitempty"`
	StartIn               int64            `json:"start_in,omitempty"`
	AllowFailure          *bool            `json:"allow_failure,omitempty"`
	AllowFailureExitCodes []int            `json:"allow_failure_exit_codes,omitempty"`
	DroppedNeeds          []string         `json:"dropped_needs,omitempty"`
	MissingNeeds          []string         `json:"missing_needs,omitempty"`
}

// ruleShape is a rule that was looked at.
type ruleShape struct {
	Number     int              `json:"number"`
	Position   positionShape    `json:"position"`
	Text       string           `json:"text"`
	Matched    bool             `json:"matched"`
	When       *string          `json:"when"`
	Conditions []conditionShape `json:"conditions"`
}

// conditionShape is a condition; its result is null when it was not looked at.
type conditionShape struct {
	Kind      string      `json:"kind"`
	Text      string      `json:"text"`
	Result    *bool       `json:"result"`
	Note      *string     `json:"note"`
	Parts     []partShape `json:"parts"`
	Variables []seenShape `json:"variables"`
}

// partShape is one operand of the && and || of an expression.
type partShape struct {
	Text   string `json:"text"`
	Result string `json:"result"`
}

// seenShape is a variable that a condition read. Its value is null when it is
// unset, and when it is not shown.
type seenShape struct {
	Name   string  `json:"name"`
	Set    bool    `json:"set"`
	Hidden bool    `json:"hidden"`
	Value  *string `json:"value"`
}

func shapeExplanation(e *ciyaml.Explanation) *explainShape {
	out := &explainShape{Jobs: make([]decisionShape, len(e.Jobs))}
	if e.Workflow != nil {
		workflow := shapeDecision(e.Workflow)
		out.Workflow = &workflow
	}
	for i := range e.Jobs {
		out.Jobs[i] = shapeDecision(&e.Jobs[i])
	}
	return out
}

func shapeDecision(d *ciyaml.Decision) decisionShape {
	out := decisionShape{
		Name: d.Job, Stage: d.Stage, In: d.In, Reason: d.Reason, Summary: d.String(), Position: positionShape{d.Pos.File, d.Pos.Line, d.Pos.Col},
		RuleCount: d.RuleCount, Rules: make([]ruleShape, len(d.Rules)), OmittedRules: d.Omitted, Only: shapeConditions(d.Only), Except: shapeConditions(d.Except),
		When: d.When, StartIn: d.StartIn, AllowFailureExitCodes: d.AllowFailureExitCodes,
		DroppedNeeds: d.DroppedNeeds, MissingNeeds: d.MissingNeeds,
	}
	if d.Rule != nil {
		out.Rule = &d.Rule.Number
	}
	if d.In && d.Job != "" {
		out.AllowFailure = &d.AllowFailure
	}
	for i, r := range d.Rules {
		out.Rules[i] = ruleShape{
			Number: r.Number, Position: positionShape{r.Pos.File, r.Pos.Line, r.Pos.Col}, Text: r.Text, Matched: r.Matched,
			When: orNull(r.When), Conditions: shapeConditions(r.Clauses),
		}
	}
	return out
}

func shapeConditions(list []ciyaml.ClauseResult) []conditionShape {
	out := make([]conditionShape, len(list))
	for i, c := range list {
		out[i] = conditionShape{
			Kind: c.Kind, Text: c.Text, Note: orNull(c.Note),
			Parts: make([]partShape, len(c.Parts)), Variables: make([]seenShape, len(c.Variables)),
		}
		if !c.Skipped {
			out[i].Result = &c.Holds
		}
		for k, part := range c.Parts {
			out[i].Parts[k] = partShape{part.Text, string(part.Result)}
		}
		for k, v := range c.Variables {
			out[i].Variables[k] = seenShape{Name: v.Name, Set: v.Set, Hidden: v.Hidden}
			if v.Set && !v.Hidden {
				out[i].Variables[k].Value = &v.Value
			}
		}
	}
	return out
}
