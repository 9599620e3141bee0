//go:build linux

package spread

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// startShared starts n workers, of one thread of Go code each, that accept from one queue.
func startShared(t *testing.T, n int) *e2etest.Process {
	t.Helper()
	cfg := server.Quick(n)
	cfg.Spread = master.SpreadShared
	return e2etest.Start(t, "serve", cfg, "GOMAXPROCS=1")
}

// A connection wakes the worker that accepts it, and none of the others, and all have their turn: at
// most 1.2 connections of the busiest for one of the idlest. A machine with other work may take a worker off
// its processor for many turns, so the best of three tries counts.
func TestTurns(t *testing.T) {
	for _, n := range []int{2, 4, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			p := startShared(t, n)
			woken, uneven := math.Inf(1), math.Inf(1)
			for try := 0; try < 3 && (woken > 0 || uneven > 1.2); try++ {
				by, others := paced(t, p, 40*n)
				t.Logf("the others switched %v times a connection, in the mean %v; answered by %v", e2etest.Median(others), mean(others), by)
				woken, uneven = min(woken, e2etest.Median(others)), min(uneven, unevenness(by, n))
			}
			if woken > 0 || uneven > 1.2 {
				t.Errorf("the others switched %v times a connection, want 0; %.1f between the busiest and the idlest, want at most 1.2", woken, uneven)
			}
		})
	}
}

// paced makes requests one after the other with pauses. It returns how many each worker has answered, and the
// context switches of the others at each.
func paced(t *testing.T, p *e2etest.Process, n int) (by map[string]int, others []float64) {
	t.Helper()
	by = map[string]int{}
	all := p.Children()
	for range n {
		before := map[int]int64{}
		for _, pid := range all {
			before[pid] = sum([]int{pid}, contextSwitches)
		}
		body, err := e2etest.Request("tcp", p.Addr(), "/")
		e2etest.NoError(t, err)
		by[workerOf(body)]++
		time.Sleep(2 * time.Millisecond)
		switched := 0.0
		for _, pid := range all {
			if strconv.Itoa(pid) != pidOf(body) {
				switched += float64(sum([]int{pid}, contextSwitches) - before[pid])
			}
		}
		others = append(others, switched)
	}
	return by, others
}

func mean(all []float64) (m float64) {
	for _, v := range all {
		m += v / float64(len(all))
	}
	return m
}

// pidOf returns which process has answered.
func pidOf(body string) string { return strings.Fields(body)[5] }

// unevenness returns the number of the busiest of n workers for each of the idlest.
func unevenness(by map[string]int, n int) float64 {
	if len(by) < n {
		return math.Inf(1)
	}
	all := slices.Collect(maps.Values(by))
	return float64(slices.Max(all)) / float64(slices.Min(all))
}

// What the kernel wakes a worker for that can't accept, because it is out of descriptors, is accepted by
// the others.
func TestTurnOfAWorkerWithoutDescriptors(t *testing.T) {
	p := startShared(t, 3)
	usual, _ := latency(t, p, 100)
	victim := p.Children()[1]
	var old unix.Rlimit
	e2etest.NoError(t, unix.Prlimit(victim, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 3}, &old))
	late := time.Hour
	for try := 0; try < 3 && late > 100*time.Millisecond; try++ { // a busy machine holds some up anyway
		took, by := latency(t, p, 100)
		t.Logf("the 99th of a hundred took %v, before that %v; answered by %v", took, usual, by)
		late = min(late, took)
	}
	if late > 100*time.Millisecond {
		t.Errorf("the 99th took %v", late)
	}
	if p.Logged(e2etest.WorkerDied)+p.Logged(e2etest.WorkerLeft) > 0 {
		t.Error("a worker without descriptors has ended")
	}
}
