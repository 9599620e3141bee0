package delivery_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/rota-go/rota/internal/delivery"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// functions is what a subscriber gives in these tests.
type functions struct {
	event   func(string)
	message func(string)
}

// recorder collects what was delivered.
type recorder struct {
	mu  sync.Mutex
	all []string
}

func (r *recorder) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, s)
}

func (r *recorder) functions(name string) functions {
	return functions{
		event:   func(s string) { r.add(name + " event " + s) },
		message: func(s string) { r.add(name + " message " + s) },
	}
}

func (r *recorder) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.all, lines) {
		t.Errorf("delivered %q\nwant      %q", r.all, lines)
	}
	r.all = nil
}

// newQueue returns a queue, and what it has reported.
func newQueue() (*delivery.Queue[functions], *recorder) {
	var reports recorder
	return delivery.New(delivery.Config[functions]{
		WantsMessages: func(f *functions) bool { return f.message != nil },
		Panicked:      func(v any, _ []byte) { reports.add(fmt.Sprint("panicked ", v)) },
		Dropped:       func(id int) { reports.add(fmt.Sprint("dropped ", id)) },
	}), &reports
}

func newSource(id int) *delivery.Source[functions] {
	return delivery.NewSource(id, func(p link.Packet) func(*functions) {
		return func(f *functions) { f.message(string(p.Body)) }
	})
}

func event(s string) func(*functions) { return func(f *functions) { f.event(s) } }

// send emits messages of s as the reader of its link does.
func send(q *delivery.Queue[functions], s *delivery.Source[functions], bodies ...string) {
	var packets []link.Packet
	size := 0
	for _, b := range bodies {
		p := link.Packet{Frame: wire.Frame{Type: wire.Message, Body: []byte(b)}}
		size += message.Cost(p)
		packets = append(packets, p)
	}
	s.Window.Acquire(size)
	q.EmitMessages(s, packets, size)
	q.Start()
}

// What has happened to a source is repeated to its later subscribers, in order; messages
// go to the first subscriber alone; a subscriber of all gets no earlier events.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := newQueue()
		s, r := newSource(1), &recorder{}
		q.EmitOnce(s, event("once"))
		q.Emit(s, event("online"))
		send(q, s, "early")
		q.Emit(s, event("listening"))
		q.Subscribe(s, r.functions("a"))
		r.want(t, "a event online", "a message early", "a event listening")
		q.Subscribe(s, r.functions("b"))
		r.want(t, "b event online", "b event listening")
		q.Subscribe(nil, r.functions("all"))
		r.want(t)
		q.EmitOnce(s, event("more"))
		r.want(t, "a event more", "b event more", "all event more")
	})
}

// A subscriber of one source gets nothing of another, and nothing after cancel.
func TestOneSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := newQueue()
		s, other, r := newSource(1), newSource(2), &recorder{}
		cancel := q.Subscribe(s, r.functions("a"))
		q.Emit(other, event("x"))
		send(q, other, "x")
		q.Emit(s, event("y"))
		send(q, s, "z")
		r.want(t, "a event y", "a message z")
		cancel()
		q.Emit(s, event("late"))
		r.want(t)
	})
}

// Neither a panic nor runtime.Goexit in a function keeps an event from the others.
func TestFunctionsThatEndBadly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, reports := newQueue()
		s, r := newSource(1), &recorder{}
		q.Subscribe(nil, functions{
			event:   func(s string) { panic(s) },
			message: func(string) { runtime.Goexit() },
		})
		q.Subscribe(nil, r.functions("b"))
		q.Emit(s, event("x"))
		r.want(t, "b event x")
		reports.want(t, "panicked x")
		send(q, s, "one", "two")
		q.Emit(s, event("y"))
		synctest.Wait()
		if n := strings.Count(strings.Join(r.all, "\n"), "event y"); n != 1 {
			t.Errorf("%q: the event after the messages is lost", r.all)
		}
	})
}

// Messages without a subscriber are kept up to a bound, hold nobody's window, and the
// rest is reported once.
func TestMessagesWithoutASubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, reports := newQueue()
		s, r := newSource(7), &recorder{}
		big := strings.Repeat("x", delivery.MaxWaiting/2)
		for range 10 {
			send(q, s, big)
		}
		reports.want(t, "dropped 7")
		q.Subscribe(s, r.functions("a"))
		synctest.Wait()
		if n := len(r.all); n < 2 || n > 3 {
			t.Errorf("%d messages of half the bound were kept", n)
		}
	})
}

// Delivered is nil when nothing is queued. Await gives up on a function that blocks.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := newQueue()
		s := newSource(1)
		if q.Delivered() != nil {
			t.Error("something is queued in an empty queue")
		}
		block := make(chan struct{})
		q.Subscribe(nil, functions{event: func(string) { <-block }})
		q.EmitOnce(s, event("x"))
		began := time.Now()
		delivered := q.Delivered()
		q.Await(delivered)
		if d := time.Since(began); d < delivery.CallTimeout || d > 2*delivery.CallTimeout {
			t.Errorf("Await took %v", d)
		}
		close(block)
		<-delivered
	})
}
