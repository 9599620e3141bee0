package mailbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/mailbox"
)

func TestAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := mailbox.NewAlarm()
		begin := time.Now()
		a.Set(begin.Add(time.Minute))
		a.Set(begin.Add(2 * time.Minute))
		<-a.C
		if took := time.Since(begin); took != 2*time.Minute {
			t.Errorf("after %v", took)
		}
		a.Set(time.Now().Add(time.Second))
		a.Set(time.Time{})
		time.Sleep(2 * time.Hour)
		select {
		case <-a.C:
			t.Error("an alarm that isn't set")
		default:
		}
	})
}
