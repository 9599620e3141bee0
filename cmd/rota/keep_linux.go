package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/rota-go/rota/cmd/rota/internal/keeper"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/logqueue"
	"github.com/rota-go/rota/worker"
)

// keepRow is the row of "rota keep".
func keepRow() command {
	return command{name: "keep", argument: "-- COMMAND [argument]...", short: "start a server with rota.Listen, and again if its master is killed", long: keepText, run: keep}
}

const keepText = `It keeps the sockets of the master, and the executable that runs, while no master runs: no client is refused. Its pid
stays the same, and signals to it reach the master, over upgrades and crashes. It ends with the status of the master, and the master stops
if it is killed. Under systemd, FileDescriptorStoreMax= of the unit does the same.`

// keep is "rota keep".
func keep(c *call, args []string) int {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help") {
		return helpOn(c, []string{"keep"})
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 || args[0] == "" || args[0][0] == '-' {
		fmt.Fprintln(c.stderr, "rota: keep: no command; see rota help keep")
		return usage
	}
	return keepCommand(c, args)
}

// logTimeout is how long the end of the process waits for its last log lines to be written.
const logTimeout = 200 * time.Millisecond

// keepCommand is a keeper's life. It returns the exit status of the program.
func keepCommand(c *call, command []string) int {
	log := logqueue.New(slog.Default()) // the reader of standard error may be stuck, and the next master must be started all the same
	defer logqueue.Flush(log, logTimeout)
	status, err := keeper.Run(keeper.Options{Command: command, Log: log})
	if err != nil {
		fmt.Fprintf(c.stderr, "rota: keep: %v\n", err)
		return failed
	}
	return status
}

// isKept reports whether this process has a keeper, or is a worker, which has none.
func isKept() bool { return worker.Self() != nil || os.Getenv(link.EnvKeeper) != "" }
