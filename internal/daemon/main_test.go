package daemon

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// TestMain holds that a server that has ended leaves nothing running.
func TestMain(m *testing.M) { goleak.VerifyTestMain(postgres.M{M: m}) }
