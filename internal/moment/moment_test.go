package moment

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f First
		if f.IsOlder(0) {
			t.Error("it has happened before it has")
		}
		first := f.Record()
		if !first.Equal(time.Now()) || !f.IsOlder(0) || f.IsOlder(1) {
			t.Errorf("it happened at %v, and now is %v", first, time.Now())
		}
		time.Sleep(time.Second)
		if again := f.Record(); !again.Equal(first) {
			t.Errorf("at %v again, and not %v", again, first)
		}
		if !f.IsOlder(time.Second) || f.IsOlder(time.Second+1) {
			t.Error("not a second ago")
		}
	})
}
