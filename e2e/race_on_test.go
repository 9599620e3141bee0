//go:build linux && race

package e2e

import "time"

const (
	raceDetector = true
	exitTime     = time.Second // a process with the race detector takes it to end
)
