package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Notices are short texts that processes on one PostgreSQL database tell each
// other. They are not kept: who does not listen misses them.
type Notices struct {
	url  string
	pool *sql.DB
}

const (
	noticeChannel = "lanyard"
	silence       = 15 * time.Second // after which a connection has to show that it is there
	answerTime    = 5 * time.Second
)

// Notices opens the way to other processes, with a connection of its own. It fails
// on SQLite, which has no others.
func (db *DB) Notices() (*Notices, error) {
	main, ok := db.writes.(*postgresWrites)
	if !ok {
		return nil, errors.New("open notices: not PostgreSQL")
	}
	// Even a notice waits for the disk, unless it is told not to.
	pool, err := openPool(main.url, 1, map[string]string{"synchronous_commit": "off", "statement_timeout": "5s"})
	if err != nil {
		return nil, err
	}
	return &Notices{main.url, pool}, nil
}

// Close closes the connection that sends.
func (n *Notices) Close() error { return n.pool.Close() }

// Send tells texts, each of less than 8,000 bytes, to every process that receives,
// this one too.
func (n *Notices) Send(ctx context.Context, texts []string) error {
	_, err := n.pool.ExecContext(ctx, `select pg_notify($1, text) from unnest($2::text[]) text`, noticeChannel, texts)
	return wrap("send notices", err)
}

// Receive calls got for each text that is told while it runs. It calls listening
// when nothing is missed from then on, and returns when ctx ends or the connection
// is lost, with an error in either case.
func (n *Notices) Receive(ctx context.Context, listening func(), got func(text string)) error {
	config, err := PostgresConfig(n.url, nil)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("receive notices: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "listen "+noticeChannel); err != nil {
		return fmt.Errorf("receive notices: %w", err)
	}
	listening()
	for {
		quiet, cancel := context.WithTimeout(ctx, silence)
		notice, err := conn.WaitForNotification(quiet)
		cancel()
		switch {
		case err == nil:
			got(notice.Payload)
		case ctx.Err() == nil && quiet.Err() != nil:
			if err := alive(ctx, conn); err != nil {
				return err
			}
		default:
			return fmt.Errorf("receive notices: %w", err)
		}
	}
}

// Version names the PostgreSQL server and its version.
func (n *Notices) Version(ctx context.Context) (string, error) {
	var version string
	err := n.pool.QueryRowContext(ctx, `select 'PostgreSQL ' || current_setting('server_version')`).Scan(&version)
	return version, wrap("ask PostgreSQL for its version", err)
}

// alive asks for any answer.
func alive(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return wrap("receive notices", conn.Ping(ctx))
}
