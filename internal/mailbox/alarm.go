package mailbox

import "time"

// Alarm is a timer for when the owner of a mailbox has something to do.
type Alarm struct{ *time.Timer }

// NewAlarm returns an alarm that isn't set, or will be soon.
func NewAlarm() Alarm { return Alarm{time.NewTimer(time.Hour)} }

// Set sets the alarm to t, in the place of what it was set to. The zero time is never.
func (a Alarm) Set(t time.Time) {
	if t.IsZero() {
		a.Stop()
		return
	}
	a.Reset(time.Until(t))
}
