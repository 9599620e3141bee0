package thread

import (
	"errors"
	"testing"
)

// f runs only after prepare, and the error is that of the one that failed.
func TestDo(t *testing.T) {
	first, second := errors.New("prepare"), errors.New("f")
	for _, tc := range []struct{ prepare, f, want error }{{nil, nil, nil}, {first, second, first}, {nil, second, second}} {
		called := false
		err := Do(func() error { return tc.prepare }, func() error { called = true; return tc.f })
		if err != tc.want || called != (tc.prepare == nil) {
			t.Errorf("%v, %v: error %v, f called: %v", tc.prepare, tc.f, err, called)
		}
	}
}
