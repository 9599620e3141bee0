//go:build linux && race

package e2etest

import "time"

// RaceDetector says whether the race detector is on. A process with it takes ExitTime
// longer to end.
const (
	RaceDetector = true
	ExitTime     = time.Second
)
