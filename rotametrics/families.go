package rotametrics

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// families are metrics in the making.
type families struct {
	store *store
	rules map[string]Rule
	by    map[string]*metrics // by name
}

// metrics are the series of one name.
type metrics struct {
	series // the type, the help and the bounds that count
	values map[string]*value
	gauges map[string]map[int]entry // by labels and worker
	labels map[string][]string      // by the keys of both
}

// newFamilies returns all that is in the store.
func newFamilies(s *store, rules map[string]Rule) *families {
	f := &families{store: s, rules: rules, by: map[string]*metrics{}}
	all := s.all()
	s.mu.Lock()
	known := maps.Clone(s.known)
	s.mu.Unlock()
	for _, e := range all {
		d, ok := known[e.Name]
		if !ok {
			d = e.series // of a program that this process doesn't run
		}
		f.add(d, e)
	}
	return f
}

// add adds an entry of a metric that is as d says. One of another type, which another release had, is left out.
func (f *families) add(d series, e entry) {
	m := f.family(d)
	if m.Kind != e.Kind {
		return
	}
	key := strings.Join(e.Labels, "\x00")
	m.labels[key] = e.Labels
	if e.Kind == gaugeKind || e.Kind == untypedKind {
		if m.gauges[key] == nil {
			m.gauges[key] = map[int]entry{}
		}
		m.gauges[key][e.worker] = e
		return
	}
	v := m.values[key]
	if v == nil {
		v = newValue(m.series)
		m.values[key] = v
	}
	v.add(e.series, e.cells)
}

// family returns the metrics of a name, which are as d says if they are new.
func (f *families) family(d series) *metrics {
	m := f.by[d.Name]
	if m == nil {
		m = &metrics{series: d, values: map[string]*value{}, gauges: map[string]map[int]entry{}, labels: map[string][]string{}}
		f.by[d.Name] = m
	}
	return m
}

// set adds a series with a value.
func (f *families) set(k kind, name, help string, v float64, labels ...string) {
	m := f.family(series{Kind: k, Name: name, Help: help})
	key := strings.Join(labels, "\x00")
	m.labels[key], m.values[key] = labels, &value{kind: k, number: v}
}

// all returns the metrics as client_golang has them.
func (f *families) all() (all []*dto.MetricFamily) {
	for _, name := range slices.Sorted(maps.Keys(f.by)) {
		m := f.by[name]
		m.combine(f.rules[name])
		t := types[m.Kind]
		family := &dto.MetricFamily{Name: &m.Name, Help: &m.Help, Type: &t}
		for _, key := range slices.Sorted(maps.Keys(m.values)) {
			to := &dto.Metric{Label: pairs(m.labels[key])}
			m.values[key].write(to)
			family.Metric = append(family.Metric, to)
		}
		if len(family.Metric) > 0 {
			all = append(all, family)
		}
	}
	return all
}

// combine makes values of the gauges of all workers.
func (m *metrics) combine(rule Rule) {
	for key, by := range m.gauges {
		if rule == BySlot {
			for slot, e := range newest(by) {
				labels := withSlot(m.labels[key], slot)
				m.put(labels, e.cells.float(0))
			}
			continue
		}
		var all []float64
		for _, id := range slices.Sorted(maps.Keys(by)) {
			all = append(all, by[id].cells.float(0))
		}
		m.put(m.labels[key], combined(rule, all))
	}
}

func (m *metrics) put(labels []string, number float64) {
	key := strings.Join(labels, "\x00")
	m.labels[key], m.values[key] = labels, &value{kind: m.Kind, number: number}
}

// newest returns the entries of the newest workers, by slot.
func newest(by map[int]entry) map[int]entry {
	of := map[int]entry{}
	for id, e := range by {
		if last, ok := of[e.slot]; !ok || id > last.worker {
			of[e.slot] = e
		}
	}
	return of
}

// withSlot returns labels with that of a slot. A label "slot" of the program is renamed, as Prometheus does it.
func withSlot(labels []string, slot int) []string {
	var all [][2]string
	for i := 0; i+1 < len(labels); i += 2 {
		name := labels[i]
		if name == "slot" {
			name = "exported_slot"
		}
		all = append(all, [2]string{name, labels[i+1]})
	}
	all = append(all, [2]string{"slot", strconv.Itoa(slot)})
	slices.SortFunc(all, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	var flat []string
	for _, p := range all {
		flat = append(flat, p[0], p[1])
	}
	return flat
}
