// Cache is a server with a cache and a rate limit that are as warm after a reload as before.
//
// GET /KEY?client=NAME answers slowly, unless KEY is in the cache. When a worker's successor starts,
// the worker writes its cache and its buckets, and the successor reads them before it accepts.
//
//	go run . &
//	kill -HUP <the master's pid, from its first log line>
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/worker"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	s := &server{cache: newLRU(10_000), limits: newBuckets(20, 1)}
	if self := worker.Self(); self != nil {
		s.inherit(self)
		self.OnHandOverState(s.leave)
	}
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, s))
}

// server is what outlives a process.
type server struct {
	cache  *lru
	limits *buckets
}

// format is of what leave writes. A worker of another version of this program that doesn't know it
// starts cold.
const format = 1

// leave writes the cache and the buckets for the next worker.
func (s *server) leave(_ context.Context, to io.Writer) error {
	enc := json.NewEncoder(to)
	if err := enc.Encode(format); err != nil {
		return err
	}
	if err := enc.Encode(s.limits.all()); err != nil {
		return err
	}
	return s.cache.write(to)
}

// inherit reads what the worker before has written. Whatever goes wrong, this worker starts with
// what it has got.
func (s *server) inherit(self *worker.Worker) {
	from, err := self.Inherit(context.Background())
	if errors.Is(err, io.EOF) {
		return // the first worker, or the one before has crashed
	}
	if err == nil {
		defer from.Close()
		err = s.read(json.NewDecoder(from))
	}
	if err != nil {
		log.Print("starts cold: ", err)
	}
}

func (s *server) read(dec *json.Decoder) error {
	var version int
	if err := dec.Decode(&version); err != nil || version != format {
		return fmt.Errorf("format %d: %w", version, errors.Join(err, errors.ErrUnsupported))
	}
	var by map[string]bucket
	if err := dec.Decode(&by); err != nil {
		return err
	}
	s.limits.set(by)
	for {
		var e entry
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		s.cache.put(e.Key, e.Value)
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if client := r.FormValue("client"); client != "" && !s.limits.take(client, time.Now()) {
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	}
	value, hit := s.cache.get(r.URL.Path)
	if !hit {
		value = slow(r.URL.Path)
		s.cache.put(r.URL.Path, value)
	}
	_, _ = fmt.Fprintf(w, "hit %t: %s\n", hit, value) // the client may be gone
}

// slow stands for a database.
func slow(key string) string {
	time.Sleep(time.Millisecond)
	return strings.ToUpper(key)
}
