package web

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// checkHost refuses a request that calls the server by a name that is not its own:
// neither the external URL's nor one of this machine. Another site could have its
// name lead to this server and then read pages as their visitor
// (docs/decisions, secrets).
func (v *visit) checkHost() error {
	if v.web.ownHost(v.r.Host) {
		return nil
	}
	return &ci.Error{Kind: ci.KindInvalid, Message: fmt.Sprintf(
		"This server is called %s, not %s. If that is its name too, start it with --external-url; a proxy in front must pass the Host header on.",
		v.web.urls.External.Host, shortHost(v.r.Host))}
}

// ownHost reports whether a host, with or without a port, is the external URL's or
// a loopback name. The port of a loopback name does not matter: tunnels change it.
func (web *Web) ownHost(host string) bool {
	external := web.urls.External
	if strings.EqualFold(withoutDefaultPort(host, external.Scheme), withoutDefaultPort(external.Host, external.Scheme)) {
		return true
	}
	return isLoopback(host)
}

// isLoopback reports whether a host, with or without a port, is this machine by
// any name that cannot be somebody else's.
func isLoopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.IsLoopback()
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// withoutDefaultPort drops the port that a scheme has anyway.
func withoutDefaultPort(host, scheme string) string {
	port := ":80"
	if scheme == "https" {
		port = ":443"
	}
	return strings.TrimSuffix(host, port)
}

// shortHost is what is shown of a host that somebody sent.
func shortHost(host string) string {
	if len(host) > 100 {
		return host[:100] + "…"
	}
	return host
}

// ownOrigin reports whether the header Origin of a form names this server: by its
// external URL, or by the very name that this request uses, which checkHost has
// found to be ours.
func (v *visit) ownOrigin(origin string) bool {
	external := v.web.urls.External
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	if u.Scheme == external.Scheme && strings.EqualFold(withoutDefaultPort(u.Host, u.Scheme), withoutDefaultPort(external.Host, u.Scheme)) {
		return true
	}
	return isLoopback(u.Host) && strings.EqualFold(u.Host, v.r.Host)
}
