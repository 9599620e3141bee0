package http1

import (
	"math"
	"os"
	"strings"
	"testing"
)

// noSocket is a Socket on which nothing waits.
type noSocket struct {
	closed int
	ended  bool // by the client
}

func (*noSocket) InputWaiting() bool  { return false }
func (s *noSocket) ClientEnded() bool { return s.ended }
func (*noSocket) OutputWaiting() bool { return false }
func (*noSocket) WriteMayWait() bool  { return false }
func (s *noSocket) CloseRead() error  { s.closed++; return nil }

// noLimit is a Limiter that allows everything.
type noLimit struct{}

func (noLimit) Allowed() bool { return true }
func (noLimit) Count()        {}

const (
	okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	hints    = "HTTP/1.1 103 Early Hints\r\n\r\n"
)

// observed brings a new Observer into a phase of the table.
var observed = map[string]func(o *Observer){
	"asking":        func(*Observer) {},
	"begun":         func(o *Observer) { answer(o); peek(o); o.OnReadStart() },
	"requested":     func(o *Observer) { o.OnRead([]byte(get), false) },
	"requestedHead": func(o *Observer) { o.OnRead([]byte(head), false) },
	"early":         func(o *Observer) { o.OnRead([]byte(get), false); peek(o) },
	"earlyHead":     func(o *Observer) { o.OnRead([]byte(head), false); peek(o) },
	"answered":      answer,
	"peeked":        func(o *Observer) { answer(o); peek(o) },
	"followed":      func(o *Observer) { o.OnRead([]byte(get+"GE"), false) },
}

func answer(o *Observer) {
	o.OnRead([]byte(get), false)
	o.OnWrite([]byte(okAnswer))
}

func peek(o *Observer) { o.OnRead([]byte("G"), false) }

