package handover

import (
	"net"
	"testing"
	"time"
)

// Connections come out in order. Those that wait when the queue is closed, and those that
// are added later, are closed.
func TestQueue(t *testing.T) {
	q := NewQueue()
	a, _ := net.Pipe()
	b, _ := net.Pipe()
	c, other := net.Pipe()
	for _, conn := range []net.Conn{a, b, c} {
		q.Add(conn)
	}
	if len(q.Arrived()) != 1 || !q.Waiting() {
		t.Error("the arrival isn't told")
	}
	if q.Next() != a || q.Next() != b {
		t.Error("not in order")
	}
	q.Close()
	late, lateOther := net.Pipe()
	q.Add(late)
	for _, end := range []net.Conn{other, lateOther} {
		end.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := end.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("a connection is still open: %v", err)
		}
	}
	if q.Next() != nil || q.Waiting() {
		t.Error("something waits in a closed queue")
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// setter is a listener that records its deadlines.
type setter struct{ last time.Time }

func (s *setter) SetDeadline(t time.Time) error { s.last = t; return nil }

// While a deadline is woken, the program's is kept for later.
func TestDeadline(t *testing.T) {
	var d Deadline
	var ln setter
	program := time.Now().Add(time.Hour)
	if d.Restore(&ln) != 0 || !ln.last.IsZero() {
		t.Error("nothing was to be restored")
	}
	d.Wake(&ln)
	if !ln.last.Before(time.Now()) || ln.last.IsZero() {
		t.Errorf("woken: %v, want one that has passed", ln.last)
	}
	if err := d.Set(&ln, program); err != nil || ln.last.Equal(program) || !d.Get().Equal(program) {
		t.Errorf("the program's deadline has ended the wake: %v, %v", ln.last, err)
	}
	if d.Restore(&ln) != 1 || !ln.last.Equal(program) || d.Restore(&ln) != 1 || d.Ended() != 1 {
		t.Errorf("restored: %v, want %v, once", ln.last, program)
	}
	if d.Set(&ln, time.Time{}); !ln.last.IsZero() {
		t.Error("the program's deadline isn't set")
	}
}
