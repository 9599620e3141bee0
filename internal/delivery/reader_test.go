package delivery

import "testing"

// Garbage is collected each time that 16 MB of large messages have come, however many messages that are, and never for
// small ones.
func TestCollect(t *testing.T) {
	for _, tc := range []struct{ size, messages, want int }{
		{8 << 20, 9, 4}, {1 << 20, 48, 3}, {40 << 20, 2, 2}, {1<<20 - 1, 1000, 0},
	} {
		n := 0
		r := &Reader[struct{}]{Collect: func() { n++ }}
		for range tc.messages {
			r.count(tc.size)
		}
		if n != tc.want {
			t.Errorf("%d messages of %d bytes: %d times, want %d", tc.messages, tc.size, n, tc.want)
		}
	}
}
