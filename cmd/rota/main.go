// Command rota shows and controls a running rota: a server that uses rota.Listen, by its
// control socket (docs/control.md in the library).
//
//	rota status                  what runs
//	rota reload                  replace the workers, slot by slot
//	rota restart 2               replace the worker of slot 2
//	rota history                 the last changes
//
// "rota help" lists the commands, and "rota help COMMAND" the flags of one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/controlclient"
)

// The exit statuses.
const (
	done     = 0
	failed   = 1 // and rolled back: everything is as before
	usage    = 2
	noMaster = 3
	denied   = 4
	running  = 5 // still, when the time-out was over or the master was replaced
)

func main() {
	mustExecProgram()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
}

// call is one call of the command.
type call struct {
	request control.Request
	socket  string
	pid     int
	timeout time.Duration
	json    bool
	wait    bool
	history bool
	top     bool

	stdout, stderr io.Writer
}

// run carries out the command, and returns the exit status.
func run(args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	if len(args) == 0 {
		printHelp(stderr)
		return usage
	}
	if args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		args = []string{"help"}
	}
	cmd, ok := commandNamed(args[0])
	if !ok {
		fmt.Fprintf(stderr, "rota: no command %q; see rota help\n", args[0])
		return usage
	}
	if cmd.run != nil {
		return cmd.run(&call{stdout: stdout, stderr: stderr}, args[1:])
	}
	return cmd.ask(args[1:], stdout, stderr, getenv)
}

// ask carries out a command that asks a master.
func (cmd command) ask(args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	c, err := cmd.parse(args)
	c.stdout, c.stderr = stdout, stderr
	if errors.Is(err, flag.ErrHelp) {
		printCommand(stdout, cmd)
		return done
	}
	if err != nil {
		fmt.Fprintf(stderr, "rota: %v; see rota help %s\n", err, cmd.name)
		return usage
	}
	path, err := controlclient.Find(c.socket, c.pid, getenv)
	if err != nil {
		return c.fail(err)
	}
	if c.top {
		return c.runTop(path)
	}
	return c.do(path)
}

// do makes the request and prints the answer.
func (c *call) do(path string) int {
	ctx, cancel := c.context()
	defer cancel()
	p := newPrinter(c)
	result, err := controlclient.Do(ctx, path, c.request, p.reply)
	p.close()
	if err != nil && c.request.Do == control.Stop && errors.Is(err, controlclient.ErrEnded) {
		return done // the master has gone
	}
	if err != nil {
		return c.fail(err)
	}
	return c.end(result)
}

// context returns a context that ends at the time-out, if there is one.
func (c *call) context() (context.Context, context.CancelFunc) {
	if c.timeout > 0 {
		return context.WithTimeout(context.Background(), c.timeout)
	}
	return context.WithCancel(context.Background())
}

// fail prints an error, and returns its exit status.
func (c *call) fail(err error) int {
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Fprintf(c.stderr, "rota: %s: not done after %v; it goes on\n", c.request.Do, c.timeout)
		return running
	}
	fmt.Fprintf(c.stderr, "rota: %s\n", controlclient.Clean(err.Error()))
	switch {
	case errors.Is(err, controlclient.ErrNoMaster):
		return noMaster
	case errors.Is(err, controlclient.ErrDenied):
		return denied
	}
	return failed
}

// end prints the result, and returns its exit status.
func (c *call) end(r control.Result) int {
	if r.Code == control.Done {
		return done
	}
	fmt.Fprintf(c.stderr, "rota: %s\n", controlclient.Clean(r.Error))
	if r.Stderr != "" {
		fmt.Fprintf(c.stderr, "the worker's last lines:\n%s\n", indent(controlclient.Clean(r.Stderr)))
	}
	switch r.Code {
	case control.Invalid:
		return usage
	case control.Left:
		return running
	}
	return failed
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
