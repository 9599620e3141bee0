package sockets

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/bind"
)

var anyUser = &bind.User{UID: 1, GID: 1}

func (d *testServer) askOn(holder, call int, network, address string, terms Terms) {
	d.Ask(d.t.Context(), Caller{holder, uint32(call)}, bind.Request{Network: network, Address: address, Packet: network == "fdgram"}, terms)
	d.run()
}

// Holders with a user of their own get what was asked for until the list was sealed, and
// what the configuration names; others get everything.
func TestTerms(t *testing.T) {
	d := newTestServer(t)
	own := Terms{User: anyUser, Named: []string{"tcp :9000"}}
	d.askOn(1, 1, "tcp", ":80", own)
	d.askOn(1, 2, "tcp", ":0", own)
	d.askOn(1, 3, "unix", "/a/../run/x", own)
	if d.AcceptsOn(1, 1, "", own); len(d.timers) != 1 || d.last != SealAfter {
		t.Fatalf("%d timers, the last of %v, want one of %v", len(d.timers), d.last, SealAfter)
	}
	d.askOn(1, 4, "tcp", ":81", own)
	d.timers[0]()
	d.AcceptsOn(1, 1, "", own)
	d.want("1.1: socket 1", "1.2: socket 2", "1.3: socket 3", "1.4: socket 4")
	for i, tc := range []struct {
		network, address string
		terms            Terms
		permitted        bool
	}{
		{"tcp", ":80", own, true}, {"tcp", ":0", own, true}, {"tcp", ":81", own, true}, {"tcp", ":9000", own, true},
		{"unix", "/run/x", own, true}, {"unix", "/etc/x", own, false},
		{"tcp", ":22", own, false}, {"tcp4", ":80", own, false}, {"udp", ":80", own, false},
		{"tcp", ":22", Terms{}, true}, {"tcp", ":23", Terms{User: anyUser, Allow: func(bind.Request) error { return nil }}, true},
	} {
		d.answers = nil
		d.askOn(10+i, 1, tc.network, tc.address, tc.terms)
		if got := strings.Contains(d.answers[0], "socket"); got != tc.permitted {
			t.Errorf("%s %s: %q, permitted: want %t", tc.network, tc.address, d.answers, tc.permitted)
		}
	}
	for range 3 {
		d.askOn(2, 1, "tcp", ":22", own)
	}
	if want := []string{"unix /etc/x", "tcp :22", "tcp4 :80", "udp :80", "tcp :22"}; !slices.Equal(d.denied, want) {
		t.Errorf("reported %q, want %q: one a holder", d.denied, want)
	}
}

// Allow sees what will be opened.
func TestAllowSeesAll(t *testing.T) {
	d := newTestServer(t)
	var got []string
	terms := Terms{Allow: func(r bind.Request) error { got = append(got, fmt.Sprintf("%+v", r)); return nil }}
	r := bind.Request{Network: "unix", Address: "app.sock", Dir: "/root", Options: bind.Options{Backlog: 1, Mode: 0o666}}
	d.Ask(t.Context(), Caller{1, 1}, r, terms)
	d.run()
	r.Address, r.Dir = "/root/app.sock", ""
	if want := []string{fmt.Sprintf("%+v", r)}; !slices.Equal(got, want) {
		t.Errorf("Allow saw %v, want %v", got, want)
	}
}

// A request that is longer than any socket's name is refused before anything is kept of it.
func TestLongRequests(t *testing.T) {
	d := newTestServer(t)
	d.askOn(1, 1, strings.Repeat("t", maxNetwork+1), ":80", Terms{})
	d.askOn(1, 2, "tcp", strings.Repeat("a", maxAddress+1), Terms{})
	d.Ask(t.Context(), Caller{1, 3}, bind.Request{Network: "unix", Address: "x", Dir: strings.Repeat("/", maxDir+1)}, Terms{})
	d.want("1.1: invalid argument", "1.2: bind: file name too long", "1.3: bind: file name too long")
	if len(d.known)+len(d.byKey) > 0 {
		t.Errorf("the table keeps %v and %v", d.known, d.byKey)
	}
}

