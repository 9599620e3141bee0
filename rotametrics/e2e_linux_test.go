//go:build linux

package rotametrics

import (
	"bufio"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

// quick is a configuration for short tests.
func quick(workers int) master.Config {
	return master.Config{
		Workers: workers, Grace: 10 * time.Second, IdleGrace: time.Second, MinUptime: 50 * time.Millisecond,
		KillAfter: time.Second, MinBackoff: 10 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
	}
}

// scrape returns all samples of a page of metrics, by name and labels, as Prometheus has them.
func scrape(url string) (samples map[string]float64, families map[string]*dto.MetricFamily, err error) {
	c := http.Client{Timeout: e2etest.Stuck, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err = p.TextToMetricFamilies(bufio.NewReader(resp.Body))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s: %w", resp.Status, err)
	}
	samples = map[string]float64{}
	for name, f := range families {
		for _, m := range f.Metric {
			add(samples, name, m)
		}
	}
	return samples, families, nil
}

func add(samples map[string]float64, name string, m *dto.Metric) {
	var labels []string
	for _, p := range m.Label {
		labels = append(labels, p.GetName()+"="+p.GetValue())
	}
	key := name + "{" + strings.Join(labels, ",") + "}"
	switch {
	case m.Counter != nil:
		samples[key] = m.Counter.GetValue()
	case m.Gauge != nil:
		samples[key] = m.Gauge.GetValue()
	case m.Summary != nil:
		samples[key+" count"] = float64(m.Summary.GetSampleCount())
	case m.Histogram != nil:
		samples[key+" count"] = float64(m.Histogram.GetSampleCount())
		samples[key+" sum"] = m.Histogram.GetSampleSum()
		for _, b := range m.Histogram.Bucket {
			samples[fmt.Sprintf("%s le=%v", key, b.GetUpperBound())] = float64(b.GetCumulativeCount())
		}
	}
}

// watcher scrapes again and again, through whichever worker answers, and remembers what it has seen of
// counters: none may fall.
type watcher struct {
	url     string
	stop    chan struct{}
	done    chan struct{}
	fell    []string
	scrapes atomic.Int64
	failed  int
}

func watch(url string) *watcher {
	w := &watcher{url: url, stop: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *watcher) run() {
	defer close(w.done)
	seen := map[string]float64{}
	for {
		select {
		case <-w.stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		samples, families, err := scrape(w.url)
		if err != nil {
			w.failed++ // it may have met a worker that was killed
			continue
		}
		w.scrapes.Add(1)
		for key, was := range seen {
			if now, ok := samples[key]; !ok || now < was {
				w.fell = append(w.fell, fmt.Sprintf("%s: %v, then %v", key, was, now))
			}
		}
		for key, v := range samples {
			if f := families[key[:strings.IndexByte(key, '{')]]; f.GetType() != dto.MetricType_GAUGE {
				seen[key] = max(seen[key], v)
			}
		}
	}
}

func (w *watcher) end(t *testing.T) {
	close(w.stop)
	e2etest.Await(t, "the end of the scrapes", w.done)
	if len(w.fell) > 0 {
		t.Errorf("in %d scrapes %d numbers fell, or were gone: %.2000s", w.scrapes.Load(), len(w.fell), strings.Join(w.fell, "\n"))
	}
	if n := w.scrapes.Load(); n < 10 {
		t.Errorf("%d scrapes, and %d that failed", n, w.failed)
	}
}

// clients make requests, and count the answers.
type clients struct {
	base     string
	gate     sync.RWMutex // held by each while it makes a request
	stop     chan struct{}
	wg       sync.WaitGroup
	idle     []func() // close the connections of each that are idle
	answered atomic.Int64
	failed   atomic.Int64
	classes  [len(codes)]atomic.Int64 // of the answered, by codes
}

func startClients(base string, n int) *clients {
	c := &clients{base: base, stop: make(chan struct{})}
	for i := range n {
		c.wg.Add(1)
		client := &http.Client{Timeout: e2etest.Stuck, Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
		c.idle = append(c.idle, client.CloseIdleConnections)
		go c.run(client)
	}
	return c
}

func (c *clients) run(client *http.Client) {
	defer c.wg.Done()
	for {
		select {
		case <-c.stop:
			return
		default:
		}
		c.gate.RLock()
		c.one(client)
		c.gate.RUnlock()
	}
}

// one makes a request of a method that net/http never makes twice.
func (c *clients) one(client *http.Client) {
	class := rand.IntN(len(codes))
	resp, err := client.Post(c.base+"/a?code="+strconv.Itoa(codes[class]), "text/plain", http.NoBody)
	if err != nil {
		c.failed.Add(1)
		return
	}
	defer resp.Body.Close()
	if _, err := fmt.Fscan(resp.Body, new(string)); err != nil {
		c.failed.Add(1)
		return
	}
	c.answered.Add(1)
	c.classes[class].Add(1)
}

// codes are the statuses that clients ask for, one of each class.
var codes = [...]int{200, 300, 404, 500}

func (c *clients) end() {
	close(c.stop)
	c.wg.Wait()
}

// die makes a request that is counted and never answered: its worker kills itself. With still, no other
// request is under way, so that it is known what was counted, and no client sends one on a connection that ends.
func (c *clients) die(still bool) {
	if still {
		c.gate.Lock()
		defer c.gate.Unlock()
		for _, closeIdle := range c.idle {
			closeIdle()
		}
	}
	client := http.Client{Timeout: e2etest.Stuck, Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := client.Post(c.base+"/die", "text/plain", http.NoBody); err == nil {
		resp.Body.Close()
	}
}

const (
	requestsOf = `app_requests_total{path=%s}`
	sizesOf    = `app_size{} count`
)

// What the workers have counted is exactly what the client has counted, over reloads, kills and
// upgrades under load, whichever worker is asked; and no counter ever falls.
func TestSumsAreExact(t *testing.T) {
	const kills, upgrades = 5, 2
	reloads := 20
	if testing.Short() {
		reloads = 6
	}
	p := e2etest.Start(t, "count", quick(4))
	base := "http://" + p.Addr()
	w, c := watch(base+"/metrics"), startClients(base, 8)
	for i := range reloads {
		p.Signal(syscall.SIGHUP)
		p.WaitLog(e2etest.ReloadDone, i+1)
		if i%(reloads/kills) == 0 && i/(reloads/kills) < kills {
			c.die(true)
			p.WaitLog(e2etest.WorkerDied, i/(reloads/kills)+1)
		}
		if i == reloads/3 || i == 2*reloads/3 {
			p.Upgrade()
		}
	}
	c.end()
	w.end(t)
	got, _, err := scrape(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	died := float64(min(kills, strings.Count(p.Log.String(), string(e2etest.WorkerDied))))
	answered := float64(c.answered.Load())
	want := map[string]float64{
		fmt.Sprintf(requestsOf, "/a"): answered, fmt.Sprintf(requestsOf, "/die"): died, sizesOf: answered + died,
		"app_size{} sum": 5 * (answered + died), "app_size{} le=1": 0, "app_size{} le=10": answered + died, "app_size{} le=+Inf": answered + died,
		"rota_reloads_total{result=done}": float64(reloads), "rota_upgrades_total{result=done}": upgrades, "rota_upgrades_total{result=failed}": 0,
	}
	for key, n := range want {
		if got[key] != n {
			t.Errorf("%s: %v, want %v", key, got[key], n)
		}
	}
	mustHaveClasses(t, got, c, w)
	if died != kills || c.failed.Load() > 0 || answered < 100 {
		t.Errorf("%v workers killed, %v requests answered, %d failed", died, answered, c.failed.Load())
	}
	crashes := 0.0
	for key, n := range got {
		if strings.HasPrefix(key, "rota_worker_restarts_total{reason=crash") {
			crashes += n
		}
	}
	if crashes != kills {
		t.Errorf("%v crashes counted, want %d", crashes, kills)
	}
	t.Logf("%v requests, %d scrapes, %d of them failed", answered, w.scrapes.Load(), w.failed)
}

// mustHaveClasses checks what package rotahttp has served, over all slots. The requests for the metrics are 2xx, too; those
// that have failed may have met a worker that was killed.
func mustHaveClasses(t *testing.T, got map[string]float64, c *clients, w *watcher) {
	t.Helper()
	sums := map[string]float64{}
	for key, n := range got {
		name, labels, _ := strings.Cut(key, "{")
		class, _, _ := strings.Cut(labels, ",")
		_, part, _ := strings.Cut(labels, "} ")
		sums[name+" "+class] += n
		sums[name+" "+part] += n
	}
	for i, code := range codes {
		class := fmt.Sprintf("class=%dxx", code/100)
		n, most := float64(c.classes[i].Load()), 0.0
		if code == http.StatusOK {
			n, most = n+float64(w.scrapes.Load()), float64(w.failed)
		}
		if counted := sums["rota_http_requests_total "+class]; counted < n || counted > n+most || n == 0 {
			t.Errorf("%s: %v requests, want %v (and at most %v more)", class, counted, n, most)
		}
	}
	if all, timed := sums["rota_http_requests_total "], sums["rota_http_request_duration_seconds count"]; all != timed || sums["rota_http_request_duration_seconds sum"] <= 0 {
		t.Errorf("%v requests, and the durations of %v", all, timed)
	}
	if n := len(slotsOf(got, "rota_http_requests_in_flight")); n != 4 {
		t.Errorf("requests in flight of %d slots, want 4", n)
	}
}

// Workers that are killed in the middle of requests lose nothing that they have answered.
func TestKilledUnderLoad(t *testing.T) {
	p := e2etest.Start(t, "count", quick(4))
	base := "http://" + p.Addr()
	w, c := watch(base+"/metrics"), startClients(base, 8)
	for i := range 5 {
		e2etest.WaitFor(t, "load and scrapes", func() bool { return c.answered.Load() >= int64(100*(i+1)) && w.scrapes.Load() >= int64(5*(i+1)) })
		c.die(false)
		p.WaitLog(e2etest.WorkerDied, i+1)
	}
	c.end()
	w.end(t)
	got, _, err := scrape(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	counted, answered, failed := int64(got[fmt.Sprintf(requestsOf, "/a")]), c.answered.Load(), c.failed.Load()
	if counted < answered || counted > answered+failed {
		t.Errorf("%d counted, %d answered and %d cut", counted, answered, failed)
	}
}

// A metric that the program has registered as usual is exact over reloads and upgrades, and a gauge is there for each
// slot.
func TestRegistryIsCopied(t *testing.T) {
	p := e2etest.Start(t, "count", quick(2))
	base := "http://" + p.Addr()
	w, c := watch(base+"/metrics"), startClients(base, 4)
	for i := range 4 {
		p.Signal(syscall.SIGHUP)
		p.WaitLog(e2etest.ReloadDone, i+1)
		if i == 2 {
			p.Upgrade()
		}
	}
	c.end()
	w.end(t)
	want := float64(c.answered.Load())
	e2etest.WaitFor(t, fmt.Sprintf("the copies of %v requests", want), func() bool {
		got, _, err := scrape(base + "/metrics")
		return err == nil && got["app_plain_total{}"] == want
	}, func() string {
		got, _, err := scrape(base + "/metrics")
		return fmt.Sprint(got["app_plain_total{}"], err)
	})
	e2etest.WaitFor(t, "the first copies of both", func() bool {
		got, _, err := scrape(base + "/metrics")
		return err == nil && len(slotsOf(got, "go_goroutines")) == 2
	})
	got, families, err := scrape(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if n := got["app_requests_total{path=/a}"]; n != want {
		t.Errorf("a metric of this package that is registered, too: %v, want %v", n, want)
	}
	for _, name := range []string{"go_goroutines", "app_in_flight", "rota_worker_age_seconds"} {
		if slots := slotsOf(got, name); !slices.Equal(slots, []string{"{slot=0}", "{slot=1}"}) {
			t.Errorf("%s: %q", name, slots)
		}
	}
	if f := families["go_gc_duration_seconds"]; f.GetType() != dto.MetricType_SUMMARY {
		t.Errorf("a summary is a %v", f.GetType())
	}
}

// slotsOf returns the labels of the samples of a metric.
func slotsOf(samples map[string]float64, name string) (labels []string) {
	for key := range samples {
		if strings.HasPrefix(key, name+"{") {
			labels = append(labels, strings.TrimPrefix(key, name))
		}
	}
	slices.Sort(labels)
	return labels
}

// The master of OnMaster has the same numbers as the workers.
func TestInMaster(t *testing.T) {
	own := e2etest.FreeAddress(t)
	p := e2etest.Start(t, "in-master", quick(2), e2etest.FlagsEnv+"="+own)
	base := "http://" + p.Addr()
	c := startClients(base, 2)
	p.Signal(syscall.SIGHUP)
	p.WaitLog(e2etest.ReloadDone, 1)
	c.end()
	ofWorker, _, err := scrape(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	ofMaster, _, err := scrape("http://" + own)
	if err != nil {
		t.Fatal(err)
	}
	for key := range maps.Keys(ofWorker) {
		if _, ok := ofMaster[key]; !ok {
			t.Errorf("the master hasn't %s", key)
		}
	}
	want := float64(c.answered.Load())
	if n := ofMaster["app_requests_total{path=/a}"]; n != want || math.IsNaN(n) || want == 0 {
		t.Errorf("the master has counted %v, want %v", n, want)
	}
}

// The metrics in the master are there over upgrades, and no counter falls, though the workers of the old master count on
// while they drain.
func TestInMasterOverUpgrades(t *testing.T) {
	own := e2etest.FreeAddress(t)
	p := e2etest.Start(t, "in-master", quick(2), e2etest.FlagsEnv+"="+own)
	w, c := watch("http://"+own), startClients("http://"+p.Addr(), 4)
	for range 3 {
		p.Upgrade()
	}
	c.end()
	w.end(t)
	if w.failed > 0 {
		t.Errorf("%d scrapes failed", w.failed)
	}
}
