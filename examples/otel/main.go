// Otel is a server that exports its metrics by OpenTelemetry: one worker, the leader, exports those of all.
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/rotametrics"
	"github.com/rota-go/rota/worker"
)

var requests = rotametrics.NewCounter(prometheus.CounterOpts{Name: "app_requests_total", Help: "Requests."})

var all = rotametrics.New(rotametrics.Options{}) // in every worker

// export exports the metrics of all workers until ctx ends.
func export(ctx context.Context) error {
	exporter, err := stdoutmetric.New(stdoutmetric.WithWriter(os.Stderr)) // or otlpmetrichttp.New(ctx)
	if err != nil {
		return err
	}
	producer := bridge.NewMetricProducer(bridge.WithGatherer(all))
	reader := metric.NewPeriodicReader(exporter, metric.WithProducer(producer), metric.WithInterval(time.Second))
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	<-ctx.Done()
	return provider.Shutdown(context.WithoutCancel(ctx)) // exports what there is
}

func main() {
	addr := flag.String("addr", ":8080", "address to listen on")
	flag.Parse()
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		requests.Inc()
		_, _ = io.WriteString(w, "counted\n")
	})
	go func() {
		if err := worker.Self().Lead(context.Background(), "metrics", export); err != nil {
			log.Print(err)
		}
	}()
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, nil))
}
