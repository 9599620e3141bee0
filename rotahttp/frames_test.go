package rotahttp

import (
	"math/rand/v2"
	"testing"
)

func frame(typ, flags byte, length int) []byte {
	return append([]byte{byte(length >> 16), byte(length >> 8), byte(length), typ, flags, 0, 0, 0, 1}, make([]byte, length)...)
}

// The boundaries between frames are found however the bytes are split into writes. There is
// none before the first frame or inside a field block.
func TestFrameBoundaries(t *testing.T) {
	var all []byte
	if new(frameTracker).atBoundary() {
		t.Error("atBoundary is true before the first frame")
	}
	boundary := map[int]bool{}
	for _, f := range []struct {
		bytes []byte
		after bool
	}{
		{frame(4, 0, 18), true},
		{frame(frameHeaders, 0, 30), false},
		{frame(frameContinuation, 0, 7), false},
		{frame(frameContinuation, flagEndHeaders, 0), true},
		{frame(0, 0, 70000), true},
		{frame(frameHeaders, flagEndHeaders, 1), true},
		{frame(framePushPromise, 0, 1), false},
		{frame(frameContinuation, flagEndHeaders, 1), true},
		{frame(0, 1, 0), true},
	} {
		all = append(all, f.bytes...)
		boundary[len(all)] = f.after
	}
	for range 1000 {
		var f frameTracker
		for n := 0; n < len(all); {
			part := all[n:min(n+1+rand.IntN(40000), len(all))]
			if rand.IntN(2) == 0 {
				part = part[:min(len(part), 1+rand.IntN(20))]
			}
			n += f.advanceToBoundary(part)
			if f.atBoundary() != boundary[n] {
				t.Fatalf("atBoundary is %v after %d bytes, want %v", f.atBoundary(), n, boundary[n])
			}
		}
	}
}
