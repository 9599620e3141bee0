package wire

import (
	"bufio"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sample is a typical frame of each type. The bytes of all of them, in every
// version that there was, are in testdata: a change there is a change of the
// protocol, and needs a new version and a new file, not an edit.
type sample struct {
	name  string
	frame Frame
	body  any // nil where the frame has none, or the program's own
}

// listenBody is the body of a listen frame. The library's type is bind.Request, whose
// test holds it to the same bytes.
type listenBody struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Packet  bool   `json:"packet,omitempty"`
	Backlog int    `json:"backlog,omitempty"`
	Mode    uint32 `json:"mode,omitempty"`
	Dir     string `json:"dir,omitempty"`
	Spread  int    `json:"spread,omitempty"`
}

var samples = []sample{
	{"hello", Frame{Type: Hello}, &HelloBody{Min: 1, Max: 1, PID: 4711}},
	{"welcome", Frame{Type: Welcome}, &WelcomeBody{Version: 1, Grace: 30 * time.Second, IdleGrace: 5 * time.Second}},
	{"welcome on trial", Frame{Type: Welcome}, &WelcomeBody{Version: 1, Grace: time.Minute, IdleGrace: -1, HoldOff: 900 * time.Millisecond}},
	{"refuse", Frame{Type: Refuse}, &RefuseBody{Reason: "it speaks versions 7 to 9"}},
	{"listen", Frame{Type: Listen, Call: 1}, &listenBody{Network: "tcp", Address: ":8080"}},
	{"listen with all", Frame{Type: Listen, Call: 0x01020304}, &listenBody{Network: "unixgram", Address: "/run/a.sock", Packet: true, Backlog: 128, Mode: 0o660}},
	{"listen with a queue for each slot", Frame{Type: Listen, Call: 2}, &listenBody{Network: "tcp", Address: ":8080", Spread: 2}},
	{"socket", Frame{Type: Socket, FDs: 1, Call: 1}, &SocketBody{ID: 3}},
	{"failed", Frame{Type: Failed, Call: 2}, &FailedBody{Kind: "syscall", Op: "listen", Net: "tcp", Addr: "127.0.0.1:80", AddrNet: "tcp", Syscall: "bind", Errno: 98}},
	{"failed with all", Frame{Type: Failed, Call: 2}, &FailedBody{Kind: "dns", Op: "listen", Net: "tcp", Addr: "a:b", AddrNet: "tcp", Syscall: "bind", Errno: 1, Text: "no such host", Name: "a.invalid", Server: "[::1]:53", Flags: 4}},
	{"accepting", Frame{Type: Accepting}, &AcceptingBody{ID: 3}},
	{"accepting its own", Frame{Type: Accepting}, &AcceptingBody{Own: "tcp 127.0.0.1:9000"}},
	{"closed", Frame{Type: Closed}, &ClosedBody{ID: 3}},
	{"disconnect", Frame{Type: Disconnect}, nil},
	{"disconnect within", Frame{Type: Disconnect}, &DisconnectBody{Grace: 10 * time.Second}},
	{"draining", Frame{Type: Draining}, nil},
	{"ready", Frame{Type: Ready}, nil},
	{"message", Frame{Type: Message, Body: []byte(`{"cmd":"stats"}`)}, nil},
	{"message with handles", Frame{Type: Message, FDs: 2, Body: []byte(`"a conn and a file"`)}, nil},
	{"retire", Frame{Type: Retire}, nil},
	{"watch", Frame{Type: Watch}, nil},
	{"check", Frame{Type: Check, Call: 5}, &CheckBody{Within: 10 * time.Second}},
	{"hello that pings", Frame{Type: Hello}, &HelloBody{Min: 1, Max: 1, PID: 4711, Pings: true}},
	{"check for a sign of life", Frame{Type: Check, Call: 7}, &CheckBody{}},
	{"checked", Frame{Type: Checked, Call: 5}, &CheckedBody{}},
	{"checked, not well", Frame{Type: Checked, Call: 6}, &CheckedBody{Error: "the database is gone"}},
	{"hand over", Frame{Type: HandOver, FDs: 1}, nil},
	{"receive", Frame{Type: Receive, FDs: 1}, nil},
	{"lead", Frame{Type: Lead, Call: 8}, &LeadBody{Name: "reports"}},
	{"leads", Frame{Type: Leads, FDs: 1, Call: 8}, nil},
	{"yield", Frame{Type: Yield, Call: 8}, nil},
	{"broadcast", Frame{Type: Broadcast, Call: 7, Body: []byte(`{"forget":"key"}`)}, nil},
	{"taken", Frame{Type: Taken}, &TakenBody{Messages: 12}},
	{"inherit", Frame{Type: Inherit, Call: 8}, nil},
	{"inherited", Frame{Type: Inherit, FDs: 1, Call: 8}, nil},
	{"give state", Frame{Type: GiveState, FDs: 1}, nil},
	{"hello that helps", Frame{Type: Hello}, &HelloBody{Min: 1, Max: 1, PID: 4711, Helps: true}},
	{"socket of a slot", Frame{Type: Socket, FDs: 1, Call: 1}, &SocketBody{ID: 3, Cookie: 4097}},
	{"socket with turns", Frame{Type: Socket, FDs: 1, Call: 1}, &SocketBody{ID: 3, InTurn: true}},
	{"hello that turns", Frame{Type: Hello}, &HelloBody{Min: 1, Max: 1, PID: 4711, Turns: true}},
	{"help with its own queue", Frame{Type: Help}, &HelpBody{ID: 3}},
	{"help", Frame{Type: Help, FDs: 1}, &HelpBody{ID: 3}},
	{"helped", Frame{Type: Helped}, nil},
	{"hello that spares", Frame{Type: Hello}, &HelloBody{Min: 1, Max: 1, PID: 4711, Spares: true}},
	{"stand by", Frame{Type: StandBy}, &StandByBody{ID: 3, For: time.Second}},
	{"have a turn", Frame{Type: StandBy}, &StandByBody{ID: 3}},
	{"spare", Frame{Type: Spare, FDs: 1}, &SpareBody{Connections: 64}},
	{"tickets", Frame{Type: Tickets}, &TicketsBody{Keys: TicketKeys{{1}, {2}}}},
	{"hello that counts", Frame{Type: Hello}, &HelloBody{Min: 1, Max: 1, PID: 4711, Counts: true}},
	{"count", Frame{Type: Count}, nil},
	{"counted", Frame{Type: Counted}, &CountedBody{Counters: Counters{Accepted: 6, Taken: 5, Open: 4, Moved: 3, Announced: 2, Cut: 1}}},
	{"counted requests", Frame{Type: Counted}, &CountedBody{Counters: Counters{Accepted: 6, Requests: 8, Errors: 7}}},
	{"counted classes", Frame{Type: Counted}, &CountedBody{Counters: Counters{Requests: 15, Errors: 5, Classes: [5]int64{1, 2, 3, 4, 5}, InFlight: 6, Busy: 7}}},
	{"counted work", Frame{Type: Counted}, &CountedBody{Counters: Counters{Open: 4}, Work: Work{Processor: time.Second, Waits: 9}}},
	{"share", Frame{Type: Share, Call: 9}, &ShareBody{Name: "metrics", Size: 1 << 20}},
	{"share queue", Frame{Type: Share, Call: 9}, &ShareBody{Name: "packets", Queue: true}},
	{"shared", Frame{Type: Shared, FDs: 1, Call: 9}, nil},
	{"ask status", Frame{Type: AskStatus, Call: 10}, nil},
	{"welcome with a number of requests", Frame{Type: Welcome}, &WelcomeBody{Version: 1, Grace: time.Second, IdleGrace: 1, MaxRequests: 9973}},
	{"worn", Frame{Type: Worn}, nil},
	{"report", Frame{Type: Report}, &ReportBody{Error: "no database"}},
	{"report, well again", Frame{Type: Report}, &ReportBody{}},
	{"status", Frame{Type: Status, Call: 10, Body: []byte(`{"pid":4711}`)}, nil},
}

