package master

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/settings"
	"github.com/rota-go/rota/internal/wire"
)

// notForOperators are the fields without an environment variable, and why.
var notForOperators = map[string]string{
	"Exec":       "the program decides what its workers are",
	"Args":       "the same",
	"Dir":        "the same; a supervisor sets the master's",
	"Env":        "a function",
	"ExtraFiles": "open files",
	"Stdin":      "the program has to be written for it",
	"Silent":     "the program has to read the output",
	"WaitReady":  "the program has to call Ready",
	"RunMain":    "the program has to be written for it",
	"TicketKeys": "secrets don't belong into the environment",
	"Sockets":    "what the program may listen on is its author's decision",
	"Allow":      "a function",
	"Logger":     "has functions",
}

// Every field is in the table of settings, or has a reason not to be; a number or duration is
// always there.
func TestEveryFieldIsASetting(t *testing.T) {
	typ := reflect.TypeFor[Config]()
	for _, s := range settings.Table {
		if _, ok := typ.FieldByName(s.Field); !ok {
			t.Errorf("Config has no field %s", s.Field)
		}
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		listed := slices.ContainsFunc(settings.Table, func(s settings.Setting) bool { return s.Field == f.Name && isKind(s.Kind, f.Type) })
		if reason := notForOperators[f.Name]; listed == (reason != "") || !listed && reflect.Zero(f.Type).CanInt() {
			t.Errorf("%s: in the table of settings %t, reason not to be: %q", f.Name, listed, reason)
		}
	}
}

func isKind(k settings.Kind, t reflect.Type) bool {
	switch k {
	case settings.Duration:
		return t == reflect.TypeFor[time.Duration]()
	case settings.Bytes:
		return t.Kind() == reflect.Int64
	case settings.Switch:
		return t.Kind() == reflect.Bool
	case settings.Text:
		return t.Kind() == reflect.String
	}
	return t.Kind() == reflect.Int
}

// The comment of each number or duration says what zero means, and AtOnce and NoLimit where
// they are valid, and only there.
func TestEveryFieldSaysWhatItMayBe(t *testing.T) {
	comments := commentsOf(t, "config.go", "Config")
	for _, s := range settings.Table {
		text := comments[s.Field]
		for word, want := range map[string]bool{
			"Zero":    s.Kind != settings.Text && s.Kind != settings.Switch,
			"AtOnce":  s.None,
			"NoLimit": s.NoLimit && s.Kind == settings.Duration,
		} {
			if strings.Contains(text, word) != want {
				t.Errorf("the comment of %s: %q is there %t, want %t", s.Field, word, !want, want)
			}
		}
	}
}

// commentsOf returns the comments of the fields of a struct.
func commentsOf(t *testing.T, file, name string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != name {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			for _, id := range f.Names {
				all[id.Name] = f.Doc.Text()
			}
		}
		return false
	})
	return all
}

// Every number and duration is refused or taken as the table says. With one that is taken the
// master starts, reloads unless a trial of centuries keeps it, and stops; nothing overflows.
func TestExtremes(t *testing.T) {
	for _, s := range settings.Table {
		for _, n := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64} {
			cfg := Config{Workers: 1}
			if s.Field == "CanaryTime" {
				cfg.Canary = 1
			}
			f := reflect.ValueOf(&cfg).Elem().FieldByName(s.Field)
			if !f.CanInt() || s.Kind == settings.Workers && n > 1 {
				continue
			}
			f.SetInt(n)
			valid := n >= 0 || s.None
			if n == math.MaxInt64 && s.Kind == settings.Duration {
				valid = s.NoLimit
			}
			if s.Kind == settings.Choice {
				valid = n >= 0 && n < int64(len(s.Names))
			}
			var invalid *ConfigError
			err := cfg.Validate()
			if valid != (err == nil) || !valid && (!errors.As(err, &invalid) || invalid.Field != s.Field) {
				t.Errorf("%s = %d: %v", s.Field, n, err)
			}
			if valid {
				t.Run(s.Field, func(t *testing.T) { playExtreme(t, cfg) })
			}
		}
	}
}

