package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decode feeds b in pieces of n bytes. fds come with the first.
func decode(b []byte, n, fds int) ([]Frame, error) {
	var cuts []piece
	for len(b) > 0 {
		m := min(n, len(b))
		cuts = append(cuts, piece{b[:m], fds})
		b, fds = b[m:], 0
	}
	return feed(cuts)
}

// piece is what one read brings.
type piece struct {
	bytes []byte
	fds   int
}

// feed is a reader with a decoder, until the end of the stream or an error.
func feed(pieces []piece) (frames []Frame, err error) {
	var d Decoder
	for _, p := range pieces {
		for first := true; first || len(p.bytes) > 0; first = false {
			n := copy(d.Space(), p.bytes)
			d.Filled(n, p.fds)
			p.bytes, p.fds = p.bytes[n:], 0
			got, err := all(&d)
			frames = append(frames, got...)
			if err != nil {
				return frames, err
			}
			d.Rest()
		}
	}
	return frames, d.End()
}

func all(d *Decoder) (frames []Frame, err error) {
	for {
		f, ok, err := d.Next()
		if err != nil || !ok {
			return frames, err
		}
		frames = append(frames, f)
	}
}

// stream is frames as bytes, and where each begins.
func stream(t testing.TB, frames ...Frame) (b []byte, begins []int) {
	for _, f := range frames {
		begins = append(begins, len(b))
		var err error
		if b, err = Append(b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b, begins
}

var mixed = []Frame{
	{Type: Hello, Body: []byte("{}")},
	{Type: Message, FDs: 2, Call: 7, Body: []byte("two")},
	{Type: Message, FDs: 1},
	{Type: Disconnect},
	{Type: 0x80, Body: []byte("from the future")},
	{Type: Message, FDs: MaxFDs, Call: 1<<32 - 1, Body: bytes.Repeat([]byte("x"), 300)},
	{Type: Ready},
}

// piecesOf cuts b at the given places. The descriptors of a frame come with its
// first byte, as the kernel has it.
func piecesOf(b []byte, begins []int, frames []Frame, cuts ...int) (pieces []piece) {
	from := 0
	for _, to := range append(cuts, len(b)) {
		p := piece{bytes: b[from:to]}
		for i, begin := range begins {
			if begin >= from && begin < to {
				p.fds += frames[i].FDs
			}
		}
		pieces = append(pieces, p)
		from = to
	}
	return pieces
}

func TestEverySplit(t *testing.T) {
	b, begins := stream(t, mixed...)
	check := func(cuts ...int) {
		t.Helper()
		got, err := feed(piecesOf(b, begins, mixed, cuts...))
		if err != nil {
			t.Fatalf("cut at %d: %v", cuts, err)
		}
		if !reflect.DeepEqual(mixed, got) {
			t.Fatalf("cut at %d (-want +got):\n%s", cuts, cmp.Diff(mixed, got))
		}
	}
	check()
	for i := 1; i < len(b); i++ {
		check(i)
		for j := i + 1; j < len(b); j += 23 {
			check(i, j)
		}
	}
	var every []int
	for i := 1; i < len(b); i++ {
		every = append(every, i)
	}
	check(every...)
}

func TestLargestFrame(t *testing.T) {
	body := make([]byte, MaxBody)
	for i := range body {
		body[i] = byte(i * i >> 8)
	}
	frames := []Frame{{Type: Message, Body: body}, {Type: Ready}, {Type: Message, Body: body}}
	b, _ := stream(t, frames...)
	got, err := decode(b, 100_000, 0)
	if err != nil || len(got) != 3 || !bytes.Equal(got[0].Body, body) || !bytes.Equal(got[2].Body, body) {
		t.Fatalf("%d frames, error %v", len(got), err)
	}
}

// TestBodyIsTheReceivers: what is read later doesn't change it.
func TestBodyIsTheReceivers(t *testing.T) {
	b, _ := stream(t, Frame{Type: Message, Body: []byte("first")}, Frame{Type: Message, Body: []byte("SECOND")})
	var d Decoder
	d.Filled(copy(d.Space(), b), 0)
	f, _, _ := d.Next()
	clear(d.buf)
	if string(f.Body) != "first" {
		t.Errorf("the body has become %q", f.Body)
	}
}

func TestAppendRefuses(t *testing.T) {
	before := []byte("before")
	for _, tt := range []struct {
		frame Frame
		want  error
	}{
		{Frame{Type: Message, Body: make([]byte, MaxBody+1)}, ErrTooLarge},
		{Frame{Type: Listen, Body: make([]byte, MaxControl+1)}, ErrTooLarge},
		{Frame{Type: Message, FDs: MaxFDs + 1}, ErrDescriptors},
		{Frame{Type: Message, FDs: -1}, ErrDescriptors},
	} {
		b, err := Append(before, tt.frame)
		if !errors.Is(err, tt.want) || string(b) != "before" {
			t.Errorf("%d bytes, %d descriptors: error %v, want %v; %q appended",
				len(tt.frame.Body), tt.frame.FDs, err, tt.want, b)
		}
	}
}

// header is a header as a hostile peer would write it.
func header(change func(h []byte)) []byte {
	h := []byte{magic, Version, byte(Message), 0, 0, 0, 0, 0, 0, 0, 0, 0}
	change(h)
	return h
}

var errAll = []error{ErrMagic, ErrVersion, ErrType, ErrTooLarge, ErrDescriptors, ErrTruncated, ErrBody}

// TestHostile is what a peer can do wrong, and the one error that each is.
func TestHostile(t *testing.T) {
	good := header(func([]byte) {})
	one := header(func(h []byte) { h[3] = 1 })
	long := header(func(h []byte) { h[11] = 5 })
	for _, tt := range []struct {
		name   string
		pieces []piece
		frames int // before the error
		want   error
	}{
		{"nothing", nil, 0, nil},
		{"a frame", []piece{{good, 0}}, 1, nil},
		{"HTTP", []piece{{[]byte("GET / HTTP/1.1\r\n\r\n"), 0}}, 0, ErrMagic},
		{"one wrong byte", []piece{{[]byte{0}, 0}}, 0, ErrMagic},
		{"garbage after a frame", []piece{{append(bytes.Clone(good), "garbage"...), 0}}, 1, ErrMagic},
		{"version 0", []piece{{header(func(h []byte) { h[1] = 0 }), 0}}, 0, ErrVersion},
		{"version 0, no more", []piece{{[]byte{magic, 0}, 0}}, 0, ErrVersion},
		{"a later version", []piece{{header(func(h []byte) { h[1] = 200 }), 0}}, 1, nil},
		{"type 0", []piece{{header(func(h []byte) { h[2] = 0 }), 0}}, 0, ErrType},
		{"an unknown type", []piece{{header(func(h []byte) { h[2] = byte(Retire) + 1 }), 0}}, 0, ErrType},
		{"the last type that can't be skipped", []piece{{header(func(h []byte) { h[2] = 0x7f }), 0}}, 0, ErrType},
		{"a type to skip", []piece{{header(func(h []byte) { h[2] = 0x80 }), 0}}, 1, nil},
		{"a byte too large", []piece{{header(func(h []byte) { binary.BigEndian.PutUint32(h[8:], MaxBody+1) }), 0}}, 0, ErrTooLarge},
		{"no message, a byte too large", []piece{{header(func(h []byte) { h[2] = byte(Closed); binary.BigEndian.PutUint32(h[8:], MaxControl+1) }), 0}}, 0, ErrTooLarge},
		{"to skip, a byte too large", []piece{{header(func(h []byte) { h[2] = 0x80; binary.BigEndian.PutUint32(h[8:], MaxControl+1) }), 0}}, 0, ErrTooLarge},
		{"4 GB", []piece{{header(func(h []byte) { binary.BigEndian.PutUint32(h[8:], 1<<32-1) }), 0}}, 0, ErrTooLarge},
		{"251 descriptors", []piece{{header(func(h []byte) { h[3] = MaxFDs + 1 }), 251}}, 0, ErrDescriptors},
		{"announced, none came", []piece{{one, 0}}, 0, ErrDescriptors},
		{"announced two, one came", []piece{{header(func(h []byte) { h[3] = 2 }), 1}}, 0, ErrDescriptors},
		{"announced, came a frame late", []piece{{one, 0}, {good, 1}}, 0, ErrDescriptors},
		{"announced, came late in the header", []piece{{one[:6], 0}, {one[6:], 1}}, 1, nil}, // harmless
		{"nobody announced it", []piece{{good, 1}}, 1, ErrDescriptors},
		{"announced one, two came", []piece{{one, 2}}, 1, ErrDescriptors},
		{"came within a body", []piece{{long, 0}, {[]byte("bo"), 1}}, 0, ErrDescriptors},
		{"more with each byte of a header", []piece{{good[:1], 200}, {good[1:2], 200}}, 0, ErrDescriptors},
		{"ends in a header", []piece{{good[:5], 0}}, 0, ErrTruncated},
		{"ends before a body", []piece{{long, 0}}, 0, ErrTruncated},
		{"ends in a body", []piece{{append(bytes.Clone(long), "body"...), 0}}, 0, ErrTruncated},
		{"ends with a frame begun", []piece{{append(bytes.Clone(good), magic), 0}}, 1, ErrTruncated},
	} {
		t.Run(tt.name, func(t *testing.T) {
			frames, err := feed(tt.pieces)
			for _, e := range errAll {
				if errors.Is(err, e) != (e == tt.want) {
					t.Errorf("error %q: is %q: %v", err, e, errors.Is(err, e))
				}
			}
			if (err == nil) != (tt.want == nil) || len(frames) != tt.frames {
				t.Errorf("%d frames and error %v; want %d and %v", len(frames), err, tt.frames, tt.want)
			}
		})
	}
}

func TestBodyMakesNoSense(t *testing.T) {
	for _, body := range []string{"", "{", "[]", `{"min":"one"}`, "\xff", `{"min":1e99}`} {
		var hello HelloBody
		err := Frame{Type: Hello, Body: []byte(body)}.Decode(&hello)
		if !errors.Is(err, ErrBody) {
			t.Errorf("%q: error %v", body, err)
		}
	}
}

// TestMemory: a header that announces much and brings little costs little, and a
// decoder that rests after a large frame has given its buffer back.
func TestMemory(t *testing.T) {
	var d Decoder
	h := header(func(h []byte) { binary.BigEndian.PutUint32(h[8:], MaxBody) })
	d.Filled(copy(d.Space(), h), 0)
	came := len(h)
	for came < HeaderSize+MaxBody {
		if f, ok, err := d.Next(); ok || err != nil {
			t.Fatalf("after %d bytes: %v %v %v", came, f.Type, ok, err)
		}
		n := min(len(d.Space()), 3000, HeaderSize+MaxBody-came)
		d.Filled(n, 0)
		if came += n; came < trusted && cap(d.buf) > 3*came+2*firstRead || cap(d.buf) > HeaderSize+MaxBody {
			t.Fatalf("%d bytes held for %d that came", cap(d.buf), came)
		}
	}
	if _, ok, err := d.Next(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if d.Rest(); cap(d.buf) > firstRead {
		t.Errorf("%d bytes held at rest", cap(d.buf))
	}
}

// TestRestKeeps what has come.
func TestRestKeeps(t *testing.T) {
	f := Frame{Type: Message, Body: bytes.Repeat([]byte("y"), 3*firstRead)}
	b, _ := stream(t, f)
	got, err := decode(b, len(b)-1, 0) // feed calls Rest after each piece
	if diff := cmp.Diff([]Frame{f}, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestTypeNames(t *testing.T) {
	for typ, want := range map[Type]string{Hello: "hello", Retire: "retire", 0: "type 0", 0x80: "type 128", 0xff: "type 255"} {
		if got := fmt.Sprint(typ); got != want {
			t.Errorf("%d: got %q, want %q", uint8(typ), got, want)
		}
	}
}

// A large frame is not copied: its body is the buffer, which is no larger than the frame.
func TestDecoderLargeFrame(t *testing.T) {
	for _, after := range []int{0, 7} { // bytes of the next frame
		stream := append(append(mustAppend(t, Frame{Type: Message, Body: make([]byte, MaxBody)}), mustAppend(t, Frame{Type: Ready})...), 0)[:HeaderSize+MaxBody+after]
		var d Decoder
		for len(stream) > 0 {
			n := copy(d.Space(), stream)
			stream = stream[n:]
			if d.Filled(n, 0); len(d.buf) > HeaderSize+MaxBody+firstRead {
				t.Fatalf("the buffer has %d bytes", len(d.buf))
			}
			f, ok, err := d.Next()
			if err != nil {
				t.Fatal(err)
			}
			if ok && (len(f.Body) != MaxBody || cap(f.Body) != MaxBody || d.buf != nil) {
				t.Errorf("a body of %d, cap %d, and a buffer of %d", len(f.Body), cap(f.Body), len(d.buf))
			}
		}
		if d.w-d.r != after {
			t.Errorf("%d bytes of the next frame, want %d", d.w-d.r, after)
		}
	}
}

func mustAppend(t *testing.T, f Frame) []byte {
	t.Helper()
	b, err := Append(nil, f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
