// Package wire is the HTTP plumbing that the edges share. The edges (api,
// runnerapi, web) say what a request means; wire says how requests come in and
// how answers go out, so that no handler ever writes a status and a log line by
// hand.
//
// A request meets, in this order: an [Edge], which gives it an id, finds out who
// is calling through trusted proxies, repairs its path, and logs one line when it
// is over; a [Handler], which returns an error instead of answering it; and
// [Params], the parameters of query, body and path in one ordered tree. Answers
// leave through [JSON], [Text] and [NoContent]; errors leave through one place,
// which maps the kinds of [ci.Error] to GitLab's status codes and bodies. [URLs]
// is the only place that knows how the server is called from outside.
//
// The package refuses to know routes, permissions or resources: a status code is
// decided by the kind of an error, and nothing here reads the store.
package wire
