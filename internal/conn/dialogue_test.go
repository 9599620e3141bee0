package conn

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/rota-go/rota/internal/http1"
)

// exchange is a request and its answer.
type exchange struct {
	request string
	answer  string
	place   int  // in answer, after the final status line: where http1.Line may be; -1 where it may not
	odd     bool // from here on the drain may leave the connection alone
	last    bool // the answer may go on until the connection ends
}

// dialogue is what is said on a connection.
type dialogue []exchange

// newDialogue makes up a few exchanges.
func newDialogue(rng *rand.Rand) (d dialogue) {
	for range 1 + rng.IntN(6) {
		x := plainExchange(rng)
		switch rng.IntN(20) {
		case 0:
			x = oddExchange(rng)
		case 1:
			x = lastExchange(rng)
		}
		if d.oddFrom() < len(d) {
			x.place = -1
		}
		if d = append(d, x); x.last {
			break
		}
	}
	return d
}

func (d dialogue) requests() string {
	var all strings.Builder
	for _, x := range d {
		all.WriteString(x.request)
	}
	return all.String()
}

// oddFrom returns the index of the first exchange from which on the drain may leave the
// connection alone.
func (d dialogue) oddFrom() int {
	for i, x := range d {
		if x.odd {
			return i
		}
	}
	return len(d)
}

func (x exchange) String() string { return fmt.Sprintf("\n\t%q\n\t-> %q", x.request, x.answer) }

func pick(rng *rand.Rand, of ...string) string { return of[rng.IntN(len(of))] }

// plainExchange is one of plain HTTP/1.
func plainExchange(rng *rand.Rand) exchange {
	method := pick(rng, "GET", "GET", "GET", "HEAD", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "HEAX", "HEADER", "G", "get")
	version := pick(rng, "1.1", "1.1", "1.1", "1.0")
	x := exchange{request: request(rng, method, version)}
	x.answer, x.place = answer(rng, method == "HEAD", version)
	return x
}

func request(rng *rand.Rand, method, version string) string {
	head := fmt.Sprintf("%s /%s HTTP/%s\r\nHost: h\r\n", method, strings.Repeat("x", rng.IntN(3)*rng.IntN(80)), version)
	if version == "1.0" {
		head += "Connection: keep-alive\r\n"
	}
	body := ""
	switch n := rng.IntN(5); {
	case n == 0 || method == "POST":
		body = trap(rng, rng.IntN(200))
		head += fmt.Sprintf("%s: %d\r\n", pick(rng, "Content-Length", "CONTENT-LENGTH", "content-length"), len(body))
	case n == 1 && version == "1.1":
		head += pick(rng, "Transfer-Encoding", "transfer-encoding", "TRANSFER-ENCODING") + pick(rng, ": chunked\r\n", ":chunked\r\n", ": gzip, Chunked\r\n")
		body = chunks(rng, trap(rng, rng.IntN(200)))
	}
	return head + pick(rng, "", "", "Cookie: content-length\r\n", "X: HTTP/1.1 200 OK\r\n") + "\r\n" + body
}

