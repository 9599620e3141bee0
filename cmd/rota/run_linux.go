package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/rota-go/rota/cmd/rota/internal/launch"
	"github.com/rota-go/rota/cmd/rota/internal/runner"
)

// runRow is the row of "rota run".
func runRow() command {
	return command{name: "run", argument: "-- COMMAND [argument]...", short: "a rota for any program", long: runText,
		flags: func(fs *flag.FlagSet, _ *call) { runFlags(fs, &runOptions{}) }, run: runProgram}
}

const runText = `A master owns the sockets and replaces its workers one by one at HUP; each of them starts the program. It gets the
sockets as descriptors from 3 on, and LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES as from systemd, EINHORN_FDS, and
SERVER_STARTER_PORT. The variables ROTA_GRACE, ROTA_MIN_UPTIME, ROTA_CONTROL and so on set the rest.`

// runOptions are those of the command line.
type runOptions struct {
	runner.Options
	keep bool
}

// runFlags adds the flags of "rota run", which set o.
func runFlags(fs *flag.FlagSet, o *runOptions) {
	o.Leave = syscall.SIGTERM
	fs.Func("b", "a socket, as `ADDRESS`: HOST:PORT, unix:PATH, or fd:NAME of systemd's; may be repeated", func(s string) error {
		o.Bind = append(o.Bind, s)
		return nil
	})
	fs.IntVar(&o.Workers, "n", 0, "the number `N` of workers; without it ROTA_WORKERS, or one")
	fs.Func("ready", "`WHEN` it is ready. accept: it waits for connections on all sockets (the default). notify: it sends READY=1 to "+
		"NOTIFY_SOCKET. 2s: it has lived for so long. tcp:HOST:PORT, http://...: an address of its own answers", func(s string) (err error) {
		o.Ready, err = runner.ParseReady(s)
		return err
	})
	fs.Func("signal", "`NAME` or number of the signal that tells it to finish and end: TERM (the default), INT, QUIT, HUP", func(s string) (err error) {
		o.Leave, err = parseSignal(s)
		return err
	})
	fs.BoolVar(&o.keep, "keep", false, "have a keeper, as by rota keep: a parent of the master that keeps the sockets if the master is killed, and starts the next one")
}

// runProgram is "rota run". It returns the exit status of the program.
func runProgram(c *call, args []string) int {
	o, err := parseRun(args)
	if errors.Is(err, flag.ErrHelp) {
		return helpOn(c, []string{"run"})
	}
	if err != nil {
		fmt.Fprintf(c.stderr, "rota: run: %v; see rota help run\n", err)
		return usage
	}
	if o.keep && !isKept() {
		return keepCommand(c, os.Args)
	}
	status, err := runner.Run(o.Options)
	if err != nil {
		fmt.Fprintf(c.stderr, "rota: run: %v\n", err)
		return failed
	}
	return status
}

func parseRun(args []string) (o runOptions, err error) {
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	runFlags(fs, &o)
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	o.Command = fs.Args()
	switch {
	case len(o.Command) == 0:
		return o, errors.New("no command")
	case len(o.Bind) == 0:
		return o, errors.New("no socket: -b")
	case o.Workers < 0:
		return o, fmt.Errorf("%d workers", o.Workers)
	}
	return o, nil
}

// parseSignal reads the name of a signal, with or without SIG, or its number.
func parseSignal(s string) (syscall.Signal, error) {
	names := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "HUP": syscall.SIGHUP}
	if sig, ok := names[strings.TrimPrefix(strings.ToUpper(s), "SIG")]; ok {
		return sig, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 64 {
		return 0, fmt.Errorf("%q is no signal", s)
	}
	return syscall.Signal(n), nil
}

// mustExecProgram executes the program of "rota run" or "rota keep" if this process has been started for that.
// If that fails it ends the process, as a shell does.
func mustExecProgram() {
	if err := launch.Exec(); err != nil {
		fmt.Fprintf(os.Stderr, "rota: %v\n", err)
		os.Exit(127)
	}
}
