package runnerapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/trace"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// updateJob takes a runner's report: that it has the job, that it is alive, or how
// the job ended. A final report is answered when the log and the outcome are
// durable, so that it never has to be repeated
// (contract/runner-protocol.md 5).
func (a *API) updateJob(w http.ResponseWriter, r *http.Request) error {
	p, err := read(w, r, "id")
	if err != nil {
		return err
	}
	id, token := jobID(r, p), jobToken(r, p)
	update := engine.JobUpdate{
		State: p.String("state"), Reason: p.String("failure_reason"), ExitCode: int(p.Int("exit_code", 0)),
		Checksum: p.String("output[checksum]"), Bytes: p.Int("output[bytesize]", 0),
	}
	if update.Checksum == "" {
		update.Checksum = p.String("checksum")
	}
	if err := p.Err(); err != nil {
		return err
	}
	status, err := a.engine.UpdateJob(r.Context(), id, token, update)
	if err := a.report(w, r, status, err); err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, http.StatusOK)
}

// traceInterval is how often a runner should send what its job prints, in seconds.
const traceInterval = "3"

// appendLog takes a piece of a job's log. The answer's Range is a length, although
// what the runner sends is a range with an inclusive end
// (contract/runner-protocol.md 6).
func (a *API) appendLog(w http.ResponseWriter, r *http.Request) error {
	p, err := wire.QueryParams(r, "id")
	if err != nil {
		return err
	}
	id, token := jobID(r, p), jobToken(r, p)
	if err := p.Err(); err != nil {
		return err
	}
	start, err := rangeStart(r.Header.Get("Content-Range"))
	if err != nil {
		return err
	}
	length, status, err := a.engine.AppendLog(r.Context(), id, token, start, steadily(w, r.Body))
	w.Header().Set("X-GitLab-Trace-Update-Interval", traceInterval)
	if mismatch, ok := errors.AsType[*trace.Mismatch](err); ok {
		w.Header().Set("Job-Status", string(status))
		w.Header().Set("Range", logRange(mismatch.Stored))
		return wire.JSON(w, http.StatusRequestedRangeNotSatisfiable, map[string]string{"error": "416 Range Not Satisfiable"})
	}
	if err := a.report(w, r, status, err); err != nil {
		return err
	}
	w.Header().Set("Range", logRange(length))
	return wire.JSON(w, http.StatusAccepted, http.StatusAccepted)
}

// logRange is the header that tells a runner how long the stored log is.
func logRange(length int64) string { return fmt.Sprintf("0-%d", length) }

// rangeStart reads where a piece begins. Its end is not looked at: old runners
// write it in other ways, and the body is as long as it is.
func rangeStart(header string) (int64, error) {
	if header == "" {
		return 0, ci.BadParam("400 Missing header Content-Range")
	}
	text, _, _ := strings.Cut(header, "-")
	start, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || start < 0 {
		return 0, ci.BadParam("400 Invalid header Content-Range")
	}
	return start, nil
}
