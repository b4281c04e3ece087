// Package proxy tests the program behind a real nginx, with the configuration that
// docs/operate.md gives, and by itself with https: everything is done from outside,
// as people, runners and git do it.
package proxy