// answer returns an answer that a client with keep-alive understands, and its place.
func answer(rng *rand.Rand, head bool, version string) (text string, place int) {
	if rng.IntN(6) == 0 {
		text = pick(rng, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 102 Processing\r\nContent-Length: 7\r\n\r\n")
	}
	code := pick(rng, "200 OK", "200", "404 Not Found", "204 No Content", "304 Not Modified", "500 HTTP/1.1 200 OK")
	text += fmt.Sprintf("HTTP/%s %s\r\n", version, code)
	place = len(text)
	text += pick(rng, "", "", "Connection: keep-alive\r\n", "CONNECTION:keep-alive\r\n", "Date: now\r\nServer: rota\r\n", "X: "+strings.Repeat("HTTP/1.1 200 OK ", 20)+"\r\n")
	body := trap(rng, rng.IntN(4)*rng.IntN(500))
	bare := head || code[:3] == "204" || code[:3] == "304"
	if version == "1.1" && rng.IntN(3) == 0 {
		text += "Transfer-Encoding: chunked\r\n"
		body = chunks(rng, body)
	} else {
		text += fmt.Sprintf("%s: %d\r\n", pick(rng, "Content-Length", "CONTENT-LENGTH"), len(body))
	}
	if text += pick(rng, "", "", "Connection: Keep-Alive\r\n", "Y: z\r\n") + "\r\n"; bare {
		return text, place
	}
	return text + body, place
}

// trap returns a body of about n bytes with what looks like parts of HTTP/1.
func trap(rng *rand.Rand, n int) string {
	var all strings.Builder
	for all.Len() < n {
		all.WriteString(pick(rng, "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n", "Content-Length: 2\r\n", "Connection: keep-alive\r\n", "\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\n\r\n", "H", "0\r\n\r\n", "some text"))
	}
	return all.String()
}

// chunks returns body in chunks.
func chunks(rng *rand.Rand, body string) string {
	var all strings.Builder
	for len(body) > 0 {
		n := 1 + rng.IntN(len(body))
		fmt.Fprintf(&all, pick(rng, "%x\r\n%s\r\n", "%X;a=b\r\n%s\r\n", "0%x\r\n%s\r\n"), n, body[:n])
		body = body[n:]
	}
	return all.String() + "0\r\n" + pick(rng, "", "", "Expires: x\r\n", "HTTP/1.1 200 OK\r\n") + "\r\n"
}

// lastExchange is one after which the connection isn't HTTP/1 with keep-alive any more.
func lastExchange(rng *rand.Rand) exchange {
	rest := trap(rng, 200)
	switch rng.IntN(3) {
	case 0:
		return exchange{"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n" + rest, -1, true, true}
	case 1:
		return exchange{"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n" + rest, -1, true, true}
	}
	const status = "HTTP/1.1 200 OK\r\n"
	return exchange{getRequest, status + "X: y\r\n\r\n" + rest, len(status), true, true}
}

// oddExchange has a request that programs and proxies understand in several ways, or none.
// The program takes it for a HEAD, or answers in another protocol.
func oddExchange(rng *rand.Rand) exchange {
	request := pick(rng, "head / HTTP/1.1\r\n\r\n", "HEAD\t/ HTTP/1.1\r\n\r\n", " HEAD / HTTP/1.1\r\n\r\n", "\x00\xff\r\n\r\n", "GIVE me\r\n",
		"HTTP/1.1 200 OK\r\n", "HEAD / HTTP/2.0\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n Content-Length: 3\r\n\r\nabc", "POST / HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc",
		"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 3\r\n\r\nabc", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabc",
		"POST / HTTP/1.1\r\nTransfer-Encoding\v: chunked\r\n\r\n0\r\n\r\n", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	answers := pick(rng, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", rng.IntN(300)), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"220 HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\x00\x00\x04HTTP/1.1 200 OK\r\n")
	return exchange{request, answers, -1, true, false}
}

// match compares what a client has got with an answer. It returns how many bytes of got
// the answer has taken, whether that is all of it, and whether it has Line.
// The comparison fails with ok false.
func (x exchange) match(got string) (n int, whole, announced, ok bool) {
	lead := x.answer
	if x.place >= 0 {
		lead = x.answer[:x.place]
	}
	if n = min(len(lead), len(got)); got[:n] != lead[:n] || n < len(lead) || x.place < 0 {
		return n, n == len(lead), false, got[:n] == lead[:n]
	}
	rest := x.answer[x.place:]
	if after, found := strings.CutPrefix(got[n:], http1.Line); found {
		k, same := sameOrClosed(after, rest)
		return n + len(http1.Line) + k, k == len(rest), true, same
	}
	if strings.HasPrefix(http1.Line, got[n:]) { // may become either
		return len(got), false, false, true
	}
	k := min(len(rest), len(got)-n)
	return n + k, k == len(rest), false, got[n:n+k] == rest[:k]
}

// sameOrClosed compares got with the rest of an answer that has Line, in whose head
// keep-alive may be close. It returns how many bytes of got belong to the answer.
func sameOrClosed(got, rest string) (n int, same bool) {
	n = min(len(got), len(rest))
	end := strings.Index("\r\n"+rest, "\r\n\r\n")
	head := rest[:max(end, 0)]
	for at := 0; at < n; at++ {
		const word = "keep-alive"
		if at < len(head) && strings.EqualFold(rest[at:min(at+len(word), len(head))], word) && strings.HasPrefix("     close", got[at:min(at+len(word), n)]) {
			at += len(word) - 1
			continue
		}
		if got[at] != rest[at] {
			return n, false
		}
	}
	return n, true
}
