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