func playExtreme(t *testing.T, cfg Config) {
	inBubble(t, cfg, func(t *testing.T, b *bench) {
		b.os.memory = func(int) int64 { return 1 }
		b.run()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := b.Reload(ctx); err != nil && cfg.MinUptime < time.Hour && cfg.CanaryTime < time.Hour && cfg.MaxAge != 1 && cfg.MaxMemory != 1 {
			t.Errorf("%+v: the reload: %v", cfg, err)
		}
		_ = b.Stop()
		_ = b.Stop()
		elapse(time.Minute)
		select {
		case err := <-b.result:
			if err != nil {
				t.Errorf("%+v: Run: %v", cfg, err)
			}
		default:
			t.Errorf("%+v: Run has not ended: %v live", cfg, b.living())
		}
		synctest.Wait()
	})
}

// MaxBackoff can't be less than MinBackoff.
func TestBackoffOrder(t *testing.T) {
	for _, c := range []struct {
		cfg   Config
		wrong bool
	}{
		{Config{MinBackoff: time.Minute}, false},
		{Config{MinBackoff: AtOnce, MaxBackoff: time.Second}, false},
		{Config{MinBackoff: time.Second, MaxBackoff: time.Second}, false},
		{Config{MinBackoff: time.Minute, MaxBackoff: time.Second}, true},
	} {
		var invalid *ConfigError
		if err := c.cfg.Validate(); errors.As(err, &invalid) != c.wrong {
			t.Errorf("%v and %v: %v", c.cfg.MinBackoff, c.cfg.MaxBackoff, err)
		}
	}
}

// A worker that crashes again and again is started when the configuration says so.
func TestConfiguredBackoff(t *testing.T) {
	inBubble(t, Config{MinBackoff: time.Second, MaxBackoff: 2 * time.Second}, func(t *testing.T, b *bench) {
		b.run()
		elapse(time.Minute) // proven
		id := 1
		for _, pause := range []time.Duration{time.Second, 1500 * time.Millisecond, 2 * time.Second, 2 * time.Second} {
			b.proc(id).die(Exit{Code: 1})
			elapse(pause - time.Millisecond)
			b.wantLiving(t)
			elapse(time.Millisecond)
			id++
			b.wantLiving(t, id)
		}
	})
}

// What Setup says of the balancer counts at once, before Run and during it.
func TestSetupOfTheBalancer(t *testing.T) {
	var asked atomic.Int32
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			p.say(wire.Hello, wire.HelloBody{Min: 1, Max: 1, Moves: true, Spares: true, Counts: true})
			p.accept("tcp", ":80")
			for p.await(wire.Count) {
				asked.Add(1)
			}
		}
		set := func(cfg Config, low, high int32) {
			t.Helper()
			if err := b.Setup(cfg); err != nil {
				t.Fatal(err)
			}
			b.wantCanaries(t, cfg.Canary)
			asked.Store(0)
			if elapse(time.Minute); asked.Load() < low || asked.Load() > high {
				t.Errorf("workers were asked %d times in a minute, want %d to %d", asked.Load(), low, high)
			}
		}
		set(Config{Rebalance: NoLimit, Canary: 1}, 0, 0)
		b.run()
		set(Config{Rebalance: NoLimit}, 0, 0)
		set(Config{Rebalance: 10 * time.Second, Canary: 2}, 8, 12)
		set(Config{}, 100, 120)
		set(Config{Rebalance: NoLimit}, 0, 0)
	})
}

// wantCanaries fails unless the balancer knows of so many canaries.
func (b *bench) wantCanaries(t *testing.T, want int) {
	t.Helper()
	_ = b.loop.Ask(func(l *loop) error {
		if got := l.balancer.Canaries; got != want {
			t.Errorf("the balancer knows of %d canaries, want %d", got, want)
		}
		return nil
	})
}
