package successor

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// The bytes of each kind, as releases exchange them. An old release's master upgrades to a
// new one, and to go back the new one's upgrades to the old one: never change these.
var golden = []struct {
	m     Message
	bytes string
}{
	{Message{Kind: Hello, Version: 1, PID: 4711}, `{"kind":"hello","version":1,"pid":4711}`},
	{Message{Kind: Given, Given: json.RawMessage(`{"first":3,"name":"web"}`)}, `{"kind":"given","given":{"first":3,"name":"web"}}`},
	{
		Message{Kind: Socket, Socket: json.RawMessage(`{"network":"tcp","address":":0","index":1,"name":"[::]:4002","nameNet":"tcp"}`)},
		`{"kind":"socket","socket":{"network":"tcp","address":":0","index":1,"name":"[::]:4002","nameNet":"tcp"}}`,
	},
	{Message{Kind: State, State: &Snapshot{}}, `{"kind":"state","state":{"workers":0,"generation":0,"lastID":0}}`},
	{
		Message{Kind: State, State: &Snapshot{
			Workers: 4, Scaled: true, Generation: 7, LastID: 29, Served: map[int][]string{0: {"tcp :80"}},
			Needed: Times{0: {"tcp :80": time.Second}},
			Ports:  json.RawMessage(`[{"network":"tcp","address":":0","port":":4001"}]`),
			Reload: true, Watchdog: 30 * time.Second, Tickets: wire.TicketKeys{{1}}, Trial: &reload.Trial{Canary: 2, Time: time.Second},
		}},
		`{"kind":"state","state":{"workers":4,"scaled":true,"generation":7,"lastID":29,"served":{"0":["tcp :80"]},` +
			`"needed":{"0":{"tcp :80":1000000000}},"ports":[{"network":"tcp","address":":0","port":":4001"}],"reload":true,"trial":{"canary":2,"time":1000000000},"watchdog":30000000000,"tickets":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}`,
	},
	{Message{Kind: Ready}, `{"kind":"ready"}`},
	{Message{Kind: Failed, Reason: "why"}, `{"kind":"failed","reason":"why"}`},
	{Message{Kind: Failed, Reason: "why", Is: []string{"notReady"}}, `{"kind":"failed","reason":"why","is":["notReady"]}`},
	{Message{Kind: Go, State: &Snapshot{Workers: 1, Generation: 1, LastID: 1}}, `{"kind":"go","state":{"workers":1,"generation":1,"lastID":1}}`},
	{Message{Kind: Late, State: &Snapshot{Workers: 2, Reload: true}}, `{"kind":"late","state":{"workers":2,"generation":0,"lastID":0,"reload":true}}`},
	{Message{Kind: Shared, Name: "metrics"}, `{"kind":"shared","name":"metrics"}`},
	{Message{Kind: Shared, Name: "metrics", Spare: true}, `{"kind":"shared","name":"metrics","spare":true}`},
	{Message{Kind: Release, Generation: 3}, `{"kind":"release","generation":3}`},
	{Message{Kind: Pair, Slot: 2}, `{"kind":"pair","slot":2}`},
	{Message{Kind: Stop}, `{"kind":"stop"}`},
	{Message{Kind: Stop, AtOnce: true}, `{"kind":"stop","atOnce":true}`},
}

func TestBytesOfMessages(t *testing.T) {
	for _, tc := range golden {
		if got := string(wire.Body(&tc.m)); got != tc.bytes {
			t.Errorf("%s is sent as\n%s, want\n%s", tc.m.Kind, got, tc.bytes)
		}
		var got Message
		if err := json.Unmarshal([]byte(tc.bytes), &got); err != nil || !reflect.DeepEqual(got, tc.m) {
			t.Errorf("%s is read as %+v (%v), want %+v", tc.bytes, got, err, tc.m)
		}
	}
}

// A reader ignores fields and kinds that a later version has added.
func TestLaterVersion(t *testing.T) {
	var m Message
	if err := json.Unmarshal([]byte(`{"kind":"later","more":[1]}`), &m); err != nil {
		t.Fatal(err)
	}
	u, k := &Upgrade{state: Starting}, &Takeover{}
	if u.Receive(&m) != None || k.Receive(&m) != None || u.state != Starting || k.state != Dialed {
		t.Error("an unknown kind has an effect")
	}
}

// errors.Is finds what the new master reports; the text is the new master's.
func TestErrorsTravel(t *testing.T) {
	notReady := fmt.Errorf("its workers are %w", reload.ErrNotReady)
	for _, tc := range []struct {
		err  error
		text string
		is   bool
	}{
		{notReady, "its workers are not ready in time", true},
		{errors.New("not ready in time"), "not ready in time", false},
		{nil, "it was told to stop", false},
	} {
		var m Message
		if err := json.Unmarshal(wire.Body(Failure(tc.err)), &m); err != nil {
			t.Fatal(err)
		}
		if err := m.Err(); err.Error() != tc.text || errors.Is(err, reload.ErrNotReady) != tc.is {
			t.Errorf("%v came as %q, ErrNotReady: %v", tc.err, err, !tc.is)
		}
	}
	m := Message{Kind: Failed, Reason: "why", Is: []string{"later"}}
	if err := m.Err(); err.Error() != "why" {
		t.Errorf("an error of a name that isn't known is %q", err)
	}
}
