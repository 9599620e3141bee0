package rotapage

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

const (
	calm   = time.Second            // between two looks
	moving = 200 * time.Millisecond // the same, while a change is under way
	least  = 100 * time.Millisecond // the same, when something changes all the time

	patience = 10 * time.Second // that a reader may take for one write
)

// events keeps a page up to date, with server-sent events. Each has the moving part of the page as HTML. It ends when the worker drains, or the
// master is replaced: the page then asks another one.
func (p *page) events(w http.ResponseWriter, r *http.Request) {
	select {
	case p.readers <- struct{}{}:
		defer func() { <-p.readers }()
	default:
		http.Error(w, "too many readers", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	defer func() { _ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) }() // the connection may go on
	changed := p.source.changed(r.Context())
	for {
		s, err := p.source.status(r.Context())
		if !p.send(w, s, err) || p.isReplaced(s) || !p.wait(r, changed, s) {
			return
		}
	}
}

// isReplaced reports whether the master that serves this page may have been replaced by a new one, which the page is to ask: this one knows
// only of its own workers, that drain. In a stop the page asks this one again.
func (p *page) isReplaced(s status.Status) bool {
	return p.Master != nil && s.Phase == reload.PhaseStopping.String()
}

// send sends the moving part, and reports whether the reader has taken it.
func (p *page) send(w http.ResponseWriter, s status.Status, failed error) bool {
	var html, event bytes.Buffer
	if err := tmpl.ExecuteTemplate(&html, "live", newView(s, failed)); err != nil {
		return false
	}
	event.WriteString("retry: 500\n")
	for line := range bytes.Lines(html.Bytes()) {
		fmt.Fprintf(&event, "data: %s\n", bytes.TrimRight(line, "\r\n"))
	}
	event.WriteString("\n")
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(patience)) // not every ResponseWriter has one
	_, err := w.Write(event.Bytes())
	return err == nil && c.Flush() == nil
}

// wait waits until there may be something new, and reports whether the reader and this process go on.
func (p *page) wait(r *http.Request, changed <-chan struct{}, s status.Status) bool {
	pause := calm
	if s.Phase != "serving" {
		pause = moving
	}
	begin := time.Now()
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case _, ok := <-changed:
		if !ok {
			return false
		}
		t.Reset(time.Until(begin.Add(least)))
		select {
		case <-t.C:
		case <-r.Context().Done():
			return false
		}
	case <-p.source.leaving():
		return false
	case <-r.Context().Done():
		return false
	}
	return true
}
