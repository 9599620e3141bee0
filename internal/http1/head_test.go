package http1

import (
	"strings"
	"testing"
)

// Only what is plainly a GET or HEAD without a body is not followed before a drain.
func TestSniffRequest(t *testing.T) {
	for _, tc := range []struct {
		request string
		want    phase
	}{
		{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", requested},
		{"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", requestedHead},
		{"HEAX / HTTP/1.1\r\nHost: h\r\n\r\n", followed},
		{"HEADER / HTTP/1.1\r\nHost: h\r\n\r\n", followed},
		{"GETS / HTTP/1.1\r\nHost: h\r\n\r\n", followed},
		{"GET / HTTP/1.1\r\nCONTENT-LENGTH: 3\r\n\r\n", followed},
		{"GET / HTTP/1.1\r\ncontent-length: 3\r\n\r\n", followed},
		{"GET / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\n\r\n", followed},
		{"GET / HTTP/1.1\r\nA: b\r\n Content-Length: 3\r\n\r\n", followed},
		{"GET / HTTP/1.1\nHost: h\n\nGET / HTTP/1.1\r\n\r\n", followed},
		{"GET / HTTP/1.1\r\nCookie: content-length\r\nTE: x\r\n\r\n", requested},
	} {
		if got := sniffRequest(tc.request[0], []byte(tc.request[1:])); got != tc.want {
			t.Errorf("%q: %v, want %v", tc.request, got, tc.want)
		}
	}
}

// In an answer that announces the end, keep-alive becomes close, and nothing else changes.
func TestKeepAliveIsDenied(t *testing.T) {
	const status = "HTTP/1.0 200 OK\r\n"
	for head, want := range map[string]string{
		"Connection: keep-alive\r\nContent-Length: 2\r\n\r\nok":                              "Connection:      close\r\nContent-Length: 2\r\n\r\nok",
		"A: b\r\nCONNECTION:Keep-Alive \r\nContent-Length: 2\r\n\r\nok":                      "A: b\r\nCONNECTION:     close \r\nContent-Length: 2\r\n\r\nok",
		"Connection: close\r\nContent-Length: 2\r\n\r\nok":                                   "",
		"Content-Length: 24\r\n\r\nConnection: keep-alive\r\n":                               "",
		"X-Connection: keep-alive\r\nConnection: keep-alive2\r\nContent-Length: 2\r\n\r\nok": "",
	} {
		if want == "" {
			want = head
		}
		for _, cut := range []int{len(head), strings.IndexByte(head, '\n') + 1} {
			var o Observer
			o.OnReadStart()
			o.OnRead([]byte("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), true)
			program := status + head[:cut]
			got := drained(&o, program) + drained(&o, head[cut:])
			if got != status+Line+want || program != status+head[:cut] {
				t.Errorf("%q in two parts (%d): got %q", head, cut, got)
			}
		}
	}
}

// An answer that doesn't carry Line keeps its keep-alive, also after one that does.
func TestKeepAliveWithoutLine(t *testing.T) {
	const alive = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"
	var o Observer
	o.OnRead([]byte(get), true)
	drained(&o, okAnswer)
	o.OnRead([]byte(get+get), true)
	if got := drained(&o, alive[:17]) + drained(&o, alive[17:]); got != alive {
		t.Errorf("got %q", got)
	}
	const closed = "HTTP/1.0 200 OK\r\n" + Line + "Connection:      close\r\nContent-Length: 2\r\n\r\nok"
	if got := drained(&o, alive[:17]) + drained(&o, alive[17:]); got != closed {
		t.Errorf("the last answer is %q", got)
	}
}

// Only an answer that is whole in one Write is not followed.
func TestWholeAnswer(t *testing.T) {
	const status = "HTTP/1.1 200 OK\r\n"
	for text, want := range map[string]bool{
		okAnswer:                                  true,
		okAnswer[:len(okAnswer)-1]:                false,
		okAnswer + "x":                            false,
		status + "CONTENT-length: 2\r\n\r\nok":    true,
		status + "Content-Length: 2\n\nok":        true,
		status + "Content-Length: 0\r\n\r\n":      true,
		status + "Content-Length: 0\r\n":          false,
		status + "Content-Length: 2, 2\r\n\r\nok": false,
		status + "Content-Length : 2\r\n\r\nok":   false,
		status + "\r\n":                           false,
		status + "\r\nok":                         false,
		status:                                    false,
		status + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": false,
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n":                    true,
		"HTTP/1.1 204 No Content\r\n\r\n":                                           true,
		"HTTP/1.1 204 No Content\r\n\r\nok":                                         false,
		"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n":             false,
		"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n":                              false,
		"": false,
	} {
		if got := wholeAnswer([]byte(text), false); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if !wholeAnswer([]byte(status+"Content-Length: 2\r\n\r\n"), true) || wholeAnswer([]byte(okAnswer), true) {
		t.Error("the answer to a HEAD has no body")
	}
}