// whole is the frame with its body.
func (s sample) whole() Frame {
	f := s.frame
	if s.body != nil {
		f.Body = Body(s.body)
	}
	return f
}

// readGolden reads lines "name: header in hex, then the body as it is".
func readGolden(t *testing.T, path string) map[string][]byte {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	golden := map[string][]byte{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, ": ")
		head, body, _ := strings.Cut(rest, " | ")
		b, err := hex.DecodeString(strings.ReplaceAll(head, " ", ""))
		if err != nil {
			t.Fatalf("%s: %s: %v", path, name, err)
		}
		golden[name] = append(b, body...)
	}
	return golden
}

func TestGoldenBytes(t *testing.T) {
	golden := readGolden(t, "testdata/version1.txt")
	for _, s := range samples {
		got, err := Append(nil, s.whole())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(golden[s.name]), string(got)); diff != "" {
			t.Errorf("%s: the bytes are not those of version 1 (-want +got):\n%s", s.name, diff)
		}
	}
	if len(golden) != len(samples) {
		t.Errorf("testdata has %d frames, there are %d samples", len(golden), len(samples))
	}
}

// TestGoldenRead reads what every version has ever written.
func TestGoldenRead(t *testing.T) {
	paths, err := filepath.Glob("testdata/version*.txt")
	if err != nil || len(paths) < Version-MinVersion+1 {
		t.Fatalf("%d files in testdata, error %v: one a version is expected", len(paths), err)
	}
	for _, path := range paths {
		golden := readGolden(t, path)
		for _, s := range samples {
			if b := golden[s.name]; b != nil {
				readSample(t, path, s, b)
			}
		}
	}
}

