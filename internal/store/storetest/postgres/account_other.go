//go:build !linux

package postgres

import (
	"errors"
	"syscall"
)

func attributes(*account) *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

func otherAccount() (*account, error) {
	return nil, errors.New("tests with PostgreSQL cannot run as root here")
}