// What a holder has asked for counts until it is closed: asking and closing in turn
// doesn't get past the bound.
func TestAskAndCloseInTurn(t *testing.T) {
	d := newTestServer(t)
	d.limit = 20
	for i := range 15 {
		d.ask(1, i, fmt.Sprint(":", i+1), nil)
		d.run()
		d.Server.Closed(1, i+1)
	}
	if got := len(d.byID); got != d.limit/2 {
		t.Errorf("%d sockets are open, want %d", got, d.limit/2)
	}
	if last := d.answers[len(d.answers)-1]; last != "1.14: socket: too many open files" {
		t.Error(last)
	}
}

// At the limit of all, sockets of holders that are gone make room, but not those that
// the first holders asked for; and these are opened even beyond it.
func TestLimitOfAll(t *testing.T) {
	d := newTestServer(t)
	d.limit, d.generation = 6, map[int]int{4: 2}
	d.ask(1, 1, ":80", nil)
	d.run()
	d.known[Key{Network: "tcp", Address: ":443"}] = true
	d.Seal()
	for holder := 2; holder <= 4; holder++ {
		for i := range 2 {
			d.ask(holder, i, fmt.Sprint(":", 1000*holder+i), nil)
			d.run()
		}
	}
	if got := len(d.byID); got != d.limit || d.answers[6] != "4.1: socket: too many open files" {
		t.Fatalf("%d sockets are open, want %d; %q", got, d.limit, d.answers)
	}
	d.ask(5, 1, ":80", nil)
	d.ask(5, 2, ":443", nil)
	d.run()
	d.ask(5, 3, ":444", nil)
	if got := d.answers[7:]; !slices.Equal(got, []string{"5.1: socket 1", "5.3: socket: too many open files", "5.2: socket 7"}) &&
		!slices.Equal(got, []string{"5.1: socket 1", "5.2: socket 7", "5.3: socket: too many open files"}) {
		t.Errorf("%q", got)
	}
	d.Release(1)
	d.Release(2)
	d.ask(5, 4, ":445", nil)
	d.run()
	if _, open := d.Name(1); !open {
		t.Error("the socket of the first holder was closed")
	}
	if _, open := d.Name(2); open || d.answers[len(d.answers)-1] != "5.4: socket 8" {
		t.Errorf("a socket of one that is gone: open %t; %q", open, d.answers)
	}
}

// The calls that wait are bounded, and each is counted until it is answered.
func TestWaitingCalls(t *testing.T) {
	d := newTestServer(t)
	for i := range maxCalls + 1 {
		d.ask(1, i, ":80", nil)
	}
	if want := []string{fmt.Sprintf("1.%d: socket: too many open files", maxCalls)}; !slices.Equal(d.answers, want) {
		t.Errorf("%.100q, want %q", d.answers, want)
	}
	d.run()
	d.ask(1, 1, ":81", func() error { return nil })
	d.gone[1] = true
	d.run()
	d.gone[2] = true
	d.ask(2, 1, ":82", nil)
	d.run()
	if len(d.calls) > 0 {
		t.Errorf("calls that wait: %v", d.calls)
	}
}

// Ports are remembered of as many closed sockets as are bounded, first those of the start.
func TestPortsAreForgotten(t *testing.T) {
	d := newTestServer(t)
	d.ask(1, 1, ":0", nil)
	d.run()
	d.Seal()
	for i := range 2 * maxKnown {
		host := fmt.Sprintf("127.1.%d.%d:0", i/256, i%256)
		d.ports[Key{Network: "tcp", Address: host}] = host
	}
	d.CloseAll()
	if got := d.ports; len(got) != 1 || got[Key{Network: "tcp", Address: ":0"}] == "" {
		t.Errorf("%d ports are remembered, want that of the start", len(got))
	}
}

