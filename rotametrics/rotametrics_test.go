package rotametrics

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/rota-go/rota/status"
)

// newMemory returns the memory of a test, as large as n blocks.
func newMemory(n int) memory { return memory{data: make([]byte, n*blockSize)} }

// text returns metrics as Prometheus reads them.
func text(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// of returns the lines of text that are about a metric.
func of(name, text string) (lines string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, name) {
			lines += line
		}
	}
	return lines
}

type vecs struct {
	counters   *prometheus.CounterVec
	gauges     *prometheus.GaugeVec
	histograms *prometheus.HistogramVec
}

func (v vecs) use(t *testing.T) {
	v.counters.WithLabelValues("a", "\xe4\xb8\x96 \"\\\n").Add(1.25)
	v.counters.With(prometheus.Labels{"x": "a", "y": "b"}).Inc()
	v.counters.MustCurryWith(prometheus.Labels{"x": "a"}).WithLabelValues("b").Add(1e15)
	v.gauges.WithLabelValues("a").Set(-7)
	v.gauges.WithLabelValues("a").Add(0.5)
	v.gauges.WithLabelValues("a").Inc()
	v.gauges.WithLabelValues("b").Dec()
	v.gauges.WithLabelValues("b").Sub(3)
	v.gauges.WithLabelValues("inf").Set(math.Inf(1))
	for _, x := range []float64{-1, 0, 1, 1.5, 10, 10.1, math.Inf(1), 3} {
		v.histograms.WithLabelValues("a").Observe(x)
	}
	if _, err := v.counters.GetMetricWithLabelValues("a"); err == nil {
		t.Error("one label of two is enough")
	}
}

// What the types of this package write is what client_golang's write that were used in the same way.
func TestTypesAreAsClientGolangs(t *testing.T) {
	ours, theirs := prometheus.NewRegistry(), prometheus.NewRegistry()
	fixed := prometheus.Labels{"z": "fixed"}
	co := prometheus.CounterOpts{Namespace: "same", Name: "c_total", Help: "C \\ with\nlines.", ConstLabels: fixed}
	g := prometheus.GaugeOpts{Subsystem: "same", Name: "g", Help: "G."}
	h := prometheus.HistogramOpts{Name: "same_h", Help: "H.", Buckets: []float64{0, 1, 10, math.Inf(1)}}
	mine := vecs{NewCounterVec(co, []string{"x", "y"}), NewGaugeVec(g, []string{"x"}), NewHistogramVec(h, []string{"x"})}
	other := vecs{prometheus.NewCounterVec(co, []string{"x", "y"}), prometheus.NewGaugeVec(g, []string{"x"}), prometheus.NewHistogramVec(h, []string{"x"})}
	for r, v := range map[*prometheus.Registry]vecs{ours: mine, theirs: other} {
		v.use(t)
		r.MustRegister(v.counters, v.gauges, v.histograms)
	}
	if got, want := text(t, ours), text(t, theirs); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	all := of("same", text(t, New(Options{Registry: prometheus.NewRegistry()})))
	for line := range strings.Lines(text(t, theirs)) {
		line = strings.Replace(line, `same_g{x="`, `same_g{slot="0",x="`, 1)
		if strings.Contains(line, "same") && !strings.Contains(all, line) {
			t.Errorf("%s is not in\n%s", line, all)
		}
	}
}

func TestSingleMetrics(t *testing.T) {
	c, g, h := NewCounter(prometheus.CounterOpts{Name: "single_total"}), NewGauge(prometheus.GaugeOpts{Name: "single"}), NewHistogram(prometheus.HistogramOpts{Name: "single_seconds"})
	NewCounter(prometheus.CounterOpts{Name: "single_total"}).Inc() // is the same
	c.Inc()
	g.SetToCurrentTime()
	h.Observe(1)
	if n := testutil.ToFloat64(c); n != 2 {
		t.Errorf("%v, want 2", n)
	}
	if d := float64(time.Now().Unix()) - testutil.ToFloat64(g); d < -1 || d > 60 {
		t.Errorf("the time is %v s ago", d)
	}
	if n := testutil.CollectAndCount(h); n != 1 {
		t.Errorf("%d histograms", n)
	}
}

