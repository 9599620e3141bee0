package rotapage

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/rota-go/rota/status"
)

var tmpl = template.Must(template.New("").Funcs(template.FuncMap{"short": short, "clock": clock}).ParseFS(files, "page.html"))

// html serves the page as it is now.
func (p *page) html(w http.ResponseWriter, r *http.Request) {
	s, err := p.source.status(r.Context())
	var b bytes.Buffer
	err = tmpl.ExecuteTemplate(&b, "page", struct {
		Options
		Live *view
	}{p.Options, newView(s, err)})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // the reader may be gone
}

// view is a Status as the page shows it.
type view struct {
	status.Status
	Failed  string        // why there is no status
	Rollout string        // "none", "under-way" or "paused": which buttons there are
	Stands  time.Duration // for how long the reload has been paused
	Runs    status.Release
	Rows    []row
	Done    int             // slots that have a worker of the generation that is rolled out
	Forked  []status.Worker // that are in no slot
	Changes []status.Change // the newest first
}

// row is a slot.
type row struct {
	Slot    int
	Step    string // of the reload under way, or ""
	Workers []workerView
	Backoff *status.Backoff // nil: there are workers
}

type workerView struct {
	status.Worker
	Age   time.Duration
	Shown string // the state, in a word
	Share string // of its requests that have failed; "": none has
}

func newView(s status.Status, err error) *view {
	v := &view{Status: s, Runs: s.Release(s.Generation), Rollout: "none"}
	switch {
	case s.Next == 0:
	case s.Paused.IsZero():
		v.Rollout = "under-way"
	default:
		v.Rollout, v.Stands = "paused", s.Time.Sub(s.Paused)
	}
	if err != nil {
		v.Failed = err.Error()
		return v
	}
	for slot, workers := range s.Slots() {
		r := row{Slot: slot, Step: step(s, workers)}
		if r.Step == replaced {
			v.Done++
		}
		for _, w := range workers {
			r.Workers = append(r.Workers, workerView{w, w.Age(s.Time), shown(w), share(w.Counters)})
		}
		v.Rows = append(v.Rows, r)
	}
	for _, b := range s.Backoffs {
		if b.Slot < len(v.Rows) {
			v.Rows[b.Slot].Backoff = &b
		}
	}
	for _, w := range s.Workers {
		if w.Forked {
			v.Forked = append(v.Forked, w)
		}
	}
	v.Changes = slices.Clone(s.History)
	slices.Reverse(v.Changes)
	return v
}

// The steps of a slot in a reload.
const (
	waits    = "waits"
	starting = "starting"
	trial    = "on trial"
	replaced = "replaced"
)

// step returns how far the reload under way is with a slot.
func step(s status.Status, workers []status.Worker) string {
	if s.Next == 0 {
		return ""
	}
	old, next, ready := false, false, false
	for _, w := range workers {
		old = old || w.Generation != s.Next && w.IsServing()
		next = next || w.Generation == s.Next
		ready = ready || w.Generation == s.Next && w.IsServing()
	}
	switch {
	case ready && !old:
		return replaced
	case ready:
		return trial
	case next:
		return starting
	}
	return waits
}

// shown returns what a worker does.
func shown(w status.Worker) string {
	switch {
	case !w.Draining.IsZero():
		return "draining"
	case !w.Ready.IsZero():
		return "serving"
	case w.State == status.Disconnected:
		return "ending"
	}
	return "starting"
}

// share returns which part of the requests have failed, for people.
func share(c status.Counters) string {
	if c.Errors <= 0 || c.Requests <= 0 {
		return ""
	}
	return fmt.Sprintf("%.3g %%", 100*float64(c.Errors)/float64(c.Requests))
}

// short returns a duration for people.
func short(d time.Duration) string {
	switch d = max(d, 0); { // what is due may not have been done yet
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd %dh", int(d.Hours())/24, int(d.Hours())%24)
}

func clock(t time.Time) string { return t.Local().Format("Jan 2 15:04:05") }
