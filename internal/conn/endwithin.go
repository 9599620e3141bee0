package conn

import "time"

const (
	endTick = 10 * time.Millisecond // how often connections are ended, see EndWithin

	// lastWords is how long the program has to close a connection whose reading side was shut
	// down.
	lastWords = time.Second
)

// Endable is a connection that a drain ends. It is comparable.
type Endable interface {
	EndReading()
	Close() error
}

// EndWithin ends the connections that open returns, evenly spread over a time, and then all that
// are left. The program reads EOF, and closes the connection when it has written what it
// wants; lastWords later it is closed. EndWithin returns when the drain is over.
func EndWithin(within time.Duration, drained <-chan struct{}, open func() []Endable) {
	ticker := time.NewTicker(endTick)
	defer ticker.Stop()
	ended := map[Endable]time.Duration{} // when, from begin
	n := len(open())
	for begin := time.Now(); ; {
		passed := time.Since(begin)
		for _, c := range open() {
			at, isEnded := ended[c]
			switch {
			case isEnded && passed-at >= lastWords:
				_ = c.Close() // the program may have
			case !isEnded && (passed >= within || len(ended) <= int(float64(n)*float64(passed)/float64(within))):
				c.EndReading()
				ended[c] = passed
			}
		}
		select {
		case <-ticker.C:
		case <-drained:
			return
		}
	}
}
