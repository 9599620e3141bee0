package handover

import (
	"bytes"
	"testing"
)

// FuzzMessages checks that what is parsed is what was sent, and that nothing else is.
func FuzzMessages(f *testing.F) {
	f.Add(appendOffer(nil, []facts{{1, 0, false}, {1 << 63, inUse - 1, true}}), 2)
	f.Add(appendAnswer(nil, []bool{true, false}), 2)
	f.Add([]byte{answerKind, 2}, 1)
	f.Add([]byte("h\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02{}"), 1)
	f.Add([]byte("m{}"), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if all, err := parseOffer(b); err == nil {
			if len(all) == 0 || len(all) > MaxBatch || !bytes.Equal(appendOffer(nil, all), b) {
				t.Errorf("%q is an offer of %v", b, all)
			}
		}
		if h, err := parseHand(b); err == nil {
			if m, rest := appendHand(nil, h.cookie, h.state); h.whole() && (!bytes.Equal(m, b[:len(m)]) || len(m)+len(rest) != len(b)) {
				t.Errorf("%q is a hand-over of %+v", b, h)
			}
			if h.more(b); len(h.state) > h.size {
				t.Errorf("%d bytes of a state of %d", len(h.state), h.size)
			}
		}
		if taken, err := parseAnswer(b, n); err == nil {
			if len(taken) != n || !bytes.Equal(appendAnswer(nil, taken), b) {
				t.Errorf("%q is the answer %v", b, taken)
			}
		}
	})
}
