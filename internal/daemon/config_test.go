package daemon

import "testing"

// Another account cannot enter the data directory (0700), so its jobs work beside it.
func TestWorkDirectory(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Data: "/var/lib/lanyard"}, "/var/lib/lanyard/runner"},
		{Config{Data: "/var/lib/lanyard/", RunnerUser: "ci"}, "/var/lib/lanyard-runner"},
	} {
		if got := c.config.work(); got != c.want {
			t.Errorf("work directory of %q with user %q: got %s, want %s", c.config.Data, c.config.RunnerUser, got, c.want)
		}
	}
}
