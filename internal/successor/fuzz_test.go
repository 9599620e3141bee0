package successor

import "testing"

// pair is two masters and what is on its way between them: messages, tableflip's ready byte,
// and the news that a process has exited.
type pair struct {
	t *testing.T

	old                Upgrade
	oldAlive, oldStops bool
	announcing         bool // the service manager is being told
	stopSent           bool // the timer of the first kill runs
	killsLater         bool // the timer of the last kill runs
	goes               int  // how many times "go" was sent

	new                *Takeover // nil before the process is started
	newAlive, newStops bool
	hangs              bool // it does nothing any more
	taking             bool // it is about to write the ready byte
	byteSent           bool
	ends               bool // it was signalled, has crashed, or was killed

	toOld, toNew []*Message
}

// steps are what may happen next, in any order. One that can't happen does nothing.
var steps = []func(*pair){
	func(p *pair) { p.old.ParentGone() },
	(*pair).start,
	(*pair).deliverToOld,
	(*pair).deliverToNew,
	func(p *pair) { p.oldFails() },
	func(p *pair) { p.oldStops = true; p.oldDoes(p.old.Abandon(errStop), stopMsg) },
	(*pair).announced,
	(*pair).passed,
	(*pair).workerDies,
	(*pair).writeByte,
	(*pair).byteArrives,
	func(p *pair) { p.newAlive, p.ends = false, true }, // crashes
	(*pair).exitArrives,
	func(p *pair) { p.oldAlive = false },
	func(p *pair) { p.kill(false) },
	func(p *pair) { p.kill(true) },
	func(p *pair) { p.ends = true; p.stopNew() }, // a signal
	func(p *pair) { p.hangs = p.newActs() },
	(*pair).newExits,
}

func newPair(t *testing.T) *pair { return &pair{t: t, oldAlive: true} }

func (p *pair) newActs() bool { return p.newAlive && !p.hangs }

func (p *pair) start() {
	if p.oldAlive && !p.oldStops && p.old.Start() {
		p.new, p.newAlive = &Takeover{}, true
		p.toOld = append(p.toOld, hello)
	}
}

func (p *pair) deliverToOld() {
	if p.oldAlive && len(p.toOld) > 0 {
		m := p.toOld[0]
		p.toOld = p.toOld[1:]
		p.oldDoes(p.old.Receive(m), failStop)
	}
}

// oldFails is the deadline.
func (p *pair) oldFails() { p.oldDoes(p.old.Fail(errTest), failStop) }

func (p *pair) oldDoes(do Action, stop *Message) {
	if !p.oldAlive {
		return
	}
	switch do {
	case Introduce:
		p.toNew = append(p.toNew, socketMsg, stateMsg)
	case Announce:
		p.announcing = true
	case AwaitExit:
		p.killsLater = true
	case SendStop:
		p.stopSent, p.killsLater = true, true
		p.toNew = append(p.toNew, stop)
	case Answer:
		if p.old.End(errStop) == nil {
			p.t.Error("an upgrade that never began has succeeded")
		}
	}
}

func (p *pair) announced() {
	failed := p.old.err != nil
	if p.oldAlive && p.announcing && p.old.Announced(goMsg.State) {
		if failed {
			p.t.Error("go was sent in an upgrade that has failed")
		}
		p.goes++
		p.toNew = append(p.toNew, goMsg)
	}
	p.announcing = false
}

// deliverToNew delivers a message, or the end of the link.
func (p *pair) deliverToNew() {
	switch {
	case !p.newActs():
	case len(p.toNew) > 0:
		m := p.toNew[0]
		p.toNew = p.toNew[1:]
		p.newDoes(p.new.Receive(m))
	case !p.oldAlive:
		p.newDoes(p.new.Lost())
	}
}

func (p *pair) newDoes(do Action) {
	switch do {
	case TakeOver:
		if p.taking || p.byteSent {
			p.t.Error("the new master takes over twice")
		}
		p.taking = true
	case Withdraw, StopPool:
		p.stopNew()
	case Abort:
		p.newAlive = false
	}
}

func (p *pair) stopNew() {
	if !p.newActs() || p.newStops {
		return
	}
	p.newStops = true
	p.new.Stopped()
	p.toOld = append(p.toOld, failedMsg)
}

func (p *pair) passed() {
	if p.newActs() && p.new.Passed() {
		p.toOld = append(p.toOld, readyMsg)
		p.newDoes(p.new.Next())
	}
}

func (p *pair) workerDies() {
	if p.newActs() && p.new.OnTrial() {
		p.stopNew()
	}
}

func (p *pair) writeByte() {
	if p.newActs() && p.taking {
		p.taking, p.byteSent = false, true
		p.new.TookOver()
	}
}

