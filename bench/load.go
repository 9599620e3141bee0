package main

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load is a number of closed loops against one server. It never retries: a request
// without a complete answer has failed.
type load struct {
	p        *process
	shape    shape
	stopping atomic.Bool
	group    sync.WaitGroup
	began    time.Time

	nAnswered, nFailed atomic.Int64
	nClosed            atomic.Int64 // HTTP/1 connections that the server has ended, and the client would have kept

	mu    sync.Mutex
	all   []sample
	pids  map[string]bool
	first error
}

// sample is one complete answer.
type sample struct {
	at   time.Duration // since the load began
	took time.Duration
}

func newLoad(p *process, s shape) *load {
	return &load{p: p, shape: s, pids: map[string]bool{}, began: time.Now()}
}

func (l *load) start() {
	for i := range l.shape.conns {
		loop := l.http1
		switch {
		case l.shape.streams > 0:
			loop = l.http2
		case l.shape.rate > 0 && i%2 == 0:
			loop = l.download
		case l.shape.rate > 0:
			loop = l.upload
		}
		l.group.Go(loop)
	}
}

func (l *load) stop() {
	l.stopping.Store(true)
	l.group.Wait()
}

// book is one loop's own record, so that loops don't wait for each other.
type book struct {
	l    *load
	mine []sample
	pids map[string]bool
}

func (l *load) book() *book { return &book{l: l, pids: map[string]bool{}} }

// answered records a complete answer to a request that began at the given time.
func (b *book) answered(began time.Time, pid string) {
	now := time.Now()
	b.mine = append(b.mine, sample{now.Sub(b.l.began), now.Sub(began)})
	if pid != "" && !b.pids[pid] {
		b.pids[pid] = true
		b.l.sawPID(pid)
	}
	b.l.nAnswered.Add(1)
}

// close adds the record to the load's.
func (b *book) close() {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	b.l.all = append(b.l.all, b.mine...)
}

func (l *load) sawPID(pid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pids[pid] = true
}

func (l *load) fail(err error) {
	if l.nFailed.Add(1) == 1 {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.first = fmt.Errorf("%.1fs after the start: %w", time.Since(l.began).Seconds(), err)
	}
}

func (l *load) answered() int { return int(l.nAnswered.Load()) }
func (l *load) failed() int   { return int(l.nFailed.Load()) }
func (l *load) closed() int   { return int(l.nClosed.Load()) }

func (l *load) firstFailure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

// instances returns how many processes have answered.
func (l *load) instances() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pids)
}

// span is a part of the load's time.
type span struct{ from, to time.Duration }

func (l *load) during(f func()) span {
	from := time.Since(l.began)
	f()
	return span{from, time.Since(l.began)}
}

// samples returns all samples in order. The load must have stopped.
func (l *load) samples() []sample {
	slices.SortFunc(l.all, func(a, b sample) int { return int(a.at - b.at) })
	return l.all
}

// in returns the samples within the span.
func (s span) in(all []sample) []sample {
	from, _ := slices.BinarySearchFunc(all, s.from, func(a sample, d time.Duration) int { return int(a.at - d) })
	to, _ := slices.BinarySearchFunc(all, s.to, func(a sample, d time.Duration) int { return int(a.at - d) })
	return all[from:to]
}

// spans is a list of spans.
type spans []span

func (s spans) count(all []sample) (n int) {
	for _, part := range s {
		n += len(part.in(all))
	}
	return n
}

func (s spans) length() (sum time.Duration) {
	for _, part := range s {
		sum += part.to - part.from
	}
	return sum
}

// rate returns the requests a second.
func (s spans) rate(all []sample) float64 {
	return float64(s.count(all)) / s.length().Seconds()
}

// p99 returns the 99th percentile of the answer times.
func (s spans) p99(all []sample) time.Duration {
	var took []time.Duration
	for _, part := range s {
		for _, one := range part.in(all) {
			took = append(took, one.took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[int(math.Ceil(float64(len(took))*0.99))-1]
}
