package daemon

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// listen opens the address, or the same one with a port a little higher when that
// is taken and NextPorts allows it.
func listen(ctx context.Context, c Config) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", c.Listen)
	if err == nil {
		return listener, nil
	}
	host, port, splitErr := net.SplitHostPort(c.Listen)
	first, parseErr := strconv.Atoi(port)
	if splitErr == nil && parseErr == nil {
		for next := first + 1; next <= first+c.NextPorts && next < 1<<16; next++ {
			if listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(next))); err == nil {
				return listener, nil
			}
		}
	}
	return nil, usage("%v", err)
}

// externalURLs takes the external URL, or makes one from the address.
func externalURLs(c Config, addr net.Addr) (wire.URLs, error) {
	external := c.ExternalURL
	if external == "" {
		external = c.scheme() + "://" + reachable(addr)
	}
	urls, err := wire.ParseURLs(external)
	if err != nil {
		return wire.URLs{}, usage("%v", err)
	}
	return urls, nil
}

// reachable is an address under which this machine reaches a listener: one that
// listens on all addresses is found on the loopback one.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
}

// refuseOpenDoor refuses to listen to others while there is no administrator and
// none is about to be made: whoever came first could become it.
func refuseOpenDoor(ctx context.Context, c Config, db *store.View) error {
	addr, err := net.ResolveTCPAddr("tcp", c.Listen)
	if err != nil {
		return usage("%v", err)
	}
	if addr.IP.IsLoopback() || c.RootPassword != "" || c.RootToken != "" {
		return nil
	}
	users, err := db.CountUsers(ctx)
	if err != nil {
		return fmt.Errorf("look for an administrator: %w", err)
	}
	if users == 0 {
		return usage("refusing to listen on %s before an administrator exists.\n"+
			"       Set LANYARD_ROOT_PASSWORD_FILE or LANYARD_ROOT_TOKEN_FILE, or start it on 127.0.0.1 first.", c.Listen)
	}
	return nil
}
