package engine

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// dotenv is the type of the report that passes variables on to later jobs
// (contract/ci-yaml.md 5.4).
const dotenv = "dotenv"

// Limits of a dotenv report: GitLab's.
const (
	maxDotenvBytes     = 5 << 10
	maxDotenvVariables = 20
)

// checkedDotenv reads a dotenv report on its way in and gives it back whole, or
// says what is wrong with it: the job that wrote it should fail, not one that
// would have read it. Errors: ci.KindInvalid.
func checkedDotenv(body io.Reader) (io.Reader, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxDotenvBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxDotenvBytes {
		return nil, tooBigDotenv()
	}
	if _, err := parseDotenv(bytes.NewReader(data)); err != nil {
		return nil, err
	}
	return bytes.NewReader(data), nil
}

func tooBigDotenv() error {
	return ci.BadRequest(fmt.Sprintf("Dotenv Artifact Too Big. Maximum Allowable Size: %d", maxDotenvBytes))
}

// parseDotenv reads the variables of a report: one gzip member for each file of
// the job, lines of KEY=VALUE, later ones win. Errors: ci.KindInvalid.
func parseDotenv(r io.Reader) ([]ci.Variable, error) {
	packed := bufio.NewReader(r) // so that a member ends where it ends
	files, err := gzip.NewReader(packed)
	var list []ci.Variable
	for left := int64(maxDotenvBytes); err == nil; err = files.Reset(packed) {
		files.Multistream(false)
		data, err := io.ReadAll(io.LimitReader(files, left+1))
		if err != nil {
			return nil, ci.BadRequest("Invalid Format")
		}
		if left -= int64(len(data)); left < 0 {
			return nil, tooBigDotenv()
		}
		lines, err := dotenvLines(data)
		if err != nil {
			return nil, err
		}
		list = append(list, lines...)
	}
	if !errors.Is(err, io.EOF) {
		return nil, ci.BadRequest("Invalid Format")
	}
	list = mergeVariables(list)
	if len(list) > maxDotenvVariables {
		return nil, ci.BadRequest(fmt.Sprintf("Dotenv files cannot have more than %d variables", maxDotenvVariables))
	}
	return list, nil
}

// dotenvLines reads one file of a report.
func dotenvLines(data []byte) ([]ci.Variable, error) {
	if !utf8.Valid(data) {
		return nil, ci.BadRequest("Invalid Format")
	}
	var list []ci.Variable
	for line := range strings.Lines(string(data)) {
		key, value, found := strings.Cut(line, "=")
		if !found {
			return nil, ci.BadRequest("Invalid Format")
		}
		key = strings.TrimSpace(key)
		if !ci.ValidKey(key) {
			return nil, ci.BadRequest("Validation failed: Key can contain only letters, digits and '_'.")
		}
		list = append(list, ci.Variable{Key: key, Value: strings.TrimSpace(value)})
	}
	return list, nil
}

// dotenvLayers are the variables that earlier jobs reported; those of later jobs
// win.
func (e *Engine) dotenvLayers(ctx context.Context, reports []Dependency) ([]variableLayer, error) {
	var layers []variableLayer
	for _, report := range reports {
		list, err := e.readDotenv(ctx, report.Archive)
		if err != nil {
			return nil, fmt.Errorf("read variables of job %d: %w", report.Job.ID, err)
		}
		layers = append(layers, variableLayer{Origin{Kind: OriginDotenv, Job: report.Job.Name}, secret(list)})
	}
	return layers, nil
}

func (e *Engine) readDotenv(ctx context.Context, report ci.Artifact) ([]ci.Variable, error) {
	body, err := e.blobs.Get(ctx, report.BlobKey, 0, -1)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return parseDotenv(body)
}
