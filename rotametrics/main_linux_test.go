//go:build linux

package rotametrics

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/rotahttp"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){"count": count, "in-master": inMaster}))
}

// count counts requests in metrics of all types, and in one that it has registered as programs do.
func count() {
	requests := NewCounterVec(prometheus.CounterOpts{Name: "app_requests_total", Help: "Requests."}, []string{"path"})
	sizes := NewHistogram(prometheus.HistogramOpts{Name: "app_size", Help: "Sizes.", Buckets: []float64{1, 10, 100}})
	inFlight := NewGauge(prometheus.GaugeOpts{Name: "app_in_flight", Help: "Requests in flight."})
	plain := prometheus.NewCounter(prometheus.CounterOpts{Name: "app_plain_total", Help: "Requests, too."})
	prometheus.MustRegister(plain, requests)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		inFlight.Inc()
		defer inFlight.Dec()
		requests.WithLabelValues(r.URL.Path).Inc()
		sizes.Observe(5)
		plain.Inc()
		if r.URL.Path == "/die" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		if code, err := strconv.Atoi(r.URL.Query().Get("code")); err == nil {
			w.WriteHeader(code)
		}
		_, _ = io.WriteString(w, "counted")
	})
	serve()
}

// inMaster serves the metrics in the master.
func inMaster() {
	rota.OnMaster(func(m *master.Master) {
		metrics, err := ForMaster(m, Options{})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go func() {
			ln, err := m.Listen(context.Background(), "tcp", os.Getenv(e2etest.FlagsEnv))
			if err == nil {
				err = http.Serve(ln, metrics.Handler())
			}
			fmt.Fprintln(os.Stderr, err)
		}()
	})
	count()
}

func serve() {
	http.Handle("/metrics", Handler())
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = rotahttp.Serve(ln, &http.Server{})
	}
	fmt.Fprintln(os.Stderr, err)
}
