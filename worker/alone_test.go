package worker

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/rota-go/rota/ipc"
)

// A program may use every method without a master, as in its tests.
func TestWorkerAlone(t *testing.T) {
	w := Self()
	if w != nil {
		t.Fatal("this test runs in a worker")
	}
	if w.ID() != 0 || w.Slot() != 0 || w.Generation() != 0 || w.IsConnected() {
		t.Error("a worker alone has a place in a rota")
	}
	if w.Disconnecting() != nil || w.Done() != nil || w.CanHandOver() != nil {
		t.Error("something may happen to a worker alone")
	}
	w.OnMessage(func(ipc.Message) {})
	w.OnLeave(func() { t.Error("a worker alone leaves") })
	if _, err := w.SharedFile("a", 1); !errors.Is(err, ErrDisconnected) {
		t.Errorf("shared file: %v", err)
	}
	if _, err := new(Worker).SharedFile("a", 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a shared file without a size: %v", err)
	}
	if _, err := w.SharedQueue("a"); !errors.Is(err, ErrDisconnected) {
		t.Errorf("shared queue: %v", err)
	}
	if _, err := w.Status(t.Context()); !errors.Is(err, ErrDisconnected) {
		t.Errorf("status: %v", err)
	}
	w.Report(ErrDisconnected)
	w.OnHealth(func(context.Context) error { return nil })
	w.OnDisconnect(func(context.Context) error { return nil })
	w.OnTicketKeys(func([][32]byte) {})
	w.OnHandOver(func(net.Conn, ipc.Message) {})
	w.OnHandOverState(func(context.Context, io.Writer) error { return nil })
	for op, err := range map[string]error{"Ready": w.Ready(), "Broadcast": w.Broadcast(1)} {
		if err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
	for op, err := range map[string]error{"Send": w.Send(1), "Disconnect": w.Disconnect(), "Kill": w.Kill()} {
		if !errors.Is(err, ErrDisconnected) {
			t.Errorf("%s: %v, want ErrDisconnected", op, err)
		}
	}
	if err := w.HandOver(nil, nil); !errors.Is(err, ErrNoSuccessor) {
		t.Errorf("HandOver: %v, want ErrNoSuccessor", err)
	}
	if _, err := w.Inherit(t.Context()); err != io.EOF {
		t.Errorf("Inherit: %v, want io.EOF", err)
	}
}

// Without a master a lease has one holder at a time too.
func TestLeadAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := Self()
		release := make(chan struct{})
		results := make(chan string, 3)
		lead := func(ctx context.Context, who, name string) {
			err := w.Lead(ctx, name, func(context.Context) error {
				results <- who
				<-release
				return nil
			})
			if err != nil {
				results <- who + ": " + err.Error()
			}
		}
		go lead(t.Context(), "first", "job")
		synctest.Wait()
		ctx, cancel := context.WithCancelCause(t.Context())
		go lead(ctx, "second", "job")
		go lead(t.Context(), "other", "another job")
		synctest.Wait()
		cancel(errors.New("too late"))
		synctest.Wait()
		got := map[string]bool{<-results: true, <-results: true, <-results: true}
		if !got["first"] || !got["other"] || !got["second: too late"] {
			t.Errorf("got %v", got)
		}
		close(release)
		synctest.Wait()
		lead(t.Context(), "third", "job")
		if r := <-results; r != "third" {
			t.Errorf("after the first: %v", r)
		}
	})
}
