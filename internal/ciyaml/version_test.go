package ciyaml_test

import (
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

func TestLatestVersion(t *testing.T) {
	tags := []string{"v1.2.3", "1.10.0", "2.0.0-rc1", "1.9.9", "nightly", "1.2", "1.2.10", "v0.9.0", "01.2.3.4", "12.0.0"}
	for want, tag := range map[string]string{
		"~latest": "12.0.0", "1": "1.10.0", "1.2": "1.2.10", "1.10": "1.10.0", "0": "v0.9.0", "2": "", "1.1": "", "12": "12.0.0",
	} {
		got, found := ciyaml.LatestVersion(tags, want)
		if got != tag || found != (tag != "") {
			t.Errorf("%s: got %q, %v, want %q", want, got, found, tag)
		}
	}
	if got, found := ciyaml.LatestVersion(nil, "~latest"); found {
		t.Errorf("no tags: got %q", got)
	}
}
