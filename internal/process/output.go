package process

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"
)

const (
	maxUnread = 64 << 10 // bytes kept for a reader
	maxTail   = 4 << 10  // bytes kept for LastLines
	tailLines = 20       // lines that LastLines returns at most

	// readerTimeout is how long a worker's writes wait for a reader that has stopped
	// reading.
	readerTimeout = time.Second
)

// Output buffers one output stream of a silent worker between the pipe that the worker
// writes to and the program, which may read it or not. The worker must not block because
// nobody reads: without a reader the oldest bytes are dropped.
//
// All methods may be called from any goroutine. Reader and LastLines may be called on a
// nil Output.
type Output struct {
	mu        sync.Mutex
	unread    []byte
	tail      []byte
	hasReader bool // somebody reads, or is about to
	exited    bool // the process has ended: what is in the pipe is kept, without a limit
	closed    bool // no more output will come

	arrived  chan struct{} // holds a value when unread or closed may have changed
	consumed chan struct{} // holds a value when a reader has read

	file   *os.File      // set by Attach; closed by its goroutine
	copied chan struct{} // closed when that goroutine has ended
}

// NewOutput returns an Output that nothing was written to.
func NewOutput() *Output {
	return &Output{arrived: make(chan struct{}, 1), consumed: make(chan struct{}, 1), copied: make(chan struct{})}
}

// Reader returns the reader of o, or a nil interface if o is nil. From here on the
// worker's writes wait for the reader.
func (o *Output) Reader() io.Reader {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hasReader = true
	return outputReader{o}
}

// outputReader has no method but Read: programs get it.
type outputReader struct{ o *Output }

// Read reads what the worker has written. It blocks until there is something, and
// returns io.EOF at the end of the output.
func (r outputReader) Read(p []byte) (int, error) { return r.o.read(p) }

// Attach starts a goroutine that reads f to its end and closes it. Finish waits for that
// goroutine.
func (o *Output) Attach(f *os.File) {
	o.file = f
	go func() {
		defer close(o.copied)
		defer f.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := f.Read(buf)
			o.put(buf[:n])
			if err != nil {
				o.CloseWrite()
				return
			}
		}
	}()
}

// Finish is called when the process has ended. It waits until the pipe was read to its
// end, but no longer than timeout: a child of the process may keep the pipe open.
func (o *Output) Finish(timeout time.Duration) {
	o.mu.Lock()
	o.exited = true
	o.mu.Unlock()
	wakeOne(o.consumed)
	select {
	case <-o.copied:
	case <-time.After(timeout):
		_ = o.file.Close()
		<-o.copied
	}
}

// CloseWrite marks the end of the output: readers get io.EOF after what is left. The
// second call does nothing.
func (o *Output) CloseWrite() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	wakeOne(o.arrived)
}

// put appends b to the unread output. If there is a reader it waits until there is room,
// as long as the reader makes progress.
func (o *Output) put(b []byte) {
	if len(b) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = newest(append(o.tail, b...), maxTail)
	for o.hasReader && !o.exited && len(o.unread)+len(b) > maxUnread {
		o.hasReader = o.waitForReader()
	}
	o.unread = append(o.unread, b...)
	if !o.hasReader && !o.exited {
		o.unread = newest(o.unread, maxUnread)
	}
	wakeOne(o.arrived)
}

// waitForReader reports whether somebody reads within readerTimeout. The caller holds
// o.mu, which is unlocked during the wait.
func (o *Output) waitForReader() bool {
	o.mu.Unlock()
	defer o.mu.Lock()
	timer := time.NewTimer(readerTimeout)
	defer timer.Stop()
	select {
	case <-o.consumed:
		return true
	case <-timer.C:
		return false
	}
}

// newest returns the last n bytes of b, in b's buffer, so that it doesn't keep growing.
func newest(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	return append(b[:0], b[len(b)-n:]...)
}

func (o *Output) read(p []byte) (int, error) {
	for {
		n, closed := o.readUnread(p)
		switch {
		case n > 0 || len(p) == 0:
			return n, nil
		case closed:
			wakeOne(o.arrived) // for another reader
			return 0, io.EOF
		}
		<-o.arrived
	}
}

func (o *Output) readUnread(p []byte) (n int, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n = copy(p, o.unread)
	o.unread = o.unread[n:]
	if len(o.unread) > 0 {
		wakeOne(o.arrived)
	}
	o.hasReader = true
	wakeOne(o.consumed)
	return n, o.closed
}

// LastLines returns the last lines that were written, read or not, at most 20 and 4 KB.
func (o *Output) LastLines() string {
	if o == nil {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := bytes.SplitAfter(o.tail, []byte("\n"))
	if len(o.tail) == maxTail && len(lines) > 1 {
		lines = lines[1:] // its beginning may be cut off
	}
	if last := len(lines) - 1; len(lines[last]) == 0 {
		lines = lines[:last]
	}
	return string(bytes.Join(lines[max(0, len(lines)-tailLines):], nil))
}

// wakeOne puts a value into c, which has room for one, unless it holds one.
func wakeOne(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pipes are the pipes of a silent worker's stdout and stderr.
type pipes struct{ read, write [2]*os.File }

func newPipes() (p pipes, err error) {
	for i := range p.read {
		if p.read[i], p.write[i], err = os.Pipe(); err != nil {
			closeFiles(p.read)
			closeFiles(p.write)
			return pipes{}, err
		}
	}
	return p, nil
}

// closeFiles closes those files that are not nil.
func closeFiles(files [2]*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close() // a pipe has no buffered writes to lose
		}
	}
}
