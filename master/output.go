package master

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"
)

const (
	maxOutput = 64 << 10 // what is kept unread of one stream
	maxTail   = 4 << 10  // what is kept of it for a reload.Error
	tailLines = 20

	// patience is how long a worker waits for who reads its output to go on.
	patience = time.Second
)

// output is one stream of a silent worker: between the pipe that the worker writes to
// and whoever reads, if anybody does. A worker must not stand still because nobody
// listens to it, so without a reader the oldest is lost.
type output struct {
	mu      sync.Mutex
	unread  []byte
	tail    []byte
	read    bool // somebody reads, or is about to
	ending  bool // the process has ended: what is in the pipe is all there will be
	ended   bool // no more comes
	came    chan struct{}
	went    chan struct{}
	file    *os.File
	drained chan struct{} // closed when the pipe is read to its end
}

func newOutput() *output {
	return &output{came: make(chan struct{}, 1), went: make(chan struct{}, 1), drained: make(chan struct{})}
}

// reader is o as Stdout returns it: an untyped nil where there is none. Who asks for it
// is about to read.
func (o *output) reader() io.Reader {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.read = true
	return o
}

// fill has o read from f until its end, and close it.
func (o *output) fill(f *os.File) {
	o.file = f
	go func() {
		defer close(o.drained)
		defer f.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := f.Read(buf)
			o.put(buf[:n])
			if err != nil {
				o.end()
				return
			}
		}
	}()
}

// finish is for when the process has ended: it waits until the pipe is empty, or,
// where some child of the process keeps it open, for no longer than d.
func (o *output) finish(d time.Duration) {
	o.mu.Lock()
	o.ending = true
	o.mu.Unlock()
	notify(o.went)
	select {
	case <-o.drained:
	case <-time.After(d):
		_ = o.file.Close()
		<-o.drained
	}
}

// put takes what was written, when there is room for it or it has been made.
func (o *output) put(b []byte) {
	if len(b) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = newest(append(o.tail, b...), maxTail)
	for o.read && !o.ending && len(o.unread)+len(b) > maxOutput {
		o.read = o.waitForReader()
	}
	o.unread = append(o.unread, b...)
	if !o.read && !o.ending {
		o.unread = newest(o.unread, maxOutput)
	}
	notify(o.came)
}

// waitForReader reports whether somebody has read in time. o.mu is held, but not
// while it waits.
func (o *output) waitForReader() bool {
	o.mu.Unlock()
	defer o.mu.Lock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-o.went:
		return true
	case <-timer.C:
		return false
	}
}

// newest returns the last n bytes of b, in a buffer that doesn't grow for ever.
func newest(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	return append(b[:0], b[len(b)-n:]...)
}

// end says that no more comes. Twice does nothing.
func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	notify(o.came)
}

// Read waits for something to read.
func (o *output) Read(p []byte) (int, error) {
	for {
		n, ended := o.take(p)
		switch {
		case n > 0 || len(p) == 0:
			return n, nil
		case ended:
			notify(o.came) // for another reader
			return 0, io.EOF
		}
		<-o.came
	}
}

func (o *output) take(p []byte) (n int, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n = copy(p, o.unread)
	o.unread = o.unread[n:]
	if len(o.unread) > 0 {
		notify(o.came)
	}
	o.read = true
	notify(o.went)
	return n, o.ended
}

// lastLines returns what was written last, as lines.
func (o *output) lastLines() string {
	if o == nil {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := bytes.SplitAfter(o.tail, []byte("\n"))
	if len(o.tail) == maxTail && len(lines) > 1 {
		lines = lines[1:] // the first is cut
	}
	if last := len(lines) - 1; len(lines[last]) == 0 {
		lines = lines[:last]
	}
	return string(bytes.Join(lines[max(0, len(lines)-tailLines):], nil))
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pipes are the ends of a silent worker's output.
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

// closeFiles closes those that there are.
func closeFiles(files [2]*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close() // a pipe has nothing to write
		}
	}
}
