//go:build linux

package rotaquic

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// All packets for a queue wait while it is opened, once. If that fails they are lost, and the next one tries again.
func TestQueueIsOpenedOnce(t *testing.T) {
	s := newSite(t)
	asked := make(chan bool)
	q := &queues{open: func(index uint8) (*os.File, error) {
		if <-asked {
			return s.open(index)
		}
		return nil, errors.New("no answer")
	}}
	defer q.close()
	for _, works := range []bool{false, true} {
		var group sync.WaitGroup
		var sent atomic.Int64
		for range 4 {
			group.Go(func() {
				if q.send(3, []byte("head"), []byte("data")) {
					sent.Add(1)
				}
			})
		}
		asked <- works
		waitNone(t, &group, asked)
		if got := sent.Load(); works && got != 4 || !works && got != 0 {
			t.Errorf("the queue can be opened: %t, and %d packets were sent", works, got)
		}
	}
	if !q.send(3, nil, []byte("x")) {
		t.Error("a packet of an open queue was lost")
	}
	q.close()
	if q.send(3, nil, []byte("x")) {
		t.Error("a packet was sent after close")
	}
}

// waitNone waits for the senders. Those that come after a failure ask again, and get no.
func waitNone(t *testing.T, group *sync.WaitGroup, asked chan<- bool) {
	t.Helper()
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for {
		select {
		case asked <- false:
		case <-done:
			return
		}
	}
}

// prepare opens the queues of the members that live.
func TestPrepare(t *testing.T) {
	s := newSite(t)
	var opened [4]atomic.Int64
	q := &queues{open: func(index uint8) (*os.File, error) {
		opened[index].Add(1)
		return s.open(index)
	}}
	defer q.close()
	tab := with(serving, absent, leaving, starting)
	q.prepare(tab)
	q.prepare(tab)
	for i, want := range []int64{1, 0, 1, 1} {
		if got := opened[i].Load(); got != want {
			t.Errorf("queue %d was opened %d times, want %d", i, got, want)
		}
	}
}

// A master that doesn't answer holds prepare up for openTime, and not for each member.
func TestPrepareWithoutMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		q := &queues{open: func(uint8) (*os.File, error) {
			<-ended
			return nil, errors.New("no answer")
		}}
		began := time.Now()
		q.prepare(with(serving, leaving, leaving, leaving))
		if took := time.Since(began); took != openTime {
			t.Errorf("it took %v", took)
		}
		close(ended)
	})
}
