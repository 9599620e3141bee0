package master_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os/signal"
	"syscall"
	"time"

	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/reload"
)

// A program that replaces workers that die. Run does this, with a back-off.
func ExampleMaster_Subscribe() {
	m, err := master.New(master.Config{})
	if err != nil {
		log.Fatal(err)
	}
	m.Subscribe(master.Events{
		Online: func(w *master.Worker) { fmt.Println("worker", w.ID(), "is online") },
		Exit: func(w *master.Worker, x master.Exit) {
			if asked, _ := w.Voluntary(); !asked {
				fmt.Println("worker", w.ID(), "died:", x)
				_, _ = m.Fork(nil) // fails when the master is closed
			}
		},
	})
	if _, err := m.Fork(nil); err != nil {
		log.Fatal(err)
	}
}

// A master that accepts connections and passes them to its workers in turn.
func ExampleWorker_Send() {
	spread := func(m *master.Master, ln net.Listener) error {
		for turn := 0; ; turn++ {
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			workers := m.Workers()
			if len(workers) == 0 {
				c.Close()
				continue
			}
			w := workers[turn%len(workers)]
			if err := w.Send(map[string]int{"turn": turn}, ipc.FromConn(c)); err != nil {
				log.Print(err)
				c.Close() // Send closes c only if it succeeds
			}
		}
	}
	_ = spread
}

// New checks the configuration.
func ExampleNew() {
	_, err := master.New(master.Config{Workers: -4})
	var invalid *master.ConfigError
	fmt.Println(errors.As(err, &invalid) && invalid.Field == "Workers")
	// Output: true
}

// A program with its own master instead of the one that rota.Listen starts: four workers
// of another executable, until SIGTERM.
func ExampleMaster_Run() {
	m, err := master.New(master.Config{Workers: 4, Exec: "/usr/local/bin/server", Grace: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := m.Run(ctx); err != nil {
		log.Fatal(err) // a *master.StartError if a first worker could not start
	}
}

// A reload fails as a whole: the workers of the previous generation go on.
func ExampleMaster_Reload() {
	reloadNow := func(m *master.Master) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		err := m.Reload(ctx)
		var failed *reload.Error
		switch {
		case errors.As(err, &failed):
			log.Print("rolled back: ", failed)
		case errors.Is(err, context.DeadlineExceeded):
			log.Print("the reload is still under way")
		case err != nil:
			log.Print(err)
		}
	}
	_ = reloadNow
}

// Fork starts a worker that Run doesn't know. It is not replaced when it exits.
func ExampleMaster_Fork() {
	start := func(m *master.Master) error {
		w, err := m.Fork(map[string]string{"JOB": "nightly"})
		if err != nil {
			return err
		}
		<-w.Exited()
		return nil
	}
	_ = start
}

// Scale changes the number of workers while Run runs.
func ExampleMaster_Scale() {
	grow := func(m *master.Master) error {
		return m.Scale(m.Settings().Workers + 2)
	}
	_ = grow
}

// Upgrade replaces the master by a process of the executable as it is now. Run of this
// master then returns nil when its workers have left.
func ExampleMaster_Upgrade() {
	upgrade := func(m *master.Master) {
		err := m.Upgrade(context.Background())
		var failed *master.UpgradeError
		switch {
		case errors.As(err, &failed):
			log.Print("this master goes on: ", failed)
		case errors.Is(err, master.ErrPID1):
			log.Print("replace the container instead")
		case err != nil:
			log.Print(err)
		}
	}
	_ = upgrade
}
