// Package settings has the one table of what can be set of a master: what each numeric
// field of master.Config may be, and which environment variable sets it. It knows the fields by
// their names alone.
//
// Every field has the same spelling for the same thing. Zero means the default. A negative
// duration means none, or at once, where that makes sense. The largest value of the field's type
// means that there is no limit, where that makes sense: reload.NoLimit for a duration. In the
// environment these are "none" and "nolimit", and a variable that is empty is not set.
package settings

import (
	"math"
	"reflect"
	"time"

	"github.com/rota-go/rota/reload"
)

// Kind is what the values of a setting are.
type Kind int

// The kinds.
const (
	Duration Kind = iota + 1
	Count
	Workers // a Count that may be "auto" in the environment
	Bytes
	Switch
	Text
	Choice // one of Names
)

// Setting is one field of a configuration.
type Setting struct {
	Field    string
	Variable string // of the environment; "" for a field that only the program sets
	Kind     Kind
	None     bool     // a negative duration is valid
	NoLimit  bool     // the largest value means that there is no limit
	Names    []string // the values 0, 1, 2 …
}

// Table has every setting that is a number or a duration, and every other one with a variable.
var Table = []Setting{
	{Field: "Workers", Variable: "ROTA_WORKERS", Kind: Workers},
	{Field: "User", Variable: "ROTA_USER", Kind: Text},
	{Field: "NoNewPrivs", Variable: "ROTA_NO_NEW_PRIVS", Kind: Switch},
	{Field: "Grace", Variable: "ROTA_GRACE", Kind: Duration, None: true, NoLimit: true},
	{Field: "StopGrace", Variable: "ROTA_STOP_GRACE", Kind: Duration, None: true, NoLimit: true},
	{Field: "StopDelay", Variable: "ROTA_STOP_DELAY", Kind: Duration, None: true},
	{Field: "IdleGrace", Variable: "ROTA_IDLE_GRACE", Kind: Duration, None: true, NoLimit: true},
	{Field: "KillAfter", Variable: "ROTA_KILL_AFTER", Kind: Duration, None: true, NoLimit: true},
	{Field: "Surge", Variable: "ROTA_SURGE", Kind: Count},
	{Field: "Canary", Variable: "ROTA_CANARY", Kind: Count},
	{Field: "CanaryTime", Variable: "ROTA_CANARY_TIME", Kind: Duration, NoLimit: true},
	{Field: "MinUptime", Variable: "ROTA_MIN_UPTIME", Kind: Duration, None: true},
	{Field: "ReadyTimeout", Variable: "ROTA_READY_TIMEOUT", Kind: Duration, NoLimit: true},
	{Field: "MaxDraining", Variable: "ROTA_MAX_DRAINING", Kind: Count, NoLimit: true},
	{Field: "MinBackoff", Variable: "ROTA_MIN_BACKOFF", Kind: Duration, None: true},
	{Field: "MaxBackoff", Variable: "ROTA_MAX_BACKOFF", Kind: Duration, NoLimit: true},
	{Field: "MaxAge", Variable: "ROTA_MAX_AGE", Kind: Duration, NoLimit: true},
	{Field: "MaxMemory", Variable: "ROTA_MAX_MEMORY", Kind: Bytes, NoLimit: true},
	{Field: "HealthInterval", Variable: "ROTA_HEALTH_INTERVAL", Kind: Duration, NoLimit: true},
	{Field: "HealthFailures", Variable: "ROTA_HEALTH_FAILURES", Kind: Count, NoLimit: true},
	{Field: "Spread", Variable: "ROTA_SPREAD", Kind: Choice, Names: Spreads},
	{Field: "PIDFile", Variable: "ROTA_PID_FILE", Kind: Text},
	{Field: "Control", Variable: "ROTA_CONTROL", Kind: Text},
}

// Problem is an invalid value. It converts to a *master.ConfigError.
type Problem struct {
	Field string // or the variable
	Value any
	Want  string
}

// Check returns what is wrong with the first invalid number or duration of config, a struct, or
// nil.
func Check(config any) *Problem {
	v := reflect.ValueOf(config)
	for _, s := range Table {
		f := v.FieldByName(s.Field)
		if f.IsValid() && f.CanInt() && !s.allows(f.Int()) {
			return &Problem{Field: s.Field, Value: f.Interface(), Want: s.wants()}
		}
	}
	return nil
}

// allows reports whether a field may have this value.
func (s Setting) allows(n int64) bool {
	if s.Kind == Duration && n == int64(reload.NoLimit) {
		return s.NoLimit
	}
	if s.Kind == Choice {
		return n >= 0 && n < int64(len(s.Names))
	}
	return n >= 0 || s.None
}

// wants says what a field may be.
func (s Setting) wants() string {
	text := "0 (the default) or more"
	if s.Kind == Choice {
		return Names(s.Names).String()
	}
	if s.Kind != Duration {
		return text
	}
	if s.None {
		text = "0 (the default), more, or less (none)"
	}
	if s.NoLimit {
		return text + ", or NoLimit"
	}
	return text + ", but not NoLimit"
}

// Apply sets the fields of config, a pointer to a struct, that are zero and whose variable is
// set, as get returns it. Variables of other fields are checked too. It returns what is wrong
// with the first invalid variable, or nil.
func Apply(config any, get func(variable string) string) *Problem {
	v := reflect.ValueOf(config).Elem()
	for _, s := range Table {
		text := get(s.Variable)
		if s.Variable == "" || text == "" {
			continue
		}
		value, ok := s.Parse(text)
		if !ok {
			return &Problem{Field: s.Variable, Value: text, Want: s.Wants()}
		}
		if f := v.FieldByName(s.Field); f.IsZero() {
			f.Set(reflect.ValueOf(value).Convert(f.Type()))
		}
	}
	return nil
}

// CheckMode returns what is wrong with the value of the variable ROTA, or nil.
func CheckMode(text string) *Problem {
	switch text {
	case "", "on", "off":
		return nil
	}
	return &Problem{Field: "ROTA", Value: text, Want: `"on", "off" or nothing`}
}

// none is the value of "none".
const none = time.Duration(-1)

// noLimit returns the value of "nolimit".
func (s Setting) noLimit() any {
	switch s.Kind {
	case Duration:
		return reload.NoLimit
	case Bytes:
		return int64(math.MaxInt64)
	}
	return math.MaxInt
}
