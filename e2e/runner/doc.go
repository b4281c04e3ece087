//go:build runner_e2e

// Package runner lets a stock gitlab-runner, with its shell executor, work for a
// `lanyard serve`, and checks what became of its jobs as well as every exchange
// between the two (contract/runner-protocol.md 5 to 12).
//
// The program is whatever LANYARD_E2E_RUNNER names; `make runner-e2e` sets it.
// Versions differ: what a version cannot do (a cancel that lets after_script run)
// is read from the features that it announces, and the older behaviour is checked
// instead.
package runner
