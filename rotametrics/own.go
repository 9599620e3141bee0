package rotametrics

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/rota-go/rota/status"
)

// statusTimeout is how long an answer waits for the master.
const statusTimeout = 2 * time.Second

// own adds the metrics of rota itself.
func (m *Metrics) own(f *families) {
	f.set(gaugeKind, "rota_metrics_dropped_series", "Series that this worker counts alone, as the shared memory is full.", float64(f.store.dropped.Load()))
	if m.status == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	s, err := m.status(ctx)
	f.set(gaugeKind, "rota_master_up", "Whether the master has answered.", number(err == nil && s.PID > 0))
	if err == nil && s.PID > 0 {
		o := &own{f, f.store}
		o.master(s)
		o.workers(s)
		o.connections(s)
		o.inFlight(s)
		o.sockets(s)
		o.tallies(s)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// own adds what a Status says.
type own struct {
	f     *families
	store *store
}

// counter adds a count that never falls, whichever master is asked: while one follows the other, one may not
// know yet what the other does.
func (o *own) counter(name, help string, n int64, labels ...string) {
	c := o.store.open(series{Kind: counterKind, Name: name, Help: help, Labels: labels})
	o.f.set(counterKind, name, help, float64(c.raise(0, uint64(max(n, 0)))), labels...)
}

func (o *own) gauge(name, help string, v float64, labels ...string) {
	o.f.set(gaugeKind, name, help, v, labels...)
}

func (o *own) master(s status.Status) {
	o.gauge("rota_generation", "The generation that serves.", float64(s.Generation))
	o.gauge("rota_workers_wanted", "How many workers the master keeps.", float64(s.Want))
	o.gauge("rota_phase", "The phase of the master.", 1, "phase", s.Phase)
	o.gauge("rota_drained", "Whether balancers are told to send new clients elsewhere.", number(s.Drained))
	if r := s.Reload; r != nil {
		o.gauge("rota_last_reload_success", "Whether the last reload has succeeded.", number(!r.Failed()))
		o.gauge("rota_last_reload_timestamp_seconds", "When the last reload ended.", float64(r.Began.Add(r.Took).UnixNano())/1e9)
		o.gauge("rota_last_reload_duration_seconds", "How long the last reload took.", r.Took.Seconds())
	}
}

func (o *own) workers(s status.Status) {
	const name, help = "rota_workers", "Workers by state."
	by := map[status.State]int{}
	for _, w := range s.Workers {
		by[w.State]++
	}
	for state := status.Starting; state < status.Dead; state++ {
		o.gauge(name, help, float64(by[state]), "state", state.String())
	}
	for slot, workers := range s.Slots() {
		label := strconv.Itoa(slot)
		o.gauge("rota_worker_ready", "Whether a slot has a worker that serves.", number(slices.ContainsFunc(workers, status.Worker.IsServing)), "slot", label)
		if n := len(workers); n > 0 {
			o.gauge("rota_worker_age_seconds", "How long ago the newest worker of a slot was started.", workers[n-1].Age(s.Time).Seconds(), "slot", label)
		}
	}
}

func (o *own) connections(s status.Status) {
	const name, help = "rota_connections", "Open connections by slot, of workers that serve and of those that drain."
	open := map[[2]string]int64{}
	for _, w := range s.Workers {
		state := "serving"
		if w.State != status.Listening && w.State != status.Online && w.State != status.Starting {
			state = "draining"
		}
		slot := strconv.Itoa(w.Slot)
		open[[2]string{slot, "serving"}] += 0
		open[[2]string{slot, "draining"}] += 0
		open[[2]string{slot, state}] += w.Counters.Open
	}
	for k, n := range open {
		o.gauge(name, help, float64(n), "slot", k[0], "state", k[1])
	}
	t := s.Total
	o.requests(t)
	for event, n := range map[string]int64{
		"accepted": t.Accepted, "taken": t.Taken, "moved": t.Moved, "announced": t.Announced, "cut": t.Cut,
	} {
		o.counter("rota_connections_total", "Connections that workers have accepted, taken from another worker, moved to another, told to reconnect, and cut at the end of the grace.", n, "event", event)
	}
}

// requests are those that package rotahttp has served.
func (o *own) requests(t status.Counters) {
	const name, help = "rota_requests_total", "HTTP requests that package rotahttp has served, by whether the server has failed (5xx)."
	o.counter(name, help, t.Requests-t.Errors, "result", "answered")
	o.counter(name, help, t.Errors, "result", "error")
}

func (o *own) sockets(s status.Status) {
	for _, k := range s.Sockets {
		labels := []string{"address", k.Address, "network", k.Network}
		if k.Limit > 0 {
			o.gauge("rota_accept_queue", "Connections that wait in a socket's accept queue.", float64(k.Queue), labels...)
			o.gauge("rota_accept_queue_limit", "How many may wait.", float64(k.Limit), labels...)
		}
	}
}

func (o *own) tallies(s status.Status) {
	by := map[status.Tally]int64{
		{Kind: status.Reload, Why: "done"}: 0, {Kind: status.Reload, Why: "failed"}: 0,
		{Kind: status.Upgrade, Why: "done"}: 0, {Kind: status.Upgrade, Why: "failed"}: 0,
	}
	for slot := range s.Want {
		by[status.Tally{Kind: status.Crash, Slot: slot, Why: "crash"}] = 0
	}
	for _, t := range s.Tallies {
		n := t.Times
		t.Times = 0
		by[t] = n
	}
	for t, n := range by {
		switch t.Kind {
		case status.Reload:
			o.counter("rota_reloads_total", "Reloads by result.", n, "result", t.Why)
		case status.Upgrade:
			o.counter("rota_upgrades_total", "Upgrades of the master by result.", n, "result", t.Why)
		case status.Crash, status.Restart:
			o.counter("rota_worker_restarts_total", "Workers that were replaced outside of reloads, by slot and reason.", n, "reason", t.Why, "slot", strconv.Itoa(t.Slot))
		}
	}
}
