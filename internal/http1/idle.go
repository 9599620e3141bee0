package http1

// idle is what the drain's goroutine keeps about a connection from one tick to the next.
// It is guarded by Observer.mu.
type idle struct {
	events        uint32 // Tracker.Events at the last IdleTick
	ticks         int    // how many ticks events hasn't changed for
	requestEvents uint32 // Tracker.Events at the last ExpectsRequest
}

// freshTicks is how many ticks a drain expects a request from a connection on which
// nothing has been read.
const freshTicks = 10

// Finished reports whether Read is to return io.EOF from now on: the latest answer
// announced the end, nothing is unanswered, no input waits, and the answer has left.
// Input that waits is still served, even if the client sends it after it got
// Connection: close. A connection whose answer hasn't left stays open until IdleTick ends
// it: the kernel discards the rest of the answer if input arrives on a closed connection.
// So does one whose client pipelines: more of its requests may be on their way.
func (o *Observer) Finished(socket Socket) bool {
	if o.untracked.Load() {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mustFollow()
	return o.tracker.Over() && o.writes == 0 && !o.tracker.Pipelined() && !socket.InputWaiting() && !socket.OutputWaiting()
}

// Quiet reports whether closing the connection now cuts no answer: the program reads, and
// nothing is unanswered.
func (o *Observer) Quiet() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mustFollow(); o.busy.Load() {
		return false
	}
	if o.tracker.Untracked() || o.untracked.Load() {
		return !o.unanswered.Load()
	}
	return o.atRest() || o.tracker.Events() == 0
}

// IdleTick is called at each tick of a drain, by one goroutine. It shuts down the
// reading side at the limit-th tick in a row at which an HTTP/1 connection is at rest,
// or at the next tick if the client got Connection: close (its program's Read began before
// Finished was true).
//
// A Read that waits then returns io.EOF, after input that has arrived in the meantime,
// and whatever deadlines the program has set.
func (o *Observer) IdleTick(limit int, socket Socket) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mustFollow()
	if events := o.tracker.Events(); o.busy.Load() || !o.atRest() || events != o.idle.events {
		o.idle.events, o.idle.ticks = events, 0
		return
	}
	if o.idle.ticks++; o.idle.ticks < limit && !o.tracker.Over() {
		return
	}
	if socket.InputWaiting() || socket.WriteMayWait() { // the program is about to read it; see Finished
		o.idle.ticks = 0
		return
	}
	o.readClosed.Store(true)
	_ = socket.CloseRead() // fails if the client is gone
}

// atRest reports whether everything that was read is answered, and the answers are
// written. The caller holds o.mu.
func (o *Observer) atRest() bool { return o.writes == 0 && o.tracker.Rest() }

// MustAnswer reports whether IdleTick has shut down the reading side while a request was on
// its way, and the program has read it and still owes the answer. Then the end that Read
// meets is not the client's, and a program that takes it for that gives up the answer. If
// the tracking has ended since, nobody knows where the answer ends, and the client's end
// is waited for.
func (o *Observer) MustAnswer(socket Socket) bool {
	if !o.readClosed.Load() {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tracker.Untracked() {
		return !socket.ClientEnded()
	}
	return o.writes > 0 || o.tracker.Owes()
}

// ReadClosed reports whether IdleTick has shut down the reading side.
func (o *Observer) ReadClosed() bool { return o.readClosed.Load() }

// EndNow makes MustAnswer false: the connection ends, whatever is unanswered.
func (o *Observer) EndNow() { o.readClosed.Store(false) }

// ExpectsRequest reports whether the client may send, or has just sent, a request that
// the program hasn't begun to handle: the connection is at rest between two requests,
// or something was read or written since the last call, or nothing has been read and
// fewer than freshTicks ticks have passed. It is false for a connection that doesn't
// speak HTTP/1. One goroutine calls it, with the number of ticks since the drain began.
func (o *Observer) ExpectsRequest(ticks int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mustFollow(); o.untracked.Load() || !o.tracker.Boundary() {
		return false
	}
	events := o.tracker.Events()
	changed := events != o.idle.requestEvents
	o.idle.requestEvents = events
	return changed || o.tracker.Rest() || events == 0 && ticks < freshTicks
}

// Hasten has the next answer of a drain announce the end that begins while the client has sent further requests: such a client may
// take longer for maxPutOff answers than the drain may.
func (o *Observer) Hasten() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mustFollow()
	o.tracker.Hasten()
}

// A State is what an Observer knows at one moment, for tests and diagnosis.
type State struct {
	Phase     string // as in the table of package http1's sniff.go
	Untracked bool
	Busy      bool // the program doesn't read; kept from when the phase is followed

	// Of the tracker, from when the phase is followed.
	Boundary, Rest, Over bool
	Events               uint32
}

// State returns the present State.
func (o *Observer) State() State {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := &o.tracker
	return State{
		Phase: o.load().phase().String(), Untracked: o.untracked.Load(), Busy: o.busy.Load(),
		Boundary: t.Boundary(), Rest: t.Rest(), Over: t.Over(), Events: t.Events(),
	}
}
