//go:build linux

package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// text returns a state of n bytes.
func text(n int) []byte {
	b, _ := json.Marshal(string(bytes.Repeat([]byte("x"), n-2)))
	return b
}

// A connection goes over with its state, whatever size that has, and what the client has sent.
func TestHandOver(t *testing.T) {
	for _, n := range []int{2, 3, maxPart - 1, maxPart, maxPart + 1, 3*maxPart + 7, MaxState} {
		w := newWorld(t, "tcp", "127.0.0.1:0")
		w.serve()
		server, client := w.conn(t)
		io.WriteString(client, "early")
		if err := w.sender.HandOver(w.item(t, server), text(n)); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		server.Close()
		moved := <-w.conns
		defer moved.Close()
		if !bytes.Equal(w.state, text(n)) {
			t.Errorf("the state has %d bytes, want %d", len(w.state), n)
		}
		b := make([]byte, len("early"))
		if _, err := io.ReadFull(moved, b); err != nil || string(b) != "early" {
			t.Errorf("read %q, %v", b, err)
		}
	}
}

// What the receiver refuses stays, and the next one goes over. So does one of a socket that it doesn't have.
func TestHandOverRefused(t *testing.T) {
	w := newWorld(t, "tcp", "127.0.0.1:0")
	w.serve()
	server, _ := w.conn(t)
	foreign := w.item(t, server)
	foreign.Cookie++
	if err := w.sender.HandOver(foreign, text(2*maxPart)); !errors.Is(err, ErrNoReceiver) {
		t.Errorf("of another socket: %v", err)
	}
	if err := w.sender.HandOver(w.item(t, server), text(9)); err != nil {
		t.Errorf("the next: %v", err)
	}
	w.wantConns(t, 1)
	w.refuses.Store(true)
	if err := w.sender.HandOver(w.item(t, server), text(9)); !errors.Is(err, ErrNoReceiver) || w.sender.closed != nil {
		t.Errorf("refused: %v, the pair has ended: %v", err, w.sender.closed)
	}
	w.wantConns(t, 0)
}

// A receiver that stops reading, in the middle of a state or before its answer, gets nothing.
func TestHandOverWithoutAnswer(t *testing.T) {
	for _, n := range []int{9, MaxState} {
		w := newWorld(t, "tcp", "127.0.0.1:0")
		server, _ := w.conn(t)
		began := time.Now()
		if err := w.sender.HandOver(w.item(t, server), text(n)); !errors.Is(err, ErrNoReceiver) || time.Since(began) > 5*AnswerTimeout {
			t.Errorf("%d bytes: %v after %v", n, err, time.Since(began))
		}
		if err := w.receiver.Serve(); n == 9 && err == nil {
			t.Error("the receiver could answer")
		}
		w.wantConns(t, 0)
	}
}

// A hand-over that is none ends the pair, and its descriptors are closed.
func TestForeignHands(t *testing.T) {
	whole, _ := appendHand(nil, 1, []byte(`{}`))
	part, _ := appendHand(nil, 1, text(2*maxPart))
	for name, messages := range map[string][][]byte{
		"short":                        {whole[:handSize-1]},
		"longer than it says":          {append(whole[:len(whole):len(whole)], '{')},
		"not JSON":                     {append(append([]byte(nil), whole[:handSize]...), "{{"...)},
		"without a state":              {{handKind, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}},
		"larger than a state may be":   {{handKind, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0}},
		"an offer within":              {part, appendOffer(nil, []facts{{cookie: 1}})},
		"a part that is too long":      {part, append([]byte{moreKind}, text(maxPart+1)...)},
		"an empty part":                {part, {moreKind}},
		"a part without a beginning":   {{moreKind, '{'}},
		"two connections":              {nil},
		"a descriptor with the second": {part, {moreKind, 'x'}},
	} {
		w := newWorld(t, "tcp", "127.0.0.1:0")
		a, b, err := NewPair() // descriptors whose end can be seen
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range messages {
			switch {
			case m == nil:
				send(t, w, whole, b.Int(), b.Int())
			case i == 0 || name == "a descriptor with the second":
				send(t, w, m, b.Int())
			default:
				send(t, w, m)
			}
		}
		b.Close()
		if err := w.receiver.Serve(); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v, want ErrMessage", name, err)
		}
		if n, err := unix.Read(a.Int(), make([]byte, 1)); n != 0 || err != nil {
			t.Errorf("%s: the descriptor is still open: %d, %v", name, n, err)
		}
		a.Close()
	}
}

// A descriptor that is no connection of the socket ends the pair, with a state too.
func TestForeignDescriptorWithState(t *testing.T) {
	w, other := newWorld(t, "tcp", "127.0.0.1:0"), newWorld(t, "tcp", "127.0.0.1:0")
	served := w.serve()
	server, _ := other.conn(t)
	i := other.item(t, server)
	i.Cookie = w.cookie
	if err := w.sender.HandOver(i, text(9)); !errors.Is(err, ErrNoReceiver) {
		t.Errorf("the sender: %v", err)
	}
	if err := <-served; !errors.Is(err, ErrMessage) || len(w.conns) > 0 {
		t.Errorf("the receiver: %v, %d connections", err, len(w.conns))
	}
}
