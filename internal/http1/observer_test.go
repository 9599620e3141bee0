package http1

import (
	"math"
	"os"
	"strings"
	"testing"
)

// noSocket is a Socket on which nothing waits.
type noSocket struct{ closed int }

func (*noSocket) InputWaiting() bool  { return false }
func (*noSocket) OutputWaiting() bool { return false }
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
	"unclear":       func(o *Observer) { o.OnRead([]byte(get), false); o.OnRead([]byte(get), false) },
	"answering":     answer,
	"peeked":        func(o *Observer) { answer(o); peek(o) },
	"behind":        func(o *Observer) { answer(o); o.OnRead([]byte(get), false) },
	"followed":      func(o *Observer) { o.OnRead([]byte("GE"), false) },
}

func answer(o *Observer) {
	o.OnRead([]byte(get), false)
	o.OnWrite([]byte(okAnswer))
}

func peek(o *Observer) { o.OnRead([]byte("G"), false) }

// events are the columns of the table. In phase begun the first byte of the request
// has been read before.
var tableEvents = []struct {
	name  string
	event func(o *Observer)
}{
	{"Read starts", (*Observer).OnReadStart},
	{"1 byte", func(o *Observer) { o.OnRead([]byte("G"), false) }},
	{"GET", func(o *Observer) { readRest(o, get) }},
	{"HEAD", func(o *Observer) { readRest(o, head) }},
	{"other", func(o *Observer) { readRest(o, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n") }},
	{"whole", func(o *Observer) { o.OnWrite([]byte(okAnswer[:answerSize(o)])) }},
	{"part", func(o *Observer) { o.OnWrite([]byte(okAnswer[:answerSize(o)-2])) }},
	{"1xx", func(o *Observer) { o.OnWrite([]byte(hints)) }},
	{"too short", func(o *Observer) { o.OnWrite([]byte("H")) }},
	{"not HTTP", func(o *Observer) { o.OnWrite([]byte("220 welcome, stranger\r\n")) }},
	{"drain", (*Observer).follow},
}

// answerSize returns how much of okAnswer is a whole answer.
func answerSize(o *Observer) int {
	if o.loadPhase() == requestedHead {
		return len(okAnswer) - len("ok")
	}
	return len(okAnswer)
}

func readRest(o *Observer, s string) {
	if o.loadPhase() == begun {
		o.peekedByte.Store(uint32(s[0]))
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
// ">" something written.
func TestPhases(t *testing.T) {
	const (
		get  = "<GET / HTTP/1.1\r\n\r\n"
		head = "<HEAD / HTTP/1.1\r\n\r\n"
		post = "<POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"
		ok   = ">" + okAnswer
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
		{"more after one", []string{"?", get, get}, "unclear"},
		{"a Read before the answer", []string{"?", get, "?", get}, "followed"},
		{"a GET with a body", []string{"?", "<GET / HTTP/1.1\r\ncontent-length: 3\r\n\r\n"}, "followed"},
		{"a method that may have a body", []string{"?", "<DELETE / HTTP/1.1\r\n\r\n"}, "followed"},
		{"one byte before the answer", []string{"?", get, "<H"}, "early"},
		{"then the answer", []string{"?", get, "<H", ok}, "peeked"},
		{"then the rest of the request", []string{"?", get, "<H", ok, "?", "<" + head[2:]}, "requestedHead"},
		{"one byte before the answer to a HEAD", []string{"?", head, "<G"}, "early"},
		{"one byte, 1xx, answer", []string{"?", get, "<G", ">" + hints, ok}, "peeked"},
		{"1xx", []string{"?", get, ">" + hints}, "followed"},
		{"a head with a body", []string{"?", post}, "followed"},
		{"two bytes", []string{"?", "<GE"}, "followed"},
		{"a CONNECT", []string{"?", "<CONNECT a:1 HTTP/1.1\r\n\r\n"}, "followed"},
		{"an answer", []string{"?", get, ok}, "answering"},
		{"more of the answer", []string{"?", get, ok, ">more"}, "answering"},
		{"the next Read", []string{"?", get, ok, "?"}, "asking"},
		{"a Read of the body", []string{"?", post, ">HTTP/1.1 100 Continue\r\n\r\n", "?"}, "followed"},
		{"one byte after the answer", []string{"?", get, ok, "<G"}, "peeked"},
		{"then the next Read", []string{"?", get, ok, "<G", "?"}, "begun"},
		{"the rest of a GET", []string{"?", get, ok, "<G", "?", "<" + get[2:]}, "requested"},
		{"the rest of a HEAD", []string{"?", get, ok, "<H", "?", "<" + head[2:]}, "requestedHead"},
		{"the rest of a CONNECT", []string{"?", get, ok, "<C", "?", "<ONNECT a:1 HTTP/1.1\r\n\r\n"}, "followed"},
		{"a request read during the answer", []string{"?", get, ok, get}, "behind"},
		{"then the next Read", []string{"?", get, ok, get, "?"}, "unclear"},
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
				}
			}
			if got := phaseName(&o); got != tc.want {
				t.Errorf("phase %s, want %s", got, tc.want)
			}
		})
	}
}

// Whatever the phase in which the drain begins, the connection is followed as soon as
// possible. The next answer from there announces the end, once, and then the
// connection is finished.
func TestDrainFromEveryPhase(t *testing.T) {
	before := map[string]func(o *Observer){
		"asking again": func(o *Observer) { answer(o); o.OnReadStart() },
		"pipeline":     func(o *Observer) { o.OnRead([]byte(get+get), false); o.OnWrite([]byte(okAnswer)) },
	}
	for _, name := range []string{"asking", "requested", "answering", "peeked", "unclear"} {
		before[name] = observed[name]
	}
	for name, before := range before {
		t.Run(name, func(t *testing.T) {
			var o Observer
			var socket noSocket
			before(&o)
			announced, finished := 0, false
			for range 3 {
				announced += strings.Count(drained(&o, okAnswer), Line)
				o.OnReadStart()
				if finished = o.Finished(&socket); finished {
					break
				}
				o.OnRead([]byte(get), true)
			}
			if announced != 1 || !finished {
				t.Errorf("announced %d times, finished %v, want once, true", announced, finished)
			}
		})
	}
}

// drained returns what is sent when s is written in a drain.
func drained(o *Observer, s string) string {
	var out strings.Builder
	parts := o.Split([]byte(s), noLimit{}, new(noSocket))
	for _, part := range parts {
		out.Write(part)
	}
	if len(parts) > 1 {
		o.Wrote(parts, int64(out.Len()), nil)
	}
	return out.String()
}

// A Read that begins during an unseen copy ends the tracking, in either order.
func TestReadDuringCopy(t *testing.T) {
	var o Observer
	answer(&o)
	o.StartCopy()
	o.OnReadStart()
	if !o.Untracked() {
		t.Error("tracked after a Read that began during the copy")
	}
	o.EndCopy()
	var late Observer
	answer(&late)
	late.OnReadStart()
	late.StartCopy()
	if !late.Untracked() {
		t.Error("tracked after a copy that started after the Read")
	}
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
