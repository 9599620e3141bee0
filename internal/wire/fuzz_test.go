package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecoder holds the decoder to three promises for any bytes in any split: it
// never panics, its memory follows what has come, and the frames and the error
// don't depend on the split. Each byte of split is the size of a piece; beginFDs
// says whether the descriptors that the headers announce come with them, as the
// kernel has it, or stray ones with every piece.
func FuzzDecoder(f *testing.F) {
	for _, s := range samples {
		b, _ := stream(f, s.whole(), Frame{Type: Ready})
		f.Add(b, []byte{1, 12, 3}, true, uint8(0))
	}
	b, _ := stream(f, mixed...)
	f.Add(b, []byte{1}, true, uint8(0))
	f.Add(b, []byte{200, 1}, false, uint8(3))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte{3}, true, uint8(0))
	f.Fuzz(func(t *testing.T, data, split []byte, kernel bool, stray uint8) {
		if !kernel {
			_, _, _ = fuzzFeed(t, data, split, func(int, int) int { return int(stray) })
			return
		}
		announced := announcedIn(data)
		came := func(from, to int) (n int) {
			for at, fds := range announced {
				if at >= from && at < to {
					n += fds
				}
			}
			return n
		}
		frames, err, endErr := fuzzFeed(t, data, split, came)
		whole, wholeErr, wholeEnd := fuzzFeed(t, data, nil, came)
		if diff := cmp.Diff(whole, frames); diff != "" {
			t.Fatalf("the split changes the frames (-whole +split):\n%s", diff)
		}
		if class(err) != class(wholeErr) || err == nil && class(endErr) != class(wholeEnd) {
			t.Fatalf("the split changes the error: whole %v %v, split %v %v", wholeErr, wholeEnd, err, endErr)
		}
		if err == nil {
			again(t, data, frames, endErr)
		}
	})
}

// announcedIn is where frames begin, and how many descriptors each announces.
func announcedIn(data []byte) map[int]int {
	begins := map[int]int{}
	for at := 0; at+HeaderSize <= len(data); {
		f, size, err := parse(data[at:])
		if err != nil || checkStart(data[at:]) != nil {
			return begins
		}
		begins[at] = f.FDs
		at += HeaderSize + size
	}
	return begins
}

func fuzzFeed(t *testing.T, data, split []byte, came func(from, to int) int) (frames []Frame, err, end error) {
	var d Decoder
	for from := 0; from < len(data); {
		space := d.Space()
		if len(space) == 0 {
			t.Fatal("no space")
		}
		n := min(len(space), len(data)-from)
		if len(split) > 0 {
			n = min(n, 1+int(split[from%len(split)]))
		}
		copy(space, data[from:from+n])
		d.Filled(n, came(from, from+n))
		from += n
		if cap(d.buf) > 3*from+2*firstRead {
			t.Fatalf("%d bytes held for %d that came", cap(d.buf), from)
		}
		got, err := all(&d)
		frames = append(frames, got...)
		if err != nil {
			return frames, err, nil
		}
	}
	return frames, nil, d.End()
}

// again writes what was read: the same bytes, but for the version of a newer peer.
func again(t *testing.T, data []byte, frames []Frame, end error) {
	var b []byte
	for _, f := range frames {
		var err error
		begin := len(b)
		if b, err = Append(b, f); err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		b[begin+1] = data[begin+1]
	}
	if !bytes.HasPrefix(data, b) || end == nil && len(b) != len(data) {
		t.Fatalf("%d bytes in, %d out", len(data), len(b))
	}
}

func class(err error) error {
	for _, e := range errAll {
		if errors.Is(err, e) {
			return e
		}
	}
	return err
}
