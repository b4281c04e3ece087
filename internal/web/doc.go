// Package web is what people see: pages made on the server, that work without
// JavaScript, and streams of events that keep them up to date with it.
//
// Three nouns: a visit is one request with whoever is signed in, a page is a named
// struct that is complete before its template runs, a fragment is the part of a
// page that moves and is sent again when something happened.
//
// A page reads through the view, with a number of statements that does not grow
// with what it shows; a form posts to the same use case of the engine as the API.
// Every address is below GitLab's (`/group/project/-/pipelines/7`), so that links
// in people's heads work.
//
// The package refuses to know API tokens: a browser has a cookie and nothing else.
// It refuses requests that name another host than the server's, forms that come
// from other sites, and every script that is not its own.
package web
