// Package storetest is the contract of package store as a suite: whatever
// database is behind it, all of it holds. It also gives fixtures to tests and
// benchmarks of packages that need a filled database.
package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// Run runs the suite. open gives an empty database each time, whose clock stands
// at Epoch; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) *store.DB) {
	for _, group := range []struct {
		name string
		test func(*testing.T, *store.DB)
	}{
		{"create", testCreate},
		{"reserved iids", testReservedIID},
		{"idempotency", testIdempotency},
		{"specifications", testSpecs},
		{"redundant pipelines", testRedundant},
		{"resource groups", testResourceGroups},
		{"apply", testApply},
		{"apply moved", testApplyMoved},
		{"pipeline lists", testPipelineLists},
		{"pipeline details", testPipelineDetails},
		{"related pipelines", testRelatedPipelines},
		{"delete pipeline", testDeletePipeline},
		{"specifications without a job", testSpecTrash},
		{"delete user", testDeleteUser},
		{"jobs", testJobs},
		{"held jobs", testHeldJobs},
		{"queues", testQueues},
		{"queues below a group", testQueuesBelow},
		{"candidate", testCandidate},
		{"role of a trigger token", testTriggerRole},
		{"artifacts", testArtifacts},
		{"test summaries", testSummaries},
		{"triggers", testTriggers},
		{"refs", testRefs},
		{"protections", testProtections},
		{"runners", testRunners},
		{"runner lists", testRunnerLists},
		{"managers", testManagers},
		{"users", testUsers},
		{"namespaces", testNamespaces},
		{"projects", testProjects},
		{"project lists", testProjectLists},
		{"project orders", testProjectOrders},
		{"delete project", testDeleteProject},
		{"group lists", testGroupLists},
		{"group moves", testGroupMoves},
		{"delete group", testDeleteGroup},
		{"members", testMembers},
		{"roles", testRoles},
		{"roles at once", testRolesAtOnce},
		{"access tokens", testAccessTokens},
		{"sessions", testSessions},
		{"sign-in links", testSignInLinks},
		{"job token scope", testJobTokenScope},
		{"variables", testVariables},
		{"variables that reach a project", testReachingVariables},
		{"versions of variables", testVersions},
		{"variables go with their owner", testVariablesOfDeleted},
		{"meta", testMeta},
		{"leases", testLeases},
		{"check", testCheck},
		{"concurrent creation", testConcurrentCreation},
		{"claim once", testClaimOnce},
		{"whole snapshots", testWholeSnapshots},
		{"failures stay alone", testFailuresStayAlone},
		{"withdrawn", testWithdrawn},
		{"triggers and refs against a model", testModel},
	} {
		t.Run(group.name, func(t *testing.T) {
			db := open(t)
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			group.test(t, db)
		})
	}
}

// ok stops the test on an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must gives the value of a call that may not fail: must(f())(t).
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		ok(t, err)
		return value
	}
}

// same compares values; an empty list equals a missing one.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// missing checks that an error says that something is not there.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	if !ci.IsNotFound(err) {
		t.Errorf("%s: got error %v, want not found", what, err)
	}
}

// taken checks that an error says that a field has another's value.
func taken(t *testing.T, what string, err error, field string) {
	t.Helper()
	var got *store.Taken
	if !errors.As(err, &got) || got.Field != field {
		t.Errorf("%s: got error %v, want %s taken", what, err, field)
	}
}
