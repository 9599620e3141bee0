package mailbox

import "time"

// Turns runs what may block for long, such as calls on a file system, on goroutines of Work:
// what has the same key one after the other, in the order of the calls. The owner of the
// mailbox calls its methods. A nil Turns runs everything at once, on the caller's goroutine.
type Turns struct {
	Work func(f func() func()) // the mailbox's

	last map[string]chan struct{} // by key: closed when the last function has returned
}

// Do runs f after all that was passed to Do with this key before, and then has the owner
// call what f returns. done is closed when f has returned; it is nil if it has already.
func (t *Turns) Do(key string, f func() func()) (done <-chan struct{}) {
	if t == nil {
		f()()
		return nil
	}
	before, mine := t.last[key], make(chan struct{})
	if t.last == nil {
		t.last = map[string]chan struct{}{}
	}
	t.last[key] = mine
	t.Work(func() func() {
		if before != nil {
			<-before
		}
		then := f()
		close(mine)
		return func() { t.forget(key, mine); then() }
	})
	return mine
}

func (t *Turns) forget(key string, done chan struct{}) {
	if t.last[key] == done {
		delete(t.last, key)
	}
}

// Last returns a channel that is closed when all that was passed to Do with this key has
// returned; nil if it has.
func (t *Turns) Last(key string) <-chan struct{} {
	if t == nil {
		return nil
	}
	return t.last[key]
}

// Await has the owner call then when all that was passed to Do so far has returned, but no
// later than limit.
func (t *Turns) Await(limit time.Duration, then func()) {
	if len(t.last) == 0 {
		then()
		return
	}
	var all []chan struct{}
	for _, c := range t.last {
		all = append(all, c)
	}
	t.Work(func() func() {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		for _, c := range all {
			select {
			case <-c:
			case <-timer.C:
				return then
			}
		}
		return then
	})
}
