package rotahttp

import (
	"net/http"
	"testing"

	"github.com/rota-go/rota/internal/workerproc"
)

// nowhere is a writer that costs nothing.
type nowhere struct{ h http.Header }

func (n *nowhere) Header() http.Header         { return n.h }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}

// BenchmarkHandler is what this package's handler adds to the program's, a request: it should be below 150 ns, which is
// one percent of what net/http takes.
func BenchmarkHandler(b *testing.B) {
	text := []byte("hello\n")
	program := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(text) })
	w := new(workerproc.Worker)
	w.Most = func() int64 { return 0 }
	r, _ := http.NewRequest("GET", "/", nil)
	to := &nowhere{http.Header{}}
	for name, h := range map[string]http.Handler{"program": program, "counted": &handler{&server{worker: w}, program}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(to, r)
			}
		})
		b.Run(name+" by two", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					h.ServeHTTP(to, r)
				}
			})
		})
	}
}
