package rota

import (
	"context"
	"fmt"
	"os"

	"github.com/rota-go/rota/internal/settings"
	"github.com/rota-go/rota/master"
)

// OnMaster has f called with the master that Listen starts: once, in the master's process,
// before the first worker is started. f may subscribe to its events, so that the messages of
// workers are handled:
//
//	rota.OnMaster(func(m *master.Master) {
//		m.Subscribe(master.Events{Message: count})
//	})
//	ln, err := rota.Listen("tcp", ":8080")
//
// f may keep the master and call its methods, except Run. It must return, as the workers are
// started afterwards. Several functions are called in turn. As a function needs the process
// that has run main, OnMaster implies master.Config.RunMain. The new master of an upgrade calls
// the functions that its own main has passed.
//
// Call OnMaster before the first Listen. In a worker, and where Listen is net.Listen, f is not
// called.
func OnMaster(f func(*master.Master)) {
	theMaster.mu.Lock()
	defer theMaster.mu.Unlock()
	theMaster.onMaster = append(theMaster.onMaster, f)
}

// callOnMaster calls the functions of OnMaster.
func callOnMaster(m *master.Master) {
	theMaster.mu.Lock()
	functions := theMaster.onMaster
	theMaster.mu.Unlock()
	for _, f := range functions {
		f(m)
	}
}

// Run is m.Run for a program that has made its master itself, with what Listen's master does on
// signals: HUP reloads, USR2 upgrades, TERM and QUIT stop, TTIN and TTOU change the number of
// workers, and USR1 is passed on. ROTA_WORKERS and the other variables set what m's configuration
// doesn't. It returns as m.Run does: nil after ctx has ended or a signal has stopped m, and when
// an upgrade has put another process in its place. At the second INT, which closes m at once, the
// error is master.ErrClosed.
//
//	m, err := master.New(master.Config{Exec: "/usr/bin/server"})
//	if err != nil {
//		log.Fatal(err)
//	}
//	if err := rota.Run(context.Background(), m); err != nil {
//		log.Fatal(err)
//	}
//
// Run handles these signals until it returns, besides handlers that the program has. The error is
// a *master.ConfigError if a variable is invalid.
func Run(ctx context.Context, m *master.Master) error {
	cfg, err := applyEnvironment(m)
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	h := newSignalHandler(m, logger(cfg), stop)
	end := h.begin()
	err = m.Run(ctx)
	if end(); err == nil && h.interrupts.Load() > 1 {
		err = fmt.Errorf("run: %w", master.ErrClosed)
	}
	return err
}

// applyEnvironment sets of m what the environment sets and m's configuration doesn't. It returns
// m's configuration.
func applyEnvironment(m *master.Master) (master.Config, error) {
	cfg, found := m.Settings(), false
	p := settings.Apply(&cfg, func(variable string) string {
		text := os.Getenv(variable)
		found = found || text != ""
		return text
	})
	switch {
	case p != nil:
		return cfg, fmt.Errorf("the environment: %w", (*master.ConfigError)(p))
	case !found:
		return cfg, nil
	}
	return cfg, m.Setup(cfg)
}
