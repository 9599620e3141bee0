package master

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/rota-go/rota/reload"
)

const (
	defaultGrace     = 30 * time.Second
	defaultIdleGrace = 5 * time.Second
)

// Check returns a *ConfigError that names the first value which makes no sense, or nil.
// New and Setup check by themselves.
func (c Config) Check() error {
	switch {
	case c.Workers < 0:
		return &ConfigError{Field: "Workers", Value: c.Workers, Want: "0 (one) or more"}
	case c.Surge < 0:
		return &ConfigError{Field: "Surge", Value: c.Surge, Want: "0 (one) or more"}
	case c.MaxMemory < 0:
		return &ConfigError{Field: "MaxMemory", Value: c.MaxMemory, Want: "0 (no limit) or a number of bytes"}
	case c.HealthFailures < 0:
		return &ConfigError{Field: "HealthFailures", Value: c.HealthFailures, Want: "0 (three) or more"}
	}
	return nil
}

// allow asks Config.Allow. One that panics refuses.
func (c Config) allow(w *Worker, network, address string) (err error) {
	defer c.recovered("Allow", &err)
	return c.Allow(w, network, address)
}

// env asks Config.Env.
func (c Config) env() (env []string, err error) {
	if c.Env == nil {
		return os.Environ(), nil
	}
	defer c.recovered("Env", &err)
	return c.Env(), nil
}

// recovered is deferred around a function of the configuration. A panic, which a worker
// may have brought on by what it asks for, must not end the master.
func (c Config) recovered(field string, err *error) {
	if p := recover(); p != nil {
		c.logger().Error("rota: a function of the configuration panicked", "field", field, "panic", p, "stack", string(debug.Stack()))
		*err = fmt.Errorf("Config.%s panicked: %v", field, p)
	}
}

func (c Config) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.Default()
}

func (c Config) workers() int { return max(c.Workers, 1) }

func (c Config) grace() time.Duration     { return duration(c.Grace, defaultGrace) }
func (c Config) idleGrace() time.Duration { return duration(c.IdleGrace, defaultIdleGrace) }

// duration reads a field of Config: zero means the default, negative none.
func duration(d, zero time.Duration) time.Duration {
	if d == 0 {
		return zero
	}
	return max(d, 0)
}

func (c Config) policy() reload.Policy {
	return reload.Policy{
		Surge:        c.Surge,
		MinUptime:    c.MinUptime,
		ReadyTimeout: c.ReadyTimeout,
		Grace:        c.Grace,
		KillAfter:    c.KillAfter,
		MaxAge:       c.MaxAge,
	}
}
