package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// testModel compares the triggers and refs of a project with two maps, whatever
// is done in whatever order.
func testModel(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	var count atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		project := NewProject(t, db, w.Home, w.User, fmt.Sprint("model", count.Add(1)))
		triggers, refs := map[ci.TriggerID]ci.Trigger{}, map[string]ci.Ref{}
		check := func(err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		pick := func() ci.TriggerID {
			if len(triggers) == 0 {
				rt.Skip("no trigger")
			}
			return rapid.SampledFrom(slices.Sorted(maps.Keys(triggers))).Draw(rt, "trigger")
		}
		ref := rapid.Custom(func(rt *rapid.T) ci.Ref {
			return ci.Ref{
				ProjectID: project.ID,
				Name:      rapid.SampledFrom([]string{"refs/heads/", "refs/tags/"}).Draw(rt, "prefix") + rapid.SampledFrom([]string{"a", "b", "a/b"}).Draw(rt, "name"),
				SHA:       rapid.SampledFrom([]string{"1", "2"}).Draw(rt, "sha"),
			}
		})
		rt.Repeat(map[string]func(*rapid.T){
			"create trigger": func(*rapid.T) {
				trigger := w.NewTrigger(int(count.Add(1)))
				trigger.ProjectID = project.ID
				trigger, err := db.CreateTrigger(ctx, trigger, ci.MaxTriggers)
				check(err)
				triggers[trigger.ID] = trigger
			},
			"update trigger": func(rt *rapid.T) {
				trigger := triggers[pick()]
				text := strings.ReplaceAll(rapid.String().Draw(rt, "description"), "\x00", "") // which PostgreSQL has in no text
				trigger.Description = &text
				check(db.UpdateTrigger(ctx, trigger))
				triggers[trigger.ID] = trigger
			},
			"delete trigger": func(*rapid.T) {
				id := pick()
				check(db.DeleteTrigger(ctx, project.ID, id))
				delete(triggers, id)
			},
			"push": func(rt *rapid.T) {
				set, removed := ref.Draw(rt, "set"), ref.Draw(rt, "removed")
				check(db.SetRefs(ctx, project.ID, []ci.Ref{set}, []string{removed.Name}))
				delete(refs, removed.Name)
				refs[set.Name] = set
			},
			"compare with the repository": func(rt *rapid.T) {
				all := rapid.SliceOfDistinct(ref, func(r ci.Ref) string { return r.Name }).Draw(rt, "all")
				next := map[string]ci.Ref{}
				changed := 0
				for _, r := range all {
					next[r.Name] = r
					if refs[r.Name] != r {
						changed++
					}
				}
				for name := range refs {
					if _, ok := next[name]; !ok {
						changed++
					}
				}
				got, err := db.ReplaceRefs(ctx, project.ID, all)
				check(err)
				if got != changed {
					rt.Errorf("changes: got %d, want %d", got, changed)
				}
				refs = next
			},
			"": func(rt *rapid.T) {
				list, total, err := v.Triggers(ctx, project.ID, 1000, 0)
				check(err)
				want := []ci.Trigger{}
				for _, id := range slices.Sorted(maps.Keys(triggers)) {
					want = append(want, triggers[id])
				}
				if diff := cmp.Diff(want, list); diff != "" || total != len(want) {
					rt.Errorf("triggers, %d in all (-want +got):\n%s", total, diff)
				}
				found, err := v.Refs(ctx, project.ID, "")
				check(err)
				wantRefs := []ci.Ref{}
				for _, name := range slices.Sorted(maps.Keys(refs)) {
					wantRefs = append(wantRefs, refs[name])
				}
				if diff := cmp.Diff(wantRefs, found); diff != "" {
					rt.Errorf("refs (-want +got):\n%s", diff)
				}
			},
		})
	})
}
