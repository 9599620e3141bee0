package master

import (
	"log/slog"
	"slices"
	"time"

	"github.com/rota-go/rota/reload"
)

const (
	defaultGrace     = 30 * time.Second
	defaultIdleGrace = 5 * time.Second
)

// Check returns a *ConfigError that names the first field with an invalid value, or nil.
// New and Setup call it.
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

// clone returns a copy of c that shares no slices with it.
func (c Config) clone() Config {
	c.Args, c.ExtraFiles = slices.Clone(c.Args), slices.Clone(c.ExtraFiles)
	return c
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

// duration returns the value that a field of Config stands for: if d is 0 the default,
// zero; if d is negative 0, which means none.
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