func TestWrongUse(t *testing.T) {
	for name, f := range map[string]func(){
		"no name":               func() { NewCounter(prometheus.CounterOpts{}) },
		"a reserved label":      func() { NewCounterVec(prometheus.CounterOpts{Name: "a"}, []string{"__x"}) },
		"a label twice":         func() { NewGaugeVec(prometheus.GaugeOpts{Name: "a"}, []string{"x", "x"}) },
		"buckets without order": func() { NewHistogram(prometheus.HistogramOpts{Name: "a", Buckets: []float64{1, 1}}) },
		"too many buckets": func() {
			NewHistogram(prometheus.HistogramOpts{Name: "a", Buckets: prometheus.LinearBuckets(0, 1, 1001)})
		},
		"a bucket NaN": func() { NewHistogram(prometheus.HistogramOpts{Name: "a", Buckets: []float64{math.NaN()}}) },
		"less":         func() { NewCounter(prometheus.CounterOpts{Name: "wrong_total"}).Add(-1) },
		"NaN":          func() { NewCounter(prometheus.CounterOpts{Name: "wrong_total"}).Add(math.NaN()) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// process is a worker of a test: all share one memory.
func process(m memory, slot, worker int, blocks ...int) *store {
	s := newStore(m)
	s.slot, s.worker = slot, worker
	for _, b := range blocks {
		s.begin(b, sums)
		s.mine[b], s.last[sums] = true, b
	}
	return s
}

// Series that two processes have added at once are one metric; so are those of releases with other
// buckets, whose numbers stay true of each bound.
func TestSeriesAreAddedUp(t *testing.T) {
	m := newMemory(8)
	a, b := process(m, 0, 1, 0), process(m, 1, 2, 1)
	c := series{Kind: counterKind, Name: "n_total", Help: "of a", Labels: []string{"x", "1"}}
	a.open(c)[0].Add(5)
	b.mu.Lock()
	b.append(sums, c)[0].Add(7) // it hasn't seen a's
	b.mu.Unlock()
	if n := len(b.open(c)); n != 2 {
		t.Errorf("%d cells", n)
	}
	old := a.open(series{Kind: histogramKind, Name: "h", Bounds: []float64{1, 5, 10}})
	for i, n := range []uint64{0, 100, 10, 1, 4} { // the sum, and each bucket
		old[i].Add(n)
	}
	now := b.open(series{Kind: histogramKind, Name: "h", Bounds: []float64{2, 10}})
	for i, n := range []uint64{0, 1000, 2000, 8000} {
		now[i].Add(n)
	}
	got := text(t, &Metrics{store: b})
	for _, want := range []string{"# HELP n_total of a\n", `n_total{x="1"} 12` + "\n", `h_bucket{le="2"} 1100` + "\n", `h_bucket{le="10"} 3111` + "\n", `h_bucket{le="+Inf"} 11115` + "\n", "h_count 11115\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if again := text(t, &Metrics{store: a}); !strings.Contains(again, `h_bucket{le="5"} 1110`+"\n") || !strings.Contains(again, "h_count 11115\n") {
		t.Errorf("by the old release:\n%s", again)
	}
}

// A metric that is of another type in another release is left out, not mixed.
func TestTypeChanges(t *testing.T) {
	m := newMemory(4)
	a, b := process(m, 0, 1, 0), process(m, 0, 2, 1)
	a.open(series{Kind: counterKind, Name: "x"})[0].Add(3)
	b.open(series{Kind: summaryKind, Name: "x"})[0].Add(4)
	if got := text(t, &Metrics{store: a}); !strings.Contains(got, "x 3\n") {
		t.Error(got)
	}
	if got := text(t, &Metrics{store: b}); !strings.Contains(got, "x_count 4\n") || strings.Contains(got, "x 3") {
		t.Error(got)
	}
}

// Gauges are the newest worker's of each slot, or what their rule says.
func TestGauges(t *testing.T) {
	s := newStore(newMemory(2))
	f := newFamilies(s, map[string]Rule{"sum": Sum, "max": Max, "min": Min})
	for _, name := range []string{"by", "sum", "max", "min"} {
		d := series{Kind: gaugeKind, Name: name, Labels: []string{"slot", "mine"}}
		for _, w := range []struct {
			slot, id int
			v        float64
		}{{0, 9, 1}, {0, 3, 20}, {1, 5, 300}} {
			c := make(cells, 1)
			c.setFloat(0, w.v)
			f.add(d, entry{series: d, cells: c, slot: w.slot, worker: w.id})
		}
	}
	got := text(t, gatherer(f.all))
	for _, want := range []string{
		`by{exported_slot="mine",slot="0"} 1`, `by{exported_slot="mine",slot="1"} 300`,
		`sum{slot="mine"} 321`, `max{slot="mine"} 300`, `min{slot="mine"} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
}

type gatherer func() []*dto.MetricFamily

func (g gatherer) Gather() ([]*dto.MetricFamily, error) { return g(), nil }

// What a registry has grown by is added, of all types, whatever else has been counted; a metric that begins again at 0
// falls nowhere.
func TestCopies(t *testing.T) {
	r := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "copy_total", Help: "C."})
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "copy_h", Buckets: []float64{1, 2}})
	summary := prometheus.NewSummary(prometheus.SummaryOpts{Name: "copy_s"})
	untyped := prometheus.NewUntypedFunc(prometheus.UntypedOpts{Name: "copy_u"}, func() float64 { return 17 })
	r.MustRegister(counter, histogram, summary, untyped)
	m := newMemory(8)
	one, two := process(m, 0, 1, 0), process(m, 1, 2, 1)
	two.open(series{Kind: counterKind, Name: "copy_total"})[0].Add(100)
	metrics := &Metrics{store: one, copies: &copies{from: r, to: one}}
	for range 3 {
		counter.Add(1.5)
		histogram.Observe(-1)
		histogram.Observe(2)
		histogram.Observe(7)
		summary.Observe(4)
		text(t, metrics)
	}
	check := func(wants ...string) {
		t.Helper()
		got := text(t, metrics)
		for _, want := range wants {
			if !strings.Contains(got, want+"\n") {
				t.Errorf("%s is not in\n%s", want, got)
			}
		}
	}
	check("copy_total 104.5", `copy_h_bucket{le="1"} 3`, `copy_h_bucket{le="2"} 6`, "copy_h_sum 24", "copy_h_count 9", "copy_s_sum 12", "copy_s_count 3", `copy_u{slot="0"} 17`)
	r.Unregister(counter)
	counter = prometheus.NewCounter(prometheus.CounterOpts{Name: "copy_total", Help: "C."})
	r.MustRegister(counter)
	counter.Inc()
	check("copy_total 105.5")
}

// An error of one collector doesn't keep the other metrics from being served.
func TestBrokenCollector(t *testing.T) {
	r := prometheus.NewRegistry()
	good := prometheus.NewCounter(prometheus.CounterOpts{Name: "good_total"})
	r.MustRegister(good, broken{})
	good.Inc()
	rec := httptest.NewRecorder()
	s := newStore(newMemory(4))
	m := &Metrics{store: s, copies: &copies{from: r, to: s}}
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "good_total 1\n") {
		t.Errorf("%d\n%s", rec.Code, rec.Body)
	}
}

type broken struct{}

func (broken) Describe(chan<- *prometheus.Desc) {}
func (broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(prometheus.NewDesc("broken", "", nil, nil), errors.New("no"))
}

// A series that finds no place counts all the same, in its process, and a metric says so.
func TestFull(t *testing.T) {
	s := newStore(newMemory(2))
	labels := strings.Repeat("x", 4<<10)
	var last cells
	for i := range 20 {
		last = s.open(series{Kind: counterKind, Name: "full_total", Labels: []string{"l", labels + string(rune('a'+i))}})
		last[0].Add(1)
	}
	if n := s.dropped.Load(); n < 10 || n == 20 {
		t.Errorf("%d series of 20 are dropped", n)
	}
	again := s.open(series{Kind: counterKind, Name: "full_total", Labels: []string{"l", labels + "t"}})
	if again[0].Add(1) != 2 || &again[0] != &last[0] {
		t.Error("a series without a place doesn't count")
	}
	s.open(series{Kind: counterKind, Name: strings.Repeat("n", 2*blockSize)})[0].Add(1)
	if got := text(t, &Metrics{store: s}); !strings.Contains(got, "rota_metrics_dropped_series ") || strings.Contains(got, "rota_metrics_dropped_series 0\n") {
		t.Error(of("dropped", got))
	}
}

// The metrics of rota itself: what a Status says, and counters that never fall.
func TestOwn(t *testing.T) {
	now := time.Unix(1000, 0)
	s := status.Status{
		PID: 1, Time: now, Phase: "serving", Generation: 3, Want: 2,
		Workers: []status.Worker{
			{ID: 1, Slot: 0, State: status.Draining, Started: now.Add(-time.Hour), Draining: now, Counters: status.Counters{Open: 5}},
			{ID: 2, Slot: 0, State: status.Listening, Started: now.Add(-time.Minute), Ready: now, Counters: status.Counters{Open: 7}},
		},
		Total:   status.Counters{Accepted: 100, Cut: 2, Requests: 50, Errors: 3},
		Sockets: []status.Socket{{Network: "tcp", Address: "[::]:80", Queue: 4, Limit: 4096}, {Network: "unix", Address: "/a"}},
		Reload:  &status.Change{Began: now, Took: time.Second, Err: "no"},
		Tallies: []status.Tally{{Kind: status.Reload, Why: "done", Times: 2}, {Kind: status.Restart, Slot: 1, Why: "memory", Times: 3}, {Kind: status.Restart, Slot: 1, Why: "age", Times: 5}, {Kind: status.Crash, Why: "crash", Times: 4}},
	}
	m := ownOf(s)
	got := text(t, m)
	for _, want := range []string{
		"rota_master_up 1", "rota_generation 3", "rota_workers_wanted 2", `rota_phase{phase="serving"} 1`, "rota_drained 0", `rota_worker_restarts_total{reason="age",slot="1"} 5`,
		`rota_workers{state="listening"} 1`, `rota_workers{state="draining"} 1`, `rota_workers{state="starting"} 0`,
		`rota_connections{slot="0",state="draining"} 5`, `rota_connections{slot="0",state="serving"} 7`,
		`rota_connections_total{event="accepted"} 100`, `rota_connections_total{event="cut"} 2`,
		`rota_requests_total{result="answered"} 47`, `rota_requests_total{result="error"} 3`,
		`rota_accept_queue{address="[::]:80",network="tcp"} 4`, `rota_accept_queue_limit{address="[::]:80",network="tcp"} 4096`,
		`rota_reloads_total{result="done"} 2`, `rota_reloads_total{result="failed"} 0`, `rota_upgrades_total{result="done"} 0`,
		`rota_worker_restarts_total{reason="memory",slot="1"} 3`, `rota_worker_restarts_total{reason="crash",slot="0"} 4`,
		`rota_worker_restarts_total{reason="crash",slot="1"} 0`,
		"rota_last_reload_success 0", "rota_last_reload_duration_seconds 1", "rota_last_reload_timestamp_seconds 1001",
		`rota_worker_age_seconds{slot="0"} 60`, `rota_worker_ready{slot="0"} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s is not in\n%s", want, of("rota_", got))
		}
	}
	s.Tallies = nil // of a master that doesn't know of them yet
	m.status = func(context.Context) (status.Status, error) { return s, nil }
	if got := text(t, m); !strings.Contains(got, `rota_reloads_total{result="done"} 2`+"\n") || !strings.Contains(got, `reason="memory",slot="1"} 3`) {
		t.Errorf("counters have fallen:\n%s", got)
	}
	m.status = func(context.Context) (status.Status, error) { return status.Status{}, errors.New("gone") }
	if got := text(t, m); !strings.Contains(got, "rota_master_up 0\n") || !strings.Contains(got, `rota_reloads_total{result="done"} 2`+"\n") || strings.Contains(got, "rota_generation") {
		t.Errorf("without a master:\n%s", got)
	}
}

// ownOf returns metrics of a master that knows s.
func ownOf(s status.Status) *Metrics {
	return &Metrics{store: newStore(newMemory(8)), status: func(context.Context) (status.Status, error) { return s, nil }}
}

// Whatever is in the memory, reading it ends, and breaks nothing.
func FuzzMemory(f *testing.F) {
	m := newMemory(2)
	s := process(m, 0, 1, 0)
	s.open(series{Kind: counterKind, Name: "a_total", Labels: []string{"x", "y"}})
	s.open(series{Kind: histogramKind, Name: "h", Bounds: []float64{1}})
	s.open(series{Kind: gaugeKind, Name: "g"})
	f.Add(m.data[:1024], m.data[blockSize:blockSize+256])
	long := bytes.Clone(m.data[:1024])
	binary.NativeEndian.PutUint32(long[4:], math.MaxUint32)
	f.Add(long, []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		m := newMemory(2)
		copy(m.data[:blockSize], first)
		copy(m.data[blockSize:], second)
		s := newStore(m)
		s.mine[0], s.mine[1] = true, true
		_, _ = (&Metrics{store: s}).Gather()
		s.open(series{Kind: counterKind, Name: "a_total", Labels: []string{"x", "y"}})[0].Add(1)
		rec := httptest.NewRecorder()
		(&Metrics{store: s}).Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	})
}

// An entry that says it is larger than what is left, or than its block, is none.
func TestEntriesOutOfBounds(t *testing.T) {
	for _, size := range []int{4096, blockSize, 1 << 30, math.MaxUint32 &^ 7} {
		m := newMemory(1)
		s := process(m, 0, 1, 0)
		s.open(series{Kind: counterKind, Name: "a_total"})[0].Add(1)
		used := int(s.used(0).Load())
		skip := blockSize - headSize - used - 64
		put := func(at, size int) {
			head := m.data[headSize+at:]
			binary.NativeEndian.PutUint32(head, uint32(size))
			binary.NativeEndian.PutUint32(head[8:], uint32(size-entryHead)) // all of it is the key
		}
		put(used, skip)
		put(used+skip, size)
		s.used(0).Store(math.MaxUint32)
		if got := text(t, &Metrics{store: newStore(m)}); !strings.Contains(got, "a_total 1\n") {
			t.Errorf("with %d bytes:\n%s", size, got)
		}
	}
}

// Names and help texts are as Prometheus wants them.
func TestLint(t *testing.T) {
	all := text(t, ownOf(status.Status{PID: 1, Want: 1, Reload: &status.Change{}, Workers: []status.Worker{{}},
		Sockets: []status.Socket{{Limit: 1}}, Tallies: []status.Tally{{Kind: status.Crash, Why: "crash", Times: 1}}}))
	problems, err := promlint.New(strings.NewReader(all)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
