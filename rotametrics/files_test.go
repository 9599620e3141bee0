package rotametrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"

	"github.com/rota-go/rota/status"
)

// served returns the names of the metrics that a worker serves without a metric of its program.
func served(t *testing.T) map[string]bool {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := ownOf(status.Status{PID: 1, Want: 1, Reload: &status.Change{}, Workers: []status.Worker{{}}, Sockets: []status.Socket{{Limit: 1}}})
	newRequests(m.store)
	m.copies = &copies{from: r, to: m.store}
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
		if f.GetType() == dto.MetricType_HISTOGRAM {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				names[f.GetName()+suffix] = true
			}
		}
	}
	return names
}

var metricName = regexp.MustCompile(`\b(rota|process|go)_[a-z_]+`)

// The files name only metrics that there are, and docs/metrics.md names all of rota's.
func TestFilesNameMetricsThatExist(t *testing.T) {
	names := served(t)
	for _, path := range []string{"files/dashboard.json", "files/alerts.yml", "files/alerts_test.yml", "../docs/metrics.md"} {
		text := readFile(t, path)
		used := metricName.FindAllString(text, -1)
		if len(used) == 0 {
			t.Errorf("%s names no metric", path)
		}
		for _, name := range used {
			if !names[name] {
				t.Errorf("%s names %s, which is not served", path, name)
			}
		}
	}
	docs := readFile(t, "../docs/metrics.md")
	for name := range names {
		if strings.HasPrefix(name, "rota_") && !strings.HasPrefix(name, "rota_http_request_duration_seconds_") && !strings.Contains(docs, "`"+name) {
			t.Errorf("docs/metrics.md doesn't name %s", name)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// dashboard is what this test needs to know of Grafana's format.
type dashboard struct {
	Title      string
	UID        string
	Panels     []panel
	Templating struct{ List []struct{ Name string } }
}

type panel struct {
	ID      int
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr string }
}

// The dashboard can be read; its panels don't overlap, and use only variables that there are.
func TestDashboard(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal([]byte(readFile(t, "files/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"__rate_interval": true}
	for _, v := range d.Templating.List {
		known[v.Name] = true
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q has an id that another has, or no title or target", p.ID, p.Title)
		}
		ids[p.ID] = true
		place(t, p, taken)
		for _, target := range p.Targets {
			for _, v := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				if !known[v[1]] {
					t.Errorf("%s: there is no variable %s", p.Title, v[1])
				}
			}
		}
	}
	if d.Title == "" || d.UID == "" || len(d.Panels) < 5 {
		t.Errorf("%q has %d panels", d.Title, len(d.Panels))
	}
}

func place(t *testing.T, p panel, taken map[[2]int]string) {
	g := p.GridPos
	if g.W <= 0 || g.H <= 0 || g.X < 0 || g.X+g.W > 24 {
		t.Errorf("%s is at %+v of 24 columns", p.Title, g)
	}
	for x := g.X; x < g.X+g.W; x++ {
		for y := g.Y; y < g.Y+g.H; y++ {
			if other := taken[[2]int{x, y}]; other != "" {
				t.Fatalf("%s covers %s", p.Title, other)
			}
			taken[[2]int{x, y}] = p.Title
		}
	}
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool: it is in Debian's package prometheus")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = "files"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Prometheus takes the alert rules, which fire when they should.
func TestAlerts(t *testing.T) {
	promtool(t, "check", "rules", "alerts.yml")
	promtool(t, "test", "rules", "alerts_test.yml")
}

// Prometheus parses every query of the dashboard.
func TestQueries(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal([]byte(readFile(t, "files/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	rules := "groups:\n  - name: dashboard\n    rules:\n"
	replace := strings.NewReplacer("$__rate_interval", "5m", "$job", "app", "$instance", ".*")
	for _, p := range d.Panels {
		for i, target := range p.Targets {
			expr, _ := json.Marshal(replace.Replace(target.Expr))
			rules += "      - record: panel:" + string(rune('a'+p.ID)) + string(rune('a'+i)) + "\n        expr: " + string(expr) + "\n"
		}
	}
	path := t.TempDir() + "/rules.yml"
	if err := os.WriteFile(path, []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", path)
}
