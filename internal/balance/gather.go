package balance

import (
	"time"

	"github.com/rota-go/rota/internal/wire"
)

const (
	// dense is how many connections for each worker are so many that each worker has enough to do.
	dense = 32
	// A gathering begins with so many waits a second for each processor, and so much processor time for each.
	beginWaits, beginCost = 2000, 100 * time.Microsecond
	// It ends with fewer, or more, for stays, or two counts, where these are rare: up to longest.
	stayWaits, stayCost = 500, 500 * time.Microsecond
	stays, longest      = 5 * time.Second, time.Minute
	// opening is how many waits a new connection costs at most, which are not those of requests on kept ones.
	opening = 3
)

// Gathering says whether few workers are to have all connections: see docs/decisions/0065. The zero value is ready.
type Gathering struct {
	counted time.Time
	loads   map[int]Load // by worker, when they were counted
	until   time.Time
}

// Count takes what the workers have, and what they have cost by now, and reports whether the connections are to be gathered at as
// many workers as there are processors.
func (g *Gathering) Count(now time.Time, loads []Load, processors int) bool {
	spent := g.spent(loads)
	waits, cost := int64(beginWaits), beginCost
	if now.Before(g.until) {
		waits, cost = stayWaits, stayCost
	}
	passed := now.Sub(g.counted)
	enough := float64(spent.Waits) >= passed.Seconds()*float64(waits)*float64(processors)
	if enough && spent.Processor <= cost*time.Duration(spent.Waits) {
		g.until = now.Add(max(stays, min(2*passed, longest)))
	}
	g.counted = now
	return now.Before(g.until) && len(loads) > processors && sum(loads) <= dense*len(loads)
}

// spent returns what requests on kept connections have cost the workers since the last count. They may say anything.
func (g *Gathering) spent(loads []Load) (sum wire.Work) {
	now := map[int]Load{}
	for _, l := range loads {
		now[l.ID] = l
		if before, ok := g.loads[l.ID]; ok {
			sum.Processor += min(max(l.Work.Processor-before.Work.Processor, 0), time.Hour)
			sum.Waits += grown(before.Work.Waits, l.Work.Waits) - opening*grown(before.New, l.New)
		}
	}
	g.loads, sum.Waits = now, max(sum.Waits, 0)
	return sum
}

// grown returns by how much a count has grown.
func grown(from, to int64) int64 { return min(max(to-from, 0), 1<<30) }

// Gather returns who gives how many to whom, so that n workers have all connections, those that have most already, and about as
// many each.
func Gather(loads []Load, n int) (moves []Move) {
	sorted := mostFirst(loads)
	if len(sorted) <= n {
		return Plan(loads)
	}
	few, others := sorted[:n], sorted[n:]
	takers := newTakers(few, (sum(sorted)+n-1)/n)
	for _, l := range others {
		moves = takers.take(moves, l, l.Open)
	}
	if moves == nil {
		return Plan(few)
	}
	return moves
}
