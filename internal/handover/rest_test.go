package handover

import (
	"testing"
	"testing/synctest"
	"time"
)

// What is left of a time is that time less what has gone, and never the value that says that there is no limit.
func TestLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for rest, want := range map[time.Duration]time.Duration{
			0: 0, time.Hour: time.Hour - time.Second, time.Second: time.Millisecond, time.Millisecond: time.Millisecond,
		} {
			until := Until(rest)
			time.Sleep(time.Second)
			if got := Left(until); got != want {
				t.Errorf("%v are left of %v after a second, want %v", got, rest, want)
			}
		}
	})
}
