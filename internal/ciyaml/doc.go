// Package ciyaml compiles .gitlab-ci.yml files.
//
// Compiling is two steps. [Load] does everything that depends only on a commit
// and the variables usable in include: it reads the file and what it includes,
// puts inputs in place, resolves extends and !reference, checks every keyword,
// expands parallel and checks stages, dependencies and needs. Its result, a
// [Config], does not change and may be cached; the [Reads] beside it say what it
// was made from.
// (*Config).Pipeline then decides, for one event, whether there is a pipeline
// and which jobs it has: workflow rules, rules, only and except, variables,
// tags. The result is a [Plan], which creating a pipeline writes down.
//
// Its three nouns are Config, Plan and [Diagnostic]. A diagnostic is GitLab's
// sentence, word for word, with the place it is about; keywords that GitLab
// has and this package does not have yet are refused, never ignored.
//
// The package does no input or output but through [Source], knows no clock and
// no chance: the same input gives the same output in the same order. Each step
// has a file of its own; in the order they run: load, file, include*, extends,
// entry_*, matrix, config, needs; then pipeline, rules, only, variables.
package ciyaml
