package githttp

import "time"

// Impatient makes a handler give up on slow clients after d.
func (h *Handler) Impatient(d time.Duration) {
	h.limits.fetchIdle, h.limits.pushIdle, h.limits.writeIdle, h.limits.queue = d, d, d, d
}

// FetchBody bounds the request of a fetch.
func (h *Handler) FetchBody(max int64) { h.limits.fetchBody = max }
