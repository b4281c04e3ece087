package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Projects lists the projects whose repositories are on disk, in no promised order.
// What is being made or removed is not among them.
func (s *Server) Projects(ctx context.Context) ([]int64, error) {
	fans, err := os.ReadDir(s.root)
	if err != nil {
		return nil, fmt.Errorf("list repositories: %w", err)
	}
	var ids []int64
	for _, fan := range fans {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !fan.IsDir() || len(fan.Name()) != 2 {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(s.root, fan.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list repositories: %w", err)
		}
		for _, e := range entries {
			number, ok := strings.CutSuffix(e.Name(), ".git")
			if id, err := strconv.ParseInt(number, 10, 64); ok && err == nil {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}
