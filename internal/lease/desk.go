package lease

import (
	"io"
	"os"
	"syscall"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/neterr"
	"github.com/rota-go/rota/internal/wire"
)

// Desk grants the leases of a master as its Leases decide. With each lease the holder gets
// the token, the writing end of a pipe, and closes it when it gives the lease up; the kernel
// closes it when the holder's process ends. So the end of the pipe tells a successor of the
// master that no worker of the master holds a lease any more, also if the master was killed.
//
// The fields are set before the first call of a method. The methods are called on the
// goroutine of a master, where the Desk calls Send.
type Desk struct {
	Send func(worker int, f wire.Frame, files ...*descriptor.FD) // takes files
	Work func(f func() func())                                   // calls f on another goroutine, and on the master's what f returns

	leases Leases
	token  *descriptor.FD   // nil until it is needed, and when a successor grants the leases
	end    *descriptor.FD   // the reading end, for a successor
	others map[int]*os.File // reading ends of predecessors whose workers may hold leases
	last   int              // of others
	gone   int              // of others, so far
}

// Changes returns how often what Ends returns has changed.
func (d *Desk) Changes() int { return d.last + d.gone }

// Handle handles a frame of a worker: Lead is answered, now or later, and Yield is not.
func (d *Desk) Handle(worker, generation int, f wire.Frame) error {
	if f.Type == wire.Yield {
		d.leases.Over(worker, f.Call)
		d.grant()
		return nil
	}
	return wire.With(f, func(body *wire.LeadBody) {
		d.ask(Claim{Worker: worker, Generation: generation, Call: f.Call, Name: body.Name})
	})
}

func (d *Desk) ask(c Claim) {
	if !d.leases.Ask(c) {
		d.deny(c, syscall.EMFILE)
		return
	}
	d.grant()
}

func (d *Desk) deny(c Claim, err error) {
	d.Send(c.Worker, wire.Frame{Type: wire.Failed, Call: c.Call, Body: wire.Body(neterr.Encode(err))})
}

// Leaves says that a worker drains.
func (d *Desk) Leaves(worker int) { d.leases.Leaves(worker) }

// Gone says that the process of a worker has ended.
func (d *Desk) Gone(worker int) {
	d.leases.Gone(worker)
	d.grant()
}

// Block has nothing granted until Unblock is called as often.
func (d *Desk) Block() { d.leases.Block() }

// Unblock takes one Block back.
func (d *Desk) Unblock() {
	d.leases.Unblock()
	d.grant()
}

func (d *Desk) grant() {
	for c, ok := d.leases.Next(); ok; c, ok = d.leases.Next() {
		token, err := d.newToken()
		if err != nil {
			d.leases.Over(c.Worker, c.Call)
			d.deny(c, err)
			continue
		}
		d.Send(c.Worker, wire.Frame{Type: wire.Leads, Call: c.Call}, token)
	}
}

// newToken returns a duplicate of the token, which the caller closes.
func (d *Desk) newToken() (*descriptor.FD, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	return d.token.Dup()
}

// open makes the pipe, if there is none.
func (d *Desk) open() error {
	if d.token != nil {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	token, err := descriptor.DupOf(w)
	if err != nil {
		return err
	}
	end, err := descriptor.DupOf(r)
	if err != nil {
		_ = token.Close() // nothing was written to it
		return err
	}
	d.token, d.end = token, end
	return nil
}

// Ends returns, for a successor, the ends of the pipes of this master and of those before it
// whose workers may still hold a lease. They are the caller's.
func (d *Desk) Ends() (all []*descriptor.FD, err error) {
	if err = d.open(); err != nil {
		return nil, err
	}
	ends := []any{d.end}
	for _, f := range d.others {
		ends = append(ends, f)
	}
	for _, e := range ends {
		fd, err := dup(e)
		if err != nil {
			descriptor.CloseAll(all)
			return nil, err
		}
		all = append(all, fd)
	}
	return all, nil
}

func dup(end any) (*descriptor.FD, error) {
	if fd, ok := end.(*descriptor.FD); ok {
		return fd.Dup()
	}
	return descriptor.DupOf(end)
}

// Await has nothing granted until the pipe of a predecessor has ended. It takes end, which is
// open.
func (d *Desk) Await(end *descriptor.FD) {
	d.Block()
	f := os.NewFile(uintptr(end.Take()), "lease")
	if d.others == nil {
		d.others = map[int]*os.File{}
	}
	d.last++
	n := d.last
	d.others[n] = f
	d.Work(func() func() {
		_, err := io.Copy(io.Discard, f) // a worker has no reason to write; nothing that it does ends the wait
		return func() { d.ended(n, err) }
	})
}

// ended takes the end of a predecessor's pipe: the leases are free, unless this master ends.
func (d *Desk) ended(n int, err error) {
	f := d.others[n]
	if f == nil {
		return // by Close
	}
	delete(d.others, n)
	d.gone++
	_ = f.Close() // nothing was written to it
	if err == nil {
		d.Unblock()
	}
}

// Retire says that a successor grants the leases from now on.
func (d *Desk) Retire() {
	d.leases.Retire()
	d.closePipe()
}

func (d *Desk) closePipe() {
	if d.token != nil {
		_, _ = d.token.Close(), d.end.Close() // nothing was written to them
	}
}

// Close closes what the Desk has open. Nothing is granted any more.
func (d *Desk) Close() {
	d.Retire()
	for n, f := range d.others {
		delete(d.others, n)
		_ = f.Close() // ends the wait
	}
}
