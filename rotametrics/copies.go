package rotametrics

import (
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// copies adds to the store what the metrics of a registry have grown by.
type copies struct {
	from prometheus.Gatherer
	to   *store

	mu   sync.Mutex
	last map[string]*copied // by the series' id
}

// copied is a series of the registry.
type copied struct {
	cells cells
	last  []float64 // what has been added to each cell so far
}

// run copies now and then, until done is closed.
func (c *copies) run(every time.Duration, done <-chan struct{}) {
	c.take()
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			c.take()
		case <-done:
			return
		}
	}
}

// take is copy where nobody can be told of an error, which concerns single metrics.
func (c *copies) take() { _ = c.copy() }

// copy copies what there is. An error of some metrics doesn't keep the others from it.
func (c *copies) copy() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[string]*copied{}
	}
	families, err := c.from.Gather()
	for _, f := range families {
		if c.to.isShared(f.GetName()) {
			continue // it is there already
		}
		for _, m := range f.GetMetric() {
			c.one(f, m)
		}
	}
	return err
}

func (c *copies) one(f *dto.MetricFamily, m *dto.Metric) {
	d, values := read(f, m)
	if d.Kind == 0 {
		return
	}
	id := d.id()
	have := c.last[id]
	if have == nil {
		have = &copied{cells: c.to.open(d), last: make([]float64, len(values))}
		c.last[id] = have
	}
	have.grow(d.Kind, values)
}

// grow adds what values have more than the last time. A number that has fallen has begun again at 0.
func (c *copied) grow(k kind, values []float64) {
	if k == gaugeKind || k == untypedKind {
		c.cells.setFloat(0, values[0])
		return
	}
	for i, v := range values {
		delta := v - c.last[i]
		if delta < 0 && !isSum(k, i) {
			delta = v
		}
		c.last[i] = v
		switch {
		case delta == 0:
		case k == counterKind:
			addNumber(c.cells, delta)
		case isSum(k, i):
			c.cells.addFloat(i, delta)
		default:
			c.cells[i].Add(uint64(delta))
		}
	}
}

// isSum reports whether cell i is a sum of observations, which may fall.
func isSum(k kind, i int) bool { return k == histogramKind && i == 0 || k == summaryKind && i == 1 }

// read returns a metric as a series, and what its cells would be; a counter has one value here. The kind is 0 if it is none that can be
// added up.
func read(f *dto.MetricFamily, m *dto.Metric) (d series, values []float64) {
	d = series{Name: f.GetName(), Help: f.GetHelp()}
	for _, p := range m.GetLabel() {
		d.Labels = append(d.Labels, p.GetName(), p.GetValue())
	}
	switch f.GetType() {
	case dto.MetricType_COUNTER:
		d.Kind, values = counterKind, []float64{m.GetCounter().GetValue()}
	case dto.MetricType_GAUGE:
		d.Kind, values = gaugeKind, []float64{m.GetGauge().GetValue()}
	case dto.MetricType_UNTYPED:
		d.Kind, values = untypedKind, []float64{m.GetUntyped().GetValue()}
	case dto.MetricType_SUMMARY:
		d.Kind, values = summaryKind, []float64{float64(m.GetSummary().GetSampleCount()), m.GetSummary().GetSampleSum()}
	case dto.MetricType_HISTOGRAM:
		d.Kind = histogramKind
		d.Bounds, values = buckets(m.GetHistogram())
	}
	return d, values
}

// buckets returns the finite bounds of a histogram, and its cells.
func buckets(h *dto.Histogram) (bounds, values []float64) {
	values = []float64{h.GetSampleSum()}
	before := uint64(0)
	for _, b := range h.GetBucket() {
		if upper := b.GetUpperBound(); upper <= math.MaxFloat64 {
			bounds = append(bounds, upper)
			values = append(values, float64(b.GetCumulativeCount()-before))
			before = b.GetCumulativeCount()
		}
	}
	return bounds, append(values, float64(h.GetSampleCount()-before))
}
