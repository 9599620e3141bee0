package reload

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWithDefaults(t *testing.T) {
	both := cmp.AllowUnexported(Policy{})
	for _, c := range []struct{ in, want Policy }{{
		in: Policy{},
		want: Policy{
			Surge: 1, MinUptime: time.Second, ReadyTimeout: time.Minute, Grace: 30 * time.Second, StopGrace: 30 * time.Second,
			KillAfter: 5 * time.Second, MaxAge: NoLimit,
			MinBackoff: 100 * time.Millisecond, MaxBackoff: 30 * time.Second, healed: 30 * time.Second,
		},
	}, {
		in: Policy{Surge: -2, MinUptime: -1, ReadyTimeout: -1, Grace: -1, StopGrace: -2, KillAfter: -1, MaxAge: -1,
			MinBackoff: -1, MaxBackoff: -1, healed: -1},
		want: Policy{Surge: 1, MinUptime: -1, ReadyTimeout: time.Minute, Grace: -1, StopGrace: -2, KillAfter: -1, MaxAge: NoLimit,
			MinBackoff: -1, MaxBackoff: 30 * time.Second, healed: -1},
	}, {
		in: Policy{ReadyTimeout: NoLimit, Grace: NoLimit, KillAfter: NoLimit, MinBackoff: time.Minute},
		want: Policy{Surge: 1, MinUptime: time.Second, ReadyTimeout: NoLimit, Grace: NoLimit, StopGrace: NoLimit, KillAfter: NoLimit,
			MaxAge: NoLimit, MinBackoff: time.Minute, MaxBackoff: time.Minute, healed: 30 * time.Second},
	}} {
		if diff := cmp.Diff(c.want, c.in.WithDefaults(), both); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.in, diff)
		}
		if diff := cmp.Diff(c.want, c.in.WithDefaults().WithDefaults(), both); diff != "" {
			t.Errorf("%+v, twice (-want +got):\n%s", c.in, diff)
		}
	}
}

func TestError(t *testing.T) {
	var err error = &Error{Worker: 7, Slot: 2, Generation: 3, PID: 4242,
		Err: fmt.Errorf("%w: exit status 1", ErrDied), Stderr: "no such file: config\nbye\n"}
	want := "reload: worker 7 (slot 2, generation 3, pid 4242): died: exit status 1\n\tno such file: config\n\tbye"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(err, ErrDied) || errors.Is(err, ErrNotReady) {
		t.Error("errors.Is does not find ErrDied alone")
	}
	err = &Error{Worker: 7, Err: ErrNotReady}
	if got, want := err.Error(), "reload: worker 7 (slot 0, generation 0): not ready in time"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestActionString(t *testing.T) {
	seen := map[string]bool{}
	for a := Action(-1); a <= Stopped+1; a++ {
		seen[a.String()] = true
	}
	if len(seen) != int(Stopped)+1 || seen[""] {
		t.Errorf("the names are not distinct: %v", seen)
	}
}

// This is what a master does for a rota of one worker that is ready at once.
func ExamplePolicy_Next() {
	var members []Member
	goal, now := Goal{Workers: 1, Generation: 1}, time.Unix(0, 0).UTC()
	for {
		steps, _ := Policy{}.Next(goal, members, now)
		if len(steps) == 0 {
			break
		}
		for _, s := range steps {
			fmt.Println(s.Do)
			switch s.Do {
			case Start:
				members = append(members, Member{ID: 1, Slot: s.Slot, Generation: s.Generation, Started: now, Ready: now})
			case Establish:
				goal.Established = true
			}
		}
	}
	// Output:
	// start
	// establish
}
