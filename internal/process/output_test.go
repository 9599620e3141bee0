//go:build linux

package process

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// write writes n kilobytes, as a worker's pipe would.
func (o *Output) write(n int) {
	for range n {
		o.put([]byte(strings.Repeat("x", 1023) + "\n"))
	}
}

func (o *Output) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.unread)
}

// Without a reader the worker doesn't wait, and the newest output is kept.
func TestOutputUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOutput()
		began := time.Now()
		o.write(1000)
		o.put([]byte("the end\n"))
		check(t, "time taken", time.Since(began), 0)
		check(t, "bytes kept", o.size(), maxUnread)
		o.CloseWrite()
		b, err := io.ReadAll(o.Reader())
		if err != nil || !strings.HasSuffix(string(b), "x\nthe end\n") {
			t.Errorf("read %d bytes, %v, want the newest ones", len(b), err)
		}
	})
}

// With a slow reader the worker waits, nothing is lost, and the buffer stays small.
func TestOutputReadSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOutput()
		r := o.Reader()
		go func() { o.write(500); o.CloseWrite() }()
		buf, n := make([]byte, 10<<10), 0
		for {
			time.Sleep(readerTimeout / 2)
			if o.size() > maxUnread {
				t.Fatalf("%d bytes are buffered", o.size())
			}
			k, err := r.Read(buf)
			if n += k; err != nil {
				break
			}
		}
		check(t, "bytes read", n, 500<<10)
	})
}

// When the reader stops, the worker goes on after readerTimeout.
func TestOutputReaderStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOutput()
		_, _ = o.Reader().Read(nil)
		began := time.Now()
		o.write(1000)
		if d := time.Since(began); d < readerTimeout || d > 3*readerTimeout {
			t.Errorf("the worker waited for %v, want about %v", d, readerTimeout)
		}
	})
}

func TestOutputLastLines(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"one\n", "one\n"},
		{"one\ntwo", "one\ntwo"},
		{strings.Repeat("line\n", 100), strings.Repeat("line\n", tailLines)},
		{strings.Repeat("x", 2*maxTail) + "\nlast\n", "last\n"},
	} {
		o := NewOutput()
		o.put([]byte(tc.in))
		check(t, "last lines", o.LastLines(), tc.want)
	}
	check(t, "last lines of a nil Output", (*Output)(nil).LastLines(), "")
}

func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
