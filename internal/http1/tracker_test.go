package http1

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// send passes s to Answer in pieces of size bytes and returns what is sent.
func send(t *Tracker, s string, size int, draining bool) string {
	var out strings.Builder
	for len(s) > 0 {
		p := []byte(s[:min(size, len(s))])
		s = s[len(p):]
		for {
			n, announce := t.Answer(p, draining, false)
			out.Write(p[:n])
			p = p[n:]
			if !announce {
				break
			}
			out.WriteString(Line)
		}
		out.Write(p)
	}
	return out.String()
}

// read passes s to Request in pieces of size bytes.
func read(t *Tracker, s string, size int) {
	for len(s) > 0 {
		n := min(size, len(s))
		t.Request([]byte(s[:n]))
		s = s[n:]
	}
}

const (
	get  = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	head = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
	hi   = "HTTP/1.1 200 OK\r\n@Content-Length: 2\r\n\r\nhi"

	plainHi = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
)

// conversations are the requests and the answers on a connection in a drain. In the
// answers @ marks where Line is expected. after is the state of the connection then.
var conversations = []struct{ name, request, answer, after string }{
	{"length", get, hi, "over"},
	{"no reason phrase", get, "HTTP/1.1 200\r\n@Content-Length: 2\r\n\r\nhi", "over"},
	{"HTTP/1.0", get, "HTTP/1.0 200 OK\r\n@Content-Length: 2\r\n\r\nhi", "over"},
	{"bare line feeds", "GET / HTTP/1.1\nHost: h\n\n", "HTTP/1.1 200 OK\n@content-length:2\n\nhi", "over"},
	{"the same length twice", get, "HTTP/1.1 200 OK\r\n@Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", "over"},
	{"empty", get, "HTTP/1.1 200 OK\r\n@Content-Length: 0\r\n\r\n", "over"},
	{"head", head, "HTTP/1.1 200 OK\r\n@Content-Length: 2000\r\n\r\n", "over"},
	{"204", get, "HTTP/1.1 204 No Content\r\n@\r\n", "over"},
	{"304", get, "HTTP/1.1 304 Not Modified\r\n@Content-Length: 99\r\n\r\n", "over"},
	{"chunked", get, "HTTP/1.1 200 OK\r\n@Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1A \r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nExpires: x\r\n\r\n", "over"},
	{"chunked beats length", get, "HTTP/1.1 200 OK\r\n@Content-Length: 7\r\nTRANSFER-encoding: gzip , Chunked \r\n\r\n0\r\n\r\n", "over"},
	{"a chunk that begins as an answer", get, "HTTP/1.1 200 OK\r\n@Transfer-Encoding: chunked\r\n\r\nf\r\nHTTP/1.1 200 OK\r\n2\r\n\r\n\r\n0\r\n\r\n", "over"},
	{"a body that begins as an answer", get, "HTTP/1.1 200 OK\r\n@Content-Length: 38\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "over"},
	{"until close", get, "HTTP/1.1 200 OK\r\n@\r\nHTTP/1.1 200 OK\r\n\r\n", "open"},
	{"coded but not chunked", get, "HTTP/1.1 200 OK\r\n@Transfer-Encoding: gzip\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "open"},
	{"coded, not chunked, with a length", get, "HTTP/1.1 200 OK\r\n@Content-Length: 2\r\nTransfer-Encoding: gzip\r\n\r\nhi", "open"},
	{"a long head", get, "HTTP/1.1 200 OK\r\n@X: " + strings.Repeat("x", 9000) + "\r\nContent-Length: 2\r\n\r\nhi", "over"},
	{"a long reason", get, "HTTP/1.1 200 " + strings.Repeat("x", 9000) + "\r\n@Content-Length: 2\r\n\r\nhi", "over"},
	{"a long request", "GET /" + strings.Repeat("x", 9000) + " HTTP/1.1\r\nX:" + strings.Repeat("y", 9000) + "\r\n\r\n", hi, "over"},

	{"continue", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 100 Continue\r\n\r\n" + hi, "over"},
	{"early hints", get, "HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 9\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + hi, "over"},
	{"only continue", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "open"},
	{"switching protocols", get, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "untracked"},
	{"continue, then switch", get, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "untracked"},
	{"connect", "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "untracked"},
	{"connect refused", "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", "HTTP/1.1 407 Who?\r\n@Content-Length: 0\r\n\r\n", "over"},

	{"upload", "POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\nGET / HTTP/1.1\r\nHost: fooooo\r\n\r\n", hi, "over"},
	{"chunked upload", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\nT: x\r\n\r\n", hi, "over"},
	{"answered before the upload's end", "POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\nabc", hi, "open"},
	{"part of a request", "GET / HTTP/1.1\r\nHost", "HTTP/1.1 408 Request Timeout\r\n@Content-Length: 0\r\n\r\n", "open"},
	{"blank lines between requests", "\r\n" + head + "\r\n", "HTTP/1.1 200 OK\r\n@Content-Length: 2\r\n\r\n", "over"},
	{"unasked", "", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", "untracked"},
	{"a request that makes no sense", "\x00\x01\r\n\r\n", plainHi, "untracked"},
	{"a request of another kind", "GIVE me that\r\n\r\n", plainHi, "untracked"},
	{"a request coded without an end", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nab", plainHi, "untracked"},
	{"lengths that differ", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", plainHi, "untracked"},

	{"pipelined", get + get + get, strings.ReplaceAll(hi+hi, "@", "") + hi, "over"},
	{"pipelined, one to come", get + get, strings.ReplaceAll(hi, "@", ""), "open"},
	{"pipelined, a part to come", get + "GET", strings.ReplaceAll(hi, "@", ""), "open"},
	{"pipelined heads", get + head + get + head, strings.ReplaceAll(hi, "@", "") + "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + strings.ReplaceAll(hi, "@", "") + "HTTP/1.1 200 OK\r\n@Content-Length: 99\r\n\r\n", "over"},

	{"another protocol", "EHLO\r\n", "220 HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\n", "untracked"},
	{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04HTTP/1.1 200 OK\r\n", "untracked"},
	{"HTTP/2 in words", get, "HTTP/2.0 200 OK\r\n\r\n", "untracked"},
	{"almost", get, "HTTP/1.1 2000 OK\r\n\r\n", "untracked"},
	{"almost, with a tab", get, "HTTP/1.1 200\tOK\r\nContent-Length: 2\r\n\r\nhi", "untracked"},
	{"almost a code", get, "HTTP/1.1 2x0 OK\r\n\r\n", "untracked"},
	{"a code too small", get, "HTTP/1.1 099 OK\r\n\r\n", "untracked"},
	{"a request in lower case", "head / HTTP/1.1\r\n\r\n", plainHi, "untracked"},
	{"a method with a tab", "HEAD\t/ HTTP/1.1\r\n\r\n", plainHi, "untracked"},
	{"a method that begins as HEAD", "HEAX / HTTP/1.1\r\n\r\n", hi, "over"},
	{"a length and chunks", "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", plainHi, "untracked"},
	{"chunks of HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", plainHi, "untracked"},
	{"a space before the colon", "POST / HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc", plainHi, "untracked"},
	{"a control character before the colon", "POST / HTTP/1.1\r\nTransfer-Encoding\v: chunked\r\n\r\n0\r\n\r\n", plainHi, "untracked"},
	{"a name that begins as another", "POST / HTTP/1.1\r\nContent-Length-Was: 3\r\nTransfer-Encodings: x\r\n\r\n", hi, "over"},
	{"chunked twice", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", plainHi, "untracked"},
	{"an echo", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n", "untracked"},
	{"an answer of HTTP/1.0 in chunks", get, "HTTP/1.0 200 OK\r\n@Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "open"},
	{"two answers to one request", get, hi + plainHi, "untracked"},
	{"more than it said", get, hi + "!HTTP/1.1 200 OK\r\n\r\n", "untracked"},
	{"a bad length", get, "HTTP/1.1 200 OK\r\n@Content-Length: 2x\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n", "untracked"},
	{"a length beyond numbers", get, "HTTP/1.1 200 OK\r\n@Content-Length: 99999999999999999999\r\n\r\n", "untracked"},
	{"a length too long to be one", get, "HTTP/1.1 200 OK\r\n@Content-Length: " + strings.Repeat("0", 200) + "\r\n\r\n", "untracked"},
	{"lengths that differ in an answer", get, "HTTP/1.1 200 OK\r\n@Content-Length: 3\r\nContent-Length: 2\r\n\r\nhi", "untracked"},
	{"a bad chunk", get, "HTTP/1.1 200 OK\r\n@Transfer-Encoding: chunked\r\n\r\nx\r\n", "untracked"},
	{"an unended chunk", get, "HTTP/1.1 200 OK\r\n@Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "untracked"},
	{"a folded line", get, "HTTP/1.1 200 OK\r\n@Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "untracked"},
}

func TestConversations(t *testing.T) {
	for _, c := range conversations {
		for _, size := range []int{1, 2, 3, 7, 64, 1 << 20} {
			t.Run(fmt.Sprintf("%s/%d", c.name, size), func(t *testing.T) {
				var tr Tracker
				read(&tr, c.request, size)
				got := send(&tr, strings.ReplaceAll(c.answer, "@", ""), size, true)
				if want := strings.ReplaceAll(c.answer, "@", Line); got != want {
					t.Errorf("sent %q\nwant %q", got, want)
				}
				if state := after(&tr); state != c.after {
					t.Errorf("afterwards the connection is %s, want %s", state, c.after)
				}
				if n := cap(tr.in.part) + cap(tr.out.part); n > 4*maxPart {
					t.Errorf("%d bytes are kept of split lines", n)
				}
			})
		}
	}
}

func after(t *Tracker) string {
	switch {
	case t.Untracked():
		return "untracked"
	case t.Over():
		return "over"
	case t.Rest():
		return "at rest"
	}
	return "open"
}

// Outside a drain no byte is added, and the tracker is ready when one begins.
func TestDrainBeginsBetweenAnswers(t *testing.T) {
	for _, c := range conversations {
		if c.after == "untracked" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			var tr Tracker
			answer := strings.ReplaceAll(c.answer, "@", "")
			read(&tr, c.request, 9)
			if got := send(&tr, answer, 9, false); got != answer {
				t.Fatalf("sent %q outside a drain\nwant %q", got, answer)
			}
			if tr.Over() {
				t.Fatal("over, but nothing was announced")
			}
			if c.after == "open" {
				return
			}
			if !tr.Rest() {
				t.Fatal("not at rest")
			}
			read(&tr, get, 1<<20)
			if tr.Rest() {
				t.Fatal("at rest with an unanswered request")
			}
			plain := strings.ReplaceAll(hi, "@", "")
			if got, want := send(&tr, plain, 5, true), strings.ReplaceAll(hi, "@", Line); got != want {
				t.Errorf("sent %q\nwant %q", got, want)
			}
		})
	}
}

// An answer whose status line was written before the drain stays as it is.
func TestDrainBeginsInsideAnAnswer(t *testing.T) {
	answer := strings.ReplaceAll(hi, "@", "")
	for i := range len(answer) {
		var tr Tracker
		read(&tr, get, 99)
		got := send(&tr, answer[:i], 99, false) + send(&tr, answer[i:], 99, true)
		want := answer
		if i <= strings.IndexByte(answer, '\n') {
			want = strings.ReplaceAll(hi, "@", Line)
		}
		if got != want || !tr.Rest() || tr.Over() != (want != answer) {
			t.Errorf("drain at byte %d: sent %q, rest %v, over %v", i, got, tr.Rest(), tr.Over())
		}
	}
}

// Before its first answer a connection isn't known to be HTTP/1.
func TestSilence(t *testing.T) {
	var tr Tracker
	if tr.Rest() || tr.Over() || tr.Untracked() || !tr.Boundary() || tr.Body() != 0 {
		t.Error("a new connection is not in the zero state")
	}
	read(&tr, get, 99)
	if tr.Rest() || tr.Over() {
		t.Error("at rest before any answer")
	}
}

// Pipelined requests that wait in the socket put the announcement off, up to maxPutOff
// times. The rest of the same request doesn't.
func TestWaitingInput(t *testing.T) {
	announced := func(tr *Tracker, request string) bool {
		read(tr, request, 99)
		n, yes := tr.Answer([]byte("HTTP/1.1 204 No Content\r\n\r\n"), true, true)
		tr.Answer([]byte("HTTP/1.1 204 No Content\r\n\r\n")[n:], true, true)
		return yes
	}
	var tr Tracker
	if announced(&tr, get) {
		t.Error("announced with further input waiting")
	}
	if !announced(new(Tracker), "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n") {
		t.Error("not announced because of the rest of the same request")
	}
	for i := 1; !announced(&tr, get); i++ {
		if i > maxPutOff {
			t.Fatal("never announced")
		}
	}
	if !tr.Over() {
		t.Error("not over")
	}
}

func TestSkip(t *testing.T) {
	var tr Tracker
	read(&tr, get+get+get, 99)
	send(&tr, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nh", 99, false)
	if tr.Body() != 4 {
		t.Fatalf("Body = %d, want 4", tr.Body())
	}
	tr.Skip(3)
	tr.Skip(1)
	if tr.Body() != 0 || !tr.Boundary() {
		t.Fatal("the answer has not ended")
	}
	send(&tr, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n", 99, false)
	tr.Skip(tr.Body())
	send(&tr, "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 99, false)
	before := tr.Body()
	tr.Skip(1 << 40)
	if tr.Body() != before || before < 1<<62 || tr.Untracked() {
		t.Error("a body without a length has ended")
	}
	tr.StopTracking()
	tr.Skip(1)
	if !tr.Untracked() || tr.Body() != before {
		t.Error("still tracked")
	}
}

// The rest of a request line may come when the request has been answered: a program that reads and answers in different
// goroutines gives up one that is slow, and reads on.
func TestAnswerBeforeRequestLine(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "CONNECT", "POST"} {
		for n := range len(method) {
			var tr Tracker
			tr.Request([]byte(method[:n+1]))
			tr.Answer([]byte("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"), false, false)
			if tr.Request([]byte(method[n+1:] + " h:1 HTTP/1.1\r\n\r\n")); !tr.Untracked() {
				t.Errorf("%s, answered after %d bytes: it is %s", method, n+1, after(&tr))
			}
		}
	}
}

// Last is true where the client or the program says that the connection ends.
func TestLast(t *testing.T) {
	request := func(version, field string) string { return "GET / HTTP/" + version + "\r\n" + field + "\r\n" }
	answer := func(version, field string) string {
		return "HTTP/" + version + " 200 OK\r\n" + field + "Content-Length: 2\r\n\r\nhi"
	}
	for _, c := range []struct {
		request, answer string
		last            bool
	}{
		{get, plainHi, false},
		{request("1.1", "Connection: keep-alive\r\n"), answer("1.1", "Connection: keep-alive\r\n"), false},
		{request("1.0", "Connection: Keep-Alive\r\n"), answer("1.0", "Connection: keep-alive\r\n"), false},
		{get, "HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n" + plainHi, false},
		{get, answer("1.1", "Connections: close\r\n"), false},
		{get, answer("1.1", "Connection: close\r\n"), true},
		{get, answer("1.1", "connection:x , CLOSE\r\n"), true},
		{get, answer("1.1", "Connection: "+strings.Repeat("x", maxPart)+"\r\n"), true},
		{get, answer("1.0", ""), true},
		{request("1.1", "Connection: close\r\n"), plainHi, true},
		{request("1.0", ""), plainHi, true},
	} {
		for _, size := range []int{1, 1000} {
			var tr Tracker
			read(&tr, c.request, size)
			send(&tr, c.answer, size, false)
			read(&tr, get, size)
			if send(&tr, plainHi, size, false); tr.Last() != c.last || !tr.Rest() {
				t.Errorf("%q, %q: last %v, %s", c.request, c.answer, tr.Last(), after(&tr))
			}
		}
	}
}

func TestEvents(t *testing.T) {
	var tr Tracker
	seen := map[uint32]bool{tr.Events(): true}
	for i, f := range []func(){
		func() { tr.Request([]byte("G")) },
		func() { tr.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), false, false) },
		func() { tr.Skip(1) },
	} {
		f()
		if seen[tr.Events()] {
			t.Errorf("step %d went unnoticed", i)
		}
		seen[tr.Events()] = true
	}
}

// Heads in one piece cost no memory.
func TestAllocations(t *testing.T) {
	var tr Tracker
	request, answer := []byte(get), []byte(strings.ReplaceAll(hi, "@", ""))
	if n := testing.AllocsPerRun(100, func() {
		tr.Request(request)
		tr.Answer(answer, false, false)
	}); n != 0 || !tr.Rest() {
		t.Errorf("%v allocations a request, at rest: %v", n, tr.Rest())
	}
}

// FuzzTracker checks that, whatever is read and written, only Line is added to the
// program's bytes, only after a status line, and independently of the pieces.
func FuzzTracker(f *testing.F) {
	for i, c := range conversations {
		f.Add([]byte(c.request), []byte(strings.ReplaceAll(c.answer, "@", "")), uint8(i), uint8(3*i+1))
	}
	f.Fuzz(func(t *testing.T, request, answer []byte, in, out uint8) {
		var whole, pieces, calm Tracker
		whole.Request(request)
		read(&pieces, string(request), int(in)+1)
		read(&calm, string(request), int(in)+1)
		want := send(&whole, string(answer), len(answer)+1, true)
		checkPlaces(t, request, answer)
		got := send(&pieces, string(answer), int(out)+1, true)
		if got != want {
			t.Fatalf("in pieces %q\nat once %q", got, want)
		}
		if send(&calm, string(answer), int(out)+1, false) != string(answer) {
			t.Fatal("a byte was changed outside a drain")
		}
		if whole.Untracked() != pieces.Untracked() || whole.Over() != pieces.Over() || calm.Rest() != whole.Rest() || calm.Over() {
			t.Fatalf("at once %s, in pieces %s, outside a drain %s", after(&whole), after(&pieces), after(&calm))
		}
	})
}

var finalStatusLine = regexp.MustCompile(`HTTP/1\.. [2-9][0-9][0-9]([ \r][^\n]*)?\n$`)

// checkPlaces checks that Line is asked for after status lines only.
func checkPlaces(t *testing.T, request, answer []byte) {
	var tr Tracker
	tr.Request(request)
	for at := 0; ; {
		n, announce := tr.Answer(answer[at:], true, false)
		at += n
		if !announce {
			if at != len(answer) {
				t.Fatalf("only %d of %d bytes were taken", at, len(answer))
			}
			return
		}
		if !finalStatusLine.Match(answer[:at]) {
			t.Fatalf("announced after %q", answer[:at])
		}
	}
}

func BenchmarkTracker(b *testing.B) {
	var tr Tracker
	request := []byte("GET / HTTP/1.1\r\nHost: rota\r\nUser-Agent: bench\r\nAccept-Encoding: gzip\r\n\r\n")
	answer := []byte("HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Length: 13\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello, world\n")
	b.ReportAllocs()
	for b.Loop() {
		tr.Request(request)
		tr.Answer(answer, false, false)
	}
}
