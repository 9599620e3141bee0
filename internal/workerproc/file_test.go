package workerproc

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/wire"
)

// stderrOf returns what f writes to standard error.
func stderrOf(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	was := os.Stderr
	os.Stderr = w
	f()
	os.Stderr = was
	w.Close()
	b, _ := io.ReadAll(r)
	return string(b)
}

// fileTakenListener returns a listener whose File the program has called.
func (b *bench) fileTakenListener(t *testing.T) *listener {
	t.Helper()
	l, err := b.trackListener(&listener{Listener: newPipeListener(), id: 4}, bind.Request{})
	if err != nil {
		t.Fatal(err)
	}
	l.(*listener).fileTaken()
	return l.(*listener)
}

// A program that closes the listener after File, and has never called Accept, serves from
// the file: the worker is ready, the socket is not given back, and the operator is told.
func TestFileWithoutAccept(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.fileTakenListener(t)
		said := stderrOf(t, func() { l.Close(); l.Close() })
		if n := b.link.count(wire.Accepting); n != 1 {
			t.Errorf("accepting was sent %d times, want once", n)
		}
		if n := b.link.count(wire.Closed); n != 0 {
			t.Error("the socket was given back, which the program still uses")
		}
		if want := "rota: worker 7: WARN pipe memory: the program accepts from the listener's File"; len(said) < len(want) || said[:len(want)] != want {
			t.Errorf("the line is %q", said)
		}
	})
}

// The same if it leaves the listener open, after ten seconds.
func TestFileWithoutAcceptOrClose(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		said := stderrOf(t, func() {
			b.fileTakenListener(t)
			time.Sleep(filePatience - time.Millisecond)
			if b.link.count(wire.Accepting) != 0 {
				t.Error("accepting was sent before the program had time to call Accept")
			}
			time.Sleep(2 * time.Millisecond)
			_ = b.hasLeft() // waits for the timer's function
		})
		if b.link.count(wire.Accepting) != 1 || said == "" {
			t.Errorf("accepting was sent %d times, and the line is %q", b.link.count(wire.Accepting), said)
		}
	})
}

// A program that calls Accept after File is not meant, nor is one that tracks what it has
// made of the file.
func TestFileWithAcceptOrTrack(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		said := stderrOf(t, func() {
			accepting := b.fileTakenListener(t)
			_, failed := accepts(accepting)
			time.Sleep(2 * filePatience)
			accepting.Close()
			<-failed
			if n := b.link.count(wire.Closed); n != 1 {
				t.Errorf("closed was sent %d times, want once", n)
			}
			b.fileTakenListener(t)
			var own net.Listener = b.Track(newPipeListener())
			defer own.Close()
			time.Sleep(2 * filePatience)
		})
		if said != "" {
			t.Errorf("the worker says %q", said)
		}
	})
}
