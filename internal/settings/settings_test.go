package settings

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/reload"
)

// config has fields of each kind, with names of the table.
type config struct {
	Workers, Surge, MaxDraining               int
	Grace, MinUptime, ReadyTimeout, KillAfter time.Duration
	MaxMemory                                 int64
	NoNewPrivs                                bool
	User                                      string
	Spread                                    int
	Unknown                                   time.Duration
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		in    config
		wrong string
	}{
		{config{}, ""},
		{config{Workers: 1, Grace: time.Second, MaxMemory: 1, Unknown: -1}, ""},
		{config{Grace: -1, MinUptime: math.MinInt64}, ""},
		{config{Grace: reload.NoLimit, ReadyTimeout: reload.NoLimit, MaxDraining: math.MaxInt, MaxMemory: math.MaxInt64}, ""},
		{config{MinUptime: reload.NoLimit}, "MinUptime"},
		{config{MinUptime: reload.NoLimit - 1}, ""},
		{config{ReadyTimeout: -1}, "ReadyTimeout"},
		{config{Workers: -1}, "Workers"},
		{config{MaxDraining: -1}, "MaxDraining"},
		{config{MaxMemory: -1}, "MaxMemory"},
		{config{Spread: 2}, ""},
		{config{Spread: 3}, "Spread"},
		{config{Spread: -1}, "Spread"},
	} {
		field := ""
		if p := Check(c.in); p != nil {
			field = p.Field
		}
		if field != c.wrong {
			t.Errorf("%+v: the wrong field is %q, want %q", c.in, field, c.wrong)
		}
	}
}

func TestApply(t *testing.T) {
	for _, c := range []struct {
		env  string
		set  config
		want string // what config is printed as, or the text of the error
	}{
		{"ROTA_GRACE=10s", config{}, "Grace:10s"},
		{"ROTA_GRACE=none ROTA_KILL_AFTER=nolimit", config{}, "Grace:-1ns KillAfter:2562047h47m16.854775807s"},
		{"ROTA_GRACE=10s", config{Grace: time.Minute}, "Grace:1m0s"},
		{"ROTA_GRACE=", config{}, ""},
		{"ROTA_SURGE=3 ROTA_MAX_DRAINING=7 ROTA_USER=www:www ROTA_NO_NEW_PRIVS=on", config{}, "Surge:3 MaxDraining:7 NoNewPrivs:true User:www:www"},
		{"ROTA_MAX_MEMORY=512MiB", config{}, "MaxMemory:536870912"},
		{"ROTA_MAX_MEMORY=17", config{}, "MaxMemory:17"},
		{"ROTA_GRACE=10", config{}, `ROTA_GRACE "10": a duration such as "10s", or "none", or "nolimit"`},
		{"ROTA_GRACE=10", config{Grace: time.Minute}, `ROTA_GRACE "10": a duration such as "10s", or "none", or "nolimit"`},
		{"ROTA_GRACE=0s", config{}, `ROTA_GRACE "0s": a duration such as "10s", or "none", or "nolimit"`},
		{"ROTA_GRACE=-1s", config{}, `ROTA_GRACE "-1s": a duration such as "10s", or "none", or "nolimit"`},
		{"ROTA_MIN_UPTIME=nolimit", config{}, `ROTA_MIN_UPTIME "nolimit": a duration such as "10s", or "none"`},
		{"ROTA_READY_TIMEOUT=none", config{}, `ROTA_READY_TIMEOUT "none": a duration such as "10s", or "nolimit"`},
		{"ROTA_SURGE=0", config{}, `ROTA_SURGE "0": a number from 1 on`},
		{"ROTA_WORKERS=1025", config{}, `ROTA_WORKERS "1025": a number from 1 to 1024, or "auto"`},
		{"ROTA_WORKERS=many", config{}, `ROTA_WORKERS "many": a number from 1 to 1024, or "auto"`},
		{"ROTA_SPREAD=slots", config{}, "Spread:2"},
		{"ROTA_SPREAD=slots", config{Spread: 1}, "Spread:1"},
		{"ROTA_SPREAD=auto", config{}, ""},
		{"ROTA_SPREAD=even", config{}, `ROTA_SPREAD "even": "auto", "shared" or "slots"`},
		{"ROTA_NO_NEW_PRIVS=yes", config{}, `ROTA_NO_NEW_PRIVS "yes": "on" or "off"`},
		{"ROTA_MAX_MEMORY=9223372036854775807KiB", config{}, `ROTA_MAX_MEMORY "9223372036854775807KiB": a number of bytes, with or without a unit as in "512MiB", or "nolimit"`},
		{"ROTA_MAX_MEMORY=512MB", config{}, `ROTA_MAX_MEMORY "512MB": a number of bytes, with or without a unit as in "512MiB", or "nolimit"`},
	} {
		got := c.set
		err := Apply(&got, func(variable string) string {
			for _, f := range strings.Fields(c.env) {
				if value, ok := strings.CutPrefix(f, variable+"="); ok {
					return value
				}
			}
			return ""
		})
		text := described(got)
		if err != nil {
			text = fmt.Sprintf("%s %q: %s", err.Field, err.Value, err.Want)
		}
		if text != c.want {
			t.Errorf("%s: %s\nwant %s", c.env, text, c.want)
		}
	}
}

// described returns the fields of c that are not zero.
func described(c config) string {
	fields := strings.Fields(strings.Trim(fmt.Sprintf("%+v", c), "{}"))
	return strings.Join(slices.DeleteFunc(fields, func(f string) bool {
		return strings.HasSuffix(f, ":0") || strings.HasSuffix(f, ":0s") || strings.HasSuffix(f, ":false") || strings.HasSuffix(f, ":")
	}), " ")
}

func TestCheckMode(t *testing.T) {
	for text, want := range map[string]bool{"": true, "on": true, "off": true, "of": false, "OFF": false, "1": false, " off": false} {
		if p := CheckMode(text); (p == nil) != want {
			t.Errorf("ROTA=%q: %+v", text, p)
		}
	}
}

// Every variable has a name of its own, and says what it may be.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Table {
		for _, name := range []string{s.Field, s.Variable} {
			if seen[name] {
				t.Errorf("%s is in the table twice", name)
			}
			seen[name] = true
		}
		if s.Wants() == "" || s.Kind == 0 || !strings.HasPrefix(s.Variable, "ROTA_") {
			t.Errorf("%+v: incomplete", s)
		}
	}
}

// FuzzParse parses any text as the value of any variable. What is taken is a valid value of
// the field and not its zero, which would mean the default; every text that it prints as is taken too.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "none", "nolimit", "auto", "10s", "10", "-1s", "0", "1h5m", "512MiB", "8EiB", "1e3", "on", "off", "+5", "9223372036854775807ns"} {
		for i := range Table {
			f.Add(byte(i), text)
		}
	}
	f.Fuzz(func(t *testing.T, n byte, text string) {
		s := Table[int(n)%len(Table)]
		value, ok := s.Parse(text)
		if !ok || s.Kind == Text || s.Kind == Switch {
			return
		}
		var number int64
		switch v := value.(type) {
		case time.Duration:
			number = int64(v)
		case int:
			number = int64(v)
		case int64:
			number = v
		}
		isNone, isNoLimit := text == "none", text == "nolimit"
		switch {
		case number == 0 && s.Kind != Choice, !s.allows(number), number < 0 != isNone:
			t.Errorf("%s=%q is %d", s.Variable, text, number)
		case s.Kind == Duration && (number == int64(reload.NoLimit)) != isNoLimit:
			t.Errorf("%s=%q is %d", s.Variable, text, number)
		}
	})
}
