// Package thread runs functions on threads that no other goroutine ever runs on, because what
// these threads may do was changed; and it makes threads before they are needed.
package thread

import (
	"runtime"
	"sync"
)

// Pool runs functions on threads that Prepare has changed, and nothing else on these. A
// thread is kept for the next function: where the system has no thread more, Go's runtime
// ends the process that needs one. The fields are set before the first call of Do.
type Pool struct {
	Prepare func() error // of the thread that calls it
	Max     int          // threads; who calls Do waits while all are busy

	mu      sync.Mutex
	queue   []*job
	threads int
	idle    int
	wake    sync.Cond // a thread waits for a job
}

type job struct {
	f      func() error
	result chan error
}

// Do calls f on a thread that is prepared, and returns its error, or that of Prepare: f was
// not called then, and the thread ends.
func (p *Pool) Do(f func() error) error {
	j := &job{f, make(chan error, 1)}
	p.mu.Lock()
	p.wake.L = &p.mu
	p.queue = append(p.queue, j)
	if len(p.queue) > p.idle && p.threads < p.Max {
		p.threads++
		go p.run()
	}
	p.wake.Signal()
	p.mu.Unlock()
	return <-j.result
}

// run runs jobs on a thread, without an end. The process's first thread can't end, and /proc shows
// it for the process: a goroutine that has it holds it while another one gets its thread.
func (p *Pool) run() {
	runtime.LockOSThread()
	if isFirst() {
		other := make(chan struct{})
		go func() { runtime.LockOSThread(); close(other); p.serve() }()
		<-other
		runtime.UnlockOSThread()
		return
	}
	p.serve()
}

// serve is run on a thread that ends with it.
func (p *Pool) serve() {
	if err := p.Prepare(); err != nil {
		p.fail(err)
		return
	}
	for {
		j := p.next()
		j.result <- j.f()
	}
}

func (p *Pool) next() *job {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) == 0 {
		p.idle++
		p.wake.Wait()
		p.idle--
	}
	return p.take()
}

// take takes a job. p.mu is held.
func (p *Pool) take() *job {
	j := p.queue[0]
	p.queue = p.queue[1:]
	return j
}

// fail answers a job with the error of Prepare: one, because the next may find that the
// cause is gone. A job that has no thread now gets another one.
func (p *Pool) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.threads--
	if len(p.queue) == 0 {
		return
	}
	p.take().result <- err
	if len(p.queue) > p.idle && p.threads < p.Max {
		p.threads++
		go p.run()
	}
}

// Reserve has the runtime make n threads, which it keeps for whatever needs one.
func Reserve(n int) {
	var made, ended sync.WaitGroup
	release := make(chan struct{})
	for range n {
		made.Add(1)
		ended.Go(func() {
			runtime.LockOSThread()
			made.Done()
			<-release
			runtime.UnlockOSThread()
		})
	}
	made.Wait()
	close(release)
	ended.Wait()
}
