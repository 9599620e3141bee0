package link

import (
	"math"
	"slices"
	"strings"
	"testing"
)

var identities = []Identity{
	{FD: 3, ID: 1, Master: 1},
	{FD: 17, ID: 1204, Slot: 3, Generation: 12, Master: 4711},
	{FD: math.MaxInt32, ID: math.MaxInt, Slot: math.MaxInt, Generation: math.MaxInt, Master: math.MaxInt},
	{FD: 3, ID: 1, Master: 0}, // a master in another pid namespace may not know its own
}

func TestIdentityRoundTrip(t *testing.T) {
	for _, id := range identities {
		got, err := ParseIdentity(id.String())
		if err != nil || got != id {
			t.Errorf("%q: got %+v, error %v", id, got, err)
		}
	}
}

// The form of an Identity must not change: workers of other versions read it.
func TestIdentityString(t *testing.T) {
	if got, want := identities[1].String(), "fd=17 id=1204 slot=3 generation=12 master=4711"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseIdentityFails(t *testing.T) {
	good := identities[0].String()
	for name, s := range map[string]string{
		"nothing":            "",
		"a space":            " ",
		"another's value":    "1",
		"one word less":      strings.TrimSuffix(good, " master=1"),
		"one word more":      good + " more=1",
		"a line more":        good + "\n",
		"order":              "id=1 fd=3 slot=0 generation=0 master=1",
		"a descriptor below": "fd=2 id=1 slot=0 generation=0 master=1",
		"a negative one":     "fd=-3 id=1 slot=0 generation=0 master=1",
		"no id":              "fd=3 id=0 slot=0 generation=0 master=1",
		"negative slot":      "fd=3 id=1 slot=-1 generation=0 master=1",
		"negative gen":       "fd=3 id=1 slot=0 generation=-1 master=1",
		"no number":          "fd=three id=1 slot=0 generation=0 master=1",
		"hexadecimal":        "fd=0x3 id=1 slot=0 generation=0 master=1",
		"a plus":             "fd=+3 id=1 slot=0 generation=0 master=1",
		"a zero before":      "fd=03 id=1 slot=0 generation=0 master=1",
		"an underscore":      "fd=1_0 id=1 slot=0 generation=0 master=1",
		"two spaces":         "fd=3  id=1 slot=0 generation=0 master=1",
		"too large":          "fd=3 id=99999999999999999999 slot=0 generation=0 master=1",
	} {
		got, err := ParseIdentity(s)
		if err == nil || got != (Identity{}) {
			t.Errorf("%s: %q is %+v, error %v", name, s, got, err)
			continue
		}
		if !strings.Contains(err.Error(), EnvName) {
			t.Errorf("%s: the error doesn't name the variable: %v", name, err)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	for _, id := range identities {
		f.Add(id.String())
	}
	f.Add("fd=+3 id=01 slot=-0 generation=1_0 master=0x1")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseIdentity(s)
		if err == nil && id.String() != s {
			t.Errorf("%q was read as %q", s, id)
		}
		if err != nil && id != (Identity{}) {
			t.Errorf("%q: %+v with error %v", s, id, err)
		}
	})
}

func TestEnviron(t *testing.T) {
	env := []string{
		"PATH=/bin", EnvName + "=fd=3", "LISTEN_FDS=2", "LISTEN_PID=1", "LISTEN_PIDFDID=1", "LISTEN_FDNAMES=a:b",
		"NOTIFY_SOCKET=@x", "WATCHDOG_USEC=1", "WATCHDOG_PID=1", "FDSTORE=9", EnvKeeper + "=@x", "TABLEFLIP_HAS_PARENT_7DIU3=yes",
		"LISTEN_ADDR=:80", "EMPTY=", "NOVALUE", "A=LISTEN_FDS=3", "ROTA=off", "=C:=C:\\",
	}
	before := slices.Clone(env)
	want := []string{"PATH=/bin", "LISTEN_ADDR=:80", "EMPTY=", "NOVALUE", "A=LISTEN_FDS=3", "ROTA=off", "=C:=C:\\"}
	if got := Environ(env); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(env, before) {
		t.Errorf("env was changed to %q", env)
	}
}
