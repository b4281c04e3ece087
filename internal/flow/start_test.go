package flow

import (
	"reflect"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// The compiler refuses cycles; should one come through, its jobs wait and the rest
// goes on.
func TestCycle(t *testing.T) {
	tell(t, []story{{"of needs", []string{"b1", "t1 needs=t2", "t2 needs=t1", "t3 needs=b1", "bm manual af"}, []string{
		"start => b1=pending t1=created t2=created",
		"pass b1 => t3=pending t1=created",
		"play bm => bm=pending t1=created",
		"cancel => t1=canceled t2=canceled pipeline=canceled",
	}}})
}

// Start fills the stages and the timeouts, in whatever order the jobs come.
func TestStart(t *testing.T) {
	w := begin(t, "d1", "b1", "b2", "t1")
	want := []ci.Stage{
		{Name: "build", Index: 1, Status: ci.Pending},
		{Name: "test", Index: 2, Status: ci.Created},
		{Name: "deploy", Index: 5, Status: ci.Created},
	}
	if got := w.s.Pipeline.Stages; !reflect.DeepEqual(got, want) {
		t.Errorf("stages %+v, want %+v", got, want)
	}
	if got, want := names(w.s.Jobs), []string{"d1", "b1", "b2", "t1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("jobs %v, want %v", got, want)
	}
	if got := w.s.Jobs[0].Plan.Timeout; got != 3600 {
		t.Errorf("planned timeout %d, want 3600", got)
	}
	w.want("start", "d1=created b1=pending b2=pending t1=created pipeline=pending")
}
