package readiness

import "time"

// acceptor is what one worker does with its addresses.
type acceptor struct {
	id       int // 0: a predecessor's worker
	started  time.Time
	gone     bool // it doesn't serve any more
	uses     map[string]*use
	accepted int                      // addresses that it has accepted on
	required int                      // those of them that are open: a worker after it is to accept on them
	latest   time.Time                // of its first Accepts
	givenUp  map[string]time.Duration // addresses it did without when it became ready, and the time that those before it needed
	forgot   time.Time                // of the last forgetClosed that looked
}

// use is what a worker does with one address.
type use struct {
	accepted bool
	needed   time.Duration // from its start to its first Accept there
	closed   time.Time     // zero: it is open
}

func (u *use) isOpen() bool { return u.closed.IsZero() }

func (a *acceptor) open(address string) {
	u := a.uses[address]
	if u == nil {
		a.uses[address] = &use{}
		return
	}
	if u.accepted && !u.isOpen() {
		a.required++
	}
	u.closed = time.Time{}
}

// accept reports whether it is the first Accept on the address.
func (a *acceptor) accept(address string, now time.Time) (first bool) {
	a.open(address)
	u := a.uses[address]
	if u.accepted {
		return false
	}
	u.accepted, a.latest = true, now
	a.accepted++
	a.required++
	u.needed = a.timeTo(address, now)
	return true
}

// timeTo returns how long the worker needed for its first Accept. If it was ready without
// the address it has perhaps waited for its predecessor to leave, and the next would then
// wait for longer still: the time of the predecessor counts.
func (a *acceptor) timeTo(address string, now time.Time) time.Duration {
	if before, ok := a.givenUp[address]; ok {
		return before
	}
	return now.Sub(a.started)
}

func (a *acceptor) close(address string, now time.Time) {
	u := a.uses[address]
	if u == nil || !u.isOpen() {
		return
	}
	u.closed = now
	if u.accepted {
		a.required--
	}
}

// forgetClosed forgets what was closed a second ago or earlier, except what a worker that
// is not ready yet would be waited for. It looks once a second at most.
func (a *acceptor) forgetClosed(awaited *acceptor, now time.Time) {
	if now.Sub(a.forgot) < acceptPause {
		return
	}
	a.forgot = now
	for address, u := range a.uses {
		if !u.isOpen() && now.Sub(u.closed) >= acceptPause && !awaited.requires(address) {
			a.remove(address)
		}
	}
}

func (a *acceptor) remove(address string) {
	if a.uses[address].accepted {
		a.accepted--
	}
	delete(a.uses, address)
}

// leave takes back what was closed in the last second: a program closes its listeners
// when it ends.
func (a *acceptor) leave(now time.Time) {
	a.gone = true
	for address, u := range a.uses {
		if !u.isOpen() && now.Sub(u.closed) < acceptPause {
			a.open(address)
		}
	}
}

// doWithout notes which addresses of other a is ready without.
func (a *acceptor) doWithout(other *acceptor) {
	for _, address := range a.missing(other) {
		if a.givenUp == nil {
			a.givenUp = map[string]time.Duration{}
		}
		a.givenUp[address] = other.uses[address].needed
	}
}

func (a *acceptor) requires(address string) bool {
	return a != nil && a.uses[address] != nil && a.uses[address].accepted && a.uses[address].isOpen()
}

// missing returns the addresses that other accepts on, and a neither accepts on nor has
// closed.
func (a *acceptor) missing(other *acceptor) (all []string) {
	for address := range other.uses {
		if u := a.uses[address]; other.requires(address) && (u == nil || !u.accepted && u.isOpen()) {
			all = append(all, address)
		}
	}
	return all
}

// needed returns how long each of the addresses took that a worker after it is to accept on.
func (a *acceptor) needed() map[string]time.Duration {
	all := map[string]time.Duration{}
	for address, u := range a.uses {
		if a.requires(address) {
			all[address] = u.needed
		}
	}
	return all
}
