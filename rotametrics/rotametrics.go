// Package rotametrics serves Prometheus metrics of a program that rota runs in several processes: any
// worker answers for all. Counters and histograms are the sum over all workers that there have
// been, over reloads, crashes and upgrades of the master; gauges are those of the workers that live.
//
//	var requests = rotametrics.NewCounterVec(prometheus.CounterOpts{
//		Name: "app_requests_total", Help: "Requests by status.",
//	}, []string{"code"})
//
//	http.Handle("/metrics", rotametrics.Handler())
//
// The types are those of client_golang. What is counted in metrics of this package's functions is in memory that all workers
// share (worker.Worker.SharedFile): an addition that has returned holds, though the process is killed
// by the next instruction. Metrics that other packages have registered with prometheus.DefaultRegisterer
// are in the answer too: they are copied each second, at each request for the metrics, and when a worker has drained; of
// these, what a worker that is killed has counted since the last copy is lost.
//
// In a process that is not a worker the metrics are that process's own, as client_golang's.
// docs/metrics.md lists the metrics of rota itself.
package rotametrics

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/status"
	"github.com/rota-go/rota/worker"
)

// Rule says how the gauges of several workers become one metric.
type Rule int

// The rules. All but BySlot are over all workers that live, those that drain included.
const (
	BySlot Rule = iota // one for each slot, with the label "slot": the newest worker's
	Sum                // the sum, without a label
	Max                // the largest
	Min                // the smallest
)

// Options are the options of New and ForMaster.
type Options struct {
	// Registry has the metrics that are copied, besides those of this package. Nil means
	// prometheus.DefaultGatherer. ForMaster doesn't use it.
	Registry prometheus.Gatherer
	// Every is how often Registry is copied. Zero means one second.
	Every time.Duration
	// Gauges are rules for gauges, by the name of the metric. Those that it doesn't list are BySlot.
	Gauges map[string]Rule
}

// Metrics are the metrics of all workers. It is a prometheus.Gatherer. Its methods may be called from any goroutine.
type Metrics struct {
	store  *store
	later  *later  // has the store, in a master; nil: store is there
	copies *copies // nil: there is no registry to copy
	rules  map[string]Rule
	status func(context.Context) (status.Status, error) // nil: no master
}

// New returns the metrics of all workers, and begins to copy those of a registry. Call it once for a registry: two
// would count everything twice.
func New(o Options) *Metrics {
	if o.Registry == nil {
		o.Registry = prometheus.DefaultGatherer
	}
	if o.Every <= 0 {
		o.Every = time.Second
	}
	m := &Metrics{store: theStore(), rules: o.Gauges}
	m.copies = &copies{from: o.Registry, to: m.store}
	if w := worker.Self(); w != nil {
		m.status = w.Status
		w.OnLeave(m.copies.take)
		m.store.observed.Do(func() { w.OnRequest(newRequests(m.store).ended) })
		go m.copies.run(o.Every, w.Done())
	}
	return m
}

// ForMaster returns the metrics of all workers of m, for a program that serves them in its master:
//
//	rota.OnMaster(func(m *master.Master) {
//		metrics, err := rotametrics.ForMaster(m, rotametrics.Options{})
//		…
//		go serve(m, metrics.Handler()) // on a listener of m.Listen, which the new master of an upgrade takes over
//	})
//
// It fails with master.ErrClosed, and if the shared memory can't be had. Where m is to go on with what another master has
// counted, the metrics are there when m has that: until then Gather fails, and the handler answers with status 500.
func ForMaster(m *master.Master, o Options) (*Metrics, error) {
	l := &later{open: func() (*store, error) { return storeOf(m) }}
	if _, err := l.get(); err != nil && !errors.Is(err, master.ErrNotRunning) {
		return nil, err
	}
	return &Metrics{later: l, rules: o.Gauges, status: func(ctx context.Context) (status.Status, error) {
		return m.Count(ctx), nil
	}}, nil
}

// Handler returns the handler of New(Options{}), which all calls share.
func Handler() http.Handler { return standard().Handler() }

var standard = sync.OnceValue(func() *Metrics { return New(Options{}) })

// Handler returns a handler that serves the metrics in the formats of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Gather returns the metrics: prometheus.Gatherer.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	var err error
	if m.copies != nil {
		err = m.copies.copy()
	}
	s := m.store
	if m.later != nil {
		if s, err = m.later.get(); err != nil {
			return nil, err
		}
	}
	f := newFamilies(s, m.rules)
	m.own(f)
	return f.all(), err
}
