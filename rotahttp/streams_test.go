package rotahttp

import (
	"strings"
	"testing"
)

// frameOn is a frame on a stream.
func frameOn(stream, typ, flags byte, length int) string {
	f := frame(typ, flags, length)
	f[8] = stream
	return string(f)
}

// A stream is open from the client's HEADERS until the server's END_STREAM or a RST_STREAM,
// however the bytes are split.
func TestStreams(t *testing.T) {
	const asks, answers = flagEndHeaders, flagEndHeaders | flagEndStream
	type step struct {
		from  byte // 'c'lient or 's'erver
		bytes string
		idle  bool // afterwards
	}
	for name, tc := range map[string]struct {
		preface  string
		upgraded bool
		steps    []step
	}{
		"one request": {preface, false, []step{
			{'c', preface, true},
			{'c', string(settings), true},
			{'c', frameOn(1, frameHeaders, asks, 3), false},
			{'s', string(settings), false},
			{'s', frameOn(1, frameHeaders, asks, 3), false},
			{'s', frameOn(1, frameData, 0, 100), false},
			{'s', frameOn(1, frameData, flagEndStream, 0), true},
		}},
		"two requests, one reset": {preface, false, []step{
			{'c', preface + string(settings) + frameOn(1, frameHeaders, asks, 3) + frameOn(3, frameHeaders, asks, 3), false},
			{'s', string(settings) + frameOn(1, frameHeaders, answers, 3), false},
			{'c', frameOn(3, frameRSTStream, 0, 4), true},
		}},
		"reset by the server, trailers of the client": {preface, false, []step{
			{'c', preface + string(settings) + frameOn(1, frameHeaders, asks, 3), false},
			{'s', string(settings) + frameOn(1, frameRSTStream, 0, 4), true},
			{'c', frameOn(1, frameHeaders, answers, 3), true},
		}},
		"an upgrade": {preface, true, []step{
			{'c', preface + string(settings), false},
			{'s', string(settings) + frameOn(1, frameHeaders, answers, 3), true},
		}},
		"half a preface": {preface, false, []step{{'c', preface[:9], false}}},
		"no preface":     {preface, false, []step{{'c', "GET / HTTP/1.1\r\nHost: rota\r\n\r\n", false}}},
		"no SETTINGS":    {"", false, []step{{'s', "220 ready\r\n", false}}},
	} {
		for _, size := range []int{1, 2, 7, 1 << 20} {
			tracker := newStreamTracker(tc.preface, tc.upgraded)
			for i, s := range tc.steps {
				feed := tracker.wrote
				if s.from == 'c' {
					feed = reads(tracker)
				}
				for rest := s.bytes; rest != ""; rest = rest[min(size, len(rest)):] {
					feed([]byte(rest[:min(size, len(rest))]))
				}
				if idle, _ := tracker.idle(); idle != s.idle {
					t.Errorf("%s, in pieces of %d: idle is %v after step %d", name, size, idle, i)
				}
			}
		}
	}
}

func reads(t *streamTracker) func([]byte) { return func(p []byte) { t.read(p) } }

// FuzzStreams checks that what is known of a connection's streams doesn't depend on how its
// bytes are split, whatever client and server send in turns.
func FuzzStreams(f *testing.F) {
	asks := frameOn(1, frameHeaders, flagEndHeaders, 3) + "abc"
	f.Add([]byte(preface+string(settings)+asks), []byte(string(settings)+frameOn(1, frameHeaders, flagEndHeaders|flagEndStream, 1)+"x"), 40, 9, false)
	f.Add([]byte(preface+string(settings)+asks+frameOn(1, frameRSTStream, 0, 4)+"1234"), []byte(settings), 5, 5, false)
	f.Add([]byte(preface[:20]), []byte("220 ready"), 1, 1, true)
	f.Fuzz(func(t *testing.T, client, server []byte, fromClient, fromServer int, upgraded bool) {
		fromClient, fromServer = max(1, fromClient), max(1, fromServer)
		whole, split := newStreamTracker(preface, upgraded), newStreamTracker(preface, upgraded)
		feed := func(all []byte, n int, one, other func([]byte)) (rest []byte) {
			n = min(n, len(all))
			one(all[:n])
			for i := range n {
				other(all[i : i+1])
			}
			return all[n:]
		}
		for len(client)+len(server) > 0 {
			client = feed(client, fromClient, reads(whole), reads(split))
			server = feed(server, fromServer, whole.wrote, split.wrote)
			a, b := whole.idle()
			c, d := split.idle()
			if a != c || b != d {
				t.Fatalf("idle: %v %v, and in pieces of a byte %v %v", a, b, c, d)
			}
		}
	})
}

// FuzzGoAway checks that a client gets what the server writes, with one GOAWAY at most,
// between two frames, whatever the frames are and however they are split into writes.
func FuzzGoAway(f *testing.F) {
	whole := string(settings) + frameOn(1, frameHeaders, 0, 5) + frameOn(1, frameContinuation, flagEndHeaders, 2) + frameOn(1, frameData, flagEndStream, 300)
	f.Add([]byte(whole), 3, 5)
	f.Add([]byte(whole), 400, 1)
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"), 2, 4)
	f.Fuzz(func(t *testing.T, written []byte, size, at int) {
		var sink sinkConn
		c := &http2Conn{Conn: &sink}
		size, at = max(1, size), max(0, at)
		for n := 0; n < len(written); n += size {
			if n/size == at {
				c.sendGoAway()
			}
			part := written[n:min(n+size, len(written))]
			if k, err := c.Write(part); k != len(part) || err != nil {
				t.Fatalf("Write of %d bytes: %d, %v", len(part), k, err)
			}
		}
		before, after, sent := strings.Cut(sink.got.String(), string(goAwayFrames))
		if strings.Contains(string(written), string(goAwayFrames)) {
			return // the server's own can't be told apart
		}
		if before+after != string(written) {
			t.Fatalf("the client got % x of % x", sink.got.String(), written)
		}
		if sent && !mayInsertAfter(before) {
			t.Fatalf("a GOAWAY after % x", before)
		}
	})
}

// mayInsertAfter reports whether b is whole frames, SETTINGS first, and ends outside a field
// block. It is a second reading of RFC 9113, for the fuzzer.
func mayInsertAfter(b string) bool {
	if len(b) < 9 || b[3] != frameSettings {
		return false
	}
	inBlock := false
	for len(b) > 0 {
		if len(b) < 9 {
			return false
		}
		length := int(b[0])<<16 + int(b[1])<<8 + int(b[2])
		if b[3] == frameHeaders || b[3] == framePushPromise || b[3] == frameContinuation {
			inBlock = b[4]&flagEndHeaders == 0
		}
		if len(b) < 9+length {
			return false
		}
		b = b[9+length:]
	}
	return !inBlock
}
