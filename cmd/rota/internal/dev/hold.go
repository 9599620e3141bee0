//go:build linux

package dev

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/controlclient"
)

// held are workers that are stopped, so that connections wait in the accept queue and requests in those that are
// open. Nothing is lost: stopped processes go on where they were.
type held struct {
	mu   sync.Mutex
	pids map[int][]int // by slot
}

// holdLimit is how long the master may take to say which workers there are.
const holdLimit = time.Second

// hold stops the workers that serve, unless that was done.
func (h *held) hold(ctx context.Context, socket string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pids) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	pids := map[int][]int{}
	_, err := controlclient.Do(ctx, socket, control.Request{Do: control.Status}, func(r control.Reply) {
		if r.Status == nil {
			return
		}
		for _, w := range r.Status.Workers {
			if w.IsServing() && w.PID > 0 && syscall.Kill(w.PID, syscall.SIGSTOP) == nil {
				pids[w.Slot] = append(pids[w.Slot], w.PID)
			}
		}
	})
	if h.pids = pids; err != nil {
		h.resumeAll()
	}
}

// releaseSlot lets the workers of a slot go on.
func (h *held) releaseSlot(slot int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.resume(slot)
}

// release lets all go on.
func (h *held) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.resumeAll()
}

func (h *held) resumeAll() {
	for slot := range h.pids {
		h.resume(slot)
	}
}

func (h *held) resume(slot int) {
	for _, pid := range h.pids[slot] {
		_ = syscall.Kill(pid, syscall.SIGCONT) // it may have ended
	}
	delete(h.pids, slot)
}
