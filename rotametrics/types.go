package rotametrics

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// NewCounter is prometheus.NewCounter: of all workers. It need not be registered. Registered with any registry it has the
// sum of all workers there, too. It panics as NewCounterVec.
func NewCounter(opts prometheus.CounterOpts) prometheus.Counter {
	return NewCounterVec(opts, nil).WithLabelValues()
}

// NewCounterVec is prometheus.NewCounterVec: of all workers. A series is never deleted from the sum. It panics if the name or a
// label is invalid.
func NewCounterVec(opts prometheus.CounterOpts, labels []string) *prometheus.CounterVec {
	f := newFamily(counterKind, prometheus.BuildFQName(opts.Namespace, opts.Subsystem, opts.Name), opts.Help, opts.ConstLabels, labels)
	return &prometheus.CounterVec{MetricVec: prometheus.NewMetricVec(f.desc, func(values ...string) prometheus.Metric {
		return newCounter(f.series(values))
	})}
}

// NewGauge is prometheus.NewGauge: of this worker. See Options.Gauges.
func NewGauge(opts prometheus.GaugeOpts) prometheus.Gauge {
	return NewGaugeVec(opts, nil).WithLabelValues()
}

// NewGaugeVec is prometheus.NewGaugeVec: of this worker. It panics as NewCounterVec.
func NewGaugeVec(opts prometheus.GaugeOpts, labels []string) *prometheus.GaugeVec {
	f := newFamily(gaugeKind, prometheus.BuildFQName(opts.Namespace, opts.Subsystem, opts.Name), opts.Help, opts.ConstLabels, labels)
	return &prometheus.GaugeVec{MetricVec: prometheus.NewMetricVec(f.desc, func(values ...string) prometheus.Metric {
		return newGauge(f.series(values))
	})}
}

// NewHistogram is prometheus.NewHistogram: of all workers, with classic buckets.
func NewHistogram(opts prometheus.HistogramOpts) prometheus.Histogram {
	return NewHistogramVec(opts, nil).WithLabelValues().(prometheus.Histogram)
}

// NewHistogramVec is prometheus.NewHistogramVec: of all workers, with classic buckets, as of NewHistogram. What opts says of
// native histograms has no effect. It panics as NewCounterVec, and if there are more than 1000 buckets, or they are not in
// order.
func NewHistogramVec(opts prometheus.HistogramOpts, labels []string) *prometheus.HistogramVec {
	f := newFamily(histogramKind, prometheus.BuildFQName(opts.Namespace, opts.Subsystem, opts.Name), opts.Help, opts.ConstLabels, labels)
	f.bounds = checkBounds(opts.Buckets)
	return &prometheus.HistogramVec{MetricVec: prometheus.NewMetricVec(f.desc, func(values ...string) prometheus.Metric {
		return newHistogram(f.series(values))
	})}
}

func checkBounds(bounds []float64) []float64 {
	if len(bounds) == 0 {
		bounds = prometheus.DefBuckets
	}
	bounds = slices.Clone(bounds)
	if n := len(bounds); math.IsInf(bounds[n-1], 1) {
		bounds = bounds[:n-1]
	}
	for i, b := range bounds {
		if math.IsNaN(b) || math.IsInf(b, 0) || i > 0 && bounds[i-1] >= b || i >= 1000 {
			panic(fmt.Errorf("rotametrics: buckets %v: at most 1000 finite ones, each larger than the one before", bounds))
		}
	}
	return bounds
}

// family is what the series of a metric have in common.
type family struct {
	kind       kind
	name, help string
	desc       *prometheus.Desc
	names      []string // of variable labels
	fixed      prometheus.Labels
	bounds     []float64
}

func newFamily(k kind, name, help string, fixed prometheus.Labels, names []string) *family {
	f := &family{kind: k, name: name, help: help, names: names, fixed: maps.Clone(fixed), desc: prometheus.NewDesc(name, help, names, fixed)}
	if err := prometheus.NewRegistry().Register(described{f.desc}); err != nil {
		panic(fmt.Errorf("rotametrics: %w", err))
	}
	theStore().markShared(name)
	return f
}

// described is a collector of which a registry checks the description.
type described struct{ desc *prometheus.Desc }

func (d described) Describe(ch chan<- *prometheus.Desc) { ch <- d.desc }
func (d described) Collect(chan<- prometheus.Metric)    {}

// series returns the series with these values of the variable labels.
func (f *family) series(values []string) (*prometheus.Desc, series) {
	all := maps.Clone(f.fixed)
	if all == nil {
		all = prometheus.Labels{}
	}
	for i, name := range f.names {
		all[name] = values[i]
	}
	return f.desc, series{Kind: f.kind, Name: f.name, Help: f.help, Labels: flat(all), Bounds: f.bounds}
}

// flat returns names and values, by name.
func flat(labels map[string]string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, name, labels[name])
	}
	return all
}

// pairs returns labels as client_golang has them.
func pairs(labels []string) (all []*dto.LabelPair) {
	for i := 0; i+1 < len(labels); i += 2 {
		all = append(all, &dto.LabelPair{Name: &labels[i], Value: &labels[i+1]})
	}
	return all
}

// metric is what all types have in common.
type metric struct {
	desc *prometheus.Desc
	d    series
	c    cells
}

func newMetric(desc *prometheus.Desc, d series) metric {
	return metric{desc, d, theStore().open(d)}
}

func (m *metric) Desc() *prometheus.Desc { return m.desc }

func (m *metric) Write(to *dto.Metric) error {
	to.Label = pairs(m.d.Labels)
	total := newValue(m.d)
	total.add(m.d, m.c)
	total.write(to)
	return nil
}

func (m *metric) Describe(ch chan<- *prometheus.Desc) { ch <- m.desc }

type counter struct{ metric }

func newCounter(desc *prometheus.Desc, d series) *counter { return &counter{newMetric(desc, d)} }

func (c *counter) Collect(ch chan<- prometheus.Metric) { ch <- c }

func (c *counter) Inc() { c.c[0].Add(1) }

func (c *counter) Add(v float64) {
	if !(v >= 0) {
		panic(fmt.Errorf("rotametrics: counter %s can't decrease: Add(%v)", c.d.Name, v))
	}
	addNumber(c.c, v)
}

// addNumber adds v to a counter. Integers have a cell of their own: additions to it are exact up to 2^64.
func addNumber(c cells, v float64) {
	if n := uint64(v); v < 1<<63 && float64(n) == v {
		c[0].Add(n)
		return
	}
	c.addFloat(1, v)
}

type gauge struct{ metric }

func newGauge(desc *prometheus.Desc, d series) *gauge { return &gauge{newMetric(desc, d)} }

func (g *gauge) Collect(ch chan<- prometheus.Metric) { ch <- g }
func (g *gauge) Set(v float64)                       { g.c.setFloat(0, v) }
func (g *gauge) Inc()                                { g.Add(1) }
func (g *gauge) Dec()                                { g.Add(-1) }
func (g *gauge) Add(v float64)                       { g.c.addFloat(0, v) }
func (g *gauge) Sub(v float64)                       { g.Add(-v) }
func (g *gauge) SetToCurrentTime()                   { g.Set(float64(time.Now().UnixNano()) / 1e9) }

type histogram struct{ metric }

func newHistogram(desc *prometheus.Desc, d series) *histogram { return &histogram{newMetric(desc, d)} }

func (h *histogram) Collect(ch chan<- prometheus.Metric) { ch <- h }

func (h *histogram) Observe(v float64) {
	h.c.addFloat(0, v)
	h.c[1+sort.SearchFloat64s(h.d.Bounds, v)].Add(1)
}
