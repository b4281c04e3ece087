package daemon

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain holds that a server that has ended leaves nothing running.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
