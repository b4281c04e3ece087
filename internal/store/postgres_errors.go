package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What PostgreSQL calls the errors that are told apart here.
const (
	codeUnique        = "23505"
	codeForeignKey    = "23503"
	codeBadText       = "22021"
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeShutdown      = "57P" // and one more digit: the server ends, or has only just begun
	codeConnection    = "08"  // and three more digits
)

func postgresViolation(err error) (violation, string) {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return noViolation, ""
	}
	switch e.Code {
	case codeUnique:
		return uniqueViolation, e.ConstraintName
	case codeForeignKey:
		return foreignKeyViolation, e.ConstraintName
	case codeBadText:
		return textViolation, ""
	}
	return noViolation, ""
}

// maxAttempts is how often a write is tried, in all within about a second.
const maxAttempts = 10

// pause waits before a write is tried again: longer each time, and not as long as
// others who wait.
func pause(ctx context.Context, try int) error {
	longest := min(time.Millisecond<<try, 250*time.Millisecond)
	timer := time.NewTimer(longest/2 + rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// repeatable reports whether a write that failed left nothing behind and may end
// better the next time.
func repeatable(err error) bool {
	if errors.Is(err, ErrUnknown) {
		return false
	}
	var e *pgconn.PgError
	if errors.As(err, &e) && (e.Code == codeSerialization || e.Code == codeDeadlock) {
		return true
	}
	return lost(err)
}

// lost reports whether an error is one of the connection, and not of what was
// asked.
func lost(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return strings.HasPrefix(e.Code, codeShutdown) || strings.HasPrefix(e.Code, codeConnection)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &network) || errors.As(err, &connect) || pgconn.SafeToRetry(err)
}

// outcome tells what an error of a commit means: that it did not happen, when the
// server said so and went on, or when it was never sent; else that nobody knows.
func outcome(err error) error {
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e) && e.SeverityUnlocalized == "ERROR":
		return err
	case errors.Is(err, pgx.ErrTxCommitRollback), errors.Is(err, driver.ErrBadConn), pgconn.SafeToRetry(err):
		return err
	}
	return fmt.Errorf("%w, %w: %w", ErrUnknown, ErrInFlight, err)
}
