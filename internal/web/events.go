package web

import (
	"context"
	"net/http"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// follow keeps one page up to date: it looks, and looks again whenever something
// happened, and now and then in case a wake-up was lost. look says whether it was
// for the last time. The stream ends with the server, the browser, or its time.
func (v *visit) follow(look func(*stream, *watcher) (done bool, err error)) error {
	ctx, cancel := context.WithTimeout(v.ctx(), streamLife)
	defer cancel()
	out, err := v.openStream()
	if err != nil || v.r.Method == http.MethodHead {
		return err
	}
	defer out.close()
	watcher := newWatcher(ctx, v.web.hub)
	ping := time.NewTicker(v.web.ping)
	defer ping.Stop()
	for {
		done, err := look(out, watcher)
		if done || ci.IsNotFound(err) { // it has been deleted meanwhile
			return out.end()
		}
		if err != nil {
			return err
		}
		select {
		case <-time.After(pace):
		case <-ctx.Done():
			return nil
		}
		select {
		case <-watcher.wake:
		case <-ping.C:
			if err := out.ping(); err != nil {
				return err
			}
		case <-v.web.hub.Done():
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// pipelineEvents keeps the page of a pipeline up to date.
func (v *visit) pipelineEvents() error {
	if _, _, err := v.pipelinePage(); err != nil { // before it is too late to say so
		return err
	}
	return v.follow(func(out *stream, w *watcher) (bool, error) {
		page, s, err := v.pipelinePage()
		if err != nil {
			return false, err
		}
		w.pipeline(s.Pipeline.ID)
		for _, tie := range s.ties {
			if s.visible[tie.Project.ID] {
				w.pipeline(tie.Pipeline.ID)
			}
		}
		fragment, err := v.web.pages.fragment("pipeline", "live", page)
		if err != nil {
			return false, err
		}
		return s.over(), out.swap(fragment, page.Number+": "+page.Status.Word)
	})
}

// over reports whether nothing more will happen by itself.
func (s *pipelineState) over() bool {
	over := s.Pipeline.Status.Complete()
	for _, tie := range s.ties {
		over = over && (!s.visible[tie.Project.ID] || tie.Pipeline.Status.Complete())
	}
	return over
}

// pipelinesEvents keeps a list up to date, with new pipelines too.
func (v *visit) pipelinesEvents() error {
	return v.follow(func(out *stream, w *watcher) (bool, error) {
		w.project(v.project.ID)
		page, err := v.pipelinesPage()
		if err != nil {
			return false, err
		}
		fragment, err := v.web.pages.fragment("pipelines", "live", page)
		if err != nil {
			return false, err
		}
		return false, out.swap(fragment, "")
	})
}

// A logEvent is what a stream sends of a log.
type logEvent struct {
	Rows []rowEvent   `json:"rows"`
	Ends []sectionEnd `json:"ends,omitempty"`
}

// A rowEvent is a logRow with short names. Its text goes into the page as text: the
// script makes elements of it, never markup.
type rowEvent struct {
	Number  int64       `json:"n"`
	Depth   int         `json:"d,omitempty"`
	Section bool        `json:"s,omitempty"`
	Closed  bool        `json:"c,omitempty"`
	Time    string      `json:"t,omitempty"`
	Took    string      `json:"k,omitempty"`
	Spans   [][2]string `json:"x"` // class and text
}

func rowEvents(rows []logRow) []rowEvent {
	events := make([]rowEvent, len(rows))
	for i, r := range rows {
		events[i] = rowEvent{r.Number, r.Depth, r.Section, r.Closed, r.Time, r.Took, make([][2]string, len(r.Spans))}
		for j, s := range r.Spans {
			events[i].Spans[j] = [2]string{s.Class, s.Text}
		}
	}
	return events
}

// jobEvents keeps the page of a job up to date and lets its log grow, from where the
// browser says that it is.
func (v *visit) jobEvents() error {
	_, s, err := v.jobPage()
	if err != nil {
		return err
	}
	cursor, err := v.logCursor(s)
	if err != nil {
		return err
	}
	var shown time.Time
	return v.follow(func(out *stream, w *watcher) (bool, error) {
		if shown.IsZero() {
			w.log(s.job.ID)
			w.pipeline(s.job.PipelineID)
		}
		// A log grows much more often than its job moves. The job is looked at first:
		// of one that has ended, all of the log is there then.
		if w.moved.Swap(false) || time.Since(shown) >= v.web.ping {
			var page jobPage
			if page, s, err = v.jobPage(); err != nil {
				return false, err
			}
			fragment, err := v.web.pages.fragment("job", "live", page)
			if err != nil {
				return false, err
			}
			if err := out.swap(fragment, "Job "+page.Name+": "+page.Status.Word); err != nil {
				return false, err
			}
			shown = time.Now()
		}
		if !s.mayLog || !s.job.ErasedAt.IsZero() {
			return s.job.Status.Complete(), nil
		}
		finished, err := v.sendLog(out, s, cursor)
		return finished && s.job.Status.Complete(), err
	})
}

// logCursor reads where the browser is, by the header that it sends when it comes
// again or by its address; without either it is where the page would begin.
func (v *visit) logCursor(s *jobState) (*logCursor, error) {
	text := v.r.Header.Get("Last-Event-ID")
	if text == "" {
		text = v.r.URL.Query().Get("after")
	}
	if text != "" {
		cursor, err := parseCursor(text)
		if err != nil {
			return nil, ci.BadRequest("Not a place in a log")
		}
		return cursor, nil
	}
	if !s.mayLog || !s.job.ErasedAt.IsZero() {
		return &logCursor{Line: 1}, nil
	}
	window, err := v.lastWindow(int64(s.job.ID))
	return &window.cursor, err
}

// sendLog sends what a log has from the cursor on, and says whether that was all
// that will come.
func (v *visit) sendLog(out *stream, s *jobState, cursor *logCursor) (finished bool, err error) {
	for {
		info, data, start, err := v.readLog(int64(s.job.ID), cursor.Offset)
		if err != nil {
			return false, err
		}
		finished = info.Finished || info.Size == 0
		if len(data) == 0 {
			return finished, nil
		}
		cursor.Offset = start
		before := *cursor
		rows, ends := cursor.rows(data)
		if len(rows)+len(ends) > 0 {
			if err := out.event("log", cursor.text(), logEvent{rowEvents(rows), ends}); err != nil {
				return false, err
			}
		}
		if start+int64(len(data)) == info.Size || cursor.Offset == before.Offset {
			return finished, nil
		}
	}
}
