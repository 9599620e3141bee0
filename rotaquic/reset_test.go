package rotaquic

import (
	"bytes"
	"testing"
)

// A reset is shorter than the packet that it answers, looks like a packet, and ends with the token of the id.
func TestReset(t *testing.T) {
	k := testKeys(t, 1)
	id := k.encode(place{3, 1}, 1)
	for size := range 100 {
		b := k.reset(id[:], make([]byte, size))
		want := min(size-1, maxReset)
		if want < minReset {
			want = 0
		}
		if len(b) != want {
			t.Errorf("a packet of %d bytes is answered by %d", size, len(b))
		}
		if want > 0 && (b[0]&0xc0 != 0x40 || !bytes.HasSuffix(b, k.resetToken(id[:]))) {
			t.Errorf("%d bytes: %x", size, b)
		}
	}
	if other := k.encode(place{3, 1}, 2); bytes.Equal(k.resetToken(id[:]), k.resetToken(other[:])) {
		t.Error("two ids have one token")
	}
}
