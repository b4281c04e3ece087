// Package api holds the conformance scripts of the REST API. See package script for
// their verbs.
package api

import (
	"testing"

	"github.com/lanyard-ci/lanyard/e2e/process"
	"github.com/lanyard-ci/lanyard/e2e/script"
)

func TestMain(m *testing.M) { process.Main(m) }

func TestAPI(t *testing.T) { script.Run(t, ".") }