// On what a holder accepts counts for others only if it has the socket, and in a holder
// with a user of its own only if somebody had it before the list was sealed.
func TestAcceptsOn(t *testing.T) {
	d := newTestServer(t)
	own := Terms{User: anyUser}
	d.ask(1, 1, ":80", nil)
	d.ask(2, 1, ":81", nil)
	d.run()
	check := func(socket int, name string, terms Terms, want bool) {
		t.Helper()
		if _, ok := d.AcceptsOn(1, socket, name, terms); ok != want {
			t.Errorf("socket %d, own %.20q: %t, want %t", socket, name, ok, want)
		}
	}
	check(1, "", own, true)
	check(2, "", own, false)
	check(3, "", own, false)
	check(0, "tcp :9", own, true)
	check(0, strings.Repeat("x", maxOwnName+1), own, false)
	d.Seal()
	check(0, "tcp :9", own, true)
	check(0, "tcp :8", own, false)
	check(0, "tcp :8", Terms{}, true)
	for i := range maxOwn {
		d.AcceptsOn(1, 0, fmt.Sprint(i), Terms{})
	}
	check(0, "one too many", Terms{}, false)
}

// Descriptors that the process has opened itself are its own.
func TestGiven(t *testing.T) {
	o, err := Open(t.Context(), Request{Request: bind.Request{Network: "tcp", Address: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	n := o.FD.Int()
	c := cookie(n)
	if c == 0 {
		t.Skip("no cookies of sockets here")
	}
	for _, tc := range []struct {
		in      inherited
		network string
		address string
		want    bool
	}{
		{inherited{}, "fd", fmt.Sprint(n), false}, {inherited{}, "fdgram", fmt.Sprint(n), false}, {inherited{}, "fd", "0" + fmt.Sprint(n), false},
		{inherited{given: map[int]uint64{n: c}}, "fd", fmt.Sprint(n), true},
		{inherited{given: map[int]uint64{n: c + 1}}, "fd", fmt.Sprint(n), false},
		{inherited{}, "fd", "web", true}, {inherited{}, "tcp", ":80", true}, {inherited{successor: true}, "fd", "7", true},
	} {
		if got := tc.in.isGiven(bind.Request{Network: tc.network, Address: tc.address}); got != tc.want {
			t.Errorf("%+v %s %s: %t, want %t", tc.in, tc.network, tc.address, got, tc.want)
		}
	}
	if cookies()[n] != c {
		t.Errorf("cookies of %d: %v, want %d", n, cookies(), c)
	}
}

// Of those who ask for a descriptor of the supervisor's, the first decides on its queue.
func TestFirstDecidesBacklog(t *testing.T) {
	in := inherited{}.fresh()
	r := Request{Request: bind.Request{Options: bind.Options{Backlog: 7}}}
	second := r
	second.Duplicate = true
	if got := []int{in.options(second, 3).Backlog, in.options(r, 3).Backlog, in.options(r, 3).Backlog, in.options(r, 4).Backlog}; !slices.Equal(got, []int{0, 7, 0, 7}) {
		t.Errorf("queues of %v", got)
	}
}

// Sockets that only holders that are gone have asked for are closed when the others have
// asked for what they need, and not before; one timer runs for that.
func TestReleased(t *testing.T) {
	d := newTestServer(t)
	steady := false
	isSteady := func() bool { return steady }
	for holder := 1; holder <= 3; holder++ {
		d.ask(holder, 1, fmt.Sprint(":", holder), nil)
		d.ask(holder, 2, ":80", nil)
	}
	d.run()
	d.Released(1, isSteady)
	d.Released(2, isSteady)
	if len(d.timers) != 1 || d.last != abandonAfter {
		t.Fatalf("%d timers, the last of %v, want one of %v", len(d.timers), d.last, abandonAfter)
	}
	d.timers[0]()
	if len(d.byID) != 4 || len(d.timers) != 2 {
		t.Fatalf("not steady: %d sockets, want 4; %d timers, want 2", len(d.byID), len(d.timers))
	}
	steady = true
	d.timers[1]()
	d.Released(2, isSteady)
	if len(d.byID) != 2 || len(d.timers) != 2 {
		t.Errorf("steady: %d sockets, want those of holder 3; %d timers, want 2", len(d.byID), len(d.timers))
	}
}

// What a holder with a user of its own had beyond what the program needs is closed when it is
// gone, also while no other follows it.
func TestSpareSockets(t *testing.T) {
	d := newTestServer(t)
	own := Terms{User: anyUser, Named: []string{"tcp :0"}, Allow: func(bind.Request) error { return nil }}
	d.askOn(1, 1, "tcp", ":80", own)
	d.Seal()
	for i, address := range []string{":0", ":0", ":81"} {
		d.askOn(1, 2+i, "tcp", address, own)
	}
	d.want("1.1: socket 1", "1.2: socket 2", "1.3: socket 3", "1.4: socket 4")
	d.askOn(3, 1, "tcp", ":82", Terms{})
	for holder := 1; holder <= 3; holder++ {
		d.Released(holder, func() bool { return false })
	}
	freed := 0
	d.Freed = func() { freed++ }
	for i := range manyFreed {
		d.byID[1000+i] = &entry{id: 1000 + i, fd: fakeFD(), foreign: true}
	}
	d.timers[0]()
	if freed != 1 {
		t.Errorf("Freed was called %d times, want once", freed)
	}
	for id, want := range map[int]bool{1: true, 2: true, 3: false, 4: false, 5: true} {
		if _, open := d.Name(id); open != want {
			t.Errorf("socket %d is open: %t, want %t", id, open, want)
		}
	}
}

// The holders of one generation leave a quarter of all sockets to the next one, which has
// its own three quarters.
func TestLimitOfGeneration(t *testing.T) {
	d := newTestServer(t)
	d.limit, d.generation = 40, map[int]int{4: 2, 5: 2, 6: 2}
	d.Seal()
	last := func(holder int) string {
		for i := range d.limit {
			d.ask(holder, i, fmt.Sprintf("127.0.0.%d:%d", holder, i+1), nil)
			d.run()
		}
		return d.answers[len(d.answers)-1]
	}
	for holder := 1; holder <= 3; holder++ {
		last(holder)
	}
	if d.opened[0] != 30 || d.opened[2] != 0 {
		t.Fatalf("opened, by generation: %v, want 30 of the first", d.opened)
	}
	last(4)
	if d.opened[0] != 30 || d.opened[2] != 10 {
		t.Fatalf("opened, by generation: %v, want 30 and 10", d.opened)
	}
	for holder := 1; holder <= 3; holder++ {
		d.Release(holder)
	}
	last(5)
	last(6)
	if d.opened[0] != 0 || d.opened[2] != 30 {
		t.Errorf("the first generation is gone: %v, want 30 of the second", d.opened)
	}
	d.known[Key{Network: "tcp", Address: ":80"}] = true
	d.ask(6, 99, ":80", nil)
	d.run()
	if d.opened[2] != 31 {
		t.Errorf("%v are open, want one more: the program needs it", d.opened)
	}
	d.CloseAll()
	if len(d.opened) != 0 {
		t.Errorf("%v are open, want none", d.opened)
	}
}

// Where nobody knows whether another holder follows, a socket stays open for forkedAfter since
// it was last held, so that the successor of a holder that has crashed finds it.
func TestReleasedByForked(t *testing.T) {
	d := newTestServer(t)
	for holder := 1; holder <= 3; holder++ {
		d.ask(holder, 1, fmt.Sprint(":", holder), nil)
		d.ask(holder, 2, ":80", nil)
	}
	d.run()
	open := func(when string, sockets int) {
		t.Helper()
		if len(d.byID) != sockets {
			t.Errorf("%s: %d sockets, want %d", when, len(d.byID), sockets)
		}
	}
	d.Released(1, nil)
	d.Released(2, nil)
	if len(d.timers) != 2 || d.last != forkedAfter {
		t.Fatalf("%d timers, the last of %v, want two of %v", len(d.timers), d.last, forkedAfter)
	}
	d.ask(4, 1, ":2", nil) // the successor of holder 2, in time
	d.run()
	d.Released(4, nil) // and it is gone too
	d.timers[0]()
	open("the time of holder 1 is over", 3)
	d.timers[1]()
	open("that of holder 2 is, and its socket was asked for since", 3)
	d.timers[2]()
	open("that of holder 4 is", 2)
	d.Released(3, nil)
	d.timers[3]()
	open("nobody is left", 0)
}
