package successor

// TakeoverState is where the new master is in an upgrade.
type TakeoverState int

// The states of a Takeover. See its table.
const (
	Dialed  TakeoverState = iota // the link is open; no snapshot has come
	Trial                        // the workers start, and must live for MinUptime
	Proven                       // they have; "ready" was sent
	Taking                       // there is no way back: the ready byte is being written
	Owner                        // this is the master
	GivenUp                      // this master stops, or has exited
)

// Takeover is the new master's side of an upgrade. It decides and does nothing: each method
// is an event, and tells the caller what to do. One goroutine owns it. The zero value is
// ready.
//
//	state          event                    next state   the master
//	Dialed         state                    Trial        adopts the snapshot, starts its workers
//	Dialed         Lost (old master died)   GivenUp      exits
//	Trial          Passed                   Proven       sends ready
//	Trial, Proven  go, or Lost              the same, and once Proven:
//	Proven         go or Lost has come      Taking       writes the ready byte
//	Taking         TookOver                 Owner        owns the sockets and the pid file
//	Dialed…Proven  Stopped                  GivenUp      stops
//	Dialed…Taking  stop                     the same     reports failed, stops (Stopped follows)
//	Owner, GivenUp stop                     the same     stops
//	Taking…        stop, as it has failed   the same     goes on: the old master retires by the ready byte
//	Dialed…Taking  want                     the same     sends the sockets that it has
//	any            lease                    the same     waits for its end, to grant leases
//	any            shared                   the same     keeps it for its workers
//	Taking         late                     the same     keeps it for TookOver: it is newer than "go"
//	any other      late                     the same     scales, drains, reloads
//	Taking, Owner  pair                     the same     gives it to a worker
//	any            signal                   the same     sends it to its workers
//	any            socket                   the same     adds it to its table
//
// Only the ready byte makes this the master, and only "go" or the old master's death lead
// to it. Events that are not in the table change nothing.
type Takeover struct {
	state    TakeoverState
	released bool        // "go" has come
	orphaned bool        // the old master is gone
	left     []*Snapshot // came with "go", and then late: what TookOver leads to
}

// State returns the state.
func (t *Takeover) State() TakeoverState { return t.state }

// Left returns what the old master knew at "go" and has left to this one until TookOver, in this order.
func (t *Takeover) Left() []*Snapshot { return t.left }

// OnTrial reports whether the death of a worker makes the upgrade fail.
func (t *Takeover) OnTrial() bool { return t.state < Taking }

// Receive takes a message from the old master.
func (t *Takeover) Receive(m *Message) Action {
	switch m.Kind {
	case Given:
		return AdoptGiven
	case Socket:
		if len(m.Socket) > 0 {
			return AdoptSocket
		}
	case Want:
		if t.state < Owner {
			return Lend
		}
	case Lease:
		return AdoptLease
	case Shared:
		return AdoptShared
	case Release:
		if t.state == Dialed {
			return AdoptRelease
		}
	case State:
		return t.begin(m.State)
	case Go:
		return t.release(m.State)
	case Late:
		return t.late(m.State)
	case Signal:
		return PassOn
	case Pair:
		if t.state == Taking || t.state == Owner {
			return AdoptPair
		}
	case Stop:
		return t.stop(m.Failed)
	}
	return None
}

func (t *Takeover) begin(s *Snapshot) Action {
	if t.state != Dialed || s == nil {
		return None
	}
	t.state = Trial
	return Begin
}

func (t *Takeover) release(s *Snapshot) Action {
	if t.state == Owner || t.state == GivenUp {
		return None
	}
	t.released, t.left = true, nil
	if s != nil {
		t.left = []*Snapshot{s}
	}
	return t.Next()
}

// late takes what comes after "go", which has to be done after that too.
func (t *Takeover) late(s *Snapshot) Action {
	switch {
	case s == nil:
		return None
	case t.state == Taking:
		t.left = append(t.left, s)
		return None
	}
	return CatchUp
}

// stop takes a stop. The old master may have sent one because the attempt has failed, which comes too late for a new
// one that takes over: the old one retires when it has the ready byte.
func (t *Takeover) stop(failed bool) Action {
	switch {
	case failed && t.state >= Taking:
		return None
	case t.state > Taking:
		return StopPool
	}
	return Withdraw
}

// Passed says that the workers have been ready for MinUptime, and reports whether "ready"
// is to be sent. Next follows.
func (t *Takeover) Passed() bool {
	if t.state != Trial {
		return false
	}
	t.state = Proven
	return true
}

// Next returns TakeOver if it is time to take over, once.
func (t *Takeover) Next() Action {
	if t.state == Proven && (t.released || t.orphaned) {
		t.state = Taking
		return TakeOver
	}
	return None
}

// Lost says that the link has ended: the old master is gone.
func (t *Takeover) Lost() Action {
	switch t.state {
	case Dialed:
		t.state = GivenUp
		return Abort
	case Trial, Proven:
		t.orphaned = true
		return t.Next()
	}
	return None
}

// Stopped says that this master stops, for whatever reason. One that is about to write the
// ready byte becomes the owner first.
func (t *Takeover) Stopped() {
	if t.state < Taking {
		t.state = GivenUp
	}
}

// TookOver says that the ready byte was written.
func (t *Takeover) TookOver() {
	if t.state == Taking {
		t.state = Owner
	}
}
