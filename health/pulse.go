package health

import (
	"sync"
	"time"

	"github.com/rota-go/rota/reload"
)

const (
	answerLimit = time.Second           // the loop answers within it, or is not alive
	answerAge   = 20 * time.Millisecond // how old an answer may be
)

// pulse asks the master, at most one question at a time, and one in answerAge.
type pulse struct {
	ask func() (ready, slots int, s reload.State)

	mu   sync.Mutex
	last *question
}

// question is one that was asked. Its fields are set before done is closed.
type question struct {
	done   chan struct{}
	report report
	at     time.Time // of the answer
}

// get returns what the master answers, within answerLimit.
func (p *pulse) get() report {
	q := p.question()
	timer := time.NewTimer(answerLimit)
	defer timer.Stop()
	select {
	case <-q.done:
		return q.report
	case <-timer.C:
		return report{}
	}
}

// question returns the one that is being asked, or was just answered, or a new one.
func (p *pulse) question() *question {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil || p.last.isOld() {
		p.last = &question{done: make(chan struct{})}
		go p.last.answer(p.ask)
	}
	return p.last
}

// forget makes the next question a new one: what the last was answered is not so any more.
func (p *pulse) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = nil
}

func (q *question) answer(ask func() (int, int, reload.State)) {
	q.report.ready, q.report.slots, q.report.state = ask()
	q.report.answered, q.at = true, time.Now()
	close(q.done)
}

func (q *question) isOld() bool {
	select {
	case <-q.done:
		return time.Since(q.at) >= answerAge
	default:
		return false
	}
}
