package balance

import (
	"slices"
	"time"

	"github.com/rota-go/rota/internal/wire"
)

const (
	// dense is how many connections for each worker are so many that each worker has enough to do.
	dense = 32
	// A gathering begins with so many waits a second for each processor, and so much processor time for each.
	beginWaits, beginCost = 2000, 100 * time.Microsecond
	// It ends with fewer, or more, for stays and staysCounts counts; or with twice as many connections.
	stayWaits, stayCost = 500, 500 * time.Microsecond
	stays, staysCounts  = 5 * time.Second, 2
	// opening is how many waits a new connection costs at most, which are not those of requests on kept ones.
	opening = 3
)

// Gathering says whether few workers are to have all connections: see docs/decisions/0065. The zero value is ready.
type Gathering struct {
	counted time.Time
	loads   map[int]Load // by worker, when they were counted
	until   time.Time    // it goes on, at least
	counts  int          // for so many more, at least: until may be over before the next
	on      bool         // the connections are gathered
}

// Count takes what the workers have, and what they have cost by now, and reports whether the connections are to be gathered at as
// many workers as there are processors.
func (g *Gathering) Count(now time.Time, loads []Load, processors int) bool {
	waits, cost, most := int64(beginWaits), beginCost, dense*len(loads)
	if g.on {
		waits, cost, most = stayWaits, stayCost, 2*most
	}
	spent, known := g.spent(loads)
	enough := float64(spent.Waits) >= now.Sub(g.counted).Seconds()*float64(waits)*float64(processors)
	g.counts = max(g.counts-1, 0)
	if g.on && !known || known && enough && spent.Processor <= cost*time.Duration(spent.Waits) {
		g.until, g.counts = now.Add(stays), staysCounts
	}
	g.counted = now
	g.on = (now.Before(g.until) || g.counts > 0) && len(loads) > processors && sum(loads) <= most
	return g.on
}

// spent returns what requests on kept connections have cost the workers since the last count, and whether that is known: after a
// reload all are new. They may say anything.
func (g *Gathering) spent(loads []Load) (sum wire.Work, known bool) {
	now := map[int]Load{}
	for _, l := range loads {
		now[l.ID] = l
		if before, ok := g.loads[l.ID]; ok {
			known = true
			sum.Processor += min(max(l.Work.Processor-before.Work.Processor, 0), time.Hour)
			sum.Waits += grown(before.Work.Waits, l.Work.Waits) - opening*grown(before.New, l.New)
		}
	}
	g.loads, sum.Waits = now, max(sum.Waits, 0)
	return sum, known
}

// grown returns by how much a count has grown.
func grown(from, to int64) int64 { return min(max(to-from, 0), 1<<30) }

// Gather returns who gives how many to whom, so that n workers have all connections, those that have most already, and about as
// many each. Workers that don't give, because what they have can't move, take no part.
func Gather(loads []Load, n int) (moves []Move) {
	sorted := slices.DeleteFunc(mostFirst(loads), func(l Load) bool { return !l.Gives })
	if len(sorted) <= n {
		return Plan(sorted)
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