func readSample(t *testing.T, path string, s sample, b []byte) {
	t.Helper()
	frames, err := decode(b, len(b), s.frame.FDs)
	if err != nil || len(frames) != 1 {
		t.Fatalf("%s: %s: %d frames, error %v", path, s.name, len(frames), err)
	}
	if diff := cmp.Diff(s.whole(), frames[0]); diff != "" {
		t.Errorf("%s: %s (-want +got):\n%s", path, s.name, diff)
	}
	if s.body == nil {
		return
	}
	got := reflect.New(reflect.TypeOf(s.body).Elem()).Interface()
	if err := frames[0].Decode(got); err != nil {
		t.Errorf("%s: %s: %v", path, s.name, err)
	}
	if diff := cmp.Diff(s.body, got); diff != "" {
		t.Errorf("%s: %s: body (-want +got):\n%s", path, s.name, diff)
	}
}

// TestEveryTypeHasASample fails when a type is added and not written down.
func TestEveryTypeHasASample(t *testing.T) {
	seen := map[Type]bool{}
	for _, s := range samples {
		seen[s.frame.Type] = true
	}
	for i := range 256 {
		if typ := Type(i); typ.Known() != seen[typ] {
			t.Errorf("%v: known %v, has a sample %v", typ, typ.Known(), seen[typ])
		}
	}
}

// TestBodyOfANewerPeer: fields that this version doesn't know are passed over.
func TestBodyOfANewerPeer(t *testing.T) {
	var got HelloBody
	err := Frame{Type: Hello, Body: []byte(`{"min":1,"max":9,"pid":7,"shoe":{"size":43}}`)}.Decode(&got)
	if want := (HelloBody{Min: 1, Max: 9, PID: 7}); err != nil || got != want {
		t.Errorf("got %+v, error %v; want %+v", got, err, want)
	}
}
