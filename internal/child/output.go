package child

import (
	"io"
	"time"

	"github.com/rota-go/rota/internal/process"
)

// Output is what a silent worker writes. The zero value is that of a worker that is not
// silent.
type Output struct{ stdout, stderr *process.Output }

// NewOutput returns the output of a silent worker.
func NewOutput() Output { return Output{process.NewOutput(), process.NewOutput()} }

// Stdout returns a reader of standard output, or nil.
func (o Output) Stdout() io.Reader { return o.stdout.Reader() }

// Stderr returns a reader of standard error, or nil.
func (o Output) Stderr() io.Reader { return o.stderr.Reader() }

// LastLines returns the last lines of standard error, "" if they are not known.
func (o Output) LastLines() string { return o.stderr.LastLines() }

// Attach begins to read what p writes.
func (o Output) Attach(p *Process) {
	if o.stdout != nil {
		o.stdout.Attach(p.Output[0])
		o.stderr.Attach(p.Output[1])
	}
}

// linger is how long the output of a process that has ended may stay open: a child of it may
// have it.
const linger = time.Second

// Wait waits for the end of p, and then at most a second for the end of its output.
func (o Output) Wait(p *Process) process.Exit {
	x := p.Wait()
	if o.stdout != nil {
		end := time.Now().Add(linger)
		o.stdout.Finish(time.Until(end))
		o.stderr.Finish(time.Until(end))
	}
	return x
}

// Close ends the output of a worker that has ended, or could not be started.
func (o Output) Close() {
	if o.stdout != nil {
		o.stdout.CloseWrite()
		o.stderr.CloseWrite()
	}
}
