package rotametrics

import (
	"math"
	"slices"
	"sort"

	dto "github.com/prometheus/client_model/go"
)

// value is the number of a series, or the sum of several.
type value struct {
	kind    kind
	number  float64
	sum     float64 // of a histogram or summary
	bounds  []float64
	buckets []uint64 // of a histogram: the observations of each; the last is +Inf
	count   uint64   // of a summary
}

func newValue(d series) *value {
	return &value{kind: d.Kind, bounds: d.Bounds, buckets: make([]uint64, len(d.Bounds)+1)}
}

// add adds the cells of a series of the same kind.
func (v *value) add(d series, c cells) {
	switch v.kind {
	case counterKind:
		v.number += float64(c[0].Load()) + c.float(1)
	case gaugeKind, untypedKind:
		v.number += c.float(0)
	case summaryKind:
		v.count += c[0].Load()
		v.sum += c.float(1)
	case histogramKind:
		v.sum += c.float(0)
		for i := range d.Bounds {
			v.buckets[v.bucket(d.Bounds[i])] += c[1+i].Load()
		}
		v.buckets[len(v.buckets)-1] += c[1+len(d.Bounds)].Load()
	}
}

// bucket returns the bucket for observations up to bound. With the bounds of another release it may be a larger
// one: what is said of each bound stays true, and never falls.
func (v *value) bucket(bound float64) int { return sort.SearchFloat64s(v.bounds, bound) }

// write stores the value in a metric.
func (v *value) write(to *dto.Metric) {
	switch v.kind {
	case counterKind:
		to.Counter = &dto.Counter{Value: &v.number}
	case gaugeKind:
		to.Gauge = &dto.Gauge{Value: &v.number}
	case untypedKind:
		to.Untyped = &dto.Untyped{Value: &v.number}
	case summaryKind:
		to.Summary = &dto.Summary{SampleCount: &v.count, SampleSum: &v.sum}
	case histogramKind:
		to.Histogram = v.histogram()
	}
}

func (v *value) histogram() *dto.Histogram {
	h, count := &dto.Histogram{SampleSum: &v.sum}, uint64(0)
	for i, n := range v.buckets {
		count += n
		upper, cumulative := math.Inf(1), count
		if i < len(v.bounds) {
			upper = v.bounds[i]
		}
		h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: &upper, CumulativeCount: &cumulative})
	}
	h.SampleCount = &count
	return h
}

// types are the kinds as client_golang has them.
var types = map[kind]dto.MetricType{
	counterKind: dto.MetricType_COUNTER, gaugeKind: dto.MetricType_GAUGE, untypedKind: dto.MetricType_UNTYPED,
	summaryKind: dto.MetricType_SUMMARY, histogramKind: dto.MetricType_HISTOGRAM,
}

// combined returns the value of a gauge of several workers.
func combined(rule Rule, all []float64) (v float64) {
	switch rule {
	case Max:
		return slices.Max(all)
	case Min:
		return slices.Min(all)
	}
	for _, x := range all {
		v += x
	}
	return v
}
