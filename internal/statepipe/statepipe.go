// Package statepipe carries what a worker's program knows to the worker that succeeds it: bytes, in
// bounded time, over a pipe that the master has made. The master sees none of them.
//
// The pipe has a byte, begin, and then parts: a length of 4 bytes, big endian, and as many bytes, at most
// maxPart. A length of 0 is the end. So a reader tells nothing from what its writer has not
// finished, and that from what is whole.
package statepipe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// Limit is how long writing may take, and reading.
const Limit = 5 * time.Second

const (
	begin    = 's'
	headSize = 4
	maxPart  = 32 << 10
)

// ErrFormat says that the other worker has written something else. errors.Is finds it.
var ErrFormat = errors.New("not a state of a worker")

var errEnded = errors.New("the function has ended its goroutine")

// New makes a pipe. The caller closes both ends, or sends them.
func New() (reader, writer *descriptor.FD, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	defer w.Close()
	if reader, err = descriptor.DupOf(r); err != nil {
		return nil, nil, err
	}
	if writer, err = descriptor.DupOf(w); err != nil {
		_ = reader.Close()
		return nil, nil, err
	}
	return reader, writer, nil
}

// open returns fd, which it owns, as a file whose reads and writes end at a time.
func open(fd *descriptor.FD, end time.Time) (*os.File, error) {
	defer fd.Close()
	f, err := fd.File("state")
	if err != nil {
		return nil, err
	}
	if err := f.SetDeadline(end); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// A Writer writes the states that other workers ask for, one after the other. Its zero value has
// nothing to write.
type Writer struct{ turn chan struct{} }

// NewWriter returns a Writer.
func NewWriter() *Writer { return &Writer{turn: make(chan struct{}, 1)} }

// Write writes to a pipe what f writes. It owns fd. It returns after Limit at the latest, also if f
// goes on: then the writes of f fail.
func (w *Writer) Write(fd *descriptor.FD, f func(context.Context, io.Writer) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	defer cancel()
	end, _ := ctx.Deadline()
	file, err := open(fd, end)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write([]byte{begin}); err != nil {
		return err
	}
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("the one before goes on: %w", ctx.Err())
	}
	result := make(chan error, 1)
	go func() {
		defer func() { <-w.turn }()
		err := errEnded
		defer func() { result <- err }()
		err = write(ctx, file, f)
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write calls f. A panic counts as an error.
func write(ctx context.Context, file io.Writer, f func(context.Context, io.Writer) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	p := newParts(file)
	defer p.timer.Stop()
	if err := f(ctx, p); err != nil {
		return err
	}
	return p.end()
}

// linger is how long bytes wait for others that make a part with them.
const linger = 10 * time.Millisecond

// parts writes parts: full ones, and after linger one of what has come.
type parts struct {
	to    io.Writer
	timer *time.Timer // calls late

	mu   sync.Mutex
	part []byte // the next, after its length
	err  error  // of all later writes
}

func newParts(to io.Writer) *parts {
	p := &parts{to: to, part: make([]byte, headSize, headSize+maxPart)}
	p.timer = time.AfterFunc(Limit, p.late)
	return p
}

func (p *parts) Write(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(b) > 0 && p.err == nil {
		if len(p.part) == headSize {
			p.timer.Reset(linger)
		}
		k := copy(p.part[len(p.part):cap(p.part)], b)
		p.part, b, n = p.part[:len(p.part)+k], b[k:], n+k
		if len(p.part) == cap(p.part) {
			p.flush()
		}
	}
	return n, p.err
}

// late writes what waits.
func (p *parts) late() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flushSome()
}

func (p *parts) flushSome() {
	if len(p.part) > headSize {
		p.flush()
	}
}

func (p *parts) flush() {
	if p.err != nil {
		return
	}
	binary.BigEndian.PutUint32(p.part, uint32(len(p.part)-headSize))
	_, p.err = p.to.Write(p.part)
	p.part = p.part[:headSize]
}

// end writes what is left, and the end.
func (p *parts) end() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flushSome()
	p.flush()
	return p.err
}

// Open returns what the other worker writes to a pipe. It owns fd. It returns when the first
// bytes have come, or the other worker has failed. The error is io.EOF if there is nothing. It fails with
// os.ErrDeadlineExceeded at the end of ctx, and Limit from now, and Read at the deadline of ctx and then. Read, and never Open, fails with
// io.ErrUnexpectedEOF if the other worker doesn't finish.
func Open(ctx context.Context, fd *descriptor.FD) (io.ReadCloser, error) {
	end := time.Now().Add(Limit)
	if t, ok := ctx.Deadline(); ok && t.Before(end) {
		end = t
	}
	file, err := open(fd, end)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = file.SetDeadline(time.Unix(1, 0)) })() // fails if it is closed
	r := &reader{file: file}
	if r.begin(); r.err == nil || r.err == io.ErrUnexpectedEOF {
		return r, nil
	}
	_ = file.Close()
	if r.err == io.EOF {
		return nil, io.EOF
	}
	return nil, fmt.Errorf("the state of the worker before it: %w", r.err)
}

// reader reads parts.
type reader struct {
	file *os.File
	left int   // of the part
	err  error // of all later reads
}

func (r *reader) Read(b []byte) (int, error) {
	if r.left == 0 && r.err == nil {
		r.next()
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.file.Read(b[:min(len(b), r.left)])
	r.left -= n
	if err != nil && n == 0 {
		r.err = unexpected(err)
	}
	return n, r.err
}

// begin reads up to the first part. If there is nothing, err is io.EOF.
func (r *reader) begin() {
	var first [1]byte
	_, r.err = r.file.Read(first[:])
	switch {
	case r.err != nil:
	case first[0] != begin:
		r.err = fmt.Errorf("%w: it begins with %#x", ErrFormat, first[0])
	default:
		r.next()
	}
}

// next reads the length of the next part. At the end err is io.EOF.
func (r *reader) next() {
	var head [headSize]byte
	_, r.err = io.ReadFull(r.file, head[:])
	r.err = unexpected(r.err)
	switch size := binary.BigEndian.Uint32(head[:]); {
	case r.err != nil:
	case size == 0:
		r.err = io.EOF
	case size > maxPart:
		r.err = fmt.Errorf("%w: a part of %d bytes", ErrFormat, size)
	default:
		r.left = int(size)
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Close closes the pipe: the other worker needs to write no more.
func (r *reader) Close() error { return r.file.Close() }
