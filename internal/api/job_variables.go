package api

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// tracedVariableShape is a variable of a job's final list: an endpoint of our own
// (docs/variables.md).
type tracedVariableShape struct {
	Key      string        `json:"key"`
	Value    *string       `json:"value"` // null when the caller may not see it
	Type     string        `json:"variable_type"`
	Masked   bool          `json:"masked"`
	Raw      bool          `json:"raw"`
	Origin   originShape   `json:"origin"`
	Overrode []originShape `json:"overrode"` // the nearest first
}

// originShape says where a value comes from.
type originShape struct {
	Kind  engine.OriginKind `json:"kind"`
	Group string            `json:"group,omitempty"` // full path
	Job   string            `json:"job,omitempty"`   // that reported it
}

func originOf(o engine.Origin) originShape { return originShape{o.Kind, o.Group, o.Job} }

// jobVariables shows where each variable of a job comes from.
func (a *API) jobVariables(c *call) error {
	id := ci.JobID(c.params.Int("job_id", 0))
	project, err := c.project()
	if err != nil {
		return err
	}
	list, err := a.engine.JobVariables(c.ctx(), c.caller, project, id)
	if err != nil {
		return err
	}
	shapes := make([]tracedVariableShape, len(list))
	for i, v := range list {
		shapes[i] = tracedVariableShape{
			Key: v.Key, Type: variableType(v.Variable), Masked: v.Masked, Raw: v.Raw, Origin: originOf(v.Origin), Overrode: []originShape{},
		}
		if v.Shown {
			shapes[i].Value = &list[i].Value
		}
		for _, origin := range v.Overrode {
			shapes[i].Overrode = append(shapes[i].Overrode, originOf(origin))
		}
	}
	return c.json(http.StatusOK, shapes)
}
