// Package auth knows who is calling and what they may do.
//
// Three nouns: Keys are the secrets of the server, kept in one file outside the
// database; a token is what a client shows, found again by a keyed digest; an
// Actor is a caller as one project sees them, and Allow looks up in one table
// what an actor may do there (contract/trigger-api.md 3.3). Everything is a
// function of its arguments: whoever needs a decision loads the values first.
//
// The package refuses to read a database, a clock or the environment. Of the
// disk it touches the key file alone.
package auth
