// Package judge decides whether canaries of a reload answer more requests with an error of the server than the workers
// of before. A Judge is a pure value; a Trial asks it while canaries are on trial.
package judge

import (
	"cmp"
	"fmt"

	"github.com/rota-go/rota/reload"
)

// Judge decides by their answers whether canaries are worse than the workers of before. The zero value of every field
// means its default.
type Judge struct {
	Requests int     // that canaries must have answered before they are judged; 0: 100
	Floor    float64 // the share of errors that is good enough, whatever the others have; 0: 0.05
	Ratio    float64 // how many times as large as that of the others the share of errors may be; 0: 2
}

// needs returns how many requests canaries must have answered before they are judged.
func (j Judge) needs() int64 { return int64(cmp.Or(j.Requests, 100)) }

// Answers are what workers have answered since the trial began.
type Answers struct {
	Requests int64
	Errors   int64 // of these
}

// Share returns the share of errors, 0 without a request.
func (a Answers) Share() float64 {
	if a.Requests <= 0 {
		return 0
	}
	return float64(a.Errors) / float64(a.Requests)
}

// Judge returns why the canaries are worse than the others: an error that wraps reload.ErrWorse, or nil as long
// as they aren't. Of others without a request it is taken that they have no errors.
func (j Judge) Judge(canaries, others Answers) error {
	share := canaries.Share()
	switch {
	case canaries.Requests < j.needs():
	case share <= cmp.Or(j.Floor, 0.05), share <= cmp.Or(j.Ratio, 2)*others.Share():
	default:
		return fmt.Errorf("%w: %d of %d, they %d of %d", reload.ErrWorse, canaries.Errors, canaries.Requests, others.Errors, others.Requests)
	}
	return nil
}
