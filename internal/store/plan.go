package store

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// maxPlans bounds the plans that are remembered.
const maxPlans = 4096

// plans remembers decoded plans by their text: a plan never changes, the same few
// come again in every pipeline of a project, and decoding them was a quarter of
// the cost of a snapshot.
var plans struct {
	mu     sync.RWMutex
	byText map[string]ci.JobPlan // protected by mu
}

// planText scans the plan of a job. What the plan points to is shared between all
// jobs with the same plan and must not be changed.
type planText struct{ dest *ci.JobPlan }

// Scan implements sql.Scanner.
func (p planText) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("plan is %T, not text", src)
	}
	plans.mu.RLock()
	plan, ok := plans.byText[text]
	plans.mu.RUnlock()
	if !ok {
		if err := json.Unmarshal([]byte(text), &plan); err != nil {
			return err
		}
		plans.mu.Lock()
		if plans.byText == nil || len(plans.byText) >= maxPlans {
			plans.byText = make(map[string]ci.JobPlan)
		}
		plans.byText[text] = plan
		plans.mu.Unlock()
	}
	*p.dest = plan
	return nil
}
