package rotametrics

import (
	"sort"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rota-go/rota/status"
)

// classes are the values of the label class: the first digit of a status. A handler that has panicked before it answered
// counts as 5xx.
var classes = [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}

// requests counts what package rotahttp serves in this process, in cells that all workers of its slot share.
type requests struct {
	total [len(classes)]cells
	took  cells
}

func newRequests(s *store) *requests {
	slot := strconv.Itoa(s.slot)
	r := &requests{}
	for i, class := range classes {
		r.total[i] = s.open(series{
			Kind: counterKind, Name: "rota_http_requests_total", Help: "HTTP requests that package rotahttp has served, by the class of their status.",
			Labels: []string{"class", class, "slot", slot},
		})
	}
	r.took = s.open(series{
		Kind: histogramKind, Name: "rota_http_request_duration_seconds", Help: "How long the handlers of HTTP requests took, which package rotahttp has served.",
		Labels: []string{"slot", slot}, Bounds: prometheus.DefBuckets,
	})
	return r
}

// ended is a function for worker.Worker.OnRequest.
func (r *requests) ended(status int, took time.Duration) {
	seconds := took.Seconds()
	r.took.addFloat(0, seconds)
	r.took[1+sort.SearchFloat64s(prometheus.DefBuckets, seconds)].Add(1)
	class := len(classes) - 1
	if status >= 100 && status < 600 {
		class = status/100 - 1
	}
	r.total[class][0].Add(1)
}

// inFlight are the requests whose handlers run now.
func (o *own) inFlight(s status.Status) {
	for slot, workers := range s.Slots() {
		n := int64(0)
		for _, w := range workers {
			n += w.Counters.InFlight
		}
		o.gauge("rota_http_requests_in_flight", "HTTP requests of package rotahttp whose handlers run, by slot.", float64(n), "slot", strconv.Itoa(slot))
	}
}