func (p *pair) byteArrives() {
	if p.oldAlive && p.byteSent && p.old.State() < Retired {
		if err := p.old.End(nil); err != nil {
			p.t.Errorf("the new master has taken over, and the old one reports %v", err)
		}
	}
}

// exitArrives may come before a byte that was written: tableflip chooses.
func (p *pair) exitArrives() {
	if p.oldAlive && p.new != nil && !p.newAlive && p.old.State() < Retired {
		if err := p.old.End(errExited); err == nil {
			p.t.Error("the new process has exited, and the upgrade has succeeded")
		}
	}
}

func (p *pair) kill(last bool) {
	if p.oldAlive && (p.stopSent || last && p.killsLater) && p.old.MayKill(last) {
		p.newAlive, p.ends = false, true
	}
}

func (p *pair) newExits() {
	if p.newActs() && p.newStops && !p.taking {
		p.newAlive = false
	}
}

// check finds two owners: a new master that has taken over, and an old one that may still
// go on serving.
func (p *pair) check() {
	if p.goes > 1 {
		p.t.Error("go was sent twice")
	}
	if p.new == nil {
		return
	}
	if p.new.State() >= Taking && p.new.State() != GivenUp && p.oldAlive && p.old.released == nil {
		p.t.Error("the new master takes over from one that lives and has not said go")
	}
	if p.new.State() == Owner && !p.byteSent {
		p.t.Error("the new master owns the sockets, and the old one isn't told")
	}
	if p.old.State() == Ended && p.newAlive && p.oldAlive {
		p.t.Error("the old master goes on serving beside a new one that lives")
	}
}

// finish makes everything happen that must happen sooner or later: messages arrive,
// deadlines pass.
func (p *pair) finish() {
	for range 20 {
		for _, step := range []func(*pair){
			func(p *pair) { p.old.ParentGone() },
			(*pair).start, (*pair).deliverToOld, (*pair).deliverToNew, (*pair).announced, (*pair).passed,
			(*pair).writeByte, (*pair).byteArrives, (*pair).newExits, (*pair).exitArrives,
		} {
			step(p)
			p.check()
		}
	}
	p.oldFails()
	p.kill(true)
	for range 20 {
		p.deliverToOld()
		p.deliverToNew()
		p.writeByte()
		p.byteArrives()
		p.newExits()
		p.exitArrives()
		p.check()
	}
}

// ended fails the test if a master still waits, or if not exactly one serves.
func (p *pair) ended() {
	oldServes := p.oldAlive && p.old.State() == Ended && !p.oldStops
	newServes := p.newAlive && !p.hangs && !p.newStops
	switch {
	case p.oldAlive && !p.oldStops && p.old.State() < Retired:
		p.t.Errorf("the old master stays in state %d", p.old.State())
	case newServes && p.new.State() != Owner:
		p.t.Errorf("the new master stays in state %d", p.new.State())
	case oldServes && newServes:
		p.t.Error("both masters serve")
	case p.old.State() == Retired && !p.byteSent:
		p.t.Error("the old master has retired before the new one took over")
	case p.old.State() == Retired && p.oldAlive && !p.oldStops && !newServes && !p.ends && !p.hangs:
		p.t.Error("the old master has retired, and the new one stops: nobody serves")
	}
}

// FuzzMasters lets events and messages come in any order. There are never two masters that
// go on serving after "go", and each upgrade ends.
func FuzzMasters(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 3, 7, 2, 6, 3, 9, 10})  // succeeds
	f.Add([]byte{0, 1, 2, 3, 3, 7, 2, 6, 11, 12})    // exits after go
	f.Add([]byte{0, 1, 2, 3, 3, 7, 2, 6, 3, 4, 9})   // the deadline passes while it takes over
	f.Add([]byte{0, 1, 2, 3, 3, 13, 7, 3, 9})        // the old master dies
	f.Add([]byte{0, 1, 2, 3, 3, 5, 3, 2, 18, 12})    // the old master is told to stop
	f.Add([]byte{0, 1, 17, 4, 14, 12})               // never says hello
	f.Add([]byte{0, 1, 2, 3, 3, 8, 2, 18, 12})       // a worker dies
	f.Add([]byte{0, 1, 2, 3, 3, 8, 17, 2})           // a worker dies, and the new master doesn't exit
	f.Add([]byte{0, 1, 2, 3, 3, 7, 2, 5, 6, 3, 3})   // stop crosses ready
	f.Add([]byte{0, 1, 2, 3, 3, 7, 2, 6, 3, 16, 9})  // a signal while it takes over
	f.Add([]byte{0, 1, 2, 13, 3, 3, 7, 3, 9, 17, 3}) // the old master dies before the trial
	f.Fuzz(func(t *testing.T, order []byte) {
		p := newPair(t)
		for _, b := range order {
			steps[int(b)%len(steps)](p)
			p.check()
		}
		p.finish()
		p.ended()
	})
}
