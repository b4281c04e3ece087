package api

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/trace"
)

// getTrace gives the log of a job as text, whole or in part: by the parameters
// byte_offset and byte_limit, or by the header Range.
func (a *API) getTrace(c *call) error {
	offset, limit := c.params.Int("byte_offset", 0), c.params.Int("byte_limit", -1)
	if offset < 0 {
		c.params.Fail("byte_offset", "does not have a valid value")
	}
	if limit < 0 && c.params.String("byte_limit") != "" {
		c.params.Fail("byte_limit", "does not have a valid value")
	}
	job, project, err := c.job(auth.ReadBuild)
	if err != nil {
		return err
	}
	if err := c.mayReadTrace(project, job); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf(`infile; filename="%d.log"`, job.ID))
	h.Set("Cache-Control", "max-age=0, private, must-revalidate")
	h.Set("Accept-Ranges", "bytes")
	status := http.StatusOK
	if from, count, ok := byteRange(c.r.Header.Get("Range")); ok && !c.params.Has("byte_offset") && !c.params.Has("byte_limit") {
		offset, limit, status = from, count, http.StatusPartialContent
	}
	log, err := a.traces.Read(c.ctx(), int64(job.ID), offset, limit)
	if err != nil {
		return err
	}
	defer log.Close() // it was only read: there is nothing that could be lost
	if status == http.StatusPartialContent && log.Start == log.End {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", log.Info.Size))
		c.w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return nil
	}
	if status == http.StatusPartialContent {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", log.Start, log.End-1, log.Info.Size))
	}
	return c.sendLog(status, log)
}

// sendLog writes a part of a log whose length is known.
func (c *call) sendLog(status int, log *trace.Reader) error {
	c.w.Header().Set("Content-Length", strconv.FormatInt(log.End-log.Start, 10))
	c.w.WriteHeader(status)
	if c.r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(c.w, log); err != nil {
		return fmt.Errorf("send log: %w", err)
	}
	return nil
}

// mayReadTrace checks the right to read a log. One that a job wrote in debug mode
// holds every variable, so it is for developers.
func (c *call) mayReadTrace(project ci.Project, job ci.Job) error {
	debug := false
	if auth.Allow(c.actor, auth.ReadDebugTrace, project) != auth.Allowed {
		var err error
		if debug, err = c.api.engine.DebugMode(c.ctx(), project, job); err != nil {
			return err
		}
	}
	if !auth.MayReadTrace(c.actor, project, debug) {
		return ci.Forbidden("")
	}
	return nil
}

// byteRange reads a header Range that asks for one part: "bytes=5-9", "bytes=5-" or
// "bytes=-5". The offset of the last form is negative, an open end a limit of -1.
// Everything else is not understood, and so not heeded.
func byteRange(header string) (offset, limit int64, ok bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash {
		return 0, 0, false
	}
	if first == "" {
		n, err := strconv.ParseInt(last, 10, 64)
		return -n, -1, err == nil && n > 0
	}
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil || from < 0 {
		return 0, 0, false
	}
	if last == "" {
		return from, -1, true
	}
	to, err := strconv.ParseInt(last, 10, 64)
	return from, to - from + 1, err == nil && to >= from
}
