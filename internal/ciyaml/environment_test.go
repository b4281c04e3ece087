package ciyaml

import (
	"strings"
	"testing"
)

func TestEnvironmentSlug(t *testing.T) {
	for name, want := range map[string]string{
		"production": "production", "review-app": "review-app", "abcdefghijklmnopqrstuvwx": "abcdefghijklmnopqrstuvwx",
		"staging-12345678901234567": "staging-123456789-xxxxxx", "Production": "production-xxxxxx",
		"review/feature": "review-feature-xxxxxx", "1-is-first": "env-1-is-first-xxxxxx", "a--b": "a-b-xxxxxx",
		"review/123456789/abcdef": "review-123456789-xxxxxx", "x-": "x", "": "env-xxxxxx",
	} {
		got := EnvironmentSlug(name)
		if suffix := strings.Contains(want, "-xxxxxx"); suffix && len(got) >= 7 {
			if tail := got[len(got)-6:]; strings.Trim(tail, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
				t.Errorf("%q: the suffix of %q is not of base 36", name, got)
			}
			got = got[:len(got)-6] + "xxxxxx"
		}
		if got != want || len(got) > 24 {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if a, b := EnvironmentSlug("review/a"), EnvironmentSlug("review-A"); a == b {
		t.Errorf("two names have the slug %q", a)
	}
}

func TestEnvironmentTier(t *testing.T) {
	for name, want := range map[string]string{
		"review/app": "development", "DEV": "development", "qa-1": "testing", "accept": "testing", "staging": "staging",
		"stg": "staging", "production": "production", "prd": "production", "gprd": "production", "live": "production", "canary": "other",
		"pre-production": "staging", "integration": "testing", "": "other",
	} {
		if got := EnvironmentTier(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
