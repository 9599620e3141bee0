//go:build linux

package master

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// write puts n kilobytes, as a worker's pipe would.
func (o *output) write(n int) {
	for range n {
		o.put([]byte(strings.Repeat("x", 1023) + "\n"))
	}
}

func (o *output) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.unread)
}

// Nobody reads: the worker goes on at once, and the newest is kept.
func TestOutputUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutput()
		began := time.Now()
		o.write(1000)
		o.put([]byte("the end\n"))
		check(t, "time taken", time.Since(began), 0)
		check(t, "bytes kept", o.size(), maxOutput)
		o.end()
		b, err := io.ReadAll(o.reader())
		if err != nil || !strings.HasSuffix(string(b), "x\nthe end\n") {
			t.Errorf("%d bytes, %v: want the newest", len(b), err)
		}
	})
}

// Somebody reads slowly: the worker waits, nothing is lost, and little is kept.
func TestOutputReadSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutput()
		r := o.reader()
		go func() { o.write(500); o.end() }()
		buf, n := make([]byte, 10<<10), 0
		for {
			time.Sleep(patience / 2)
			if o.size() > maxOutput {
				t.Fatalf("%d bytes wait", o.size())
			}
			k, err := r.Read(buf)
			if n += k; err != nil {
				break
			}
		}
		check(t, "bytes read", n, 500<<10)
	})
}

// Who reads stops: the worker goes on after a while.
func TestOutputReaderStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutput()
		_, _ = o.reader().Read(nil)
		began := time.Now()
		o.write(1000)
		if d := time.Since(began); d < patience || d > 3*patience {
			t.Errorf("it took %v to go on, want about %v", d, patience)
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
		o := newOutput()
		o.put([]byte(tc.in))
		check(t, "last lines", o.lastLines(), tc.want)
	}
	check(t, "last lines of none", (*output)(nil).lastLines(), "")
}
