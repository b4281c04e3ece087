package web

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/trace"
)

// Limits of the part of a log that a page holds. The rest is a link away.
const (
	windowRows  = 1000
	windowBytes = 256 << 10
)

// A logView is the part of a log that a page shows.
type logView struct {
	Rows    []logRow
	Cursor  string // where a stream goes on; empty: nothing more comes, or not here
	Earlier string // the part before; empty: this is the beginning
	Later   string // the part behind; empty: this is the end
	Text    string // why there are no rows
	Ended   bool   // nothing more will come
}

// logView reads the end of a log or, with a number of a line, what begins there.
func (v *visit) logView(s *jobState, from string) (logView, error) {
	switch {
	case !s.mayLog:
		return logView{Text: "This log may hold secrets, since the job ran in debug mode. Only developers may read it.", Ended: true}, nil
	case !s.job.ErasedAt.IsZero():
		return logView{Text: "The log was erased.", Ended: true}, nil
	}
	id := int64(s.job.ID)
	window, err := v.window(id, from)
	if errors.Is(err, trace.ErrErased) {
		return logView{Text: "The log was erased.", Ended: true}, nil
	}
	if err != nil {
		return logView{}, err
	}
	view := logView{Ended: window.info.Finished || s.job.Status.Complete() && window.info.Size == 0}
	first, cursor := window.cursor.Line, window.cursor
	view.Rows, _ = cursor.rows(window.data)
	if first > 1 {
		view.Earlier = "?from=" + strconv.FormatInt(max(first-windowRows, 1), 10) + "#log"
	}
	if window.more {
		view.Later = "?from=" + strconv.FormatInt(cursor.Line, 10) + "#log"
	} else if !view.Ended {
		view.Cursor = cursor.text()
	}
	if len(view.Rows) == 0 {
		view.Text = emptyLog(s.job.Status, view.Ended)
	}
	return view, nil
}

// emptyLog says why there is nothing to read.
func emptyLog(status ci.Status, ended bool) string {
	switch {
	case ended:
		return "This job wrote no log."
	case status.Executing():
		return "The job runs and has written nothing yet."
	}
	return "The job has not started yet."
}

// A logWindow is a part of a log that begins with a line.
type logWindow struct {
	info   trace.Info
	cursor logCursor // of its beginning
	data   []byte
	more   bool // there is more behind it
}

// window reads a part of a log: what begins with a line, or the end.
func (v *visit) window(job int64, from string) (logWindow, error) {
	line, err := strconv.ParseInt(from, 10, 64)
	if err != nil || line < 1 {
		return v.lastWindow(job)
	}
	offset, err := v.web.traces.Line(v.ctx(), job, line-1)
	if err != nil {
		return logWindow{}, err
	}
	info, data, start, err := v.readLog(job, offset)
	if err != nil {
		return logWindow{}, err
	}
	w := logWindow{info: info, cursor: logCursor{Offset: start, Line: min(line, info.Lines+1)}}
	w.data = firstLines(data, windowRows)
	if w.more = start+int64(len(w.data)) < info.Size; w.more {
		// A line that is cut by the window belongs to the next one, unless it is all there is.
		if i := bytes.LastIndexByte(w.data, '\n'); i >= 0 {
			w.data = w.data[:i+1]
		}
	}
	return w, nil
}

// lastWindow reads the last lines.
func (v *visit) lastWindow(job int64) (logWindow, error) {
	info, data, start, err := v.readLog(job, -windowBytes)
	if err != nil {
		return logWindow{}, err
	}
	kept := lastLines(data, windowRows)
	if start > 0 && len(kept) == len(data) {
		// The window may begin inside a line.
		if i := bytes.IndexByte(kept, '\n'); i >= 0 && i+1 < len(kept) {
			kept = kept[i+1:]
		}
	}
	return logWindow{
		info: info, data: kept,
		cursor: logCursor{Offset: start + int64(len(data)-len(kept)), Line: info.Lines - int64(bytes.Count(kept, []byte{'\n'})) + 1},
	}, nil
}

// readLog reads a window's worth of bytes from an offset on.
func (v *visit) readLog(job, offset int64) (info trace.Info, data []byte, start int64, err error) {
	r, err := v.web.traces.Read(v.ctx(), job, offset, windowBytes)
	if err != nil {
		return trace.Info{}, nil, 0, err
	}
	defer r.Close() // it was only read: there is nothing that could be lost
	data = make([]byte, r.End-r.Start)
	if _, err := io.ReadFull(r, data); err != nil {
		return trace.Info{}, nil, 0, err
	}
	return r.Info, data, r.Start, nil
}

// firstLines is the part of data with its first n lines.
func firstLines(data []byte, n int) []byte {
	end := 0
	for ; n > 0; n-- {
		i := bytes.IndexByte(data[end:], '\n')
		if i < 0 {
			return data
		}
		end += i + 1
	}
	return data[:end]
}

// lastLines is the part of data with its last n lines.
func lastLines(data []byte, n int) []byte {
	begin := len(bytes.TrimSuffix(data, []byte{'\n'}))
	for ; n > 0; n-- {
		i := bytes.LastIndexByte(data[:begin], '\n')
		if i < 0 {
			return data
		}
		begin = i
	}
	return data[begin+1:]
}
