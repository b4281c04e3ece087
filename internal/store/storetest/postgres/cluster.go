package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Config says what is unusual about a Cluster. The zero value is for tests.
type Config struct {
	Durable bool // commits are on disk before they are answered: for benchmarks and for tests that restart it
}

// A Cluster is a running server.
type Cluster struct {
	config   Config
	bin      string // folder of the programs
	dir      string // all files
	port     string
	password string
	account  *account       // to run as; nil: our own
	stop     chan os.Signal // takes the signal that ends the server
	done     chan error     // gives how it ended
}

// Names in a cluster, and how long it may take to start.
const (
	superuser = "lanyard"
	startTime = time.Minute
)

// Start makes a cluster and starts it. The caller stops it.
func Start(config Config) (*Cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lanyard-postgres")
	if err != nil {
		return nil, err
	}
	c := &Cluster{config: config, bin: bin, dir: dir, password: rand.Text()}
	if err := c.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w", err), os.RemoveAll(dir))
	}
	return c, nil
}

// programs finds the folder of initdb and postgres.
func programs() (string, error) {
	if program, err := exec.LookPath("initdb"); err == nil {
		if program, err = filepath.EvalSymlinks(program); err == nil {
			return filepath.Dir(program), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("PostgreSQL is missing: install Debian's package postgresql (make setup does)")
	}
	return filepath.Dir(slices.Max(found)), nil
}

// An account of the system.
type account struct{ uid, gid uint32 }

// start makes the data and starts the server. PostgreSQL refuses to run as root.
func (c *Cluster) start() (err error) {
	if os.Geteuid() == 0 {
		if c.account, err = otherAccount(); err != nil {
			return err
		}
		if err := os.Chown(c.dir, int(c.account.uid), int(c.account.gid)); err != nil {
			return err
		}
	}
	secret := filepath.Join(c.dir, "password")
	if err := os.WriteFile(secret, []byte(c.password+"\n"), 0o644); err != nil {
		return err
	}
	args := []string{"-D", c.data(), "-U", superuser, "--pwfile", secret, "--auth", "scram-sha-256", "-E", "UTF8", "--no-sync", "--locale", "C.UTF-8"}
	version, err := c.command("initdb", "--version").Output()
	if err != nil {
		return fmt.Errorf("initdb --version: %w", err)
	}
	if !strings.Contains(string(version), ") 14.") {
		// A locale that sorts as people do shows what relies on the order of bytes.
		args = append(args, "--locale-provider", "icu", "--icu-locale", "en-US")
	}
	if out, err := c.command("initdb", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	for range 3 { // the port may be taken by somebody in between
		if c.port, err = freePort(); err != nil {
			return err
		}
		if err = c.Run(); err == nil {
			return nil
		}
	}
	return err
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// command is a program of PostgreSQL, as the account that owns the data.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"LANG=C.UTF-8", "TZ=UTC"}
	cmd.SysProcAttr = attributes(c.account)
	return cmd
}

// Run starts the server again after Stop or Kill, and waits until it answers.
func (c *Cluster) Run() error {
	settings := []string{"listen_addresses=127.0.0.1", "port=" + c.port, "unix_socket_directories=", "max_connections=200", "shared_buffers=128MB"}
	if !c.config.Durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	args := []string{"-D", c.data()}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := c.command("postgres", args...)
	cmd.Stdout, cmd.Stderr = log, log
	c.stop, c.done = make(chan os.Signal), make(chan error, 1)
	started := make(chan error)
	go c.keep(cmd, started)
	if err := <-started; err != nil {
		return err
	}
	return c.wait()
}

// keep starts the server and passes a signal on to it. The thread stays with the
// server: the kernel takes its end for the end of the parent.
func (c *Cluster) keep(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	started <- err
	if err != nil {
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case signal := <-c.stop:
		if err = cmd.Process.Signal(signal); err == nil {
			err = <-ended
		}
	}
	c.done <- err
}

// wait returns when the server answers.
func (c *Cluster) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case end := <-c.done:
			c.done <- end
			log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			return fmt.Errorf("the server ended: %v\n%s", end, log)
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// URL is where a database of the cluster is.
func (c *Cluster) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(superuser, c.password), Host: net.JoinHostPort("127.0.0.1", c.port), Path: "/" + database}
	return u.String()
}

// Stop ends the server and removes its data.
func (c *Cluster) Stop() error {
	return errors.Join(c.end(syscall.SIGINT), os.RemoveAll(c.dir))
}

// Kill ends the server as a power cut would; Run starts it again.
func (c *Cluster) Kill() error { return c.end(syscall.SIGQUIT) }

// end ends the server with a signal and waits for it.
func (c *Cluster) end(signal os.Signal) error {
	select {
	case c.stop <- signal:
	case err := <-c.done: // it has ended by itself
		return fmt.Errorf("PostgreSQL had ended: %v", err)
	}
	var exit *exec.ExitError
	if err := <-c.done; err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("end PostgreSQL: %w", err)
	}
	return nil
}

// freePort finds a port that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(strings.TrimSpace(l.Addr().String()))
	return port, errors.Join(err, l.Close())
}