// tableEvents are the columns of the table. In phase begun the first byte of the request
// has been read before.
var tableEvents = []struct {
	name  string
	event func(o *Observer)
}{
	{"Read starts", (*Observer).OnReadStart},
	{"1 byte", func(o *Observer) { o.OnRead([]byte("E"), false) }},
	{"GET", func(o *Observer) { readRest(o, get) }},
	{"HEAD", func(o *Observer) { readRest(o, head) }},
	{"other", func(o *Observer) { readRest(o, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n") }},
	{"whole", func(o *Observer) { o.OnWrite([]byte(wholeFor(o))) }},
	{"begins", func(o *Observer) { o.OnWrite([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n")) }},
	{"1xx", func(o *Observer) { o.OnWrite([]byte(hints)) }},
	{"too short", func(o *Observer) { o.OnWrite([]byte("H")) }},
	{"not HTTP", func(o *Observer) { o.OnWrite([]byte("220 welcome, stranger\r\n")) }},
	{"drain", (*Observer).follow},
}

// wholeFor returns a whole answer to what has been read.
func wholeFor(o *Observer) string {
	if ph := o.load().phase(); ph == requestedHead || ph == earlyHead {
		return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
	}
	return okAnswer
}

func readRest(o *Observer, s string) {
	if was := o.load(); was.phase() == begun {
		o.swap(was, was.with(s[0]))
		s = s[1:]
	}
	o.OnRead([]byte(s), false)
}

// TestPhaseTable checks the table in sniff.go against the code.
func TestPhaseTable(t *testing.T) {
	rows := phaseTable(t)
	for i, name := range append([]string{"phase"}, eventNames()...) {
		if i >= len(rows[0]) || rows[0][i] != name {
			t.Fatalf("the table's columns are %q, want %q in place %d", rows[0], name, i)
		}
	}
	for ph := asking; ph <= followed; ph++ {
		if row := rows[1+int(ph)]; row[0] != ph.String() {
			t.Fatalf("row %d is %q, want %q", ph, row[0], ph)
		}
	}
	for _, row := range rows[1:] {
		for i, e := range tableEvents {
			t.Run(row[0]+"/"+e.name, func(t *testing.T) {
				var o Observer
				observed[row[0]](&o)
				if got := o.State().Phase; got != row[0] {
					t.Fatalf("the test begins in phase %s", got)
				}
				e.event(&o)
				if got := phaseName(&o); got != row[1+i] {
					t.Errorf("phase %s, the table says %s", got, row[1+i])
				}
			})
		}
	}
}

// A Read of one byte asks for a request only where all that was read is answered and the program hasn't read since. net/http's, which
// watches for the client's end, begins after it has read a request.
func TestAsks(t *testing.T) {
	for ph := asking; ph <= followed; ph++ {
		var o Observer
		o.Asks(2)
		observed[ph.String()](&o)
		if o.Asks(1) != (ph == asking) {
			t.Errorf("%v: asks %v", ph, o.Asks(1))
		}
		if o.follow(); o.Asks(1) {
			t.Errorf("%v, in a drain: asks", ph)
		}
	}
	var o Observer
	o.Resume()
	if o.follow(); !o.Asks(1) {
		t.Error("one that has moved doesn't ask in a drain")
	}
	if o.OnRead([]byte("G"), true); o.Asks(1) {
		t.Error("it asks in the middle of a request")
	}
	o.OnRead([]byte(get[1:]), true)
	o.Wrote(o.Split([]byte(okAnswer), noLimit{}, true, &noSocket{}), int64(len(okAnswer)), nil)
	if !o.Asks(1) || o.Asks(0) {
		t.Error("one that reads byte by byte doesn't ask after an answer")
	}
	if o.Asks(2); o.Asks(1) {
		t.Error("a Read of one byte asks in a program that reads more at a time")
	}
}

func eventNames() (names []string) {
	for _, e := range tableEvents {
		names = append(names, e.name)
	}
	return names
}

// phaseName returns the phase as the table has it.
func phaseName(o *Observer) string {
	if s := o.State(); s.Untracked && s.Phase == followed.String() {
		return "untracked"
	} else {
		return s.Phase
	}
}

// phaseTable returns the cells of the table in sniff.go.
func phaseTable(t *testing.T) (rows [][]string) {
	text, err := os.ReadFile("sniff.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line, ok := strings.CutPrefix(line, "//\t"); ok && strings.Contains(line, "|") {
			cells := strings.Split(line, "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
	}
	if len(rows) != 2+int(followed) {
		t.Fatalf("the table in sniff.go has %d lines", len(rows))
	}
	return rows
}

// The phase after sequences of calls: "?" is a Read that begins, "<" something read,
// ">" something written, "(" a Write of a whole answer that begins and ")" one that ends.
func TestPhases(t *testing.T) {
	const (
		get  = "<GET / HTTP/1.1\r\n\r\n"
		head = "<HEAD / HTTP/1.1\r\n\r\n"
		post = "<POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"
		ok   = ">" + okAnswer

		begun, done = "(" + okAnswer, ")" + okAnswer
	)
	for _, tc := range []struct {
		name string
		ops  []string
		want string
	}{
		{"new", nil, "asking"},
		{"a request", []string{"?", get}, "requested"},
		{"a HEAD", []string{"?", head}, "requestedHead"},
		{"half a request", []string{"?", "<GET / HTTP/1.1\r\nHost: example"}, "followed"},
		{"two requests", []string{"?", get + get[1:]}, "followed"},
		{"more after one", []string{"?", get, get}, "followed"},
		{"a Read before the answer", []string{"?", get, "?", get}, "followed"},
		{"a GET with a body", []string{"?", "<GET / HTTP/1.1\r\ncontent-length: 3\r\n\r\n"}, "followed"},
		{"a method that may have a body", []string{"?", "<DELETE / HTTP/1.1\r\n\r\n"}, "followed"},
		{"one byte before the answer", []string{"?", get, "<H"}, "early"},
		{"then the answer", []string{"?", get, "<H", ok}, "peeked"},
		{"then the rest of the request", []string{"?", get, "<H", ok, "?", "<" + head[2:]}, "requestedHead"},
		{"one byte before the answer to a HEAD", []string{"?", head, "<G"}, "earlyHead"},
		{"one byte, 1xx, answer", []string{"?", get, "<G", ">" + hints, ok}, "followed"},
		{"1xx", []string{"?", get, ">" + hints}, "followed"},
		{"a head with a body", []string{"?", post}, "followed"},
		{"two bytes", []string{"?", "<GE"}, "followed"},
		{"a CONNECT", []string{"?", "<CONNECT a:1 HTTP/1.1\r\n\r\n"}, "followed"},
		{"an answer", []string{"?", get, ok}, "answered"},
		{"an answer in two parts", []string{"?", get, ok[:len(ok)-1], ">k"}, "followed"},
		{"a Read between the parts", []string{"?", get, ok[:len(ok)-1], "?", ">k"}, "followed"},
		{"an answer in chunks", []string{"?", get, ">HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}, "followed"},
		{"an answer until the end", []string{"?", get, ">HTTP/1.1 200 OK\r\n\r\n"}, "followed"},
		{"an answer without a body", []string{"?", get, ">HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"}, "answered"},
		{"more than the answer", []string{"?", get, ok, ">more"}, "untracked"},
		{"two answers", []string{"?", get, ok, ok}, "untracked"},
		{"an answer to nothing", []string{"?", ok}, "untracked"},
		{"the next Read", []string{"?", get, ok, "?"}, "asking"},
		{"a Read of the body", []string{"?", post, ">HTTP/1.1 100 Continue\r\n\r\n", "?"}, "followed"},
		{"one byte after the answer", []string{"?", get, ok, "<G"}, "peeked"},
		{"then the next Read", []string{"?", get, ok, "<G", "?"}, "begun"},
		{"the rest of a GET", []string{"?", get, ok, "<G", "?", "<" + get[2:]}, "requested"},
		{"the rest of a HEAD", []string{"?", get, ok, "<H", "?", "<" + head[2:]}, "requestedHead"},
		{"the rest of a CONNECT", []string{"?", get, ok, "<C", "?", "<ONNECT a:1 HTTP/1.1\r\n\r\n"}, "followed"},
		{"a request without a Read", []string{"?", get, ok, get}, "followed"},
		{"an answer that is being written", []string{"?", get, begun}, "requested"},
		{"and was written", []string{"?", get, begun, done}, "answered"},
		{"one byte while it is written", []string{"?", get, begun, "<H", done}, "peeked"},
		{"a Read that begins while it is written", []string{"?", get, begun, "?", done}, "followed"},
		{"a request while it is written", []string{"?", get, begun, get, done}, "followed"},
		{"a version of another kind", []string{"?", "<GET / HTTP/2.0\r\n\r\n"}, "untracked"},
		{"no version", []string{"?", "<GET /\r\nHost: example.org:80\r\n\r\n"}, "untracked"},
		{"an answer byte by byte", []string{"?", get, ">H"}, "followed"},
		{"an upgrade", []string{"?", get, ">HTTP/1.1 101 Switching Protocols\r\n\r\n"}, "untracked"},
		{"an upgrade after half a request", []string{"?", "<GET / HTTP/1.1\r\nHost: example", ">HTTP/1.1 101 Switching Protocols\r\n\r\n"}, "untracked"},
		{"another protocol", []string{"?", "<hello, are you there?", ">220 I am, and who are you?"}, "untracked"},
		{"another protocol, server first", []string{">220 I am, and who are you?"}, "untracked"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var o Observer
			for _, op := range tc.ops {
				switch op[0] {
				case '?':
					o.OnReadStart()
				case '<':
					o.OnRead([]byte(op[1:]), false)
				case '>':
					o.OnWrite([]byte(op[1:]))
				case '(': // a Write of a whole answer begins
					if !o.Answers([]byte(op[1:])) {
						t.Fatalf("%q isn't the whole answer", op[1:])
					}
				case ')':
					o.Answered([]byte(op[1:]))
				}
			}
			if got := phaseName(&o); got != tc.want {
				t.Errorf("phase %s, want %s", got, tc.want)
			}
		})
	}
}

// Whatever the phase in which the drain begins, the last answer announces the end, only
// that one, and then the connection ends. What is listed is read before each answer.
func TestDrainFromEveryPhase(t *testing.T) {
	for name, reads := range map[string][]string{
		"asking":        {get},
		"begun":         {get[1:]},
		"requested":     {""},
		"requestedHead": {""},
		"early":         {"", get[1:]},
		"earlyHead":     {"", get[1:]},
		"answered":      {get},
		"peeked":        {get[1:]},
		"followed":      {"", get[2:]},
	} {
		t.Run(name, func(t *testing.T) {
			var o Observer
			observed[name](&o)
			sent := ""
			for _, rest := range reads {
				if rest != "" {
					o.OnReadStart()
					o.OnRead([]byte(rest), true)
				}
				sent += drained(&o, "HTTP/1.1 204 No Content\r\n\r\n")
			}
			want := strings.Repeat("HTTP/1.1 204 No Content\r\n\r\n", len(reads)-1) + "HTTP/1.1 204 No Content\r\n" + Line + "\r\n"
			if o.OnReadStart(); sent != want || !ended(&o) {
				t.Errorf("sent %q, want %q; ended %v", sent, want, ended(&o))
			}
		})
	}
}

// ended reports whether a drain ends the connection, at the next Read or the second tick.
func ended(o *Observer) bool {
	var socket noSocket
	o.IdleTick(math.MaxInt, &socket)
	o.IdleTick(math.MaxInt, &socket)
	return o.Finished(&socket) || socket.closed > 0
}

// A Read that began before the answer doesn't keep a connection open: the next tick ends
// it, also if the Read began before the drain.
func TestReadBeforeTheAnswer(t *testing.T) {
	for _, name := range []string{"requested", "requestedHead", "early", "answered", "asking"} {
		var o Observer
		observed[name](&o)
		o.OnReadStart()
		if s := o.State(); s.Busy {
			t.Errorf("%s: busy, though the program reads", name)
		}
		o.follow()
		if s := o.State(); s.Busy {
			t.Errorf("%s: busy in the drain, though the program reads", name)
		}
	}
	var o Observer
	o.OnRead([]byte(get), false)
	o.OnReadStart()
	if drained(&o, okAnswer); !ended(&o) {
		t.Error("not ended")
	}
}

// The connection of a client that pipelines ends at a tick, not at the next Read.
func TestPipelineEndsLater(t *testing.T) {
	var o Observer
	o.OnRead([]byte(get+get), true)
	drained(&o, okAnswer+okAnswer)
	o.OnReadStart()
	if o.Finished(new(noSocket)) {
		t.Error("ended at once")
	}
	if !ended(&o) {
		t.Error("not ended at a tick")
	}
}

// drained returns what is sent when s is written in a drain.
func drained(o *Observer, s string) string {
	var out strings.Builder
	parts := o.Split([]byte(s), noLimit{}, false, new(noSocket))
	for _, part := range parts {
		out.Write(part)
	}
	o.Wrote(parts, int64(out.Len()), nil)
	return out.String()
}

// An Observer of what is never tracked lets everything pass.
func TestIgnore(t *testing.T) {
	var o Observer
	var socket noSocket
	o.Ignore()
	answer(&o)
	o.OnReadStart()
	o.IdleTick(1, &socket)
	if !o.Untracked() || o.Unseen() != math.MaxInt64 || o.Finished(&socket) || o.ExpectsRequest(1) || socket.closed > 0 {
		t.Error("the connection is tracked")
	}
	if !o.Quiet() {
		t.Error("not quiet after an answer")
	}
}

// A Write of a drain that hasn't returned keeps the connection open, and a request that has
// crossed the end is answered before Read returns the end.
func TestEndWaitsForAnswers(t *testing.T) {
	var o Observer
	var socket noSocket
	o.OnRead([]byte(get), true)
	o.OnReadStart()
	parts := o.Split([]byte(okAnswer), noLimit{}, false, &socket)
	if ended(&o) || o.MustAnswer(&socket) {
		t.Error("ended while the answer is written")
	}
	o.Wrote(parts, int64(len(okAnswer)+len(Line)), nil)
	for range 2 {
		o.IdleTick(math.MaxInt, &socket)
	}
	if socket.closed == 0 || o.MustAnswer(&socket) {
		t.Fatalf("shut down %d times, must answer %v", socket.closed, o.MustAnswer(&socket))
	}
	o.OnRead([]byte("GET"), true)
	if o.MustAnswer(&socket) {
		t.Error("half a request holds up the end")
	}
	if o.OnRead([]byte(get[3:]), true); !o.MustAnswer(&socket) {
		t.Error("a request that has crossed the end isn't answered")
	}
	parts = o.Split([]byte(okAnswer), noLimit{}, false, &socket)
	if !o.MustAnswer(&socket) {
		t.Error("the end comes while the answer is written")
	}
	if o.Wrote(parts, int64(len(okAnswer)+len(Line)), nil); o.MustAnswer(&socket) {
		t.Error("the end doesn't come")
	}
}

// A request that has crossed the end may end the tracking. Then the client's end is waited
// for, unless the end is to come at once.
func TestEndOfUntracked(t *testing.T) {
	for name, crosses := range map[string]func(*Observer){
		"no HTTP": func(o *Observer) { o.OnRead([]byte("\x00\xff\r\n"), true) },
		"version": func(o *Observer) { o.OnRead([]byte("GET / HTTP/9\r\n\r\n"), true) },
		"tunnel": func(o *Observer) {
			o.OnRead([]byte("CONNECT h:1 HTTP/1.1\r\n\r\n"), true)
			o.Wrote(o.Split([]byte("HTTP/1.1 200 OK\r\n\r\n"), noLimit{}, false, &noSocket{}), 19, nil)
		},
		"gap": func(o *Observer) { o.OnRead([]byte(get), true); o.StopTracking() },
	} {
		t.Run(name, func(t *testing.T) {
			var o Observer
			var socket noSocket
			o.OnRead([]byte(get), true)
			o.Wrote(o.Split([]byte(okAnswer), noLimit{}, false, &socket), int64(len(okAnswer)+len(Line)), nil)
			o.OnReadStart()
			for range 2 {
				o.IdleTick(math.MaxInt, &socket)
			}
			if crosses(&o); !o.ReadClosed() || !o.Untracked() || !o.MustAnswer(&socket) {
				t.Errorf("%+v, must answer %v", o.State(), o.MustAnswer(&socket))
			}
			if socket.ended = true; o.MustAnswer(&socket) {
				t.Error("the client's end isn't passed on")
			}
			socket.ended = false
			if o.EndNow(); o.MustAnswer(&socket) {
				t.Error("the end doesn't come at once")
			}
		})
	}
}
