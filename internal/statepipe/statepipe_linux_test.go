//go:build linux

package statepipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// pipe returns both ends, the one to write as a file too.
func pipe(t *testing.T) (reader, writer *descriptor.FD) {
	t.Helper()
	reader, writer, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close(); writer.Close() })
	return reader, writer
}

// given returns what is read of what f writes.
func given(t *testing.T, f func(context.Context, io.Writer) error) (got []byte, readErr, writeErr error) {
	t.Helper()
	r, w := pipe(t)
	written := make(chan error, 1)
	go func() { written <- NewWriter().Write(w, f) }()
	state, err := Open(t.Context(), r)
	if err == nil {
		got, err = io.ReadAll(state)
		state.Close()
	}
	return got, err, <-written
}

// What is written is read, whatever its size and the sizes of the writes, and nothing is io.EOF.
func TestState(t *testing.T) {
	for _, size := range []int{0, 1, maxPart - 1, maxPart, maxPart + 1, 5*maxPart + 3, 10 << 20} {
		want := bytes.Repeat([]byte("state"), size/5+1)[:size]
		got, readErr, err := given(t, func(_ context.Context, w io.Writer) error {
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 50_000)
				if k, err := w.Write(rest[:n]); k != n || err != nil {
					return fmt.Errorf("%d written of %d: %w", k, n, err)
				}
				rest = rest[n:]
			}
			return nil
		})
		if size == 0 && readErr != io.EOF || size > 0 && readErr != nil || err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d, %v, %v", size, len(got), readErr, err)
		}
	}
}

// A state that its writer doesn't finish is not taken for a whole one.
func TestUnfinishedState(t *testing.T) {
	errTest := errors.New("test")
	for name, f := range map[string]func(io.Writer) error{
		"an error": func(io.Writer) error { return errTest },
		"a panic":  func(io.Writer) error { panic("no") },
		"an end":   func(io.Writer) error { runtime.Goexit(); return nil },
	} {
		for _, size := range []int{0, 1, maxPart, 2*maxPart + 1} {
			_, readErr, err := given(t, func(_ context.Context, w io.Writer) error {
				w.Write(make([]byte, size))
				return f(w)
			})
			if readErr != io.ErrUnexpectedEOF || err == nil {
				t.Errorf("%s after %d bytes: read %v, written %v", name, size, readErr, err)
			}
		}
	}
}

// What is written is read soon, also if the writer has no more for long.
func TestFirstBytes(t *testing.T) {
	r, w := pipe(t)
	seen, written := make(chan struct{}), make(chan error, 1)
	go func() {
		written <- NewWriter().Write(w, func(ctx context.Context, to io.Writer) error {
			io.WriteString(to, "x")
			select {
			case <-seen:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	state, err := Open(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if b := make([]byte, 1); first(t, state, b) != "x" {
		t.Errorf("read %q", b)
	}
	close(seen)
	if n, err := state.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func first(t *testing.T, r io.Reader, b []byte) string {
	t.Helper()
	n, err := r.Read(b)
	if err != nil {
		t.Error(err)
	}
	return string(b[:n])
}

// Small writes that come one after the other are one part.
func TestSmallWritesShareParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got bytes.Buffer
		p := newParts(&got)
		defer p.timer.Stop()
		for range 3 {
			io.WriteString(p, "a")
			time.Sleep(linger / 4)
		}
		time.Sleep(linger)
		io.WriteString(p, "b")
		time.Sleep(linger)
		synctest.Wait()
		if want := "\x00\x00\x00\x03aaa\x00\x00\x00\x01b"; got.String() != want {
			t.Errorf("%q, want %q", got.String(), want)
		}
	})
}

// A failure of the other worker is one of a read, also before its first byte; a failure of Open says whose state
// is missing.
func TestFailureIsOneOfRead(t *testing.T) {
	for _, text := range []string{"s", "s\x00\x00"} {
		state, err := Open(t.Context(), foreign(t, text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if _, err := state.Read(make([]byte, 1)); err != io.ErrUnexpectedEOF {
			t.Errorf("%q: a read fails with %v", text, err)
		}
		state.Close()
	}
	if _, err := Open(t.Context(), foreign(t, "x")); !strings.HasPrefix(fmt.Sprint(err), "the state of the worker before it: ") {
		t.Error(err)
	}
}

// foreign returns the end to read of a pipe that has text.
func foreign(t *testing.T, text string) *descriptor.FD {
	t.Helper()
	r, w := pipe(t)
	f, err := w.File("pipe")
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	io.WriteString(f, text)
	f.Close()
	return r
}

// A writer that is not there, or hasn't begun when it ends, leaves nothing.
func TestNoState(t *testing.T) {
	r, w := pipe(t)
	w.Close()
	if _, err := Open(t.Context(), r); err != io.EOF {
		t.Errorf("%v, want io.EOF", err)
	}
}

// Bytes of another form end the reading, and cost no memory.
func TestForeignState(t *testing.T) {
	for text, want := range map[string]error{
		"x":                                  ErrFormat,
		"s":                                  io.ErrUnexpectedEOF,
		"s\xff\xff\xff\xffx":                 ErrFormat,
		"s\x00\x00":                          io.ErrUnexpectedEOF,
		"s\x00\x00\x00\x02x":                 io.ErrUnexpectedEOF,
		"s\x00\x00\x00\x01x":                 io.ErrUnexpectedEOF,
		"s\x00\x00\x00\x01x\x00\x01\x00\x00": ErrFormat,
	} {
		state, err := Open(t.Context(), foreign(t, text))
		if err == nil {
			_, err = io.ReadAll(state)
		}
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

// A reader that doesn't read holds the writer up for Limit, and one that goes not at all. A function that
// doesn't return neither, and the next one waits for its turn.
func TestWriterIsBounded(t *testing.T) {
	t.Parallel()
	endless := func(ctx context.Context, w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, maxPart)); err != nil {
				return err
			}
		}
	}
	hangs := func(context.Context, io.Writer) error { select {} }
	_, unread := pipe(t)
	gone, abandoned := pipe(t)
	gone.Close()
	_, third := pipe(t)
	_, fourth := pipe(t)
	one, two, results := NewWriter(), NewWriter(), make(chan error, 4)
	began := time.Now()
	for fd, w := range map[*descriptor.FD]*Writer{unread: one, abandoned: NewWriter()} {
		go func() { results <- w.Write(fd, endless) }()
	}
	go func() { results <- two.Write(third, hangs) }()
	time.Sleep(10 * time.Millisecond)
	go func() { results <- two.Write(fourth, func(context.Context, io.Writer) error { return nil }) }()
	if err := <-results; err == nil || time.Since(began) > Limit/2 {
		t.Errorf("nobody reads any more: %v after %v", err, time.Since(began))
	}
	for range 3 {
		if err := <-results; !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 2*Limit {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	}
}

// A writer that doesn't write holds the reader up until ctx ends, or in the middle for Limit.
func TestReaderIsBounded(t *testing.T) {
	t.Parallel()
	r, silent := pipe(t)
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := Open(ctx, r); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("at the end of ctx: %v", err)
	}
	r, w := pipe(t)
	f, err := w.File("pipe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Write([]byte{begin, 0, 0, 0, 9, 'x'})
	began := time.Now()
	state, err := Open(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(state); string(b) != "x" || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > 2*Limit {
		t.Errorf("%q, %v after %v", b, err, time.Since(began))
	}
}
